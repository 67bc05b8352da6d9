//! When a call is worked on: once it is known who calls and what they want, and not before. A
//! client that is silent holds nothing that others wait for.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::Full;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep},
};
use tollbook_net::{Budget, Held, Refusal};
use tonic::{Status, body::Body};

use super::{layer::address_of, lockout::Network};
use crate::{
    error::{Error, Result},
    shares::{Limits, Place, Shares},
};

/// How many calls are worked on at once.
const MAX_IN_FLIGHT: usize = 2_048;
/// How many credentials are looked at once. That waits for no client.
const MAX_CHECKS: usize = 256;
/// How many messages of callers without a credential are waited for at once, of all clients and of
/// one.
const STRANGERS: Limits = Limits { all: 1_024, one: 256, line: 256 };
/// The same of those who ask for the contract, and for the health.
const REFLECTIONS: Limits = Limits { all: 128, one: 32, line: 32 };
const HEALTH_CHECKS: Limits = Limits { all: 1_024, one: 128, line: 128 };
/// How long a call waits for its turn before it is refused as [`Error::Busy`]: whoever
/// waits longer would not wait for the answer either.
const MAX_WAIT: Duration = Duration::from_secs(2);
/// How long a caller may take to send a message, with a credential and without one.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);
const STRANGERS_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest message that is read, with its frame: what tonic reads.
const MAX_MESSAGE: usize = 4 * 1024 * 1024 + 5;
/// How much memory the messages of all calls take together.
const MESSAGES: usize = 128 * 1024 * 1024;

/// The places that calls wait for, one after the other.
pub(super) struct Admission {
    checks: Arc<Semaphore>,
    strangers: Shares<Option<Network>>,
    reflections: Shares<Option<Network>>,
    health_checks: Shares<Option<Network>>,
    turns: Arc<Semaphore>,
    messages: Budget,
}

impl Admission {
    pub(super) fn new() -> Self {
        Self {
            checks: Arc::new(Semaphore::new(MAX_CHECKS)),
            strangers: Shares::new(STRANGERS),
            reflections: Shares::new(REFLECTIONS),
            health_checks: Shares::new(HEALTH_CHECKS),
            turns: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
            messages: Budget::new(MESSAGES),
        }
    }

    /// Waits for the place in which a credential is looked at.
    pub(super) async fn check(&self) -> Result<OwnedSemaphorePermit> {
        place_in(&self.checks).await
    }

    /// Waits for the turn of a call, which lasts until it is answered.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit> {
        place_in(&self.turns).await
    }

    /// Reads the one message of a call. What it takes of the memory for messages is given back
    /// when the second part is dropped.
    pub(super) async fn receive(
        &self,
        request: Request<Body>,
        is_stranger: bool,
    ) -> Result<(Request<Body>, Held), Status> {
        let _place = match is_stranger {
            // There is one at once, or there is none: whoever waits would be one more to wait for.
            true => Some(self.strangers.at_once(client_of(&request))?),
            false => None,
        };
        let patience = if is_stranger { STRANGERS_TIMEOUT } else { MESSAGE_TIMEOUT };
        let (head, body) = request.into_parts();
        let reading = tokio::time::timeout(patience, self.messages.collect(body, MAX_MESSAGE));
        let Ok(read) = reading.await else {
            return Err(Status::deadline_exceeded("the message did not come in time"));
        };
        let message = read.map_err(|refusal| match refusal {
            Refusal::TooLarge => Status::out_of_range("the message is longer than 4 MiB"),
            Refusal::NoRoom => Error::Busy.into(),
            Refusal::Broken(error) => Status::cancelled(error.to_string()),
        })?;
        let body = Body::new(Full::new(message.bytes.clone()));
        Ok((Request::from_parts(head, body), message))
    }

    /// Lets a call in that is open to all, and may send many messages: as long as they keep
    /// coming.
    pub(super) fn admit_stranger(&self, request: Request<Body>) -> Result<Request<Body>> {
        // Whoever is curious keeps nobody from asking whether the server is well.
        let (places, patience) = match request.uri().path().starts_with("/grpc.health.") {
            true => (&self.health_checks, STRANGERS_TIMEOUT),
            // Tools keep the stream open while whoever uses them thinks.
            false => (&self.reflections, MESSAGE_TIMEOUT),
        };
        let place = places.at_once(client_of(&request))?;
        Ok(request.map(|body| {
            let timer = Box::pin(sleep(patience));
            Body::new(Patient { body, patience, timer, _place: place })
        }))
    }
}

/// Whose places a call takes; `None` if it comes from this process.
fn client_of(request: &Request<Body>) -> Option<Network> {
    address_of(request.extensions()).map(Network::from)
}

/// The messages of a caller who must not be silent for long.
struct Patient {
    body: Body,
    patience: Duration,
    timer: Pin<Box<Sleep>>,
    _place: Place,
}

impl http_body::Body for Patient {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.timer.as_mut().reset(Instant::now() + this.patience);
            return Poll::Ready(frame);
        }
        ready!(this.timer.as_mut().poll(cx));
        Poll::Ready(Some(Err(Status::deadline_exceeded("no message came in time"))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

async fn place_in(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
    if let Ok(place) = places.clone().try_acquire_owned() {
        return Ok(place);
    }
    let place = tokio::time::timeout(MAX_WAIT, places.clone().acquire_owned()).await;
    place.ok().and_then(Result::ok).ok_or(Error::Busy)
}
