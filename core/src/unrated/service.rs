//! `UnratedCallsService`.

use std::sync::Arc;

use prost::Message;
use tollbook_proto::v1::{
    self as pb, CallRejection, unrated_calls_service_server::UnratedCallsService,
};
use tonic::{Request, Response, Status};

use super::{
    Difference, rate,
    store::{self, Filter},
};
use crate::{
    access::{Principal, Scope, principal},
    changes::{self, Change},
    clock,
    context::Context,
    enums,
    error::{Error, Result},
    ids::UserId,
    paging,
};

/// How many groups a response has.
const GROUPS: i64 = 1_000;
/// How many calls are deleted at once.
const DELETED: usize = 1_000;
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

/// The unrated calls that a request means, of those that its caller may see.
fn filter(scope: Scope, request: Option<&pb::UnratedCallFilter>) -> Result<Filter> {
    let Some(request) = request else {
        return Ok(Filter { scope, reason: None, user: None, period: None });
    };
    let reason: CallRejection = enums::known("reason", request.reason)?;
    let period = match (request.from.as_ref(), request.till.as_ref()) {
        (None, None) => None,
        (from, till) => Some(clock::period_within(clock::ALWAYS, from, till)?),
    };
    Ok(Filter {
        scope,
        reason: Some(reason).filter(|reason| *reason != CallRejection::Unspecified),
        user: request.user_id.map(UserId),
        period,
    })
}

impl Service {
    async fn list(
        &self,
        caller: &Principal,
        request: &pb::ListUnratedCallsRequest,
    ) -> Result<pb::ListUnratedCallsResponse> {
        let filter = filter(caller.scope(), request.filter.as_ref())?;
        let size = paging::size(request.page_size);
        let before = paging::decode(&request.page_token)?;
        let db = self.0.db.long(caller.origin().actor);
        let rows = store::list(&db, &filter, before, size + 1).await?;
        let fitting = fitting(&rows, size);
        let (calls, next_page_token) = paging::cut(rows, fitting, |call| call.id);
        Ok(pb::ListUnratedCallsResponse { calls, next_page_token })
    }

    async fn aggregate(
        &self,
        caller: &Principal,
        request: &pb::AggregateUnratedCallsRequest,
    ) -> Result<pb::AggregateUnratedCallsResponse> {
        let filter = filter(caller.scope(), request.filter.as_ref())?;
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
        let filter = filter(caller.scope(), request.filter.as_ref())?;
        rate::rate(&self.0, caller, &filter, request.dry_run).await
    }

    async fn delete(
        &self,
        caller: &Principal,
        request: &pb::DeleteUnratedCallsRequest,
    ) -> Result<pb::DeleteUnratedCallsResponse> {
        if request.ids.is_empty() {
            return Err(Error::invalid("ids", "is required"));
        }
        if request.ids.len() > DELETED {
            return Err(Error::invalid("ids", "has more than 1000 ids"));
        }
        let mut tx = self.0.db.begin().await?;
        let found = store::lock(&mut tx, caller.scope(), &request.ids).await?;
        let deleted = i64::try_from(found.len()).unwrap_or_default();
        if deleted == 0 {
            return Ok(pb::DeleteUnratedCallsResponse { deleted });
        }
        let mut ids: Vec<i64> = found.keys().copied().collect();
        ids.sort_unstable();
        let changes: Vec<_> = store::records(&mut tx, &ids)
            .await?
            .into_iter()
            .map(|(id, record)| {
                let change = Change::deletion(format!("unratedCalls/{id}"), &record)?;
                Ok((&**caller.origin(), change))
            })
            .collect::<Result<_>>()?;
        store::delete(&mut tx, ids).await?;
        changes::record_all(&mut tx, &changes).await?;
        tx.commit().await?;
        let mut difference = Difference::default();
        for reason in found.into_values() {
            difference.count(reason, -1);
        }
        self.0.unrated.changed(&difference);
        Ok(pb::DeleteUnratedCallsResponse { deleted })
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
