//! Importing a rate deck: all or nothing, and the same deck twice changes nothing.

use std::collections::HashSet;

use jiff::tz::TimeZone;
use tollbook_proto::v1::{self as pb, ImportRatesOptions, RateLine, RejectedLine};

use super::{
    Rate, RateKey,
    beside::{Beside, Fate},
    comparison::{self, Asked, Comparison},
    hours::Hours,
    imports::{self, Log, What, text},
    later::Later,
    line,
    lines::Lines,
    listing,
    missing::{Ended, Missing},
    seen::Seen,
    store,
};
use crate::{
    changes::{Change, Origin},
    clock,
    context::Context,
    error::{Error, Result},
    ids::TariffId,
    rating::{DeckRate, is_prefix},
    resource::Resource,
    store::Tx,
};

const UNKNOWN_PREFIX: &str = "cannot be done: a line was refused whose prefix cannot be read";
const MAX_REJECTED: usize = 1_000;
/// How many characters of a sender's reason are kept.
const MAX_REASON: usize = 1_000;
/// How many files a deck may consist of.
const MAX_FILES: usize = 1_000;
/// How many characters of the name of a file are kept.
const MAX_FILE: usize = 1_000;

/// A deck on its way in.
pub(super) struct Import {
    tariff: TariffId,
    options: ImportRatesOptions,
    zone: TimeZone,
    /// Whether it may name destinations.
    names: bool,
    file: Option<pb::RateFile>,
    lines: Lines,
    refused: Refused,
    report: pb::ImportRatesResponse,
}

/// What is known of the lines that were refused: whatever they say of a prefix, it is in the deck.
#[derive(Default)]
struct Refused {
    prefixes: HashSet<String>,
    /// Some have none that can be read.
    without_prefix: bool,
}

impl Refused {
    fn add(&mut self, line: &RateLine) {
        match is_prefix(&line.prefix) {
            true => drop(self.prefixes.insert(line.prefix.clone())),
            false => self.without_prefix = true,
        }
    }
}

impl Import {
    pub(super) fn new(
        tariff: TariffId,
        options: ImportRatesOptions,
        zone: TimeZone,
        names: bool,
    ) -> Self {
        let report = pb::ImportRatesResponse::default();
        let (lines, refused) = (Lines::default(), Refused::default());
        Self { tariff, options, zone, names, file: None, lines, refused, report }
    }

    /// Takes in what is known of the file.
    pub(super) fn name_file(&mut self, file: pb::RateFile) -> Result<()> {
        if self.file.is_some() {
            return Err(Error::invalid("part", "must not be the file twice"));
        }
        self.file = Some(imports::check_file(file)?);
        Ok(())
    }

    pub(super) fn add_lines(&mut self, lines: pb::RateLines) -> Result<()> {
        self.begin_file(&lines.file)?;
        for line in &lines.lines {
            self.add(line);
        }
        for line in lines.refused {
            self.add_refused(line);
        }
        Ok(())
    }

    /// What follows is of a file of this name.
    fn begin_file(&mut self, name: &str) -> Result<()> {
        if self.lines.current_file() != name {
            if self.lines.files() >= MAX_FILES {
                return Err(Error::invalid("lines.file", "is one more than the 1000 that may be"));
            }
            self.lines.begin_file(name.chars().take(MAX_FILE).collect());
        }
        Ok(())
    }

    /// Takes in a line, or says in the report why not.
    fn add(&mut self, line: &RateLine) {
        self.report.lines += 1;
        match line::read(line, &self.zone) {
            Ok(rate) => {
                let destination = if self.names { line.destination.as_str() } else { "" };
                self.lines.push(line.number, rate, destination);
            }
            Err(reason) => {
                self.refused.add(line);
                self.reject(line.number, reason);
            }
        }
    }

    /// Counts a line that its sender could not read.
    fn add_refused(&mut self, line: pb::RefusedLine) {
        self.report.lines += 1;
        self.refused.without_prefix |= line.prefixes.is_empty();
        self.refused.prefixes.extend(line.prefixes);
        self.reject(line.number, line.reason.chars().take(MAX_REASON).collect());
    }

    fn reject(&mut self, number: i64, reason: String) {
        self.report.rejected += 1;
        if self.report.rejected_lines.len() < MAX_REJECTED {
            let file = self.lines.current_file().to_owned();
            self.report.rejected_lines.push(RejectedLine { number, reason, file });
        }
    }

