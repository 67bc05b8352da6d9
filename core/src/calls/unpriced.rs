//! What exactly a side of a call lacks, so that whoever reads it knows what to mend.

use tollbook_proto::v1::RejectCode;

use super::{Rejection, Reported, Side, parties::Parties};
use crate::{
    catalog::Snapshot,
    clock,
    ids::{PointId, TariffId, UserId},
    points::SideTariffs,
    rating::{CallTime, NoOffer, Rater},
};

/// A side of a call that has no price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unpriced {
    /// Which.
    pub side: Side,
    /// What it lacks, and of the other side as well if both lack something.
    pub text: String,
}

impl std::fmt::Display for Unpriced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// What is known of a call whose price is missing.
#[derive(Clone, Copy)]
pub(super) struct Explanation<'a> {
    pub(super) call: &'a Reported,
    pub(super) time: CallTime,
    pub(super) snapshot: &'a Snapshot,
    pub(super) parties: &'a Parties<'a>,
    pub(super) rater: &'a Rater,
}

impl Explanation<'_> {
    /// Why a side of the call cannot be priced by its tariffs.
    pub(super) fn rejection(
        &self,
        why: NoOffer,
        side: Side,
        user: UserId,
        tariffs: SideTariffs,
    ) -> Rejection {
        let (number, whose) = (&self.call.destination, self.party(side, user));
        let text = match why {
            NoOffer::NoTariff => match self.point(side) {
                Some(point) => format!("neither {point} nor {whose} has a tariff"),
                None => format!("{whose} has no tariff"),
            },
            NoOffer::NoRate => {
                let time = self.local(self.call.start_time, "%Y-%m-%d %H:%M:%S %Z");
                let tariffs_of = self.tariffs(tariffs);
                let later = self.rater.later(tariffs, number, self.time);
                let later = later.map_or_else(String::new, |later| {
                    format!("; {}", later.text(number, &self.snapshot.settings.time_zone))
                });
                format!("no rate of {tariffs_of} of {whose} for {number} at {time}{later}")
            }
            NoOffer::Blocked => {
                format!("{number} is blocked in {} of {whose}", self.tariffs(tariffs))
            }
        };
        let text = match hangup_cause(side) {
            Some(code) if why != NoOffer::Blocked => format!("{text} (hangup cause {code})"),
            _ => text,
        };
        let unpriced = Box::new(Unpriced { side, text });
        match why {
            NoOffer::NoTariff => Rejection::NoTariff(unpriced),
            NoOffer::NoRate => Rejection::NoRate(unpriced),
            NoOffer::Blocked => Rejection::Blocked(unpriced),
        }
    }

    fn party(&self, side: Side, user: UserId) -> String {
        let name = self.parties.username(user).unwrap_or_default();
        format!("the {side} {name} (id {user})")
    }

    /// The point of a side; `None` if the call has none there.
    fn point(&self, side: Side) -> Option<String> {
        let (id, kind) = match side {
            Side::Originator => (self.call.origination_point, "origination"),
            Side::Reseller | Side::Partner => return None,
            Side::Terminator => (self.call.termination_point, "termination"),
        };
        (id != PointId(0)).then(|| {
            let point = self.snapshot.points.by_id(id);
            let name = point.map_or("", |point| point.description());
            format!("the {kind} point {id} '{name}'")
        })
    }

    /// The tariffs of a side that there are.
    fn tariffs(&self, tariffs: SideTariffs) -> String {
        let named = |kind, id: TariffId| {
            let tariff = self.snapshot.tariffs.by_id(id).ok()?;
            Some(format!("{kind} {id} '{}'", tariff.name))
        };
        let both = [named("tariff", tariffs.tariff), named("custom tariff", tariffs.custom)];
        both.into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }

    fn local(&self, micros: i64, format: &str) -> String {
        clock::local(micros, &self.snapshot.settings.time_zone, format)
    }
}

/// What a switch says where somebody above the user has no rate; `None` for the others, whose code depends on
/// whom the switch asks.
fn hangup_cause(side: Side) -> Option<i32> {
    match side {
        Side::Reseller => Some(RejectCode::ResellerRateNotFound.into()),
        Side::Partner => Some(RejectCode::PartnerRateNotFound.into()),
        Side::Originator | Side::Terminator => None,
    }
}

/// One of two reasons why a call cannot be priced, which says the other as well.
pub(super) fn both(first: Rejection, second: &Rejection) -> Rejection {
    let also = |unpriced: Box<Unpriced>| {
        let text = format!("{}; and {second}", unpriced.text);
        Box::new(Unpriced { text, ..*unpriced })
    };
    match first {
        Rejection::NoTariff(unpriced) => Rejection::NoTariff(also(unpriced)),
        Rejection::NoRate(unpriced) => Rejection::NoRate(also(unpriced)),
        Rejection::Blocked(unpriced) => Rejection::Blocked(also(unpriced)),
        other => other,
    }
}
