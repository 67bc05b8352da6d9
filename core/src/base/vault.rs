//! Secrets at rest: sealed with a key that is not in the database.
//!
//! Of the secrets that the core must be able to read (the API secret key, the secrets of API
//! keys) the database holds the text itself, or, where there is an encryption key, that text
//! sealed with ChaCha20-Poly1305 under a fresh nonce. The name of what it is goes into the
//! seal, so that one cannot be put in another's place. What needs no reading, passwords and
//! tokens, is stored as hashes anyway.

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use sha2::{Digest, Sha256};

use crate::{
    error::{Error, Result},
    resource::SecretOf,
};

/// How every sealed text begins; no secret does.
pub(crate) const SEALED: &str = "sealed:";
const NONCE_LENGTH: usize = 24;

/// Seals secrets, and opens what it has sealed. Without a key they stay as they are.
#[derive(Clone, Default)]
pub struct Vault {
    /// The one that seals comes first; the others still open.
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    cipher: XChaCha20Poly1305,
    /// Tells which key sealed a text, and nothing about it.
    fingerprint: String,
}

impl Key {
    fn new(hex_digits: &str) -> Option<Self> {
        let mut key = [0; 32];
        hex::decode_to_slice(hex_digits.trim(), &mut key).ok()?;
        let fingerprint = hex::encode(&Sha256::digest(key)[..4]);
        Some(Self { cipher: XChaCha20Poly1305::new(&key.into()), fingerprint })
    }
}

impl Vault {
    /// A vault with these keys, each 64 hexadecimal digits: the first one seals, all open.
    /// None where one of them is not such a key.
    #[must_use]
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let keys = keys.into_iter().map(Key::new).collect::<Option<_>>()?;
        Some(Self { keys })
    }

    /// Tells the key that seals from others, and nothing about it; `None` if there is none.
    pub(crate) fn fingerprint(&self) -> Option<&str> {
        self.keys.first().map(|key| key.fingerprint.as_str())
    }

    /// A secret as it is stored.
    pub(crate) fn seal(&self, what: SecretOf<'_>, secret: &str) -> Result<String> {
        let Some(key) = self.keys.first().filter(|_| !secret.is_empty()) else {
            return Ok(secret.to_owned());
        };
        let nonce: [u8; NONCE_LENGTH] = rand::random();
        let what = what.to_string();
        let payload = Payload { msg: secret.as_bytes(), aad: what.as_bytes() };
        let sealed = key.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| Error::internal("a secret cannot be sealed"))?;
        let text = BASE64_STANDARD_NO_PAD.encode([nonce.as_slice(), &sealed].concat());
        Ok(format!("{SEALED}{}:{text}", key.fingerprint))
    }

    /// The secret of a stored text.
    pub(crate) fn open(&self, what: SecretOf<'_>, stored: String) -> Result<String> {
        let Some(sealed) = stored.strip_prefix(SEALED) else {
            return Ok(stored);
        };
        let (fingerprint, text) = sealed.split_once(':').ok_or(Error::SecretUnreadable)?;
        let key = self.keys.iter().find(|key| key.fingerprint == fingerprint);
        let key = key.ok_or(Error::EncryptionKeyMissing)?;
        let bytes =
            BASE64_STANDARD_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() > NONCE_LENGTH);
        let bytes = bytes.ok_or(Error::SecretUnreadable)?;
        let (nonce, sealed) = bytes.split_at(NONCE_LENGTH);
        let nonce = XNonce::try_from(nonce).map_err(|_| Error::SecretUnreadable)?;
        let what = what.to_string();
        let payload = Payload { msg: sealed, aad: what.as_bytes() };
        let secret = key.cipher.decrypt(&nonce, payload).map_err(|_| Error::SecretUnreadable)?;
        String::from_utf8(secret).map_err(|_| Error::SecretUnreadable)
    }

    /// A stored text as it is stored today; none: it is so already.
    pub(crate) fn resealed(&self, what: SecretOf<'_>, stored: &str) -> Result<Option<String>> {
        if stored.is_empty() || self.is_current(stored) {
            return Ok(None);
        }
        let secret = self.open(what, stored.to_owned())?;
        self.seal(what, &secret).map(Some)
    }

    /// Whether a stored text is as [`Self::seal`] would store it today.
    fn is_current(&self, stored: &str) -> bool {
        match self.keys.first() {
            None => true,
            Some(key) => stored
                .strip_prefix(SEALED)
                .is_some_and(|sealed| sealed.starts_with(&key.fingerprint)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const KEY_SETTING: SecretOf<'_> = SecretOf::Setting("api_secret_key");
    const OTHER: &str = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    #[test]
    fn keys_are_64_digits() {
        assert!(Vault::new([KEY]).is_some());
        assert!(Vault::new(["0102"]).is_none());
        assert!(Vault::new([KEY, "not a key"]).is_none());
    }

    #[test]
    fn what_one_key_sealed_another_does_not_open() {
        let sealed = Vault::new([KEY]).unwrap().seal(KEY_SETTING, "secret").unwrap();
        assert!(!sealed.contains("secret"));
        let other = Vault::new([OTHER]).unwrap();
        assert!(!other.is_current(&sealed));
        assert!(matches!(
            other.open(KEY_SETTING, sealed.clone()),
            Err(Error::EncryptionKeyMissing)
        ));
        let both = Vault::new([OTHER, KEY]).unwrap();
        assert_eq!(both.open(KEY_SETTING, sealed.clone()).unwrap(), "secret");
        assert!(matches!(
            Vault::default().open(KEY_SETTING, sealed.clone()),
            Err(Error::EncryptionKeyMissing)
        ));
        // In another's place it is worth nothing.
        assert!(matches!(both.open(SecretOf::ApiKey(1), sealed), Err(Error::SecretUnreadable)));
    }

    proptest! {
        #[test]
        fn sealed_secrets_open_again(secret in ".{0,40}", what in "[a-z]{1,9}") {
            let vault = Vault::new([KEY]).unwrap();
            let what = SecretOf::Setting(&what);
            let sealed = vault.seal(what, &secret).unwrap();
            prop_assert_eq!(vault.open(what, sealed.clone()).unwrap(), secret.clone());
            if !secret.is_empty() {
                let mut broken = sealed.into_bytes();
                let last = broken.len() - 1;
                broken[last] = if broken[last] == b'A' { b'B' } else { b'A' };
                prop_assert!(vault.open(what, String::from_utf8(broken).unwrap()).is_err());
            }
            // Without a key nothing changes.
            let plain = Vault::default();
            prop_assert_eq!(plain.seal(what, &secret).unwrap(), secret);
        }
    }
}