    /// Compares the deck with the rates there are, and makes them the same.
    ///
    /// The comparison reads a snapshot and holds nobody up; what differs is then written in
    /// one transaction, unless somebody else has changed the tariff meanwhile: then it is
    /// compared again.
    pub(super) async fn finish(
        self,
        context: &Context,
        origin: &Origin,
    ) -> Result<pb::ImportRatesResponse> {
        let Self { tariff: id, options, file, lines, refused, mut report, .. } = self;
        let sorted = tokio::task::spawn_blocking(move || Deck::new(lines, refused)).await;
        let deck = sorted.map_err(|error| Error::internal(error.to_string()))?;
        deck.report_conflicts(&mut report);
        let refused = report.rejected > 0 && !options.skip_bad_lines;
        let db = context.db.long(origin.actor);
        if !refused && let Err(error) = deck.check_deletes(&options) {
            if !options.dry_run {
                let record = record(id, &options, file, &report);
                imports::record_alone(&context.db, origin, &record).await?;
            }
            return Err(error);
        }
        loop {
            let mut snapshot = db.snapshot().await?;
            let tariffs = store::all(&mut snapshot).await?;
            let seen = Seen::of(&mut snapshot, tariffs.by_id(id)?).await?;
            report.earlier = imports::earlier(&mut snapshot, id, file.as_ref()).await?;
            let mut changes = deck.compare(&mut snapshot, id, &options).await?;
            drop(snapshot);
            report.changes = Some(std::mem::take(&mut changes.prices));
            report.added = count(changes.added.len());
            report.changed = count(changes.changed.len());
            report.unchanged = count(deck.rates.len()) - report.added - report.changed;
            report.deleted = count(changes.deleted.len() + changes.ended.len());
            report.destinations_named = count(changes.names.len());
            report.destination_names_kept = changes.names_kept;
            report.first_from = deck.first_changed(&changes).map(clock::to_proto);
            if options.dry_run {
                return Ok(report);
            }
            report.applied = !refused;
            let record = record(id, &options, file.clone(), &report);
            report.import_id = match refused || changes.is_empty() {
                true => Some(imports::record_alone(&context.db, origin, &record).await?),
                false => deck.write(&changes, context, origin, &record, seen).await?,
            };
            if report.import_id.is_some() {
                return Ok(report);
            }
        }
    }
}

/// What is recorded of an import.
fn record(
    tariff: TariffId,
    options: &ImportRatesOptions,
    file: Option<pb::RateFile>,
    report: &pb::ImportRatesResponse,
) -> pb::RateImport {
    pb::RateImport {
        tariff_id: tariff.0,
        applied: report.applied,
        file,
        options: Some(ImportRatesOptions { tariff_id: None, ..*options }),
        lines: report.lines,
        added: report.added,
        changed: report.changed,
        unchanged: report.unchanged,
        deleted: report.deleted,
        names: report.destinations_named,
        rejected: report.rejected,
        ..Default::default()
    }
}

/// A deck that is there as a whole. Lines are meant by their positions.
struct Deck {
    lines: Lines,
    /// The lines that count, one for each key, by their keys.
    rates: Vec<usize>,
    /// Those that name the destinations of their prefixes, one for each prefix, by prefix.
    names: Vec<usize>,
    /// Lines with another rate than an earlier one of the same key, which is the second.
    conflicts: Vec<(usize, usize)>,
    refused: Refused,
}

impl Deck {
    fn new(lines: Lines, refused: Refused) -> Self {
        let mut rates: Vec<usize> = (0..lines.len()).collect();
        rates.sort_unstable_by(|one, other| {
            lines.key(*one).cmp(&lines.key(*other)).then(one.cmp(other))
        });
        let mut conflicts = Vec::new();
        rates.dedup_by(|later, first| {
            let same = lines.key(*later) == lines.key(*first);
            if same && lines.rate(*later) != lines.rate(*first) {
                conflicts.push((*later, *first));
            }
            same
        });
        conflicts.sort_unstable();
        let mut names: Vec<usize> = Vec::new();
        for at in rates.iter().copied().filter(|at| !lines.name(*at).is_empty()) {
            match names.last_mut() {
                // Of several the last line counts.
                Some(last) if lines.prefix(*last) == lines.prefix(at) => *last = at.max(*last),
                _ => names.push(at),
            }
        }
        Self { lines, rates, names, conflicts, refused }
    }

