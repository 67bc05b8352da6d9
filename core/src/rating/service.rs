//! `RatingService`: rates a call, and explains how.

use std::sync::Arc;

use jiff::tz::TimeZone;
use tollbook_proto::v1::{
    self as pb, RatedLeg, RatingOutcome, rating_service_server::RatingService,
};
use tollbook_rating::{CallTime, Found, Steps, Terms, deciding, margin_percent, whole_seconds};
use tonic::{Request, Response, Status};

use super::{Later, steps_to_proto};
use crate::{
    access::{Principal, principal},
    calls::Owners,
    catalog::Snapshot,
    clock,
    context::Context,
    error::{Error, Result},
    ids::{TariffId, UserId},
    money::{self, Money},
    tariffs::Tariff,
    users::Identity,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

/// What is to be rated.
#[derive(Clone, Copy)]
struct Call<'a> {
    number: &'a str,
    time: CallTime,
    duration: u32,
    grace_time: u32,
}

impl Service {
    async fn rate(
        &self,
        caller: &Principal,
        request: pb::RateCallRequest,
    ) -> Result<pb::RateCallResponse> {
        let snapshot = self.0.catalog.load_full();
        if caller.is_legacy() && !snapshot.settings.rate_over_http {
            return Err(Error::FeatureDisabled);
        }
        if request.number.is_empty() || request.number.len() > 255 {
            return Err(Error::invalid("number", "must have 1 to 255 characters"));
        }
        let duration = request.duration.as_ref().and_then(|duration| money::parse(&duration.value));
        let start =
            request.start_time.map(|time| clock::from_proto("start_time", &time)).transpose()?;
        let call = Call {
            number: &request.number,
            time: CallTime::new(start.unwrap_or_else(clock::now), &snapshot.settings.time_zone),
            duration: duration
                .and_then(whole_seconds)
                .ok_or_else(|| Error::invalid("duration", "must be seconds, zero or more"))?,
            grace_time: u32::try_from(request.grace_time)
                .map_err(|_| Error::invalid("grace_time", "must not be negative"))?,
        };
        let tariffs = Shown { snapshot: &snapshot, caller };
        let (tariff, owners) = match (filled(request.tariff_id), request.user_id) {
            (Some(id), _) => (tariffs.by_id(id)?.id, Owners::NONE),
            (None, Some(user)) => {
                let user = caller.see(self.0.directory.by_id(UserId(user)).await?)?;
                (user.tariff, self.owners(caller, &user).await?)
            }
            (None, None) if !request.username.is_empty() => {
                let user = self.0.directory.by_username(&request.username).await?;
                let user = caller.see(user)?;
                (user.tariff, self.owners(caller, &user).await?)
            }
            (None, None) => {
                return Err(Error::invalid("tariff_id", "or user_id or username is required"));
            }
        };
        let tariff = snapshot.tariffs.by_id(tariff)?;
        let custom = tariffs.optional(request.custom_tariff_id)?;
        let price = self.leg(&snapshot, &call, tariff, custom).await?;
        let reseller_price = self.owners_leg(&snapshot, &call, owners.reseller).await?;
        let partner_price = self.owners_leg(&snapshot, &call, owners.partner).await?;
        let self_cost = match tariffs.optional(request.self_cost_tariff_id)? {
            Some(tariff) => Some(self.leg(&snapshot, &call, tariff, None).await?),
            None => None,
        };
        let known =
            |leg: &RatedLeg| Money::from_proto("price_default", leg.price_default.as_ref()).ok();
        let income = partner_price.as_ref().or(reseller_price.as_ref()).unwrap_or(&price);
        let profit = known(income).zip(self_cost.as_ref().and_then(known));
        Ok(pb::RateCallResponse {
            profit: profit.map(|(price, cost)| price.minus(cost)).transpose()?.map(Into::into),
            margin_percent: profit.map(|(price, cost)| margin_percent(price.value(), cost.value())),
            price: Some(price),
            reseller_price,
            partner_price,
            self_cost,
        })
    }

    /// The tariffs by which those above a user pay for his calls, as far as they are the caller's to know.
    async fn owners(&self, caller: &Principal, user: &Identity) -> Result<Owners<TariffId>> {
        let ids = [user.owner, user.owner_of_owner];
        let ids = ids.into_iter().filter(|id| *id != UserId::ADMIN);
        let known = self.0.directory.by_ids(ids).await?;
        let Owners { reseller, partner } = Owners::of(user, &known);
        let scope = caller.scope();
        let is_own = |owner: &Arc<Identity>| scope.is_staff() || scope.owner() == Some(owner.id);
        let sees_partners = partner.as_ref().is_some_and(is_own);
        Ok(Owners {
            reseller: reseller.filter(|reseller| sees_partners || is_own(reseller)),
            partner: partner.filter(|_| sees_partners),
        }
        .map(|_, owner| owner.tariff))
    }

    /// What an owner pays for a call; none: there is none, or he has no tariff.
    async fn owners_leg(
        &self,
        snapshot: &Snapshot,
        call: &Call<'_>,
        tariff: Option<TariffId>,
    ) -> Result<Option<RatedLeg>> {
        let Some(tariff) = tariff.and_then(|id| snapshot.tariffs.by_id(id).ok()) else {
            return Ok(None);
        };
        // Grace times are of the operator's customers.
        let call = Call { grace_time: 0, ..*call };
        self.leg(snapshot, &call, tariff, None).await.map(Some)
    }

