//! `UnratedCallsService`.

use std::sync::Arc;

use prost::Message;
use tollbook_proto::v1::{
    self as pb, CallRejection, unrated_calls_service_server::UnratedCallsService,
};
use tonic::{Request, Response, Status};

use super::{
    Difference,
    accounts::Accounts,
    rate,
    store::{self, Extent, Filter},
};
use crate::{
    access::{Principal, Scope, principal},
    calls::Side,
    changes::Change,
    clock,
    context::Context,
    enums,
    error::{Error, Result},
    ids::UserId,
    paging::Page,
    resource::Resource,
    text::check_text,
};

/// How many groups a response has.
const GROUPS: i64 = 1_000;
/// How many ids of calls to be deleted a request may have.
const DELETED: usize = 1_000;
/// How many calls are deleted at once.
const PAGE: i64 = 1_000;
/// How many digits the numbers of a group share.
const PREFIX_LENGTH: i32 = 4;
const LONGEST_PREFIX: i32 = 20;

/// How many bytes of calls a response has: clients take 4 MiB, if nobody tells them otherwise.
const MOST_BYTES: usize = 3 << 20;

pub(crate) struct Service(pub(crate) Arc<Context>);

/// How many of a page's calls fit into a response; at least one.
fn fitting(calls: &[pb::UnratedCall], size: i64) -> i64 {
    let mut bytes = 0;
    let fits = calls.iter().take_while(|call| {
        bytes += call.encoded_len();
        bytes <= MOST_BYTES
    });
    i64::try_from(fits.count().max(1)).unwrap_or(size).min(size)
}

impl Service {
    /// The unrated calls that a request means, of those that its caller may see.
    async fn filter(
        &self,
        scope: Scope,
        request: Option<&pb::UnratedCallFilter>,
    ) -> Result<Filter> {
        let Some(request) = request else {
            return Ok(Filter::of(scope));
        };
        check_text("account", &request.account)?;
        check_text("destination_prefix", &request.destination_prefix)?;
        let reason: CallRejection = enums::known("reason", request.reason)?;
        let period = match (request.from.as_ref(), request.till.as_ref()) {
            (None, None) => None,
            (from, till) => Some(clock::period_within(clock::ALWAYS, from, till)?),
        };
        let accounts = match request.account.as_str() {
            "" => Vec::new(),
            account => store::spellings(&self.0.db, account).await?,
        };
        Ok(Filter {
            scope,
            reason: Some(reason).filter(|reason| *reason != CallRejection::Unspecified),
            user: request.user_id.map(UserId),
            period,
            accounts,
            destination_prefix: request.destination_prefix.clone(),
            side: Side::from_proto(enums::known("side", request.side)?),
        })
    }

    async fn list(
        &self,
        caller: &Principal,
        request: &pb::ListUnratedCallsRequest,
    ) -> Result<pb::ListUnratedCallsResponse> {
        let filter = self.filter(caller.scope(), request.filter.as_ref()).await?;
        let page = Page::of(request)?;
        let size = page.size;
        let before = page.after()?;
        let db = self.0.db.long(caller.origin().actor);
        let rows = store::list(&db, &filter, before, size + 1).await?;
        let fitting = fitting(&rows, size);
        let (calls, next_page_token) = page.cut(rows, fitting, |call| call.id);
        Ok(pb::ListUnratedCallsResponse { calls, next_page_token })
    }

    async fn aggregate(
        &self,
        caller: &Principal,
        request: &pb::AggregateUnratedCallsRequest,
    ) -> Result<pb::AggregateUnratedCallsResponse> {
        let filter = self.filter(caller.scope(), request.filter.as_ref()).await?;
        let length = match request.prefix_length {
            0 => PREFIX_LENGTH,
            length if (1..=LONGEST_PREFIX).contains(&length) => length,
            _ => return Err(Error::invalid("prefix_length", "must be 1 to 20")),
        };
        let db = self.0.db.long(caller.origin().actor);
        let groups = store::groups(&db, &filter, length.into(), GROUPS).await?;
        let calls = store::count(&db, &filter).await?;
        Ok(pb::AggregateUnratedCallsResponse { groups, calls })
    }

