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
    method::{Input, Method, Param, id, optional, required, text},
    values::Values,
    xml::Answer,
};

const WRAP: Wrap = Wrap::PageStatus;
const NOT_FOUND: &str = "Connection Point was not found";
const ERRORS: &[(ErrorReason, &str)] = &[
    (ErrorReason::ConnectionPointNotFound, NOT_FOUND),
    (ErrorReason::PermissionMissing, "You are not authorized to use this functionality"),
];

const USER_ID: Input<Option<i64>> = id(required("user_id", "whose it is"));
const DESCRIPTION: Input<String> = text(optional("description", "free text"));
const IPADDR: Input<String> =
    text(optional("ipaddr", "from where its calls come: an IP address, a subnet or a range"));
const OP: Param = optional("op", "1: it acts as origination point");
const TP: Param = optional("tp", "1: it acts as termination point");
const CREATE_RG_FOR_OP: Param =
    optional("create_rg_for_op", "1: with a routing group of its own, if it is one");

pub(super) const CP_CREATE: Method = Method {
    declaration: &legacy::m4::CP_CREATE,
    group: "Devices",
    summary: "Creates a connection point of a user",
    params: &[USER_ID.param, DESCRIPTION.param, IPADDR.param, OP, TP, CREATE_RG_FOR_OP],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(cp_create(call)),
};

const NOT_CREATED: &str = "Connection Point was not created";

