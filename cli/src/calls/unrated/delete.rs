//! Deleting unrated calls: a look at what would go, and the deletion itself.

use std::{collections::BTreeMap, process::ExitCode};

use jiff::tz::TimeZone;
use tollbook_proto::v1::{
    CallRejection, DeleteUnratedCallsRequest, DeleteUnratedCallsResponse, UnratedCallFilter,
    unrated_calls_service_client::UnratedCallsServiceClient,
};

use super::{moment, reason_name};
use crate::{
    client::{Core, said},
    out::say,
};

/// How many ids a request may have.
const IDS: usize = 1_000;

/// Deletes calls of some ids, of a filter or of both; unless that is `confirmed`, it says what would go.
pub(super) async fn delete(
    core: &mut UnratedCallsServiceClient<Core>,
    mut ids: Vec<i64>,
    filter: UnratedCallFilter,
    confirmed: bool,
    zone: &TimeZone,
) -> anyhow::Result<ExitCode> {
    ids.sort_unstable();
    ids.dedup();
    let narrows = filter != UnratedCallFilter::default();
    if ids.is_empty() && !narrows {
        anyhow::bail!(
            "--delete needs ids, or what to filter by: --reason, --side, --user, --account, --prefix, \
             --from, --till"
        );
    }
    let mut gone = Gone::default();
    let mut left = ids.as_slice();
    loop {
        let (some, others) = left.split_at(left.len().min(IDS));
        let request = DeleteUnratedCallsRequest {
            ids: some.to_vec(),
            filter: Some(filter.clone()),
            validate_only: !confirmed,
        };
        gone.add(&core.delete_unrated_calls(request).await.map_err(said)?.into_inner());
        left = others;
        if left.is_empty() {
            break;
        }
    }
    gone.print(confirmed, zone)?;
    let missing = i64::try_from(ids.len())? - gone.calls;
    if missing > 0 {
        let problem = if narrows { "not there, or not what was asked for" } else { "not there" };
        say!("{missing} were {problem}")?;
    }
    if !confirmed && gone.calls > 0 {
        say!("Nothing was deleted: the same command with --yes deletes them")?;
    }
    Ok(if missing > 0 && !narrows { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What was deleted, or would be.
#[derive(Default)]
struct Gone {
    calls: i64,
    reasons: BTreeMap<CallRejection, i64>,
    /// The beginnings of the first and the last.
    times: Option<(prost_types::Timestamp, prost_types::Timestamp)>,
    billsec_ms: i64,
}

impl Gone {
    fn add(&mut self, answer: &DeleteUnratedCallsResponse) {
        self.calls += answer.deleted;
        self.billsec_ms += answer.billsec_ms;
        for count in &answer.reasons {
            *self.reasons.entry(count.reason()).or_default() += count.calls;
        }
        let key = |time: &prost_types::Timestamp| (time.seconds, time.nanos);
        let times = answer.first_start_time.zip(answer.last_start_time);
        self.times = match (self.times, times) {
            (Some((first, last)), Some((from, till))) => {
                let earlier = std::cmp::min_by_key(first, from, key);
                Some((earlier, std::cmp::max_by_key(last, till, key)))
            }
            (known, new) => known.or(new),
        };
    }

    fn print(&self, confirmed: bool, zone: &TimeZone) -> anyhow::Result<()> {
        let done = if confirmed { "deleted" } else { "would be deleted" };
        if self.calls == 0 {
            return say!("0 {done}");
        }
        let reasons: Vec<String> = self
            .reasons
            .iter()
            .map(|(reason, calls)| format!("{calls} {}", reason_name(*reason)))
            .collect();
        let times = self.times.map_or_else(String::new, |(first, last)| {
            format!("; begun {} to {}", moment(Some(&first), zone), moment(Some(&last), zone))
        });
        let seconds = self.billsec_ms.unsigned_abs().div_ceil(1_000);
        say!("{} {done}: {}{times}; {seconds} seconds in all", self.calls, reasons.join(", "))
    }
}
