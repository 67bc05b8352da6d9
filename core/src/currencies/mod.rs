//! Currencies. All money is stored in the default one; an amount in another currency is
//! the amount times that currency's exchange rate (`docs/rules/money-and-rounding.md#currencies`).

mod service;
pub(crate) mod store;

use tollbook_proto::v1 as pb;

pub(crate) use service::Service;

use crate::{
    clock,
    error::{Error, Result},
    ids::CurrencyId,
    ledger,
    money::ExchangeRate,
    store::Tx,
};

/// A currency.
#[derive(Clone, Debug)]
pub(crate) struct Currency {
    pub(crate) id: CurrencyId,
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) exchange_rate: ExchangeRate,
    pub(crate) active: bool,
    pub(crate) automatic_update: bool,
    pub(crate) updated_at: i64,
}

impl Currency {
    pub(crate) fn is_default(&self) -> bool {
        self.id == CurrencyId::DEFAULT
    }

    fn to_proto(&self) -> pb::Currency {
        pb::Currency {
            id: self.id.0,
            code: self.code.clone(),
            name: self.name.clone(),
            exchange_rate: Some(self.exchange_rate.into()),
            active: self.active,
            automatic_update: self.automatic_update,
            is_default: self.is_default(),
            updated_at: Some(clock::to_proto(self.updated_at)),
        }
    }
}

/// Checks the code of a currency.
pub(crate) fn check_code(field: &'static str, code: &str) -> Result<()> {
    let fits =
        (1..=10).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if fits { Ok(()) } else { Err(Error::invalid(field, "must be 1 to 10 letters or digits")) }
}

/// Makes another currency the default one, which money can be kept in from now on.
///
/// # Errors
/// There are other currencies, whose rates would be wrong; or something is in the books; or tariffs or
/// users have amounts, which would be of the new currency without having changed.
pub(crate) async fn set_default(tx: &mut Tx, code: &str) -> Result<()> {
    check_code("default_currency", code)?;
    let currencies = store::all(tx).await?;
    if currencies.default_currency()?.code == code {
        return Ok(());
    }
    let is_used = store::have_tariffs_or_users(tx).await?;
    if is_used || currencies.all().len() > 1 || !ledger::store::is_empty(tx).await? {
        return Err(Error::CurrencyFixed);
    }
    store::rename(tx, CurrencyId::DEFAULT, code).await
}

/// All currencies, by ascending id. There are few: they are searched from end to end.
#[derive(Clone, Debug)]
pub(crate) struct Currencies(Vec<Currency>);

impl Currencies {
    pub(crate) fn all(&self) -> &[Currency] {
        &self.0
    }

    pub(crate) fn by_id(&self, id: CurrencyId) -> Option<&Currency> {
        self.0.iter().find(|currency| currency.id == id)
    }

    pub(crate) fn by_code(&self, code: &str) -> Option<&Currency> {
        self.0.iter().find(|currency| currency.code == code)
    }

    /// The currency of an id that the database holds, which must be there.
    pub(crate) fn stored(&self, id: CurrencyId) -> Result<&Currency> {
        self.by_id(id).ok_or_else(|| Error::internal("a stored currency is missing"))
    }

    /// The default currency.
    pub(crate) fn default_currency(&self) -> Result<&Currency> {
        self.stored(CurrencyId::DEFAULT)
    }
}