async fn cp_create(call: Call) -> Result<Answer, Failure> {
    let user_id = call.read(&USER_ID)?.ok_or_else(|| super::user::not_found(WRAP))?;
    let switch = |param| {
        let switch = call.params.toggled(param, "0");
        switch.map_err(|problem| Failure::unusable(WRAP, NOT_CREATED, &problem))
    };
    let op = switch(OP)?.unwrap_or(false);
    let tp = switch(TP)?.unwrap_or(false);
    let create_routing_group = switch(CREATE_RG_FOR_OP)?.unwrap_or(false) && op;
    let point = ConnectionPoint {
        user_id: Some(user_id),
        description: call.read(&DESCRIPTION)?,
        address: call.read(&IPADDR)?,
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

const SWITCH_MODEL: Param = optional("switch_model", "what kind of switch it is");
const PROGRESS_TIMEOUT: Param =
    optional("progress_timeout", "seconds until anything is heard; 0: without limit");
const TIMEOUT: Param = optional("timeout", "seconds of ringing, at least 10; 0: without limit");
const MAX_TIMEOUT: Param = optional("max_timeout", "seconds of an answered call; 0: without limit");
const GRACE_TIME: Param = optional("grace_time", "seconds up to which a call costs nothing");
const HOST: Param = optional("host", "an IP address, a subnet or a range");
const TECH_PREFIX: Param = optional("tech_prefix", "numbers called must begin with it");
const PORT: Param = optional("port", "port of its signalling");
const ANY_PORT: Param =
    optional("any_port", "\"port\": its calls may come from any port, \"no\": they may not");
const ACTS_AS_OP: Param = optional("op", "1: it acts as origination point, 0: it does not");
const OP_ACTIVE: Param = optional("op_active", "1: its calls are taken, 0: they are not");
const OP_CAPACITY: Param = optional("op_capacity", "how many calls at once; 0: without limit");
const OP_ROUTING_ALGORITHM: Param =
    optional("op_routing_algorithm", "lcr, weight, percent, by_dialpeer or quality");
const QUALITY_ROUTING_ID: Param = optional("quality_routing_id", "goes with the algorithm quality");
const OP_ROUTING_GROUP_ID: Param =
    optional("op_routing_group_id", "id of a routing group; 0: none");
const OP_TARIFF_ID: Param =
    optional("op_tariff_id", "id of the tariff of its calls; 0: that of the user");
const OP_CUSTOM_TARIFF_ID: Param =
    optional("op_custom_tariff_id", "id of the custom tariff; 0: none");
const OP_SRC_REGEXP: Param = optional("op_src_regexp", "calling numbers must match it");
const OP_SRC_DENY_REGEXP: Param =
    optional("op_src_deny_regexp", "calling numbers must not match it");
const ACTS_AS_TP: Param = optional(
    "tp",
    "1: it acts as termination point; 0: it does not, and all its settings as one are erased",
);
const TP_ACTIVE: Param = optional("tp_active", "1: calls are sent to it, 0: they are not");
const TP_DST_TRANSFORMATION: Param =
    optional("tp_dst_transformation", "how numbers called are rewritten");
const TP_SOURCE_TRANSFORMATION: Param =
    optional("tp_source_transformation", "how calling numbers are rewritten");
const TP_CAPACITY: Param = optional("tp_capacity", "how many calls at once; 0: without limit");
const TP_TECH_PREFIX: Param = optional("tp_tech_prefix", "what is put before numbers called");
const TP_TARIFF_ID: Param =
    optional("tp_tariff_id", "id of the tariff of the self-cost; 0: that of the user");
const TP_SRC_REGEXP: Param = optional("tp_src_regexp", "calling numbers must match it");
const TP_SRC_DENY_REGEXP: Param =
    optional("tp_src_deny_regexp", "calling numbers must not match it");
const CID_NAME: Param = optional("cid_name", "name of the caller id");
const CID_NUMBER: Param = optional("cid_number", "number of the caller id");
const CALLERID_NUMBER_POOL_ID: Param =
    optional("callerid_number_pool_id", "number pool of caller ids; 0: none");
const CALLERID_NUMBER_POOL_TYPE: Param =
    optional("callerid_number_pool_type", "random or pseudorandom");
const CALLERID_NUMBER_POOL_DEVIATION: Param =
    optional("callerid_number_pool_deviation", "of a pseudorandom choice");

pub(super) const CP_UPDATE: Method = Method {
    declaration: &legacy::m4::CP_UPDATE,
    group: "Devices",
    summary: "Changes what was sent of a connection point",
    params: &[
        POINT.param,
        DESCRIPTION.param,
        SWITCH_MODEL,
        PROGRESS_TIMEOUT,
        TIMEOUT,
        MAX_TIMEOUT,
        GRACE_TIME,
        HOST,
        TECH_PREFIX,
        PORT,
        ANY_PORT,
        ACTS_AS_OP,
        OP_ACTIVE,
        OP_CAPACITY,
        OP_ROUTING_ALGORITHM,
        QUALITY_ROUTING_ID,
        OP_ROUTING_GROUP_ID,
        OP_TARIFF_ID,
        OP_CUSTOM_TARIFF_ID,
        OP_SRC_REGEXP,
        OP_SRC_DENY_REGEXP,
        ACTS_AS_TP,
        TP_ACTIVE,
        TP_DST_TRANSFORMATION,
        TP_SOURCE_TRANSFORMATION,
        TP_CAPACITY,
        TP_TECH_PREFIX,
        TP_TARIFF_ID,
        TP_SRC_REGEXP,
        TP_SRC_DENY_REGEXP,
        CID_NAME,
        CID_NUMBER,
        CALLERID_NUMBER_POOL_ID,
        CALLERID_NUMBER_POOL_TYPE,
        CALLERID_NUMBER_POOL_DEVIATION,
    ],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(cp_update(call)),
};

/// The shortest limit of ringing that the original takes, in seconds.
const SHORTEST_RINGING: i32 = 10;
const POINT: Input<Option<i64>> = id(required("cp_id", "which connection point"));
const NOT_UPDATED: &str = "Connection Point was not updated";

fn point_id(call: &Call) -> Result<i64, Failure> {
    call.read(&POINT)?.ok_or_else(|| Failure::Parameters(WRAP.error(NOT_FOUND)))
}

async fn cp_update(call: Call) -> Result<Answer, Failure> {
    let id = point_id(&call)?;
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
    fn read(params: &'a Values) -> Result<Self, String> {
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
            (DESCRIPTION.param, "description", &mut point.description),
            (SWITCH_MODEL, "switch_model", &mut point.switch_model),
            (HOST, "address", &mut point.address),
            (TECH_PREFIX, "origination.tech_prefix", &mut op.tech_prefix),
            (OP_SRC_REGEXP, "origination.source_pattern", &mut op.source_pattern),
            (OP_SRC_DENY_REGEXP, "origination.source_deny_pattern", &mut op.source_deny_pattern),
            (TP_TECH_PREFIX, "termination.tech_prefix", &mut tp.tech_prefix),
            (TP_SRC_REGEXP, "termination.source_pattern", &mut tp.source_pattern),
            (TP_SRC_DENY_REGEXP, "termination.source_deny_pattern", &mut tp.source_deny_pattern),
            (
                TP_DST_TRANSFORMATION,
                "termination.destination_transformation",
                &mut tp.destination_transformation,
            ),
            (
                TP_SOURCE_TRANSFORMATION,
                "termination.source_transformation",
                &mut tp.source_transformation,
            ),
            (CID_NAME, "caller_id.name", &mut caller_id.name),
            (CID_NUMBER, "caller_id.number", &mut caller_id.number),
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
            (PROGRESS_TIMEOUT, "timeouts.progress", &mut timeouts.progress),
            (TIMEOUT, "timeouts.ringing", &mut timeouts.ringing),
            (MAX_TIMEOUT, "timeouts.call", &mut timeouts.call),
            (GRACE_TIME, "grace_time", &mut point.grace_time),
            (PORT, "port", &mut point.port),
            (OP_CAPACITY, "origination.capacity", &mut op.capacity),
            (TP_CAPACITY, "termination.capacity", &mut tp.capacity),
            (CALLERID_NUMBER_POOL_DEVIATION, "caller_id.deviation", &mut caller_id.deviation),
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
            (QUALITY_ROUTING_ID, "origination.quality_routing_id", &mut op.quality_routing_id),
            (OP_ROUTING_GROUP_ID, "origination.routing_group_id", &mut op.routing_group_id),
            (OP_TARIFF_ID, "origination.tariff_id", &mut op.tariff_id),
            (OP_CUSTOM_TARIFF_ID, "origination.custom_tariff_id", &mut op.custom_tariff_id),
            (TP_TARIFF_ID, "termination.tariff_id", &mut tp.tariff_id),
            (CALLERID_NUMBER_POOL_ID, "caller_id.number_pool_id", &mut caller_id.number_pool_id),
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
            (ACTS_AS_OP, "origination.disabled", &mut originates),
            (OP_ACTIVE, "origination.active", &mut op.active),
            (ACTS_AS_TP, "termination.disabled", &mut terminates),
            (TP_ACTIVE, "termination.active", &mut tp.active),
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

    fn choices(&mut self, params: &Values) -> Result<(), String> {
        let point = &mut self.point;
        if let Some(value) = params.filled(ANY_PORT) {
            point.any_port = match value {
                "port" => true,
                "no" => false,
                _ => return Err("any_port must be no or port".to_owned()),
            };
            self.mask.add("any_port");
        }
        if let Some(value) = params.filled(OP_ROUTING_ALGORITHM) {
            let known = ROUTING_ALGORITHMS.iter().find(|(name, _)| *name == value);
            let (_, algorithm) = known.ok_or("op_routing_algorithm is unknown")?;
            point.origination.get_or_insert_default().set_routing_algorithm(*algorithm);
            self.mask.add("origination.routing_algorithm");
        }
        if let Some(value) = params.filled(CALLERID_NUMBER_POOL_TYPE) {
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
    params: &[POINT.param],
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
    let request = DeleteConnectionPointRequest { id: Some(point_id(&call)?) };
    call.connection_points().delete_connection_point(request).await?;
    let status = Deleted { status: "Connection Point deleted" };
    Ok(Answer::xml("page", &DeletedPage { status }))
}
