//! The legacy signature: what a client of the XML API proves, and how
//! (`docs/rules/legacy-requests.md#hash`); and the HMAC signature of clients that
//! can do better.

use std::{net::IpAddr, sync::Arc};

use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use tollbook_proto::{
    legacy::{self, WithoutHash},
    v1::{HmacSignature, LegacyDialect},
};

use super::{
    Caller, Principal, Replay,
    claim::{Claim, Input, Lists},
    keys,
    lockout::Lockout,
    owners::Judge,
    password::{self, Verdict},
    policy::Rule,
};
use crate::{
    catalog::Snapshot,
    changes::{Credential, Origin},
    clock, devices,
    error::{Error, Result},
    ids::UserId,
    managers::Permissions,
    measure,
    settings::Secret,
    store::Db,
    users::{self, Identity, Role, directory::Directory},
};

/// How far the clock of who signs may be from ours, in seconds.
const SKEW: i64 = 300;

/// Who a legacy request proved to be.
struct Proven {
    /// None: it names no caller.
    caller: Option<Arc<Identity>>,
    credential: Credential,
    /// The lists of parameters that the proof covers.
    lists: Lists,
}

/// A legacy request, and what it is judged by.
pub(super) struct Verifier<'a> {
    pub(super) claim: &'a Claim,
    pub(super) request_id: &'a Arc<str>,
    pub(super) snapshot: &'a Snapshot,
    pub(super) directory: &'a Directory,
    pub(super) lockout: &'a Lockout,
    pub(super) db: &'a Db,
}

