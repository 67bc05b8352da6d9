//! Connection points: where calls come from and go to
//! (`docs/rules/points-and-pools.md#connection-points`).

mod ownership;
mod pattern;
mod record;
mod rewrite;
mod service;
pub(crate) mod store;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use tollbook_proto::v1 as pb;

pub(crate) use service::{Service, insert, remove, replace};

use pattern::Pattern;
use rewrite::Rewriting;

use crate::{
    ids::{PointId, RoutingGroupId, TariffId, UserId},
    network::Network,
};

/// A connection point: the contract's own message, and of it what calls need.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) id: PointId,
    pub(crate) user: UserId,
    /// None: its calls are not recognised by their address.
    network: Option<Network>,
    /// None: they may come from any.
    port: Option<u16>,
    /// None: it brings no calls.
    pub(crate) origination: Option<Origination>,
    /// None: it takes no calls.
    pub(crate) termination: Option<Termination>,
    message: pb::ConnectionPoint,
}

/// A point as calls come from it.
#[derive(Clone, Debug)]
pub(crate) struct Origination {
    pub(crate) terms: Terms,
    tech_prefix: String,
    /// Of numbers called.
    destination: Rewriting,
    /// Of calling numbers.
    source: Rewriting,
    /// Calls whose calling number is the CLI of a device are that device's.
    pub(crate) callers_by_cli: bool,
}

impl Origination {
    /// Makes of the numbers of a call those that are rated.
    pub(crate) fn rewrite(&self, source: &mut String, destination: &mut String) {
        self.rewrite_source(source);
        self.rewrite_destination(destination);
    }

    /// Makes of a calling number the one that is shown.
    pub(crate) fn rewrite_source(&self, number: &mut String) {
        self.source.apply(number);
    }

    /// Makes of a number that was dialled the one that is rated. A technical prefix with a mark at its
    /// end (`1234#`) is no part of a phone number and goes, unless the rule that fits says what becomes
    /// of it; one of digits alone may be the beginning of the number and is left to the rules.
    pub(crate) fn rewrite_destination(&self, number: &mut String) {
        let prefix = self.tech_prefix.as_str();
        let is_marked = prefix.ends_with(['#', '*']);
        if is_marked && number.starts_with(prefix) && !self.destination.decides(number, prefix) {
            number.replace_range(..prefix.len(), "");
        }
        self.destination.apply(number);
    }
}

/// A point as calls go to it.
#[derive(Clone, Debug)]
pub(crate) struct Termination {
    pub(crate) terms: Terms,
}

/// What both sides of a point have.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) active: bool,
    /// 0: that of the user.
    pub(crate) tariffs: SideTariffs,
    /// 0: without limit.
    capacity: i64,
    /// Seconds of an answered call; 0: without limit.
    longest_call: u32,
    /// None: any calling number.
    source: Option<Pattern>,
    /// None: no calling number.
    source_denied: Option<Pattern>,
}

/// The tariffs that price one side of a call; 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SideTariffs {
    pub(crate) tariff: TariffId,
    /// Wins where its prefix is as long or longer.
    pub(crate) custom: TariffId,
    /// Seconds up to which a call costs nothing, unless the minimum time is longer.
    pub(crate) grace_time: u32,
}

/// Why a calling number is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceRefusal {
    /// It does not match the pattern.
    Mismatch,
    /// It matches the pattern of those that are denied.
    Denied,
}

impl Terms {
    pub(crate) fn is_full(&self, calls: i64) -> bool {
        self.capacity > 0 && calls >= self.capacity
    }

    /// Why it takes no calls of a calling number; none: it does.
    pub(crate) fn refuses(&self, source: &str) -> Option<SourceRefusal> {
        if self.source.as_ref().is_some_and(|pattern| !pattern.matches(source)) {
            return Some(SourceRefusal::Mismatch);
        }
        let denied = self.source_denied.as_ref().is_some_and(|pattern| pattern.matches(source));
        denied.then_some(SourceRefusal::Denied)
    }

    /// A duration within what the point allows.
    pub(crate) fn shortened(&self, seconds: u32) -> u32 {
        if self.longest_call == 0 { seconds } else { seconds.min(self.longest_call) }
    }
}

impl SideTariffs {
    /// What a side has that no point says anything of.
    pub(crate) const NONE: Self = Self { tariff: TariffId(0), custom: TariffId(0), grace_time: 0 };

    /// With the tariff of the user where there is no other.
    pub(crate) fn or(self, of_user: TariffId) -> Self {
        if self.tariff == TariffId(0) { Self { tariff: of_user, ..self } } else { self }
    }
}

/// From where a call came, as the switch says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) address: IpAddr,
    /// None: not said.
    pub(crate) port: Option<u16>,
}

/// How a switch names a point.
#[derive(Clone, Debug)]
pub(crate) enum Name {
    Address(Source),
    Description(String),
}

