//! Group "devices": `device_rules_get`, `device_rule_create`, `device_rule_delete`.

use futures_util::TryStreamExt;
use serde::Serialize;
use tollbook_proto::{
    legacy::mor,
    v1::{
        CreateDeviceRuleRequest, DeleteDeviceRuleRequest, DeviceRule, ErrorReason,
        ListDeviceRulesRequest, NumberRule, NumberRuleKind,
    },
};

use super::devices::DEVICE_NOT_FOUND;
use crate::{
    call::Call,
    error::{self, Failure, Wrap},
    listing,
    method::{Input, Method, id, optional, required, switch, text},
    number,
    xml::Answer,
};

const WRAP: Wrap = Wrap::Page;

const DEVICE_ID: Input<Option<i64>> = id(required("device_id", "whose rules"));

pub(super) const DEVICE_RULES_GET: Method = Method {
    declaration: &mor::DEVICE_RULES_GET,
    group: "Devices",
    summary: "Lists the rules for the numbers of calls to a device",
    params: &[DEVICE_ID.param],
    wrap: WRAP,
    errors: &[
        (ErrorReason::BadLogin, "Access Denied"),
        (ErrorReason::DeviceNotFound, DEVICE_NOT_FOUND),
    ],
    handle: |call| Box::pin(device_rules_get(call)),
};

#[derive(Serialize)]
struct Page {
    status: Status,
}

#[derive(Serialize)]
struct Status {
    device_rules: Rules,
}

#[derive(Serialize)]
struct Rules {
    device_rule: Vec<Rule>,
}

#[derive(Serialize)]
struct Rule {
    id: i64,
    device_id: i64,
    name: String,
    enabled: &'static str,
    cut: String,
    add: String,
    minlen: i32,
    maxlen: i32,
    pr_type: &'static str,
    change_callerid_name: &'static str,
    /// There are no groups of rules.
    devicerulegroup_id: &'static str,
}

async fn device_rules_get(call: Call) -> Result<Answer, Failure> {
    let Some(device_id) = call.read(&DEVICE_ID)? else {
        return Err(Failure::Parameters(WRAP.error(DEVICE_NOT_FOUND)));
    };
    let request = ListDeviceRulesRequest {
        device_id: Some(device_id),
        page_size: 1000,
        page_token: String::new(),
    };
    let first = call.device_rules().list_device_rules(request.clone()).await?.into_inner();
    if first.device_rules.is_empty() {
        return Ok(WRAP.error("Device has no rules"));
    }
    let rest = listing::following(first.next_page_token, move |page_token| {
        let request = ListDeviceRulesRequest { page_token, ..request.clone() };
        let mut core = call.device_rules();
        async move {
            let page = core.list_device_rules(request).await?.into_inner();
            Ok((page.device_rules, page.next_page_token))
        }
    });
    Ok(Answer::listing("page", "device_rules", &page(first.device_rules), rest.map_ok(page)))
}

fn page(rules: Vec<DeviceRule>) -> Page {
    let device_rule = rules.into_iter().map(|own| {
        let (id, device_id) = (own.id(), own.device_id());
        let rule = own.rule.unwrap_or_default();
        Rule {
            id,
            device_id,
            enabled: number::switch(!rule.disabled),
            minlen: rule.min_length,
            maxlen: rule.max_length,
            pr_type: if rule.kind() == NumberRuleKind::Source { "src" } else { "dst" },
            change_callerid_name: number::switch(rule.change_caller_name),
            devicerulegroup_id: "0",
            name: rule.name,
            cut: rule.cut,
            add: rule.add,
        }
    });
    Page { status: Status { device_rules: Rules { device_rule: device_rule.collect() } } }
}

const CHANGED_DEVICE: Input<Option<i64>> = id(required("device_id", "the device that gets it"));
const NAME: Input<String> = text(required("name", "what the rule is called"));
const CUT: Input<String> = text(required(
    "cut",
    "what is taken off the beginning of a number; *#: all up to the first #; -: the number is as it was \
     received; required unless add is sent",
));
const ADD: Input<String> = text(required("add", "what is put there; required unless cut is sent"));
const MIN_LENGTH: Input<i32> = length(optional("minlen", "shortest number; default 1"));
const MAX_LENGTH: Input<i32> = length(optional("maxlen", "longest number; default 100"));
const KIND: Input<String> =
    text(optional("pr_type", "dst: the number called; src: the number that calls; default dst"));