    fn report_conflicts(&self, report: &mut pb::ImportRatesResponse) {
        report.rejected += count(self.conflicts.len());
        let conflicts = self.conflicts.iter().take(MAX_REJECTED).map(|(line, earlier)| {
            let file = self.lines.file(*line).to_owned();
            let place = match self.lines.file(*earlier) {
                same if same == file => String::new(),
                other => format!(" of {other}"),
            };
            let earlier = self.lines.number(*earlier);
            let reason = format!("conflicts with line {earlier}{place}, which has another rate");
            RejectedLine { number: self.lines.number(*line), reason, file }
        });
        report.rejected_lines.extend(conflicts);
        let order = |line: &RejectedLine| (self.lines.file_order(&line.file), line.number);
        report.rejected_lines.sort_by_cached_key(order);
        report.rejected_lines.truncate(MAX_REJECTED);
    }

    /// Where the rate of a key is in the order of rates.
    fn find(&self, key: RateKey<'_>) -> Option<usize> {
        self.rates.binary_search_by(|at| self.lines.key(*at).cmp(&key)).ok()
    }

    /// Refuses to delete what no line has where it is not known what the lines have.
    fn check_deletes(&self, options: &ImportRatesOptions) -> Result<()> {
        let is_unknown = self.refused.without_prefix;
        let (option, problem) = match (options.delete_missing, options.replace_later) {
            (true, _) if self.rates.is_empty() => {
                ("delete_missing", "would delete all rates: no line has one")
            }
            (true, _) if is_unknown => ("delete_missing", UNKNOWN_PREFIX),
            (_, true) if is_unknown => ("replace_later", UNKNOWN_PREFIX),
            _ => return Ok(()),
        };
        Err(Error::invalid(option, problem))
    }

    /// The first line of a prefix, which is the one that begins to count first.
    fn first_of(&self, prefix: &str) -> Option<usize> {
        let first = self.rates.partition_point(|at| self.lines.prefix(*at) < prefix);
        self.rates.get(first).copied().filter(|at| self.lines.prefix(*at) == prefix)
    }

    /// The lines of a prefix with their rates, those that begin to count first first.
    fn of_prefix(&self, prefix: &str) -> Vec<(usize, &DeckRate)> {
        let first = self.rates.partition_point(|at| self.lines.prefix(*at) < prefix);
        let of_prefix = self.rates[first..].iter();
        let of_prefix = of_prefix.take_while(|at| self.lines.prefix(**at) == prefix);
        of_prefix.map(|at| (*at, self.lines.rate(*at))).collect()
    }

    /// Whether a rate begins to count later than the first line of its prefix does. The end of hours or
    /// days of which the deck has no line either takes no line's place.
    fn is_later(&self, Rate { prefix, rate }: &Rate, first: &DeckRate) -> bool {
        let is_end = rate.ended && !rate.ends_prefix();
        let has_line =
            || self.of_prefix(prefix).iter().any(|(_, line)| Hours::of(line).overlaps(rate));
        first.effective_from < rate.effective_from && (!is_end || has_line())
    }

    /// Decides about the rates beside the lines of a prefix that is complete.
    fn end_beside(
        &self,
        beside: &mut Beside,
        fate: Fate,
        changes: &mut Changes,
        prices: &mut Comparison<'_>,
    ) {
        let is_refused = self.refused.prefixes.contains(beside.prefix());
        let fate = if is_refused { Fate::Stay } else { fate };
        beside.end_prefix(&self.of_prefix(beside.prefix()), fate, changes, prices);
    }

    /// From when what the deck leaves out is not sold any more, if each of its lines says from when
    /// it counts: the first of these that is still to come, else at once. What was sold is not
    /// changed: decks repeat the dates of rates that stay.
    fn missing_from(&self, now: i64) -> Option<i64> {
        let mut dates = self.rates.iter().map(|at| self.lines.rate(*at).effective_from);
        if dates.clone().any(|date| date == i64::MIN) {
            return None;
        }
        let to_come = dates.clone().filter(|date| *date > now).min();
        to_come.or_else(|| dates.next().map(|_| next_second(now)))
    }

