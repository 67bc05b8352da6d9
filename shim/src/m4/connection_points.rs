//! Group "devices", writing: `cp_create`, `cp_update`, `cp_delete`.

use serde::Serialize;
use tollbook_proto::legacy;
use tollbook_proto::v1::{
    ConnectionPoint, CreateConnectionPointRequest, DeleteConnectionPointRequest, ErrorReason,
    NumberChoice, PointTimeouts, UpdateConnectionPointRequest,
};

use super::devices::{DEFAULT_RINGING, ROUTING_ALGORITHMS, new_origination, new_termination};
use crate::{
    call::Call,
    error::{Failure, Wrap, refused},
    mask::Mask,
    method::{Method, Param, optional, required},
    request::Params,
    xml::Answer,
};

const WRAP: Wrap = Wrap::PageStatus;
const NOT_FOUND: &str = "Connection Point was not found";
const ERRORS: &[(ErrorReason, &str)] = &[
    (ErrorReason::ConnectionPointNotFound, NOT_FOUND),
    (ErrorReason::PermissionMissing, "You are not authorized to use this functionality"),
];

pub(super) const CP_CREATE: Method = Method {
    declaration: &legacy::m4::CP_CREATE,
    group: "Devices",
    summary: "Creates a connection point of a user",
    params: &[
        required("user_id", "whose it is"),
        optional("description", "free text"),
        optional("ipaddr", "from where its calls come: an IP address, a subnet or a range"),
        optional("op", "1: it acts as origination point"),
        optional("tp", "1: it acts as termination point"),
        optional("create_rg_for_op", "1: with a routing group of its own, if it is one"),
    ],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(cp_create(call)),
};

const NOT_CREATED: &str = "Connection Point was not created";

async fn cp_create(call: Call) -> Result<Answer, Failure> {
    let params = &call.params;
    let user_id = params.id("user_id").ok_or_else(|| super::user::not_found(WRAP))?;
    let switch = |name| {
        let switch = params.toggled(name, "0");
        switch.map_err(|problem| Failure::unusable(WRAP, NOT_CREATED, &problem))
    };
    let op = switch("op")?.unwrap_or(false);
    let tp = switch("tp")?.unwrap_or(false);
    let create_routing_group = switch("create_rg_for_op")?.unwrap_or(false) && op;
    let point = ConnectionPoint {
        user_id: Some(user_id),
        description: params.text("description").to_owned(),
        address: params.text("ipaddr").to_owned(),
        timeouts: Some(PointTimeouts { ringing: DEFAULT_RINGING, ..Default::default() }),
        origination: Some(new_origination(op)),
        termination: Some(new_termination(tp)),
        ..Default::default()
    };
    let request =
        CreateConnectionPointRequest { connection_point: Some(point), create_routing_group };
    match call.connection_points().create_connection_point(request).await {
        Ok(_) => Ok(Answer::success("Connection Point created")),
        Err(status) => refused(WRAP, NOT_CREATED, status),
    }
}

pub(super) const CP_UPDATE: Method = Method {
    declaration: &legacy::m4::CP_UPDATE,
    group: "Devices",
    summary: "Changes what was sent of a connection point",
    params: &[
        POINT,
        optional("description", "free text"),
        optional("switch_model", "what kind of switch it is"),
        optional("progress_timeout", "seconds until anything is heard; 0: without limit"),
        optional("timeout", "seconds of ringing, at least 10; 0: without limit"),
        optional("max_timeout", "seconds of an answered call; 0: without limit"),
        optional("grace_time", "seconds up to which a call costs nothing"),
        optional("host", "an IP address, a subnet or a range"),
        optional("tech_prefix", "numbers called must begin with it"),
        optional("port", "port of its signalling"),
        optional("any_port", "\"port\": its calls may come from any port, \"no\": they may not"),
        optional("op", "1: it acts as origination point, 0: it does not"),
        optional("op_active", "1: its calls are taken, 0: they are not"),
        optional("op_capacity", "how many calls at once; 0: without limit"),
        optional("op_routing_algorithm", "lcr, weight, percent, by_dialpeer or quality"),
        optional("quality_routing_id", "goes with the algorithm quality"),
        optional("op_routing_group_id", "id of a routing group; 0: none"),
        optional("op_tariff_id", "id of the tariff of its calls; 0: that of the user"),
        optional("op_custom_tariff_id", "id of the custom tariff; 0: none"),
        optional("op_src_regexp", "calling numbers must match it"),
        optional("op_src_deny_regexp", "calling numbers must not match it"),
        optional(
            "tp",
            "1: it acts as termination point; 0: it does not, and all its settings as one are erased",
        ),
        optional("tp_active", "1: calls are sent to it, 0: they are not"),
        optional("tp_dst_transformation", "how numbers called are rewritten"),
        optional("tp_source_transformation", "how calling numbers are rewritten"),
        optional("tp_capacity", "how many calls at once; 0: without limit"),
        optional("tp_tech_prefix", "what is put before numbers called"),
        optional("tp_tariff_id", "id of the tariff of the self-cost; 0: that of the user"),
        optional("tp_src_regexp", "calling numbers must match it"),
        optional("tp_src_deny_regexp", "calling numbers must not match it"),
        optional("cid_name", "name of the caller id"),
        optional("cid_number", "number of the caller id"),
        optional("callerid_number_pool_id", "number pool of caller ids; 0: none"),
        optional("callerid_number_pool_type", "random or pseudorandom"),
        optional("callerid_number_pool_deviation", "of a pseudorandom choice"),
    ],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(cp_update(call)),
};

