//! Importing a rate deck: all or nothing, and the same deck twice changes nothing.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use jiff::tz::TimeZone;
use tollbook_proto::v1::{self as pb, ImportRatesOptions, RateLine, RejectedLine};

use super::{Rate, RateKey, line, service::resource, store};
use crate::{
    changes::{self, Change, Origin},
    context::Context,
    error::{Error, Result},
    ids::TariffId,
};

const MAX_REJECTED: usize = 1_000;

/// A deck on its way in.
pub(super) struct Import {
    tariff: TariffId,
    options: ImportRatesOptions,
    zone: TimeZone,
    /// By what they replace, with the number of their line.
    rates: HashMap<RateKey, (Rate, i64)>,
    destinations: HashMap<String, String>,
    report: pb::ImportRatesResponse,
}

impl Import {
    pub(super) fn new(tariff: TariffId, options: ImportRatesOptions, zone: TimeZone) -> Self {
        Self {
            tariff,
            options,
            zone,
            rates: HashMap::new(),
            destinations: HashMap::new(),
            report: pb::ImportRatesResponse::default(),
        }
    }

    /// Takes in a line, or says in the report why not.
    pub(super) fn add(&mut self, line: RateLine) {
        self.report.lines += 1;
        let rate = match line::read(&line, &self.zone) {
            Ok(rate) => rate,
            Err(reason) => return self.reject(line.number, reason),
        };
        match self.rates.entry(rate.key()) {
            Entry::Occupied(earlier) if earlier.get().0 == rate => {}
            Entry::Occupied(earlier) => {
                let reason =
                    format!("conflicts with line {}, which has another rate", earlier.get().1);
                self.reject(line.number, reason);
            }
            Entry::Vacant(place) => {
                if !line.destination.is_empty() {
                    self.destinations.insert(rate.prefix.clone(), line.destination);
                }
                place.insert((rate, line.number));
            }
        }
    }

    fn reject(&mut self, number: i64, reason: String) {
        self.report.rejected += 1;
        if self.report.rejected_lines.len() < MAX_REJECTED {
            self.report.rejected_lines.push(RejectedLine { number, reason });
        }
    }

    /// Compares the deck with the rates there are, and makes them the same.
    ///
    /// The comparison reads a snapshot and holds nobody up; what differs is then written in
    /// one transaction, unless somebody else has changed the tariff meanwhile: then it is
    /// compared again.
    pub(super) async fn finish(
        mut self,
        context: &Context,
        origin: &Origin,
    ) -> Result<pb::ImportRatesResponse> {
        let id = self.tariff;
        let mut report = std::mem::take(&mut self.report);
        let refused = report.rejected > 0 && !self.options.skip_bad_lines;
        let db = context.db.long(origin.actor);
        loop {
            let mut snapshot = db.snapshot().await?;
            let revision = store::all(&mut snapshot).await?.by_id(id)?.revision;
            let stored = store::rates(&mut snapshot, id).await?;
            let known = store::destinations(&mut snapshot).await?;
            drop(snapshot);
            let changes = self.compare(stored, &known);
            report.added = count(changes.added.len());
            report.changed = count(changes.changed.len());
            report.unchanged = count(self.rates.len()) - report.added - report.changed;
            report.deleted = count(changes.deleted.len());
            if self.options.dry_run || refused {
                return Ok(report);
            }
            if changes.is_empty() || changes.write(context, origin, id, revision).await? {
                report.applied = true;
                return Ok(report);
            }
        }
    }

    fn compare(&self, stored: Vec<Rate>, known: &HashMap<String, String>) -> Changes<'_> {
        let mut changes = Changes::default();
        let stored: HashMap<RateKey, Rate> =
            stored.into_iter().map(|rate| (rate.key(), rate)).collect();
        for (key, (rate, _)) in &self.rates {
            match stored.get(key) {
                Some(before) if before == rate => {}
                Some(_) => changes.changed.push(rate),
                None => changes.added.push(rate),
            }
        }
        if self.options.delete_missing {
            let prefixes: HashSet<&str> = self.rates.keys().map(|key| key.0.as_str()).collect();
            changes.deleted =
                stored.into_keys().filter(|key| !prefixes.contains(key.0.as_str())).collect();
        }
        let replace = self.options.use_destination_names;
        changes.names = self
            .destinations
            .iter()
            .filter(|(prefix, name)| {
                known.get(*prefix).is_none_or(|known| replace && known != *name)
            })
            .map(|(prefix, name)| (prefix.as_str(), name.as_str()))
            .collect();
        changes
    }
}

/// What a deck changes.
#[derive(Default)]
struct Changes<'a> {
    added: Vec<&'a Rate>,
    changed: Vec<&'a Rate>,
    deleted: Vec<RateKey>,
    /// Names of destinations, by prefix.
    names: Vec<(&'a str, &'a str)>,
}

impl Changes<'_> {
    fn is_empty(&self) -> bool {
        self.leave_rates() && self.names.is_empty()
    }

    /// Whether no rate changes, so that a compiled deck stays good.
    fn leave_rates(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.deleted.is_empty()
    }

    /// Writes the changes, if the tariff still has the revision that they are of. Returns
    /// whether it had.
    async fn write(
        &self,
        context: &Context,
        origin: &Origin,
        id: TariffId,
        revision: i64,
    ) -> Result<bool> {
        let mut tx = context.begin_catalog_change().await?;
        let mut tariff = store::all(&mut tx).await?.by_id(id)?.clone();
        if tariff.revision != revision {
            return Ok(false);
        }
        store::upsert_rates(&mut tx, id, &self.added).await?;
        store::upsert_rates(&mut tx, id, &self.changed).await?;
        store::delete_rates(&mut tx, id, &self.deleted).await?;
        store::name_destinations(&mut tx, &self.names).await?;
        if !self.leave_rates() {
            tariff.revision += 1;
            store::update(&mut tx, &tariff).await?;
        }
        let note = format!(
            "deck imported: {} rates added, {} changed, {} deleted",
            self.added.len(),
            self.changed.len(),
            self.deleted.len()
        );
        changes::record(&mut tx, origin, Change::told(resource(id.0), note)).await?;
        context.commit_catalog_change(tx).await?;
        Ok(true)
    }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The options of an import, which come first.
pub(super) fn options(request: Option<pb::ImportRatesRequest>) -> Result<ImportRatesOptions> {
    match request.and_then(|request| request.part) {
        Some(pb::import_rates_request::Part::Options(options)) => Ok(options),
        _ => Err(Error::invalid("part", "must be the options in the first message")),
    }
}
