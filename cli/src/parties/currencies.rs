//! `tollbook currencies`.

use clap::Subcommand;
use tollbook_proto::v1::{
    CreateCurrencyRequest, Currency, Decimal, ListCurrenciesRequest, SetExchangeRateRequest,
    currencies_service_client::CurrenciesServiceClient,
};

use super::PAGE;
use crate::{
    client::{connect, said},
    config::Config,
    out::say,
    values::decimal,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create a currency, for tariffs and payments
    Create(RateArgs),
    /// Set the exchange rate of a currency
    Set(RateArgs),
    /// List the currencies
    List,
}

#[derive(clap::Args)]
pub(crate) struct RateArgs {
    /// Its code, for example EUR
    code: String,
    /// What one unit of the default currency is in this one
    exchange_rate: String,
}

pub(crate) async fn run(config: &Config, command: Command) -> anyhow::Result<()> {
    let mut currencies = CurrenciesServiceClient::new(connect(config).await?);
    match command {
        Command::Create(RateArgs { code, exchange_rate }) => {
            let currency = Currency {
                code,
                exchange_rate: Some(Decimal { value: exchange_rate }),
                active: true,
                ..Default::default()
            };
            let request = CreateCurrencyRequest { currency: Some(currency) };
            currencies.create_currency(request).await.map_err(said)?;
        }
        Command::Set(RateArgs { code, exchange_rate }) => {
            let exchange_rate = Some(Decimal { value: exchange_rate });
            let request = SetExchangeRateRequest { code, exchange_rate };
            currencies.set_exchange_rate(request).await.map_err(said)?;
        }
        Command::List => {
            let request = ListCurrenciesRequest { page_size: PAGE, ..Default::default() };
            let all = currencies.list_currencies(request).await.map_err(said)?.into_inner();
            for currency in all.currencies {
                let rate = decimal(currency.exchange_rate.as_ref());
                let note = match (currency.is_default, currency.active) {
                    (true, _) => " default",
                    (false, true) => "",
                    (false, false) => " not active",
                };
                say!("{} {rate}{note}", currency.code)?;
            }
        }
    }
    Ok(())
}
