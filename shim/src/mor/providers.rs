//! Group "providers": `providers_get`, `provider_create`, `provider_update`, `provider_delete`.

use serde::Serialize;
use tollbook_proto::{
    legacy::mor,
    v1::{
        CreateProviderRequest, DeleteProviderRequest, DtmfMode, ErrorReason, GetProviderRequest,
        ListProvidersRequest, Provider, ProviderNetwork, ProviderTech, UpdateProviderRequest,
        providers_service_client::ProvidersServiceClient,
    },
};
use tonic::Status;

use crate::{
    call::{Call, Signed},
    error::{Failure, Wrap, refused},
    listing,
    mask::Mask,
    method::{Input, Method, Param, id, optional, optional_id, required},
    values::Values,
    xml::Answer,
};

const WRAP: Wrap = Wrap::PageStatus;
pub(super) const NOT_FOUND: &str = "Provider was not found";
pub(super) const NOT_PERMITTED: &str = "You are not authorized to use this functionality";
const ERRORS: &[(ErrorReason, &str)] = &[
    (ErrorReason::BadLogin, "Access Denied"),
    (ErrorReason::PermissionMissing, NOT_PERMITTED),
    (ErrorReason::ProviderNotFound, NOT_FOUND),
    (ErrorReason::FeatureDisabled, NOT_PERMITTED),
];

const TECHS: [(&str, ProviderTech); 4] = [
    ("SIP", ProviderTech::Sip),
    ("IAX2", ProviderTech::Iax2),
    ("H323", ProviderTech::H323),
    ("dahdi", ProviderTech::Dahdi),
];
const NETWORKS: [(&str, ProviderNetwork); 3] = [
    ("hostname", ProviderNetwork::Hostname),
    ("ip", ProviderNetwork::Ip),
    ("dynamic", ProviderNetwork::Dynamic),
];
const DTMF_MODES: [(&str, DtmfMode); 4] = [
    ("rfc2833", DtmfMode::Rfc2833),
    ("inband", DtmfMode::Inband),
    ("info", DtmfMode::Info),
    ("auto", DtmfMode::Auto),
];

const LISTED: Input<Option<i64>> =
    optional_id(optional("provider_id", "only this one; default: all of the caller's"));

pub(super) const PROVIDERS_GET: Method = Method {
    declaration: &mor::PROVIDERS_GET,
    group: "Providers",
    summary: "Lists the caller's providers, with their passwords",
    params: &[LISTED.param],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(providers_get(call)),
};

#[derive(Serialize)]
struct Page {
    status: Content,
}

#[derive(Serialize)]
struct Content {
    providers: Providers,
}

#[derive(Serialize)]
struct Providers {
    provider: Vec<Listed>,
}

/// The columns of a provider. Those that mean nothing here have the value of the documented example.
#[derive(Serialize)]
struct Listed {
    id: i64,
    name: String,
    tech: &'static str,
    channel: &'static str,
    login: String,
    password: String,
    server_ip: String,
    port: i32,
    priority: i32,
    quality: i32,
    tariff_id: i64,
    cut_a: i32,
    cut_b: i32,
    add_a: &'static str,
    add_b: &'static str,
    device_id: i64,
    ani: i32,
    timeout: i32,
    call_limit: i32,
}

impl From<Provider> for Listed {
    fn from(provider: Provider) -> Self {
        let tech = TECHS.iter().find(|(_, tech)| *tech == provider.tech());
        let is_dynamic = provider.network() == ProviderNetwork::Dynamic;
        let (id, tariff_id) = (provider.id(), provider.tariff_id());
        Self {
            id,
            tech: tech.map_or("SIP", |(name, _)| name),
            channel: "",
            port: if provider.port == 0 && !is_dynamic { 5060 } else { provider.port },
            priority: 1,
            quality: 1,
            tariff_id,
            cut_a: 0,
            cut_b: 0,
            add_a: "",
            add_b: "",
            device_id: id,
            ani: 0,
            timeout: provider.ringing_timeout_seconds(),
            call_limit: provider.call_limit,
            server_ip: if provider.host.is_empty() { provider.address } else { provider.host },
            name: provider.name,
            login: provider.login,
            password: provider.password,
        }
    }
}

fn page(providers: Vec<Provider>) -> Page {
    let provider = providers.into_iter().map(Listed::from).collect();
    Page { status: Content { providers: Providers { provider } } }
}

