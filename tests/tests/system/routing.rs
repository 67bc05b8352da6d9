//! Providers, their number rules, LCRs, and where calls go by them.

use prost_types::FieldMask;
use tollbook_proto::v1::{
    AddLcrProviderRequest, ConnectionPoint, CreateConnectionPointRequest, CreateLcrRequest,
    CreateProviderRequest, CreateProviderRuleRequest, CreateTariffRequest,
    DeleteLcrProviderRequest, DeleteLcrRequest, DeleteProviderRequest, DeleteProviderRuleRequest,
    ErrorReason, GetProviderRequest, ImportRatesOptions, ImportRatesRequest, Lcr, LcrOrder,
    NumberRule, OriginationPoint, Provider, ProviderRule, RateLine, RateLines, RouteCallRequest,
    RouteCallResponse, SkipReason, Tariff, TariffPurpose, UpdateLcrRequest, UpdateProviderRequest,
    connection_points_service_client::ConnectionPointsServiceClient, import_rates_request::Part,
    providers_service_client::ProvidersServiceClient, routing_service_client::RoutingServiceClient,
    tariffs_service_client::TariffsServiceClient,
};
use tollbook_tests::{books::Books, contract::mask, server::Authorized};
use tonic::{Status, codegen::tokio_stream};
use tonic_types::StatusExt;

use crate::on_both;

/// A tariff with one rate.
async fn tariff(admin: &Authorized, purpose: TariffPurpose, rate: &str) -> i64 {
    let mut tariffs = TariffsServiceClient::new(admin.clone());
    let name = format!("routing at {rate}");
    let tariff = Tariff { name, purpose: purpose.into(), ..Default::default() };
    let created = tariffs.create_tariff(CreateTariffRequest { tariff: Some(tariff) }).await;
    let id = created.unwrap().into_inner().tariff.unwrap().id;
    let line = RateLine { prefix: "370".to_owned(), rate: rate.to_owned(), ..Default::default() };
    let options = ImportRatesOptions { tariff_id: Some(id), ..Default::default() };
    let lines = RateLines { lines: vec![line], ..Default::default() };
    let parts = [Part::Options(options), Part::Lines(lines)];
    let parts = parts.map(|part| ImportRatesRequest { part: Some(part) });
    assert!(tariffs.import_rates(tokio_stream::iter(parts)).await.unwrap().into_inner().applied);
    id
}

/// A provider who is paid by a tariff of one rate.
async fn provider(admin: &Authorized, name: &str, rate: &str) -> i64 {
    let tariff_id = Some(tariff(admin, TariffPurpose::Provider, rate).await);
    let provider = Provider {
        name: name.to_owned(),
        tariff_id,
        password: "a secret".to_owned(),
        host: format!("{name}.example.org"),
        ..Default::default()
    };
    let request = CreateProviderRequest { provider: Some(provider) };
    let created = ProvidersServiceClient::new(admin.clone()).create_provider(request).await;
    created.unwrap().into_inner().provider.unwrap().id()
}

async fn rule(admin: &Authorized, provider: i64, cut: &str, add: &str) -> i64 {
    let number_rule = NumberRule {
        name: "rule".to_owned(),
        cut: cut.to_owned(),
        add: add.to_owned(),
        ..Default::default()
    };
    let rule =
        ProviderRule { provider_id: Some(provider), rule: Some(number_rule), ..Default::default() };
    let request = CreateProviderRuleRequest { provider_rule: Some(rule) };
    let created = ProvidersServiceClient::new(admin.clone()).create_provider_rule(request).await;
    created.unwrap().into_inner().provider_rule.unwrap().id()
}

async fn lcr(admin: &Authorized, providers: &[i64]) -> i64 {
    let mut routing = RoutingServiceClient::new(admin.clone());
    let lcr = Lcr { name: "LCR".to_owned(), ..Default::default() };
    let created = routing.create_lcr(CreateLcrRequest { lcr: Some(lcr) }).await;
    let id = created.unwrap().into_inner().lcr.unwrap().id();
    for provider in providers {
        let request = AddLcrProviderRequest {
            lcr_id: Some(id),
            provider_id: Some(*provider),
            ..Default::default()
        };
        routing.add_lcr_provider(request).await.unwrap();
    }
    id
}

