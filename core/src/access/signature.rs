//! The legacy signature: what a client of the XML API proves, and how
//! (spec: `m4-general.md`, order of checks and hash).

use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
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
                true => Ok(Principal { caller: Caller::Anonymous, via: Via::Legacy, address }),
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
        Ok(Principal { caller: Caller::User(caller, permissions), via: Via::Legacy, address })
    }

    /// Whether the hash is one of the secret key, or of the one before it while that counts.
    fn fits(&self, may_sign_nothing: bool) -> bool {
        let settings = self.settings;
        if settings.disable_hash_checking {
            return true;
        }
        let input = |key| right_input(self.claim, key, may_sign_nothing);
        let input = input(&settings.api_secret_key)
            .or_else(|| input(settings.previous_api_secret_key(clock::now())?));
        measure::legacy_hash(&self.claim.method, input);
        input.is_some()
    }
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