impl Verifier<'_> {
    /// Makes the checks of a legacy request in their documented order: API on, GET allowed,
    /// caller known, API on for his owner, hash right, role admitted. Addresses that may not call at
    /// all are turned away with the first of them. A right hash is let in whoever else fails at the same address
    /// or in the same name, as a portal's visitors do; whoever fails too often hears of nothing but
    /// a wrong hash.
    /// Returns the caller, and the lists of parameters that the proof covers.
    pub(super) async fn verify(
        &self,
        rule: &Rule,
        permissions_of: impl Fn(&Identity) -> Permissions,
    ) -> Result<(Principal, Lists)> {
        let Self { claim, snapshot, lockout, .. } = self;
        let address = claim.client_address().parse().ok();
        if !snapshot.settings.allow_api {
            return Err(Error::ApiDisabled);
        }
        if !snapshot.settings.admits(address) || !self.is_whitelisted(address) {
            return Err(Error::AddressDenied);
        }
        if claim.is_get() && !snapshot.settings.allow_get_api {
            return Err(Error::GetDisabled);
        }
        let proven = match claim.hmac() {
            Some(signature) => self.by_hmac(signature, rule).await,
            None if rule.legacy_anonymous => self.anonymously(address).await,
            None => self.by_hash(rule).await,
        };
        // What has no hash was counted where it was looked at: nobody else at the address pays for it.
        let guesses =
            claim.hmac().is_some() || !rule.legacy_anonymous || self.without_hash().is_none();
        let Proven { caller, credential, lists } = proven.map_err(|error| match error {
            Error::BadLogin | Error::IncorrectHash
                if guesses && lockout.failed(address, claim.username()) =>
            {
                Error::IncorrectHash
            }
            error => error,
        })?;
        if let Some(caller) = &caller {
            lockout.came_in(address, claim.username());
            let roles = claim.method.roles;
            let mut admitted = roles.iter().filter_map(|role| Role::from_proto((*role).into()));
            if !roles.is_empty() && !admitted.any(|role| role == caller.role) {
                return Err(Error::RoleDenied);
            }
            if let Some(group) = caller.api_restriction {
                snapshot.api_permission_groups.check(group, claim.method)?;
            }
            if claim.method.checks_password {
                self.check_password(caller, address).await?;
            }
        }
        let principal = Principal {
            origin: Arc::new(self.origin(rule, caller.as_deref(), credential, address)),
            replay: self.replay(credential),
            caller: match caller {
                Some(caller) => {
                    let permissions = permissions_of(&caller);
                    Caller::User(caller, permissions)
                }
                None => Caller::Anonymous,
            },
        };
        Ok((principal, lists))
    }

    /// Whether the whitelist lets an address in, where it counts: M4 has no such restriction.
    fn is_whitelisted(&self, address: Option<IpAddr>) -> bool {
        let Snapshot { settings, whitelist, .. } = self.snapshot;
        let counts = settings.restrict_api_by_ip && self.claim.dialect == LegacyDialect::Mor;
        !counts || whitelist.admits(address)
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
            legacy_method: self.claim.method.name.to_owned(),
            request_id: self.request_id.clone(),
        }
    }

    /// What tells that the request is a repetition. HMAC signatures have nonces for that, and
    /// where hashes are not checked there is nothing that could tell.
    fn replay(&self, credential: Credential) -> Option<Replay> {
        let window = self.snapshot.settings.replay_window_seconds;
        // A uniquehash is the same in all requests, and in what it stands for.
        let always = matches!(credential, Credential::Unchecked | Credential::Uniquehash);
        let tells = self.claim.hmac().is_none() && !always;
        let key = || format!("{}/{}", self.claim.method.name, self.claim.hash());
        (tells && window > 0).then(|| Replay { key: key(), window })
    }

    /// By a hash, of a request that names no caller.
    async fn anonymously(&self, address: Option<IpAddr>) -> Result<Proven> {
        let Some(credential) = self.without_hash() else {
            return self.by_shared_hash().await;
        };
        if let Some(name) = self.name_in_place_of_hash()
            && self.snapshot.settings.balance_over_http
        {
            // It can be guessed: whoever is locked out is not told of a right one either.
            let attempt = self.lockout.at_the_door(address, name).await;
            let attempt = attempt.ok_or(Error::IncorrectHash)?;
            let user = self.user_in_place_of_hash().await;
            // One that could not be looked up does not count.
            if !matches!(user, Ok(None)) {
                attempt.give_back();
            }
            user?.ok_or(Error::UserNotFound)?;
        }
        Ok(Proven { caller: None, credential, lists: Lists::ALL })
    }

    /// Whether a caller gave what the method asks for beside the hash.
    async fn check_password(&self, caller: &Identity, address: Option<IpAddr>) -> Result<()> {
        // It can be guessed by whoever has a key: who is locked out is not told of a right one.
        let attempt = self.lockout.attempt(address, Some(&caller.username), true).await;
        let attempt = attempt.ok_or(Error::BadLogin)?;
        let knows = self.knows_password(caller).await;
        // What could not be looked up does not count.
        if !matches!(knows, Ok(false)) {
            attempt.give_back();
        }
        if knows? { Ok(()) } else { Err(Error::BadLogin) }
    }

    /// Whether the request has the password of a user, or in its place his uniquehash.
    async fn knows_password(&self, user: &Identity) -> Result<bool> {
        let password = self.claim.value("p");
        if password.is_empty() {
            let found = self.directory.by_uniquehash(self.claim.value("uniquehash")).await?;
            return Ok(found.is_some_and(|found| found.id == user.id));
        }
        let stored = users::store::password(self.db, &user.username).await?;
        let hash = stored.map(|stored| stored.hash).unwrap_or_default();
        Ok(password::verify(password.to_owned(), hash).await? != Verdict::Wrong)
    }

    /// What stands in the place of a hash; none: nothing does.
    fn without_hash(&self) -> Option<Credential> {
        let settings = &self.snapshot.settings;
        if !self.claim.hash().is_empty() {
            return None;
        }
        match self.claim.method.without_hash {
            WithoutHash::Password => settings.login_without_hash.then_some(Credential::None),
            WithoutHash::Uniquehash(_)
            | WithoutHash::DeviceUsername(_)
            | WithoutHash::DevicePassword(_) => {
                let counts =
                    self.name_in_place_of_hash().is_some() && !settings.uniquehash_needs_hash;
                counts.then_some(Credential::Uniquehash)
            }
            WithoutHash::Never => None,
        }
    }

    /// By what the request names a user in the place of a hash; `None` if it does not.
    fn name_in_place_of_hash(&self) -> Option<&str> {
        let param = match self.claim.method.without_hash {
            WithoutHash::Uniquehash(param)
            | WithoutHash::DeviceUsername(param)
            | WithoutHash::DevicePassword(param) => param,
            WithoutHash::Password | WithoutHash::Never => return None,
        };
        Some(self.claim.value(param)).filter(|text| !text.is_empty())
    }

    /// The user whom the request names like that; `None` if there is none.
    async fn user_in_place_of_hash(&self) -> Result<Option<Arc<Identity>>> {
        let Self { db, directory, snapshot, claim, .. } = self;
        let Some(name) = self.name_in_place_of_hash() else { return Ok(None) };
        match claim.method.without_hash {
            WithoutHash::Uniquehash(_) => directory.by_uniquehash(name).await,
            WithoutHash::DeviceUsername(_) => devices::user_by_username(db, directory, name).await,
            WithoutHash::DevicePassword(_) => {
                let key = snapshot.settings.device_digest_key.as_ref();
                devices::user_by_password(db, directory, key, name).await
            }
            WithoutHash::Password | WithoutHash::Never => Ok(None),
        }
    }

    /// By a hash, of a request that names no caller.
    async fn by_shared_hash(&self) -> Result<Proven> {
        let inputs = self.inputs(!self.claim.method.only_admin_signs_nothing);
        let operators = Some(Judge::Operator);
        let (credential, lists) = match self.owner_of_request().await? {
            None => self.shared_credential(&inputs, Judge::Operator, None),
            Some(owner) => match (self.claim.method.judge, Judge::of(self.snapshot, &owner)) {
                // One form may sign with one key, with whichever owner people register.
                (legacy::Judge::OwnerIn(_), Ok(judge)) => {
                    self.shared_credential(&inputs, judge, operators)
                }
                (legacy::Judge::OwnerIn(_), Err(error)) => {
                    Some(self.by_key(&inputs, Judge::Operator).ok_or(error)?)
                }
                (_, judge) => self.shared_credential(&inputs, Judge::Operator, judge.ok()),
            },
        }
        .ok_or(Error::IncorrectHash)?;
        Ok(Proven { caller: None, credential, lists })
    }

    /// The owner whose key counts for a request that names no caller; `None`: the operator's alone.
    async fn owner_of_request(&self) -> Result<Option<Arc<Identity>>> {
        let Self { claim, directory, .. } = self;
        match claim.method.judge {
            legacy::Judge::OwnerIn(param) if !claim.value(param).is_empty() => {
                let owner = directory.by_uniquehash(claim.value(param)).await?;
                let is_owner = |user: &Identity| user.id == UserId::ADMIN || user.role.is_owner();
                let owner = owner.filter(|owner| is_owner(owner)).ok_or(Error::BadLogin)?;
                Ok(Some(owner).filter(|owner| owner.id != UserId::ADMIN))
            }
            legacy::Judge::OwnerOf(param) => match self.name_in_place_of_hash() {
                Some(_) => self.user_in_place_of_hash().await,
                None => directory.lately_by_username(claim.value(param)).await,
            },
            _ => Ok(None),
        }
    }

    /// By a hash, of the caller whom the request names.
    async fn by_hash(&self, rule: &Rule) -> Result<Proven> {
        let Self { claim, snapshot, directory, .. } = self;
        let caller =
            directory.lately_by_username(claim.username()).await?.ok_or(Error::BadLogin)?;
        let judge = match claim.method.judge {
            legacy::Judge::Operator => Judge::Operator,
            legacy::Judge::Owner | legacy::Judge::OwnerIn(_) | legacy::Judge::OwnerOf(_) => {
                Judge::of(snapshot, &caller)?
            }
        };
        let inputs =
            self.inputs(!claim.method.only_admin_signs_nothing || caller.role == Role::Admin);
        if let Some((credential, lists)) = self.shared_credential(&inputs, judge, None) {
            return Ok(Proven { caller: Some(caller), credential, lists });
        }
        // Their own keys; all are tried, as all inputs are.
        let hash = claim.hash();
        let keys = snapshot.api_keys.of_user(caller.id, clock::now());
        let fitting = keys.filter_map(|key| Some((key, right_input(&inputs, &hash, &key.secret)?)));
        let Some((key, lists)) = fitting.last() else {
            return self.by_own_uniquehash(caller).await;
        };
        key.check(claim.method.known_as(), rule.changes_nothing)?;
        Ok(Proven { credential: Credential::ApiKey(key.id()), caller: Some(caller), lists })
    }

    /// By the caller's uniquehash in the place of a hash, where the operator lets simple users' clients
    /// do that. It says nothing of the parameters.
    async fn by_own_uniquehash(&self, caller: Arc<Identity>) -> Result<Proven> {
        // Those of others stand in registration forms, or open what is not their own.
        if !self.snapshot.settings.uniquehash_as_hash || caller.role != Role::User {
            return Err(Error::IncorrectHash);
        }
        // It can be guessed: whoever is locked out is not told of a right one either.
        let address = self.claim.client_address().parse().ok();
        let attempt = self.lockout.attempt(address, Some(&caller.username), true).await;
        let attempt = attempt.ok_or(Error::IncorrectHash)?;
        let found = self.directory.by_uniquehash(self.claim.value("hash")).await;
        // A wrong one counts as every wrong hash does.
        attempt.give_back();
        match found? {
            Some(found) if found.id == caller.id => {
                let credential = Credential::Uniquehash;
                Ok(Proven { caller: Some(caller), credential, lists: Lists::ALL })
            }
            _ => Err(Error::IncorrectHash),
        }
    }

    /// What the hash may have been made of.
    fn inputs(&self, may_sign_nothing: bool) -> Vec<Input> {
        let mut inputs = self.claim.inputs();
        inputs.retain(|input| may_sign_nothing || !input.text.is_empty());
        inputs
    }

    /// Whether the hash is one of the secret key that all share who have this judge, or of the one
    /// before it while that counts, or of the key of `other`; or need not be, because hash checking
    /// is disabled. With what it covers.
    fn shared_credential(
        &self,
        inputs: &[Input],
        judge: Judge<'_>,
        other: Option<Judge<'_>>,
    ) -> Option<(Credential, Lists)> {
        if judge.checks_nothing(self.snapshot) {
            return Some((Credential::Unchecked, Lists::ALL));
        }
        let found =
            std::iter::once(judge).chain(other).find_map(|judge| self.by_key(inputs, judge));
        let lists = found.map(|(_, lists)| lists.first());
        measure::legacy_hash(self.claim.method.name, lists);
        if found.is_none() && tracing::enabled!(tracing::Level::DEBUG) {
            let orders = self.claim.orders().into_iter().map(|order| order.names);
            let orders: Vec<_> = orders.collect();
            tracing::debug!(method = self.claim.method.name, ?orders, "none of these was hashed");
        }
        found
    }

    /// Whether the hash is one of a judge's keys.
    fn by_key(&self, inputs: &[Input], judge: Judge<'_>) -> Option<(Credential, Lists)> {
        let hash = self.claim.hash();
        let lists = judge.keys(self.snapshot).find_map(|key| right_input(inputs, &hash, key));
        lists.map(|lists| (Credential::ApiSecretKey, lists))
    }

    /// By the HMAC signature of an API key, whose user is the caller (docs/signing.md).
    async fn by_hmac(&self, signature: &HmacSignature, rule: &Rule) -> Result<Proven> {
        let Self { claim, snapshot, directory, db, .. } = self;
        let now = clock::now();
        let key = snapshot.api_keys.by_id(signature.key_id, now).ok_or(Error::IncorrectHash)?;
        if !hmac_fits(signature, &claim.digest(), &key.secret) {
            return Err(Error::IncorrectHash);
        }
        // Only who has the key hears what else is wrong.
        let age = now.div_euclid(1_000_000).saturating_sub(signature.timestamp);
        if !(-SKEW..=SKEW).contains(&age) {
            return Err(Error::SignatureExpired);
        }
        let caller = directory.lately_by_id(key.user()).await?.ok_or(Error::BadLogin)?;
        if !claim.username().is_empty() && claim.username() != caller.username {
            return Err(Error::BadLogin);
        }
        if claim.method.judge != legacy::Judge::Operator {
            Judge::of(snapshot, &caller)?;
        }
        key.check(claim.method.known_as(), rule.changes_nothing)?;
        // What changes something, one call of the request does.
        let presentation = rule.changes_nothing.then(|| claim.presentation());
        let nonce = keys::store::Nonce {
            key: key.id(),
            text: signature.nonce.clone(),
            presentation,
            // Until the request would be too old anyway.
            expires_at: now.saturating_add(2 * SKEW * 1_000_000),
        };
        keys::store::use_nonce(db, nonce).await?;
        let credential = Credential::ApiKey(key.id());
        Ok(Proven { caller: Some(caller), credential, lists: Lists::ALL })
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
        (Hmac::<Sha256>::new_from_slice(key.as_bytes()), hex::decode(signature))
    else {
        return false;
    };
    mac.chain_update(signed).verify_slice(&signature).is_ok()
}

