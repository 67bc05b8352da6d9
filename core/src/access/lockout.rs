//! Whoever guesses too often is locked out for a while.
//!
//! Wrong hashes, unknown logins and wrong passwords count against the network that they come
//! from and against the user whom they name. Normal clients try two or three hashes in a row,
//! and misconfigured ones go on doing so: the limits are far above that.
//!
//! Devices that ask for a balance by their name or password are counted apart: behind one address
//! there may be thousands, of which some ask for what is not there all day long.
//!
//! A hash cannot be guessed like a password, and a portal's address is that of all its visitors:
//! whoever sends a right one is let in whatever was counted, and what is locked hears no more
//! than that a hash is wrong. Passwords can be guessed, so a locked address or user is not even
//! looked at. A user who is being guessed at from everywhere is locked for strangers only:
//! addresses from which they came in before have a count of their own.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use dashmap::DashMap;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use crate::ids::UserId;

/// How many failures there may be at once, and how soon one of them is forgotten.
#[derive(Clone, Copy)]
struct Limit {
    burst: u32,
    forgotten_after: Duration,
}

/// Of an address, and of a user at an address that is known as theirs.
const PER_ADDRESS: Limit = Limit { burst: 100, forgotten_after: Duration::from_secs(1) };
/// Of a user, from all addresses that are not known as theirs.
const PER_USER: Limit = Limit { burst: 500, forgotten_after: Duration::from_millis(200) };
/// Of one name or password by which a device asks for a balance, at an address: a device that has a
/// wrong one goes on asking.
const PER_DOOR: Limit = Limit { burst: 10, forgotten_after: Duration::from_secs(60) };
/// Of all of them at an address, by which they are guessed.
const ALL_DOORS: Limit = Limit { burst: 500, forgotten_after: Duration::from_millis(500) };
/// Of names, passwords and PINs that a caller chose for devices, and that belong to somebody of whom he
/// is to know nothing.
const CHOICES: Limit = Limit { burst: 10, forgotten_after: Duration::from_secs(600) };
/// Of registrations from an address, which count though they are no failures.
const REGISTRATIONS: Limit = Limit { burst: 60, forgotten_after: Duration::from_secs(10) };
/// How long somebody is locked out.
const LOCKED: Duration = Duration::from_secs(60);
/// How long an address is known as a user's own.
const KNOWN: Duration = Duration::from_secs(7 * 24 * 3600);
/// How many addresses are known at most; the rest are strangers.
const MAX_KNOWN: usize = 100_000;
/// How many counts are kept at most.
const MAX_COUNTS: usize = 100_000;
/// Names are as long as an attacker likes; users' are not.
const LONGEST_NAME: usize = 255;

/// What one client can have at once: an IPv4 address, or the 64 bits of an IPv6 network, which
/// is the smallest that is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Network {
    V4([u8; 4]),
    V6(u128),
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => Self::V6(address.to_bits() >> 64),
        }
    }
}

/// Whom failures count against.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Culprit {
    Address(Network),
    /// A user, from addresses that are not known as theirs.
    User(String),
    /// A user at an address that is known as theirs.
    AtHome(Network, String),
    /// An address from which users register.
    Registering(Network),
    /// What a device says to ask for a balance, at its address.
    Door(Network, Guess),
    /// All that devices at an address say.
    Doors(Network),
    /// Somebody who chooses credentials of devices.
    Choosing(UserId),
}

impl Culprit {
    fn limit(&self) -> Limit {
        match self {
            Self::Address(_) | Self::AtHome(..) => PER_ADDRESS,
            Self::User(_) => PER_USER,
            Self::Registering(_) => REGISTRATIONS,
            Self::Door(..) => PER_DOOR,
            Self::Doors(_) => ALL_DOORS,
            Self::Choosing(_) => CHOICES,
        }
    }
}

/// What was said, as no log and no memory dump tells it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Guess([u8; 32]);

impl std::fmt::Debug for Guess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guess")
    }
}

