//! The decision about one call: who may make it, by whom it goes, and for how long.

use std::collections::{HashMap, HashSet};

use tollbook_proto::v1::{self as pb, ListUse, RejectCode, SkippedTerminator};

use super::{
    ActiveCall, LONGEST, RINGING,
    authorize::{self, Party},
    store,
};
use crate::{
    calls,
    catalog::Snapshot,
    clock,
    context::Context,
    error::{Error, Result},
    ids::{PointId, PoolId, TariffId, UserId},
    ledger,
    points::{Origination, SideTariffs, SourceRefusal, Termination},
    rating::{CallTime, Offer, Rater},
    store::Tx,
    users::{self, Role},
};

/// A question whose originator is known.
pub(super) struct Question<'a> {
    pub(super) context: &'a Context,
    pub(super) snapshot: &'a Snapshot,
    pub(super) request: &'a pb::AuthorizeCallRequest,
    pub(super) originator: UserId,
    /// None: neither was a point named, nor found.
    pub(super) origination: Option<(PointId, &'a Origination)>,
}

/// Where a call may go.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    /// None: there is no such point.
    terminator: Option<UserId>,
    /// 0: none was named.
    point: PointId,
    termination: Option<&'a Termination>,
}

impl Candidate<'_> {
    /// By which tariffs the self-cost is worked out; none: there is no such terminator.
    fn tariffs(&self, parties: &HashMap<UserId, Party>) -> Option<SideTariffs> {
        let user = &parties.get(&self.terminator?)?.user;
        let own = self.termination.map_or(SideTariffs::NONE, |point| point.terms.tariffs);
        Some(own.or(TariffId(user.tariff_id)))
    }
}

/// The tariffs of an originator's calls from a point.
pub(super) fn originator_tariffs(party: &Party, point: Option<&Origination>) -> SideTariffs {
    let own = point.map_or(SideTariffs::NONE, |point| point.terms.tariffs);
    own.or(TariffId(party.user.tariff_id))
}

/// Some users by id, their accounts locked. Whoever is no customer or supplier is left out.
pub(super) async fn lock_parties(
    tx: &mut Tx,
    mut users: Vec<UserId>,
    call_id: &str,
    now: i64,
) -> Result<HashMap<UserId, Party>> {
    users.sort_unstable();
    users.dedup();
    let mut parties = HashMap::with_capacity(users.len());
    for (id, account) in ledger::store::lock_accounts(tx, users).await? {
        let user = users::store::get(tx, id).await?;
        if Role::from_proto(user.role) == Some(Role::User) {
            let usage = store::usage(tx, id, call_id, now).await?;
            parties.insert(id, Party { user, balance: account.balance, usage });
        }
    }
    Ok(parties)
}

