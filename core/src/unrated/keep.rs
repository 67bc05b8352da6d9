//! What a batch of calls does to the table of unrated calls.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use prost::Message;
use tollbook_proto::v1::{CallRecord, CallRejection};

use super::{Brought, Kept, LONGEST, Shelf, store};
use crate::{
    calls::{Call, Rejection, known, record},
    changes::Origin,
    clock,
    error::Result,
    ids::UserId,
    store::{Sequence, Tx},
};

/// How many records of one call id are kept: a switch may give all its calls the same.
const MOST_OF_ONE_ID: usize = 100;

/// What a batch has to know of the table.
pub(crate) struct Table<'a> {
    pub(crate) shelf: &'a Shelf,
    /// Whether there is no unrated call at all: hardly anything is to be done then.
    pub(crate) is_empty: bool,
    /// What is brought again, and still there.
    pub(crate) kept: Kept,
}

/// A record that could not be taken.
pub(crate) struct Refusal<'a> {
    pub(crate) brought: &'a Brought,
    pub(crate) rejection: Rejection,
    pub(crate) payer: Option<UserId>,
    /// The delivery that brought it, by its place in the batch, and where in that.
    pub(crate) place: usize,
    pub(crate) position: i64,
}

/// What became of records that were not taken, and of unrated calls that were.
#[derive(Default)]
pub(crate) struct Outcome<'a> {
    pub(crate) refused: Vec<Refusal<'a>>,
    /// Unrated calls that are in the books now.
    pub(crate) settled: Vec<i64>,
    /// Of calls that are stored under the ids of their records alone: the ids that these share with
    /// others, under which copies of them may be kept.
    pub(crate) own_ids: HashMap<&'a str, &'a str>,
}

/// What a transaction changes in the table.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    /// By how many calls of each reason there are more.
    pub(super) counts: BTreeMap<CallRejection, i64>,
    /// For how many there was no room.
    pub(super) dropped: u64,
    /// The places of the deliveries of records that are kept, one for each.
    pub(crate) kept: Vec<usize>,
    /// Records that disagree with one that is kept, by their deliveries and where they are in those.
    pub(crate) contested: Vec<(usize, i64, Rejection)>,
}

impl Difference {
    pub(super) fn count(&mut self, reason: CallRejection, change: i64) {
        *self.counts.entry(reason).or_default() += change;
    }
}

/// The records that a batch keeps, by call id and fingerprint: in this order all batches lock them.
type Keeping<'a> = BTreeMap<(&'a str, String), Deliveries<'a>>;

/// A record that was refused, and how often in this batch.
struct Deliveries<'a> {
    last: &'a Refusal<'a>,
    count: i64,
    /// The one import that brought it in this batch.
    import: Option<i64>,
}

