//! The legacy signature: what a client of the XML API proves, and how
//! (spec: `m4-general.md`, order of checks and hash); and the HMAC signature of clients that
//! can do better.

use std::{net::IpAddr, sync::Arc};

use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use tollbook_proto::v1::{HmacSignature, LegacySignature};

use super::{
    Caller, Principal, Replay,
    keys::{self, ApiKey},
    lockout::Lockout,
    policy::Rule,
};
use crate::{
    catalog::Snapshot,
    changes::{Credential, Origin},
    clock,
    error::{Error, Result},
    managers::Permissions,
    measure,
    settings::Secret,
    store::Db,
    users::{Identity, Role, directory::Directory},
};

/// How far the clock of who signs may be from ours, in seconds.
const SKEW: i64 = 300;

/// A legacy request, and what it is judged by.
pub(super) struct Verifier<'a> {
    pub(super) claim: &'a LegacySignature,
    pub(super) request_id: &'a Arc<str>,
    pub(super) snapshot: &'a Snapshot,
    pub(super) directory: &'a Directory,
    pub(super) lockout: &'a Lockout,
    pub(super) db: &'a Db,
}

impl Verifier<'_> {
    /// Makes the checks of a legacy request in their documented order: API on, GET allowed,
    /// caller known, hash right, role admitted. Addresses that may not call at all are turned
    /// away with the first of them, and whoever is locked out is told that his hash is wrong.
    pub(super) async fn verify(
        &self,
        rule: &Rule,
        permissions_of: impl Fn(&Identity) -> Permissions,
    ) -> Result<Principal> {
        let Self { claim, snapshot, lockout, .. } = self;
        let address = claim.client_address.parse().ok();
        if !snapshot.settings.allow_api {
            return Err(Error::ApiDisabled);
        }
        if !snapshot.settings.admits(address) {
            return Err(Error::AddressDenied);
        }
        if claim.http_get && !snapshot.settings.allow_get_api {
            return Err(Error::GetDisabled);
        }
        if lockout.is_locked(address, &claim.username) {
            return Err(Error::IncorrectHash);
        }
        let proven = match &claim.hmac {
            Some(signature) => self.by_hmac(signature, rule).await,
            None if rule.legacy_anonymous => self.anonymously(),
            None => self.by_hash(rule).await,
        };
        let (caller, credential) = proven.inspect_err(|error| {
            if matches!(error, Error::BadLogin | Error::IncorrectHash) {
                lockout.failed(address, &claim.username);
            }
        })?;
        if let Some(caller) = &caller {
            lockout.came_in(address, &claim.username);
            let mut admitted = claim.roles.iter().copied().filter_map(Role::from_proto);
            if !claim.roles.is_empty() && !admitted.any(|role| role == caller.role) {
                return Err(Error::RoleDenied);
            }
        }
        Ok(Principal {
            origin: Arc::new(self.origin(rule, caller.as_deref(), credential, address)),
            replay: self.replay(credential),
            caller: match caller {
                Some(caller) => {
                    let permissions = permissions_of(&caller);
                    Caller::User(caller, permissions)
                }
                None => Caller::Anonymous,
            },
        })
    }

    fn origin(
        &self,
        rule: &Rule,
        caller: Option<&Identity>,
        credential: Credential,
        address: Option<IpAddr>,
    ) -> Origin {
        Origin {
            actor: caller.map(|caller| caller.id),
            credential,
            address,
            rpc: rule.name.clone(),
            legacy_method: self.claim.method.clone(),
            request_id: self.request_id.clone(),
        }
    }

    /// What tells that the request is a repetition. HMAC signatures have nonces for that, and
    /// where hashes are not checked there is nothing that could tell.
    fn replay(&self, credential: Credential) -> Option<Replay> {
        let window = self.snapshot.settings.replay_window_seconds;
        let tells = self.claim.hmac.is_none() && credential != Credential::Unchecked;
        let key = || format!("{}/{}", self.claim.method, self.claim.hash);
        (tells && window > 0).then(|| Replay { key: key(), window })
    }

    /// By a hash, of a request that names no caller.
    fn anonymously(&self) -> Result<(Option<Arc<Identity>>, Credential)> {
        let credential = self.shared_credential(!self.claim.only_admin_signs_nothing);
        Ok((None, credential.ok_or(Error::IncorrectHash)?))
    }

    /// By a hash, of the caller whom the request names.
    async fn by_hash(&self, rule: &Rule) -> Result<(Option<Arc<Identity>>, Credential)> {
        let Self { claim, snapshot, directory, .. } = self;
        let caller = directory.by_username(&claim.username).await?.ok_or(Error::BadLogin)?;
        let may_sign_nothing = !claim.only_admin_signs_nothing || caller.role == Role::Admin;
        if let Some(credential) = self.shared_credential(may_sign_nothing) {
            return Ok((Some(caller), credential));
        }
        // His own keys; all are tried, as all candidates are.
        let fits = |key: &&ApiKey| right_input(claim, &key.secret, may_sign_nothing).is_some();
        let key = snapshot.api_keys.of_user(caller.id, clock::now()).filter(fits).last();
        let key = key.ok_or(Error::IncorrectHash)?;
        key.check(&claim.method, rule.changes_nothing)?;
        Ok((Some(caller), Credential::ApiKey(key.id())))
    }

    /// Whether the hash is one of the secret key that all share, or of the one before it while
    /// that counts; or need not be, because hash checking is disabled.
    fn shared_credential(&self, may_sign_nothing: bool) -> Option<Credential> {
        let settings = &self.snapshot.settings;
        if settings.disable_hash_checking {
            return Some(Credential::Unchecked);
        }
        let input = |key| right_input(self.claim, key, may_sign_nothing);
        let input = settings.shared_api_key.then(|| {
            input(&settings.api_secret_key)
                .or_else(|| input(settings.previous_api_secret_key(clock::now())?))
        });
        let input = input.flatten();
        measure::legacy_hash(&self.claim.method, input);
        input.map(|_| Credential::ApiSecretKey)
    }

    /// By the HMAC signature of an API key, whose user is the caller (docs/signing.md).
    async fn by_hmac(
        &self,
        signature: &HmacSignature,
        rule: &Rule,
    ) -> Result<(Option<Arc<Identity>>, Credential)> {
        let Self { claim, snapshot, directory, db, .. } = self;
        let now = clock::now();
        let key = snapshot.api_keys.by_id(signature.key_id, now).ok_or(Error::IncorrectHash)?;
        if !hmac_fits(signature, &claim.request_digest, &key.secret) {
            return Err(Error::IncorrectHash);
        }
        // Only who has the key hears what else is wrong.
        let age = now.div_euclid(1_000_000).saturating_sub(signature.timestamp);
        if !(-SKEW..=SKEW).contains(&age) {
            return Err(Error::SignatureExpired);
        }
        let caller = directory.by_id(key.user()).await?.ok_or(Error::BadLogin)?;
        if !claim.username.is_empty() && claim.username != caller.username {
            return Err(Error::BadLogin);
        }
        key.check(&claim.method, rule.changes_nothing)?;
        let presentation = claim.presentation.cast_signed();
        // Until the request would be too old anyway.
        let expires_at = now.saturating_add(2 * SKEW * 1_000_000);
        keys::store::use_nonce(db, key.id(), &signature.nonce, presentation, expires_at).await?;
        Ok((Some(caller), Credential::ApiKey(key.id())))
    }
}

