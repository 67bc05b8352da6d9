//! The decision about one call: who may make it, by whom it goes, and for how long.

use std::collections::HashSet;

use tollbook_proto::v1::{self as pb, ListUse, RejectCode, SkippedTerminator};

use super::{
    ActiveCall, Hold, LONGEST, RINGING,
    authorize::{self, Party, Refusal},
    board::{Board, Concerned},
    chain::{self, Above, Payers},
    command::Missing,
};
use crate::{
    calls::{Owners, Side},
    catalog::Snapshot,
    clock,
    devices::clis,
    error::{Error, Result},
    ids::{PointId, PoolId, TariffId, UserId},
    money::Money,
    points::{Origination, SideTariffs, SourceRefusal, Termination},
    pools::Patterns,
    rating::{CallTime, Offer},
};

/// A question whose originator is known.
#[derive(Clone)]
pub(crate) struct Question {
    pub(super) request: pb::AuthorizeCallRequest,
    pub(super) originator: UserId,
    pub(super) above: Above,
    /// None: neither was a point named, nor found.
    pub(super) origination: Option<PointId>,
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

/// Where a call goes, and what is earned with it there.
type Chosen<'a> = (Candidate<'a>, Offer);

impl Candidate<'_> {
    /// By which tariffs the self-cost is worked out.
    fn tariffs(&self, terminator: &Party<'_>) -> SideTariffs {
        let own = self.termination.map_or(SideTariffs::NONE, |point| point.terms.tariffs);
        own.or(TariffId(terminator.user.tariff_id))
    }
}

/// The tariffs of an originator's calls from a point.
fn originator_tariffs(party: &Party<'_>, point: Option<&Origination>) -> SideTariffs {
    let own = point.map_or(SideTariffs::NONE, |point| point.terms.tariffs);
    own.or(TariffId(party.user.tariff_id))
}

/// What a question comes to.
enum Verdict {
    Refused(Box<pb::AuthorizeCallResponse>),
    /// What was authorised before still holds.
    Holds,
    Authorized(Vec<SkippedTerminator>, Box<ActiveCall>),
}

impl Question {
    /// Whom the question is about.
    pub(super) fn concerns(&self, snapshot: &Snapshot, concerned: &mut Concerned) {
        concerned.users.insert(self.originator);
        concerned.owners.extend(self.above.owners.each().map(|(_, owner)| *owner));
        concerned.users.extend(self.request.terminator_ids.iter().copied().map(UserId));
        concerned.points.extend(self.origination);
        for id in self.request.termination_point_ids.iter().copied().map(PointId) {
            concerned.points.insert(id);
            let found = snapshot.points.termination(id);
            concerned.users.extend(found.map(|(point, _)| point.user));
        }
    }

    /// The tariffs that may decide.
    pub(super) fn sides(&self, board: &Board) -> Result<HashSet<SideTariffs>> {
        let Some(case) = Case::new(self, board) else { return Ok(HashSet::new()) };
        case.sides()
    }

    /// The decks and number pools that may decide, unless all of them are in memory.
    pub(super) fn missing(&self, board: &Board) -> Result<Option<Missing>> {
        let sides = self.sides(board)?;
        let pools = board.missing_pools(self.originator);
        let mut tariffs = sides.iter().flat_map(|side| [side.tariff, side.custom]);
        let is_complete = pools.is_empty() && !tariffs.any(|id| board.unprepared.contains(&id));
        Ok((!is_complete).then_some(Missing { sides, pools }))
    }

    /// Decides, so that two calls never count on the same money. The last answer is the one that
    /// counts: what it does not confirm of an earlier one under the same id is given back with it.
    pub(super) fn decide(&self, board: &mut Board) -> Result<pb::AuthorizeCallResponse> {
        let verdict = match Case::new(self, board) {
            None => return Ok(refusal(RejectCode::OriginatorNotFound)),
            Some(case) => case.verdict()?,
        };
        let call_id = &self.request.call_id;
        match verdict {
            Verdict::Holds => board.calls.get(call_id).map_or_else(
                || Err(Error::internal("a reservation that holds is missing")),
                accepted,
            ),
            Verdict::Refused(answer) => {
                let before = board.calls.get(call_id);
                if before.is_some_and(|before| before.originator == self.originator) {
                    board.remove(call_id)?;
                }
                Ok(*answer)
            }
            Verdict::Authorized(skipped_terminators, call) => {
                let answer = accepted(&call)?;
                board.put(*call)?;
                Ok(pb::AuthorizeCallResponse { skipped_terminators, ..answer })
            }
        }
    }
}

