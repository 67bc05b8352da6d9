//! Warnings of balances that fell below, or rose above, what a user's settings say: who is
//! warned, when, and by which mail (`docs/rules/users-and-payments.md#warnings`).
//!
//! A warning is first written down, in the transaction that marks the user as warned, and then
//! sent: what was to be sent survives a crash, and is sent by whichever core comes first. A
//! crash between sending and noting it sends it once more.

mod due;
mod send;
mod service;
mod store;
mod watch;

use tollbook_proto::v1 as pb;

pub(crate) use service::Service;
pub(crate) use watch::watch;

use crate::{clock, ids::UserId, money::Money};

/// Whom a warning is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recipient {
    /// Whose balance it is.
    User,
    Admin,
    /// The user's responsible manager.
    Manager,
}

impl Recipient {
    const ALL: [Self; 3] = [Self::User, Self::Admin, Self::Manager];

    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
            Self::Manager => "manager",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|recipient| recipient.name() == name)
    }

    fn to_proto(self) -> pb::WarningRecipient {
        match self {
            Self::User => pb::WarningRecipient::User,
            Self::Admin => pb::WarningRecipient::Admin,
            Self::Manager => pb::WarningRecipient::Manager,
        }
    }
}

/// A warning, sent or to be sent.
#[derive(Clone, Debug)]
struct Warning {
    id: i64,
    /// Whose balance it is.
    user: UserId,
    username: String,
    recipient: Recipient,
    address: String,
    balance: Money,
    threshold: Money,
    /// The balance rose above the threshold; otherwise it fell below.
    above: bool,
    created_at: i64,
    sent_at: Option<i64>,
    attempts: i64,
    /// When it is sent, or tried again.
    next_attempt_at: i64,
    /// Why the last attempt failed; empty: there was none that did.
    problem: String,
}

/// How often sending is tried.
const ATTEMPTS: i64 = 10;

impl Warning {
    fn into_proto(self) -> pb::BalanceWarningMail {
        let state = match (self.sent_at, self.attempts) {
            (Some(_), _) => pb::MailState::Sent,
            (None, ATTEMPTS..) => pb::MailState::Failed,
            (None, _) => pb::MailState::Pending,
        };
        pb::BalanceWarningMail {
            id: self.id,
            user_id: self.user.0,
            username: self.username,
            recipient: self.recipient.to_proto().into(),
            address: self.address,
            balance: Some(self.balance.into()),
            threshold: Some(self.threshold.into()),
            rose_above: self.above,
            created_at: Some(clock::to_proto(self.created_at)),
            sent_at: self.sent_at.map(clock::to_proto),
            state: state.into(),
            attempts: i32::try_from(self.attempts).unwrap_or(i32::MAX),
            problem: self.problem,
        }
    }
}
