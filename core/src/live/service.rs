//! `LiveCallsService`.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tollbook_proto::v1::{
    self as pb, CallRecord, Disposition, RejectCode, RejectCodes,
    live_calls_service_server::LiveCallsService,
};
use tonic::{Request, Response, Status};

use super::{
    ActiveCall, Viewer, authorize,
    chain::{self, Above},
    command::{Command, Going, Outcome, Start, Update, Whose},
    decide::{Question, refusal},
    store,
};
use crate::{
    access::{Principal, Scope, principal},
    calls::{
        self, Call, Listed, Names, Owners, Rejection, Side,
        ingest::{self, Delivery, Numbered},
        record::{self, UserRef},
    },
    clock,
    context::Context,
    devices::clis,
    enums,
    error::{Error, Result},
    ids::{PointId, UserId},
    measure,
    paging::Page,
    points::{NotFound, Point, Points, Source},
    text::check_text,
    unrated::Brought,
    users::{Identity, Role},
};

/// How often lost calls are looked for.
const WATCH_INTERVAL: Duration = Duration::from_secs(30);

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    /// Decides, and says so in the codes that the switch knows.
    async fn authorize(
        &self,
        caller: &Principal,
        request: pb::AuthorizeCallRequest,
    ) -> Result<pb::AuthorizeCallResponse> {
        let codes: RejectCodes = enums::known("reject_codes", request.reject_codes)?;
        let known_as = |code: RejectCode| match codes {
            RejectCodes::Unspecified => chain::in_m4(code),
            RejectCodes::Mor => chain::in_mor(code),
        };
        let mut answer = self.decide(caller, request).await?;
        let code = known_as(answer.reject_code());
        if code != answer.reject_code() {
            answer.set_reject_code(code);
            authorize::reason(code).clone_into(&mut answer.reject_reason);
        }
        if let Some((cause, status)) = chain::on_the_wire(code) {
            (answer.wire_cause, answer.sip_status) = (cause, status);
        }
        for skipped in &mut answer.skipped_terminators {
            skipped.set_reject_code(known_as(skipped.reject_code()));
        }
        Ok(answer)
    }

    async fn decide(
        &self,
        caller: &Principal,
        mut request: pb::AuthorizeCallRequest,
    ) -> Result<pb::AuthorizeCallResponse> {
        record::check_call_id(&request.call_id)?;
        check_text("source", &request.source)?;
        check_text("destination", &request.destination)?;
        check_text("source_domain", &request.source_domain)?;
        if request.max_duration < 0 {
            return Err(Error::invalid("max_duration", "must not be negative"));
        }
        if request.destination.is_empty() {
            return Ok(refusal(RejectCode::DestinationEmpty));
        }
        let snapshot = self.0.catalog.load_full();
        let point = match self.origination(&snapshot.points, &request).await? {
            Ok(point) => point,
            Err(code) => return Ok(refusal(code)),
        };
        let user = match UserRef::new(request.originator_id, &request.originator) {
            Some(UserRef::Id(id)) => self.0.directory.lately_by_id(id).await?,
            Some(UserRef::Username(name)) => self.0.directory.by_username(&name).await?,
            None => {
                let point = point.ok_or_else(|| Error::invalid("originator_id", "is required"))?;
                self.0.directory.lately_by_id(point.user).await?
            }
        };
        let user = user.filter(|user| user.role == Role::User && caller.scope().covers(user));
        let Some(user) = user else { return Ok(refusal(RejectCode::OriginatorNotFound)) };
        let originator = user.id;
        if point.is_some_and(|point| point.user != originator) {
            return Ok(refusal(RejectCode::OriginatorNotFound));
        }
        if let Some(rules) = point.and_then(|point| point.origination.as_ref()) {
            rules.rewrite(&mut request.source, &mut request.destination);
            if request.destination.is_empty() {
                return Ok(refusal(RejectCode::DestinationEmpty));
            }
        }
        let above = self.above(&user).await?;
        let origination = point.map(|point| point.id);
        let question = Question { request, originator, above, origination };
        loop {
            let command = Command::Authorize(Box::new(question.clone()));
            match self.0.writer.live(command).await? {
                Outcome::Authorized(answer) => return Ok(answer),
                Outcome::Unprepared(missing) => self.0.writer.prepare(missing).await?,
                Outcome::Going(_) => return Err(Error::internal("a question has another answer")),
            }
        }
    }

    /// The origination point of a call: that which the request names; or, where nothing else names the
    /// caller, the device that has the calling number or the domain as its CLI. `None`: there is none.
    async fn origination<'a>(
        &self,
        points: &'a Points,
        request: &pb::AuthorizeCallRequest,
    ) -> Result<Result<Option<&'a Point>, RejectCode>> {
        let named = match origination_point(points, request)? {
            Ok(named) => named,
            Err(code) => return Ok(Err(code)),
        };
        let is_trunk =
            |point: &Point| point.origination.as_ref().is_some_and(|origin| origin.callers_by_cli);
        let number = clis::number_of(&request.source);
        let domain = request.source_domain.to_lowercase();
        let says_who = request.originator_id.is_some()
            || !request.originator.is_empty()
            || named.is_some_and(|point| !is_trunk(point));
        if says_who || (number.is_empty() && domain.is_empty()) {
            return Ok(Ok(named));
        }
        let trunk = match named {
            Some(point) => self.0.directory.lately_by_id(point.user).await?,
            None => None,
        };
        let is_admitted = |caller: &clis::store::Caller| {
            named.is_none()
                || trunk.as_ref().is_some_and(|user| caller.is_of_trunk(user.id, user.owner))
        };
        Ok(match clis::store::caller(&self.0.db, number, &domain, is_admitted).await? {
            Some(caller) if caller.banned => Err(RejectCode::CliBanned),
            Some(caller) => {
                let device = points.origination(caller.device);
                device.map(|(point, _)| Some(point)).ok_or(RejectCode::OriginatorNotFound)
            }
            // What a trunk calls with a number of nobody's is its own.
            None if named.is_some() => Ok(named),
            None => Err(RejectCode::OriginatorNotFound),
        })
    }

    /// Those who pay for a user's calls beside him.
    async fn above(&self, user: &Identity) -> Result<Above> {
        let ids = [user.owner, user.owner_of_owner];
        let ids = ids.into_iter().filter(|id| *id != UserId::ADMIN);
        let known = self.0.directory.lately_by_ids(ids).await?;
        let owners = Owners::of(user, &known).map(|_, owner| owner.id);
        Ok(Above { owners, owner: user.owner, owner_of_owner: user.owner_of_owner })
    }

    async fn start(
        &self,
        scope: Scope,
        request: pb::StartCallRequest,
    ) -> Result<pb::StartCallResponse> {
        record::check_call_id(&request.call_id)?;
        let answer_time = request.answer_time.as_ref();
        let answered =
            answer_time.map(|time| clock::from_proto("answer_time", time)).transpose()?;
        let (of, username) = self.originator(scope, &request.call_id).await?;
        let start = Start { call_id: request.call_id, of, answered };
        let Going { call, hang_up, now } = self.go(Command::Start(start)).await?;
        Ok(pb::StartCallResponse { call: Some(call.to_proto(username, now)), hang_up })
    }

    async fn update(
        &self,
        scope: Scope,
        request: pb::UpdateCallRequest,
    ) -> Result<pb::UpdateCallResponse> {
        record::check_call_id(&request.call_id)?;
        if request.max_duration < 0 {
            return Err(Error::invalid("max_duration", "must not be negative"));
        }
        let wanted = authorize::wanted(request.max_duration.max(1));
        let (of, username) = self.originator(scope, &request.call_id).await?;
        let update = Update { call_id: request.call_id, of, wanted };
        let Going { call, hang_up, now } = self.go(Command::Update(update)).await?;
        Ok(pb::UpdateCallResponse { call: Some(call.to_proto(username, now)), hang_up })
    }

    async fn go(&self, command: Command) -> Result<Going> {
        match self.0.writer.live(command).await? {
            Outcome::Going(going) => Ok(*going),
            _ => Err(Error::internal("a call has another answer")),
        }
    }

    /// Who originated a call under way that a caller may know of, and his login name.
    async fn originator(&self, scope: Scope, call_id: &str) -> Result<(Whose, String)> {
        let call = store::find(&self.0.db, call_id).await?.ok_or(Error::CallNotFound)?;
        let user = self.0.directory.lately_by_id(call.originator).await?;
        if user.as_ref().is_some_and(|user| !scope.covers(user)) {
            return Err(Error::CallNotFound);
        }
        Ok((Whose::is(&call), user.map(|user| user.username.clone()).unwrap_or_default()))
    }

    async fn finish(
        &self,
        caller: &Principal,
        record: CallRecord,
    ) -> Result<pb::FinishCallResponse> {
        let scope = caller.scope();
        let authorized = store::under_way(&self.0.db, &[&record.call_id]).await?;
        let call_id = record.call_id.clone();
        let brought = match authorized.get(&call_id) {
            Some(active) => {
                let record_as_sent = record.clone();
                Brought::completed(record_as_sent, completed(record, active.clone()))
            }
            None => record.into(),
        };
        let batch = vec![Numbered { position: 1, call: brought }];
        let rated = ingest::rate_authorized(&self.0, scope, batch, &authorized).await?;
        let mut taken = self.0.writer.take(Delivery::new(caller.origin().clone(), rated)).await?;
        if let Some(rejected) = taken.rejected.into_iter().next() {
            return Err(rejected.call.1.into());
        }
        let listed = match taken.stored.pop() {
            Some(call) => {
                if let Some(active) = authorized.get(&call_id) {
                    active.report_excess(&call);
                }
                self.named(call).await?
            }
            None => calls::store::by_call_id(&self.0.db, &call_id)
                .await?
                .ok_or_else(|| Error::internal("a stored call is missing"))?,
        };
        // What another manager's user did is none of this one's business.
        let originator = self.0.directory.lately_by_id(listed.call.originator).await?;
        if originator.is_some_and(|user| !scope.covers(&user)) {
            return Err(Rejection::UnknownOriginator(String::new()).into());
        }
        let duplicate = taken.duplicates > 0;
        Ok(pb::FinishCallResponse { call: Some(listed.into_proto()), duplicate })
    }

    /// A call that was just stored, with the names that go with it.
    async fn named(&self, call: Call) -> Result<Listed> {
        let Context { db, catalog, directory, destinations, .. } = &*self.0;
        let users = directory.lately_by_ids(call.legs().map(|(user, ..)| user)).await?;
        let name = |side| {
            let user = call.leg(side).and_then(|(user, _)| users.get(&user));
            user.map(|user| user.username.clone()).unwrap_or_default()
        };
        let names = Names {
            originator: name(Side::Originator),
            reseller: name(Side::Reseller),
            partner: name(Side::Partner),
            terminator: name(Side::Terminator),
            destination: destinations.get(db, &catalog.load(), &call.prefix).await?.to_string(),
        };
        Ok(Listed { call, names })
    }

    async fn list(
        &self,
        caller: &Principal,
        request: &pb::ListActiveCallsRequest,
    ) -> Result<pb::ListActiveCallsResponse> {
        let scope = caller.scope();
        let snapshot = self.0.catalog.load_full();
        if !snapshot.settings.show_active_calls_for_users && scope.only().is_some() {
            return Err(Error::FeatureDisabled);
        }
        let time_zone = snapshot.settings.time_zone_name().to_owned();
        let now = clock::now();
        let page = Page::of(request)?;
        let size = page.size;
        let own = scope.only();
        let viewer = match own {
            Some(user) => Viewer::Customer(user),
            None if scope.is_staff() => Viewer::Operator,
            None => Viewer::Owner(scope.owner()),
        };
        let originator = request.originator_id.map(UserId);
        // Who else originates calls that go to a customer is none of theirs to find out.
        if own.is_some_and(|own| originator.is_some_and(|asked| asked != own)) {
            return Ok(pb::ListActiveCallsResponse { time_zone, ..Default::default() });
        }
        let filter = store::Filter {
            scope,
            originator,
            expired: request.expired_only.then_some((i64::MIN, now)),
            after: page.after()?,
            limit: size + 1,
        };
        let rows = store::list(&self.0.db, &filter).await?;
        let (calls, next_page_token) = page.cut(rows, size, |(call, _)| call.id);
        let calls = calls.into_iter().map(|(call, user)| call.shown_to(viewer, user, now));
        Ok(pb::ListActiveCallsResponse { calls: calls.collect(), next_page_token, time_zone })
    }
}