impl Name {
    /// Reads an address, with or without a port; anything else is a description.
    pub(crate) fn parse(text: &str) -> Self {
        let source = |address: IpAddr, port| Source { address: address.to_canonical(), port };
        if let Ok(address) = text.parse() {
            return Self::Address(source(address, None));
        }
        match text.parse::<SocketAddr>() {
            Ok(address) => {
                let port = Some(address.port()).filter(|port| *port != 0);
                Self::Address(source(address.ip(), port))
            }
            Err(_) => Self::Description(text.to_owned()),
        }
    }
}

impl Point {
    fn is_at(&self, address: IpAddr) -> bool {
        self.network.is_some_and(|network| network.contains(address))
    }

    /// The routing group of its calls; 0: none.
    pub(crate) fn routing_group(&self) -> RoutingGroupId {
        RoutingGroupId(self.message.origination.as_ref().map_or(0, |op| op.routing_group_id))
    }

    /// What people call it; may be empty.
    pub(crate) fn description(&self) -> &str {
        &self.message.description
    }

    /// Whether calls come from another point by the same address, port and technical prefix.
    fn is_known_as(&self, other: &Self) -> bool {
        let prefix = |point: &Self| point.origination.as_ref().map(|op| op.tech_prefix.clone());
        self.network.is_some()
            && (self.network, self.port) == (other.network, other.port)
            && prefix(self).is_some_and(|own| prefix(other) == Some(own))
    }

    /// Of some points those by whose address calls come from this one as well, it among them.
    pub(crate) fn twins<'a>(
        &'a self,
        points: impl Iterator<Item = &'a Self>,
    ) -> impl Iterator<Item = PointId> {
        points.filter(|point| self.is_known_as(point)).map(|point| point.id)
    }

    /// How many addresses it has beyond the first; none: it has none.
    pub(crate) fn network_size(&self) -> Option<u128> {
        self.network.map(Network::size)
    }

    /// Whether calls come from it, or go to it, by a port; one that is not said fits.
    pub(crate) fn has_port(&self, port: Option<u16>) -> bool {
        self.port.is_none_or(|own| port.is_none_or(|port| port == own))
    }
}

/// All points, by ascending id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Points(Vec<Arc<Point>>);

/// Why no origination point was found by an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotFound {
    /// None has the address.
    Address,
    /// None that has it has the port, too.
    Port,
    /// None that has both has a technical prefix that fits.
    TechPrefix,
}

impl Points {
    pub(crate) fn by_id(&self, id: PointId) -> Option<&Point> {
        let index = self.0.binary_search_by_key(&id, |point| point.id).ok()?;
        self.0.get(index).map(Arc::as_ref)
    }

    /// The tariffs that the points of a user have.
    pub(crate) fn tariffs_of(&self, user: UserId) -> impl Iterator<Item = TariffId> {
        let own = self.0.iter().filter(move |point| point.user == user);
        own.flat_map(|point| point.tariffs())
    }

    /// The points after an id, by ascending id.
    fn after(&self, id: Option<i64>) -> impl Iterator<Item = &Point> {
        let begin = self.0.partition_point(|point| id.is_some_and(|id| point.id.0 <= id));
        self.0[begin..].iter().map(Arc::as_ref)
    }

    /// These points, with others in place of those that have their ids, or beside them.
    fn with(&self, written: Vec<Arc<Point>>) -> Self {
        let mut all = self.0.clone();
        for point in written {
            match all.binary_search_by_key(&point.id, |known| known.id) {
                Ok(index) => all[index] = point,
                Err(index) => all.insert(index, point),
            }
        }
        Self(all)
    }

    /// Points by ascending id.
    #[cfg(test)]
    pub(crate) fn of(points: impl IntoIterator<Item = pb::ConnectionPoint>) -> Self {
        Self(points.into_iter().filter_map(|point| Point::new(point).ok().map(Arc::new)).collect())
    }

    /// A point from which calls come.
    pub(crate) fn origination(&self, id: PointId) -> Option<(&Point, &Origination)> {
        let point = self.by_id(id)?;
        Some((point, point.origination.as_ref()?))
    }

    /// A point to which calls go.
    pub(crate) fn termination(&self, id: PointId) -> Option<(&Point, &Termination)> {
        let point = self.by_id(id)?;
        Some((point, point.termination.as_ref()?))
    }

    /// The point that a call to a number came from: of those that fit the one with the longest
    /// technical prefix, then the one with the smallest network, then the oldest.
    pub(crate) fn by_source(&self, source: Source, number: &str) -> Result<&Point, NotFound> {
        by_source(self.0.iter().map(Arc::as_ref), source, number)
    }

    /// The points that have an address, or a description.
    pub(crate) fn named(&self, name: &Name) -> impl Iterator<Item = &Point> {
        self.0.iter().map(Arc::as_ref).filter(|point| match name {
            Name::Address(source) => point.is_at(source.address),
            Name::Description(text) => point.message.description == *text,
        })
    }
}

