//! Passwords: argon2 for all, and the SHA1 of imported users until they first log in.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use crate::error::{Error, Result};

/// How many passwords are hashed at once: each takes 19 MiB, and a processor.
const AT_ONCE: usize = 4;
/// How many more wait for their turn, which comes within a second.
const WAITING: usize = 64;

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);
static PLACES: Semaphore = Semaphore::const_new(AT_ONCE + WAITING);

const LEGACY_PREFIX: &str = "sha1:";

/// A password's hash, as stored.
pub(crate) struct Password(String);

impl Password {
    /// The hash of a new password; none where the text is empty.
    pub(crate) async fn new(password: &str) -> Result<Option<Self>> {
        match password.chars().count() {
            0 => Ok(None),
            6..=255 => Ok(Some(Self(hash(password.to_owned()).await?))),
            _ => Err(Error::invalid("password", "must have 6 to 255 characters")),
        }
    }

    /// The hash of a new user's password, given as it is, as a legacy SHA1, or not at all.
    pub(crate) async fn for_new_user(password: String, legacy_sha1: &str) -> Result<Self> {
        if legacy_sha1.is_empty() {
            return Ok(Self::new(&password).await?.unwrap_or(Self(String::new())));
        }
        let hex = legacy_sha1.to_ascii_lowercase();
        if hex.len() != 40 || hex::decode(&hex).is_err() {
            return Err(Error::invalid("legacy_password_sha1", "must be 40 hex digits"));
        }
        if !password.is_empty() {
            return Err(Error::invalid("password", "excludes legacy_password_sha1"));
        }
        Ok(Self(format!("{LEGACY_PREFIX}{hex}")))
    }

    /// As stored.
    pub(crate) fn hash(&self) -> &str {
        &self.0
    }
}

/// What comparing a password with a stored hash found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Wrong,
    Right,
    /// Right, and to be stored again as this better hash.
    Outdated(String),
}

/// Compares a password with a stored hash. Whatever is stored, that takes as long as one run of
/// argon2: an empty hash, which fits no password, and an imported one do not tell of themselves.
pub(super) async fn verify(password: String, stored: String) -> Result<Verdict> {
    if let Some(legacy) = stored.strip_prefix(LEGACY_PREFIX) {
        let given = hex::encode(Sha1::digest(password.as_bytes()));
        let right: bool = given.as_bytes().ct_eq(legacy.as_bytes()).into();
        // Also where nothing will be stored.
        let better = hash(password).await?;
        return Ok(if right { Verdict::Outdated(better) } else { Verdict::Wrong });
    }
    if stored.is_empty() {
        hash(password).await?;
        return Ok(Verdict::Wrong);
    }
    in_background(move || {
        let parsed = PasswordHash::new(&stored)
            .map_err(|_| Error::internal("a stored password hash cannot be read"))?;
        let right = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
        Ok(if right { Verdict::Right } else { Verdict::Wrong })
    })
    .await
}

async fn hash(password: String) -> Result<String> {
    in_background(move || {
        Argon2::default()
            .hash_password(password.as_bytes())
            .map(|hash| hash.to_string())
            .map_err(|_| Error::internal("a password could not be hashed"))
    })
    .await
}

/// Hashing takes tens of milliseconds, by design: too long for a thread that serves requests.
/// Its memory is bounded, too: who comes when many wait already is told to come again.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let place = PLACES.try_acquire().map_err(|_| Error::Busy)?;
    let turn = TURNS.acquire().await.map_err(|_| Error::Unavailable)?;
    let work = move || {
        // Whoever asked may have left: it is the work that has the turn, to its end.
        let _turn = (turn, place);
        work()
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::internal(error.to_string()))?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_legacy_hash_is_replaced_at_the_first_login() {
        let sha1 = hex::encode(Sha1::digest(b"secret word"));
        let stored = Password::for_new_user(String::new(), &sha1).await.unwrap();
        let wrong = verify("other word".to_owned(), stored.0.clone()).await.unwrap();
        assert_eq!(wrong, Verdict::Wrong);
        let Verdict::Outdated(better) = verify("secret word".to_owned(), stored.0).await.unwrap()
        else {
            panic!("the right password was not accepted");
        };
        assert!(better.starts_with("$argon2id$"));
        let again = verify("secret word".to_owned(), better.clone()).await.unwrap();
        assert_eq!(again, Verdict::Right);
        assert_eq!(verify("other".to_owned(), better).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn without_a_password_nobody_logs_in() {
        assert_eq!(verify(String::new(), String::new()).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn f17_only_so_many_passwords_are_hashed_at_once() {
        use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let hashing = || {
            in_background(|| {
                MOST.fetch_max(RUNNING.fetch_add(1, SeqCst) + 1, SeqCst);
                std::thread::sleep(std::time::Duration::from_millis(10));
                RUNNING.fetch_sub(1, SeqCst);
                Ok(())
            })
        };
        let all = (0..2 * (AT_ONCE + WAITING)).map(|_| tokio::spawn(hashing()));
        let all: Vec<_> = all.collect();
        let mut refused = 0;
        for one in all {
            match one.await.unwrap() {
                Ok(()) => {}
                Err(Error::Busy) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(MOST.load(SeqCst) <= AT_ONCE, "{MOST:?} at once");
        assert!(refused > 0, "all of them found room");
    }
}
