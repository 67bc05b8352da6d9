//! Payments: money from clients and to providers (`docs/rules/users-and-payments.md#payments`).

mod service;
pub(crate) mod store;

use tollbook_proto::v1::{self as pb, PaymentDirection};

pub(crate) use service::Service;

use crate::{
    clock,
    currencies::{Currencies, Currency},
    error::{Error, Result},
    ids::{CurrencyId, PaymentId, UserId},
    money::{ExchangeRate, Money},
    text::check_note,
    users::taxes::TaxPlan,
};

/// Where the money went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    FromClient,
    ToProvider,
}

impl Direction {
    fn name(self) -> &'static str {
        match self {
            Self::FromClient => "from_client",
            Self::ToProvider => "to_provider",
        }
    }

    fn from_name(name: &str) -> Result<Self> {
        [Self::FromClient, Self::ToProvider]
            .into_iter()
            .find(|direction| direction.name() == name)
            .ok_or_else(|| Error::internal("a stored payment has an unknown direction"))
    }

    fn to_proto(self) -> PaymentDirection {
        match self {
            Self::FromClient => PaymentDirection::FromClient,
            Self::ToProvider => PaymentDirection::ToProvider,
        }
    }
}

/// A payment before it is recorded: everything but its id, its time and the balances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PaymentDraft {
    direction: Direction,
    /// Net, in `currency`.
    amount: Money,
    /// In `currency`.
    tax: Money,
    currency: CurrencyId,
    exchange_rate: ExchangeRate,
    /// In the default currency.
    pub(crate) balance_change: Money,
    said: Said,
}

/// What is said of a payment, and means nothing to the books.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    comment: String,
    gateway: String,
    transaction_id: String,
    payer_email: String,
}

impl Said {
    fn read(request: pb::RecordPaymentRequest) -> Result<Self> {
        let said = Self {
            comment: request.comment,
            gateway: request.gateway,
            transaction_id: request.transaction_id,
            payer_email: request.payer_email,
        };
        for (field, text) in [
            ("comment", &said.comment),
            ("gateway", &said.gateway),
            ("transaction_id", &said.transaction_id),
            ("payer_email", &said.payer_email),
        ] {
            check_note(field, text)?;
        }
        Ok(said)
    }
}

impl PaymentDraft {
    /// Works out a payment of `amount` in `currency`.
    pub(crate) fn new(
        amount: Money,
        includes_tax: bool,
        taxes: &TaxPlan,
        currency: &Currency,
        exchange_rate: ExchangeRate,
        direction: Direction,
        said: Said,
    ) -> Result<Self> {
        let (net, gross) = match includes_tax {
            true => (taxes.net(amount)?, amount),
            false => (amount, taxes.gross(amount)?),
        };
        let in_default = net.to_default(exchange_rate)?;
        Ok(Self {
            direction,
            amount: net,
            tax: gross.minus(net)?,
            currency: currency.id,
            exchange_rate,
            balance_change: match direction {
                Direction::FromClient => in_default,
                Direction::ToProvider => in_default.negated(),
            },
            said,
        })
    }

    /// The payment that the draft becomes.
    pub(crate) fn recorded(
        self,
        id: PaymentId,
        user: UserId,
        balance_before: Money,
        balance_after: Money,
        created_at: i64,
    ) -> Payment {
        Payment { id, user, draft: self, balance_before, balance_after, created_at }
    }
}

/// A recorded payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) id: PaymentId,
    user: UserId,
    draft: PaymentDraft,
    balance_before: Money,
    balance_after: Money,
    created_at: i64,
}

impl Payment {
    fn to_proto(&self, username: String, currencies: &Currencies) -> Result<pb::Payment> {
        let draft = &self.draft;
        let currency = currencies.stored(draft.currency)?;
        Ok(pb::Payment {
            id: self.id.0,
            user_id: self.user.0,
            username,
            direction: draft.direction.to_proto().into(),
            amount: Some(draft.amount.into()),
            tax: Some(draft.tax.into()),
            gross: Some(draft.amount.plus(draft.tax)?.into()),
            currency: currency.code.clone(),
            exchange_rate: Some(draft.exchange_rate.into()),
            balance_change: Some(draft.balance_change.into()),
            balance_before: Some(self.balance_before.into()),
            balance_after: Some(self.balance_after.into()),
            comment: draft.said.comment.clone(),
            created_at: Some(clock::to_proto(self.created_at)),
            gateway: draft.said.gateway.clone(),
            transaction_id: draft.said.transaction_id.clone(),
            payer_email: draft.said.payer_email.clone(),
        })
    }
}
