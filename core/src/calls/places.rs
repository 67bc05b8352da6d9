//! Where calls come from and go to: the points that records name by an address or a description,
//! and what the rules of an origination point make of the numbers of its calls.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use tollbook_proto::v1::CallRecord;

use super::{
    Call, Rejection, Reported, Side,
    record::{Record, UserRef},
};
use crate::{
    context::Context,
    devices::clis::{self, store::Caller},
    error::Result,
    ids::{PointId, UserId},
    live::ActiveCall,
    points::{self, Name, Origination, Point, Points, Source},
    providers::Providers,
    text::{check_text, clip},
    users::Identity,
};

/// Finds the points of a batch.
pub(super) struct Places<'a> {
    points: &'a Points,
    providers: &'a Providers,
    /// By the names that were asked for, with the points that may be meant.
    named: HashMap<String, (Name, Vec<&'a Point>)>,
    /// The points that were taken for others that have their address, port and technical prefix too,
    /// with the address that was said and all of them.
    twins: BTreeMap<PointId, (String, Vec<PointId>)>,
    /// The devices that have calling numbers as their CLIs.
    callers: HashMap<String, Caller>,
    /// The users of the trunks that those may have called through.
    trunk_users: HashMap<UserId, Arc<Identity>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(points: &'a Points, providers: &'a Providers) -> Self {
        Self {
            points,
            providers,
            named: HashMap::new(),
            twins: BTreeMap::new(),
            callers: HashMap::new(),
            trunk_users: HashMap::new(),
        }
    }

    /// Reads whose the calling numbers are of those records whose callers are known by that.
    pub(super) async fn find_callers(
        &mut self,
        context: &Context,
        records: impl Iterator<Item = &CallRecord>,
    ) -> Result<()> {
        let records: Vec<_> = records.filter(|record| self.has_caller_by_cli(record)).collect();
        if !records.is_empty() {
            let numbers = records.iter().map(|record| clis::number_of(&record.source));
            self.callers = clis::store::callers(&context.db, numbers).await?;
        }
        if !self.callers.is_empty() {
            let points = records.iter().map(|record| self.origination_point(record));
            let points: HashSet<PointId> = points.collect();
            let users = points.into_iter().filter_map(|point| Some(self.points.by_id(point)?.user));
            self.trunk_users = context.directory.by_ids(users.collect::<HashSet<_>>()).await?;
        }
        Ok(())
    }

    /// Whether the caller of a record is known by a CLI: nothing else names them, or a trunk of other
    /// callers.
    fn has_caller_by_cli(&mut self, record: &CallRecord) -> bool {
        if record.originator_id.is_some()
            || !record.originator.is_empty()
            || record.source.is_empty()
            || check_text("", &record.source).is_err()
        {
            return false;
        }
        let names_point = record.origination_point_id != 0 || !record.origination_point.is_empty();
        let point = self.origination_point(record);
        !names_point || self.is_trunk(point)
    }

    /// Whether calls from a point are those of whose CLIs their calling numbers are.
    fn is_trunk(&self, point: PointId) -> bool {
        self.points.origination(point).is_some_and(|(_, origination)| origination.callers_by_cli)
    }

    /// The device of a caller who is known by the calling number. Calls that took place are billed,
    /// whether it is banned or not.
    fn caller(&self, record: &Record) -> Option<PointId> {
        let point = record.reported.origination_point;
        let by_cli = record.originator.is_none() && (point == PointId(0) || self.is_trunk(point));
        let caller = self.callers.get(clis::number_of(&record.reported.source));
        let caller = caller.filter(|caller| by_cli && self.admits(point, caller));
        caller.map(|caller| caller.device)
    }

    /// Whether a caller may have called through a point; 0: through none.
    fn admits(&self, point: PointId, caller: &Caller) -> bool {
        let user = self.points.by_id(point).and_then(|point| self.trunk_users.get(&point.user));
        point == PointId(0) || user.is_some_and(|user| caller.is_of_trunk(user.id, user.owner))
    }

    /// What whoever brought the calls should know of where they came from.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        self.twins.iter().map(|(taken, (address, twins))| {
            let others = twins.iter().filter(|id| *id != taken).map(PointId::to_string);
            format!(
                "{} points have the address {address}, with the same port and technical prefix: its \
                 calls are taken as those of point {taken}, the oldest, and none as those of {}",
                twins.len(),
                others.collect::<Vec<_>>().join(", ")
            )
        })
    }

    /// Completes a record with the points that it names, and rewrites its numbers by the rules of
    /// the origination point. What was authorised has its numbers as they were rewritten then.
    ///
    /// # Errors
    /// A name leads to no point, or to several that are meant as likely.
    pub(super) fn settle(
        &mut self,
        record: &mut Record,
        authorized: Option<&ActiveCall>,
    ) -> Result<(), Rejection> {
        let reported = &mut record.reported;
        if reported.origination_point == PointId(0) && !record.origination_name.is_empty() {
            let name = &record.origination_name;
            let found = authorized
                .and_then(|call| self.authorized_point(name, &reported.destination, call))
                .or_else(|| self.origination(name, &reported.destination));
            reported.origination_point =
                found.ok_or_else(|| unknown(Side::Originator, name, record.originator.as_ref()))?;
        }
        if authorized.is_none()
            && let Some(device) = self.caller(record)
        {
            record.reported.origination_point = device;
        }
        let reported = &mut record.reported;
        if reported.termination_point == PointId(0) && !record.termination_name.is_empty() {
            let found = self.termination(&record.termination_name);
            reported.termination_point = found.ok_or_else(|| {
                unknown(Side::Terminator, &record.termination_name, record.terminator.as_ref())
            })?;
        }
        let point = match reported.origination_point {
            PointId(0) => authorized.map_or(PointId(0), |call| call.origination_point),
            id => id,
        };
        let Some((_, rules)) = self.points.origination(point) else { return Ok(()) };
        rewrite(reported, rules, authorized);
        if reported.destination.is_empty() {
            let problem = "is empty once the origination point's rules are applied";
            return Err(Rejection::InvalidField { field: "destination".to_owned(), problem });
        }
        Ok(())
    }

    /// The origination point that a record names, as far as it can be told.
    pub(super) fn origination_point(&mut self, record: &CallRecord) -> PointId {
        let name = &record.origination_point;
        if record.origination_point_id != 0 || name.is_empty() || check_text("", name).is_err() {
            return PointId(record.origination_point_id);
        }
        self.origination(name, &record.destination).unwrap_or(PointId(0))
    }

    /// The point by which a call was authorised, if it is at the address that its record names and the
    /// number is the one that was made of what was dialled: the technical prefix may be gone from it.
    fn authorized_point(&mut self, name: &str, number: &str, call: &ActiveCall) -> Option<PointId> {
        let (name, points) = self.named(name);
        let is_there = || points.iter().any(|point| point.id == call.origination_point);
        let is_meant = matches!(name, Name::Address(_)) && call.destination == number;
        (is_meant && is_there()).then_some(call.origination_point)
    }

    fn origination(&mut self, name: &str, number: &str) -> Option<PointId> {
        match self.named(name) {
            (Name::Address(source), points) => {
                let found = points::by_source(points.iter().copied(), *source, number).ok()?;
                let id = found.id;
                if points.len() > 1 {
                    let twins: Vec<PointId> = found.twins(points.iter().copied()).collect();
                    if twins.len() > 1 {
                        self.twins.insert(id, (name.to_owned(), twins));
                    }
                }
                Some(id)
            }
            (Name::Description(_), points) => {
                only(points.iter().filter(|point| point.origination.is_some()))
            }
        }
    }

    /// Providers are not known by names and addresses, which whoever makes one could choose as those of
    /// another's carrier.
    fn termination(&mut self, name: &str) -> Option<PointId> {
        let providers = self.providers;
        let (name, points) = self.named(name);
        let is_meant =
            |point: &&&Point| point.termination.is_some() && providers.by_id(point.id).is_none();
        let points = points.iter().filter(is_meant);
        let Name::Address(Source { port, .. }) = *name else { return only(points) };
        let at_port: Vec<&&Point> = points.filter(|point| point.has_port(port)).collect();
        let smallest = at_port.iter().filter_map(|point| point.network_size()).min();
        only(at_port.into_iter().filter(|point| point.network_size() == smallest))
    }

    /// What a name means, and the points that have it.
    fn named(&mut self, text: &str) -> &(Name, Vec<&'a Point>) {
        if !self.named.contains_key(text) {
            let name = Name::parse(text);
            let points = self.points.named(&name).collect();
            self.named.insert(text.to_owned(), (name, points));
        }
        &self.named[text]
    }
}