const CHANGE_NAME: Input<bool> =
    switch(optional("change_callerid_name", "1: the caller's name is changed, too"));

/// How long a number is; 0 where it was not sent, -1 where it is none.
const fn length(param: crate::method::Param) -> Input<i32> {
    Input {
        param,
        read: |value| match value {
            "" => Some(0),
            value => Some(value.parse().ok().filter(|length| *length > 0).unwrap_or(-1)),
        },
    }
}

const ADD_FAILED: &str = "Add failed";

pub(super) const DEVICE_RULE_CREATE: Method = Method {
    declaration: &mor::DEVICE_RULE_CREATE,
    group: "Devices",
    summary: "Adds a rule for the numbers of calls to a device",
    params: &[
        CHANGED_DEVICE.param,
        NAME.param,
        CUT.param,
        ADD.param,
        MIN_LENGTH.param,
        MAX_LENGTH.param,
        KIND.param,
        CHANGE_NAME.param,
    ],
    wrap: WRAP,
    errors: &[
        (ErrorReason::BadLogin, "Access Denied"),
        (ErrorReason::DeviceNotFound, DEVICE_NOT_FOUND),
    ],
    handle: |call| Box::pin(device_rule_create(call)),
};

async fn device_rule_create(call: Call) -> Result<Answer, Failure> {
    let refused = |text: &str| Err(Failure::Parameters(WRAP.error(text)));
    let Some(device_id) = call.read(&CHANGED_DEVICE)? else { return refused(DEVICE_NOT_FOUND) };
    let mut rule = NumberRule {
        name: call.read(&NAME)?,
        cut: call.read(&CUT)?,
        add: call.read(&ADD)?,
        min_length: call.read(&MIN_LENGTH)?,
        max_length: call.read(&MAX_LENGTH)?,
        change_caller_name: call.read(&CHANGE_NAME)?,
        ..Default::default()
    };
    if rule.name.is_empty() {
        return refused("name cannot be blank");
    }
    if rule.cut.is_empty() && rule.add.is_empty() {
        return refused("both add and cut cannot be blank");
    }
    rule.set_kind(match call.read(&KIND)?.as_str() {
        "" | "dst" => NumberRuleKind::Destination,
        "src" => NumberRuleKind::Source,
        _ => return refused(ADD_FAILED),
    });
    let device_rule =
        Some(DeviceRule { device_id: Some(device_id), rule: Some(rule), ..Default::default() });
    let request = CreateDeviceRuleRequest { device_rule };
    match call.device_rules().create_device_rule(request).await {
        Ok(_) => Ok(Answer::success("Rule added")),
        Err(status) => error::refused(WRAP, ADD_FAILED, status),
    }
}

const RULE_ID: Input<Option<i64>> = id(required("device_rule_id", "which rule: its id"));
const RULE_NOT_FOUND: &str = "Device rule was not found";

pub(super) const DEVICE_RULE_DELETE: Method = Method {
    declaration: &mor::DEVICE_RULE_DELETE,
    group: "Devices",
    summary: "Deletes a rule of a device",
    params: &[RULE_ID.param],
    wrap: WRAP,
    errors: &[
        (ErrorReason::BadLogin, "Access Denied"),
        (ErrorReason::DeviceRuleNotFound, RULE_NOT_FOUND),
    ],
    handle: |call| Box::pin(device_rule_delete(call)),
};

async fn device_rule_delete(call: Call) -> Result<Answer, Failure> {
    let Some(id) = call.read(&RULE_ID)? else {
        return Err(Failure::Parameters(WRAP.error(RULE_NOT_FOUND)));
    };
    call.device_rules().delete_device_rule(DeleteDeviceRuleRequest { id: Some(id) }).await?;
    Ok(Answer::success("Device rule was successfully deleted"))
}