    /// What the deck changes of what is stored, which is read past it.
    async fn compare(
        &self,
        tx: &mut Tx,
        id: TariffId,
        options: &ImportRatesOptions,
    ) -> Result<Changes> {
        let mut changes = Changes::default();
        let mut stored = vec![false; self.rates.len()];
        let asked = Asked {
            largest: comparison::largest_changes(options)?,
            listed: listing::listed_changes(options)?,
            now: clock::now(),
            replaces_later: options.replace_later,
        };
        let mut prices = Comparison::new(&self.lines, &self.rates, asked);
        let mut later = Later::new(asked.now);
        let missing_from = self.missing_from(asked.now).filter(|_| options.delete_missing);
        let mut missing = Missing::new(missing_from);
        let mut beside = Beside::new();
        let gone_from = missing_from.unwrap_or_else(|| next_second(asked.now));
        let fate = if options.delete_missing { Fate::Go(gone_from) } else { Fate::Stay };
        let prefixes = store::few(self.rates.iter().map(|at| self.lines.prefix(*at)));
        // What is not in the deck has to be known only to be deleted.
        let of_rates = prefixes.as_deref().filter(|_| !options.delete_missing);
        store::for_each_rate(tx, id, of_rates, |rate| {
            if !beside.prefix().is_empty() && rate.prefix != beside.prefix() {
                self.end_beside(&mut beside, fate, &mut changes, &mut prices);
            }
            prices.add_stored(&rate);
            match self.find(rate.key()) {
                Some(index) => {
                    stored[index] = true;
                    let at = self.rates[index];
                    if *self.lines.rate(at) != rate.rate {
                        changes.change(at, &rate.rate);
                    }
                }
                None => match self.first_of(&rate.prefix).map(|first| self.lines.rate(first)) {
                    Some(first) if self.is_later(&rate, first) => {
                        later.add(&rate);
                        if options.replace_later && !self.refused.prefixes.contains(&rate.prefix) {
                            prices.add_later(&rate);
                            changes.deleted.push(rate);
                        }
                    }
                    Some(_) => beside.add(rate),
                    None if self.refused.prefixes.contains(&rate.prefix) => {}
                    None if options.delete_missing => {
                        missing.add(rate, &mut changes, &mut prices);
                    }
                    None => {}
                },
            }
            Ok(())
        })
        .await?;
        missing.end_prefix(&mut changes, &mut prices);
        self.end_beside(&mut beside, fate, &mut changes, &mut prices);
        changes.prices = pb::RateChanges {
            later: later.finish(),
            other_hours: beside.finish(),
            missing_from: missing_from.map(clock::to_proto),
            ..prices.finish()
        };
        listing::name_destinations(tx, &mut changes.prices).await?;
        let new = self.rates.iter().zip(stored).filter(|(_, stored)| !stored);
        changes.added = new.map(|(at, _)| *at).collect();
        let names = options.use_destination_names;
        self.compare_names(tx, prefixes.as_deref(), names, &mut changes).await.map(|()| changes)
    }

    /// What the deck changes of the names of destinations: of those of some prefixes, or of all.
    async fn compare_names(
        &self,
        tx: &mut Tx,
        prefixes: Option<&[&str]>,
        renames: bool,
        changes: &mut Changes,
    ) -> Result<()> {
        let mut kept = vec![false; self.names.len()];
        store::for_each_destination(tx, prefixes, |prefix, name| {
            let known = self.names.binary_search_by(|at| self.lines.prefix(*at).cmp(&prefix));
            if let Ok(index) = known {
                let same = self.lines.name(self.names[index]) == name;
                kept[index] = same || !renames;
                changes.names_kept += i64::from(!same && kept[index]);
                if !kept[index] {
                    changes.old_names.push((self.names[index], name.into_boxed_str()));
                }
            }
            Ok(())
        })
        .await?;
        let new = self.names.iter().zip(kept).filter(|(_, kept)| !kept);
        changes.names = new.map(|(at, _)| *at).collect();
        changes.old_names.sort_unstable_by_key(|(at, _)| *at);
        Ok(())
    }

    /// Writes the changes, if the tariff still has the revision that they are of. Returns the id
    /// under which they are recorded; none: it has another one.
    async fn write(
        &self,
        changes: &Changes,
        context: &Context,
        origin: &Origin,
        record: &pb::RateImport,
        seen: Seen,
    ) -> Result<Option<i64>> {
        let id = TariffId(record.tariff_id);
        let mut tx = context.begin_catalog_change(origin).await?;
        let mut tariff = store::all(&mut tx).await?.by_id(id)?.clone();
        if !seen.stands(&mut tx, &tariff, !changes.names.is_empty()).await? {
            return Ok(None);
        }
        let rate = |at: &usize| (self.lines.prefix(*at), self.lines.rate(*at));
        let rates = changes.added.iter().chain(&changes.changed).map(rate);
        store::upsert_rates(&mut tx, id, rates).await?;
        let ends = changes.ended.iter().map(|ended| (ended.prefix.as_str(), &ended.end));
        store::upsert_rates(&mut tx, id, ends).await?;
        store::delete_rates(&mut tx, id, &changes.deleted).await?;
        let names = changes.names.iter().map(|at| (self.lines.prefix(*at), self.lines.name(*at)));
        store::name_destinations(&mut tx, names).await?;
        let changes_rates = !changes.leave_rates();
        if changes_rates {
            tariff.revision += 1;
            store::update(&mut tx, &tariff).await?;
        }
        let import = imports::record(&mut tx, origin, record).await?;
        self.write_log(changes, Log::new(&mut tx, import)).await?;
        let note = format!(
            "deck imported: {} rates added, {} changed, {} deleted (import {import})",
            changes.added.len(),
            changes.changed.len(),
            changes.deleted.len() + changes.ended.len()
        );
        tx.commit(Change::told(Resource::Tariff(id), note)).await?;
        if changes_rates {
            context.decks.renew(&context.db, &tariff);
        }
        Ok(Some(import))
    }

