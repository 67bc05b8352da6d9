//! `tollbook payments`.

use anyhow::{Context, bail};
use clap::{Subcommand, builder::NonEmptyStringValueParser};
use jiff::{Timestamp, tz::TimeZone};
use tollbook_proto::v1::{
    Decimal, ListCurrenciesRequest, ListPaymentsRequest, Payment, PaymentDirection,
    RecordPaymentRequest, currencies_service_client::CurrenciesServiceClient,
    payments_service_client::PaymentsServiceClient,
};

use tonic::Code;

use super::{PAGE, user_meant};
use crate::{
    calls::rerate::time,
    client::{Core, connect, said, zone},
    config::Config,
    out::say,
    values::decimal,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Record a payment, which changes the user's balance, and print it
    Add(AddArgs),
    /// List the payments
    List(ListArgs),
}

#[derive(clap::Args)]
pub(crate) struct AddArgs {
    /// Whose: a login name or an id (`#42` where a login name reads like that, too)
    user: String,
    /// The amount; below zero it is one that is paid back, as by --to-provider: it is taken from the balance
    #[arg(allow_negative_numbers = true)]
    amount: String,
    /// Code of the currency of the amount [default: the default currency]
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// What one unit of the default currency is in that currency [default: its own exchange rate]
    #[arg(long, value_name = "RATE")]
    exchange_rate: Option<String>,
    /// The amount includes the user's taxes, which do not reach the balance
    #[arg(long)]
    including_tax: bool,
    /// The operator paid, a carrier or a customer back: it is taken from the balance
    #[arg(long)]
    to_provider: bool,
    /// Free text
    #[arg(long, default_value = "", hide_default_value = true)]
    comment: String,
    /// What it was paid with, as a payment gateway's name
    #[arg(long, default_value = "", hide_default_value = true)]
    gateway: String,
    /// What the gateway calls it
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    transaction_id: String,
    /// Makes a repeated command the same payment, whose answer may have been lost: it counts once
    /// [default: of the gateway and the transaction id, where there is one]
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    request_id: Option<String>,
}

#[derive(clap::Args)]
pub(crate) struct ListArgs {
    /// Only those of this user: a login name or an id
    #[arg(long)]
    user: Option<String>,
    /// Only those of this transaction of a gateway
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    transaction_id: String,
    /// Recorded then or later, for example 2026-11-01 or 2026-11-01T08:00:00
    #[arg(long)]
    from: Option<String>,
    /// Recorded before or in this second; a day alone counts to its end
    #[arg(long)]
    till: Option<String>,
    /// The time zone of both, and of what is listed [default: that of the settings]
    #[arg(long)]
    time_zone: Option<String>,
}

pub(crate) async fn run(config: &Config, command: Command) -> anyhow::Result<()> {
    let core = connect(config).await?;
    match command {
        Command::Add(args) => add(core, args).await,
        Command::List(args) => list(core, args).await,
    }
}

async fn add(core: Core, args: AddArgs) -> anyhow::Result<()> {
    let user_id = Some(user_meant(&core, &args.user).await?);
    let currency = match args.currency {
        Some(currency) => currency,
        None => default_currency(&core).await?,
    };
    // However it is typed, it is one transaction.
    let (gateway, transaction_id) = (args.gateway.trim(), args.transaction_id.trim());
    let idempotency_key = match args.request_id {
        Some(key) => key,
        None if transaction_id.is_empty() => String::new(),
        None => format!("transaction {transaction_id:?} of {:?}", gateway.to_lowercase()),
    };
    let (amount, direction) = match (args.amount.strip_prefix('-'), args.to_provider) {
        (Some(_), true) => bail!("say --to-provider, or an amount below zero, not both"),
        (Some(amount), false) => (amount.to_owned(), PaymentDirection::ToProvider),
        (None, true) => (args.amount, PaymentDirection::ToProvider),
        (None, false) => (args.amount, PaymentDirection::FromClient),
    };
    let zone = zone(&core, None).await?;
    let request = RecordPaymentRequest {
        user_id,
        amount: Some(Decimal { value: amount }),
        amount_includes_tax: args.including_tax,
        currency,
        exchange_rate: args.exchange_rate.map(|value| Decimal { value }),
        direction: direction.into(),
        comment: args.comment,
        idempotency_key,
        gateway: gateway.to_owned(),
        transaction_id: transaction_id.to_owned(),
        payer_email: String::new(),
    };
    let recorded = PaymentsServiceClient::new(core.clone()).record_payment(request.clone()).await;
    match recorded {
        Ok(recorded) => print(&recorded.into_inner().payment.unwrap_or_default(), &zone),
        Err(status) if status.code() == Code::AlreadyExists => {
            let earlier = earlier(core, &request, &zone).await;
            bail!("{}", earlier.unwrap_or_else(|_| said(status).to_string()))
        }
        Err(status) => Err(said(status)),
    }
}

