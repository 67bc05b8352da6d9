//! Group "LCR": `lcrs_get`, `lcr_create`, `lcr_update`, `lcr_delete`, `lcr_add_provider`,
//! `lcr_delete_provider`.

use serde::Serialize;
use tollbook_proto::{
    legacy::mor,
    v1::{
        AddLcrProviderRequest, CreateLcrRequest, Decimal, DeleteLcrProviderRequest,
        DeleteLcrRequest, ErrorReason, Lcr, LcrOrder, ListLcrsRequest, UpdateLcrRequest,
        routing_service_client::RoutingServiceClient,
    },
};
use tonic::Status;

use super::providers::{NOT_FOUND as NO_PROVIDER, NOT_PERMITTED};
use crate::{
    call::{Call, Signed},
    error::{Failure, Wrap},
    listing,
    method::{Input, Method, decimal, id, optional, required, switch, text},
    number,
    xml::Answer,
};

const WRAP: Wrap = Wrap::Page;
const NONE_FOUND: &str = "No LCRs found";
const ERRORS: &[(ErrorReason, &str)] = &[
    (ErrorReason::BadLogin, "Access Denied"),
    (ErrorReason::PermissionMissing, NOT_PERMITTED),
    (ErrorReason::LcrNotFound, NONE_FOUND),
    (ErrorReason::ProviderNotFound, NO_PROVIDER),
];

const ORDERS: [(&str, LcrOrder); 3] =
    [("price", LcrOrder::Price), ("priority", LcrOrder::Priority), ("percent", LcrOrder::Percent)];

const S_NAME: Input<String> = text(optional("s_name", "only those of this name"));

pub(super) const LCRS_GET: Method = Method {
    declaration: &mor::LCRS_GET,
    group: "LCR",
    summary: "Lists the caller's LCRs",
    params: &[S_NAME.param],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(lcrs_get(call)),
};

#[derive(Serialize)]
struct Page {
    lcrs: Lcrs,
}

#[derive(Serialize)]
struct Lcrs {
    lcr: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    id: i64,
    name: String,
    order: &'static str,
    first_provider_percent_limit: String,
    failover_provider_id: String,
    no_failover: &'static str,
    minimal_rate_margin_percent: String,
    /// There is no routing by quality.
    quality_routing_id: &'static str,
    allow_loss_calls: &'static str,
}

impl From<Lcr> for Listed {
    fn from(lcr: Lcr) -> Self {
        let order = ORDERS.iter().find(|(_, order)| *order == lcr.order());
        let failover =
            (lcr.failover_provider_id != 0).then(|| lcr.failover_provider_id.to_string());
        Self {
            id: lcr.id(),
            order: order.map_or("price", |(name, _)| name),
            first_provider_percent_limit: number::plain(lcr.first_provider_percent_limit.as_ref()),
            failover_provider_id: failover.unwrap_or_default(),
            no_failover: number::switch(lcr.no_failover),
            minimal_rate_margin_percent: number::plain(lcr.minimal_rate_margin_percent.as_ref()),
            quality_routing_id: "-1",
            allow_loss_calls: number::switch(lcr.allow_loss_calls),
            name: lcr.name,
        }
    }
}

async fn lcrs_get(call: Call) -> Result<Answer, Failure> {
    let name = call.read(&S_NAME)?;
    let (first, token) = lcrs_page(call.routing(), name.clone(), String::new()).await?;
    if first.lcrs.lcr.is_empty() {
        return Ok(WRAP.error(NONE_FOUND));
    }
    let rest = listing::following(token, move |page_token| {
        lcrs_page(call.routing(), name.clone(), page_token)
    });
    Ok(Answer::listing("page", "lcrs", &first, rest))
}

/// A page of LCRs, and the token of the next.
async fn lcrs_page(
    mut core: RoutingServiceClient<Signed>,
    name: String,
    page_token: String,
) -> Result<(Page, String), Status> {
    let request = ListLcrsRequest { own: true, name, page_size: 1000, page_token };
    let listed = core.list_lcrs(request).await?.into_inner();
    let lcr = listed.lcrs.into_iter().map(Listed::from).collect();
    Ok((Page { lcrs: Lcrs { lcr } }, listed.next_page_token))
}

const NAME: Input<String> = text(optional("name", "name; default: LCR"));
const ORDER: Input<Option<LcrOrder>> = Input {
    param: optional("order", "price, priority or percent; default: price"),
    read: |value| match value {
        "" => Some(None),
        word => ORDERS.iter().find(|(name, _)| *name == word).map(|(_, order)| Some(*order)),
    },
};

pub(super) const LCR_CREATE: Method = Method {
    declaration: &mor::LCR_CREATE,
    group: "LCR",
    summary: "Creates an LCR",
    params: &[NAME.param, ORDER.param],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(lcr_create(call)),
};