/// The failures of one culprit.
struct Count {
    limit: Limit,
    /// When the last failure is forgotten: each adds to it, so how far ahead it is says how many
    /// there are.
    forgotten_at: Instant,
    locked_until: Option<Instant>,
    /// Attempts that are being checked. Each may turn out a failure, and is counted as one until
    /// then, so that guesses which come at once are no more than guesses one by one.
    pending: u32,
}

/// Whether an attempt may be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Free,
    /// Not before one of the attempts that are being checked is through.
    Busy,
    Locked,
}

impl Count {
    fn new(limit: Limit, now: Instant) -> Self {
        Self { limit, forgotten_at: now, locked_until: None, pending: 0 }
    }

    fn is_locked(&self, now: Instant) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }

    /// Whether as many failures are remembered, counting this many more.
    fn reaches(&self, failures: u32, more: u32, now: Instant) -> bool {
        let remembered = self.forgotten_at.saturating_duration_since(now);
        remembered + self.limit.forgotten_after * more > self.limit.forgotten_after * (failures - 1)
    }

    fn room(&self, now: Instant) -> Room {
        if self.is_locked(now) || self.reaches(self.limit.burst, 0, now) {
            Room::Locked
        } else if self.reaches(self.limit.burst, self.pending, now) {
            Room::Busy
        } else {
            Room::Free
        }
    }

    /// Counts a failure. Returns whether that was one too many.
    fn fail(&mut self, now: Instant) -> bool {
        self.forgotten_at = self.forgotten_at.max(now) + self.limit.forgotten_after;
        let too_many = self.reaches(self.limit.burst, 0, now);
        let begins = too_many && !self.is_locked(now);
        if too_many {
            self.locked_until = Some(now + LOCKED);
        }
        begins
    }

    /// Whether forgetting it would make no difference.
    fn is_idle(&self, now: Instant) -> bool {
        self.pending == 0 && !self.is_locked(now) && self.forgotten_at <= now
    }
}

/// Who is locked out, and who is on the way there.
#[derive(Default)]
pub(crate) struct Lockout {
    counts: DashMap<Culprit, Count>,
    known: DashMap<(Network, String), Instant>,
    /// An attempt is through.
    settled: Notify,
}

/// A guess that is being checked. It counts as a failure unless it is given back, also where
/// nobody waits for the answer any more.
pub(crate) struct Attempt<'a> {
    lockout: &'a Lockout,
    culprits: Vec<Culprit>,
    counts: bool,
}

impl Attempt<'_> {
    /// The guess was right, or could not be checked, and does not count.
    pub(crate) fn give_back(mut self) {
        self.counts = false;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        for culprit in &self.culprits {
            let Some(mut count) = self.lockout.counts.get_mut(culprit) else { continue };
            count.pending = count.pending.saturating_sub(1);
            if self.counts && count.fail(now) {
                tracing::warn!(?culprit, "locked out for too many failures");
            }
        }
        self.lockout.settled.notify_waiters();
    }
}

