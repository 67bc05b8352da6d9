//! Statements, written once for both backends.

use std::borrow::Cow;

use rust_decimal::Decimal;

use crate::money::{ExchangeRate, Money};

/// A sequence of ids.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sequence {
    /// Of `users`.
    Users,
    /// Of `currencies`.
    Currencies,
    /// Of `manager_groups`.
    ManagerGroups,
    /// Of `ledger_entries`.
    LedgerEntries,
    /// Of `payments`.
    Payments,
    /// Of `access_tokens`.
    AccessTokens,
    /// Of `tariffs`.
    Tariffs,
    /// Of `connection_points`.
    ConnectionPoints,
    /// Of `clis`.
    Clis,
    /// Of `device_rules`.
    DeviceRules,
    /// Of `reseller_groups`.
    ResellerGroups,
    /// Of `whitelisted_addresses`.
    WhitelistedAddresses,
    /// Of `email_templates`.
    EmailTemplates,
    /// Of `routing_groups`.
    RoutingGroups,
    /// Of `number_pools`.
    NumberPools,
    /// Of `pool_numbers`.
    PoolNumbers,
    /// Of `balance_warnings`.
    BalanceWarnings,
    /// Of `calls`.
    Calls,
    /// Of `active_calls`.
    ActiveCalls,
    /// Of `changes`.
    Changes,
    /// Of `api_keys`.
    ApiKeys,
    /// Of `api_permission_groups`.
    ApiPermissionGroups,
    /// Of `rate_imports` and `call_imports`.
    Imports,
    /// Of `import_profiles`.
    ImportProfiles,
    /// Of `unrated_calls`.
    UnratedCalls,
    /// Of `provider_rules`.
    ProviderRules,
}

impl Sequence {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Currencies => "currencies",
            Self::ManagerGroups => "manager_groups",
            Self::LedgerEntries => "ledger_entries",
            Self::Payments => "payments",
            Self::AccessTokens => "access_tokens",
            Self::Tariffs => "tariffs",
            Self::ConnectionPoints => "connection_points",
            Self::Clis => "clis",
            Self::DeviceRules => "device_rules",
            Self::ResellerGroups => "reseller_groups",
            Self::WhitelistedAddresses => "whitelisted_addresses",
            Self::EmailTemplates => "email_templates",
            Self::RoutingGroups => "routing_groups",
            Self::NumberPools => "number_pools",
            Self::PoolNumbers => "pool_numbers",
            Self::BalanceWarnings => "balance_warnings",
            Self::Calls => "calls",
            Self::ActiveCalls => "active_calls",
            Self::Changes => "changes",
            Self::ApiKeys => "api_keys",
            Self::ApiPermissionGroups => "api_permission_groups",
            Self::Imports => "rate_imports",
            Self::ImportProfiles => "import_profiles",
            Self::UnratedCalls => "unrated_calls",
            Self::ProviderRules => "provider_rules",
        }
    }
}

/// A parameter of a [`Query`].
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// `BOOLEAN`.
    Bool(bool),
    /// `BIGINT`.
    Int(Option<i64>),
    /// `TEXT`.
    Text(String),
    /// `NUMERIC`, or canonical text where there is none.
    Decimal(Option<Decimal>),
    /// `BYTEA`, or `BLOB`.
    Bytes(Vec<u8>),
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}
impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}
impl From<Decimal> for Value {
    fn from(value: Decimal) -> Self {
        Self::Decimal(Some(value))
    }
}

impl From<Money> for Value {
    fn from(money: Money) -> Self {
        Self::Decimal(Some(money.value()))
    }
}

impl From<Option<Money>> for Value {
    fn from(money: Option<Money>) -> Self {
        Self::Decimal(money.map(Money::value))
    }
}

impl From<ExchangeRate> for Value {
    fn from(rate: ExchangeRate) -> Self {
        Self::Decimal(Some(rate.value()))
    }
}

/// A statement with its parameters.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(super) sql: Cow<'static, str>,
    pub(super) values: Vec<Value>,
}