async fn lcr_create(call: Call) -> Result<Answer, Failure> {
    let name = call.read(&NAME)?;
    let name = if name.is_empty() { "LCR".to_owned() } else { name };
    let order = call.read(&ORDER)?.unwrap_or_default().into();
    let lcr = Some(Lcr { name, order, ..Default::default() });
    call.routing().create_lcr(CreateLcrRequest { lcr }).await?;
    Ok(Answer::success("LCR successfully created"))
}

const LCR_ID: Input<Option<i64>> = id(required("lcr_id", "which LCR"));
const NEW_NAME: Input<String> = text(optional("name", "name"));
const LOSS: Input<bool> = switch(optional("allow_loss_calls", "1: allow calls at a loss"));
const NO_FAILOVER: Input<bool> =
    switch(optional("no_failover", "1: use only the first provider in the row"));
const MARGIN: Input<Option<Decimal>> =
    decimal(optional("minimal_rate_margin_percent", "least margin of the rate, percent"));
const LIMIT: Input<Option<Decimal>> = decimal(optional(
    "first_provider_percent_limit",
    "by how many percent others may be dearer than the first provider",
));
const QUALITY: Input<String> =
    text(optional("quality_routing_id", "without effect: calls are not routed by quality"));

pub(super) const LCR_UPDATE: Method = Method {
    declaration: &mor::LCR_UPDATE,
    group: "LCR",
    summary: "Changes an LCR",
    params: &[
        LCR_ID.param,
        NEW_NAME.param,
        ORDER.param,
        LOSS.param,
        NO_FAILOVER.param,
        MARGIN.param,
        LIMIT.param,
        QUALITY.param,
    ],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(lcr_update(call)),
};

async fn lcr_update(call: Call) -> Result<Answer, Failure> {
    let flag = |input: &Input<bool>| match call.params.filled(input.param) {
        None => Ok(None),
        Some(_) => call.read(input).map(Some),
    };
    let request = UpdateLcrRequest {
        id: Some(lcr_id(&call)?),
        name: call.params.get(NEW_NAME.param).map(str::to_owned),
        order: call.read(&ORDER)?.map(Into::into),
        no_failover: flag(&NO_FAILOVER)?,
        first_provider_percent_limit: call.read(&LIMIT)?,
        minimal_rate_margin_percent: call.read(&MARGIN)?,
        allow_loss_calls: flag(&LOSS)?,
    };
    call.routing().update_lcr(request).await?;
    Ok(Answer::success("LCR successfully updated"))
}

fn lcr_id(call: &Call) -> Result<i64, Failure> {
    call.read(&LCR_ID)?.ok_or_else(|| Failure::Parameters(WRAP.error(NONE_FOUND)))
}

pub(super) const LCR_DELETE: Method = Method {
    declaration: &mor::LCR_DELETE,
    group: "LCR",
    summary: "Deletes an LCR that no device has",
    params: &[LCR_ID.param],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(lcr_delete(call)),
};

async fn lcr_delete(call: Call) -> Result<Answer, Failure> {
    let id = Some(lcr_id(&call)?);
    call.routing().delete_lcr(DeleteLcrRequest { id }).await?;
    Ok(Answer::success("LCR successfully deleted"))
}

const PROVIDER_ID: Input<Option<i64>> = id(required("provider_id", "which provider"));
const FAILOVER: Input<bool> =
    switch(optional("failover", "1: as the provider for when all others have failed"));

pub(super) const LCR_ADD_PROVIDER: Method = Method {
    declaration: &mor::LCR_ADD_PROVIDER,
    group: "LCR",
    summary: "Adds a provider to an LCR",
    params: &[LCR_ID.param, PROVIDER_ID.param, FAILOVER.param],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(lcr_add_provider(call)),
};

async fn lcr_add_provider(call: Call) -> Result<Answer, Failure> {
    let request = AddLcrProviderRequest {
        lcr_id: Some(lcr_id(&call)?),
        provider_id: Some(provider_id(&call)?),
        failover: call.read(&FAILOVER)?,
        ..Default::default()
    };
    call.routing().add_lcr_provider(request).await?;
    // The blanks stand on the original's page.
    Ok(Answer::success(" Provider successfully added "))
}

fn provider_id(call: &Call) -> Result<i64, Failure> {
    call.read(&PROVIDER_ID)?.ok_or_else(|| Failure::Parameters(WRAP.error(NO_PROVIDER)))
}

pub(super) const LCR_DELETE_PROVIDER: Method = Method {
    declaration: &mor::LCR_DELETE_PROVIDER,
    group: "LCR",
    summary: "Removes a provider from an LCR",
    params: &[LCR_ID.param, PROVIDER_ID.param, FAILOVER.param],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(lcr_delete_provider(call)),
};

async fn lcr_delete_provider(call: Call) -> Result<Answer, Failure> {
    let request = DeleteLcrProviderRequest {
        lcr_id: Some(lcr_id(&call)?),
        provider_id: Some(provider_id(&call)?),
        failover: call.read(&FAILOVER)?,
    };
    call.routing().delete_lcr_provider(request).await?;
    Ok(Answer::success(" Provider successfully deleted "))
}
