//! `RoutingService`.

use std::{collections::HashSet, sync::Arc};

use tollbook_proto::v1::{self as pb, SkipReason, routing_service_server::RoutingService};
use tollbook_rating::CallTime;
use tonic::{Request, Response, Status};

use super::{
    IN_USE, Lcr, Member, PROVIDER_TAKEN, record,
    route::{self, Candidate},
    store,
};
use crate::{
    access::{Principal, principal},
    catalog::Snapshot,
    changes::Change,
    clock,
    context::Context,
    error::{Error, Result},
    ids::{self, PointId, RoutingGroupId, TariffId, UserId},
    live,
    money::{self, Money},
    paging::Page,
    points::{self, SideTariffs},
    providers::{self, Provider},
    rating::{Offer, Rater},
    resource::Resource,
    routing_groups,
    rules::Numbers,
    store::Tx,
    users::{self, Identity},
};

/// MOR's hangup causes: the user has no rate; there is no suitable provider; a provider has as many calls
/// as it may have; it is dearer than the user pays; it is dearer than the first by too much.
const NO_USER_RATE: i32 = 203;
const NO_PROVIDER: i32 = 204;
/// Likewise: who pays the operator for the user's calls has no rate.
const NO_OWNER_RATE: i32 = 242;
const CALL_LIMIT: i32 = 223;
const LOSS: i32 = 224;
const PERCENT_LIMIT: i32 = 235;

pub(crate) struct Service(pub(crate) Arc<Context>);

/// A provider as a call would go there.
struct Way<'a> {
    member: Member,
    provider: &'a Provider,
    /// None: as they are rated.
    numbers: Option<Numbers>,
    tariff: TariffId,
    offer: Option<Offer>,
}

impl Service {
    async fn create(&self, caller: &Principal, lcr: pb::Lcr) -> Result<pb::Lcr> {
        let owner = if caller.scope().is_staff_wide() { UserId::ADMIN } else { caller.user()?.id };
        let given = pb::Lcr { owner_id: owner.0, failover_provider_id: 0, ..lcr };
        let mut lcr = record::checked(pb::Lcr { providers: Vec::new(), ..given })?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let is_pro = owner == UserId::ADMIN
            || users::ownership::is_pro(&users::store::get(&mut tx, owner).await?);
        if !is_pro {
            return Err(Error::RoleDenied);
        }
        let id = routing_groups::store::insert(&mut tx, &lcr.name).await?;
        lcr.id = Some(id.0);
        store::write(&mut tx, &lcr).await?;
        tx.commit(Change::creation(Resource::Lcr(id), &lcr)?).await?;
        Ok(lcr)
    }

    /// Changes an LCR that the caller may change, as it is now.
    async fn change(
        &self,
        caller: &Principal,
        id: RoutingGroupId,
        change: impl AsyncFnOnce(&mut Tx, &Lcr) -> Result<pb::Lcr>,
    ) -> Result<pb::Lcr> {
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let before = store::all(&mut tx).await?.managed(caller, id)?.clone();
        let lcr = change(&mut tx, &before).await?;
        if lcr.name != before.message.name {
            routing_groups::store::rename(&mut tx, id, &lcr.name).await?;
        }
        store::write(&mut tx, &lcr).await?;
        tx.commit(Change::of(Resource::Lcr(id), &before.message, &lcr)?).await?;
        Ok(lcr)
    }

    async fn delete(&self, caller: &Principal, id: RoutingGroupId) -> Result<()> {
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let lcr = store::all(&mut tx).await?.managed(caller, id)?.clone();
        if points::store::use_routing_group(&mut tx, id).await? {
            return Err(IN_USE.into());
        }
        store::delete(&mut tx, id).await?;
        routing_groups::store::delete(&mut tx, id).await?;
        tx.commit(Change::deletion(Resource::Lcr(id), &lcr.message)?).await
    }

