//! The audit log: no change without its entry, and what an entry says.

use std::collections::BTreeSet;

use prost::Message;
use prost_types::{FileDescriptorSet, MethodOptions, method_options::IdempotencyLevel};
use tollbook_proto::v1::{
    AddPoolNumbersRequest, Address, AdjustBalanceRequest, ApiKey, ApiPermissionGroup,
    CallImportStart, CallRecord, Change, ConnectionPoint, CreateAccessTokenRequest,
    CreateApiKeyRequest, CreateApiPermissionGroupRequest, CreateDeviceRequest,
    CreateEmailTemplateRequest, CreateImportProfileRequest, CreateNumberPoolRequest,
    CreateResellerGroupRequest, CreateRoutingGroupRequest, CreateTariffRequest, CreateUserRequest,
    CreateWhitelistedAddressRequest, DeleteApiKeyRequest, DeleteApiPermissionGroupRequest,
    DeleteConnectionPointRequest, DeleteDeviceRequest, DeleteEmailTemplateRequest,
    DeleteImportProfileRequest, DeleteManagerGroupRequest, DeleteNumberPoolRequest,
    DeletePoolNumbersRequest, DeleteResellerGroupRequest, DeleteRoutingGroupRequest,
    DeleteTariffRequest, DeleteUnratedCallsRequest, DeleteUserRequest,
    DeleteWhitelistedAddressRequest, Device, DeviceType, EmailTemplate, EndSessionsRequest,
    FinishCallRequest, ImportProfile, ImportRatesOptions, ImportRatesRequest, IngestCallsRequest,
    ListChangesRequest, ManagerGroup, OwnerSettings, RateFileProfile, RateLine, RateLines,
    RateUnratedCallsRequest, RecordPaymentRequest, RegisterUserRequest, RerateCallsRequest,
    ResellerGroup, RevokeAccessTokenRequest, Role, RotateUniquehashRequest, RoutingGroup,
    SetExchangeRateRequest, Settings, Tariff, UndoCallImportRequest, UndoRateImportRequest,
    UpdateApiPermissionGroupRequest, UpdateConnectionPointRequest, UpdateCurrencyRequest,
    UpdateDeviceRequest, UpdateEmailTemplateRequest, UpdateImportProfileRequest,
    UpdateManagerGroupRequest, UpdateNumberPoolRequest, UpdateOwnerSettingsRequest,
    UpdateResellerGroupRequest, UpdateSettingsRequest, UpdateTariffRequest, UpdateUserRequest,
    UpdateWhitelistedAddressRequest, User, access_tokens_service_client::AccessTokensServiceClient,
    accounts_service_client::AccountsServiceClient, api_keys_service_client::ApiKeysServiceClient,
    api_permission_groups_service_client::ApiPermissionGroupsServiceClient,
    call_imports_service_client::CallImportsServiceClient,
    calls_service_client::CallsServiceClient, changes_service_client::ChangesServiceClient,
    connection_points_service_client::ConnectionPointsServiceClient,
    currencies_service_client::CurrenciesServiceClient,
    devices_service_client::DevicesServiceClient,
    email_templates_service_client::EmailTemplatesServiceClient, import_profile,
    import_profiles_service_client::ImportProfilesServiceClient, import_rates_request::Part,
    live_calls_service_client::LiveCallsServiceClient,
    manager_groups_service_client::ManagerGroupsServiceClient,
    number_pools_service_client::NumberPoolsServiceClient,
    payments_service_client::PaymentsServiceClient,
    reseller_groups_service_client::ResellerGroupsServiceClient,
    routing_groups_service_client::RoutingGroupsServiceClient,
    sessions_service_client::SessionsServiceClient, settings_service_client::SettingsServiceClient,
    tariffs_service_client::TariffsServiceClient,
    unrated_calls_service_client::UnratedCallsServiceClient,
    users_service_client::UsersServiceClient,
    whitelisted_addresses_service_client::WhitelistedAddressesServiceClient,
};
use tollbook_tests::{
    books::{Books, START, at, call},
    contract::{decimal, mask},
    server::Authorized,
};
use tonic::codegen::tokio_stream;

use crate::{clis, on_both};

/// Traffic, which leaves no entry: calls under way.
const TRAFFIC: [&str; 3] =
    ["LiveCallsService/AuthorizeCall", "LiveCallsService/StartCall", "LiveCallsService/UpdateCall"];

/// It leaves one where there is a mail server, as `emails.rs` tests.
const MAIL: &str = "EmailTemplatesService/SendEmail";

