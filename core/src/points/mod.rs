//! Connection points: where calls come from and go to (spec: `domain.md` §10).

mod service;
pub(crate) mod store;

use tollbook_proto::v1 as pb;

pub(crate) use service::Service;

use crate::ids::{PointId, TariffId, UserId};

/// A connection point.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) id: PointId,
    pub(crate) user: UserId,
    description: String,
    /// None: it brings no calls.
    pub(crate) origination: Option<Origination>,
    /// None: it takes no calls.
    pub(crate) termination: Option<Termination>,
}

/// A point as calls come from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origination {
    pub(crate) active: bool,
    /// 0: that of the user.
    tariff: TariffId,
    /// 0: none.
    custom_tariff: TariffId,
    /// 0: without limit.
    capacity: i64,
}

/// A point as calls go to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Termination {
    pub(crate) active: bool,
    /// 0: that of the user.
    tariff: TariffId,
    /// 0: without limit.
    capacity: i64,
}

/// The tariffs that price one side of a call; 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SideTariffs {
    pub(crate) tariff: TariffId,
    /// Wins where its prefix is as long or longer.
    pub(crate) custom: TariffId,
}

impl Origination {
    /// The tariffs of calls that come from here.
    pub(crate) fn tariffs(self) -> SideTariffs {
        SideTariffs { tariff: self.tariff, custom: self.custom_tariff }
    }

    pub(crate) fn is_full(self, calls: i64) -> bool {
        self.capacity > 0 && calls >= self.capacity
    }
}

impl Termination {
    /// The tariffs of calls that go here.
    pub(crate) fn tariffs(self) -> SideTariffs {
        SideTariffs { tariff: self.tariff, custom: TariffId(0) }
    }

    pub(crate) fn is_full(self, calls: i64) -> bool {
        self.capacity > 0 && calls >= self.capacity
    }
}

impl SideTariffs {
    /// What a side has that no point says anything of.
    pub(crate) const NONE: Self = Self { tariff: TariffId(0), custom: TariffId(0) };

    /// With the tariff of the user where there is no other.
    pub(crate) fn or(self, of_user: TariffId) -> Self {
        if self.tariff == TariffId(0) { Self { tariff: of_user, ..self } } else { self }
    }
}

impl Point {
    fn to_proto(&self) -> pb::ConnectionPoint {
        let number = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
        pb::ConnectionPoint {
            id: self.id.0,
            user_id: self.user.0,
            description: self.description.clone(),
            origination: self.origination.map(|point| pb::OriginationPoint {
                active: point.active,
                tariff_id: point.tariff.0,
                custom_tariff_id: point.custom_tariff.0,
                capacity: number(point.capacity),
            }),
            termination: self.termination.map(|point| pb::TerminationPoint {
                active: point.active,
                tariff_id: point.tariff.0,
                capacity: number(point.capacity),
            }),
        }
    }
}

/// All points, by ascending id.
#[derive(Clone, Debug)]
pub(crate) struct Points(Vec<Point>);

impl Points {
    pub(crate) fn by_id(&self, id: PointId) -> Option<&Point> {
        let index = self.0.binary_search_by_key(&id, |point| point.id).ok()?;
        self.0.get(index)
    }

    /// A point from which calls come.
    pub(crate) fn origination(&self, id: PointId) -> Option<(&Point, Origination)> {
        let point = self.by_id(id)?;
        Some((point, point.origination?))
    }

    /// A point to which calls go.
    pub(crate) fn termination(&self, id: PointId) -> Option<(&Point, Termination)> {
        let point = self.by_id(id)?;
        Some((point, point.termination?))
    }
}