impl Question<'_> {
    /// Decides with the accounts of all users concerned locked, so that two calls never
    /// count on the same money.
    pub(super) async fn decide(&self) -> Result<pb::AuthorizeCallResponse> {
        let (request, now) = (self.request, clock::now());
        let mut tx = self.context.db.begin().await?;
        let candidates = self.candidates();
        let mut users: Vec<UserId> =
            candidates.iter().filter_map(|candidate| candidate.terminator).collect();
        users.push(self.originator);
        let parties = lock_parties(&mut tx, users, &request.call_id, now).await?;
        let Some(caller) = parties.get(&self.originator) else {
            return Ok(refusal(RejectCode::OriginatorNotFound));
        };
        if calls::store::exists(&mut tx, &request.call_id).await? {
            return Err(Error::CallFinished);
        }
        let before = store::get(&mut tx, &request.call_id).await?;
        if before.as_ref().is_some_and(|call| call.originator != self.originator) {
            return Err(Error::invalid("call_id", "is that of another originator's call"));
        }
        let own = originator_tariffs(caller, self.origination.map(|(_, point)| point));
        let mut sides: HashSet<SideTariffs> =
            candidates.iter().filter_map(|candidate| candidate.tariffs(&parties)).collect();
        sides.insert(own);
        let time = CallTime::new(now, &self.snapshot.settings.time_zone);
        let decks = Rater::load(self.context, self.snapshot, sides).await?;
        if let Some(code) = self.refused(&mut tx, caller, now).await? {
            return Ok(refusal(code));
        }
        let offer = match authorize::offer(caller, own, &decks, &request.destination, time)? {
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
        let mut chosen = None;
        for candidate in &candidates {
            let mut code = self.refused_by_point(&mut tx, candidate, now).await?;
            if code.is_none() {
                code = self.unsuitable(candidate, caller, &parties, &offer, &decks, time)?;
            }
            let Some(code) = code else {
                chosen = Some(*candidate);
                break;
            };
            answer.skipped_terminators.push(SkippedTerminator {
                terminator_id: candidate.terminator.map_or(0, |user| user.0),
                reject_code: code.into(),
                termination_point_id: candidate.point.0,
            });
        }
        if chosen.is_none() && !candidates.is_empty() {
            let refusal = refusal(RejectCode::NoSuitableTerminator);
            let skipped_terminators = answer.skipped_terminators;
            return Ok(pb::AuthorizeCallResponse { skipped_terminators, ..refusal });
        }
        let allowance = caller.allowance(&mut tx, self.snapshot, now).await?;
        let sides = [
            self.origination.map(|(_, point)| &point.terms),
            chosen.and_then(|candidate| candidate.termination).map(|point| &point.terms),
        ];
        let wanted = sides
            .into_iter()
            .flatten()
            .fold(authorize::wanted(request.max_duration), |seconds, terms| {
                terms.shortened(seconds)
            });
        let (max_duration, reserved) = allowance.longest(&offer, wanted)?;
        if max_duration == 0 {
            return Ok(refusal(RejectCode::BalanceTooLow));
        }
        let call = ActiveCall {
            id: 0,
            call_id: request.call_id.clone(),
            source: request.source.clone(),
            destination: request.destination.clone(),
            originator: self.originator,
            origination_point: self.origination.map_or(PointId(0), |(id, _)| id),
            terminator: chosen.and_then(|candidate| candidate.terminator),
            termination_point: chosen.map_or(PointId(0), |candidate| candidate.point),
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

    /// Termination points where there are any, else terminators.
    fn candidates(&self) -> Vec<Candidate<'_>> {
        let points = &self.request.termination_point_ids;
        if points.is_empty() {
            let terminators = self.request.terminator_ids.iter();
            return terminators
                .map(|id| Candidate {
                    terminator: Some(UserId(*id)),
                    point: PointId(0),
                    termination: None,
                })
                .collect();
        }
        points
            .iter()
            .map(|id| {
                let found = self.snapshot.points.termination(PointId(*id));
                Candidate {
                    terminator: found.map(|(point, _)| point.user),
                    point: PointId(*id),
                    termination: found.map(|(_, termination)| termination),
                }
            })
            .collect()
    }

    /// Why the originator may not call at all; none: he may.
    async fn refused(&self, tx: &mut Tx, caller: &Party, now: i64) -> Result<Option<RejectCode>> {
        if let Some((id, point)) = self.origination {
            if !point.terms.active {
                return Ok(Some(RejectCode::OriginationPointInactive));
            }
            let calls = store::usage_of_point(tx, id, &self.request.call_id, now).await?;
            if point.terms.is_full(calls) {
                return Ok(Some(RejectCode::OriginationPointCapacity));
            }
            // M4 has one code for both.
            if point.terms.refuses(&self.request.source).is_some() {
                return Ok(Some(RejectCode::SourceRefused));
            }
        }
        let (source, destination) = (&self.request.source, &self.request.destination);
        let user = &caller.user;
        for (list, number, blacklisted, not_whitelisted) in [
            (
                &user.source_list,
                source,
                RejectCode::SourceBlacklisted,
                RejectCode::SourceNotWhitelisted,
            ),
            (
                &user.destination_list,
                destination,
                RejectCode::DestinationBlacklisted,
                RejectCode::DestinationNotWhitelisted,
            ),
        ] {
            let Some(list) = list else { continue };
            let refused_if_listed = match list.r#use() {
                ListUse::Unspecified => continue,
                ListUse::Blacklist => true,
                ListUse::Whitelist => false,
            };
            let pool = PoolId(list.number_pool_id);
            let revisions = &self.snapshot.pools;
            let numbers = self.context.pools.get(&self.context.db, revisions, pool).await?;
            if numbers.contain(number) == refused_if_listed {
                let code = if refused_if_listed { blacklisted } else { not_whitelisted };
                return Ok(Some(code));
            }
        }
        Ok(caller.refused())
    }

    /// Why a termination point takes not this call; none: it does, or there is no point.
    async fn refused_by_point(
        &self,
        tx: &mut Tx,
        candidate: &Candidate<'_>,
        now: i64,
    ) -> Result<Option<RejectCode>> {
        let Some(point) = candidate.termination else { return Ok(None) };
        let point = &point.terms;
        if !point.active {
            return Ok(Some(RejectCode::TerminatorUnreachable));
        }
        match point.refuses(&self.request.source) {
            Some(SourceRefusal::Mismatch) => {
                return Ok(Some(RejectCode::TerminatorSourceMismatch));
            }
            Some(SourceRefusal::Denied) => return Ok(Some(RejectCode::TerminatorSourceDenied)),
            None => {}
        }
        let call_id = &self.request.call_id;
        let calls = store::usage_of_point(tx, candidate.point, call_id, now).await?;
        Ok(point.is_full(calls).then_some(RejectCode::TerminationPointCapacity))
    }

    /// Why the call cannot go to a terminator; none: it can.
    fn unsuitable(
        &self,
        candidate: &Candidate<'_>,
        caller: &Party,
        parties: &HashMap<UserId, Party>,
        offer: &Offer,
        decks: &Rater,
        time: CallTime,
    ) -> Result<Option<RejectCode>> {
        let terminator = candidate.terminator.and_then(|user| parties.get(&user));
        let (Some(terminator), Some(tariffs)) = (terminator, candidate.tariffs(parties)) else {
            return Ok(Some(RejectCode::NoSuitableTerminator));
        };
        let own = decks.offer(tariffs, &self.request.destination, time);
        terminator.unsuitable(caller, offer, own)
    }
}

pub(super) fn refusal(code: RejectCode) -> pb::AuthorizeCallResponse {
    pb::AuthorizeCallResponse {
        reject_code: code.into(),
        reject_reason: authorize::reason(code).to_owned(),
        ..Default::default()
    }
}

fn accepted(answer: pb::AuthorizeCallResponse, call: &ActiveCall) -> pb::AuthorizeCallResponse {
    pb::AuthorizeCallResponse {
        max_duration: i32::try_from(call.max_duration.min(LONGEST)).unwrap_or(i32::MAX),
        reserved: Some(call.reserved.into()),
        terminator_id: call.terminator.map(|user| user.0),
        termination_point_id: call.termination_point.0,
        origination_point_id: call.origination_point.0,
        expires_at: Some(clock::to_proto(call.expires_at)),
        ..answer
    }
}
