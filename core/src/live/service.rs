//! `LiveCallsService`.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use tollbook_proto::v1::{
    self as pb, CallRecord, Disposition, RejectCode, SkippedTerminator,
    live_calls_service_server::LiveCallsService,
};
use tonic::{Request, Response, Status};

use super::{
    ActiveCall, LONGEST, RINGING,
    authorize::{self, Party},
    store,
};
use crate::{
    access::{Principal, Scope, principal},
    calls::{
        self, Rejection, ingest,
        ingest::Numbered,
        record::{self, UserRef},
    },
    clock,
    context::Context,
    error::{Error, Result},
    ids::{PointId, TariffId, UserId},
    ledger, paging,
    rating::{CallTime, Rater},
    store::{Tx, is_retriable, is_taken},
    text::check_text,
    users,
};

/// How often a decision is tried again that lost to another core of the same database.
const TRIES: u32 = 10;
/// How often lost calls are looked for.
const WATCH_INTERVAL: Duration = Duration::from_secs(30);

pub(crate) struct Service(pub(crate) Arc<Context>);

fn refusal(code: RejectCode) -> pb::AuthorizeCallResponse {
    pb::AuthorizeCallResponse {
        reject_code: code.into(),
        reject_reason: authorize::reason(code).to_owned(),
        ..Default::default()
    }
}

impl Service {
    async fn authorize(
        &self,
        caller: &Principal,
        request: &pb::AuthorizeCallRequest,
    ) -> Result<pb::AuthorizeCallResponse> {
        record::check_call_id(&request.call_id).map_err(Error::CallRejected)?;
        check_text("source", &request.source)?;
        check_text("destination", &request.destination)?;
        if request.max_duration < 0 || request.origination_point_id < 0 {
            return Err(Error::invalid("max_duration", "must not be negative"));
        }
        if request.destination.is_empty() {
            return Ok(refusal(RejectCode::DestinationEmpty));
        }
        let originator = match UserRef::new(request.originator_id, request.originator.clone()) {
            None => return Err(Error::invalid("originator_id", "is required")),
            Some(UserRef::Id(id)) => self.0.directory.by_id(id).await?,
            Some(UserRef::Username(name)) => self.0.directory.by_username(&name).await?,
        };
        let originator =
            originator.filter(|user| user.role == users::Role::User && caller.scope().covers(user));
        let Some(originator) = originator else {
            return Ok(refusal(RejectCode::OriginatorNotFound));
        };
        let mut tries = 0;
        loop {
            tries += 1;
            match self.decide(request, originator.id).await {
                Err(Error::Database(error))
                    if tries < TRIES && (is_retriable(&error) || is_taken(&error)) => {}
                done => return done,
            }
        }
    }