/// The rpcs of the contract that are not marked as free of side effects.
fn writing_rpcs() -> BTreeSet<String> {
    let files = FileDescriptorSet::decode(tollbook_proto::DESCRIPTORS).unwrap().file;
    let services = files.into_iter().filter(|file| file.package() == "tollbook.v1");
    let services = services.flat_map(|file| file.service);
    let methods = services.flat_map(|service| {
        let name = service.name().to_owned();
        service.method.into_iter().map(move |method| (name.clone(), method))
    });
    let writing = methods.filter(|(_, method)| {
        let effects = method.options.as_ref().map(MethodOptions::idempotency_level);
        effects != Some(IdempotencyLevel::NoSideEffects)
    });
    writing.map(|(service, method)| format!("{service}/{}", method.name())).collect()
}

async fn changes(admin: &Authorized, request: ListChangesRequest) -> Vec<Change> {
    let mut client = ChangesServiceClient::new(admin.clone());
    let mut request = ListChangesRequest { page_size: 150, ..request };
    let mut changes = Vec::new();
    loop {
        let page = client.list_changes(request.clone()).await.unwrap().into_inner();
        changes.extend(page.changes);
        if page.next_page_token.is_empty() {
            return changes;
        }
        request.page_token = page.next_page_token;
    }
}

async fn of(admin: &Authorized, resource: &str) -> Vec<Change> {
    let request = ListChangesRequest { resource: resource.to_owned(), ..Default::default() };
    changes(admin, request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_changes_something_leaves_an_entry() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        change_everything(&books).await;
        let seen: BTreeSet<String> = changes(&books.admin, ListChangesRequest::default())
            .await
            .into_iter()
            .map(|change| change.rpc)
            .filter(|rpc| !rpc.is_empty())
            .collect();
        let mut expected = writing_rpcs();
        expected.retain(|rpc| !TRAFFIC.contains(&rpc.as_str()) && rpc != MAIL);
        // Neither an rpc without an entry, nor an entry of an rpc that claims to change nothing.
        assert_eq!(seen, expected);
    })
    .await;
}

