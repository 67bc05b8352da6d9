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
//! out only if nothing is lost by it: it has the same payer and the same number, is not longer, and is
//! the only one. What was not answered, or is internal, costs nothing, so that beside such a first one
//! the second is the call. One without a first is none by itself: the first may come with the next
//! import, and both would be billed.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
};

use jiff::{SignedDuration, Timestamp};

use super::{Call, CallItem, CallOptions, Leg, Party, Problem};

/// Legs of the files of one import, in whatever order they come.
#[derive(Debug, Default)]
pub struct Legs {
    hasher: RandomState,
    /// What is known to be a B leg, by the hash of its id, with that of who named it.
    named: HashMap<u64, Option<u64>>,
    /// The ids and channels of calls that are none, hashed.
    billed: HashSet<u64>,
    /// What might be a B leg, by the hash of its id, each with its file.
    waiting: HashMap<u64, Vec<(usize, Box<Call>)>>,
    /// Calls through Local channels, by the hash of the channel's name.
    outer: HashMap<u64, Vec<Outer>>,
    /// What began on the other end of a Local channel, with the hash of its name and its file.
    inner: Vec<(u64, usize, Box<Call>)>,
    /// Local channels of which a record up to the first end was refused, and was left out as internal.
    refused: HashSet<u64>,
    internal: HashSet<u64>,
    /// What is refused at the end.
    wrong: Vec<(usize, Box<Call>, Problem)>,
    /// Whose B legs were left out, hashed.
    left_out: Vec<Option<u64>>,
}

/// A call that went on through a Local channel.
#[derive(Debug)]
struct Outer {
    from: Timestamp,
    till: Timestamp,
    billsec_ms: i64,
    /// Who pays, in small letters, and the number, hashed.
    payer: u64,
    destination: u64,
    /// Whether an answered record of the other end was left out for it.
    is_matched: bool,
}

/// What a record of the other end of a Local channel is.
enum OtherEnd {
    /// No more than the first record says.
    Same,
    /// The call: the first record costs nothing.
    Call,
    /// Nobody can tell: there is no first record.
    Lone,
    /// Another call than that of the first record.
    Another,
    /// More than the first record says.
    Longer,
}

/// How many B legs were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// All of them.
    pub b_legs: usize,
    /// Those whose A leg is in none of the files.
    pub without_a_leg: usize,
    /// How many calls were taken that began on the second end of a Local channel whose first end has no
    /// record here ([`CallOptions::take_lone_legs`]).
    pub lone_local_ends: usize,
}

