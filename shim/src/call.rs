//! One legacy request on its way: its parameters, and the core as it may call it.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tollbook_proto::{
    HTML_WRAP_HEADER, LEGACY_SIGNATURE_METADATA, REQUEST_ID_HEADER,
    v1::{
        CheckAccessRequest, accounts_service_client::AccountsServiceClient,
        calls_service_client::CallsServiceClient, clis_service_client::ClisServiceClient,
        connection_points_service_client::ConnectionPointsServiceClient,
        currencies_service_client::CurrenciesServiceClient,
        device_rules_service_client::DeviceRulesServiceClient,
        devices_service_client::DevicesServiceClient,
        email_templates_service_client::EmailTemplatesServiceClient,
        legacy_service_client::LegacyServiceClient,
        live_calls_service_client::LiveCallsServiceClient,
        number_pools_service_client::NumberPoolsServiceClient,
        payments_service_client::PaymentsServiceClient,
        providers_service_client::ProvidersServiceClient,
        rating_service_client::RatingServiceClient,
        reseller_groups_service_client::ResellerGroupsServiceClient,
        routing_service_client::RoutingServiceClient,
        sessions_service_client::SessionsServiceClient,
        settings_service_client::SettingsServiceClient,
        statistics_service_client::StatisticsServiceClient,
        tariffs_service_client::TariffsServiceClient, users_service_client::UsersServiceClient,
    },
};
use tonic::{
    Status,
    body::Body,
    metadata::{Ascii, Binary, MetadataMap, MetadataValue},
};
use tower::Service;

use crate::{
    BoxError, Transport,
    error::Failure,
    method::{Input, Method},
    request::Params,
    trace,
    values::Values,
};

/// One legacy request.
pub(crate) struct Call {
    method: &'static Method,
    /// What it sent.
    pub(crate) params: Values,
    core: Signed,
}

impl Call {
    pub(crate) fn new(method: &'static Method, params: Params, core: Signed) -> Self {
        Self { method, params: Values::new(method, params), core }
    }

    /// The value of a parameter, under whichever of its spellings it was sent; empty where it was
    /// not. What cannot be a value of it is refused by its name.
    pub(crate) fn read<T>(&self, input: &Input<T>) -> Result<T, Failure> {
        let name = input.param.name;
        let value = (input.read)(self.params.text(input.param));
        value.ok_or_else(|| Failure::invalid(self.method.wrap, name))
    }

    pub(crate) fn accounts(&self) -> AccountsServiceClient<Signed> {
        AccountsServiceClient::new(self.core.clone())
    }

    pub(crate) fn calls(&self) -> CallsServiceClient<Signed> {
        CallsServiceClient::new(self.core.clone())
    }

    pub(crate) fn clis(&self) -> ClisServiceClient<Signed> {
        ClisServiceClient::new(self.core.clone())
    }

    pub(crate) fn connection_points(&self) -> ConnectionPointsServiceClient<Signed> {
        ConnectionPointsServiceClient::new(self.core.clone())
    }

    pub(crate) fn currencies(&self) -> CurrenciesServiceClient<Signed> {
        CurrenciesServiceClient::new(self.core.clone())
    }

    pub(crate) fn device_rules(&self) -> DeviceRulesServiceClient<Signed> {
        DeviceRulesServiceClient::new(self.core.clone())
    }

    pub(crate) fn devices(&self) -> DevicesServiceClient<Signed> {
        DevicesServiceClient::new(self.core.clone())
    }

    pub(crate) fn email_templates(&self) -> EmailTemplatesServiceClient<Signed> {
        EmailTemplatesServiceClient::new(self.core.clone())
    }

    pub(crate) fn live_calls(&self) -> LiveCallsServiceClient<Signed> {
        LiveCallsServiceClient::new(self.core.clone())
    }

    pub(crate) fn number_pools(&self) -> NumberPoolsServiceClient<Signed> {
        NumberPoolsServiceClient::new(self.core.clone())
    }

    pub(crate) fn payments(&self) -> PaymentsServiceClient<Signed> {
        PaymentsServiceClient::new(self.core.clone())
    }

    pub(crate) fn providers(&self) -> ProvidersServiceClient<Signed> {
        ProvidersServiceClient::new(self.core.clone())
    }

    pub(crate) fn routing(&self) -> RoutingServiceClient<Signed> {
        RoutingServiceClient::new(self.core.clone())
    }

    pub(crate) fn rating(&self) -> RatingServiceClient<Signed> {
        RatingServiceClient::new(self.core.clone())
    }

    pub(crate) fn reseller_groups(&self) -> ResellerGroupsServiceClient<Signed> {
        ResellerGroupsServiceClient::new(self.core.clone())
    }

    pub(crate) fn sessions(&self) -> SessionsServiceClient<Signed> {
        SessionsServiceClient::new(self.core.clone())
    }

    pub(crate) fn settings(&self) -> SettingsServiceClient<Signed> {
        SettingsServiceClient::new(self.core.clone())
    }

    pub(crate) fn statistics(&self) -> StatisticsServiceClient<Signed> {
        StatisticsServiceClient::new(self.core.clone())
    }

    pub(crate) fn tariffs(&self) -> TariffsServiceClient<Signed> {
        TariffsServiceClient::new(self.core.clone())
    }

    pub(crate) fn users(&self) -> UsersServiceClient<Signed> {
        UsersServiceClient::new(self.core.clone())
    }
}

/// The core, called with the shim's token and one request's legacy signature.
#[derive(Clone)]
pub(crate) struct Signed {
    core: Transport,
    token: MetadataValue<Ascii>,
    signature: MetadataValue<Binary>,
    request_id: MetadataValue<Ascii>,
    html_wrap: Arc<AtomicBool>,
}

impl Signed {
    pub(crate) fn new(
        core: Transport,
        token: MetadataValue<Ascii>,
        signature: MetadataValue<Binary>,
        request_id: &str,
    ) -> Self {
        // Ids are of characters that headers may have; else the core makes one up.
        let request_id =
            request_id.parse().unwrap_or_else(|_| MetadataValue::from_static("unknown"));
        Self { core, token, signature, request_id, html_wrap: Arc::default() }
    }

    /// Whether the core asked for the HTML wrap in any of its answers so far.
    pub(crate) fn html_wrap(&self) -> bool {
        self.html_wrap.load(Ordering::Relaxed)
    }

    /// Has the core make the checks that it would make before doing the method's work.
    pub(crate) async fn check_access(&self) -> Result<(), Status> {
        let request = CheckAccessRequest {};
        LegacyServiceClient::new(self.clone()).check_access(request).await.map(drop)
    }
}

impl Service<http::Request<Body>> for Signed {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.core.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let mut metadata = MetadataMap::from_headers(std::mem::take(request.headers_mut()));
        metadata.insert("authorization", self.token.clone());
        metadata.insert_bin(LEGACY_SIGNATURE_METADATA, self.signature.clone());
        metadata.insert(REQUEST_ID_HEADER, self.request_id.clone());
        *request.headers_mut() = metadata.into_headers();
        trace::tell(request.headers_mut());
        let answered = self.core.call(request);
        let html_wrap = self.html_wrap.clone();
        Box::pin(async move {
            let response = answered.await?;
            if response.headers().contains_key(HTML_WRAP_HEADER) {
                html_wrap.store(true, Ordering::Relaxed);
            }
            Ok(response)
        })
    }
}