/// Calls every rpc that changes something and that the fixture has not called.
#[allow(clippy::too_many_lines, reason = "a list")]
async fn change_everything(books: &Books) {
    let admin = &books.admin;
    let request = FinishCallRequest { call: Some(call(1)) };
    LiveCallsServiceClient::new(admin.clone()).finish_call(request).await.unwrap();
    // Of these the price is not known yet.
    let unrated = ["unrated-1", "unrated-2"].map(|id| CallRecord {
        call_id: id.to_owned(),
        destination: "999".to_owned(),
        billsec_ms: Some(1_000),
        termination_point_id: 0,
        ..call(1)
    });
    assert_eq!(books.send(vec![unrated.to_vec()]).await.unwrap().unrated, 2);

    let mut groups = ManagerGroupsServiceClient::new(admin.clone());
    let group = ManagerGroup { id: Some(2), name: "renamed".to_owned(), ..Default::default() };
    let request = UpdateManagerGroupRequest { manager_group: Some(group) };
    groups.update_manager_group(request).await.unwrap();
    let mut users = UsersServiceClient::new(admin.clone());
    let request = RotateUniquehashRequest { id: Some(4), ..Default::default() };
    users.rotate_uniquehash(request).await.unwrap();
    users.delete_user(DeleteUserRequest { id: Some(3) }).await.unwrap();
    let reseller =
        User { username: "east".to_owned(), role: Role::Reseller.into(), ..Default::default() };
    let request = CreateUserRequest { user: Some(reseller), ..Default::default() };
    let reseller = users.create_user(request).await.unwrap().into_inner().user.unwrap().id;
    let settings =
        OwnerSettings { api_secret_key: "A key of some length.".to_owned(), ..Default::default() };
    let request = UpdateOwnerSettingsRequest {
        user_id: reseller,
        settings: Some(settings),
        update_mask: mask("api_secret_key"),
        ..Default::default()
    };
    let mut settings = SettingsServiceClient::new(admin.clone());
    settings.update_owner_settings(request).await.unwrap();
    let mut addons = ResellerGroupsServiceClient::new(admin.clone());
    let group = ResellerGroup { name: "all".to_owned(), ..Default::default() };
    let request = CreateResellerGroupRequest { reseller_group: Some(group) };
    let group = addons.create_reseller_group(request).await.unwrap().into_inner();
    let id = group.reseller_group.as_ref().unwrap().id;
    let request = UpdateResellerGroupRequest { reseller_group: group.reseller_group };
    addons.update_reseller_group(request).await.unwrap();
    addons.delete_reseller_group(DeleteResellerGroupRequest { id }).await.unwrap();
    groups.delete_manager_group(DeleteManagerGroupRequest { id: Some(2) }).await.unwrap();
    change_templates(admin).await;
    change_whitelist(admin).await;
    change_restrictions(admin).await;
    crate::routing::change_routing(admin).await;

    let mut currencies = CurrenciesServiceClient::new(admin.clone());
    let request = UpdateCurrencyRequest { id: Some(2), active: Some(true), ..Default::default() };
    currencies.update_currency(request).await.unwrap();
    let request = SetExchangeRateRequest { code: "EUR".to_owned(), exchange_rate: decimal("0.8") };
    currencies.set_exchange_rate(request).await.unwrap();

    let mut routing = RoutingGroupsServiceClient::new(admin.clone());
    let routing_group = Some(RoutingGroup { name: "east".to_owned(), ..Default::default() });
    let created = routing.create_routing_group(CreateRoutingGroupRequest { routing_group }).await;
    let id = created.unwrap().into_inner().routing_group.unwrap().id;
    routing.delete_routing_group(DeleteRoutingGroupRequest { id: Some(id) }).await.unwrap();

    let mut profiles = ImportProfilesServiceClient::new(admin.clone());
    let contents = Some(import_profile::Contents::Rates(RateFileProfile::default()));
    let import_profile = ImportProfile { name: "deck".to_owned(), contents, ..Default::default() };
    let request = CreateImportProfileRequest { import_profile: Some(import_profile) };
    let created = profiles.create_import_profile(request).await.unwrap().into_inner();
    let id = Some(created.import_profile.unwrap().id);
    let request =
        UpdateImportProfileRequest { id, name: Some("decks".to_owned()), ..Default::default() };
    profiles.update_import_profile(request).await.unwrap();
    profiles.delete_import_profile(DeleteImportProfileRequest { id }).await.unwrap();

    let mut points = ConnectionPointsServiceClient::new(admin.clone());
    let point = ConnectionPoint { id: Some(4), user_id: Some(5), ..Default::default() };
    let request = UpdateConnectionPointRequest {
        connection_point: Some(ConnectionPoint { port: 5070, ..point }),
        update_mask: mask("port"),
    };
    points.update_connection_point(request).await.unwrap();
    points.delete_connection_point(DeleteConnectionPointRequest { id: Some(4) }).await.unwrap();

    let mut devices = DevicesServiceClient::new(admin.clone());
    let device = Some(Device { user_id: Some(4), ..Default::default() });
    let created = devices.create_device(CreateDeviceRequest { device }).await.unwrap();
    let id = created.into_inner().device.unwrap().id;
    let device = Some(Device { id, blocked: true, ..Default::default() });
    let request = UpdateDeviceRequest { device, update_mask: mask("blocked") };
    devices.update_device(request).await.unwrap();
    clis::change_all(admin, id).await;
    devices.delete_device(DeleteDeviceRequest { id }).await.unwrap();
    let address = Address { email: "n@x.org".to_owned(), direction_id: 1, ..Default::default() };
    let mut request = RegisterUserRequest {
        username: "newcomer".to_owned(),
        password: "long enough".to_owned(),
        first_name: "New".to_owned(),
        last_name: "Comer".to_owned(),
        address: Some(address),
        ..Default::default()
    };
    request.set_device_type(DeviceType::Sip);
    users.register_user(request).await.unwrap();

    let mut pools = NumberPoolsServiceClient::new(admin.clone());
    let request = CreateNumberPoolRequest { name: "pool".to_owned(), ..Default::default() };
    let pool = pools.create_number_pool(request).await.unwrap().into_inner().number_pool;
    let id = pool.unwrap().id;
    let comment = Some("a pool".to_owned());
    let request = UpdateNumberPoolRequest { id: Some(id), comment, ..Default::default() };
    pools.update_number_pool(request).await.unwrap();
    let numbers = vec!["370".to_owned()];
    let request = AddPoolNumbersRequest { number_pool_id: Some(id), numbers };
    pools.add_pool_numbers(request).await.unwrap();
    let request =
        DeletePoolNumbersRequest { number_pool_id: Some(id), all: true, ..Default::default() };
    pools.delete_pool_numbers(request).await.unwrap();
    pools.delete_number_pool(DeleteNumberPoolRequest { id: Some(id) }).await.unwrap();

    let mut tariffs = TariffsServiceClient::new(admin.clone());
    let request =
        UpdateTariffRequest { id: Some(1), name: Some("sold".to_owned()), ..Default::default() };
    tariffs.update_tariff(request).await.unwrap();
    let tariff = Some(Tariff { name: "spare".to_owned(), ..Default::default() });
    let created = tariffs.create_tariff(CreateTariffRequest { tariff }).await;
    let id = created.unwrap().into_inner().tariff.unwrap().id;
    tariffs.delete_tariff(DeleteTariffRequest { id: Some(id) }).await.unwrap();
    let mut unrated = UnratedCallsServiceClient::new(admin.clone());
    unrated
        .delete_unrated_calls(DeleteUnratedCallsRequest { ids: vec![1], ..Default::default() })
        .await
        .unwrap();
    let lines = ["370", "999"].map(|prefix| RateLine {
        prefix: prefix.into(),
        rate: "1".into(),
        ..Default::default()
    });
    let options = ImportRatesOptions { tariff_id: Some(1), ..Default::default() };
    let parts = [
        Part::Options(options),
        Part::Lines(RateLines { lines: lines.to_vec(), ..Default::default() }),
    ]
    .map(|part| ImportRatesRequest { part: Some(part) });
    let imported = tariffs.import_rates(tokio_stream::iter(parts)).await.unwrap().into_inner();
    let rated = unrated.rate_unrated_calls(RateUnratedCallsRequest::default()).await.unwrap();
    assert_eq!(rated.into_inner().rated, 1);
    let request =
        RerateCallsRequest { from: at(START - 500_000), till: at(START), ..Default::default() };
    let rerated = CallsServiceClient::new(admin.clone()).rerate_calls(request).await.unwrap();
    assert!(rerated.into_inner().changed > 0);
    let request = UndoRateImportRequest { id: imported.import_id, ..Default::default() };
    assert!(tariffs.undo_rate_import(request).await.unwrap().into_inner().applied);
    let imported = IngestCallsRequest {
        calls: vec![call(2)],
        import_start: Some(CallImportStart::default()),
        ..Default::default()
    };
    let imported = CallsServiceClient::new(admin.clone())
        .ingest_calls(tokio_stream::iter([imported]))
        .await
        .unwrap()
        .into_inner();
    let request = UndoCallImportRequest { id: Some(imported.import_id), ..Default::default() };
    let undone = CallImportsServiceClient::new(admin.clone()).undo_call_import(request).await;
    assert_eq!(undone.unwrap().into_inner().calls, 1);
    let request = RecordPaymentRequest {
        user_id: Some(4),
        amount: decimal("10"),
        currency: "USD".to_owned(),
        ..Default::default()
    };
    PaymentsServiceClient::new(admin.clone()).record_payment(request).await.unwrap();

    let mut tokens = AccessTokensServiceClient::new(admin.clone());
    let request = CreateAccessTokenRequest {
        user_id: Some(0),
        name: "spare".to_owned(),
        ..Default::default()
    };
    let created = tokens.create_access_token(request).await.unwrap().into_inner();
    let id = created.access_token.unwrap().id;
    tokens.revoke_access_token(RevokeAccessTokenRequest { id: Some(id) }).await.unwrap();
    let mut keys = ApiKeysServiceClient::new(admin.clone());
    let api_key = Some(ApiKey { name: "spare".to_owned(), user_id: Some(0), ..Default::default() });
    let created = keys.create_api_key(CreateApiKeyRequest { api_key }).await.unwrap();
    let id = created.into_inner().api_key.unwrap().id;
    keys.delete_api_key(DeleteApiKeyRequest { id: Some(id) }).await.unwrap();
    let alice = books.server.log_in("alice", "wonderland").await;
    SessionsServiceClient::new(alice).end_sessions(EndSessionsRequest {}).await.unwrap();
}