    /// From when the first of the rates with a date counts that change.
    fn first_changed(&self, changes: &Changes) -> Option<i64> {
        let lines = changes.added.iter().chain(&changes.changed);
        let lines = lines.map(|at| self.lines.rate(*at).effective_from);
        let deleted = changes.deleted.iter().map(|deleted| deleted.rate.effective_from);
        let ended = changes.ended.iter().map(|ended| ended.end.effective_from);
        lines.chain(deleted).chain(ended).filter(|from| *from != i64::MIN).min()
    }

    /// Writes down what is changed, so that it can be taken back.
    async fn write_log(&self, changes: &Changes, mut log: Log<'_>) -> Result<()> {
        let rate = |at: usize| {
            let rate = self.lines.rate(at);
            (text::key(self.lines.prefix(at), rate), text::image(rate))
        };
        for at in changes.added.iter().copied() {
            let (key, after) = rate(at);
            log.add(What::Rates, &key, "", &after).await?;
        }
        for (at, before) in changes.changed.iter().copied().zip(changes.before.lines()) {
            let (key, after) = rate(at);
            log.add(What::Rates, &key, before, &after).await?;
        }
        for Rate { prefix, rate } in &changes.deleted {
            log.add(What::Rates, &text::key(prefix, rate), &text::image(rate), "").await?;
        }
        for Ended { prefix, end, before } in &changes.ended {
            log.add(What::Rates, &text::key(prefix, end), before, &text::image(end)).await?;
        }
        for at in changes.names.iter().copied() {
            let old = changes.old_names.binary_search_by_key(&at, |(at, _)| *at);
            let before = old.map_or("", |index| &changes.old_names[index].1);
            log.add(What::Names, self.lines.prefix(at), before, self.lines.name(at)).await?;
        }
        log.finish().await
    }
}

/// What a deck changes. Lines are meant by their positions.
#[derive(Default)]
pub(super) struct Changes {
    added: Vec<usize>,
    changed: Vec<usize>,
    /// What the rates that change are like now, a line of text each, in their order.
    before: String,
    pub(super) deleted: Vec<Rate>,
    /// Prefixes that are ended, as a whole or at some hours.
    pub(super) ended: Vec<Ended>,
    /// Those whose destinations get another name, or their first.
    names: Vec<usize>,
    /// How many destinations have another name, and keep it.
    names_kept: i64,
    prices: pb::RateChanges,
    /// The other names, sorted by the lines.
    old_names: Vec<(usize, Box<str>)>,
}

impl Changes {
    /// A line changes a rate that there is.
    fn change(&mut self, at: usize, before: &DeckRate) {
        self.changed.push(at);
        self.before.push_str(&text::image(before));
        self.before.push('\n');
    }

    fn is_empty(&self) -> bool {
        self.leave_rates() && self.names.is_empty()
    }

    /// Whether no rate changes, so that a compiled deck stays good.
    fn leave_rates(&self) -> bool {
        self.added.is_empty()
            && self.changed.is_empty()
            && self.deleted.is_empty()
            && self.ended.is_empty()
    }
}

/// The first whole second after a time.
fn next_second(time: i64) -> i64 {
    (time.div_euclid(1_000_000) + 1) * 1_000_000
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The options of an import, which come first.
pub(super) fn options(request: Option<pb::ImportRatesRequest>) -> Result<ImportRatesOptions> {
    match request.and_then(|request| request.part) {
        Some(pb::import_rates_request::Part::Options(options)) => {
            comparison::largest_changes(&options)?;
            listing::listed_changes(&options)?;
            Ok(options)
        }
        _ => Err(Error::invalid("part", "must be the options in the first message")),
    }
}