/// The shortest limit of ringing that the original takes, in seconds.
const SHORTEST_RINGING: i32 = 10;
const POINT: Param = required("cp_id", "which connection point");
const NOT_UPDATED: &str = "Connection Point was not updated";

fn point_id(params: &Params) -> Result<i64, Failure> {
    params.id("cp_id").ok_or_else(|| Failure::Parameters(WRAP.error(NOT_FOUND)))
}

async fn cp_update(call: Call) -> Result<Answer, Failure> {
    let id = point_id(&call.params)?;
    let changes = Changes::read(&call.params)
        .map_err(|problem| Failure::unusable(WRAP, NOT_UPDATED, &problem))?;
    let request = UpdateConnectionPointRequest {
        connection_point: Some(ConnectionPoint { id: Some(id), ..changes.point }),
        update_mask: Some(changes.mask.into_proto()),
    };
    match call.connection_points().update_connection_point(request).await {
        Ok(_) => Ok(Answer::success("Connection Point updated")),
        Err(status) => refused(WRAP, NOT_UPDATED, status),
    }
}

/// The settings that a request sets.
struct Changes<'a> {
    point: ConnectionPoint,
    /// The fields of `point` that were sent.
    mask: Mask<'a>,
}

impl<'a> Changes<'a> {
    /// Reads the parameters; the error says what is wrong with one of them.
    fn read(params: &'a Params) -> Result<Self, String> {
        let mut changes = Self { point: ConnectionPoint::default(), mask: Mask::new(params) };
        changes.texts();
        changes.numbers()?;
        changes.ids()?;
        changes.switches()?;
        changes.choices(params)?;
        Ok(changes)
    }

    fn texts(&mut self) {
        let point = &mut self.point;
        let op = point.origination.get_or_insert_default();
        let tp = point.termination.get_or_insert_default();
        let caller_id = point.caller_id.get_or_insert_default();
        for (name, path, field) in [
            ("description", "description", &mut point.description),
            ("switch_model", "switch_model", &mut point.switch_model),
            ("host", "address", &mut point.address),
            ("tech_prefix", "origination.tech_prefix", &mut op.tech_prefix),
            ("op_src_regexp", "origination.source_pattern", &mut op.source_pattern),
            ("op_src_deny_regexp", "origination.source_deny_pattern", &mut op.source_deny_pattern),
            ("tp_tech_prefix", "termination.tech_prefix", &mut tp.tech_prefix),
            ("tp_src_regexp", "termination.source_pattern", &mut tp.source_pattern),
            ("tp_src_deny_regexp", "termination.source_deny_pattern", &mut tp.source_deny_pattern),
            (
                "tp_dst_transformation",
                "termination.destination_transformation",
                &mut tp.destination_transformation,
            ),
            (
                "tp_source_transformation",
                "termination.source_transformation",
                &mut tp.source_transformation,
            ),
            ("cid_name", "caller_id.name", &mut caller_id.name),
            ("cid_number", "caller_id.number", &mut caller_id.number),
        ] {
            self.mask.text(name, path, field);
        }
    }

