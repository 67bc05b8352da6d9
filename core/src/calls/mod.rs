//! Calls that have ended: stored, charged and counted once, in one transaction
//! (`docs/rules/calls.md#one-call-once`, `docs/rules/calls.md#what-a-record-says`).

mod dry_run;
pub(crate) mod hangup;
pub(crate) mod imports;
pub(crate) mod ingest;
pub(crate) mod intake;
pub(crate) mod known;
mod parties;
pub(crate) mod payers;
mod places;
pub(crate) mod record;
mod remarks;
mod rerate;
mod service;
pub(crate) mod sorted;
pub(crate) mod store;
mod unpriced;

use tollbook_proto::v1::{self as pb, CallRejection};

pub(crate) use payers::{Owners, Share, Side};
pub(crate) use service::Service;
pub(crate) use unpriced::Unpriced;

use crate::{
    access::Scope,
    clock,
    error::Error,
    ids::{CurrencyId, EntryId, PointId, TariffId, UserId},
    money::{ExchangeRate, Money},
};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    Answered,
    Busy,
    NoAnswer,
    Failed,
}

impl Disposition {
    const ALL: [Self; 4] = [Self::Answered, Self::Busy, Self::NoAnswer, Self::Failed];

    /// As the database names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Busy => "busy",
            Self::NoAnswer => "no answer",
            Self::Failed => "failed",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|disposition| disposition.name() == name)
    }

    /// None: unspecified, or of a newer contract.
    fn from_proto(disposition: pb::Disposition) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.to_proto() == disposition)
    }

    fn to_proto(self) -> pb::Disposition {
        match self {
            Self::Answered => pb::Disposition::Answered,
            Self::Busy => pb::Disposition::Busy,
            Self::NoAnswer => pb::Disposition::NoAnswer,
            Self::Failed => pb::Disposition::Failed,
        }
    }
}

/// What a switch says of a call, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reported {
    /// The switch's own id.
    pub(crate) call_id: String,
    /// That of the record alone, where several records may have the same; empty: it has none.
    pub(crate) record_id: String,
    pub(crate) start_time: i64,
    /// From INVITE to the end, milliseconds.
    pub(crate) duration: i64,
    /// From answer to the end, milliseconds.
    pub(crate) billsec: i64,
    pub(crate) disposition: Disposition,
    pub(crate) hangup_cause: i64,
    pub(crate) source: String,
    pub(crate) destination: String,
    pub(crate) origination_point: PointId,
    pub(crate) termination_point: PointId,
}

impl Reported {
    /// Whether it ends after a moment, by its own words.
    pub(super) fn ends_after(&self, moment: i64) -> bool {
        self.start_time + self.duration * 1_000 > moment
    }

    /// Whether it costs anything at all.
    pub(crate) fn is_charged(&self) -> bool {
        self.disposition == Disposition::Answered && self.billsec > 0
    }

    /// Seconds from answer to the end; parts of a second count as a whole one.
    pub(crate) fn billsec_seconds(&self) -> u32 {
        // Below a month, as checked.
        u32::try_from(self.billsec.unsigned_abs().div_ceil(1000)).unwrap_or(u32::MAX)
    }
}

/// One side of a call's price; all zero where it was not rated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leg {
    pub(crate) tariff: TariffId,
    /// Per minute, default currency.
    pub(crate) rate: Money,
    pub(crate) billed_seconds: i64,
    /// Default currency.
    pub(crate) amount: Money,
    /// How the tariff's price became this one; `None` if it is not known: it was not always kept.
    pub(crate) exchange: Option<Exchange>,
    /// The ledger entry that it is part of; 0: none.
    pub(crate) entry: EntryId,
}

/// A currency, and its exchange rate when a call was rated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) currency: CurrencyId,
    pub(crate) rate: ExchangeRate,
}

impl Leg {
    pub(crate) const NONE: Self = Self {
        tariff: TariffId(0),
        rate: Money::ZERO,
        billed_seconds: 0,
        amount: Money::ZERO,
        exchange: None,
        entry: EntryId(0),
    };

    fn to_proto(self) -> pb::ChargedLeg {
        pb::ChargedLeg {
            tariff_id: self.tariff.0,
            rate: Some(self.rate.into()),
            billed_seconds: self.billed_seconds,
            amount: Some(self.amount.into()),
            ledger_entry_id: self.entry.0,
            exchange_rate: self.exchange.map(|exchange| exchange.rate.into()),
        }
    }
}