impl Lockout {
    /// Takes the place of a guess that is about to be checked: at a user's password, or at a
    /// secret that says itself whose it is. `None` if whoever guesses is locked out. It does not
    /// count by address where it came through somebody who has proven themselves, as a portal
    /// that asks for all its visitors.
    pub(crate) async fn attempt(
        &self,
        address: Option<IpAddr>,
        username: Option<&str>,
        counts_by_address: bool,
    ) -> Option<Attempt<'_>> {
        self.place(self.culprits(address, username, counts_by_address)).await
    }

    /// Takes the place of a device that asks for a balance by what it says. `None` if that was wrong too
    /// often, or if too much was at its address.
    pub(super) async fn at_the_door(
        &self,
        address: Option<IpAddr>,
        said: &str,
    ) -> Option<Attempt<'_>> {
        let network = address.map(Network::from);
        let guess = || Guess(Sha256::digest(said).into());
        // What is known to be wrong is turned away first, and does not count against the rest.
        let culprits = network
            .into_iter()
            .flat_map(|network| [Culprit::Door(network, guess()), Culprit::Doors(network)]);
        self.place(culprits.collect()).await
    }

    /// Takes the place of a choice of a device's credentials, which counts unless it is given back: as
    /// one that told the caller of somebody else's. `None` if there were too many of those.
    pub(crate) async fn choice(&self, caller: UserId) -> Option<Attempt<'_>> {
        self.place(vec![Culprit::Choosing(caller)]).await
    }

    async fn place(&self, culprits: Vec<Culprit>) -> Option<Attempt<'_>> {
        loop {
            let mut settled = std::pin::pin!(self.settled.notified());
            // From now on, so that nothing is missed in between.
            settled.as_mut().enable();
            match self.reserve(&culprits) {
                Room::Free => return Some(Attempt { lockout: self, culprits, counts: true }),
                Room::Locked => return None,
                Room::Busy => settled.await,
            }
        }
    }

    /// Takes the place of a registration, which counts unless it is given back. `None` if there were too
    /// many from the address.
    pub(crate) fn registration(&self, address: Option<IpAddr>) -> Option<Attempt<'_>> {
        let culprits: Vec<_> =
            address.map(Network::from).map(Culprit::Registering).into_iter().collect();
        match self.reserve(&culprits) {
            Room::Free => Some(Attempt { lockout: self, culprits, counts: true }),
            Room::Busy | Room::Locked => None,
        }
    }

    /// Somebody failed to prove who they are, by what cannot be guessed. Returns whether they were
    /// locked out before, and are to hear no more than that.
    pub(super) fn failed(&self, address: Option<IpAddr>, username: &str) -> bool {
        let now = Instant::now();
        let culprits = self.culprits(address, Some(username), true);
        let is_locked = |culprit: &Culprit| {
            self.counts.get(culprit).is_some_and(|count| count.room(now) == Room::Locked)
        };
        if culprits.iter().any(is_locked) {
            return true;
        }
        for culprit in culprits {
            self.make_room();
            let limit = culprit.limit();
            let mut count = self.counts.entry(culprit).or_insert_with(|| Count::new(limit, now));
            if count.fail(now) {
                tracing::warn!(culprit = ?count.key(), "locked out for too many failures");
            }
        }
        false
    }

    /// A user came in from an address.
    pub(super) fn came_in(&self, address: Option<IpAddr>, username: &str) {
        let Some(address) = address else { return };
        let key = (Network::from(address), username.to_owned());
        let is_fresh = |since: &Instant| since.elapsed() < KNOWN / 2;
        if self.known.get(&key).is_some_and(|since| is_fresh(&since)) {
            return;
        }
        if self.known.len() >= MAX_KNOWN {
            self.known.retain(|_, since| since.elapsed() < KNOWN);
        }
        if self.known.len() < MAX_KNOWN {
            self.known.insert(key, Instant::now());
        }
    }

    fn culprits(
        &self,
        address: Option<IpAddr>,
        username: Option<&str>,
        counts_by_address: bool,
    ) -> Vec<Culprit> {
        let network = address.map(Network::from);
        let by_address = network.filter(|_| counts_by_address).map(Culprit::Address);
        let username = username.filter(|name| (1..=LONGEST_NAME).contains(&name.len()));
        let by_user = username.map(str::to_owned).map(|name| match network {
            Some(network) if self.is_known(network, &name) => Culprit::AtHome(network, name),
            _ => Culprit::User(name),
        });
        by_address.into_iter().chain(by_user).collect()
    }

    fn is_known(&self, network: Network, username: &str) -> bool {
        let since = self.known.get(&(network, username.to_owned()));
        since.is_some_and(|since| since.elapsed() < KNOWN)
    }

    /// Takes a place with all of some culprits, or with none.
    fn reserve(&self, culprits: &[Culprit]) -> Room {
        let now = Instant::now();
        for (taken, culprit) in culprits.iter().enumerate() {
            self.make_room();
            let limit = culprit.limit();
            let mut count =
                self.counts.entry(culprit.clone()).or_insert_with(|| Count::new(limit, now));
            let room = count.room(now);
            if room == Room::Free {
                count.pending += 1;
                continue;
            }
            drop(count);
            for culprit in &culprits[..taken] {
                if let Some(mut count) = self.counts.get_mut(culprit) {
                    count.pending = count.pending.saturating_sub(1);
                }
            }
            return room;
        }
        Room::Free
    }

    /// Forgets counts when there are too many: those that make no difference; or else those that
    /// are far from a lock; or else all but those of attempts that are being checked. Whoever has
    /// so many addresses is not held up by a count of each.
    fn make_room(&self) {
        if self.counts.len() < MAX_COUNTS {
            return;
        }
        let now = Instant::now();
        self.counts.retain(|_, count| !count.is_idle(now));
        if self.counts.len() >= MAX_COUNTS {
            self.counts.retain(|_, count| {
                let far = !count.reaches(count.limit.burst / 2, 0, now) && !count.is_locked(now);
                count.pending > 0 || !far
            });
        }
        if self.counts.len() >= MAX_COUNTS {
            self.counts.retain(|_, count| count.pending > 0);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    #[allow(clippy::unnecessary_wraps, reason = "as a request has it")]
    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    const HOME: &str = "192.0.2.1";
    const AWAY: &str = "198.51.100.9";

    fn fail(lockout: &Lockout, from: &str, username: &str, times: u32) {
        for _ in 0..times {
            lockout.failed(address(from), username);
        }
    }

    async fn is_locked(lockout: &Lockout, from: Option<IpAddr>, username: &str) -> bool {
        let attempt = lockout.attempt(from, Some(username), true).await;
        attempt.map(Attempt::give_back).is_none()
    }

    #[tokio::test]
    async fn an_address_that_fails_too_often_is_locked_out_and_no_other() {
        let lockout = Lockout::default();
        fail(&lockout, AWAY, "admin", 90);
        assert!(!is_locked(&lockout, address(AWAY), "admin").await);
        fail(&lockout, AWAY, "alice", 20);
        assert!(is_locked(&lockout, address(AWAY), "admin").await);
        assert!(lockout.failed(address(AWAY), "bob"), "and hears no more than that");
        assert!(!is_locked(&lockout, address(HOME), "admin").await);
        assert!(!is_locked(&lockout, None, "admin").await);
    }

    #[tokio::test]
    async fn a_user_who_is_guessed_at_from_everywhere_still_comes_in_from_home() {
        let lockout = Lockout::default();
        lockout.came_in(address(HOME), "admin");
        for last in 0..60 {
            fail(&lockout, &format!("203.0.113.{last}"), "admin", 10);
        }
        assert!(is_locked(&lockout, address(AWAY), "admin").await);
        assert!(!is_locked(&lockout, address(HOME), "admin").await);
        assert!(!is_locked(&lockout, address(AWAY), "alice").await);
        // But nobody guesses without an end from there either.
        fail(&lockout, HOME, "admin", 110);
        assert!(is_locked(&lockout, address(HOME), "admin").await);
    }

    #[tokio::test]
    async fn registrations_of_an_address_are_counted_apart_from_its_failures() {
        let lockout = Lockout::default();
        let registered = (0..100).filter(|_| lockout.registration(address(AWAY)).is_some()).count();
        assert!((59..=61).contains(&registered), "{registered}");
        assert!(lockout.registration(address(HOME)).is_some());
        assert!(!is_locked(&lockout, address(AWAY), "admin").await);
    }

    #[tokio::test]
    async fn a_device_with_a_wrong_name_shuts_nobody_else_out() {
        let lockout = Lockout::default();
        for _ in 0..2_000 {
            drop(lockout.at_the_door(address(AWAY), "mistyped").await);
        }
        assert!(lockout.at_the_door(address(AWAY), "mistyped").await.is_none());
        lockout.at_the_door(address(AWAY), "2001").await.unwrap().give_back();
        lockout.at_the_door(address(HOME), "mistyped").await.unwrap().give_back();
        // Whoever guesses one after another is stopped all the same, and by that nobody who logs in.
        let mut guesses = 0;
        while let Some(attempt) = lockout.at_the_door(address(AWAY), &guesses.to_string()).await {
            drop(attempt);
            guesses += 1;
        }
        assert!((480..=510).contains(&guesses), "{guesses}");
        assert!(lockout.at_the_door(address(AWAY), "2001").await.is_none());
        lockout.at_the_door(address(HOME), "2001").await.unwrap().give_back();
        assert!(!is_locked(&lockout, address(AWAY), "admin").await);
    }

    #[tokio::test]
    async fn choices_that_tell_of_somebody_else_are_few() {
        let lockout = Lockout::default();
        for _ in 0..100 {
            lockout.choice(UserId(7)).await.unwrap().give_back();
        }
        let mut told = 0;
        while let Some(attempt) = lockout.choice(UserId(7)).await {
            drop(attempt);
            told += 1;
        }
        assert_eq!(told, 10);
        lockout.choice(UserId(8)).await.unwrap().give_back();
    }

    #[tokio::test]
    async fn f18_an_ipv6_network_is_one_guesser() {
        let lockout = Lockout::default();
        for last in 0..110 {
            fail(&lockout, &format!("2001:db8:1:2::{last:x}"), "admin", 1);
        }
        assert!(is_locked(&lockout, address("2001:db8:1:2:ffff::1"), "alice").await);
        assert!(!is_locked(&lockout, address("2001:db8:1:3::1"), "alice").await);
        fail(&lockout, "::ffff:198.51.100.9", "admin", 110);
        assert!(is_locked(&lockout, address(AWAY), "alice").await, "the same in another spelling");
    }

    /// 480 at once are looked at like 480 one after the other: the first hundred, and no more.
    #[tokio::test(flavor = "multi_thread")]
    async fn f18_the_limit_holds_for_guesses_at_once() {
        let lockout = Arc::new(Lockout::default());
        let (checked, refused) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let mut guesses = tokio::task::JoinSet::new();
        for _ in 0..480 {
            let (lockout, checked, refused) = (lockout.clone(), checked.clone(), refused.clone());
            guesses.spawn(async move {
                match lockout.attempt(address(AWAY), Some("admin"), true).await {
                    None => refused.fetch_add(1, Ordering::Relaxed),
                    Some(attempt) => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        drop(attempt);
                        checked.fetch_add(1, Ordering::Relaxed)
                    }
                };
            });
        }
        guesses.join_all().await;
        let checked = checked.load(Ordering::Relaxed);
        // A slow machine may forget one or the other meanwhile.
        assert!((PER_ADDRESS.burst..PER_ADDRESS.burst + 10).contains(&checked), "{checked}");
        assert_eq!(refused.load(Ordering::Relaxed), 480 - checked);
    }

    /// A crowd that knows its passwords waits for its turn, and is let in to the last.
    #[tokio::test(flavor = "multi_thread")]
    async fn f18_right_attempts_at_once_are_all_let_in() {
        let lockout = Arc::new(Lockout::default());
        let mut attempts = tokio::task::JoinSet::new();
        for number in 0..480 {
            let lockout = lockout.clone();
            attempts.spawn(async move {
                let name = format!("user{number}");
                let attempt = lockout.attempt(address(AWAY), Some(&name), true).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
                attempt.map(Attempt::give_back).is_some()
            });
        }
        assert!(attempts.join_all().await.into_iter().all(|let_in| let_in));
    }

    #[tokio::test]
    async fn f18_the_memory_of_counts_is_bounded() {
        let lockout = Lockout::default();
        fail(&lockout, AWAY, "admin", 110);
        for number in 0..(u32::try_from(MAX_COUNTS).unwrap() + 5_000) {
            let from = IpAddr::V4((number + 0x0a00_0000).into());
            lockout.failed(Some(from), &format!("guess{number}"));
        }
        assert!(lockout.counts.len() <= MAX_COUNTS + 2);
        assert!(is_locked(&lockout, address(AWAY), "admin").await, "what is locked stays locked");
    }
}