fn reason(status: &Status) -> ErrorReason {
    let info = status.get_details_error_info().unwrap();
    ErrorReason::from_reason(&info.reason).unwrap()
}

async fn update(admin: &Authorized, provider: Provider, path: &str) {
    let request = UpdateProviderRequest { provider: Some(provider), update_mask: mask(path) };
    ProvidersServiceClient::new(admin.clone()).update_provider(request).await.unwrap();
}

/// Calls every rpc that changes something of this.
pub(crate) async fn change_routing(admin: &Authorized) {
    let mut routing = RoutingServiceClient::new(admin.clone());
    let mut providers = ProvidersServiceClient::new(admin.clone());
    let id = provider(admin, "changing", "0.1").await;
    update(admin, Provider { id: Some(id), hidden: true, ..Default::default() }, "hidden").await;
    let rule = rule(admin, id, "", "00").await;
    let request = DeleteProviderRuleRequest { id: Some(rule) };
    providers.delete_provider_rule(request).await.unwrap();
    let lcr = lcr(admin, &[id]).await;
    let name = Some("renamed".to_owned());
    let request = UpdateLcrRequest { id: Some(lcr), name, ..Default::default() };
    routing.update_lcr(request).await.unwrap();
    let request = DeleteProviderRequest { id: Some(id) };
    let refused = providers.delete_provider(request).await.unwrap_err();
    assert_eq!(reason(&refused), ErrorReason::ProviderInUse);
    let request =
        DeleteLcrProviderRequest { lcr_id: Some(lcr), provider_id: Some(id), failover: false };
    routing.delete_lcr_provider(request).await.unwrap();
    routing.delete_lcr(DeleteLcrRequest { id: Some(lcr) }).await.unwrap();
    providers.delete_provider(request_of(id)).await.unwrap();
}

fn request_of(id: i64) -> DeleteProviderRequest {
    DeleteProviderRequest { id: Some(id) }
}

/// Makes a provider with a rule, and an LCR that has it.
pub(crate) async fn make_routing(admin: &Authorized) {
    let id = provider(admin, "kept", "0.1").await;
    rule(admin, id, "", "00").await;
    lcr(admin, &[id]).await;
}

/// Changes what [`make_routing`] made.
pub(crate) async fn change_what_is_kept(admin: &Authorized) {
    let mut providers = ProvidersServiceClient::new(admin.clone());
    let all = providers.list_providers(tollbook_proto::v1::ListProvidersRequest::default()).await;
    let id = all.unwrap().into_inner().providers[0].id;
    update(admin, Provider { id, hidden: true, ..Default::default() }, "hidden").await;
    let mut routing = RoutingServiceClient::new(admin.clone());
    let all = routing.list_lcrs(tollbook_proto::v1::ListLcrsRequest::default()).await.unwrap();
    let request = UpdateLcrRequest {
        id: all.into_inner().lcrs[0].id,
        no_failover: Some(true),
        ..Default::default()
    };
    routing.update_lcr(request).await.unwrap();
}

/// A point of user 4 whose calls are priced at a rate and routed by an LCR.
async fn point(admin: &Authorized, rate: &str, lcr: i64) -> i64 {
    let origination = OriginationPoint {
        active: true,
        tariff_id: tariff(admin, TariffPurpose::UserWholesale, rate).await,
        routing_group_id: lcr,
        destination_transformation: "-00".to_owned(),
        ..Default::default()
    };
    let point =
        ConnectionPoint { user_id: Some(4), origination: Some(origination), ..Default::default() };
    let request =
        CreateConnectionPointRequest { connection_point: Some(point), ..Default::default() };
    let created =
        ConnectionPointsServiceClient::new(admin.clone()).create_connection_point(request).await;
    created.unwrap().into_inner().connection_point.unwrap().id()
}

async fn route(admin: &Authorized, point: i64, number: &str) -> RouteCallResponse {
    let request = RouteCallRequest {
        origination_point_id: Some(point),
        destination: number.to_owned(),
        ..Default::default()
    };
    RoutingServiceClient::new(admin.clone()).route_call(request).await.unwrap().into_inner()
}