async fn providers_get(call: Call) -> Result<Answer, Failure> {
    if let Some(id) = call.read(&LISTED)? {
        let request = GetProviderRequest { id: Some(id), with_credentials: true };
        let provider = call.providers().get_provider(request).await?.into_inner().provider;
        return Ok(Answer::xml("page", &page(provider.into_iter().collect())));
    }
    let (first, token) = providers_page(call.providers(), String::new()).await?;
    let rest =
        listing::following(token, move |page_token| providers_page(call.providers(), page_token));
    Ok(Answer::listing("page", "providers", &first, rest))
}

/// A page of providers, and the token of the next.
async fn providers_page(
    mut core: ProvidersServiceClient<Signed>,
    page_token: String,
) -> Result<(Page, String), Status> {
    let (own, with_credentials) = (true, true);
    let request = ListProvidersRequest { own, with_credentials, page_size: 1000, page_token };
    let listed = core.list_providers(request).await?.into_inner();
    Ok((page(listed.providers), listed.next_page_token))
}

const ACTIVE: Param = optional("active", "1 active, 0 not");
const DTMFMODE: Param = optional("dtmfmode", "inband, info, rfc2833 or auto; default: rfc2833");
const LOCATION_ID: Param = optional("location_id", "without effect: providers are in no location");
const TIMEOUT: Param = optional("timeout", "ringing timeout in seconds, at least 30; default: 60");
const MAX_TIMEOUT: Param = optional("max_timeout", "call timeout in seconds; 0: none");
const CALL_LIMIT: Param = optional("call_limit", "simultaneous calls; 0: without limit");
const BALANCE_LIMIT: Param = optional("balance_limit", "without effect: providers have no balance");
const SERVER_IDS: Param =
    optional("server_ids", "without effect: servers are the switch's business");
const LOGIN: Param = optional("login", "login; neither \"anonymous\" nor \"unknown\"");
const PASSWORD: Param = optional("password", "password of the login");
const REGISTER: Param = optional("register", "1: register at the provider");
const CID_NAME: Param = optional("cid_name", "caller ID name");
const CID_NUMBER: Param = optional("cid_number", "caller ID number");
const NETWORK_TYPE: Param = optional("network_type", "hostname, ip or dynamic; default: hostname");
const SERVER_IP: Param = optional("server_ip", "host name");
const IPADDR: Param = optional("ipaddr", "IP address");
const PORT: Param = optional("port", "port; default: 5060");
const FROMDOMAIN: Param = optional("fromdomain", "SIP From domain");
const HIDDEN: Param = optional("hidden", "1: hidden, 0: not");
const GRACE_TIME: Param = optional("grace_time", "grace time in seconds");
const NAME: Param = required("name", "unique name");
const NEW_NAME: Param = optional("name", "unique name");
const TECH: Param = required("tech", "dahdi, SIP, IAX2 or H323");
const TARIFF_ID: Param = required("tariff_id", "a tariff for providers");
const NEW_TARIFF_ID: Param = optional("tariff_id", "a tariff for providers");

/// Some parameters, with those behind them that both `provider_create` and `provider_update` have.
const fn with_settings(first: [Param; 3]) -> [Param; 23] {
    let [first, second, third] = first;
    [
        first,
        second,
        third,
        ACTIVE,
        DTMFMODE,
        LOCATION_ID,
        TIMEOUT,
        MAX_TIMEOUT,
        CALL_LIMIT,
        BALANCE_LIMIT,
        SERVER_IDS,
        LOGIN,
        PASSWORD,
        REGISTER,
        CID_NAME,
        CID_NUMBER,
        NETWORK_TYPE,
        SERVER_IP,
        IPADDR,
        PORT,
        FROMDOMAIN,
        HIDDEN,
        GRACE_TIME,
    ]
}

pub(super) const PROVIDER_CREATE: Method = Method {
    declaration: &mor::PROVIDER_CREATE,
    group: "Providers",
    summary: "Creates a provider",
    params: &with_settings([NAME, TECH, TARIFF_ID]),
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(provider_create(call)),
};

async fn provider_create(call: Call) -> Result<Answer, Failure> {
    const NOT_CREATED: &str = "Provider was not created";
    let unusable = |problem: String| Failure::unusable(WRAP, NOT_CREATED, &problem);
    let mut provider = Provider::default();
    let tech = call.params.text(TECH);
    let known = TECHS.iter().find(|(name, _)| *name == tech);
    provider.set_tech(known.ok_or_else(|| unusable("tech is not valid".to_owned()))?.1);
    settings(&call.params, &mut provider, &mut Mask::new(&call.params)).map_err(unusable)?;
    let request = CreateProviderRequest { provider: Some(provider) };
    match call.providers().create_provider(request).await {
        Ok(_) => Ok(Answer::success("Provider created")),
        Err(status) => refused(WRAP, NOT_CREATED, status),
    }
}

