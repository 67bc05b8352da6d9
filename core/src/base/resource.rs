//! The names of what is stored: one list of those in the audit log, and one of those in the seals of
//! secrets. Each name stands here alone.

use std::fmt;

use crate::ids::{
    ApiPermissionGroupId, CliId, CurrencyId, DeviceRuleId, EmailTemplateId, ImportProfileId,
    ManagerGroupId, PointId, PoolId, ProviderRuleId, ResellerGroupId, RoutingGroupId, TariffId,
    UserId, WhitelistedAddressId,
};

/// Something whose changes the audit log has, by these names: of them clients ask for the changes of
/// one thing, so that a name stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    AccessToken(i64),
    /// The balance of a user.
    Account(UserId),
    ApiKey(i64),
    ApiPermissionGroup(ApiPermissionGroupId),
    /// An import of calls.
    CallImport(i64),
    /// The calls together: the log does not name single ones.
    Calls,
    Cli(CliId),
    ConnectionPoint(PointId),
    Currency(CurrencyId),
    Device(PointId),
    DeviceRule(DeviceRuleId),
    EmailTemplate(EmailTemplateId),
    ImportProfile(ImportProfileId),
    /// An LCR, by the id of its routing group.
    Lcr(RoutingGroupId),
    ManagerGroup(ManagerGroupId),
    NumberPool(PoolId),
    Provider(PointId),
    ProviderRule(ProviderRuleId),
    ResellerGroup(ResellerGroupId),
    RoutingGroup(RoutingGroupId),
    /// Those of the whole system.
    Settings,
    Tariff(TariffId),
    UnratedCall(i64),
    /// Those together that something else took with it.
    UnratedCalls,
    User(UserId),
    UserSessions(UserId),
    /// Those that a user has as an owner of others.
    UserSettings(UserId),
    WhitelistedAddress(WhitelistedAddressId),
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessToken(id) => write!(f, "accessTokens/{id}"),
            Self::Account(user) => write!(f, "accounts/{user}"),
            Self::ApiKey(id) => write!(f, "apiKeys/{id}"),
            Self::ApiPermissionGroup(id) => write!(f, "apiPermissionGroups/{id}"),
            Self::CallImport(id) => write!(f, "callImports/{id}"),
            Self::Calls => f.write_str("calls"),
            Self::Cli(id) => write!(f, "clis/{id}"),
            Self::ConnectionPoint(id) => write!(f, "connectionPoints/{id}"),
            Self::Currency(id) => write!(f, "currencies/{id}"),
            Self::Device(id) => write!(f, "devices/{id}"),
            Self::DeviceRule(id) => write!(f, "deviceRules/{id}"),
            Self::EmailTemplate(id) => write!(f, "emailTemplates/{id}"),
            Self::ImportProfile(id) => write!(f, "importProfiles/{id}"),
            Self::Lcr(id) => write!(f, "lcrs/{id}"),
            Self::ManagerGroup(id) => write!(f, "managerGroups/{id}"),
            Self::NumberPool(id) => write!(f, "numberPools/{id}"),
            Self::Provider(id) => write!(f, "providers/{id}"),
            Self::ProviderRule(id) => write!(f, "providerRules/{id}"),
            Self::ResellerGroup(id) => write!(f, "resellerGroups/{id}"),
            Self::RoutingGroup(id) => write!(f, "routingGroups/{id}"),
            Self::Settings => f.write_str("settings"),
            Self::Tariff(id) => write!(f, "tariffs/{id}"),
            Self::UnratedCall(id) => write!(f, "unratedCalls/{id}"),
            Self::UnratedCalls => f.write_str("unratedCalls"),
            Self::User(id) => write!(f, "users/{id}"),
            Self::UserSessions(user) => write!(f, "users/{user}/sessions"),
            Self::UserSettings(user) => write!(f, "users/{user}/settings"),
            Self::WhitelistedAddress(id) => write!(f, "whitelistedAddresses/{id}"),
        }
    }
}

/// A stored secret, by the name that its seal holds: under another one it cannot be opened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SecretOf<'a> {
    ApiKey(i64),
    DevicePassword(PointId),
    DevicePin(PointId),
    /// The API secret key of an owner.
    Owner(UserId),
    ProviderPassword(PointId),
    /// A setting, by its name.
    Setting(&'a str),
}

impl fmt::Display for SecretOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey(id) => write!(f, "api_keys/{id}"),
            Self::DevicePassword(id) => write!(f, "devices/{id}"),
            Self::DevicePin(id) => write!(f, "devices/{id}/pin"),
            Self::Owner(user) => write!(f, "owner_settings/{user}"),
            Self::ProviderPassword(id) => write!(f, "providers/{id}"),
            Self::Setting(name) => f.write_str(name),
        }
    }
}