    /// Decides with the accounts of all users concerned locked, so that two calls never
    /// count on the same money.
    async fn decide(
        &self,
        request: &pb::AuthorizeCallRequest,
        originator: UserId,
    ) -> Result<pb::AuthorizeCallResponse> {
        let now = clock::now();
        let mut tx = self.0.db.begin().await?;
        let terminators = request.terminator_ids.iter().copied().map(UserId);
        let mut parties =
            self.parties(&mut tx, originator, terminators, &request.call_id, now).await?;
        let Some(caller) = parties.remove(&originator) else {
            return Ok(refusal(RejectCode::OriginatorNotFound));
        };
        if calls::store::exists(&mut tx, &request.call_id).await? {
            return Err(Error::CallFinished);
        }
        let before = store::get(&mut tx, &request.call_id).await?;
        if before.as_ref().is_some_and(|call| call.originator != originator) {
            return Err(Error::invalid("call_id", "is that of another originator's call"));
        }
        let (rater, time) = self.rater(&caller, parties.values(), now).await?;
        let offer = match caller.refused() {
            Some(code) => Err(code),
            None => authorize::offer(&caller, &rater, &request.destination, time)?,
        };
        let offer = match offer {
            Ok(offer) => offer,
            Err(code) => return Ok(refusal(code)),
        };
        let mut answer = pb::AuthorizeCallResponse {
            rate: Some(offer.rate()?.into()),
            prefix: request.destination[..offer.prefix_length].to_owned(),
            ..Default::default()
        };
        if let Some(call) = before {
            return Ok(accepted(answer, &call));
        }
        for id in &request.terminator_ids {
            let unsuitable = match parties.get(&UserId(*id)) {
                // Himself was taken out.
                None if *id == originator.0 => Some(RejectCode::OwnTerminator),
                None => Some(RejectCode::NoSuitableTerminator),
                Some(terminator) => {
                    let tariff = TariffId(terminator.user.tariff_id);
                    let own = rater.offer(tariff, &request.destination, time);
                    terminator.unsuitable(&caller, &offer, own)?
                }
            };
            match unsuitable {
                None => {
                    answer.terminator_id = Some(*id);
                    break;
                }
                Some(code) => answer
                    .skipped_terminators
                    .push(SkippedTerminator { terminator_id: *id, reject_code: code.into() }),
            }
        }
        if answer.terminator_id.is_none() && !request.terminator_ids.is_empty() {
            let refusal = refusal(RejectCode::NoSuitableTerminator);
            let skipped_terminators = answer.skipped_terminators;
            return Ok(pb::AuthorizeCallResponse { skipped_terminators, ..refusal });
        }
        let allowance = caller.allowance(&mut tx, &self.0.catalog.load_full(), now).await?;
        let (max_duration, reserved) =
            allowance.longest(&offer, authorize::wanted(request.max_duration))?;
        if max_duration == 0 {
            return Ok(refusal(RejectCode::BalanceTooLow));
        }
        let call = ActiveCall {
            id: 0,
            call_id: request.call_id.clone(),
            source: request.source.clone(),
            destination: request.destination.clone(),
            originator,
            origination_point: PointId(request.origination_point_id),
            terminator: answer.terminator_id.map(UserId),
            authorized_at: now,
            answered_at: None,
            expires_at: now + RINGING,
            max_duration,
            reserved,
        };
        store::insert(&mut tx, &call).await?;
        tx.commit().await?;
        Ok(accepted(answer, &call))
    }

    /// The users of a decision by id, their accounts locked.
    async fn parties(
        &self,
        tx: &mut Tx,
        originator: UserId,
        terminators: impl Iterator<Item = UserId>,
        call_id: &str,
        now: i64,
    ) -> Result<HashMap<UserId, Party>> {
        let mut ids: Vec<UserId> = terminators.chain([originator]).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut parties = HashMap::with_capacity(ids.len());
        for (id, account) in ledger::store::lock_accounts(tx, ids).await? {
            let user = users::store::get(tx, id).await?;
            if users::Role::from_proto(user.role) == Some(users::Role::User) {
                let usage = store::usage(tx, id, call_id, now).await?;
                parties.insert(id, Party { user, balance: account.balance, usage });
            }
        }
        Ok(parties)
    }