const PROVIDER_ID: Input<Option<i64>> = id(required("provider_id", "which provider"));

pub(super) const PROVIDER_UPDATE: Method = Method {
    declaration: &mor::PROVIDER_UPDATE,
    group: "Providers",
    summary: "Changes fields of a provider",
    params: &with_settings([PROVIDER_ID.param, NEW_NAME, NEW_TARIFF_ID]),
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(provider_update(call)),
};

async fn provider_update(call: Call) -> Result<Answer, Failure> {
    const NOT_UPDATED: &str = "Provider was not updated";
    let id = provider_id(&call)?;
    let mut provider = Provider { id: Some(id), ..Default::default() };
    let mut mask = Mask::new(&call.params);
    settings(&call.params, &mut provider, &mut mask)
        .map_err(|problem| Failure::unusable(WRAP, NOT_UPDATED, &problem))?;
    let update_mask = Some(mask.into_proto());
    let request = UpdateProviderRequest { provider: Some(provider), update_mask };
    match call.providers().update_provider(request).await {
        Ok(_) => Ok(Answer::success("Provider updated")),
        Err(status) => refused(WRAP, NOT_UPDATED, status),
    }
}

/// Reads what a request sets of a provider. The error says what is wrong with a parameter.
fn settings(params: &Values, provider: &mut Provider, mask: &mut Mask<'_>) -> Result<(), String> {
    mask.text(NAME, "name", &mut provider.name);
    let mut tariff = 0;
    mask.id(TARIFF_ID, "tariff_id", &mut tariff)?;
    provider.tariff_id = params.filled(TARIFF_ID).map(|_| tariff);
    let mut active = true;
    mask.switch(ACTIVE, "disabled", "0", &mut active)?;
    provider.disabled = !active;
    mask.switch(HIDDEN, "hidden", "0", &mut provider.hidden)?;
    mask.switch(REGISTER, "register", "0", &mut provider.register)?;
    mask.text(LOGIN, "login", &mut provider.login);
    mask.text(PASSWORD, "password", &mut provider.password);
    mask.text(CID_NAME, "caller_name", &mut provider.caller_name);
    mask.text(CID_NUMBER, "caller_number", &mut provider.caller_number);
    mask.text(SERVER_IP, "host", &mut provider.host);
    mask.text(IPADDR, "address", &mut provider.address);
    mask.text(FROMDOMAIN, "from_domain", &mut provider.from_domain);
    let mut timeout = 0;
    mask.number(TIMEOUT, "ringing_timeout_seconds", &mut timeout)?;
    provider.ringing_timeout_seconds = params.filled(TIMEOUT).map(|_| timeout);
    mask.number(MAX_TIMEOUT, "call_timeout_seconds", &mut provider.call_timeout_seconds)?;
    mask.number(CALL_LIMIT, "call_limit", &mut provider.call_limit)?;
    mask.number(GRACE_TIME, "grace_time_seconds", &mut provider.grace_time_seconds)?;
    mask.number(PORT, "port", &mut provider.port)?;
    if let Some(word) = params.filled(NETWORK_TYPE) {
        provider.set_network(of_word(&NETWORKS, NETWORK_TYPE, word)?);
        mask.add("network");
    }
    if let Some(word) = params.filled(DTMFMODE) {
        provider.set_dtmf_mode(of_word(&DTMF_MODES, DTMFMODE, word)?);
        mask.add("dtmf_mode");
    }
    Ok(())
}

fn of_word<T: Copy>(words: &[(&str, T)], param: Param, word: &str) -> Result<T, String> {
    let known = words.iter().find(|(known, _)| *known == word);
    known.map(|(_, value)| *value).ok_or_else(|| format!("{} is not valid", param.name))
}

pub(super) const PROVIDER_DELETE: Method = Method {
    declaration: &mor::PROVIDER_DELETE,
    group: "Providers",
    summary: "Deletes a provider to which no calls went",
    params: &[PROVIDER_ID.param],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(provider_delete(call)),
};

async fn provider_delete(call: Call) -> Result<Answer, Failure> {
    let id = Some(provider_id(&call)?);
    call.providers().delete_provider(DeleteProviderRequest { id }).await?;
    Ok(Answer::success("Provider deleted"))
}

fn provider_id(call: &Call) -> Result<i64, Failure> {
    call.read(&PROVIDER_ID)?.ok_or_else(|| Failure::Parameters(WRAP.error(NOT_FOUND)))
}