/// Why a payment is not recorded that goes by the same name as another one.
async fn earlier(
    core: Core,
    request: &RecordPaymentRequest,
    zone: &TimeZone,
) -> anyhow::Result<String> {
    let RecordPaymentRequest { transaction_id, gateway, .. } = request;
    if transaction_id.is_empty() {
        return Ok("nothing is recorded: this --request-id was used with another payment, which \
                   `tollbook payments list` shows"
            .to_owned());
    }
    let list = ListPaymentsRequest {
        transaction_id: transaction_id.clone(),
        gateway: gateway.clone(),
        page_size: PAGE,
        ..Default::default()
    };
    let page = PaymentsServiceClient::new(core).list_payments(list).await.map_err(said)?;
    let payments = page.into_inner().payments;
    let same = payments
        .iter()
        .filter(|payment| payment.transaction_id == *transaction_id && payment.gateway == *gateway);
    let same: Vec<String> =
        same.map(|payment| line(payment, zone)).collect::<anyhow::Result<_>>()?;
    if same.is_empty() {
        bail!("it is not among the payments");
    }
    Ok(format!(
        "nothing is recorded: the transaction {transaction_id:?} is there already, otherwise:\n  {}\n\
         where that one is wrong, take it back by an amount below zero, under another transaction id",
        same.join("\n  ")
    ))
}

async fn default_currency(core: &Core) -> anyhow::Result<String> {
    let request = ListCurrenciesRequest { page_size: PAGE, ..Default::default() };
    let mut currencies = CurrenciesServiceClient::new(core.clone());
    let all = currencies.list_currencies(request).await.map_err(said)?.into_inner().currencies;
    let default = all.into_iter().find(|currency| currency.is_default);
    Ok(default.context("the core names no default currency: --currency says which it is")?.code)
}

async fn list(core: Core, args: ListArgs) -> anyhow::Result<()> {
    let zone = zone(&core, args.time_zone.as_deref()).await?;
    let at =
        |text: &Option<String>, end| text.as_deref().map(|text| time(text, &zone, end)).transpose();
    let mut request = ListPaymentsRequest {
        user_id: match &args.user {
            Some(user) => Some(user_meant(&core, user).await?),
            None => None,
        },
        transaction_id: args.transaction_id,
        from: at(&args.from, false)?,
        // To the end of that second.
        till: at(&args.till, true)?
            .map(|till| prost_types::Timestamp { nanos: 999_999_000, ..till }),
        page_size: PAGE,
        ..Default::default()
    };
    let mut payments = PaymentsServiceClient::new(core);
    loop {
        let page = payments.list_payments(request.clone()).await.map_err(said)?.into_inner();
        for payment in &page.payments {
            print(payment, &zone)?;
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(());
        }
    }
}

fn print(payment: &Payment, zone: &TimeZone) -> anyhow::Result<()> {
    say!("{}", line(payment, zone)?)
}

fn line(payment: &Payment, zone: &TimeZone) -> anyhow::Result<String> {
    let Payment { id, username, currency, comment, gateway, transaction_id, .. } = payment;
    let created = payment.created_at.unwrap_or_default();
    let created = Timestamp::new(created.seconds, created.nanos)?;
    let created = zone.to_datetime(created).strftime("%Y-%m-%d %H:%M:%S");
    let direction = match payment.direction() {
        PaymentDirection::ToProvider => "paid to",
        PaymentDirection::FromClient | PaymentDirection::Unspecified => "paid by",
    };
    let amount = decimal(payment.amount.as_ref());
    let tax = match decimal(payment.tax.as_ref()) {
        "" | "0" => String::new(),
        tax => format!(" and {tax} of taxes"),
    };
    let before = decimal(payment.balance_before.as_ref());
    let after = decimal(payment.balance_after.as_ref());
    let quoted = |what: &str, text: &str| match text {
        "" => String::new(),
        text => format!(" {what}{text:?}"),
    };
    Ok(format!(
        "{id} {created} {amount} {currency}{tax} {direction} {username:?} balance {before} -> {after}{}{}{}",
        quoted("gateway ", gateway),
        quoted("transaction ", transaction_id),
        quoted("", comment)
    ))
}
