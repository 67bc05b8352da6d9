//! Settings that each reseller and partner has of his own: those of the legacy API for himself and
//! his users, and what they have who register with him. The admin has the latter, too; the former are
//! among the operator's.

mod defaults;
pub(crate) mod store;

use std::collections::HashMap;

use tollbook_proto::v1 as pb;

use super::{Secret, Settings, check_api_secret_key};
use crate::{
    error::{Error, Result},
    ids::UserId,
};

/// The settings of one owner. Their meaning is documented in `settings.proto`.
#[derive(Clone, Debug)]
pub(crate) struct OwnerSettings {
    pub(crate) allow_api: bool,
    /// `None` while none has been set.
    pub(crate) api_secret_key: Option<Secret>,
    pub(crate) disable_hash_checking: bool,
    pub(crate) balance_over_http: bool,
    pub(crate) default_user: pb::DefaultUser,
    pub(crate) default_device: pb::DefaultDevice,
}

impl Default for OwnerSettings {
    fn default() -> Self {
        Self {
            allow_api: false,
            api_secret_key: None,
            disable_hash_checking: false,
            balance_over_http: true,
            default_user: pb::DefaultUser::default(),
            default_device: pb::DefaultDevice::default(),
        }
    }
}

/// Those fields that the admin has among the operator's settings.
pub(super) const OF_OPERATOR: [&str; 4] =
    ["allow_api", "api_secret_key", "disable_hash_checking", "balance_over_http"];

/// Those of all owners who have set any.
pub(crate) type AllOwnerSettings = HashMap<UserId, OwnerSettings>;

impl OwnerSettings {
    /// Changes one setting to its value in `new`.
    pub(super) fn set(&mut self, field: &str, new: &pb::OwnerSettings) -> Result<()> {
        match field {
            "allow_api" => self.allow_api = new.allow_api,
            "api_secret_key" => {
                check_api_secret_key(&new.api_secret_key)?;
                self.api_secret_key = Secret::new(new.api_secret_key.clone());
            }
            "disable_hash_checking" => self.disable_hash_checking = new.disable_hash_checking,
            "balance_over_http" => self.balance_over_http = new.balance_over_http,
            path => self.set_default(path, new)?,
        }
        Ok(())
    }

    /// What must hold between settings.
    pub(super) fn check(&self) -> Result<()> {
        match self.allow_api && self.api_secret_key.is_none() {
            true => Err(Error::ApiSecretMissing),
            false => Ok(()),
        }
    }

    /// What nobody does by accident, among the settings that a request changes; `anywhere` says that
    /// the API answers all addresses.
    pub(super) fn check_dangers(&self, paths: &[String], anywhere: bool) -> Result<()> {
        let changes = |name: &str| paths.iter().any(|path| path == name);
        if changes("api_secret_key") && self.api_secret_key.as_ref().is_some_and(Secret::is_weak) {
            return Err(Error::WeakSecret);
        }
        if changes("disable_hash_checking") && self.disable_hash_checking && anywhere {
            return Err(Error::HashCheckingNeeded);
        }
        Ok(())
    }

    pub(super) fn to_proto(&self) -> pb::OwnerSettings {
        pb::OwnerSettings {
            allow_api: self.allow_api,
            api_secret_key: String::new(),
            has_api_secret_key: self.api_secret_key.is_some(),
            disable_hash_checking: self.disable_hash_checking,
            balance_over_http: self.balance_over_http,
            default_user: Some(self.default_user.clone()),
            default_device: Some(self.default_device.clone()),
        }
    }

    /// Those of the admin, with what of them is the operator's.
    pub(super) fn to_proto_of_admin(&self, settings: &Settings) -> pb::OwnerSettings {
        pb::OwnerSettings {
            allow_api: settings.allow_api,
            has_api_secret_key: settings.api_secret_key.is_some(),
            disable_hash_checking: settings.disable_hash_checking,
            balance_over_http: settings.balance_over_http,
            ..self.to_proto()
        }
    }
}