    async fn route(
        &self,
        caller: &Principal,
        request: &pb::RouteCallRequest,
    ) -> Result<pb::RouteCallResponse> {
        let point = ids::required::<PointId>("origination_point_id", request.origination_point_id)?;
        if request.destination.is_empty() || request.destination.len() > 255 {
            return Err(Error::invalid("destination", "must have 1 to 255 characters"));
        }
        let snapshot = self.0.catalog.load_full();
        let start = request.start_time.map(|time| clock::from_proto("start_time", &time));
        let start = start.transpose()?.unwrap_or_else(clock::now);
        let time = CallTime::new(start, &snapshot.settings.time_zone);
        let (point, origination) =
            snapshot.points.origination(point).ok_or(Error::DeviceNotFound)?;
        let user = self.0.directory.by_id(point.user).await?;
        let user = caller.see(user).map_err(|_| Error::DeviceNotFound)?;
        let mut numbers = Numbers {
            source: request.source.clone(),
            source_name: String::new(),
            destination: request.destination.clone(),
            received: request.destination.clone(),
        };
        origination.rewrite(&mut numbers.source, &mut numbers.destination);
        let lcr = snapshot.lcrs.by_id(point.routing_group());
        let mut answer = pb::RouteCallResponse {
            destination: numbers.destination.clone(),
            source: numbers.source.clone(),
            lcr_id: lcr.map_or(0, |lcr| lcr.id.0),
            ..Default::default()
        };
        let tariffs = origination.terms.tariffs.or(user.tariff);
        let mut ways = lcr.map_or_else(Vec::new, |lcr| ways(&snapshot, lcr, &numbers));
        let payer = self.payer(&user, &ways).await?;
        let of_payer = payer.as_ref().map(|payer| SideTariffs::NONE.or(payer.tariff));
        let rater = self.rater(&snapshot, of_payer.into_iter().chain([tariffs]), &ways).await?;
        let Ok(paid) = rater.offer(tariffs, &numbers.destination, time) else {
            answer.hangup_cause = NO_USER_RATE;
            return Ok(answer);
        };
        let mut paid = paid.rate()?;
        answer.user_rate = Some(paid.into());
        if let Some(of_payer) = of_payer {
            let Ok(to_operator) = rater.offer(of_payer, &numbers.destination, time) else {
                answer.hangup_cause = NO_OWNER_RATE;
                return Ok(answer);
            };
            paid = paid.min(to_operator.rate()?);
        }
        answer.hangup_cause = NO_PROVIDER;
        let Some(lcr) = lcr else { return Ok(answer) };
        for way in &mut ways {
            let tariff = SideTariffs { tariff: way.tariff, ..SideTariffs::NONE };
            way.offer = rater.offer(tariff, &numbers.destination, time).ok();
        }
        let full = self.full(&snapshot, &ways, start).await?;
        let candidates = candidates(&snapshot, lcr, &ways, &full)?;
        let is_dear = |one: &Candidate| one.rate.is_ok_and(|rate| rate > paid);
        // Who pays enough for everybody need not be asked for.
        let allows_loss = candidates.iter().any(is_dear)
            && allows_loss(&self.0, payer.as_deref().unwrap_or(&user)).await?;
        let draw = route::draw(&request.call_id);
        let decision = route::decide(lcr, allows_loss, paid, draw, &candidates);
        tell(&mut answer, &ways, &candidates, &decision, user.owner)?;
        Ok(answer)
    }

