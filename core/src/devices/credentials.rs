//! What a device proves itself with: a name, a password and a PIN. They are made up where nobody gives
//! them, and looked up by digests, so that it costs the same among 200,000 as among two.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{
    error::{Error, Result},
    settings::Secret,
    text::check_text,
};

/// Letters and digits that nobody takes for one another.
const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const DIGITS: &[u8] = b"0123456789";
/// Of a name the first one: where it begins with a zero, it is easily lost.
const FIRST_DIGITS: &[u8] = b"123456789";

/// How long those are that are made up.
const USERNAME: usize = 10;
const PASSWORD: usize = 16;
const PIN: usize = 8;
/// The shortest password that is taken.
const SHORTEST_PASSWORD: usize = 8;

/// A name that is made up.
pub(super) fn random_username() -> String {
    random(FIRST_DIGITS, 1) + &random(DIGITS, USERNAME - 1)
}

/// A password that is made up: 93 bits.
pub(super) fn random_password() -> String {
    random(LETTERS, PASSWORD)
}

/// A PIN that is made up.
pub(super) fn random_pin() -> String {
    random(DIGITS, PIN)
}

/// Some characters of an alphabet, each as likely as any other.
fn random(alphabet: &[u8], length: usize) -> String {
    let whole = 256 - 256 % alphabet.len();
    let bytes = std::iter::repeat_with(|| usize::from(rand::random::<u8>()));
    let fair = bytes.filter(|byte| *byte < whole).take(length);
    fair.map(|byte| char::from(alphabet[byte % alphabet.len()])).collect()
}

/// What a password or a PIN is looked up by.
pub(super) fn digest(key: &Secret, text: &str) -> Result<String> {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes());
    let mut mac = mac.map_err(|error| Error::internal(error.to_string()))?;
    mac.update(text.as_bytes());
    Ok(hex::encode(mac.finalize().into_bytes()))
}

pub(super) fn check_username(username: &str) -> Result<()> {
    check_text("device.username", username)?;
    match username.chars().any(char::is_whitespace) {
        true => Err(Error::invalid("device.username", "must not contain blanks")),
        false => Ok(()),
    }
}

pub(super) fn check_password(password: &str) -> Result<()> {
    check_text("device.password", password)?;
    match password.chars().count() < SHORTEST_PASSWORD {
        true => Err(Error::invalid("device.password", "must have 8 characters")),
        false => Ok(()),
    }
}

pub(super) fn check_pin(pin: &str) -> Result<()> {
    check_text("device.pin", pin)?;
    match pin.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(()),
        false => Err(Error::invalid("device.pin", "must be digits")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_made_up_is_taken() {
        for _ in 0..200 {
            let (username, password, pin) = (random_username(), random_password(), random_pin());
            check_username(&username).unwrap();
            check_password(&password).unwrap();
            check_pin(&pin).unwrap();
            assert_eq!((username.len(), password.len(), pin.len()), (10, 16, 8));
            assert!(!username.starts_with('0'));
        }
    }

    #[test]
    fn a_digest_tells_nothing_without_its_key() {
        let key = |text: &str| Secret::new(text.to_owned()).unwrap();
        let one = digest(&key("one"), "12345678").unwrap();
        assert_eq!(one, digest(&key("one"), "12345678").unwrap());
        assert_ne!(one, digest(&key("another"), "12345678").unwrap());
        assert_ne!(one, digest(&key("one"), "12345679").unwrap());
    }
}
