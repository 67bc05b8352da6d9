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

use crate::error::{Error, Result};

/// How many calls are worked on at once.
const MAX_IN_FLIGHT: usize = 2_048;
/// How many credentials are looked at once. That waits for no client.
const MAX_CHECKS: usize = 256;
/// How many messages of callers without a credential are waited for at once.
const MAX_STRANGERS: usize = 1_024;
/// How many clients without a credential ask for the contract at once, and for the health.
const MAX_REFLECTIONS: usize = 128;
const MAX_HEALTH_CHECKS: usize = 1_024;
/// How long a call waits for its turn before it is refused as [`Error::Unavailable`]: whoever
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
    strangers: Arc<Semaphore>,
    reflections: Arc<Semaphore>,
    health_checks: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    messages: Budget,
}

impl Admission {
    pub(super) fn new() -> Self {
        Self {
            checks: Arc::new(Semaphore::new(MAX_CHECKS)),
            strangers: Arc::new(Semaphore::new(MAX_STRANGERS)),
            reflections: Arc::new(Semaphore::new(MAX_REFLECTIONS)),
            health_checks: Arc::new(Semaphore::new(MAX_HEALTH_CHECKS)),
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
            true => Some(place_at_once(&self.strangers)?),
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
            Refusal::NoRoom => Error::Unavailable.into(),
            Refusal::Broken(error) => Status::cancelled(error.to_string()),
        })?;
        let body = Body::new(Full::new(message.bytes.clone()));
        Ok((Request::from_parts(head, body), message))
    }

    /// Lets a call in that is open to all, and may send many messages: as long as they keep
    /// coming.
    pub(super) fn admit_stranger(&self, request: Request<Body>) -> Result<Request<Body>> {
        // Whoever is curious keeps nobody from asking whether the server is well.
        let places = match request.uri().path().starts_with("/grpc.health.") {
            true => &self.health_checks,
            false => &self.reflections,
        };
        let place = place_at_once(places)?;
        Ok(request.map(|body| {
            Body::new(Patient { body, timer: Box::pin(sleep(MESSAGE_TIMEOUT)), _place: place })
        }))
    }
}

/// There is one at once, or there is none: who waits for it would be one more to wait for.
fn place_at_once(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
    places.clone().try_acquire_owned().map_err(|_| Error::Unavailable)
}

/// The messages of a caller who must not be silent for long.
struct Patient {
    body: Body,
    timer: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
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
            this.timer.as_mut().reset(Instant::now() + MESSAGE_TIMEOUT);
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
    place.ok().and_then(Result::ok).ok_or(Error::Unavailable)
}