    /// The decks of some users, and the time at which a call counts.
    async fn rater<'a>(
        &self,
        originator: &'a Party,
        terminators: impl Iterator<Item = &'a Party>,
        start: i64,
    ) -> Result<(Rater, CallTime)> {
        let snapshot = self.0.catalog.load_full();
        let parties = std::iter::once(originator).chain(terminators);
        let tariffs = parties.map(|party| TariffId(party.user.tariff_id)).collect();
        let rater = Rater::load(&self.0, &snapshot, tariffs).await?;
        Ok((rater, CallTime::new(start, &snapshot.settings.time_zone)))
    }

    async fn start(&self, scope: Scope, request: &pb::StartCallRequest) -> Result<pb::ActiveCall> {
        let now = clock::now();
        let answer_time = request.answer_time.as_ref();
        let answered =
            answer_time.map(|time| clock::from_proto("answer_time", time)).transpose()?;
        let mut tx = self.0.db.begin().await?;
        let (mut call, username) = self.locked(&mut tx, scope, &request.call_id).await?;
        let answered = answered.unwrap_or(now);
        if answered < call.authorized_at - RINGING || answered > now + RINGING {
            return Err(Error::invalid("answer_time", "is too far from now"));
        }
        // Said twice, the first counts.
        if call.answered_at.is_none() {
            call.answered_at = Some(answered);
            call.expires_at = call.expiry(now);
            store::update(&mut tx, &call).await?;
            tx.commit().await?;
        }
        Ok(call.to_proto(username, now))
    }

    async fn update(
        &self,
        scope: Scope,
        request: &pb::UpdateCallRequest,
    ) -> Result<pb::UpdateCallResponse> {
        if request.max_duration < 0 {
            return Err(Error::invalid("max_duration", "must not be negative"));
        }
        let now = clock::now();
        let mut tx = self.0.db.begin().await?;
        let (mut call, username) = self.locked(&mut tx, scope, &request.call_id).await?;
        let none = std::iter::empty();
        let mut parties =
            self.parties(&mut tx, call.originator, none, &request.call_id, now).await?;
        let snapshot = self.0.catalog.load_full();
        let hang_up = match parties.remove(&call.originator) {
            // Deleted meanwhile.
            None => true,
            Some(caller) => {
                let (rater, time) =
                    self.rater(&caller, std::iter::empty(), call.authorized_at).await?;
                if let Ok(offer) = authorize::offer(&caller, &rater, &call.destination, time)? {
                    let allowance = caller.allowance(&mut tx, &snapshot, now).await?;
                    let wanted = authorize::wanted(request.max_duration.max(1));
                    authorize::prolong(&mut call, allowance, &offer, wanted)?;
                }
                let left = caller.left_of_day(&mut tx, &snapshot, now).await?;
                let limit = caller.user.daily_limit.as_ref();
                let ends_calls = limit.is_some_and(|limit| limit.kill_calls_in_progress);
                let is_spent = left.is_some_and(|left| left <= crate::money::Money::ZERO);
                caller.user.blocked || (ends_calls && is_spent)
            }
        };
        call.expires_at = call.expires_at.max(call.expiry(now));
        store::update(&mut tx, &call).await?;
        tx.commit().await?;
        let call = Some(call.to_proto(username, now));
        Ok(pb::UpdateCallResponse { call, hang_up })
    }

    /// A call under way, with its originator's account locked, and his login name.
    async fn locked(
        &self,
        tx: &mut Tx,
        scope: Scope,
        call_id: &str,
    ) -> Result<(ActiveCall, String)> {
        let call = store::get(tx, call_id).await?.ok_or(Error::CallNotFound)?;
        ledger::store::lock_accounts(tx, [call.originator]).await?;
        // Once more: it may have ended before the lock was had.
        let call = store::get(tx, call_id).await?.ok_or(Error::CallNotFound)?;
        let user = self.0.directory.by_id(call.originator).await?;
        if user.as_ref().is_some_and(|user| !scope.covers(user)) {
            return Err(Error::CallNotFound);
        }
        Ok((call, user.map(|user| user.username.clone()).unwrap_or_default()))
    }

    async fn finish(&self, scope: Scope, record: CallRecord) -> Result<pb::FinishCallResponse> {
        let mut tx = self.0.db.snapshot().await?;
        let active = store::get(&mut tx, &record.call_id).await?;
        drop(tx);
        let record = match active {
            Some(active) => completed(record, active),
            None => record,
        };
        let call_id = record.call_id.clone();
        let batch = vec![Numbered { position: 1, call: record }];
        let rated = ingest::rate(&self.0, scope, batch).await?;
        let taken = ingest::store(&self.0, rated).await?;
        if let Some(rejected) = taken.rejected.into_iter().next() {
            return Err(Error::CallRejected(rejected.call.1));
        }
        let listed = calls::store::by_call_id(&self.0.db, &call_id).await?;
        let listed = listed.ok_or_else(|| Error::internal("a stored call is missing"))?;
        // What another manager's user did is none of this one's business.
        let originator = self.0.directory.by_id(listed.call.originator).await?;
        if originator.is_some_and(|user| !scope.covers(&user)) {
            return Err(Error::CallRejected(Rejection::UnknownOriginator));
        }
        let duplicate = taken.duplicates > 0;
        Ok(pb::FinishCallResponse { call: Some(listed.into_proto()), duplicate })
    }

    async fn list(
        &self,
        caller: &Principal,
        request: &pb::ListActiveCallsRequest,
    ) -> Result<pb::ListActiveCallsResponse> {
        let scope = caller.scope();
        let hidden = !self.0.catalog.load().settings.show_active_calls_for_users;
        if hidden && matches!(scope, Scope::Only(_)) {
            return Err(Error::FeatureDisabled);
        }
        let now = clock::now();
        let size = paging::size(request.page_size);
        let filter = store::Filter {
            scope,
            originator: request.originator_id.map(UserId),
            expired_at: request.expired_only.then_some(now),
            after: paging::decode(&request.page_token)?,
            limit: size + 1,
        };
        let rows = store::list(&self.0.db, &filter).await?;
        let (calls, next_page_token) = paging::cut(rows, size, |(call, _)| call.id);
        let calls = calls.into_iter().map(|(call, user)| call.to_proto(user, now)).collect();
        Ok(pb::ListActiveCallsResponse { calls, next_page_token })
    }
}