impl Legs {
    /// Takes a call; returns it if it is one, and `None` if it is a B leg, or may turn out to be.
    pub fn take(&mut self, file: usize, call: Box<Call>) -> Option<Box<Call>> {
        let id = self.key(&call.ids.unique);
        match &call.leg {
            Leg::Unsaid => {}
            Leg::A(b_leg) => {
                let b_leg = self.key(b_leg);
                if self.named.get(&id).copied().flatten() == Some(b_leg) && b_leg != id {
                    self.wrong.push((file, call, Problem::MutualLegs));
                    return None;
                }
                self.name(b_leg, Some(id));
            }
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
            Leg::Lone { .. } if self.named.contains_key(&id) => {
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
        self.name(self.key(id), None);
        self.left_out.push(Some(self.key(of)));
    }

    /// A record up to the first end of a Local channel is no call: it was refused, or is an internal
    /// one.
    pub fn no_outer(&mut self, local: &str, is_refused: bool) {
        let local = self.key(local);
        if is_refused {
            self.refused.insert(local)
        } else {
            self.internal.insert(local)
        };
    }

    /// What has waited to the end, in the order in which it was read, each with its file: calls, and
    /// answered legs of which nobody can tell.
    #[must_use]
    pub fn finish(mut self, options: &CallOptions) -> (Vec<(usize, CallItem)>, LeftOut) {
        let mut waiting: Vec<_> =
            std::mem::take(&mut self.waiting).into_values().flatten().collect();
        let lone_local_ends = self.sort_inner(options, &mut waiting);
        for (_, call) in &waiting {
            self.is_a_leg(call);
        }
        let of_nobody = |of: &&Option<u64>| of.is_some_and(|of| !self.billed.contains(&of));
        let left_out = LeftOut {
            b_legs: self.left_out.len(),
            without_a_leg: self.left_out.iter().filter(of_nobody).count(),
            lone_local_ends,
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
        let wrong = std::mem::take(&mut self.wrong);
        let wrong = wrong.into_iter().map(|(file, call, problem)| (file, call, Some(problem)));
        let mut read: Vec<_> = waited.chain(wrong).collect();
        read.sort_by_key(|(file, call, _)| (*file, call.span.first));
        let items = read.into_iter().map(|(file, call, problem)| match problem {
            None => (file, CallItem::Call(call)),
            Some(problem) => {
                let Call { span, ids, .. } = *call;
                (file, CallItem::Refused { span, problem, text: ids.unique, outer: None })
            }
        });
        (items.collect(), left_out)
    }

    /// Sorts out what began on the other end of a Local channel: what is a call waits with the others.
    /// Returns how many of these have no first end.
    fn sort_inner(
        &mut self,
        options: &CallOptions,
        waiting: &mut Vec<(usize, Box<Call>)>,
    ) -> usize {
        let mut lone = 0;
        for (local, file, call) in std::mem::take(&mut self.inner) {
            let problem = match self.other_end(local, &call) {
                OtherEnd::Same => {
                    self.left_out.push(None);
                    continue;
                }
                OtherEnd::Call => None,
                OtherEnd::Another => Some(Problem::OtherLocalEnd),
                OtherEnd::Longer => Some(Problem::LongerLocalEnd),
                OtherEnd::Lone => Some(Problem::LoneLocalEnd),
            };
            let is_taken = options.take_lone_legs
                && match problem {
                    Some(Problem::OtherLocalEnd) => true,
                    // What was refused is mended, and comes.
                    Some(Problem::LoneLocalEnd) => !self.refused.contains(&local),
                    _ => false,
                };
            match problem {
                Some(problem) if !is_taken => self.wrong.push((file, call, problem)),
                problem => {
                    lone += usize::from(problem == Some(Problem::LoneLocalEnd));
                    waiting.push((file, call));
                }
            }
        }
        lone
    }

    fn key(&self, id: &str) -> u64 {
        self.hasher.hash_one(id)
    }

    /// A leg is said to be a B leg: so are the records of it that wait.
    fn name(&mut self, b_leg: u64, by: Option<u64>) {
        let named = self.named.entry(b_leg).or_default();
        *named = named.or(by);
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
            payer: self.key(&payer_of(call)),
            destination: self.key(&call.destination),
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
        let mut under_way = calls
            .filter(|outer| outer.from - SECOND <= start && start <= outer.till + SECOND)
            .peekable();
        if under_way.peek().is_none() {
            // What was not answered costs nothing, whatever it is.
            let is_known = inner.billsec_ms == 0 || self.internal.contains(&local);
            return if is_known { OtherEnd::Call } else { OtherEnd::Lone };
        }
        let mut billed = under_way.filter(|outer| outer.billsec_ms > 0).peekable();
        if billed.peek().is_none() {
            return OtherEnd::Call;
        }
        if inner.billsec_ms == 0 {
            return OtherEnd::Same;
        }
        let mut alike = billed
            .filter(|outer| outer.payer == inner.payer && outer.destination == inner.destination)
            .peekable();
        if alike.peek().is_none() {
            return OtherEnd::Another;
        }
        let is_longer = |outer: &Outer| inner.billsec_ms > outer.billsec_ms + 1_000;
        alike.find(|outer| !outer.is_matched && !is_longer(outer)).map_or(
            OtherEnd::Longer,
            |outer| {
                outer.is_matched = true;
                OtherEnd::Same
            },
        )
    }

    fn is_a_leg(&mut self, call: &Call) {
        // Who writes no ids of other legs names their channels.
        for name in [&call.ids.unique, &call.originator.channel] {
            let key = self.key(name);
            self.billed.insert(key);
        }
    }
}

/// Who pays for a call, as far as a file says it.
fn payer_of(call: &Call) -> String {
    let Party { name, point, point_id, .. } = &call.originator;
    match (name.as_str(), point_id) {
        ("", Some(id)) => format!("point {id}"),
        ("", None) => format!("point {point}"),
        (name, _) => name.to_lowercase(),
    }
}
