//! Taking an import back: all or nothing, and never over what somebody else has changed since.

use std::collections::HashSet;

use tollbook_proto::v1 as pb;

use super::{
    super::{Rate, Tariff, seen::Seen, store as tariffs},
    Log, TOGETHER, What, record, store,
    text::{self, Lines},
    visible,
};
use crate::{
    access::Principal,
    changes::{Change, Origin},
    clock,
    context::Context,
    error::{Error, Result},
    ids::{self, TariffId},
    resource::Resource,
    store::Tx,
};

/// How many prefixes of rates that were changed later are named.
const NAMED: usize = 20;

/// Compares what the import left with what there is now, and puts back what was there before it.
///
/// As with an import the comparison reads a snapshot, and is made again where somebody else has
/// changed the tariff before it is written.
pub(in crate::tariffs) async fn undo(
    context: &Context,
    caller: &Principal,
    request: &pb::UndoRateImportRequest,
) -> Result<pb::UndoRateImportResponse> {
    let id = ids::required("id", request.id)?;
    let origin: &Origin = caller.origin();
    let db = context.db.long(origin.actor);
    let import = visible(&mut db.snapshot().await?, caller, id).await?;
    // Names of destinations are the operator's.
    if import.names > 0 && !caller.scope().is_staff() {
        return Err(Error::RoleDenied);
    }
    loop {
        let mut snapshot = db.snapshot().await?;
        let (import, tariff) = undoable(&mut snapshot, id).await?;
        let plan = Plan::new(&mut snapshot, &import).await?;
        let seen = Seen::of(&mut snapshot, &tariff).await?;
        drop(snapshot);
        let answer = plan.answer();
        let refused = answer.later_changes > 0 && !request.keep_later_changes;
        if request.dry_run || refused {
            return Ok(answer);
        }
        if let Some(record) = plan.write(context, origin, &answer, seen).await? {
            return Ok(pb::UndoRateImportResponse {
                applied: true,
                rate_import: Some(record),
                ..answer
            });
        }
    }
}

/// An import that can be taken back, and its tariff.
async fn undoable(tx: &mut Tx, id: i64) -> Result<(pb::RateImport, Tariff)> {
    let import = store::get(tx, id).await?;
    if let Some(undone) = import.undone {
        return Err(Error::RateImportUndone { by: undone.import_id });
    }
    if !import.applied {
        return Err(Error::RateImportNotKept("it was refused, and changed nothing"));
    }
    let tariff = tariffs::all(tx).await?.by_id(TariffId(import.tariff_id))?.clone();
    if !import.can_be_undone {
        return Err(Error::RateImportNotKept(
            "what it changed is kept only until 20 later imports have changed the tariff",
        ));
    }
    Ok((import, tariff))
}

/// What becomes of a change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is taken back.
    TakenBack,
    /// All is as before it.
    AsBefore,
    /// Something else has changed the same since.
    ChangedLater,
    /// A name stays, for other tariffs have its prefix.
    UsedElsewhere,
}

/// The changes of an import, and what becomes of each.
#[derive(Default)]
struct Plan {
    import: i64,
    tariff: i64,
    rates: Lines,
    fates_of_rates: Vec<Fate>,
    names: Lines,
    fates_of_names: Vec<Fate>,
}

impl Plan {
    async fn new(tx: &mut Tx, import: &pb::RateImport) -> Result<Self> {
        let (import, tariff) = (import.id, import.tariff_id);
        let mut plan = Self { import, tariff, ..Self::default() };
        for (what, lines) in [(What::Rates, &mut plan.rates), (What::Names, &mut plan.names)] {
            let add = |changes: String| lines.extend(&changes);
            store::for_each_changes(tx, import, what.name(), add).await?;
            lines.sort();
        }
        plan.judge_rates(tx).await?;
        plan.judge_names(tx).await?;
        Ok(plan)
    }