async fn change_whitelist(admin: &Authorized) {
    let mut whitelist = WhitelistedAddressesServiceClient::new(admin.clone());
    let request =
        CreateWhitelistedAddressRequest { network: "192.0.2.1".to_owned(), ..Default::default() };
    let created = whitelist.create_whitelisted_address(request).await.unwrap().into_inner();
    let id = created.whitelisted_address.unwrap().id;
    let reason = Some("office".to_owned());
    let request = UpdateWhitelistedAddressRequest { id, reason, ..Default::default() };
    whitelist.update_whitelisted_address(request).await.unwrap();
    let request = DeleteWhitelistedAddressRequest { id, ..Default::default() };
    whitelist.delete_whitelisted_address(request).await.unwrap();
}

async fn change_restrictions(admin: &Authorized) {
    let mut groups = ApiPermissionGroupsServiceClient::new(admin.clone());
    let group = ApiPermissionGroup { name: "robots".to_owned(), ..Default::default() };
    let request = CreateApiPermissionGroupRequest { api_permission_group: Some(group) };
    let created = groups.create_api_permission_group(request).await.unwrap().into_inner();
    let group = created.api_permission_group.unwrap();
    let id = group.id;
    let group = ApiPermissionGroup { description: "for robots".to_owned(), ..group };
    let request =
        UpdateApiPermissionGroupRequest { api_permission_group: Some(group), ..Default::default() };
    groups.update_api_permission_group(request).await.unwrap();
    let request = DeleteApiPermissionGroupRequest { id };
    groups.delete_api_permission_group(request).await.unwrap();
}

