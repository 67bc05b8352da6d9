//! The audit log: who changed what, from where, written in the transaction of the change.
//!
//! Whatever changes something stored on somebody's behalf does it in a [`Pending`] transaction, whose
//! commit takes the entry. A test asks of every rpc that is not marked as free of side effects
//! whether there is one.

mod pending;
mod service;
mod store;

use std::{borrow::Cow, net::IpAddr, sync::Arc};

pub(crate) use pending::Pending;
use prost::{Message, Name};
pub(crate) use service::Service;

use crate::{clock, contract, error::Result, ids::UserId, resource::Resource, store::Tx};

/// Whence a request: who sent it, by what right, from where. What happens on somebody's behalf
/// is written down with it.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) actor: Option<UserId>,
    pub(crate) credential: Credential,
    pub(crate) address: Option<IpAddr>,
    /// `SERVICE/RPC`.
    pub(crate) rpc: Arc<str>,
    /// Empty: not by a legacy request.
    pub(crate) legacy_method: String,
    pub(crate) request_id: Arc<str>,
}

impl Origin {
    /// What the program does on behalf of who runs it.
    pub(crate) fn operator(credential: Credential) -> Self {
        Self {
            actor: None,
            credential,
            address: None,
            rpc: "".into(),
            legacy_method: String::new(),
            request_id: "".into(),
        }
    }
}

/// What a caller proved himself with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// None was asked for: logging in.
    None,
    /// An access token.
    AccessToken(i64),
    /// The token of a session.
    Session(i64),
    /// A client certificate, by the access token that admits it.
    Certificate(i64),
    /// A legacy hash made with the key that all share.
    ApiSecretKey,
    /// An API key, in a legacy hash or an HMAC signature.
    ApiKey(i64),
    /// A user's uniquehash.
    Uniquehash,
    /// Nothing: hash checking is disabled.
    Unchecked,
    /// A command on the machine itself.
    CommandLine,
    /// The first start of a database.
    FirstStart,
}

impl std::fmt::Display for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("password"),
            Self::AccessToken(id) => write!(f, "access token {id}"),
            Self::Session(id) => write!(f, "session {id}"),
            Self::Certificate(id) => write!(f, "certificate {id}"),
            Self::ApiSecretKey => f.write_str("API secret key"),
            Self::ApiKey(id) => write!(f, "API key {id}"),
            Self::Uniquehash => f.write_str("uniquehash"),
            Self::Unchecked => f.write_str("nothing"),
            Self::CommandLine => f.write_str("command line"),
            Self::FirstStart => f.write_str("first start"),
        }
    }
}

/// What was changed.
pub(crate) struct Change {
    resource: Resource,
    /// JSON; empty: it was not there.
    before: String,
    /// JSON; empty: it is not there any more.
    after: String,
    note: Cow<'static, str>,
}

impl Change {
    /// A change of something that is there before and after.
    pub(crate) fn of<M: Message + Name>(resource: Resource, before: &M, after: &M) -> Result<Self> {
        Ok(Self::written(resource, contract::to_json(before)?, contract::to_json(after)?))
    }

    /// Something new.
    pub(crate) fn creation<M: Message + Name>(resource: Resource, after: &M) -> Result<Self> {
        Ok(Self::written(resource, String::new(), contract::to_json(after)?))
    }

    /// Something that is gone.
    pub(crate) fn deletion<M: Message + Name>(resource: Resource, before: &M) -> Result<Self> {
        Ok(Self::written(resource, contract::to_json(before)?, String::new()))
    }

    /// A change whose states are written already, as JSON.
    pub(crate) fn written(resource: Resource, before: String, after: String) -> Self {
        Self { resource, before, after, note: Cow::Borrowed("") }
    }

    /// A change that only words describe.
    pub(crate) fn told(resource: Resource, note: impl Into<Cow<'static, str>>) -> Self {
        Self::written(resource, String::new(), String::new()).note(note)
    }

    /// What before and after cannot show.
    pub(crate) fn note(self, note: impl Into<Cow<'static, str>>) -> Self {
        Self { note: note.into(), ..self }
    }
}

/// Writes changes of several origins down, under ids that are known, in the transaction that makes
/// them.
pub(crate) async fn record_as(
    tx: &mut Tx,
    ids: Vec<i64>,
    changes: &[(&Origin, Change)],
) -> Result<()> {
    store::insert(tx, clock::now(), ids.into_iter().zip(changes)).await
}