    async fn judge_rates(&mut self, tx: &mut Tx) -> Result<()> {
        let Self { rates, fates_of_rates: fates, .. } = self;
        *fates = (0..rates.len()).map(|at| fate(rates, at, "")).collect();
        let prefixes = tariffs::few((0..rates.len()).map(|at| rates.prefix(at)));
        tariffs::for_each_rate(tx, TariffId(self.tariff), prefixes.as_deref(), |rate| {
            if let Some(at) = rates.find(rate.key()) {
                fates[at] = fate(rates, at, &text::image(&rate.rate));
            }
            Ok(())
        })
        .await
    }

    async fn judge_names(&mut self, tx: &mut Tx) -> Result<()> {
        let Self { names, fates_of_names: fates, .. } = self;
        if names.len() == 0 {
            return Ok(());
        }
        *fates = (0..names.len()).map(|at| fate(names, at, "")).collect();
        let prefixes = tariffs::few((0..names.len()).map(|at| names.prefix(at)));
        tariffs::for_each_destination(tx, prefixes.as_deref(), |prefix, name| {
            if let Some(at) = names.find_prefix(&prefix) {
                fates[at] = fate(names, at, &name);
            }
            Ok(())
        })
        .await?;
        // A new name may have become that of another tariff's rates, which would lose it.
        let new = |at: &usize| fates[*at] == Fate::TakenBack && names.before(*at).is_empty();
        let new: Vec<usize> = (0..names.len()).filter(new).collect();
        for some in new.chunks(TOGETHER) {
            let prefixes = some.iter().map(|at| names.prefix(*at));
            let used = tariffs::used_elsewhere(tx, TariffId(self.tariff), prefixes).await?;
            let used: HashSet<String> = used.into_iter().collect();
            for at in some.iter().filter(|at| used.contains(names.prefix(**at))) {
                fates[*at] = Fate::UsedElsewhere;
            }
        }
        Ok(())
    }

