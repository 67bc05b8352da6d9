//! Ids that cannot be mistaken for one another.

use crate::{
    error::{Error, Result},
    store::Value,
};

/// An id that a request must say. One that was forgotten must not pass for 0, which is the
/// admin's.
pub(crate) fn required<T: From<i64>>(field: &'static str, id: Option<i64>) -> Result<T> {
    id.map(T::from).ok_or_else(|| Error::invalid(field, "is required"))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) struct $name(pub(crate) i64);

        impl From<i64> for $name {
            fn from(id: i64) -> Self {
                Self(id)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$name> for Value {
            fn from(id: $name) -> Self {
                Self::from(id.0)
            }
        }
    )*};
}

ids! {
    /// Of a user, and of his account.
    UserId;
    /// Of a currency.
    CurrencyId;
    /// Of a manager group.
    ManagerGroupId;
    /// Of a tariff.
    TariffId;
    /// Of a ledger entry.
    EntryId;
    /// Of a payment.
    PaymentId;
    /// Of a number pool.
    PoolId;
    /// Of a routing group.
    RoutingGroupId;
    /// Of a reseller group.
    ResellerGroupId;
    /// Of an API permission group.
    ApiPermissionGroupId;
    /// Of an entry of the whitelist.
    WhitelistedAddressId;
    /// Of an e-mail template.
    EmailTemplateId;
    /// Of an import profile.
    ImportProfileId;
    /// Of a CLI.
    CliId;
    /// Of a rule of a device.
    DeviceRuleId;
    /// Of a number rule of a provider.
    ProviderRuleId;
    /// Of an origination or termination point; 0: not said.
    PointId;
}

impl UserId {
    /// The admin of the first start, as in M4.
    pub(crate) const ADMIN: Self = Self(0);
}

impl CurrencyId {
    /// The default currency: all money is stored in it.
    pub(crate) const DEFAULT: Self = Self(1);
}