/// What is said of a record whose point is not found, with whom it names beside it.
fn unknown(side: Side, name: &str, user: Option<&UserRef>) -> Rejection {
    let whose = match user {
        None => String::new(),
        Some(UserRef::Username(user)) => format!(" (the call names {:?}, too)", clip(user)),
        Some(UserRef::Id(id)) => format!(" (the call names the user of id {id}, too)"),
    };
    Rejection::UnknownPoint { side, place: format!("{:?}{whose}", clip(name)) }
}

/// The one point that there is; none: there is no one, or are several.
fn only<'a, 'b: 'a>(mut points: impl Iterator<Item = &'a &'b Point>) -> Option<PointId> {
    let found = points.next()?;
    points.next().is_none().then_some(found.id)
}

fn rewrite(reported: &mut Reported, rules: &Origination, authorized: Option<&ActiveCall>) {
    let is_authorized = |number: &str, of: fn(&ActiveCall) -> &String| {
        authorized.is_some_and(|call| of(call) == number)
    };
    if !is_authorized(&reported.destination, |call| &call.destination) {
        rules.rewrite_destination(&mut reported.destination);
    }
    if !is_authorized(&reported.source, |call| &call.source) {
        rules.rewrite_source(&mut reported.source);
    }
}

/// A call with the numbers as its record has them.
pub(super) fn as_sent(record: &CallRecord, call: &Call) -> Call {
    let mut call = call.clone();
    call.reported.destination.clone_from(&record.destination);
    call.reported.source.clone_from(&record.source);
    call
}