async fn change_templates(admin: &Authorized) {
    let mut templates = EmailTemplatesServiceClient::new(admin.clone());
    let template = EmailTemplate { name: "welcome".to_owned(), ..Default::default() };
    let request = CreateEmailTemplateRequest { email_template: Some(template) };
    let created = templates.create_email_template(request).await.unwrap().into_inner();
    let id = created.email_template.unwrap().id;
    let subject = Some("Welcome".to_owned());
    let request = UpdateEmailTemplateRequest { id, subject, ..Default::default() };
    templates.update_email_template(request).await.unwrap();
    templates.delete_email_template(DeleteEmailTemplateRequest { id }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_says_who_what_and_from_where() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let admin = &books.admin;
        // By gRPC.
        let request = UpdateUserRequest {
            user: Some(User { id: Some(5), last_name: "Builder".to_owned(), ..Default::default() }),
            update_mask: mask("last_name"),
            password: "correct horse battery".to_owned(),
            ..Default::default()
        };
        UsersServiceClient::new(admin.clone()).update_user(request).await.unwrap();
        let entry = of(admin, "users/5").await.remove(0);
        assert_eq!((entry.actor_id, entry.rpc.as_str()), (Some(0), "UsersService/UpdateUser"));
        assert!(entry.credential.starts_with("access token "), "{}", entry.credential);
        assert_eq!(entry.address, "127.0.0.1");
        assert!(!entry.before.contains("Builder") && entry.after.contains("Builder"));
        assert_eq!(entry.note, "password changed");
        assert!(!entry.request_id.is_empty());

        // By a legacy request: the balance before and after, and the request that did it.
        let form = [("u", "mgr_all"), ("user_id", "4"), ("balance", "4.25")];
        let hash = tollbook_tests::legacy_hash("44.25", tollbook_tests::server::SECRET);
        let request = reqwest::Client::new()
            .post(books.server.url("user_balance_update"))
            .header("x-request-id", "support-case-7")
            .form(&[form.as_slice(), &[("hash", &*hash)]].concat());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["x-request-id"], "support-case-7");
        let entry = of(admin, "accounts/4").await.remove(0);
        assert_eq!((entry.actor_id, entry.credential.as_str()), (Some(1), "API secret key"));
        assert_eq!(entry.legacy_method, "user_balance_update");
        assert_eq!(entry.request_id, "support-case-7");
        let balance = books.balance(4).await;
        assert!(entry.after.contains(&format!(r#""balance":"{balance}""#)), "{}", entry.after);
        assert!(entry.after.contains(r#""amount":"4.25""#), "{}", entry.after);
        assert!(entry.before.contains("balance"), "{}", entry.before);

        // What is refused leaves none, and secrets never show.
        let before = changes(admin, ListChangesRequest::default()).await.len();
        let request =
            AdjustBalanceRequest { user_id: Some(999), amount: decimal("1"), ..Default::default() };
        AccountsServiceClient::new(admin.clone()).adjust_balance(request).await.unwrap_err();
        let settings = Settings { api_secret_key: "short".to_owned(), ..Default::default() };
        let request = UpdateSettingsRequest {
            settings: Some(settings),
            update_mask: mask("api_secret_key"),
            ..Default::default()
        };
        let mut client = SettingsServiceClient::new(admin.clone());
        client.update_settings(request.clone()).await.unwrap_err();
        assert_eq!(changes(admin, ListChangesRequest::default()).await.len(), before);
        client.update_settings(UpdateSettingsRequest { force: true, ..request }).await.unwrap();
        let all = changes(admin, ListChangesRequest::default()).await;
        assert_eq!(
            (all[0].resource.as_str(), all[0].note.as_str()),
            ("settings", "API secret key changed")
        );
        let text = format!("{all:?}");
        assert!(!text.contains("correct horse") && !text.contains("short"), "{text}");

        // By actor, and by time.
        let by = ListChangesRequest { actor_id: Some(1), ..Default::default() };
        assert_eq!(changes(admin, by).await.len(), 1);
        let past = ListChangesRequest { till: at(START), ..Default::default() };
        assert!(changes(admin, past).await.is_empty());
    })
    .await;
}
