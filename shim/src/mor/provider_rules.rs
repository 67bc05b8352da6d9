//! Group "provider rules": `provider_rules_get`, `provider_rule_create`, `provider_rule_delete`.

use serde::Serialize;
use tollbook_proto::{
    legacy::mor,
    v1::{
        CreateProviderRuleRequest, DeleteProviderRuleRequest, ErrorReason,
        ListProviderRulesRequest, NumberRule, NumberRuleKind, ProviderRule,
        providers_service_client::ProvidersServiceClient,
    },
};
use tonic::Status;

use super::providers::{NOT_FOUND, NOT_PERMITTED};
use crate::{
    call::{Call, Signed},
    error::{Failure, Wrap},
    listing,
    method::{Input, Method, id, optional, required, switch, text},
    number,
    xml::Answer,
};

const RULE_NOT_FOUND: &str = "Provider rule was not found";
const ERRORS: &[(ErrorReason, &str)] = &[
    (ErrorReason::BadLogin, "Access Denied"),
    (ErrorReason::PermissionMissing, NOT_PERMITTED),
    (ErrorReason::ProviderNotFound, NOT_FOUND),
    (ErrorReason::ProviderRuleNotFound, RULE_NOT_FOUND),
    (ErrorReason::InvalidField, "Add failed"),
    (ErrorReason::TariffNotFound, "Add failed"),
];

const PROVIDER_ID: Input<Option<i64>> = id(required("provider_id", "whose rules"));

pub(super) const PROVIDER_RULES_GET: Method = Method {
    declaration: &mor::PROVIDER_RULES_GET,
    group: "Provider rules",
    summary: "Lists the number rules of a provider",
    params: &[PROVIDER_ID.param],
    wrap: Wrap::Page,
    errors: ERRORS,
    handle: |call| Box::pin(provider_rules_get(call)),
};

#[derive(Serialize)]
struct Page {
    status: Content,
}

#[derive(Serialize)]
struct Content {
    provider_rules: Rules,
}

#[derive(Serialize)]
struct Rules {
    provider_rule: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    id: i64,
    provider_id: i64,
    name: String,
    enabled: &'static str,
    cut: String,
    add: String,
    minlen: i32,
    maxlen: i32,
    pr_type: &'static str,
    change_callerid_name: &'static str,
    tariff_id: String,
    set_pai: &'static str,
    suffix: String,
}

impl From<ProviderRule> for Listed {
    fn from(listed: ProviderRule) -> Self {
        let (id, provider_id) = (listed.id(), listed.provider_id());
        let rule = listed.rule.unwrap_or_default();
        let is_source = rule.kind() == NumberRuleKind::Source;
        let tariff = (listed.tariff_id != 0).then(|| listed.tariff_id.to_string());
        Self {
            id,
            provider_id,
            enabled: number::switch(!rule.disabled),
            minlen: rule.min_length,
            maxlen: rule.max_length,
            pr_type: if is_source { "src" } else { "dst" },
            change_callerid_name: number::switch(rule.change_caller_name),
            tariff_id: tariff.unwrap_or_default(),
            set_pai: number::switch(listed.set_pai),
            suffix: listed.suffix,
            name: rule.name,
            cut: rule.cut,
            add: rule.add,
        }
    }
}

async fn provider_rules_get(call: Call) -> Result<Answer, Failure> {
    let id = provider_id(&call, Wrap::Page)?;
    let (first, token) = rules_page(call.providers(), id, String::new()).await?;
    if first.status.provider_rules.provider_rule.is_empty() {
        return Ok(Wrap::Page.error("Provider has no rules"));
    }
    let rest =
        listing::following(token, move |page_token| rules_page(call.providers(), id, page_token));
    Ok(Answer::listing("page", "provider_rules", &first, rest))
}

/// A page of rules, and the token of the next.
async fn rules_page(
    mut core: ProvidersServiceClient<Signed>,
    provider_id: i64,
    page_token: String,
) -> Result<(Page, String), Status> {
    let provider_id = Some(provider_id);
    let request = ListProviderRulesRequest { provider_id, page_size: 1000, page_token };
    let listed = core.list_provider_rules(request).await?.into_inner();
    let provider_rule = listed.provider_rules.into_iter().map(Listed::from).collect();
    let page = Page { status: Content { provider_rules: Rules { provider_rule } } };
    Ok((page, listed.next_page_token))
}

const NAME: Input<String> =
    text(optional("name", "name of the rule; default: what it cuts and adds"));