    /// What a tariff and a custom one have for a call. Each of them is a step of the explanation.
    async fn candidates<'t>(
        &self,
        call: &Call<'_>,
        zone: &TimeZone,
        [tariff, custom]: [Option<&'t Tariff>; 2],
        steps: &mut Vec<String>,
    ) -> Result<Vec<(Found, &'t Tariff)>> {
        let mut candidates: Vec<(Found, &'t Tariff)> = Vec::new();
        for tariff in tariff.into_iter().chain(custom) {
            let deck = self.0.decks.get(&self.0.db, tariff).await?;
            let found = deck.find(call.number, call.time);
            let said = if let Some(found) = &found {
                format!("longest prefix with a rate is {}", &call.number[..found.prefix_length])
            } else {
                let later = deck.later(call.number, call.time).map(|(prefix_length, from)| {
                    Later { tariff: tariff.id, prefix_length, from }.text(call.number, zone)
                });
                later.map_or_else(
                    || "no prefix has a rate".to_owned(),
                    |later| format!("no prefix has a rate; {later}"),
                )
            };
            steps.push(format!("tariff {} ({}): {said}", tariff.id, tariff.name));
            candidates.extend(found.map(|found| (found, tariff)));
        }
        Ok(candidates)
    }

    /// Rates a call by a tariff, or by a custom one where its prefix is as long or longer.
    async fn leg(
        &self,
        snapshot: &Snapshot,
        call: &Call<'_>,
        tariff: &Tariff,
        custom: Option<&Tariff>,
    ) -> Result<RatedLeg> {
        let mut steps = Vec::new();
        let zone = &snapshot.settings.time_zone;
        let tariffs = [Some(tariff), custom];
        let candidates = self.candidates(call, zone, tariffs, &mut steps).await?;
        let Some((found, tariff)) = deciding(candidates) else {
            return Ok(RatedLeg {
                outcome: RatingOutcome::NoRate.into(),
                tariff_id: tariff.id.0,
                tariff_name: tariff.name.clone(),
                currency: snapshot.currencies.stored(tariff.currency)?.code.clone(),
                steps,
                ..Default::default()
            });
        };
        let currency = snapshot.currencies.stored(tariff.currency)?;
        let prefix = call.number[..found.prefix_length].to_owned();
        let terms = found.terms;
        let mut leg = RatedLeg {
            outcome: RatingOutcome::Blocked.into(),
            tariff_id: tariff.id.0,
            tariff_name: tariff.name.clone(),
            destination: self.0.destinations.get(&self.0.db, snapshot, &prefix).await?.to_string(),
            prefix,
            rate: Some(money::to_proto(terms.rate)),
            connection_fee: Some(money::to_proto(terms.connection_fee)),
            increment: i32::try_from(terms.increment).unwrap_or(i32::MAX),
            min_time: i32::try_from(terms.min_time).unwrap_or(i32::MAX),
            billing_steps: steps_to_proto(terms.steps).into(),
            currency: currency.code.clone(),
            ..Default::default()
        };
        if found.blocked {
            steps.push(format!("prefix {} is blocked", leg.prefix));
            return Ok(RatedLeg { steps, ..leg });
        }
        let billed = terms.billed_seconds(call.duration, call.grace_time);
        steps.push(billed_as(call.duration, billed, &terms));
        let out_of_range = || Error::OutOfRange.of_field("duration");
        let price = terms.price(billed).and_then(Money::new).ok_or_else(out_of_range)?;
        steps.push(format!(
            "{} + {} x {billed} / 60 = {} {}",
            if billed == 0 { "0".to_owned() } else { terms.connection_fee.to_string() },
            terms.rate,
            price.value(),
            currency.code
        ));
        let price_default = price.to_default(currency.exchange_rate)?;
        if !currency.is_default() {
            steps.push(format!(
                "{} / {} = {} {}",
                price.value(),
                currency.exchange_rate.value(),
                price_default.value(),
                snapshot.currencies.default_currency()?.code
            ));
        }
        leg.outcome = RatingOutcome::Priced.into();
        leg.billed_seconds = i64::try_from(billed).unwrap_or(i64::MAX);
        leg.price = Some(price.into());
        leg.price_default = Some(price_default.into());
        leg.steps = steps;
        Ok(leg)
    }
}

/// How the billed seconds of a call come about, in words.
fn billed_as(duration: u32, billed: u64, terms: &Terms) -> String {
    let Terms { min_time, increment, .. } = terms;
    let after = match terms.steps {
        Steps::FromZero => "",
        Steps::AfterMinimum => " after that",
    };
    format!(
        "{duration} s are billed as {billed} s: at least {min_time} s, in steps of {increment} s{after}"
    )
}

/// The tariff that a request names; no tariff has the id 0.
fn filled(id: Option<i64>) -> Option<TariffId> {
    id.filter(|id| *id != 0).map(TariffId)
}

/// The tariffs that a caller may see.
struct Shown<'a> {
    snapshot: &'a Snapshot,
    caller: &'a Principal,
}

impl<'a> Shown<'a> {
    fn by_id(&self, id: TariffId) -> Result<&'a Tariff> {
        self.snapshot.tariffs.visible_by_id(self.caller, &self.snapshot.settings, id)
    }

    /// The tariff of an id; `None` if there is no id.
    fn optional(&self, id: Option<i64>) -> Result<Option<&'a Tariff>> {
        filled(id).map(|id| self.by_id(id)).transpose()
    }
}

#[tonic::async_trait]
impl RatingService for Service {
    async fn rate_call(
        &self,
        request: Request<pb::RateCallRequest>,
    ) -> Result<Response<pb::RateCallResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.rate(&caller, request.into_inner()).await?))
    }
}