/// A question with all that decides about it.
struct Case<'a> {
    request: &'a pb::AuthorizeCallRequest,
    originator: UserId,
    above: Above,
    origination: Option<(PointId, &'a Origination)>,
    candidates: Vec<Candidate<'a>>,
    board: &'a Board,
    time: CallTime,
}

impl<'a> Case<'a> {
    /// None: the point is gone, or is another's by now.
    fn new(question: &'a Question, board: &'a Board) -> Option<Self> {
        let Question { request, originator, above, origination } = question;
        let origination = match *origination {
            None => None,
            Some(id) => {
                let (point, origination) = board.snapshot.points.origination(id)?;
                (point.user == *originator).then_some(())?;
                Some((id, origination))
            }
        };
        Some(Self {
            request,
            originator: *originator,
            above: *above,
            origination,
            candidates: candidates(request, board),
            board,
            time: CallTime::new(board.now, &board.snapshot.settings.time_zone),
        })
    }

    fn party(&self, user: UserId) -> Result<Option<Party<'a>>> {
        self.board.party(user, &self.request.call_id)
    }

    fn sides(&self) -> Result<HashSet<SideTariffs>> {
        let mut sides = HashSet::new();
        if let Some(caller) = self.party(self.originator)? {
            sides.insert(originator_tariffs(&caller, self.origination.map(|(_, point)| point)));
        }
        let owners = chain::parties(self.board, self.above.owners, &self.request.call_id)?;
        if let Ok(owners) = &owners {
            sides.extend(owners.each().map(|(_, owner)| chain::tariffs(owner)));
        }
        for candidate in &self.candidates {
            let Some(user) = candidate.terminator else { continue };
            sides.extend(self.party(user)?.map(|party| candidate.tariffs(&party)));
        }
        Ok(sides)
    }

    fn verdict(&self) -> Result<Verdict> {
        let (call_id, now) = (&self.request.call_id, self.board.now);
        let Some(caller) = self.party(self.originator)? else {
            return Ok(refused(RejectCode::OriginatorNotFound));
        };
        if self.board.finished.contains_key(call_id) {
            return Err(Error::CallFinished);
        }
        let before = self.board.calls.get(call_id);
        if let Some(before) = before {
            if before.originator != self.originator {
                return Err(Error::invalid("call_id", "is that of another originator's call"));
            }
            if before.answered_at.is_some() {
                self.check_answered(before)?;
                return Ok(Verdict::Holds);
            }
        }
        let holds =
            before.is_some_and(|call| !call.is_expired(now) && self.differs_in(call).is_none());
        match chain::parties(self.board, self.above.owners, call_id)? {
            Ok(owners) => {
                self.above.check(caller.user, &owners)?;
                self.judge(&Payers { originator: caller, owners }, holds)
            }
            Err(side) => Ok(refused(chain::code(side, Refusal::Blocked))),
        }
    }

    /// What of the question is not as it was when the call was authorised; `None`: it is about
    /// the same call.
    fn differs_in(&self, before: &ActiveCall) -> Option<&'static str> {
        let point = self.origination.map_or(PointId(0), |(id, _)| id);
        let goes_there = match before.terminator {
            None => self.candidates.is_empty(),
            Some(_) => self.candidates.iter().any(|candidate| {
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
        } else if before.owners.map(|_, hold| hold.user) != self.above.owners {
            Some("originator_id")
        } else if !goes_there && self.request.termination_point_ids.is_empty() {
            Some("terminator_ids")
        } else if !goes_there {
            Some("termination_point_ids")
        } else {
            None
        }
    }

    /// A call that was answered goes on as it was authorised, or ends.
    fn check_answered(&self, before: &ActiveCall) -> Result<()> {
        if let Some(field) = self.differs_in(before) {
            return Err(Error::invalid(field, "is not that of the call, which was answered"));
        }
        if before.is_expired(self.board.now) {
            return Err(Error::invalid(
                "call_id",
                "is that of an answered call whose reservation has expired: ask UpdateCall",
            ));
        }
        Ok(())
    }

    /// Makes all checks, and works out what to reserve unless that of before holds.
    fn judge(&self, payers: &Payers<Party<'_>>, holds: bool) -> Result<Verdict> {
        let caller = &payers.originator;
        if let Some(code) = self.refused(caller)? {
            return Ok(refused(code));
        }
        for (side, owner) in payers.owners.each() {
            if let Some(why) = owner.refused() {
                return Ok(refused(chain::code(side, why)));
            }
        }
        if holds {
            return Ok(Verdict::Holds);
        }
        let offers = match self.offers(payers)? {
            Ok(offers) => offers,
            Err(refusal) => return Ok(Verdict::Refused(Box::new(refusal))),
        };
        let (chosen, skipped_terminators) = self.choose(payers, &offers)?;
        if chosen.is_none() && !self.candidates.is_empty() {
            let refusal = refusal(RejectCode::NoSuitableTerminator);
            let refusal = pb::AuthorizeCallResponse { skipped_terminators, ..refusal };
            return Ok(Verdict::Refused(Box::new(refusal)));
        }
        let allowances = chain::allowances(caller, &payers.owners)?;
        let wanted = self.wanted(chosen.map(|(candidate, _)| candidate));
        match chain::longest(&allowances, &offers, wanted)? {
            Ok(bought) => {
                let mut call = self.call(&offers, chosen);
                call.reserve(&bought);
                Ok(Verdict::Authorized(skipped_terminators, Box::new(call)))
            }
            Err(short) => {
                let mut pays = payers.each().zip(offers.each());
                let short = pays.find(|((side, _), _)| *side == short);
                let short = short.map(|((side, party), (_, offer))| {
                    Ok::<_, Error>(chain::code(side, party.shortage(offer)?))
                });
                Ok(refused(short.transpose()?.unwrap_or(RejectCode::BalanceTooLow)))
            }
        }
    }

    /// The call that is asked about, at the rates of those who pay and of the chosen terminator; nothing is
    /// reserved for it yet.
    fn call(&self, offers: &Payers<Offer>, chosen: Option<Chosen<'_>>) -> ActiveCall {
        let (request, board) = (self.request, self.board);
        let (candidate, self_cost) = chosen.unzip();
        let hold = |owner: Option<UserId>, price: Option<Offer>| {
            let both = owner.zip(price);
            both.map(|(user, price)| Hold { user, reserved: Money::ZERO, price })
        };
        ActiveCall {
            id: 0,
            call_id: request.call_id.clone(),
            source: request.source.clone(),
            destination: request.destination.clone(),
            originator: self.originator,
            origination_point: self.origination.map_or(PointId(0), |(id, _)| id),
            terminator: candidate.and_then(|candidate| candidate.terminator),
            termination_point: candidate.map_or(PointId(0), |candidate| candidate.point),
            authorized_at: board.now,
            answered_at: None,
            expires_at: board.now + RINGING,
            max_duration: 0,
            reserved: Money::ZERO,
            price: Some(offers.originator),
            self_cost,
            owners: Owners {
                reseller: hold(self.above.owners.reseller, offers.owners.reseller),
                partner: hold(self.above.owners.partner, offers.owners.partner),
            },
        }
    }

    /// What each who pays is charged, from the originator upwards, or why the call may not be made. Nobody
    /// pays more than he is paid, unless whoever pays him may call at a loss.
    fn offers(
        &self,
        payers: &Payers<Party<'_>>,
    ) -> Result<Result<Payers<Offer>, pb::AuthorizeCallResponse>> {
        let (destination, rater) = (&self.request.destination, &self.board.rater);
        let caller = &payers.originator;
        let own = originator_tariffs(caller, self.origination.map(|(_, point)| point));
        let originator = match authorize::offer(caller, own, rater, destination, self.time)? {
            Ok(offer) => offer,
            Err(code) => return Ok(Err(self.unpriced(code, own))),
        };
        let mut owners = Owners { reseller: None, partner: None };
        let (mut buyer, mut paid) = (caller, originator.rate()?);
        for (side, owner) in payers.owners.each() {
            let tariffs = chain::tariffs(owner);
            let offer = match rater.offer(tariffs, destination, self.time) {
                Ok(offer) => offer,
                Err(why) => return Ok(Err(self.unpriced(chain::code(side, why.into()), tariffs))),
            };
            let pays = offer.rate()?;
            if pays > paid && !buyer.allows_loss() {
                return Ok(Err(refusal(chain::code(side, Refusal::Loss))));
            }
            (buyer, paid) = (owner, pays);
            match side {
                Side::Partner => owners.partner = Some(offer),
                Side::Originator | Side::Reseller | Side::Terminator => {
                    owners.reseller = Some(offer);
                }
            }
        }
        Ok(Ok(Payers { originator, owners }))
    }

    /// The refusal of a call for which one of those who pay may not be charged, with when they may be if
    /// there will be a rate.
    fn unpriced(&self, code: RejectCode, tariffs: SideTariffs) -> pb::AuthorizeCallResponse {
        let number = &self.request.destination;
        let mut refusal = refusal(code);
        let is_missing = matches!(
            code,
            RejectCode::OriginatorRateNotFound
                | RejectCode::ResellerRateNotFound
                | RejectCode::PartnerRateNotFound
        );
        if is_missing && let Some(later) = self.board.rater.later(tariffs, number, self.time) {
            let later = later.text(number, &self.board.snapshot.settings.time_zone);
            refusal.reject_reason = format!("{} ({later})", refusal.reject_reason);
        }
        refusal
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
    fn choose(
        &self,
        payers: &Payers<Party<'_>>,
        offers: &Payers<Offer>,
    ) -> Result<(Option<Chosen<'a>>, Vec<SkippedTerminator>)> {
        let mut skipped = Vec::new();
        for candidate in &self.candidates {
            let code = match self.refused_by_point(candidate) {
                Some(code) => code,
                None => match self.suitable(candidate, payers, offers)? {
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

    /// Why the originator may not call at all; none: he may.
    fn refused(&self, caller: &Party<'_>) -> Result<Option<RejectCode>> {
        if let Some((id, point)) = self.origination {
            if !point.terms.active {
                return Ok(Some(RejectCode::OriginationPointInactive));
            }
            if point.terms.is_full(self.board.calls_of(id, &self.request.call_id)) {
                return Ok(Some(RejectCode::OriginationPointCapacity));
            }
            // M4 has one code for both.
            if point.terms.refuses(&self.request.source).is_some() {
                return Ok(Some(RejectCode::SourceRefused));
            }
        }
        let (source, destination) = (&self.request.source, &self.request.destination);
        let user = caller.user;
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
            let numbers = self.board.pools.get(&PoolId(list.number_pool_id));
            let numbers = numbers.ok_or_else(|| Error::internal("a number pool was not read"))?;
            if is_listed(numbers, number) == refused_if_listed {
                let code = if refused_if_listed { blacklisted } else { not_whitelisted };
                return Ok(Some(code));
            }
        }
        Ok(caller.refused().map(|why| chain::code(Side::Originator, why)))
    }

    /// Why a termination point takes not this call; none: it does, or there is no point.
    fn refused_by_point(&self, candidate: &Candidate<'_>) -> Option<RejectCode> {
        let point = &candidate.termination?.terms;
        if !point.active {
            return Some(RejectCode::TerminatorUnreachable);
        }
        match point.refuses(&self.request.source) {
            Some(SourceRefusal::Mismatch) => return Some(RejectCode::TerminatorSourceMismatch),
            Some(SourceRefusal::Denied) => return Some(RejectCode::TerminatorSourceDenied),
            None => {}
        }
        let calls = self.board.calls_of(candidate.point, &self.request.call_id);
        point.is_full(calls).then_some(RejectCode::TerminationPointCapacity)
    }

    /// What a terminator earns with the call, or why it cannot go to them.
    fn suitable(
        &self,
        candidate: &Candidate<'_>,
        payers: &Payers<Party<'_>>,
        offers: &Payers<Offer>,
    ) -> Result<Result<Offer, RejectCode>> {
        let terminator = match candidate.terminator {
            Some(user) => self.party(user)?,
            None => None,
        };
        let Some(terminator) = terminator else {
            return Ok(Err(RejectCode::NoSuitableTerminator));
        };
        let tariffs = candidate.tariffs(&terminator);
        let own = self.board.rater.offer(tariffs, &self.request.destination, self.time);
        let own = match terminator.suitable(&payers.originator, &offers.originator, own)? {
            Ok(own) => own,
            Err(code) => return Ok(Err(code)),
        };
        let is_loss = own.rate()? > offers.top().rate()? && !payers.top().allows_loss();
        Ok(if is_loss { Err(RejectCode::ProviderLoss) } else { Ok(own) })
    }
}

/// Termination points where there are any, else terminators.
fn candidates<'a>(request: &pb::AuthorizeCallRequest, board: &'a Board) -> Vec<Candidate<'a>> {
    let points = &request.termination_point_ids;
    if points.is_empty() {
        let terminators = request.terminator_ids.iter();
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
            let found = board.snapshot.points.termination(PointId(*id));
            Candidate {
                terminator: found.map(|(point, _)| point.user),
                point: PointId(*id),
                termination: found.map(|(_, termination)| termination),
            }
        })
        .collect()
}

fn refused(code: RejectCode) -> Verdict {
    Verdict::Refused(Box::new(refusal(code)))
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
        source: call.source.clone(),
        destination: call.destination.clone(),
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

/// Whether a list has a number, however it is dialled: nobody gets past one by a `+`.
fn is_listed(numbers: &Patterns, number: &str) -> bool {
    let without_plus = number.trim_start_matches('+');
    [number, without_plus, clis::number_of(number)].into_iter().any(|form| numbers.contain(form))
}
