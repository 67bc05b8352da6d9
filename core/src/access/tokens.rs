//! Bearer credentials: access tokens, sessions and the tokens of shims.
//!
//! The secret is random and long, so a plain SHA-256 of it is safe to store and quick to
//! look up. What a look-up finds is believed for a second: so long may a revoked token live.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use dashmap::DashMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Refusal, store};
use crate::{
    changes::Credential,
    clock,
    error::{Error, Result},
    ids::UserId,
    store::{Db, Tx},
};

const BELIEVED_FOR: Duration = Duration::from_secs(1);
/// Beyond this many remembered tokens the memory starts anew: a flood of wrong ones must
/// not fill it.
const REMEMBERED: usize = 10_000;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Acts as a user; made by the admin.
    User,
    /// Acts as a user; made by logging in.
    Session,
    /// Presents legacy signatures.
    Shim,
}

impl TokenKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Session => "session",
            Self::Shim => "shim",
        }
    }

    pub(super) fn from_name(name: &str) -> Result<Self> {
        [Self::User, Self::Session, Self::Shim]
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| Error::internal("a stored token has an unknown kind"))
    }
}

/// How the stored hashes of certificates begin.
const CERTIFICATE: &str = "certificate:";

/// A token, without its secret.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// It admits a client certificate, and has no secret.
    pub(crate) of_certificate: bool,
    pub(crate) id: i64,
    pub(crate) kind: TokenKind,
    pub(crate) name: String,
    pub(crate) user: UserId,
    pub(crate) created_at: i64,
    pub(crate) expires_at: Option<i64>,
}

impl Token {
    pub(super) fn credential(&self) -> Credential {
        match self.kind {
            TokenKind::Session => Credential::Session(self.id),
            _ if self.of_certificate => Credential::Certificate(self.id),
            TokenKind::User | TokenKind::Shim => Credential::AccessToken(self.id),
        }
    }
}

/// The tokens seen lately.
#[derive(Default)]
pub(crate) struct Tokens {
    seen: DashMap<String, (Instant, Option<Arc<Token>>)>,
    /// Counts how often everything was forgotten: what was looked up before is not believed
    /// after.
    forgotten: AtomicU64,
    /// The secret of the shim in this process, which is stored nowhere, and its token.
    embedded_shim: OnceLock<(String, Arc<Token>)>,
}

impl Tokens {
    /// The token with this secret, if there is one. One that has expired is refused as such.
    pub(super) async fn find(&self, db: &Db, secret: &str) -> Result<Option<Arc<Token>>> {
        if let Some((shim, token)) = self.embedded_shim.get()
            && shim.as_bytes().ct_eq(secret.as_bytes()).into()
        {
            return Ok(Some(token.clone()));
        }
        self.by_hash(db, hash(secret)).await
    }

    /// The token that admits a client certificate, likewise.
    pub(super) async fn of_certificate(
        &self,
        db: &Db,
        certificate: &[u8],
    ) -> Result<Option<Arc<Token>>> {
        self.by_hash(db, certificate_hash(certificate)).await
    }

    async fn by_hash(&self, db: &Db, hash: String) -> Result<Option<Arc<Token>>> {
        let known = self.seen.get(&hash).filter(|known| known.0.elapsed() < BELIEVED_FOR);
        let token = if let Some(token) = known.map(|known| known.1.clone()) {
            token
        } else {
            let (asked, forgotten) = (Instant::now(), self.forgotten.load(Ordering::Acquire));
            let found = store::by_hash(db, &hash).await?.map(Arc::new);
            if self.seen.len() >= REMEMBERED {
                self.seen.clear();
            }
            if self.forgotten.load(Ordering::Acquire) == forgotten {
                self.seen.insert(hash, (asked, found.clone()));
            }
            found
        };
        match token {
            Some(token) if token.expires_at.is_some_and(|end| end <= clock::now()) => {
                Err(Refusal::expired(&token).into())
            }
            token => Ok(token),
        }
    }

    /// Makes a token for a shim in this process. It dies with the process.
    pub(crate) fn embedded_shim(&self) -> String {
        let secret = new_secret();
        let token = Token {
            of_certificate: false,
            id: 0,
            kind: TokenKind::Shim,
            name: "embedded shim".to_owned(),
            user: UserId::ADMIN,
            created_at: clock::now(),
            expires_at: None,
        };
        // The first shim's token stays: there is one shim in a process.
        let _ = self.embedded_shim.set((secret.clone(), Arc::new(token)));
        secret
    }

    /// Forgets what is known of tokens, so that a change counts at once in this process.
    pub(crate) fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.seen.clear();
    }
}

/// The hash of a secret, as stored.
fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// Stores a token of the admin with a secret that everybody knows: the demo's.
pub(crate) async fn insert_known(tx: &mut Tx, secret: &str, name: &str) -> Result<()> {
    let new = NewToken {
        kind: TokenKind::User,
        name,
        user: UserId::ADMIN,
        expires_at: None,
        certificate: None,
    };
    store::insert(tx, &hash(secret), new).await.map(drop)
}

/// How a certificate (in DER) is stored: by its SHA-256 fingerprint, which is no secret, so that
/// it must not be mistaken for the hash of one.
fn certificate_hash(certificate: &[u8]) -> String {
    format!("{CERTIFICATE}{}", hex::encode(Sha256::digest(certificate)))
}

/// A new secret: 256 random bits in hex, behind a prefix by which leaked ones are found.
fn new_secret() -> String {
    format!("tb_{}", hex::encode(rand::random::<[u8; 32]>()))
}

/// A token to be made.
pub(crate) struct NewToken<'a> {
    pub(crate) kind: TokenKind,
    pub(crate) name: &'a str,
    pub(crate) user: UserId,
    pub(crate) expires_at: Option<i64>,
    /// The certificate that it admits, in DER, in place of a secret.
    pub(crate) certificate: Option<&'a [u8]>,
}

/// Stores a new token and returns it with its secret; with an empty one where it admits a
/// certificate.
pub(crate) async fn create(tx: &mut Tx, new: NewToken<'_>) -> Result<(Token, String)> {
    let (secret, hash) = if let Some(certificate) = new.certificate {
        (String::new(), certificate_hash(certificate))
    } else {
        let secret = new_secret();
        let hash = hash(&secret);
        (secret, hash)
    };
    Ok((store::insert(tx, &hash, new).await?, secret))
}