    async fn rate(
        &self,
        caller: &Principal,
        request: &pb::RateUnratedCallsRequest,
    ) -> Result<pb::RateUnratedCallsResponse> {
        let filter = self.filter(caller.scope(), request.filter.as_ref()).await?;
        let accounts = Accounts::of(&self.0, caller, &request.accounts).await?;
        rate::rate(&self.0, caller, &filter, &accounts, request.dry_run).await
    }

    async fn delete(
        &self,
        caller: &Principal,
        request: &pb::DeleteUnratedCallsRequest,
    ) -> Result<pb::DeleteUnratedCallsResponse> {
        let filter = self.filter(caller.scope(), request.filter.as_ref()).await?;
        if request.ids.is_empty() && !filter.narrows() {
            return Err(Error::invalid("ids", "or something to filter by is required"));
        }
        if request.ids.len() > DELETED {
            return Err(Error::invalid("ids", "has more than 1000 ids"));
        }
        let extent = match request.validate_only {
            true => {
                let db = self.0.db.long(caller.origin().actor);
                store::extent(&db, &filter, &request.ids).await?
            }
            false => self.delete_all(caller, &filter, &request.ids).await?,
        };
        let reasons = extent.reasons.iter();
        let reasons = reasons.map(|(reason, calls)| pb::UnratedCallCount {
            reason: (*reason).into(),
            calls: *calls,
        });
        Ok(pb::DeleteUnratedCallsResponse {
            deleted: extent.reasons.values().sum(),
            reasons: reasons.collect(),
            first_start_time: extent.start_times.map(|(first, _)| clock::to_proto(first)),
            last_start_time: extent.start_times.map(|(_, last)| clock::to_proto(last)),
            billsec_ms: extent.billsec,
        })
    }

    /// Deletes what a filter lets through, of some ids if there are any, a page at a time.
    async fn delete_all(&self, caller: &Principal, filter: &Filter, ids: &[i64]) -> Result<Extent> {
        // What is refused meanwhile nobody has seen yet.
        let till = store::last_id(&self.0.db).await?;
        let mut extent = Extent::default();
        let mut after = 0;
        loop {
            let mut tx = self.0.begin_change(caller.origin()).await?;
            let range = (after, till);
            let page = store::lock(&mut tx, filter, ids, range, PAGE).await?;
            let Some((last, page)) = page else { return Ok(extent) };
            after = last;
            // Others were faster than the lock.
            if page.is_empty() {
                continue;
            }
            let changes = page
                .iter()
                .map(|call| Change::deletion(Resource::UnratedCall(call.id), &call.record))
                .collect::<Result<_>>()?;
            let gone: Vec<i64> = page.iter().map(|call| call.id).collect();
            store::delete(&mut tx, gone).await?;
            tx.commit_all(changes).await?;
            let mut difference = Difference::default();
            for call in &page {
                extent.count(call);
                difference.count(call.reason, -1);
            }
            self.0.unrated.changed(&difference);
        }
    }
}

#[tonic::async_trait]
impl UnratedCallsService for Service {
    async fn list_unrated_calls(
        &self,
        request: Request<pb::ListUnratedCallsRequest>,
    ) -> Result<Response<pb::ListUnratedCallsResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.list(&caller, request.get_ref()).await?))
    }

    async fn aggregate_unrated_calls(
        &self,
        request: Request<pb::AggregateUnratedCallsRequest>,
    ) -> Result<Response<pb::AggregateUnratedCallsResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.aggregate(&caller, request.get_ref()).await?))
    }

    async fn rate_unrated_calls(
        &self,
        request: Request<pb::RateUnratedCallsRequest>,
    ) -> Result<Response<pb::RateUnratedCallsResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.rate(&caller, request.get_ref()).await?))
    }

    async fn delete_unrated_calls(
        &self,
        request: Request<pb::DeleteUnratedCallsRequest>,
    ) -> Result<Response<pb::DeleteUnratedCallsResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.delete(&caller, request.get_ref()).await?))
    }
}
