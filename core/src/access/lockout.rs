//! Whoever guesses too often is locked out for a while.
//!
//! Wrong hashes, unknown logins and wrong passwords count against the address that they come
//! from and against the user whom they name. Normal clients try two or three hashes in a row,
//! and misconfigured ones go on doing so: the limits are far above that. A user who is being
//! guessed at from everywhere is locked for strangers only: addresses from which he came in
//! before still let him in, so that nobody can lock him out of his own system.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use dashmap::DashMap;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Failures that an address may have at once, and per minute after that.
const PER_ADDRESS: (NonZeroU32, NonZeroU32) = (nonzero(100), nonzero(60));
/// Failures that a user may have at once, and per minute after that.
const PER_USER: (NonZeroU32, NonZeroU32) = (nonzero(500), nonzero(300));
/// How long somebody is locked out.
const LOCKED: Duration = Duration::from_secs(60);
/// How long an address is known as a user's own.
const KNOWN: Duration = Duration::from_secs(7 * 24 * 3600);
/// How many addresses are known at most; the rest are strangers.
const MAX_KNOWN: usize = 100_000;
/// After how many failures what is outdated is forgotten.
const TIDY: u32 = 1_000;

const fn nonzero(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

fn limiter<K: std::hash::Hash + Eq + Clone>(
    (burst, per_minute): (NonZeroU32, NonZeroU32),
) -> DefaultKeyedRateLimiter<K> {
    RateLimiter::keyed(Quota::per_minute(per_minute).allow_burst(burst))
}

/// Whom failures count against.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Culprit {
    Address(IpAddr),
    User(String),
}

/// Who is locked out, and who is on his way there.
pub(crate) struct Lockout {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    users: DefaultKeyedRateLimiter<String>,
    locked: DashMap<Culprit, Instant>,
    known: DashMap<(IpAddr, String), Instant>,
    failures: AtomicU32,
}

impl Default for Lockout {
    fn default() -> Self {
        Self {
            addresses: limiter(PER_ADDRESS),
            users: limiter(PER_USER),
            locked: DashMap::new(),
            known: DashMap::new(),
            failures: AtomicU32::new(0),
        }
    }
}

impl Lockout {
    /// Whether a user is not even looked at when he comes from an address.
    pub(super) fn is_locked(&self, address: Option<IpAddr>, username: &str) -> bool {
        if self.locked.is_empty() {
            return false;
        }
        let is_locked =
            |culprit| self.locked.get(&culprit).is_some_and(|since| since.elapsed() < LOCKED);
        if address.is_some_and(|address| is_locked(Culprit::Address(address))) {
            return true;
        }
        let key = address.map(|address| (address, username.to_owned()));
        let is_known = key.is_some_and(|key| self.known.contains_key(&key));
        !is_known && is_locked(Culprit::User(username.to_owned()))
    }

    /// Somebody failed to prove who he is.
    pub(super) fn failed(&self, address: Option<IpAddr>, username: &str) {
        if let Some(address) = address
            && self.addresses.check_key(&address).is_err()
        {
            self.lock(Culprit::Address(address));
        }
        // Names are as long as an attacker likes; users' are not.
        if (1..=255).contains(&username.len())
            && self.users.check_key(&username.to_owned()).is_err()
        {
            self.lock(Culprit::User(username.to_owned()));
        }
        if self.failures.fetch_add(1, Ordering::Relaxed) % TIDY == TIDY - 1 {
            self.tidy();
        }
    }

    /// A user came in from an address.
    pub(super) fn came_in(&self, address: Option<IpAddr>, username: &str) {
        let Some(address) = address else { return };
        let key = (address, username.to_owned());
        let is_fresh = |since: &Instant| since.elapsed() < KNOWN / 2;
        if self.known.get(&key).is_some_and(|since| is_fresh(&since)) {
            return;
        }
        if self.known.len() < MAX_KNOWN {
            self.known.insert(key, Instant::now());
        }
    }

    fn lock(&self, culprit: Culprit) {
        let since = self.locked.get(&culprit).map(|since| *since);
        if since.is_none_or(|since| since.elapsed() > LOCKED) {
            tracing::warn!(?culprit, "locked out for too many failures");
        }
        self.locked.insert(culprit, Instant::now());
    }

    fn tidy(&self) {
        self.addresses.retain_recent();
        self.users.retain_recent();
        self.locked.retain(|_, since| since.elapsed() < LOCKED);
        self.known.retain(|_, since| since.elapsed() < KNOWN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));
    const AWAY: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 9)));

    fn fail(lockout: &Lockout, address: Option<IpAddr>, username: &str, times: u32) {
        for _ in 0..times {
            lockout.failed(address, username);
        }
    }

    #[test]
    fn an_address_that_fails_too_often_is_locked_out_and_no_other() {
        let lockout = Lockout::default();
        fail(&lockout, AWAY, "admin", 90);
        assert!(!lockout.is_locked(AWAY, "admin"));
        fail(&lockout, AWAY, "alice", 20);
        assert!(lockout.is_locked(AWAY, "admin"));
        assert!(!lockout.is_locked(HOME, "admin"));
        assert!(!lockout.is_locked(None, "admin"));
    }

    #[test]
    fn a_user_who_is_guessed_at_from_everywhere_still_comes_in_from_home() {
        let lockout = Lockout::default();
        lockout.came_in(HOME, "admin");
        for last in 0..60 {
            let address = Some(IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, last)));
            fail(&lockout, address, "admin", 10);
        }
        assert!(lockout.is_locked(AWAY, "admin"));
        assert!(!lockout.is_locked(HOME, "admin"));
        assert!(!lockout.is_locked(AWAY, "alice"));
    }
}
