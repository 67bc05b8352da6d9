//! `StatisticsService`.

use std::{collections::HashMap, pin::Pin, sync::Arc};

use futures_util::{Stream, stream};
use tollbook_proto::v1::{
    self as pb, AggregateGrouping, statistics_service_server::StatisticsService,
};
use tonic::{Request, Response, Status};

use super::{
    Sums,
    aggregate::{self, Filter, Group, Grouping},
    rollup::Party,
    store,
};
use crate::{
    access::{Principal, principal},
    calls::Side,
    clock,
    context::Context,
    enums,
    error::{Error, Result},
    ids::{PointId, UserId},
    live,
    money::ExchangeRate,
    text::check_text,
    users,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

/// How many groups a message holds.
const CHUNK: usize = 1_000;

impl Service {
    async fn quick_stats(&self, caller: &Principal) -> Result<pb::GetQuickStatsResponse> {
        let snapshot = self.0.catalog.load_full();
        let (today, month) = clock::today_and_month(&snapshot.settings.time_zone);
        let db = &self.0.db.long(caller.origin().actor);
        let scope = caller.scope();
        let days = match scope.only() {
            None if scope.is_staff_wide() => store::days(db, Party::All, month).await?,
            None => store::days_of_scope(db, scope, month).await?,
            Some(user) => {
                // Of either side only what is theirs: not what the other was billed.
                let paid =
                    store::days(db, Party::Side(Side::Originator, user), month).await?.into_iter();
                let paid = paid.map(|(day, sums)| (day, Sums { terminator_billed: 0, ..sums }));
                let earned =
                    store::days(db, Party::Side(Side::Terminator, user), month).await?.into_iter();
                // What they earn stands where others have what they pay.
                let earned = earned.map(|(day, sums)| {
                    (day, Sums { price: sums.self_cost, originator_billed: 0, ..sums })
                });
                paid.chain(earned).collect()
            }
        };
        let since = |start: i64| {
            let mut total = Sums::default();
            for (_, sums) in days.iter().filter(|(day, _)| *day >= start) {
                total += *sums;
            }
            total.to_proto(ExchangeRate::ONE, scope.level())
        };
        let shown = scope.only().is_none() || snapshot.settings.show_active_calls_for_users;
        Ok(pb::GetQuickStatsResponse {
            today: Some(since(today)?),
            month: Some(since(month)?),
            active_calls: match shown {
                true => Some(live::store::count(db, scope).await?),
                false => None,
            },
            balance: match scope.only().or(scope.owner()) {
                Some(user) => Some(self.0.directory.balance(user).await?.into()),
                None => None,
            },
        })
    }

    async fn aggregates(
        &self,
        caller: &Principal,
        request: &pb::AggregateCallsRequest,
    ) -> Result<(pb::AggregateCallsResponse, Box<dyn Iterator<Item = Result<pb::Aggregate>> + Send>)>
    {
        let snapshot = self.0.catalog.load_full();
        let currency = match request.currency.as_str() {
            "" => snapshot.currencies.default_currency()?,
            code => {
                snapshot.currencies.by_code(&code.to_uppercase()).ok_or(Error::CurrencyNotFound)?
            }
        };
        let zone = &snapshot.settings.time_zone;
        let scope = caller.scope();
        let (from, till) = clock::period(request.from.as_ref(), request.till.as_ref(), zone)?;
        for (field, pattern) in [
            ("source", &request.source),
            ("called_number", &request.called_number),
            ("destination", &request.destination),
            ("destination_group", &request.destination_group),
        ] {
            check_text(field, pattern)?;
        }
        let grouping = grouping(request, scope.is_staff())?;
        let filter = Filter {
            scope,
            originator: request.originator_id.map(UserId),
            terminator: request.terminator_id.map(UserId).filter(|_| scope.is_staff()),
            origination_point: request.origination_point_id.map(PointId),
            termination_point: request
                .termination_point_id
                .map(PointId)
                .filter(|_| scope.is_staff()),
            source: &request.source,
            called_number: &request.called_number,
            destination: &request.destination,
            destination_group: &request.destination_group,
        };
        let db = self.0.db.long(caller.origin().actor);
        let mut groups =
            aggregate::aggregate(&db, (from, till + 1), grouping, &filter, zone).await?;
        if groups.is_empty() {
            self.check_parties(caller, request).await?;
        }
        groups.retain(|_, sums| sums.answered_calls >= request.answered_calls);
        let mut totals = Sums::default();
        for sums in groups.values() {
            totals += *sums;
        }
        let users = groups.keys().flat_map(|group| [group.originator, group.terminator]);
        let names = users::store::usernames(&self.0.db, users.map(UserId).collect()).await?;
        let rate = currency.exchange_rate;
        // One after the other, as they are sent: what they are made of takes less.
        let aggregates = groups.into_iter().map(move |(group, sums)| {
            let traffic = sums.to_proto(rate, scope.level())?;
            Ok(to_proto(group, grouping, &names, traffic))
        });
        let first = pb::AggregateCallsResponse {
            currency: currency.code.clone(),
            totals: Some(totals.to_proto(currency.exchange_rate, scope.level())?),
            aggregates: Vec::new(),
        };
        Ok((first, Box::new(aggregates)))
    }

    /// Refuses parties that there are not. Those that are gone may have had calls: only where
    /// there are none is it asked.
    async fn check_parties(
        &self,
        caller: &Principal,
        request: &pb::AggregateCallsRequest,
    ) -> Result<()> {
        let Context { directory, catalog, .. } = &*self.0;
        if let Some(id) = request.originator_id {
            caller.see(directory.by_id(UserId(id)).await?)?;
        }
        if !caller.scope().is_staff() {
            return Ok(());
        }
        // 0 stands for calls that nobody terminated, or that came from no point.
        if let Some(id) = request.terminator_id.filter(|id| *id != 0) {
            directory.by_id(UserId(id)).await?.ok_or(Error::TerminatorNotFound)?;
        }
        let snapshot = catalog.load_full();
        let points = [request.origination_point_id, request.termination_point_id];
        for id in points.into_iter().flatten().filter(|id| *id != 0) {
            snapshot.points.by_id(PointId(id)).ok_or(Error::ConnectionPointNotFound)?;
        }
        Ok(())
    }
}

/// What calls are grouped by. Where they went is told to `staff` alone.
fn grouping(request: &pb::AggregateCallsRequest, staff: bool) -> Result<Grouping> {
    if request.group_by.is_empty() {
        return Ok(Grouping {
            originator: true,
            terminator: staff,
            destination_group: true,
            ..Grouping::default()
        });
    }
    let mut grouping = Grouping::default();
    for group in &request.group_by {
        match enums::known("group_by", *group)? {
            AggregateGrouping::Originator => grouping.originator = true,
            AggregateGrouping::OriginationPoint => grouping.origination_point = true,
            AggregateGrouping::Terminator => grouping.terminator = staff,
            AggregateGrouping::TerminationPoint => grouping.termination_point = staff,
            AggregateGrouping::DestinationGroup => grouping.destination_group = true,
            AggregateGrouping::Destination => grouping.destination = true,
            AggregateGrouping::Unspecified => {
                return Err(Error::invalid("group_by", "is unknown"));
            }
        }
    }
    Ok(grouping)
}

fn to_proto(
    group: Group,
    grouping: Grouping,
    names: &HashMap<UserId, String>,
    traffic: pb::Traffic,
) -> pb::Aggregate {
    let name = |wanted: bool, id: i64| {
        let name = names.get(&UserId(id)).filter(|_| wanted && id != 0);
        name.cloned().unwrap_or_default()
    };
    pb::Aggregate {
        originator: name(grouping.originator, group.originator),
        originator_id: grouping.originator.then_some(group.originator),
        origination_point_id: grouping.origination_point.then_some(group.origination_point),
        terminator: name(grouping.terminator, group.terminator),
        terminator_id: grouping.terminator.then_some(group.terminator),
        termination_point_id: grouping.termination_point.then_some(group.termination_point),
        destination_group: group.destination,
        prefix: group.prefix,
        traffic: Some(traffic),
    }
}

#[tonic::async_trait]
impl StatisticsService for Service {
    async fn get_quick_stats(
        &self,
        request: Request<pb::GetQuickStatsRequest>,
    ) -> Result<Response<pb::GetQuickStatsResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.quick_stats(&caller).await?))
    }

    type AggregateCallsStream =
        Pin<Box<dyn Stream<Item = Result<pb::AggregateCallsResponse, Status>> + Send>>;

    async fn aggregate_calls(
        &self,
        request: Request<pb::AggregateCallsRequest>,
    ) -> Result<Response<Self::AggregateCallsStream>, Status> {
        let caller = principal(&request)?;
        let (first, mut aggregates) = self.aggregates(&caller, request.get_ref()).await?;
        let rest = std::iter::from_fn(move || {
            let aggregates: Result<Vec<_>> = aggregates.by_ref().take(CHUNK).collect();
            let part = |aggregates| pb::AggregateCallsResponse { aggregates, ..Default::default() };
            match aggregates {
                Ok(aggregates) if aggregates.is_empty() => None,
                part_of => Some(part_of.map(part).map_err(Status::from)),
            }
        });
        let all = std::iter::once(Ok(first)).chain(rest);
        Ok(Response::new(Box::pin(stream::iter(all))))
    }
}