    fn numbers(&mut self) -> Result<(), String> {
        let point = &mut self.point;
        let timeouts = point.timeouts.get_or_insert_default();
        let op = point.origination.get_or_insert_default();
        let tp = point.termination.get_or_insert_default();
        let caller_id = point.caller_id.get_or_insert_default();
        for (name, path, field) in [
            ("progress_timeout", "timeouts.progress", &mut timeouts.progress),
            ("timeout", "timeouts.ringing", &mut timeouts.ringing),
            ("max_timeout", "timeouts.call", &mut timeouts.call),
            ("grace_time", "grace_time", &mut point.grace_time),
            ("port", "port", &mut point.port),
            ("op_capacity", "origination.capacity", &mut op.capacity),
            ("tp_capacity", "termination.capacity", &mut tp.capacity),
            ("callerid_number_pool_deviation", "caller_id.deviation", &mut caller_id.deviation),
        ] {
            self.mask.number(name, path, field)?;
        }
        if (1..SHORTEST_RINGING).contains(&timeouts.ringing) {
            return Err(format!("timeout must be 0 or at least {SHORTEST_RINGING}"));
        }
        Ok(())
    }

    fn ids(&mut self) -> Result<(), String> {
        let op = self.point.origination.get_or_insert_default();
        let tp = self.point.termination.get_or_insert_default();
        let caller_id = self.point.caller_id.get_or_insert_default();
        for (name, path, field) in [
            ("quality_routing_id", "origination.quality_routing_id", &mut op.quality_routing_id),
            ("op_routing_group_id", "origination.routing_group_id", &mut op.routing_group_id),
            ("op_tariff_id", "origination.tariff_id", &mut op.tariff_id),
            ("op_custom_tariff_id", "origination.custom_tariff_id", &mut op.custom_tariff_id),
            ("tp_tariff_id", "termination.tariff_id", &mut tp.tariff_id),
            ("callerid_number_pool_id", "caller_id.number_pool_id", &mut caller_id.number_pool_id),
        ] {
            self.mask.id(name, path, field)?;
        }
        Ok(())
    }

    fn switches(&mut self) -> Result<(), String> {
        let op = self.point.origination.get_or_insert_default();
        let tp = self.point.termination.get_or_insert_default();
        let (mut originates, mut terminates) = (true, true);
        for (name, path, field) in [
            ("op", "origination.disabled", &mut originates),
            ("op_active", "origination.active", &mut op.active),
            ("tp", "termination.disabled", &mut terminates),
            ("tp_active", "termination.active", &mut tp.active),
        ] {
            self.mask.switch(name, path, "0", field)?;
        }
        (op.disabled, tp.disabled) = (!originates, !terminates);
        if !terminates {
            // Whoever switches it off in the original erases all its settings.
            *tp = new_termination(false);
            self.mask.replace("termination");
        }
        Ok(())
    }

    fn choices(&mut self, params: &Params) -> Result<(), String> {
        let point = &mut self.point;
        if let Some(value) = params.filled("any_port") {
            point.any_port = match value {
                "port" => true,
                "no" => false,
                _ => return Err("any_port must be no or port".to_owned()),
            };
            self.mask.add("any_port");
        }
        if let Some(value) = params.filled("op_routing_algorithm") {
            let known = ROUTING_ALGORITHMS.iter().find(|(name, _)| *name == value);
            let (_, algorithm) = known.ok_or("op_routing_algorithm is unknown")?;
            point.origination.get_or_insert_default().set_routing_algorithm(*algorithm);
            self.mask.add("origination.routing_algorithm");
        }
        if let Some(value) = params.filled("callerid_number_pool_type") {
            let choice = match value {
                "random" => NumberChoice::Random,
                "pseudorandom" => NumberChoice::Pseudorandom,
                _ => {
                    return Err("callerid_number_pool_type must be random or pseudorandom".into());
                }
            };
            point.caller_id.get_or_insert_default().set_number_choice(choice);
            self.mask.add("caller_id.number_choice");
        }
        Ok(())
    }
}

pub(super) const CP_DELETE: Method = Method {
    declaration: &legacy::m4::CP_DELETE,
    group: "Devices",
    summary: "Deletes a connection point",
    params: &[POINT],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(cp_delete(call)),
};

/// `<status>` in `<status>`, as documented.
#[derive(Serialize)]
struct DeletedPage {
    status: Deleted,
}

#[derive(Serialize)]
struct Deleted {
    status: &'static str,
}

async fn cp_delete(call: Call) -> Result<Answer, Failure> {
    let request = DeleteConnectionPointRequest { id: Some(point_id(&call.params)?) };
    call.connection_points().delete_connection_point(request).await?;
    let status = Deleted { status: "Connection Point deleted" };
    Ok(Answer::xml("page", &DeletedPage { status }))
}