impl Outcome<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.refused.is_empty() && self.settled.is_empty()
    }

    /// Keeps what was refused, and takes out what is in the books now: of the calls that were stored
    /// all records that say no more than they do. `origins` are those of the deliveries.
    pub(crate) async fn write<'c>(
        mut self,
        tx: &mut Tx,
        table: &Table<'_>,
        origins: &[&Origin],
        stored: impl Iterator<Item = &'c Call>,
    ) -> Result<Difference> {
        let mut difference = Difference::default();
        if self.is_empty() && table.is_empty {
            return Ok(difference);
        }
        let stored: HashMap<&str, &Call> =
            stored.map(|call| (call.reported.call_id.as_str(), call)).collect();
        let refused = self.refused.iter().map(|refusal| refusal.brought.record.call_id.as_str());
        let shared = self.own_ids.values().copied();
        let ids: BTreeSet<&str> = stored.keys().copied().chain(refused).chain(shared).collect();
        let found = match table.is_empty || ids.is_empty() {
            true => Vec::new(),
            false => store::of_calls(tx, ids).await?,
        };
        difference.contested = self.contest(&found);
        let there: HashMap<(&str, &str), CallRejection> =
            found.iter().map(|row| (row.key(), row.reason)).collect();
        let keeping = self.keeping(table.shelf.room(), &there, &mut difference);

        let mut gone: HashSet<i64> = self.settled.iter().copied().collect();
        gone.retain(|id| table.kept.contains_key(id));
        for id in &gone {
            difference.count(table.kept[id].reason, -1);
        }
        for row in &found {
            let is_kept = keeping.contains_key(&(row.call_id.as_str(), row.fingerprint.clone()));
            let own_id = Some(row.record.record_id.as_str());
            let own_id = own_id.filter(|id| self.own_ids.get(id) == Some(&row.call_id.as_str()));
            let candidates = [Some(row.call_id.as_str()), own_id].into_iter().flatten();
            let mut calls = candidates.filter_map(|id| stored.get(id)).filter(|_| !is_kept);
            if calls.any(|call| known::covers(call, &row.record)) && gone.insert(row.id) {
                difference.count(row.reason, -1);
            }
        }
        store::delete(tx, gone).await?;
        write(tx, &keeping, origins).await?;
        Ok(difference)
    }

    /// Makes conflicts of records that disagree with one that was kept before them under their id, so that
    /// which of them comes first does not decide what is billed. Returns them.
    fn contest(&mut self, found: &[store::Found]) -> Vec<(usize, i64, Rejection)> {
        // What is refused as no record of its call anyway disagrees with none.
        let is_claim = |reason: CallRejection| {
            !matches!(reason, CallRejection::Conflict | CallRejection::NotAuthorized)
        };
        let mut kept: HashMap<&str, Vec<(String, &CallRecord)>> = HashMap::new();
        let stays = |row: &&store::Found| is_claim(row.reason) && !self.settled.contains(&row.id);
        for row in found.iter().filter(stays) {
            let of_its_id = kept.entry(row.call_id.as_str()).or_default();
            of_its_id.push((row.fingerprint.clone(), &row.record));
        }
        let mut contested = Vec::new();
        for refusal in &mut self.refused {
            let brought = refusal.brought;
            if !is_claim(refusal.rejection.to_proto()) || brought.kept_as.is_some() {
                continue;
            }
            let of_its_id = kept.entry(brought.record.call_id.as_str()).or_default();
            let fingerprint = brought.fingerprint();
            let mut others = of_its_id.iter().filter(|(other, _)| *other != fingerprint);
            if let Some(what) =
                others.find_map(|(_, other)| known::disagreement(other, &brought.record))
            {
                refusal.rejection = Rejection::Contested(what);
                let Refusal { place, position, rejection, .. } = refusal;
                contested.push((*place, *position, rejection.clone()));
            } else {
                of_its_id.push((fingerprint, &brought.record));
            }
        }
        contested
    }

    /// Which of the refused records are kept, as far as there is room.
    fn keeping<'s>(
        &'s self,
        mut room: i64,
        there: &HashMap<(&str, &str), CallRejection>,
        difference: &mut Difference,
    ) -> Keeping<'s> {
        let mut keeping = Keeping::new();
        let mut of_one_id: HashMap<&str, usize> = HashMap::new();
        for (call_id, _) in there.keys() {
            *of_one_id.entry(call_id).or_default() += 1;
        }
        for refusal in &self.refused {
            let Refusal { brought, rejection, place, .. } = refusal;
            let record = &brought.record;
            let is_keepable = record::check_call_id(&record.call_id).is_ok();
            if !is_keepable || record.encoded_len() > LONGEST {
                continue;
            }
            let key = (record.call_id.as_str(), brought.fingerprint());
            let count = i64::from(brought.kept_as.is_none());
            let reason = rejection.to_proto();
            if let Some(deliveries) = keeping.get_mut(&key) {
                difference.count(deliveries.last.rejection.to_proto(), -1);
                difference.count(reason, 1);
                let import = deliveries.import.filter(|import| brought.import == Some(*import));
                let count = deliveries.count + count;
                *deliveries = Deliveries { last: refusal, count, import };
            } else {
                if let Some(before) = there.get(&(key.0, key.1.as_str())) {
                    difference.count(*before, -1);
                } else {
                    let of_its_id = of_one_id.entry(key.0).or_default();
                    if room <= 0 || *of_its_id >= MOST_OF_ONE_ID {
                        difference.dropped += 1;
                        continue;
                    }
                    room -= 1;
                    *of_its_id += 1;
                }
                difference.count(reason, 1);
                let import = brought.import;
                keeping.insert(key, Deliveries { last: refusal, count, import });
            }
            difference.kept.push(*place);
        }
        keeping
    }
}

/// Stores the records, or says of those that are there how often they came.
async fn write(tx: &mut Tx, keeping: &Keeping<'_>, origins: &[&Origin]) -> Result<()> {
    // Those that are there keep their own; but another core may take them out meanwhile.
    let ids = tx.next_ids(Sequence::UnratedCalls, keeping.len()).await?;
    let now = clock::now();
    let rows = keeping.iter().zip(ids).map(|((key, deliveries), id)| store::Row {
        id,
        fingerprint: key.1.as_str(),
        refusal: deliveries.last,
        deliveries: deliveries.count,
        now,
        brought_by: origins.get(deliveries.last.place).and_then(|origin| origin.actor),
        import: deliveries.import,
    });
    store::keep(tx, rows.collect()).await
}