impl Query {
    /// A statement; `$1` and so on stand for the values bound in order. They come in this
    /// order in the text, each once.
    pub(crate) fn new(sql: &'static str) -> Self {
        Self { sql: Cow::Borrowed(sql), values: Vec::new() }
    }

    /// Binds the next parameter.
    #[must_use]
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Appends SQL text to the statement. The text must come from the program; what comes
    /// from outside is bound.
    #[must_use]
    pub(crate) fn and(mut self, sql: &'static str) -> Self {
        self.sql.to_mut().push_str(sql);
        self
    }

    /// Appends a placeholder and binds its value.
    #[must_use]
    pub(crate) fn value(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        let placeholder = format!("${}", self.values.len());
        self.sql.to_mut().push_str(&placeholder);
        self
    }

    /// Appends `(…, …)` with one placeholder per value; `(NULL)`, in which nothing is, for none.
    #[must_use]
    pub(crate) fn list<V: Into<Value>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        let mut values: Vec<Value> = values.into_iter().map(Into::into).collect();
        repeat_last(&mut values);
        let Some(last) = values.pop() else { return self.and("(NULL)") };
        self = self.and("(");
        for value in values {
            self = self.value(value).and(", ");
        }
        self.value(last).and(")")
    }

    /// Appends `(…), (…)`, a list per row, of rows of which one may be there twice.
    #[must_use]
    pub(crate) fn set_of_rows(self, rows: impl IntoIterator<Item = Vec<Value>>) -> Self {
        let mut rows: Vec<_> = rows.into_iter().collect();
        repeat_last(&mut rows);
        self.rows(rows)
    }

    /// Appends `(…), (…)`, a list per row.
    #[must_use]
    pub(crate) fn rows(mut self, rows: impl IntoIterator<Item = Vec<Value>>) -> Self {
        let mut separator = "";
        for row in rows {
            self = self.and(separator);
            separator = "(";
            for value in row {
                self = self.and(separator).value(value);
                separator = ", ";
            }
            self = self.and(")");
            separator = ", ";
        }
        self
    }
}

/// How many values are made a power of two. Of more, the longer statement would cost more than
/// one that is new, and the databases limit how many parameters a statement has.
const REPEATED: usize = 1_024;

/// Repeats the last of some values until they are a power of two: so statements of all lengths
/// are few, and the databases need not prepare a new one for each batch.
fn repeat_last<T: Clone>(values: &mut Vec<T>) {
    if let Some(last) = values.last().cloned().filter(|_| values.len() < REPEATED) {
        values.resize(values.len().next_power_of_two(), last);
    }
}

/// Many rows for one table, which each backend writes in its fastest way.
pub(crate) struct Insert {
    pub(crate) table: &'static str,
    pub(crate) columns: &'static [&'static str],
    /// A value for each column; those of a column are of one kind.
    pub(crate) rows: Vec<Vec<Value>>,
    /// What becomes of rows whose key is there already, as an `ON CONFLICT` clause. Empty:
    /// they are an error.
    pub(crate) on_conflict: &'static str,
}

/// Something that writes.
pub(crate) enum Statement {
    /// A statement of any kind.
    Query(Query),
    /// New rows.
    Insert(Insert),
}

impl From<Query> for Statement {
    fn from(query: Query) -> Self {
        Self::Query(query)
    }
}

impl From<Insert> for Statement {
    fn from(insert: Insert) -> Self {
        Self::Insert(insert)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_padded_while_they_are_short() {
        for (given, bound) in [(0, 0), (1, 1), (3, 4), (64, 64), (65, 128), (1_000, 1_024)] {
            assert_eq!(Query::new("IN ").list(0..given).values.len(), bound, "{given}");
        }
        // SQLite binds 32,766 values at most.
        let rows = (0..10_000_i64).map(|number| vec![Value::from(number); 3]);
        assert_eq!(Query::new("VALUES ").set_of_rows(rows).values.len(), 30_000);
        assert_eq!(Query::new("IN ").list(0..0_i64).sql, "IN (NULL)");
    }
}