fn accepted(answer: pb::AuthorizeCallResponse, call: &ActiveCall) -> pb::AuthorizeCallResponse {
    pb::AuthorizeCallResponse {
        max_duration: i32::try_from(call.max_duration.min(LONGEST)).unwrap_or(i32::MAX),
        reserved: Some(call.reserved.into()),
        terminator_id: call.terminator.map(|user| user.0),
        expires_at: Some(clock::to_proto(call.expires_at)),
        ..answer
    }
}

/// A record with what the authorisation knows and it leaves out.
fn completed(record: CallRecord, active: ActiveCall) -> CallRecord {
    let or = |text: String, known: String| if text.is_empty() { known } else { text };
    let names_originator = record.originator_id.is_some() || !record.originator.is_empty();
    let names_terminator = record.terminator_id.is_some() || !record.terminator.is_empty();
    // A switch that says neither how long it was nor when it ended says it as it ends.
    let just_ended =
        record.end_time.is_none() && record.duration_ms.is_none() && record.billsec_ms.is_none();
    let may_be_answered =
        matches!(record.disposition(), Disposition::Unspecified | Disposition::Answered);
    // The clock of a switch may be behind.
    let start = active.answered_at.unwrap_or(active.authorized_at).min(active.authorized_at);
    CallRecord {
        end_time: record.end_time.or(just_ended.then(|| clock::to_proto(clock::now()))),
        start_time: record.start_time.or(Some(clock::to_proto(start))),
        answer_time: record
            .answer_time
            .or(active.answered_at.filter(|_| may_be_answered).map(clock::to_proto)),
        source: or(record.source, active.source),
        destination: or(record.destination, active.destination),
        originator_id: match names_originator {
            true => record.originator_id,
            false => Some(active.originator.0),
        },
        terminator_id: match names_terminator {
            true => record.terminator_id,
            false => active.terminator.map(|user| user.0),
        },
        origination_point_id: match record.origination_point_id {
            0 => active.origination_point.0,
            given => given,
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
        scope: Scope::All,
        originator: None,
        expired_at: Some(now),
        after: None,
        limit: 1000,
    };
    loop {
        let calls = store::list(&context.db, &filter).await?;
        let Some((last, _)) = calls.last() else { break };
        filter.after = Some(last.id);
        for (call, originator) in calls {
            if call.answered_at.is_some() && call.expires_at > since {
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
        Ok(Response::new(self.authorize(&caller, request.get_ref()).await?))
    }

    async fn start_call(
        &self,
        request: Request<pb::StartCallRequest>,
    ) -> Result<Response<pb::StartCallResponse>, Status> {
        let scope = principal(&request)?.scope();
        let call = Some(self.start(scope, request.get_ref()).await?);
        Ok(Response::new(pb::StartCallResponse { call }))
    }

    async fn update_call(
        &self,
        request: Request<pb::UpdateCallRequest>,
    ) -> Result<Response<pb::UpdateCallResponse>, Status> {
        let scope = principal(&request)?.scope();
        Ok(Response::new(self.update(scope, request.get_ref()).await?))
    }

    async fn finish_call(
        &self,
        request: Request<pb::FinishCallRequest>,
    ) -> Result<Response<pb::FinishCallResponse>, Status> {
        let scope = principal(&request)?.scope();
        let record = request.into_inner().call.unwrap_or_default();
        Ok(Response::new(self.finish(scope, record).await?))
    }

    async fn list_active_calls(
        &self,
        request: Request<pb::ListActiveCallsRequest>,
    ) -> Result<Response<pb::ListActiveCallsResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.list(&caller, request.get_ref()).await?))
    }
}
