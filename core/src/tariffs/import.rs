//! Importing a rate deck: all or nothing, and the same deck twice changes nothing.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use jiff::tz::TimeZone;
use tollbook_proto::v1::{self as pb, ImportRatesOptions, RateLine, RejectedLine};

use super::{Rate, RateKey, line, store};
use crate::{
    context::Context,
    error::{Error, Result},
    ids::TariffId,
};

const MAX_REJECTED: usize = 1_000;

/// A deck on its way in.
pub(super) struct Import {
    options: ImportRatesOptions,
    zone: TimeZone,
    /// By what they replace, with the number of their line.
    rates: HashMap<RateKey, (Rate, i64)>,
    destinations: HashMap<String, String>,
    report: pb::ImportRatesResponse,
}

impl Import {
    pub(super) fn new(options: ImportRatesOptions, zone: TimeZone) -> Self {
        Self {
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
    pub(super) async fn finish(mut self, context: &Context) -> Result<pb::ImportRatesResponse> {
        let id = TariffId(self.options.tariff_id);
        let mut tx = context.begin_catalog_change().await?;
        let mut tariff = store::all(&mut tx).await?.by_id(id)?.clone();
        let stored: HashMap<RateKey, Rate> =
            store::rates(&mut tx, id).await?.into_iter().map(|rate| (rate.key(), rate)).collect();

        let mut upserts = Vec::new();
        for (key, (rate, _)) in &self.rates {
            match stored.get(key) {
                Some(before) if before == rate => self.report.unchanged += 1,
                Some(_) => {
                    self.report.changed += 1;
                    upserts.push(rate);
                }
                None => {
                    self.report.added += 1;
                    upserts.push(rate);
                }
            }
        }
        let mut deletes = Vec::new();
        if self.options.delete_missing {
            let prefixes: HashSet<&str> = self.rates.keys().map(|key| key.0.as_str()).collect();
            deletes.extend(store::missing(&stored, &prefixes).cloned());
            self.report.deleted = i64::try_from(deletes.len()).unwrap_or(i64::MAX);
        }
        let refused = self.report.rejected > 0 && !self.options.skip_bad_lines;
        if self.options.dry_run || refused {
            return Ok(self.report);
        }
        self.report.applied = true;
        store::upsert_rates(&mut tx, id, &upserts).await?;
        store::delete_rates(&mut tx, id, &deletes).await?;
        let names = self.destinations.iter().map(|(prefix, name)| (prefix.as_str(), name.as_str()));
        let replace = self.options.use_destination_names;
        let renamed = store::name_destinations(&mut tx, &names.collect(), replace).await?;
        if upserts.is_empty() && deletes.is_empty() && renamed == 0 {
            // Nothing to make durable, and no compiled deck is out of date.
            return Ok(self.report);
        }
        if !upserts.is_empty() || !deletes.is_empty() {
            tariff.revision += 1;
        }
        store::update(&mut tx, &tariff).await?;
        context.commit_catalog_change(tx).await?;
        Ok(self.report)
    }
}

/// The options of an import, which come first.
pub(super) fn options(request: Option<pb::ImportRatesRequest>) -> Result<ImportRatesOptions> {
    match request.and_then(|request| request.part) {
        Some(pb::import_rates_request::Part::Options(options)) => Ok(options),
        _ => Err(Error::invalid("part", "must be the options in the first message")),
    }
}