/// [`Points::by_source`] among some points, by ascending id.
pub(crate) fn by_source<'a>(
    points: impl Iterator<Item = &'a Point>,
    source: Source,
    number: &str,
) -> Result<&'a Point, NotFound> {
    let mut missing = NotFound::Address;
    let mut best: Option<(&Point, (usize, std::cmp::Reverse<u128>))> = None;
    for point in points {
        let (Some(network), Some(origination)) = (point.network, &point.origination) else {
            continue;
        };
        if !network.contains(source.address) {
            continue;
        }
        if !point.has_port(source.port) {
            if missing == NotFound::Address {
                missing = NotFound::Port;
            }
            continue;
        }
        if !number.starts_with(&origination.tech_prefix) {
            missing = NotFound::TechPrefix;
            continue;
        }
        let rank = (origination.tech_prefix.len(), std::cmp::Reverse(network.size()));
        if best.is_none_or(|(_, known)| rank > known) {
            best = Some((point, rank));
        }
    }
    best.map(|(point, _)| point).ok_or(missing)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn point(id: i64, address: &str, port: Option<i32>, tech_prefix: &str) -> Point {
        let origination =
            pb::OriginationPoint { tech_prefix: tech_prefix.to_owned(), ..Default::default() };
        Point::new(pb::ConnectionPoint {
            id: Some(id),
            address: address.to_owned(),
            port: port.unwrap_or_default(),
            any_port: port.is_none(),
            origination: Some(origination),
            ..Default::default()
        })
        .unwrap()
    }

    #[test]
    fn the_point_that_fits_best_is_found() {
        let points = Points::default().with(
            [
                point(1, "10.0.0.0/24", None, ""),
                point(2, "10.0.0.7", None, ""),
                point(3, "10.0.0.0/24", None, "99"),
                point(4, "10.0.1.1", Some(5070), "00"),
                point(5, "10.0.1.2", Some(0), ""),
                point(6, "", None, ""),
            ]
            .map(Arc::new)
            .into(),
        );
        let find = |from: &str, number: &str| {
            let from: std::net::SocketAddr = from.parse().unwrap();
            let port = (from.port() != 0).then_some(from.port());
            let source = Source { address: from.ip(), port };
            points.by_source(source, number).map(|point| point.id.0)
        };
        assert_eq!(find("10.0.0.1:5060", "370"), Ok(1));
        assert_eq!(find("10.0.0.7:5060", "370"), Ok(2));
        assert_eq!(find("10.0.0.7:5060", "99370"), Ok(3));
        assert_eq!(find("10.0.1.1:5070", "00370"), Ok(4));
        assert_eq!(find("10.0.1.1:0", "00370"), Ok(4));
        assert_eq!(find("10.0.1.1:5060", "00370"), Err(NotFound::Port));
        assert_eq!(find("10.0.1.1:5070", "370"), Err(NotFound::TechPrefix));
        assert_eq!(find("10.0.1.2:5060", "370"), Ok(5));
        assert_eq!(find("10.0.2.1:5060", "370"), Err(NotFound::Address));
    }

    #[test]
    fn a_marked_technical_prefix_goes_and_one_of_digits_is_left_to_the_rules() {
        let rated = |tech_prefix: &str, rules: &str, dialled: &str| {
            let origination = pb::OriginationPoint {
                tech_prefix: tech_prefix.to_owned(),
                destination_transformation: rules.to_owned(),
                ..Default::default()
            };
            let message =
                pb::ConnectionPoint { origination: Some(origination), ..Default::default() };
            let mut number = dialled.to_owned();
            Point::new(message).unwrap().origination.unwrap().rewrite_destination(&mut number);
            number
        };
        assert_eq!(rated("1234#", "", "1234#37061234567"), "37061234567");
        // What is not there is not taken off, nor twice.
        assert_eq!(rated("1234#", "", "37061234567"), "37061234567");
        assert_eq!(rated("1234#", "", "1234#1234#370"), "1234#370");
        // The rules go on with what was dialled after it.
        assert_eq!(rated("1234#", "-00", "1234#0037061234567"), "37061234567");
        assert_eq!(rated("1234#", "370", "1234#61234567"), "37061234567");
        // A rule that takes it off, or keeps it, does that alone.
        assert_eq!(rated("1234#", "-1234#|370", "1234#37061234567"), "37061234567");
        assert_eq!(rated("1234#", "-1234#+1234#", "1234#37061234567"), "1234#37061234567");
        assert_eq!(rated("1234#", "-1234#00", "1234#0037061234567"), "37061234567");
        // M4's page: 00 is what numbers begin with that are the point's.
        assert_eq!(rated("00", "", "0037061234567"), "0037061234567");
        assert_eq!(rated("37", "", "37061234567"), "37061234567");
        assert_eq!(rated("99", "-99", "9937061234567"), "37061234567");
    }

    #[test]
    fn what_was_not_written_since_is_taken_over() {
        let old = [3, 1].map(|id| Arc::new(point(id, "10.0.0.1", None, "")));
        let new = [2, 3].map(|id| Arc::new(point(id, "10.0.0.2", None, "")));
        let points = Points::default().with(old.into()).with(new.into());
        let addresses: Vec<_> =
            points.0.iter().map(|point| (point.id.0, point.message.address.as_str())).collect();
        assert_eq!(addresses, [(1, "10.0.0.1"), (2, "10.0.0.2"), (3, "10.0.0.2")]);
    }
}
