//! The two legs of a call of FreeSWITCH's, each of which may have a record (`legs = ab`): the A leg
//! is billed.
//!
//! Some formats say of a record that it is of a B leg. In others only the A leg says it, by the id
//! of its B leg, and the record of that leg may come before it, after it, or in another file. So
//! what might be a B leg waits until it is named, or until nothing more comes.
//!
//! Asterisk writes two records of a call that was dialled through a Local channel, too: one up to its
//! end `;1`, and one from its end `;2`. Where both are there and the second began while the first was
//! under way (names of channels come again after a restart), the first is the call. The second is left
//! out only if nothing is lost by it: it has the same payer, is not longer, and is the only one. What
//! was not answered costs nothing, so that beside such a first one the second is the call.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
};

use jiff::{SignedDuration, Timestamp};

use super::{Call, CallItem, CallOptions, Leg, Problem};

/// Legs of the files of one import, in whatever order they come.
#[derive(Debug, Default)]
pub struct Legs {
    hasher: RandomState,
    /// What is known to be a B leg, by the hash of its id.
    named: HashSet<u64>,
    /// The ids and channels of calls that are none, hashed.
    billed: HashSet<u64>,
    /// What might be a B leg, by the hash of its id, each with its file.
    waiting: HashMap<u64, Vec<(usize, Box<Call>)>>,
    /// Calls through Local channels, by the hash of the channel's name.
    outer: HashMap<u64, Vec<Outer>>,
    /// What began on the other end of a Local channel, with the hash of its name and its file.
    inner: Vec<(u64, usize, Box<Call>)>,
    /// Whose B legs were left out, hashed.
    left_out: Vec<Option<u64>>,
}

/// A call that went on through a Local channel.
#[derive(Debug)]
struct Outer {
    from: Timestamp,
    till: Timestamp,
    billsec_ms: i64,
    /// Who pays, in small letters, hashed.
    payer: u64,
    /// Whether an answered record of the other end was left out for it.
    is_matched: bool,
}

/// What a record of the other end of a Local channel is.
enum OtherEnd {
    /// No more than the first record says.
    Same,
    /// The call: there is no first record, or none that is billed.
    Call,
    /// Something else than the first record says.
    Different,
}

/// How many B legs were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// All of them.
    pub b_legs: usize,
    /// Those whose A leg is in none of the files.
    pub without_a_leg: usize,
}

impl Legs {
    /// Takes a call; returns it if it is one, and `None` if it is a B leg, or may turn out to be.
    pub fn take(&mut self, file: usize, call: Box<Call>) -> Option<Box<Call>> {
        let id = self.key(&call.ids.unique);
        match &call.leg {
            Leg::Unsaid => {}
            Leg::A(b_leg) => self.name(b_leg),
            Leg::Outer(local) => self.goes_on(local, &call),
            Leg::Inner { local, onward } => {
                if let Some(onward) = onward {
                    self.goes_on(onward, &call);
                }
                let local = self.key(local);
                self.inner.push((local, file, call));
                return None;
            }
            // Of one that is named by its A leg, the A leg is there.
            Leg::Lone { .. } if self.named.contains(&id) => {
                self.left_out.push(None);
                return None;
            }
            Leg::Lone { .. } => {
                self.waiting.entry(id).or_default().push((file, call));
                return None;
            }
        }
        // Asterisk's name no other legs.
        if !call.attempts {
            self.is_a_leg(&call);
        }
        Some(call)
    }

    /// Leaves out a record that says by itself that it is of a B leg.
    pub fn leave_out(&mut self, id: &str, of: &str) {
        self.name(id);
        self.left_out.push(Some(self.key(of)));
    }