/// The origination point of a call, by its id or else by the address that the call came from;
/// none: neither was said.
fn origination_point<'a>(
    points: &'a Points,
    request: &pb::AuthorizeCallRequest,
) -> Result<Result<Option<&'a Point>, RejectCode>> {
    if let Some(id) = request.origination_point_id.filter(|id| *id != 0) {
        let named = points.origination(PointId(id));
        let named = named.map(|(point, _)| Some(point));
        return Ok(named.ok_or(RejectCode::OriginatorNotFound));
    }
    if request.source_address.is_empty() {
        return Ok(Ok(None));
    }
    let address = request.source_address.parse();
    let address = address.map_err(|_| Error::invalid("source_address", "must be an IP address"))?;
    let port = u16::try_from(request.source_port);
    let port = port.map_err(|_| Error::invalid("source_port", "must be 0 to 65535"))?;
    let source = Source { address, port: (port != 0).then_some(port) };
    Ok(points.by_source(source, &request.destination).map(Some).map_err(|missing| match missing {
        NotFound::Address => RejectCode::OriginatorNotFound,
        NotFound::TechPrefix => RejectCode::TechPrefixMismatch,
        NotFound::Port => RejectCode::PortMismatch,
    }))
}

/// A record with what the authorisation knows of the call and it leaves out. The points and
/// the terminator are added where it is rated, as for all calls that were authorised.
fn completed(record: CallRecord, active: ActiveCall) -> CallRecord {
    let or = |text: String, known: String| if text.is_empty() { known } else { text };
    // A point names its owner, who may be another than the one that was authorised.
    let names_originator = record.originator_id.is_some()
        || !record.originator.is_empty()
        || record.origination_point_id != 0
        || !record.origination_point.is_empty();
    // A switch that says neither how long it was nor when it ended says it as it ends.
    let just_ended =
        record.end_time.is_none() && record.duration_ms.is_none() && record.billsec_ms.is_none();
    let may_be_answered =
        matches!(record.disposition(), Disposition::Unspecified | Disposition::Answered);
    // The clock of a switch may be behind, and ours may have been put back since.
    let now = clock::now();
    let answered = active.answered_at.map(|answered| answered.min(now));
    let start = answered.unwrap_or(active.authorized_at).min(active.authorized_at).min(now);
    CallRecord {
        end_time: record.end_time.or(just_ended.then(|| clock::to_proto(now))),
        start_time: record.start_time.or(Some(clock::to_proto(start))),
        answer_time: record
            .answer_time
            .or(answered.filter(|_| may_be_answered).map(clock::to_proto)),
        source: or(record.source, active.source),
        destination: or(record.destination, active.destination),
        originator_id: match names_originator {
            true => record.originator_id,
            false => Some(active.originator.0),
        },
        ..record
    }
}