/// Whether a claim fits a key, by its hash or by its HMAC signature.
#[cfg(fuzzing)]
pub(crate) fn fits_any(claim: &[u8], key: &str) -> bool {
    let (Ok(claim), Some(key)) = (Claim::read(claim), Secret::new(key.to_owned())) else {
        return false;
    };
    let by_hmac = claim.hmac();
    right_input(&claim.inputs(), &claim.hash(), &key).is_some()
        || by_hmac.is_some_and(|signature| hmac_fits(signature, &claim.digest(), &key))
}

/// What a hash covers that was made with a key; none: it was not. Every input is tried, and
/// compared in constant time, whatever the ones before gave.
fn right_input(inputs: &[Input], hash: &str, key: &Secret) -> Option<Lists> {
    inputs.iter().fold(None, |right, input| {
        let digest = Sha1::new().chain_update(&input.text).chain_update(key.as_bytes()).finalize();
        let mut own = [0; 40];
        // Cannot fail: 20 bytes are 40 digits.
        let _ = hex::encode_to_slice(digest, &mut own);
        let fits: bool = own.ct_eq(hash.as_bytes()).into();
        if fits { Some(right.map_or(input.lists, |lists| lists | input.lists)) } else { right }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const SIGNATURE: &str = "b9aa4445f9f8bad6650e89becf44436f5cfaf3623218a204a2413225577943d3";

    fn inputs(texts: &[&str]) -> Vec<Input> {
        let input = |text: &&str| Input { text: text.as_bytes().to_vec(), lists: Lists::ALL };
        texts.iter().map(input).collect()
    }

    fn secret(key: &str) -> Secret {
        Secret::new(key.to_owned()).unwrap()
    }

    /// The verified examples of the original's documentation.
    #[test]
    fn documented_hashes() {
        for (text, key, hash) in [
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
            assert!(right_input(&inputs(&["other", text]), hash, &secret(key)).is_some());
            assert!(right_input(&inputs(&[text]), hash, &secret("wrong")).is_none());
            assert!(right_input(&inputs(&["other"]), hash, &secret(key)).is_none());
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
        let fits =
            |signature: &HmacSignature| hmac_fits(signature, &digest, &secret("0123456789abcdef"));
        assert!(!fits(&signature));
        let right = HmacSignature { signature: SIGNATURE.to_owned(), ..signature };
        assert!(fits(&right));
        assert!(!fits(&HmacSignature { timestamp: 1_764_061_201, ..right.clone() }));
        assert!(!fits(&HmacSignature { key_id: 4, ..right.clone() }));
        assert!(!fits(&HmacSignature { nonce: "6f1ed002ab559586".to_owned(), ..right.clone() }));
        assert!(!hmac_fits(&right, &digest, &secret("0123456789abcdeF")));
    }

    proptest! {
        #[test]
        fn only_the_right_hash_fits(text in ".{0,20}", key in ".{1,20}", hash in "[0-9a-f]{0,41}") {
            let right = hex::encode(Sha1::digest(format!("{text}{key}")));
            let (key, inputs) = (secret(&key), inputs(&[&text]));
            prop_assert_eq!(right_input(&inputs, &right, &key), Some(Lists::ALL));
            prop_assert_eq!(right_input(&inputs, &hash, &key).is_some(), hash == right);
            prop_assert_eq!(right_input(&[], &right, &key), None);
        }
    }
}
