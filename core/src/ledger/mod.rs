//! The ledger: every change of a balance, once, for ever.
//!
//! A balance is the sum of its entries, always: [`posting`] writes both in one
//! transaction, and [`audit`] proves it. Entries are only ever inserted.

pub(crate) mod audit;
pub(crate) mod posting;
mod service;
#[cfg(test)]
mod simulation;
pub(crate) mod store;

use tollbook_proto::v1::{self as pb, LedgerEntryKind};

pub(crate) use service::Service;

use crate::{
    changes::Change,
    clock,
    error::{Error, Result},
    ids::{EntryId, PaymentId, UserId},
    money::Money,
    resource::Resource,
};

/// Why a balance changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Adjustment,
    Payment,
    /// Charges for calls that he originated.
    Calls,
    /// Earnings of calls that he terminated.
    Termination,
    /// Charges taken back, because the calls were rated again or their import was taken back.
    CallsReversed,
    /// Earnings taken back, for the same reasons.
    TerminationReversed,
    /// Charges for calls of a reseller's users, to him.
    ResellerCalls,
    /// Those taken back.
    ResellerCallsReversed,
    /// Charges for calls of a partner's users and resellers, to him.
    PartnerCalls,
    /// Those taken back.
    PartnerCallsReversed,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Adjustment,
        Self::Payment,
        Self::Calls,
        Self::Termination,
        Self::CallsReversed,
        Self::TerminationReversed,
        Self::ResellerCalls,
        Self::ResellerCallsReversed,
        Self::PartnerCalls,
        Self::PartnerCallsReversed,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Adjustment => "adjustment",
            Self::Payment => "payment",
            Self::Calls => "calls",
            Self::Termination => "termination",
            Self::CallsReversed => "calls_reversed",
            Self::TerminationReversed => "termination_reversed",
            Self::ResellerCalls => "reseller_calls",
            Self::ResellerCallsReversed => "reseller_calls_reversed",
            Self::PartnerCalls => "partner_calls",
            Self::PartnerCallsReversed => "partner_calls_reversed",
        }
    }

    fn from_name(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| Error::internal("a stored ledger entry has an unknown kind"))
    }

    fn to_proto(self) -> LedgerEntryKind {
        match self {
            Self::Adjustment => LedgerEntryKind::Adjustment,
            Self::Payment => LedgerEntryKind::Payment,
            Self::Calls => LedgerEntryKind::Calls,
            Self::Termination => LedgerEntryKind::Termination,
            Self::CallsReversed => LedgerEntryKind::CallsReversed,
            Self::TerminationReversed => LedgerEntryKind::TerminationReversed,
            Self::ResellerCalls => LedgerEntryKind::ResellerCalls,
            Self::ResellerCallsReversed => LedgerEntryKind::ResellerCallsReversed,
            Self::PartnerCalls => LedgerEntryKind::PartnerCalls,
            Self::PartnerCallsReversed => LedgerEntryKind::PartnerCallsReversed,
        }
    }
}

/// One change of one balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: EntryId,
    pub(crate) user: UserId,
    pub(crate) amount: Money,
    pub(crate) balance_after: Money,
    pub(crate) kind: Kind,
    pub(crate) payment: Option<PaymentId>,
    pub(crate) actor: Option<UserId>,
    pub(crate) note: String,
    pub(crate) idempotency_key: String,
    pub(crate) created_at: i64,
}

impl Entry {
    /// The change of the balance, for the audit log. Written by hand: there are many.
    fn to_change(&self, balance_before: Money) -> Change {
        let payment = self.payment.map(|id| format!(r#","paymentId":"{id}""#)).unwrap_or_default();
        Change::written(
            Resource::Account(self.user),
            format!(r#"{{"balance":"{}"}}"#, balance_before.value()),
            format!(
                r#"{{"balance":"{}","amount":"{}","entryId":"{}"{payment}}}"#,
                self.balance_after.value(),
                self.amount.value(),
                self.id,
            ),
        )
    }

    fn to_proto(&self) -> pb::LedgerEntry {
        pb::LedgerEntry {
            id: self.id.0,
            user_id: self.user.0,
            amount: Some(self.amount.into()),
            balance_after: Some(self.balance_after.into()),
            kind: self.kind.to_proto().into(),
            payment_id: self.payment.map_or(0, |id| id.0),
            actor_id: self.actor.map(|id| id.0),
            note: self.note.clone(),
            idempotency_key: self.idempotency_key.clone(),
            created_at: Some(clock::to_proto(self.created_at)),
        }
    }
}
