//! The legacy signature: what a client of the XML API proves, and how
//! (spec: `m4-general.md`, order of checks and hash).

use sha1::{Digest, Sha1};
use subtle::{Choice, ConstantTimeEq};
use tollbook_proto::v1::LegacySignature;

use super::{Caller, Principal, Via, lockout::Lockout, policy::Rule};
use crate::{
    clock,
    error::{Error, Result},
    managers::Permissions,
    measure,
    settings::{Secret, Settings},
    users::{Role, directory::Directory},
};

/// A legacy request, and what it is judged by.
pub(super) struct Verifier<'a> {
    pub(super) claim: &'a LegacySignature,
    pub(super) settings: &'a Settings,
    pub(super) directory: &'a Directory,
    pub(super) lockout: &'a Lockout,
}

impl Verifier<'_> {
    /// Makes the checks of a legacy request in their documented order: API on, GET allowed,
    /// caller known, hash right, role admitted. Addresses that may not call at all are turned
    /// away with the first of them, and whoever is locked out is told that his hash is wrong.
    pub(super) async fn verify(
        &self,
        rule: &Rule,
        permissions_of: impl Fn(&crate::users::Identity) -> Permissions,
    ) -> Result<Principal> {
        let Self { claim, settings, directory, lockout } = self;
        let address = claim.client_address.parse().ok();
        if !settings.allow_api {
            return Err(Error::ApiDisabled);
        }
        if !settings.admits(address) {
            return Err(Error::AddressDenied);
        }
        if claim.http_get && !settings.allow_get_api {
            return Err(Error::GetDisabled);
        }
        if lockout.is_locked(address, &claim.username) {
            return Err(Error::IncorrectHash);
        }
        let failed = |error| {
            lockout.failed(address, &claim.username);
            error
        };
        if rule.legacy_anonymous {
            return match self.fits(!claim.only_admin_signs_nothing) {
                true => Ok(Principal { caller: Caller::Anonymous, via: Via::Legacy }),
                false => Err(failed(Error::IncorrectHash)),
            };
        }
        let caller = directory.by_username(&claim.username).await?;
        let caller = caller.ok_or_else(|| failed(Error::BadLogin))?;
        if !self.fits(!claim.only_admin_signs_nothing || caller.role == Role::Admin) {
            return Err(failed(Error::IncorrectHash));
        }
        lockout.came_in(address, &claim.username);
        let mut admitted = claim.roles.iter().copied().filter_map(Role::from_proto);
        if !claim.roles.is_empty() && !admitted.any(|role| role == caller.role) {
            return Err(Error::RoleDenied);
        }
        let permissions = permissions_of(&caller);
        Ok(Principal { caller: Caller::User(caller, permissions), via: Via::Legacy })
    }

    /// Whether the hash is one of the secret key, or of the one before it while that counts.
    fn fits(&self, may_sign_nothing: bool) -> bool {
        let settings = self.settings;
        settings.disable_hash_checking
            || hash_fits(self.claim, &settings.api_secret_key, may_sign_nothing)
            || settings
                .previous_api_secret_key(clock::now())
                .is_some_and(|key| hash_fits(self.claim, key, may_sign_nothing))
    }
}

/// Whether the hash is that of one of the candidates followed by the secret key. Every
/// candidate is tried, and compared in constant time, whatever the ones before gave.
fn hash_fits(claim: &LegacySignature, key: &Secret, may_sign_nothing: bool) -> bool {
    let counts = |candidate: &&String| may_sign_nothing || !candidate.is_empty();
    let mut input = 0;
    let numbered = (1_usize..).zip(&claim.candidates);
    let fits = numbered.filter(|(_, candidate)| counts(candidate)).fold(
        Choice::from(0),
        |fits, (number, candidate)| {
            let digest = Sha1::new().chain_update(candidate).chain_update(&key.0).finalize();
            let mut hash = [0; 40];
            // Cannot fail: 20 bytes are 40 digits.
            let _ = hex::encode_to_slice(digest, &mut hash);
            let this = hash.ct_eq(claim.hash.as_bytes());
            if bool::from(this) {
                input = number;
            }
            fits | this
        },
    );
    measure::legacy_hash(&claim.method, input);
    fits.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
            assert!(hash_fits(&claim(&["other", candidate], hash), &Secret(key.to_owned()), true));
            assert!(!hash_fits(&claim(&[candidate], hash), &Secret("wrong".to_owned()), true));
            assert!(!hash_fits(&claim(&["other"], hash), &Secret(key.to_owned()), true));
        }
    }

    proptest! {
        #[test]
        fn only_the_right_hash_fits(candidate in ".{0,20}", key in ".{1,20}", hash in "[0-9a-f]{0,41}") {
            let right = hex::encode(Sha1::digest(format!("{candidate}{key}")));
            let key = Secret(key);
            prop_assert!(hash_fits(&claim(&[&candidate], &right), &key, true));
            prop_assert_eq!(hash_fits(&claim(&[&candidate], &hash), &key, true), hash == right);
            prop_assert!(!hash_fits(&claim(&[], &right), &key, true));
        }
    }
}