fn names(answer: &RouteCallResponse) -> Vec<&str> {
    answer.routes.iter().map(|route| route.provider_name.as_str()).collect()
}

fn skipped(answer: &RouteCallResponse) -> Vec<(&str, SkipReason, i32)> {
    let skipped = answer.skipped_providers.iter();
    skipped.map(|one| (one.provider_name.as_str(), one.reason(), one.hangup_cause)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_to_the_cheapest_provider_first_and_says_why_others_are_left_out() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let admin = &books.admin;
        let mut providers = Vec::new();
        for (name, rate) in
            [("dear", "0.9"), ("third", "0.30"), ("second", "0.11"), ("first", "0.1")]
        {
            providers.push(provider(admin, name, rate).await);
        }
        let lcr = lcr(admin, &providers).await;
        let point = point(admin, "0.5", lcr).await;
        rule(admin, providers[3], "370", "89765#370").await;
        let answer = route(admin, point, "0037061234567").await;
        assert_eq!(names(&answer), ["first", "second", "third"]);
        assert_eq!(skipped(&answer), [("dear", SkipReason::Loss, 224)]);
        assert_eq!((answer.destination.as_str(), answer.hangup_cause), ("37061234567", 0));
        assert_eq!(answer.routes[0].destination, "89765#37061234567");
        assert_eq!(answer.routes[1].destination, "37061234567");
        assert_eq!(answer.user_rate.unwrap().value, "0.5");

        let percent = |value: &str| Some(tollbook_proto::v1::Decimal { value: value.to_owned() });
        let mut routing = RoutingServiceClient::new(admin.clone());
        let request = UpdateLcrRequest {
            id: Some(lcr),
            first_provider_percent_limit: percent("20"),
            ..Default::default()
        };
        routing.update_lcr(request).await.unwrap();
        let answer = route(admin, point, "37061234567").await;
        assert_eq!(names(&answer), ["first", "second"]);
        assert!(skipped(&answer).contains(&("third", SkipReason::PercentLimit, 235)));

        let off = Provider { id: Some(providers[3]), disabled: true, ..Default::default() };
        update(admin, off, "disabled").await;
        let request = UpdateLcrRequest {
            id: Some(lcr),
            order: Some(LcrOrder::Priority.into()),
            first_provider_percent_limit: percent("0"),
            allow_loss_calls: Some(true),
            no_failover: Some(true),
            ..Default::default()
        };
        routing.update_lcr(request).await.unwrap();
        let answer = route(admin, point, "37061234567").await;
        assert_eq!(names(&answer), ["dear"]);
        assert!(skipped(&answer).contains(&("first", SkipReason::Disabled, 204)));
        assert!(skipped(&answer).contains(&("second", SkipReason::NoFailover, 204)));
        assert_eq!(route(admin, point, "44").await.hangup_cause, 203);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_providers_password_is_told_to_who_asks_and_its_name_is_its_own() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let mut providers = ProvidersServiceClient::new(books.admin.clone());
        let id = provider(&books.admin, "carrier", "0.1").await;
        let ask = |with_credentials| GetProviderRequest { id: Some(id), with_credentials };
        let told = providers.get_provider(ask(true)).await.unwrap().into_inner().provider.unwrap();
        assert_eq!(told.password, "a secret");
        let again = CreateProviderRequest { provider: Some(told.clone()) };
        let taken = providers.create_provider(again).await.unwrap_err();
        assert_eq!(reason(&taken), ErrorReason::ProviderNameTaken);
        let paths = vec!["call_limit".to_owned()];
        let request = UpdateProviderRequest {
            provider: Some(Provider { call_limit: 5, ..told }),
            update_mask: Some(FieldMask { paths }),
        };
        providers.update_provider(request).await.unwrap();
        let told = providers.get_provider(ask(true)).await.unwrap().into_inner().provider.unwrap();
        assert_eq!((told.call_limit, told.password.as_str()), (5, "a secret"));
        let told = providers.get_provider(ask(false)).await.unwrap().into_inner().provider.unwrap();
        assert_eq!(told.password, "");
    })
    .await;
}