/// A call with its price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// 0 until it is stored.
    pub(crate) id: i64,
    pub(crate) reported: Reported,
    pub(crate) originator: UserId,
    pub(crate) terminator: Option<UserId>,
    /// By which the originator is charged; empty: not rated.
    pub(crate) prefix: String,
    pub(crate) price: Leg,
    pub(crate) self_cost: Leg,
    /// What those pay whose the originator is.
    pub(crate) owners: Owners<Box<Share>>,
    /// The import that brought it; `None`: a switch did.
    pub(crate) import: Option<i64>,
}

impl Call {
    /// Whether it costs anything at all: calls that were not answered need no rate.
    fn is_charged(&self) -> bool {
        self.reported.is_charged()
    }
}

/// A stored call with the names that go with it.
pub(crate) struct Listed {
    pub(crate) call: Call,
    pub(crate) names: Names,
}

/// The login names of those who have to do with a call, empty where nobody is, and the name of its
/// destination.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) originator: String,
    pub(crate) reseller: String,
    pub(crate) partner: String,
    pub(crate) terminator: String,
    pub(crate) destination: String,
}

impl Listed {
    /// What somebody sees of a call: staff everything; others nothing of the terminator's side, and of
    /// what is paid above the user only what they pay themselves, or are paid.
    fn shown_to(self, scope: Scope) -> pb::Call {
        if scope.is_staff() {
            return self.into_proto();
        }
        let Owners { reseller, partner } = &self.call.owners;
        let is_own = |share: &Option<Box<Share>>| {
            share.as_ref().is_some_and(|share| scope.owner() == Some(share.user))
        };
        let (is_resellers, is_partners) = (is_own(reseller), is_own(partner));
        let mut call = pb::Call {
            terminator_id: None,
            terminator: String::new(),
            termination_point_id: 0,
            self_cost: None,
            ..self.into_proto()
        };
        if !is_partners {
            (call.partner_id, call.partner, call.partner_price) = (None, String::new(), None);
        }
        if !is_partners && !is_resellers {
            (call.reseller_id, call.reseller, call.reseller_price) = (None, String::new(), None);
        }
        call
    }

    pub(crate) fn into_proto(self) -> pb::Call {
        let Self { call, names } = self;
        let Call { id, reported, originator, terminator, prefix, price, self_cost, .. } = call;
        let Owners { reseller, partner } = call.owners;
        let end = reported.start_time + reported.duration * 1_000;
        let answered = reported.disposition == Disposition::Answered;
        pb::Call {
            id,
            start_time: Some(clock::to_proto(reported.start_time)),
            answer_time: answered.then(|| clock::to_proto(end - reported.billsec * 1_000)),
            end_time: Some(clock::to_proto(end)),
            duration_ms: reported.duration,
            billsec_ms: reported.billsec,
            disposition: reported.disposition.to_proto().into(),
            hangup_cause: i32::try_from(reported.hangup_cause).unwrap_or_default(),
            call_id: reported.call_id,
            source: reported.source,
            destination: reported.destination,
            originator_id: originator.0,
            originator: names.originator,
            terminator_id: terminator.map(|user| user.0),
            terminator: names.terminator,
            origination_point_id: reported.origination_point.0,
            termination_point_id: reported.termination_point.0,
            prefix,
            destination_name: names.destination,
            price: Some(price.to_proto()),
            self_cost: Some(self_cost.to_proto()),
            reseller_id: reseller.as_ref().map(|share| share.user.0),
            reseller: names.reseller,
            reseller_price: reseller.map(|share| share.price.to_proto()),
            partner_id: partner.as_ref().map(|share| share.user.0),
            partner: names.partner,
            partner_price: partner.map(|share| share.price.to_proto()),
        }
    }
}

/// What the names of reasons begin with in the contract.
const REASON: &str = "CALL_REJECTION_";

/// The name of a reason in the contract, without the enum's prefix.
pub(crate) fn reason_name(reason: CallRejection) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix(REASON).unwrap_or(name)
}

/// The reason of a name; `None` if this version has none of that name.
pub(crate) fn reason_of_name(name: &str) -> Option<CallRejection> {
    CallRejection::from_str_name(&format!("{REASON}{name}"))
}

