//! How Tollbook listens: whoever is slow, idle, silent or one too many costs the others nothing.
//!
//! A [`Listener`] has so many places, and no single client takes them all; a [`Connection`] ends
//! when its client does not take what it is sent; bodies share one [`Budget`] of memory. The
//! XML API, gRPC and the metrics listen by these.

mod budget;
mod connection;
pub mod http1;
mod listener;

use std::time::Duration;

pub use budget::{Budget, Held, Refusal};
pub use connection::Connection;
pub use listener::{Limits, Listener};

/// How long what is under way may take once a server was asked to stop, unless it is told
/// otherwise. Then it stops, whoever is connected.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long, once a server was asked to stop, connections stay open on which no request has come
/// yet: it may be on its way.
pub const FIRST_REQUEST: Duration = Duration::from_millis(250);
