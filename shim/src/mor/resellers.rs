//! Group "resellers": `reseller_group_create`, `reseller_groups_get`.

use serde::Serialize;
use tollbook_proto::{
    legacy::mor,
    v1::{
        CreateResellerGroupRequest, ErrorReason, ListResellerGroupsRequest, ResellerAddon,
        ResellerGroup, reseller_groups_service_client::ResellerGroupsServiceClient,
    },
};
use tonic::Status;

use crate::{
    call::{Call, Signed},
    error::{self, Failure, Wrap},
    listing,
    method::{Input, Method, optional, required, switch, text},
    xml::Answer,
};

const WRAP: Wrap = Wrap::PageStatusAlways;
const DENIED: &str = "Access Denied";

const NAME: Input<String> = text(required("name", "the group's name"));
const DESCRIPTION: Input<String> = text(optional("rg_description", "free text"));
const CALLING_CARDS: Input<bool> = addon("calling_cards", "1: its resellers may use calling cards");
const CALL_SHOP: Input<bool> = addon("call_shop", "1: they may use the call shop");
const SMS: Input<bool> = addon("sms_addon", "1: they may use text messages");
const PAYMENT_GATEWAYS: Input<bool> = addon("payment_gateways", "1: they may use payment gateways");
const AUTODIALER: Input<bool> = addon("autodialer", "1: they may use the autodialer");
const PBX_FUNCTIONS: Input<bool> = addon("pbx_functions", "1: they may use PBX functions");

const fn addon(name: &'static str, meaning: &'static str) -> Input<bool> {
    switch(optional(name, meaning))
}

/// The switches of the addons.
const ADDONS: [(Input<bool>, ResellerAddon); 6] = [
    (CALLING_CARDS, ResellerAddon::CallingCards),
    (CALL_SHOP, ResellerAddon::CallShop),
    (SMS, ResellerAddon::Sms),
    (PAYMENT_GATEWAYS, ResellerAddon::PaymentGateways),
    (AUTODIALER, ResellerAddon::Autodialer),
    (PBX_FUNCTIONS, ResellerAddon::PbxFunctions),
];

pub(super) const RESELLER_GROUP_CREATE: Method = Method {
    declaration: &mor::RESELLER_GROUP_CREATE,
    group: "Resellers",
    summary: "Creates a reseller group with the addons that its resellers may use",
    params: &[
        NAME.param,
        DESCRIPTION.param,
        CALLING_CARDS.param,
        CALL_SHOP.param,
        SMS.param,
        PAYMENT_GATEWAYS.param,
        AUTODIALER.param,
        PBX_FUNCTIONS.param,
    ],
    wrap: WRAP,
    errors: &[
        (ErrorReason::BadLogin, DENIED),
        (ErrorReason::FeatureDisabled, "Registration over API is disabled"),
    ],
    handle: |call| Box::pin(reseller_group_create(call)),
};

async fn reseller_group_create(call: Call) -> Result<Answer, Failure> {
    let name = call.read(&NAME)?;
    let is_nameless = name.is_empty();
    let mut group =
        ResellerGroup { name, description: call.read(&DESCRIPTION)?, ..Default::default() };
    for (switch, addon) in &ADDONS {
        if call.read(switch)? {
            group.push_addons(*addon);
        }
    }
    let request = CreateResellerGroupRequest { reseller_group: Some(group) };
    match call.reseller_groups().create_reseller_group(request).await {
        Ok(_) => Ok(Answer::success("Reseller Group successfully created")),
        Err(status) if is_nameless && error::reason(&status) == ErrorReason::InvalidField => {
            Ok(WRAP.error("Reseller Group Name must be specified"))
        }
        Err(status) => Err(status.into()),
    }
}

pub(super) const RESELLER_GROUPS_GET: Method = Method {
    declaration: &mor::RESELLER_GROUPS_GET,
    group: "Resellers",
    summary: "Lists the reseller groups",
    params: &[],
    wrap: WRAP,
    errors: &[
        (ErrorReason::BadLogin, DENIED),
        (ErrorReason::RoleDenied, "You are not authorized to use this functionality"),
    ],
    handle: |call| Box::pin(reseller_groups_get(call)),
};

#[derive(Serialize)]
struct GroupsPage {
    reseller_groups: Groups,
}

#[derive(Serialize)]
struct Groups {
    reseller_group: Vec<ListedGroup>,
}

#[derive(Serialize)]
struct ListedGroup {
    id: i64,
    name: String,
    description: String,
}

async fn reseller_groups_get(call: Call) -> Result<Answer, Failure> {
    let (first, token) = groups_page(call.reseller_groups(), String::new()).await?;
    if first.reseller_groups.reseller_group.is_empty() {
        return Ok(WRAP.error("No Reseller Groups found"));
    }
    let rest = listing::following(token, move |page_token| {
        groups_page(call.reseller_groups(), page_token)
    });
    Ok(Answer::listing("page", "reseller_groups", &first, rest))
}

/// A page of groups, and the token of the next.
async fn groups_page(
    mut core: ResellerGroupsServiceClient<Signed>,
    page_token: String,
) -> Result<(GroupsPage, String), Status> {
    let request = ListResellerGroupsRequest { page_size: 1000, page_token };
    let page = core.list_reseller_groups(request).await?.into_inner();
    let listed = page.reseller_groups.into_iter().map(|group| ListedGroup {
        id: group.id(),
        name: group.name,
        description: group.description,
    });
    let reseller_groups = Groups { reseller_group: listed.collect() };
    Ok((GroupsPage { reseller_groups }, page.next_page_token))
}