    /// Who pays the operator for a user's calls, where that is not the user and any of the providers is the
    /// operator's: the partner of his reseller, else the reseller. What they pay decides about a loss, and
    /// whether they may have calls at one.
    async fn payer(&self, user: &Identity, ways: &[Way<'_>]) -> Result<Option<Arc<Identity>>> {
        let owners = [user.owner_of_owner, user.owner];
        let top = owners.into_iter().find(|owner| *owner != UserId::ADMIN);
        let Some(top) = top else { return Ok(None) };
        if ways.iter().all(|way| way.provider.owner() == user.owner) {
            return Ok(None);
        }
        Ok(self.0.directory.lately_by_ids([top]).await?.remove(&top))
    }

    /// The decks that a call needs.
    async fn rater(
        &self,
        snapshot: &Snapshot,
        payers: impl IntoIterator<Item = SideTariffs>,
        ways: &[Way<'_>],
    ) -> Result<Rater> {
        let side = |way: &Way<'_>| SideTariffs { tariff: way.tariff, ..SideTariffs::NONE };
        let mut sides: HashSet<SideTariffs> = ways.iter().map(side).collect();
        sides.extend(payers);
        Rater::load(&self.0.db, &self.0.decks, snapshot, sides).await
    }

    /// Of some providers those that have as many calls as they may have.
    async fn full(
        &self,
        snapshot: &Snapshot,
        ways: &[Way<'_>],
        now: i64,
    ) -> Result<HashSet<PointId>> {
        let limited: Vec<_> = ways
            .iter()
            .filter_map(|way| snapshot.points.termination(way.provider.id))
            .filter(|(_, termination)| termination.terms.is_full(i64::MAX))
            .collect();
        if limited.is_empty() {
            return Ok(HashSet::new());
        }
        let ids: Vec<PointId> = limited.iter().map(|(point, _)| point.id).collect();
        let calls = live::store::under_way_at(&self.0.db, &ids, now).await?;
        let full = limited.into_iter().filter(|(point, termination)| {
            termination.terms.is_full(calls.get(&point.id).copied().unwrap_or_default())
        });
        Ok(full.map(|(point, _)| point.id).collect())
    }
}

/// The providers of an LCR as a call would go there, in its order.
fn ways<'a>(snapshot: &'a Snapshot, lcr: &Lcr, numbers: &Numbers) -> Vec<Way<'a>> {
    let way = |member: &Member| {
        let provider = snapshot.providers.by_id(member.provider)?;
        let mut sent = (!provider.has_no_rules()).then(|| numbers.clone());
        let by_rule = sent.as_mut().and_then(|numbers| provider.rewrite(numbers));
        let point = snapshot.points.termination(provider.id);
        let own = point.map_or(TariffId(0), |(_, side)| side.terms.tariffs.tariff);
        let tariff = by_rule.unwrap_or(own);
        Some(Way { member: *member, provider, numbers: sent, tariff, offer: None })
    };
    lcr.members.iter().filter_map(way).collect()
}

/// What decides about the providers of a call.
fn candidates(
    snapshot: &Snapshot,
    lcr: &Lcr,
    ways: &[Way<'_>],
    full: &HashSet<PointId>,
) -> Result<Vec<Candidate>> {
    let candidate = |way: &Way<'_>| {
        let side = snapshot.points.termination(way.provider.id);
        let rate = way.offer.as_ref().map(Offer::rate).transpose()?;
        let rate = match rate {
            _ if side.is_none_or(|(_, side)| !side.terms.active) => Err(SkipReason::Disabled),
            _ if !way.provider.serves(lcr.owner) => Err(SkipReason::NotInUse),
            None => Err(SkipReason::NoRate),
            Some(_) if full.contains(&way.provider.id) => Err(SkipReason::CallLimit),
            Some(rate) => Ok(rate),
        };
        Ok(Candidate { member: way.member, rate })
    };
    ways.iter().map(candidate).collect()
}

/// Whether a user may call at a loss.
async fn allows_loss(context: &Context, user: &Identity) -> Result<bool> {
    let user = users::store::by_id(&context.db, user.id).await?;
    Ok(user.loss_protection.is_some_and(|protection| protection.allow_loss_calls))
}

/// Writes down where a call goes.
fn tell(
    answer: &mut pb::RouteCallResponse,
    ways: &[Way<'_>],
    candidates: &[Candidate],
    decision: &route::Decision,
    owner: UserId,
) -> Result<()> {
    let found = |position: usize| ways.get(position).zip(candidates.get(position));
    let rated = (answer.destination.clone(), answer.source.clone());
    for (way, candidate) in decision.routes.iter().filter_map(|position| found(*position)) {
        let Some(offer) = &way.offer else { continue };
        let common = way.provider.common_tariff(owner);
        let sent = way.numbers.as_ref();
        let sent = sent.map(|sent| (sent.destination.clone(), sent.source.clone()));
        let sent = sent.unwrap_or_else(|| rated.clone());
        answer.routes.push(pb::Route {
            provider_id: candidate.provider().0,
            provider_name: way.provider.name().to_owned(),
            rate: Some(offer.rate()?.into()),
            tariff_id: offer.tariff.0,
            prefix: rated.0.get(..offer.prefix_length).unwrap_or_default().to_owned(),
            destination: sent.0,
            source: sent.1,
            failover: candidate.member.is_failover,
            common_use_tariff_id: common.map_or(0, |tariff| tariff.0),
        });
    }
    for (position, reason) in &decision.skipped {
        let Some((way, candidate)) = found(*position) else { continue };
        let rate = way.offer.as_ref().map(Offer::rate).transpose()?;
        answer.skipped_providers.push(pb::SkippedProvider {
            provider_id: candidate.provider().0,
            provider_name: way.provider.name().to_owned(),
            reason: (*reason).into(),
            hangup_cause: hangup_cause(*reason),
            rate: rate.map(Money::into),
        });
    }
    if !answer.routes.is_empty() {
        answer.hangup_cause = 0;
    }
    Ok(())
}

fn hangup_cause(reason: SkipReason) -> i32 {
    match reason {
        SkipReason::CallLimit => CALL_LIMIT,
        SkipReason::Loss => LOSS,
        SkipReason::PercentLimit => PERCENT_LIMIT,
        SkipReason::Unspecified
        | SkipReason::Disabled
        | SkipReason::NotInUse
        | SkipReason::NoRate
        | SkipReason::NoFailover => NO_PROVIDER,
    }
}

/// An LCR with one more provider.
async fn with_provider(
    tx: &mut Tx,
    lcr: &Lcr,
    request: &pb::AddLcrProviderRequest,
) -> Result<pb::Lcr> {
    let id = ids::required::<PointId>("provider_id", request.provider_id)?;
    let percent = record::share(request.percent.as_ref())?;
    let providers = providers::store::all(tx).await?;
    let provider = providers.by_id(id).filter(|provider| provider.serves(lcr.owner));
    provider.ok_or(providers::NOT_FOUND)?;
    let mut message = lcr.message.clone();
    if request.failover {
        message.failover_provider_id = id.0;
        return Ok(message);
    }
    if message.providers.iter().any(|member| member.provider_id == Some(id.0)) {
        return Err(PROVIDER_TAKEN.into());
    }
    let last = message.providers.iter().map(|member| member.priority).max().unwrap_or_default();
    message.providers.push(pb::LcrProvider {
        provider_id: Some(id.0),
        priority: request.priority.unwrap_or_else(|| last.saturating_add(1)),
        percent: Some(money::to_proto(percent)),
    });
    message.providers.sort_by_key(|member| (member.priority, member.provider_id));
    Ok(message)
}

/// An LCR without a provider that it has.
fn without_provider(lcr: &Lcr, id: PointId, failover: bool) -> Result<pb::Lcr> {
    let mut message = lcr.message.clone();
    if failover {
        if message.failover_provider_id != id.0 {
            return Err(providers::NOT_FOUND.into());
        }
        message.failover_provider_id = 0;
        return Ok(message);
    }
    let before = message.providers.len();
    message.providers.retain(|member| member.provider_id != Some(id.0));
    if message.providers.len() == before { Err(providers::NOT_FOUND.into()) } else { Ok(message) }
}

#[tonic::async_trait]
impl RoutingService for Service {
    async fn list_lcrs(
        &self,
        request: Request<pb::ListLcrsRequest>,
    ) -> Result<Response<pb::ListLcrsResponse>, Status> {
        let caller = principal(&request)?;
        let request = request.get_ref();
        let snapshot = self.0.catalog.load_full();
        let own = if caller.scope().is_staff_wide() { UserId::ADMIN } else { caller.user()?.id };
        let is_asked = |lcr: &&Arc<Lcr>| {
            (!request.own || lcr.owner == own)
                && (request.name.is_empty() || lcr.message.name == request.name)
                && lcr.is_managed_by(&caller).unwrap_or(false)
        };
        let lcrs = snapshot.lcrs.0.iter().filter(is_asked).map(|lcr| lcr.message.clone());
        let (lcrs, next_page_token) = Page::of(request)?.of_sorted(lcrs, pb::Lcr::id)?;
        Ok(Response::new(pb::ListLcrsResponse { lcrs, next_page_token }))
    }

    async fn create_lcr(
        &self,
        request: Request<pb::CreateLcrRequest>,
    ) -> Result<Response<pb::CreateLcrResponse>, Status> {
        let caller = principal(&request)?;
        let lcr = request.into_inner().lcr.unwrap_or_default();
        let lcr = Some(self.create(&caller, lcr).await?);
        Ok(Response::new(pb::CreateLcrResponse { lcr }))
    }

    async fn update_lcr(
        &self,
        request: Request<pb::UpdateLcrRequest>,
    ) -> Result<Response<pb::UpdateLcrResponse>, Status> {
        let caller = principal(&request)?;
        let request = request.into_inner();
        let id = ids::required::<RoutingGroupId>("id", request.id)?;
        let change = async |_: &mut Tx, lcr: &Lcr| record::changed(&lcr.message, request);
        let lcr = Some(self.change(&caller, id, change).await?);
        Ok(Response::new(pb::UpdateLcrResponse { lcr }))
    }

    async fn delete_lcr(
        &self,
        request: Request<pb::DeleteLcrRequest>,
    ) -> Result<Response<pb::DeleteLcrResponse>, Status> {
        let caller = principal(&request)?;
        self.delete(&caller, ids::required::<RoutingGroupId>("id", request.get_ref().id)?).await?;
        Ok(Response::new(pb::DeleteLcrResponse {}))
    }

    async fn add_lcr_provider(
        &self,
        request: Request<pb::AddLcrProviderRequest>,
    ) -> Result<Response<pb::AddLcrProviderResponse>, Status> {
        let caller = principal(&request)?;
        let request = request.into_inner();
        let id = ids::required::<RoutingGroupId>("lcr_id", request.lcr_id)?;
        let change = async |tx: &mut Tx, lcr: &Lcr| with_provider(tx, lcr, &request).await;
        let lcr = Some(self.change(&caller, id, change).await?);
        Ok(Response::new(pb::AddLcrProviderResponse { lcr }))
    }

    async fn delete_lcr_provider(
        &self,
        request: Request<pb::DeleteLcrProviderRequest>,
    ) -> Result<Response<pb::DeleteLcrProviderResponse>, Status> {
        let caller = principal(&request)?;
        let request = request.get_ref();
        let id = ids::required::<RoutingGroupId>("lcr_id", request.lcr_id)?;
        let provider = ids::required::<PointId>("provider_id", request.provider_id)?;
        let change =
            async |_: &mut Tx, lcr: &Lcr| without_provider(lcr, provider, request.failover);
        let lcr = Some(self.change(&caller, id, change).await?);
        Ok(Response::new(pb::DeleteLcrProviderResponse { lcr }))
    }

    async fn route_call(
        &self,
        request: Request<pb::RouteCallRequest>,
    ) -> Result<Response<pb::RouteCallResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.route(&caller, request.get_ref()).await?))
    }
}
