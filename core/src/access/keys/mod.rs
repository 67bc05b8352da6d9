//! API keys: secrets of single clients of the legacy API, bound to a user and to methods.

mod service;
pub(crate) mod store;

use std::{collections::HashMap, sync::Arc};

use tollbook_proto::{
    legacy,
    v1::{self as pb, ApiAccess},
};

pub(crate) use service::Service;
pub(super) use service::methods;

use crate::{
    clock,
    error::{Error, Result},
    ids::UserId,
    settings::Secret,
};

/// An API key.
#[derive(Clone, Debug)]
pub(crate) struct ApiKey {
    /// What the contract shows of it.
    message: pb::ApiKey,
    pub(super) secret: Secret,
    expires_at: Option<i64>,
}

impl ApiKey {
    pub(super) fn new(mut message: pb::ApiKey, secret: Secret) -> Result<Self> {
        // Keys of before aliases were understood may be restricted by them.
        let named = |name: String| legacy::own_name(&name).map_or(name, str::to_owned);
        message.methods =
            message.methods.into_iter().map(|(name, access)| (named(name), access)).collect();
        let expires_at = message.expires_at.as_ref();
        let expires_at =
            expires_at.map(|time| clock::from_proto("expires_at", time)).transpose()?;
        Ok(Self { message, secret, expires_at })
    }

    pub(super) fn id(&self) -> i64 {
        self.message.id
    }

    pub(super) fn user(&self) -> UserId {
        UserId(self.message.user_id())
    }

    fn counts(&self, now: i64) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether it may call a legacy method, which changes nothing or does.
    pub(super) fn check(&self, method: &str, changes_nothing: bool) -> Result<()> {
        let access = self.message.methods.get(method).copied().unwrap_or(self.message.access);
        match ApiAccess::try_from(access).unwrap_or(ApiAccess::Disabled) {
            ApiAccess::Write => Ok(()),
            ApiAccess::Read | ApiAccess::Unspecified if changes_nothing => Ok(()),
            ApiAccess::Read | ApiAccess::Unspecified | ApiAccess::Disabled => {
                Err(Error::ApiKeyRestricted)
            }
        }
    }
}

/// All API keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct ApiKeys {
    by_id: HashMap<i64, Arc<ApiKey>>,
    by_user: HashMap<UserId, Vec<Arc<ApiKey>>>,
}

impl ApiKeys {
    /// The key of an id, unless it has expired.
    pub(super) fn by_id(&self, id: i64, now: i64) -> Option<&ApiKey> {
        self.by_id.get(&id).map(Arc::as_ref).filter(|key| key.counts(now))
    }

    /// The keys that legacy hashes of a user may have been made with.
    pub(super) fn of_user(&self, user: UserId, now: i64) -> impl Iterator<Item = &ApiKey> {
        let keys = self.by_user.get(&user).into_iter().flatten().map(Arc::as_ref);
        keys.filter(move |key| !key.message.signs_only && key.counts(now))
    }

    fn all(&self) -> Vec<&ApiKey> {
        let mut keys: Vec<_> = self.by_id.values().map(Arc::as_ref).collect();
        keys.sort_by_key(|key| key.id());
        keys
    }
}

impl FromIterator<ApiKey> for ApiKeys {
    fn from_iter<I: IntoIterator<Item = ApiKey>>(keys: I) -> Self {
        let mut all = Self::default();
        for key in keys.into_iter().map(Arc::new) {
            all.by_user.entry(key.user()).or_default().push(key.clone());
            all.by_id.insert(key.id(), key);
        }
        all
    }
}