    /// What has waited to the end, in the order in which it was read, each with its file: calls, and
    /// answered legs of which nobody can tell.
    #[must_use]
    pub fn finish(mut self, options: &CallOptions) -> (Vec<(usize, CallItem)>, LeftOut) {
        let mut waiting: Vec<_> =
            std::mem::take(&mut self.waiting).into_values().flatten().collect();
        let mut different = Vec::new();
        for (local, file, call) in std::mem::take(&mut self.inner) {
            match self.other_end(local, &call) {
                OtherEnd::Same => self.left_out.push(None),
                OtherEnd::Call => waiting.push((file, call)),
                OtherEnd::Different => different.push((file, call)),
            }
        }
        for (_, call) in &waiting {
            self.is_a_leg(call);
        }
        let of_nobody = |of: &&Option<u64>| of.is_some_and(|of| !self.billed.contains(&of));
        let left_out = LeftOut {
            b_legs: self.left_out.len(),
            without_a_leg: self.left_out.iter().filter(of_nobody).count(),
        };
        // What was not answered costs nothing, whichever leg it is.
        let is_refused = |call: &Call| {
            call.leg == Leg::Lone { is_a: false }
                && call.billsec_ms != Some(0)
                && !options.take_lone_legs
        };
        let waited = waiting.into_iter().map(|(file, call)| {
            let problem = is_refused(&call).then_some(Problem::LoneLeg);
            (file, call, problem)
        });
        let different =
            different.into_iter().map(|(file, call)| (file, call, Some(Problem::OtherLocalEnd)));
        let mut read: Vec<_> = waited.chain(different).collect();
        read.sort_by_key(|(file, call, _)| (*file, call.span.first));
        let items = read.into_iter().map(|(file, call, problem)| match problem {
            None => (file, CallItem::Call(call)),
            Some(problem) => {
                let Call { span, ids, .. } = *call;
                (file, CallItem::Refused { span, problem, text: ids.unique })
            }
        });
        (items.collect(), left_out)
    }

    fn key(&self, id: &str) -> u64 {
        self.hasher.hash_one(id)
    }

    /// A leg is said to be a B leg: so are the records of it that wait.
    fn name(&mut self, b_leg: &str) {
        let b_leg = self.key(b_leg);
        self.named.insert(b_leg);
        let waited = self.waiting.remove(&b_leg).map_or(0, |legs| legs.len());
        self.left_out.extend(std::iter::repeat_n(None, waited));
    }

    /// A call goes on through a Local channel.
    fn goes_on(&mut self, local: &str, call: &Call) {
        let (local, outer) = (self.key(local), self.outer_of(call));
        self.outer.entry(local).or_default().push(outer);
    }

    /// A call as what goes on through a Local channel.
    fn outer_of(&self, call: &Call) -> Outer {
        Outer {
            from: call.start_time,
            till: call.end_time.unwrap_or(call.start_time),
            billsec_ms: call.billsec_ms.unwrap_or_default(),
            payer: self.key(&call.originator.name.to_lowercase()),
            is_matched: false,
        }
    }

    /// What the record of the other end of a Local channel is.
    fn other_end(&mut self, local: u64, call: &Call) -> OtherEnd {
        // Times of records are whole seconds, each rounded for itself.
        const SECOND: SignedDuration = SignedDuration::from_secs(1);
        let inner = self.outer_of(call);
        let start = inner.from;
        let calls = self.outer.entry(local).or_default().iter_mut();
        let mut billed = calls
            .filter(|outer| {
                outer.billsec_ms > 0 && outer.from - SECOND <= start && start <= outer.till + SECOND
            })
            .peekable();
        if billed.peek().is_none() {
            return OtherEnd::Call;
        }
        if inner.billsec_ms == 0 {
            return OtherEnd::Same;
        }
        let first = billed.find(|outer| {
            let is_longer = inner.billsec_ms > outer.billsec_ms + 1_000;
            !outer.is_matched && outer.payer == inner.payer && !is_longer
        });
        first.map_or(OtherEnd::Different, |outer| {
            outer.is_matched = true;
            OtherEnd::Same
        })
    }

    fn is_a_leg(&mut self, call: &Call) {
        // Who writes no ids of other legs names their channels.
        for name in [&call.ids.unique, &call.originator.channel] {
            let key = self.key(name);
            self.billed.insert(key);
        }
    }
}