const CUT: Input<String> = text(optional(
    "cut",
    "what is cut off the beginning; *#: all up to the first #; -: the number as received",
));
const ADD: Input<String> = text(optional("add", "what is put there; cut or add is needed"));
const MINLEN: Input<Option<i32>> = length("minlen", "shortest number; default: 1");
const MAXLEN: Input<Option<i32>> = length("maxlen", "longest number; default: 100");
const PR_TYPE: Input<String> = text(optional("pr_type", "src or dst; default: dst"));
const TARIFF_ID: Input<String> = text(optional("tariff_id", "provider tariff to switch to"));
const SET_PAI: Input<bool> = switch(optional("set_pai", "1: set the PAI header"));
const SUFFIX: Input<String> = text(optional("suffix", "suffix to append; with dst only"));
const CALLERID_NAME: Input<bool> =
    switch(optional("change_callerid_name", "1: change the caller ID name, too"));

const fn length(name: &'static str, meaning: &'static str) -> Input<Option<i32>> {
    Input {
        param: optional(name, meaning),
        read: |value| match value {
            "" => Some(None),
            value => value.parse().ok().map(Some),
        },
    }
}

pub(super) const PROVIDER_RULE_CREATE: Method = Method {
    declaration: &mor::PROVIDER_RULE_CREATE,
    group: "Provider rules",
    summary: "Adds a number rule to a provider",
    params: &[
        PROVIDER_ID.param,
        NAME.param,
        CUT.param,
        ADD.param,
        MINLEN.param,
        MAXLEN.param,
        PR_TYPE.param,
        TARIFF_ID.param,
        SET_PAI.param,
        SUFFIX.param,
        CALLERID_NAME.param,
    ],
    wrap: Wrap::PageStatus,
    errors: ERRORS,
    handle: |call| Box::pin(provider_rule_create(call)),
};

async fn provider_rule_create(call: Call) -> Result<Answer, Failure> {
    let failed = || Failure::Parameters(Wrap::PageStatus.error("Add failed"));
    let provider_id = Some(provider_id(&call, Wrap::PageStatus)?);
    let (mut name, cut, add) = (call.read(&NAME)?, call.read(&CUT)?, call.read(&ADD)?);
    if name.is_empty() {
        name = format!("{cut}>{add}");
    }
    let mut rule = NumberRule {
        name,
        cut,
        add,
        min_length: call.read(&MINLEN)?.unwrap_or_default(),
        max_length: call.read(&MAXLEN)?.unwrap_or_default(),
        change_caller_name: call.read(&CALLERID_NAME)?,
        ..Default::default()
    };
    rule.set_kind(match call.read(&PR_TYPE)?.as_str() {
        "" | "dst" => NumberRuleKind::Destination,
        "src" => NumberRuleKind::Source,
        _ => return Err(failed()),
    });
    let tariff_id = match call.read(&TARIFF_ID)?.as_str() {
        "" => 0,
        id => crate::request::id(id).ok_or_else(failed)?,
    };
    let provider_rule = ProviderRule {
        provider_id,
        rule: Some(rule),
        tariff_id,
        set_pai: call.read(&SET_PAI)?,
        suffix: call.read(&SUFFIX)?,
        ..Default::default()
    };
    let request = CreateProviderRuleRequest { provider_rule: Some(provider_rule) };
    call.providers().create_provider_rule(request).await?;
    Ok(Answer::success("Rule added"))
}

fn provider_id(call: &Call, wrap: Wrap) -> Result<i64, Failure> {
    call.read(&PROVIDER_ID)?.ok_or_else(|| Failure::Parameters(wrap.error(NOT_FOUND)))
}

const RULE_ID: Input<Option<i64>> = id(required("provider_rule_id", "which rule"));

pub(super) const PROVIDER_RULE_DELETE: Method = Method {
    declaration: &mor::PROVIDER_RULE_DELETE,
    group: "Provider rules",
    summary: "Deletes a number rule of a provider",
    params: &[RULE_ID.param],
    wrap: Wrap::PageStatus,
    errors: ERRORS,
    handle: |call| Box::pin(provider_rule_delete(call)),
};

async fn provider_rule_delete(call: Call) -> Result<Answer, Failure> {
    let not_found = || Failure::Parameters(Wrap::PageStatus.error(RULE_NOT_FOUND));
    let id = Some(call.read(&RULE_ID)?.ok_or_else(not_found)?);
    call.providers().delete_provider_rule(DeleteProviderRuleRequest { id }).await?;
    Ok(Answer::success("Provider rule was successfully deleted"))
}
