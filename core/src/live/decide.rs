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

/// What a question comes to.
enum Verdict {
    Refused(pb::AuthorizeCallResponse),
    /// What was authorised before still holds.
    Holds,
    Authorized(pb::AuthorizeCallResponse, Box<ActiveCall>),
}

impl Question<'_> {
    /// Decides with the accounts of all users concerned locked, so that two calls never
    /// count on the same money. The last answer is the one that counts: what it does not
    /// confirm of an earlier one under the same id is given back in the same transaction.
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
        if let Some(before) = &before {
            if before.originator != self.originator {
                return Err(Error::invalid("call_id", "is that of another originator's call"));
            }
            if before.answered_at.is_some() {
                self.check_answered(before, &candidates, now)?;
                return accepted(before);
            }
        }
        let held = before
            .as_ref()
            .filter(|call| !call.is_expired(now) && self.differs_in(call, &candidates).is_none());
        match self.judge(&mut tx, caller, &parties, &candidates, held, now).await? {
            Verdict::Holds => before.as_ref().map_or_else(
                || Err(Error::internal("a reservation that holds is missing")),
                accepted,
            ),
            Verdict::Refused(answer) => {
                if before.is_some() {
                    store::delete(&mut tx, &request.call_id).await?;
                    tx.commit().await?;
                }
                Ok(answer)
            }
            Verdict::Authorized(answer, call) => {
                if before.is_some() {
                    store::delete(&mut tx, &request.call_id).await?;
                }
                store::insert(&mut tx, &call).await?;
                tx.commit().await?;
                let skipped_terminators = answer.skipped_terminators;
                Ok(pb::AuthorizeCallResponse { skipped_terminators, ..accepted(&call)? })
            }
        }
    }

    /// What of the question is not as it was when the call was authorised; `None`: it is about
    /// the same call.
    fn differs_in(
        &self,
        before: &ActiveCall,
        candidates: &[Candidate<'_>],
    ) -> Option<&'static str> {
        let point = self.origination.map_or(PointId(0), |(id, _)| id);
        let goes_there = match before.terminator {
            None => candidates.is_empty(),
            Some(_) => candidates.iter().any(|candidate| {
                candidate.terminator == before.terminator
                    && candidate.point == before.termination_point
            }),
        };
        if before.destination != self.request.destination {
            Some("destination")
        } else if before.source != self.request.source {
            Some("source")
        } else if before.origination_point != point {
            Some("origination_point_id")
        } else if !goes_there && self.request.termination_point_ids.is_empty() {
            Some("terminator_ids")
        } else if !goes_there {
            Some("termination_point_ids")
        } else {
            None
        }
    }

    /// A call that was answered goes on as it was authorised, or ends.
    fn check_answered(
        &self,
        before: &ActiveCall,
        candidates: &[Candidate<'_>],
        now: i64,
    ) -> Result<()> {
        if let Some(field) = self.differs_in(before, candidates) {
            return Err(Error::invalid(field, "is not that of the call, which was answered"));
        }
        if before.is_expired(now) {
            return Err(Error::invalid(
                "call_id",
                "is that of an answered call whose reservation has expired: ask UpdateCall",
            ));
        }
        Ok(())
    }

    /// Makes all checks, and works out what to reserve unless that of before holds.
    async fn judge(
        &self,
        tx: &mut Tx,
        caller: &Party,
        parties: &HashMap<UserId, Party>,
        candidates: &[Candidate<'_>],
        held: Option<&ActiveCall>,
        now: i64,
    ) -> Result<Verdict> {
        let request = self.request;
        let own = originator_tariffs(caller, self.origination.map(|(_, point)| point));
        let mut sides: HashSet<SideTariffs> =
            candidates.iter().filter_map(|candidate| candidate.tariffs(parties)).collect();
        sides.insert(own);
        let time = CallTime::new(now, &self.snapshot.settings.time_zone);
        let decks = Rater::load(self.context, self.snapshot, sides).await?;
        if let Some(code) = self.refused(tx, caller, now).await? {
            return Ok(Verdict::Refused(refusal(code)));
        }
        if held.is_some() {
            return Ok(Verdict::Holds);
        }
        let offer = match authorize::offer(caller, own, &decks, &request.destination, time)? {
            Ok(offer) => offer,
            Err(code) => return Ok(Verdict::Refused(refusal(code))),
        };
        let (chosen, skipped_terminators) =
            self.choose(tx, candidates, caller, parties, &offer, &decks, time, now).await?;
        if chosen.is_none() && !candidates.is_empty() {
            let refusal = refusal(RejectCode::NoSuitableTerminator);
            let refusal = pb::AuthorizeCallResponse { skipped_terminators, ..refusal };
            return Ok(Verdict::Refused(refusal));
        }
        let (candidate, self_cost) = chosen.unzip();
        let allowance = caller.allowance(tx, self.snapshot, now).await?;
        let wanted = self.wanted(candidate);
        let (max_duration, reserved) = allowance.longest(&offer, wanted)?;
        if max_duration == 0 {
            return Ok(Verdict::Refused(refusal(RejectCode::BalanceTooLow)));
        }
        let call = ActiveCall {
            id: 0,
            call_id: request.call_id.clone(),
            source: request.source.clone(),
            destination: request.destination.clone(),
            originator: self.originator,
            origination_point: self.origination.map_or(PointId(0), |(id, _)| id),
            terminator: candidate.and_then(|candidate| candidate.terminator),
            termination_point: candidate.map_or(PointId(0), |candidate| candidate.point),
            authorized_at: now,
            answered_at: None,
            expires_at: now + RINGING,
            max_duration,
            reserved,
            price: Some(offer),
            self_cost,
        };
        let answer = pb::AuthorizeCallResponse { skipped_terminators, ..Default::default() };
        Ok(Verdict::Authorized(answer, Box::new(call)))
    }

    /// The duration that is asked for, within what the points of both sides allow.
    fn wanted(&self, chosen: Option<Candidate<'_>>) -> u32 {
        let sides = [
            self.origination.map(|(_, point)| &point.terms),
            chosen.and_then(|candidate| candidate.termination).map(|point| &point.terms),
        ];
        sides
            .into_iter()
            .flatten()
            .fold(authorize::wanted(self.request.max_duration), |seconds, terms| {
                terms.shortened(seconds)
            })
    }

    /// The first candidate that the call can go to with what they earn, and why those before
    /// were passed over.
    #[allow(clippy::too_many_arguments, reason = "what a decision is made of")]
    async fn choose<'c>(
        &self,
        tx: &mut Tx,
        candidates: &[Candidate<'c>],
        caller: &Party,
        parties: &HashMap<UserId, Party>,
        offer: &Offer,
        decks: &Rater,
        time: CallTime,
        now: i64,
    ) -> Result<(Option<(Candidate<'c>, Offer)>, Vec<SkippedTerminator>)> {
        let mut skipped = Vec::new();
        for candidate in candidates {
            let code = match self.refused_by_point(tx, candidate, now).await? {
                Some(code) => code,
                None => match self.suitable(candidate, caller, parties, offer, decks, time)? {
                    Ok(own) => return Ok((Some((*candidate, own)), skipped)),
                    Err(code) => code,
                },
            };
            skipped.push(SkippedTerminator {
                terminator_id: candidate.terminator.map_or(0, |user| user.0),
                reject_code: code.into(),
                termination_point_id: candidate.point.0,
            });
        }
        Ok((None, skipped))
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

    /// What a terminator earns with the call, or why it cannot go to them.
    fn suitable(
        &self,
        candidate: &Candidate<'_>,
        caller: &Party,
        parties: &HashMap<UserId, Party>,
        offer: &Offer,
        decks: &Rater,
        time: CallTime,
    ) -> Result<Result<Offer, RejectCode>> {
        let terminator = candidate.terminator.and_then(|user| parties.get(&user));
        let (Some(terminator), Some(tariffs)) = (terminator, candidate.tariffs(parties)) else {
            return Ok(Err(RejectCode::NoSuitableTerminator));
        };
        let own = decks.offer(tariffs, &self.request.destination, time);
        terminator.suitable(caller, offer, own)
    }
}

pub(super) fn refusal(code: RejectCode) -> pb::AuthorizeCallResponse {
    pb::AuthorizeCallResponse {
        reject_code: code.into(),
        reject_reason: authorize::reason(code).to_owned(),
        ..Default::default()
    }
}

fn accepted(call: &ActiveCall) -> Result<pb::AuthorizeCallResponse> {
    let price = call.price.as_ref();
    let prefix = price.and_then(|offer| call.destination.get(..offer.prefix_length));
    Ok(pb::AuthorizeCallResponse {
        max_duration: i32::try_from(call.max_duration.min(LONGEST)).unwrap_or(i32::MAX),
        reserved: Some(call.reserved.into()),
        terminator_id: call.terminator.map(|user| user.0),
        termination_point_id: call.termination_point.0,
        origination_point_id: call.origination_point.0,
        expires_at: Some(clock::to_proto(call.expires_at)),
        rate: price.map(|offer| offer.rate().map(Into::into)).transpose()?,
        prefix: prefix.unwrap_or_default().to_owned(),
        ..Default::default()
    })
}