/// Looks for calls that have expired without an end, says so in the log, and forgets those
/// that were never answered, for as long as the context is in use.
pub(crate) async fn watch(context: Weak<Context>) {
    let mut since = clock::now();
    loop {
        tokio::time::sleep(WATCH_INTERVAL).await;
        let Some(context) = context.upgrade() else { return };
        let now = clock::now();
        if let Err(error) = look(&context, since, now).await {
            tracing::warn!(error = ?error, "cannot look for lost calls");
            continue;
        }
        since = now;
    }
}

async fn look(context: &Context, since: i64, now: i64) -> Result<()> {
    let mut filter = store::Filter {
        scope: Scope::any(),
        originator: None,
        expired: Some((since, now)),
        after: None,
        limit: 1000,
    };
    loop {
        let calls = store::list(&context.db, &filter).await?;
        let Some((last, _)) = calls.last() else { break };
        filter.after = Some(last.id);
        for (call, originator) in calls {
            if call.answered_at.is_some() {
                tracing::warn!(call_id = call.call_id, originator, "the end of a call is missing");
            }
        }
    }
    let mut tx = context.db.begin().await?;
    if store::forget(&mut tx, now).await? > 0 {
        tx.commit().await?;
    }
    Ok(())
}

#[tonic::async_trait]
impl LiveCallsService for Service {
    async fn authorize_call(
        &self,
        request: Request<pb::AuthorizeCallRequest>,
    ) -> Result<Response<pb::AuthorizeCallResponse>, Status> {
        let caller = principal(&request)?;
        let answer = self.authorize(&caller, request.into_inner()).await?;
        measure::authorization(answer.reject_code());
        Ok(Response::new(answer))
    }

    async fn start_call(
        &self,
        request: Request<pb::StartCallRequest>,
    ) -> Result<Response<pb::StartCallResponse>, Status> {
        let scope = principal(&request)?.scope();
        Ok(Response::new(self.start(scope, request.into_inner()).await?))
    }

    async fn update_call(
        &self,
        request: Request<pb::UpdateCallRequest>,
    ) -> Result<Response<pb::UpdateCallResponse>, Status> {
        let scope = principal(&request)?.scope();
        Ok(Response::new(self.update(scope, request.into_inner()).await?))
    }

    async fn finish_call(
        &self,
        request: Request<pb::FinishCallRequest>,
    ) -> Result<Response<pb::FinishCallResponse>, Status> {
        let caller = principal(&request)?;
        let record = request.into_inner().call.unwrap_or_default();
        Ok(Response::new(self.finish(&caller, record).await?))
    }

    async fn list_active_calls(
        &self,
        request: Request<pb::ListActiveCallsRequest>,
    ) -> Result<Response<pb::ListActiveCallsResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.list(&caller, request.get_ref()).await?))
    }
}