/// Why a call cannot be taken into the books.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rejection {
    /// A field is missing or malformed.
    #[error("{field} {problem}")]
    InvalidField {
        /// The field's name.
        field: String,
        /// What is wrong with it, as the end of a sentence.
        problem: &'static str,
    },
    /// A duration is below zero.
    #[error("{field} is below zero")]
    NegativeDuration {
        /// The field's name.
        field: &'static str,
    },
    /// It ended before it began, or was answered outside of that.
    #[error("{what}")]
    EndsBeforeStart {
        /// Which comes before which.
        what: &'static str,
    },
    /// No such originator; with whom the record names, as the end of the sentence.
    #[error("no such originator{0}")]
    UnknownOriginator(String),
    /// No such terminator; with whom the record names, as the end of the sentence.
    #[error("no such terminator{0}")]
    UnknownTerminator(String),
    /// No such point, or not one of this user.
    #[error("{}", unknown_point(*side, place))]
    UnknownPoint {
        /// Which side.
        side: Side,
        /// The point as the record names it, by an address or a description, and whose it should be;
        /// empty: by its id.
        place: String,
    },
    /// No tariff.
    #[error("{0}")]
    NoTariff(Box<Unpriced>),
    /// No rate.
    #[error("{0}")]
    NoRate(Box<Unpriced>),
    /// Blocked.
    #[error("{0}")]
    Blocked(Box<Unpriced>),
    /// The id is that of a call that was authorised for others.
    #[error("the call was authorised for another {0}")]
    NotAuthorized(&'static str),
    /// Another call has the id.
    #[error("a call with this id is in the books, with another {0}")]
    Conflict(&'static str),
    /// Another call that is not billed yet has the id.
    #[error(
        "an unrated call with this id is kept already, with another {0}: delete the one of them that is \
         wrong, and bring the other once more"
    )]
    Contested(&'static str),
    /// Out of range.
    #[error("the price or a balance would be out of range")]
    AmountOutOfRange,
}

impl Rejection {
    pub(crate) fn to_proto(&self) -> CallRejection {
        match self {
            Self::InvalidField { .. } => CallRejection::InvalidField,
            Self::NegativeDuration { .. } => CallRejection::NegativeDuration,
            Self::EndsBeforeStart { .. } => CallRejection::EndsBeforeStart,
            Self::UnknownOriginator(_) => CallRejection::UnknownOriginator,
            Self::UnknownTerminator(_) => CallRejection::UnknownTerminator,
            Self::UnknownPoint { .. } => CallRejection::UnknownPoint,
            Self::NoTariff(_) => CallRejection::NoTariff,
            Self::NoRate(_) => CallRejection::NoRate,
            Self::Blocked(_) => CallRejection::Blocked,
            Self::NotAuthorized(_) => CallRejection::NotAuthorized,
            Self::Conflict(_) | Self::Contested(_) => CallRejection::Conflict,
            Self::AmountOutOfRange => CallRejection::AmountOutOfRange,
        }
    }

    /// Its name in the contract, without the enum's prefix.
    pub(crate) fn reason(&self) -> &'static str {
        reason_name(self.to_proto())
    }

    /// On which side something is missing; `None` if it concerns the call as a whole.
    pub(crate) fn side(&self) -> Option<Side> {
        match self {
            Self::UnknownOriginator(_) => Some(Side::Originator),
            Self::UnknownTerminator(_) => Some(Side::Terminator),
            Self::UnknownPoint { side, .. } => Some(*side),
            Self::NoTariff(unpriced) | Self::NoRate(unpriced) | Self::Blocked(unpriced) => {
                Some(unpriced.side)
            }
            Self::InvalidField { .. }
            | Self::NegativeDuration { .. }
            | Self::EndsBeforeStart { .. }
            | Self::NotAuthorized(_)
            | Self::Conflict(_)
            | Self::Contested(_)
            | Self::AmountOutOfRange => None,
        }
    }
}

/// What is wrong with a point that a record names.
fn unknown_point(side: Side, place: &str) -> String {
    match place {
        "" => format!("the {side} has no such connection point"),
        place => {
            format!("the {side} has no such connection point as {place}, or several by that name")
        }
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        let message = rejection.to_string();
        let reason = rejection.reason();
        let field = match rejection {
            Rejection::InvalidField { field, .. } => Some(field),
            _ => None,
        };
        Self::CallRejected { rejection: reason, field, message }
    }
}
