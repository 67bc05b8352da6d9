//! The changes of a deck, one by one, for a person who wants to see them.

use rust_decimal::{Decimal, RoundingStrategy};
use tollbook_proto::v1::{self as pb, ImportRatesOptions, RateChange, RateChangeKind};

use super::{Rate, lines::Lines, store};
use crate::{
    clock,
    error::{Error, Result},
    money,
    rating::DeckRate,
    store::Tx,
};

const MOST: usize = 1_000_000;

/// How many changes of each kind are asked for.
pub(super) fn listed_changes(options: &ImportRatesOptions) -> Result<usize> {
    let most = usize::try_from(options.listed_changes).ok().filter(|most| *most <= MOST);
    most.ok_or_else(|| Error::invalid("options.listed_changes", "must be 0 to 1000000"))
}

/// What changes: a line of the deck sets it, or it is of a prefix.
#[derive(Clone, Copy)]
pub(super) enum Subject<'a> {
    Line(usize),
    Prefix(&'a str),
}

/// The first changes of each kind.
pub(super) struct Listing {
    most: usize,
    counts: [usize; 8],
    /// In the order in which they were found, which is that of prefixes.
    listed: Vec<Listed>,
}

struct Listed {
    kind: RateChangeKind,
    /// Its line; none: `prefix` says what it is of.
    at: Option<usize>,
    prefix: String,
    before: Option<DeckRate>,
    after: Option<DeckRate>,
}

impl Listing {
    pub(super) fn new(most: usize) -> Self {
        Self { most, counts: [0; 8], listed: Vec::new() }
    }

    /// Takes in a change, if there is room for one of its kind.
    pub(super) fn add(
        &mut self,
        kind: RateChangeKind,
        subject: Subject<'_>,
        before: Option<&DeckRate>,
        after: Option<&DeckRate>,
    ) {
        let count = &mut self.counts[kind as usize];
        if *count >= self.most {
            return;
        }
        *count += 1;
        let (at, prefix) = match subject {
            Subject::Line(at) => (Some(at), String::new()),
            Subject::Prefix(prefix) => (None, prefix.to_owned()),
        };
        let (before, after) = (before.cloned(), after.cloned());
        self.listed.push(Listed { kind, at, prefix, before, after });
    }

    /// The changes by their prefixes.
    pub(super) fn finish(mut self, lines: &Lines) -> Vec<RateChange> {
        self.listed.sort_by(|one, other| one.prefix(lines).cmp(other.prefix(lines)));
        self.listed.into_iter().map(|listed| listed.change(lines)).collect()
    }
}

impl Listed {
    fn prefix<'a>(&'a self, lines: &'a Lines) -> &'a str {
        self.at.map_or(&self.prefix, |at| lines.prefix(at))
    }

    fn change(self, lines: &Lines) -> RateChange {
        let Self { kind, at, before, after, .. } = &self;
        let change = change(*kind, before.as_ref(), after.as_ref());
        match at {
            Some(at) => of_line(change, lines, *at),
            None => RateChange { prefix: self.prefix, ..change },
        }
    }
}

/// A change that a line makes.
pub(super) fn of_line(change: RateChange, lines: &Lines, at: usize) -> RateChange {
    RateChange {
        prefix: lines.prefix(at).to_owned(),
        destination: lines.name(at).to_owned(),
        number: lines.number(at),
        file: lines.file(at).to_owned(),
        ..change
    }
}

/// A change of one rate to another one.
pub(super) fn change(
    kind: RateChangeKind,
    before: Option<&DeckRate>,
    after: Option<&DeckRate>,
) -> RateChange {
    let price = |rate: Option<&DeckRate>| {
        rate.filter(|rate| !rate.blocked && !rate.ended).map(|rate| rate.terms.rate)
    };
    let (old, new) = (price(before), price(after));
    let shown = |rate: Option<&DeckRate>| {
        let rate = Rate { prefix: String::new(), rate: rate?.clone() };
        Some(rate.to_proto(String::new()))
    };
    let from = match kind {
        RateChangeKind::LaterDeleted => before,
        RateChangeKind::OtherHoursDeleted => after.or(before),
        _ => after,
    };
    let from = from.map_or(i64::MIN, |rate| rate.effective_from);
    RateChange {
        kind: kind.into(),
        old_rate: old.map(money::to_proto),
        new_rate: new.map(money::to_proto),
        change_percent: old.zip(new).and_then(|(old, new)| percent_to_proto(old, new)),
        effective_from: (from != i64::MIN).then(|| clock::to_proto(from)),
        before: shown(before),
        after: shown(after),
        ..Default::default()
    }
}

/// The change of a price in percent; `None`: it was 0.
pub(super) fn percent(old: Decimal, new: Decimal) -> Option<Decimal> {
    let change = new.checked_sub(old)?.checked_div(old)?;
    change.checked_mul(Decimal::ONE_HUNDRED)
}

/// The same as the contract has it.
pub(super) fn percent_to_proto(old: Decimal, new: Decimal) -> Option<pb::Decimal> {
    let percent = percent(old, new)?;
    let rounded = percent.round_dp_with_strategy(2, RoundingStrategy::MidpointNearestEven);
    Some(money::to_proto(rounded.normalize()))
}

/// Names the destinations that no line names, as they are known.
pub(super) async fn name_destinations(tx: &mut Tx, changes: &mut pb::RateChanges) -> Result<()> {
    let mut unnamed: Vec<&mut RateChange> = changes
        .raises
        .iter_mut()
        .chain(&mut changes.drops)
        .chain(&mut changes.listed)
        .filter(|change| change.destination.is_empty())
        .collect();
    if unnamed.is_empty() {
        return Ok(());
    }
    unnamed.sort_by(|one, other| one.prefix.cmp(&other.prefix));
    let prefixes: Vec<String> = unnamed.iter().map(|change| change.prefix.clone()).collect();
    let few = store::few(prefixes.iter().map(String::as_str));
    store::for_each_destination(tx, few.as_deref(), |prefix, name| {
        let first = unnamed.partition_point(|change| change.prefix < prefix);
        let same = unnamed[first..].iter_mut().take_while(|change| change.prefix == prefix);
        same.for_each(|change| change.destination.clone_from(&name));
        Ok(())
    })
    .await
}