    /// The positions of rates that have a fate.
    fn rates(&self, fate: Fate) -> impl Iterator<Item = usize> + '_ {
        (0..self.rates.len()).filter(move |at| self.fates_of_rates[*at] == fate)
    }

    /// The positions of names that are put back.
    fn names(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.names.len()).filter(|at| self.fates_of_names[*at] == Fate::TakenBack)
    }

    fn answer(&self) -> pb::UndoRateImportResponse {
        let mut answer = pb::UndoRateImportResponse::default();
        for at in self.rates(Fate::TakenBack) {
            let count = match (self.rates.before(at), self.rates.after(at)) {
                ("", _) => &mut answer.deleted,
                (_, "") => &mut answer.added,
                _ => &mut answer.changed,
            };
            *count += 1;
        }
        let first = self.rates(Fate::TakenBack).map(|at| self.rates.effective_from(at)).min();
        answer.first_from = first.filter(|first| *first != i64::MIN).map(clock::to_proto);
        let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        answer.names = count(self.names().count());
        answer.later_changes = count(self.rates(Fate::ChangedLater).count());
        for prefix in self.rates(Fate::ChangedLater).map(|at| self.rates.prefix(at)) {
            if answer.later_prefixes.len() == NAMED {
                break;
            }
            if answer.later_prefixes.last().is_none_or(|last| last != prefix) {
                answer.later_prefixes.push(prefix.to_owned());
            }
        }
        answer
    }

    /// Puts back what was there, if the tariff still has the revision that it was compared at.
    /// Returns as what this was recorded; none: it has another one.
    async fn write(
        &self,
        context: &Context,
        origin: &Origin,
        answer: &pb::UndoRateImportResponse,
        seen: Seen,
    ) -> Result<Option<pb::RateImport>> {
        let mut tx = context.begin_catalog_change(origin).await?;
        // Somebody else may have taken it back meanwhile.
        let (import, mut tariff) = undoable(&mut tx, self.import).await?;
        if !seen.stands(&mut tx, &tariff, answer.names > 0).await? {
            return Ok(None);
        }
        self.write_rates(&mut tx).await?;
        self.write_names(&mut tx).await?;
        let changes_rates = answer.added + answer.changed + answer.deleted > 0;
        if changes_rates {
            tariff.revision += 1;
            tariffs::update(&mut tx, &tariff).await?;
        }
        let id = record(&mut tx, origin, &self.record(answer)).await?;
        self.write_log(&mut tx, id).await?;
        mark(&mut tx, &import, id).await?;
        let note = format!(
            "import {} taken back: {} rates added, {} changed, {} deleted, {} kept as changed since",
            self.import, answer.added, answer.changed, answer.deleted, answer.later_changes
        );
        let change = Change::told(Resource::Tariff(TariffId(self.tariff)), note);
        let stored = store::get(&mut tx, id).await?;
        tx.commit(change).await?;
        if changes_rates {
            context.decks.renew(&context.db, &tariff);
        }
        Ok(Some(stored))
    }

    /// What is recorded of this.
    fn record(&self, answer: &pb::UndoRateImportResponse) -> pb::RateImport {
        let as_before = self.rates(Fate::AsBefore).count();
        pb::RateImport {
            tariff_id: self.tariff,
            undoes_id: Some(self.import),
            applied: true,
            added: answer.added,
            changed: answer.changed,
            unchanged: i64::try_from(as_before).unwrap_or(i64::MAX),
            deleted: answer.deleted,
            names: answer.names,
            kept: answer.later_changes,
            ..Default::default()
        }
    }

    async fn write_rates(&self, tx: &mut Tx) -> Result<()> {
        let id = TariffId(self.tariff);
        let changes: Vec<usize> = self.rates(Fate::TakenBack).collect();
        for some in changes.chunks(TOGETHER) {
            let (mut old, mut new) = (Vec::new(), Vec::new());
            for at in some.iter().copied() {
                match self.rates.before(at) {
                    "" => new.push(self.rates.rate(at, self.rates.after(at))?),
                    before => old.push(self.rates.rate(at, before)?),
                }
            }
            tariffs::delete_rates(tx, id, &new).await?;
            let old = old.iter().map(|Rate { prefix, rate }| (prefix.as_str(), rate));
            tariffs::upsert_rates(tx, id, old).await?;
        }
        Ok(())
    }

    async fn write_names(&self, tx: &mut Tx) -> Result<()> {
        let (new, old): (Vec<_>, Vec<_>) =
            self.names().partition(|at| self.names.before(*at).is_empty());
        for some in new.chunks(TOGETHER) {
            tariffs::forget_destinations(tx, some.iter().map(|at| self.names.prefix(*at))).await?;
        }
        let old = old.iter().map(|at| (self.names.prefix(*at), self.names.before(*at)));
        tariffs::name_destinations(tx, old).await
    }

    /// Writes down what this changes: what was after the import is before this.
    async fn write_log(&self, tx: &mut Tx, id: i64) -> Result<()> {
        let mut log = Log::new(tx, id);
        for at in self.rates(Fate::TakenBack) {
            let (before, after) = (self.rates.after(at), self.rates.before(at));
            log.add(What::Rates, self.rates.key(at), before, after).await?;
        }
        for at in self.names() {
            let (before, after) = (self.names.after(at), self.names.before(at));
            log.add(What::Names, self.names.key(at), before, after).await?;
        }
        log.finish().await
    }
}

/// What becomes of a change where something is as `now` says; empty: it is not there.
fn fate(lines: &Lines, at: usize, now: &str) -> Fate {
    if now == lines.after(at) {
        Fate::TakenBack
    } else if now == lines.before(at) {
        Fate::AsBefore
    } else {
        Fate::ChangedLater
    }
}

/// Says that an import was taken back. If it had itself taken one back, that one is in effect
/// again, and what that had taken back is not, and so on.
async fn mark(tx: &mut Tx, import: &pb::RateImport, by: i64) -> Result<()> {
    store::set_undone(tx, import.id, Some(by)).await?;
    let (mut above, mut below, mut in_effect) = (import.id, import.undoes_id, true);
    while let Some(id) = below {
        let import = store::get(tx, id).await?;
        let undone = import.undone.map(|undone| undone.import_id);
        match (in_effect, undone) {
            (true, Some(undone)) if undone == above => store::set_undone(tx, id, None).await?,
            (false, None) => store::set_undone(tx, id, Some(above)).await?,
            // It was taken back by another one meanwhile.
            _ => break,
        }
        (above, below, in_effect) = (id, import.undoes_id, !in_effect);
    }
    Ok(())
}