/// Whether a signature is one of a key, compared in constant time.
fn hmac_fits(signature: &HmacSignature, request_digest: &[u8], key: &Secret) -> bool {
    let HmacSignature { key_id, timestamp, nonce, signature } = signature;
    if !(16..=64).contains(&nonce.len()) || !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
        return false;
    }
    let digest = hex::encode(request_digest);
    let signed = format!("TOLLBOOK1-HMAC-SHA256\n{key_id}\n{timestamp}\n{nonce}\n{digest}");
    let (Ok(mac), Ok(signature)) =
        (Hmac::<Sha256>::new_from_slice(key.0.as_bytes()), hex::decode(signature))
    else {
        return false;
    };
    mac.chain_update(signed).verify_slice(&signature).is_ok()
}

/// Whether a claim fits a key, by its hash or by its HMAC signature.
#[cfg(fuzzing)]
pub(crate) fn fits_any(claim: &LegacySignature, key: &str) -> bool {
    let key = Secret(key.to_owned());
    let by_hmac = claim.hmac.as_ref();
    right_input(claim, &key, true).is_some()
        || by_hmac.is_some_and(|signature| hmac_fits(signature, &claim.request_digest, &key))
}

/// Which of the candidates, counted from 1, gives the hash when the secret key follows it. Every
/// candidate is tried, and compared in constant time, whatever the ones before gave.
fn right_input(claim: &LegacySignature, key: &Secret, may_sign_nothing: bool) -> Option<usize> {
    let counts = |candidate: &String| may_sign_nothing || !candidate.is_empty();
    let numbered = (1..).zip(&claim.candidates).filter(|(_, candidate)| counts(candidate));
    numbered.fold(None, |right, (number, candidate)| {
        let digest = Sha1::new().chain_update(candidate).chain_update(&key.0).finalize();
        let mut hash = [0; 40];
        // Cannot fail: 20 bytes are 40 digits.
        let _ = hex::encode_to_slice(digest, &mut hash);
        let fits: bool = hash.ct_eq(claim.hash.as_bytes()).into();
        if fits { Some(number) } else { right }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIGNATURE: &str = "b9aa4445f9f8bad6650e89becf44436f5cfaf3623218a204a2413225577943d3";

    fn claim(candidates: &[&str], hash: &str) -> LegacySignature {
        LegacySignature {
            candidates: candidates.iter().map(|text| (*text).to_owned()).collect(),
            hash: hash.to_owned(),
            ..Default::default()
        }
    }

    /// The verified examples of `m4-general.md`.
    #[test]
    fn documented_hashes() {
        for (candidate, key, hash) in [
            (
                "1231252454580answered",
                "Very Sercet Key",
                "b93c35d5c6183288322122561a3da7e09abb63b7",
            ),
            ("123100", "456789", "b1bef44691c237b574263e09b2838ad1e658e507"),
            ("", "secret", "e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4"),
            ("admin5", "secret", "80ea571b1932bfecb937013966849154cb995e05"),
            ("AMD45.5", "secret", "cd4e5e92a0fe326d6f5c1d40a7952bb4442e1b5d"),
            ("adminadmin1", "secret", "c420ef706a02e6449994b7575b25ef5f74cc722b"),
        ] {
            assert_eq!(
                right_input(&claim(&["other", candidate], hash), &Secret(key.to_owned()), true),
                Some(2)
            );
            assert_eq!(
                right_input(&claim(&[candidate], hash), &Secret("wrong".to_owned()), true),
                None
            );
            assert_eq!(right_input(&claim(&["other"], hash), &Secret(key.to_owned()), true), None);
        }
    }

    /// The example of `docs/signing.md`.
    #[test]
    fn documented_signature() {
        let digest = Sha256::digest(
            "TOLLBOOK1\nPOST\n/billing/api/user_balance_update\n\
             a80135b1250fe0c535dcd953534bdd3e97a2ad607be0208efe01fdacf8514f2d\n\
             7:balance5:12.507:user_id1:4",
        );
        let signature = HmacSignature {
            key_id: 3,
            timestamp: 1_764_061_200,
            nonce: "6f1ed002ab559585".to_owned(),
            signature: String::new(),
        };
        let fits = |signature: &HmacSignature| {
            hmac_fits(signature, &digest, &Secret("0123456789abcdef".to_owned()))
        };
        assert!(!fits(&signature));
        let right = HmacSignature { signature: SIGNATURE.to_owned(), ..signature };
        assert!(fits(&right));
        assert!(!fits(&HmacSignature { timestamp: 1_764_061_201, ..right.clone() }));
        assert!(!fits(&HmacSignature { key_id: 4, ..right.clone() }));
        assert!(!fits(&HmacSignature { nonce: "6f1ed002ab559586".to_owned(), ..right.clone() }));
        assert!(!hmac_fits(&right, &digest, &Secret("0123456789abcdeF".to_owned())));
    }

    proptest! {
        #[test]
        fn only_the_right_hash_fits(candidate in ".{0,20}", key in ".{1,20}", hash in "[0-9a-f]{0,41}") {
            let right = hex::encode(Sha1::digest(format!("{candidate}{key}")));
            let key = Secret(key);
            prop_assert_eq!(right_input(&claim(&[&candidate], &right), &key, true), Some(1));
            prop_assert_eq!(right_input(&claim(&[&candidate], &hash), &key, true).is_some(), hash == right);
            prop_assert_eq!(right_input(&claim(&[], &right), &key, true), None);
        }
    }
}