/// A record as the origination point of the call that is known under its id would have it, where
/// the record does not say by which point it came: so that the end of a call that was authorised is
/// known again.
pub(super) fn as_from_point_of(known: &Call, call: &Call, points: &Points) -> Option<Call> {
    if call.reported.origination_point != PointId(0) {
        return None;
    }
    let (_, rules) = points.origination(known.reported.origination_point)?;
    let mut call = call.clone();
    rules.rewrite(&mut call.reported.source, &mut call.reported.destination);
    Some(call)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tollbook_proto::v1 as pb;

    use super::*;
    use crate::calls::record;

    fn point(id: i64, description: &str, address: &str, rules: &str) -> pb::ConnectionPoint {
        pb::ConnectionPoint {
            id: Some(id),
            user_id: Some(id),
            description: description.to_owned(),
            address: address.to_owned(),
            any_port: true,
            origination: Some(pb::OriginationPoint {
                destination_transformation: rules.to_owned(),
                ..Default::default()
            }),
            termination: Some(pb::TerminationPoint::default()),
            ..Default::default()
        }
    }

    /// Settles a call, and returns its points and the number called.
    fn settled(from: &str, to: &str, number: &str) -> Result<(i64, i64, String), Rejection> {
        let points = Points::of([
            point(1, "Vilnius", "192.0.2.0/24", "-00"),
            point(2, "Riga", "192.0.2.7", "-0+371"),
            point(3, "Twins", "192.0.2.8", ""),
            point(4, "Twins", "192.0.2.8", ""),
        ]);
        let mut record = record::read(&pb::CallRecord {
            call_id: "a".to_owned(),
            start_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
            destination: number.to_owned(),
            origination_point: from.to_owned(),
            termination_point: to.to_owned(),
            ..Default::default()
        })?;
        Places::new(&points, &Providers::default()).settle(&mut record, None)?;
        let Reported { origination_point, termination_point, destination, .. } = record.reported;
        Ok((origination_point.0, termination_point.0, destination))
    }

    #[test]
    fn a_call_comes_from_where_its_address_or_a_description_says() {
        let from = |name, number| settled(name, "", number).unwrap();
        assert_eq!(from("192.0.2.1", "0037061"), (1, 0, "37061".to_owned()));
        assert_eq!(from("192.0.2.7:5080", "061"), (2, 0, "37161".to_owned()));
        assert_eq!(from("::ffff:192.0.2.7", "37061"), (2, 0, "37061".to_owned()));
        assert_eq!(from("Riga", "061"), (2, 0, "37161".to_owned()));
        // Of two that fit as well the older one is asked, as AuthorizeCall does it.
        assert_eq!(from("192.0.2.8", "370"), (3, 0, "370".to_owned()));
        for name in ["198.51.100.1", "riga", "Twins"] {
            let place = format!("{name:?}");
            let unknown = Rejection::UnknownPoint { side: Side::Originator, place };
            assert_eq!(settled(name, "", "370"), Err(unknown), "{name}");
        }
    }

    #[test]
    fn a_call_goes_to_the_one_point_that_is_meant() {
        let to = |name| settled("Riga", name, "370").map(|(_, to, _)| to);
        assert_eq!(to("192.0.2.7"), Ok(2));
        assert_eq!(to("192.0.2.9"), Ok(1));
        assert_eq!(to("Vilnius"), Ok(1));
        for name in ["192.0.2.8", "198.51.100.1", "Twins"] {
            let place = format!("{name:?}");
            let unknown = Rejection::UnknownPoint { side: Side::Terminator, place };
            assert_eq!(to(name), Err(unknown), "{name}");
        }
    }

    #[test]
    fn nothing_is_left_of_a_number() {
        let empty = settled("Vilnius", "", "00").unwrap_err();
        assert_eq!(empty.reason(), "INVALID_FIELD");
    }
}
