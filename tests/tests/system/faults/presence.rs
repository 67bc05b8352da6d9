//! Faults of release 0.1: what a request leaves out, and what it says that nobody knows.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};
use tollbook_proto::v1::{
    AggregateCallsRequest, CallRecord, CreateAccessTokenRequest, CreateTariffRequest,
    CreateUserRequest, ListCallsRequest, ListChangesRequest, ListUsersRequest,
    RecordPaymentRequest, StaticList, Tariff, UpdateUserRequest, User,
    access_tokens_service_client::AccessTokensServiceClient,
    calls_service_client::CallsServiceClient, changes_service_client::ChangesServiceClient,
    payments_service_client::PaymentsServiceClient,
    statistics_service_client::StatisticsServiceClient,
    tariffs_service_client::TariffsServiceClient, users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    books::{Books, START, at, call},
    contract::{decimal, mask},
    server::Authorized,
};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codegen::{http::uri::PathAndQuery, tokio_stream},
};
use tonic_types::StatusExt;

use crate::on_both;

fn descriptors() -> FileDescriptorSet {
    FileDescriptorSet::decode(tollbook_proto::DESCRIPTORS).unwrap()
}

/// Whether a file is the contract's, in whatever package.
fn is_ours(file: &FileDescriptorProto) -> bool {
    file.package().split('.').next() == Some("tollbook")
}

/// All messages of the contract, by the name by which fields refer to them.
fn messages() -> BTreeMap<String, DescriptorProto> {
    let files = descriptors().file.into_iter();
    let files = files.filter(is_ours);
    files
        .flat_map(|file| {
            let package = file.package().to_owned();
            file.message_type
                .into_iter()
                .map(move |message| (format!(".{package}.{}", message.name()), message))
        })
        .collect()
}

/// Whether a field names one thing by an integer.
fn is_id(field: &FieldDescriptorProto) -> bool {
    let integer = matches!(field.r#type(), Type::Int64 | Type::Int32 | Type::Uint64 | Type::Uint32);
    let named = field.name() == "id" || field.name().ends_with("_id");
    integer && named && field.label() != Label::Repeated
}

/// The ids without presence of a message and of all that it holds, as `Message.field`.
fn without_presence(
    messages: &BTreeMap<String, DescriptorProto>,
    name: &str,
    seen: &mut BTreeSet<String>,
    found: &mut BTreeSet<String>,
) {
    let Some(message) = messages.get(name).filter(|_| seen.insert(name.to_owned())) else {
        return;
    };
    for field in &message.field {
        if is_id(field) && !field.proto3_optional() {
            found.insert(format!("{}.{}", message.name(), field.name()));
        }
        if field.r#type() == Type::Message {
            without_presence(messages, field.type_name(), seen, found);
        }
    }
}

/// An id that a request forgets must not read as 0: that is the admin. The few without presence
/// stand inside resources, where 0 means none.
#[test]
fn f10_ids_of_requests_have_presence() {
    let messages = messages();
    let (mut seen, mut found) = (BTreeSet::new(), BTreeSet::new());
    let mut requests = 0;
    for file in descriptors().file.iter().filter(|file| is_ours(file)) {
        for rpc in file.service.iter().flat_map(|service| &service.method) {
            requests += 1;
            without_presence(&messages, rpc.input_type(), &mut seen, &mut found);
        }
    }
    assert!(requests > 60, "{requests}");
    let expected = [
        // Nobody has the id 0 of these, and 0 is documented as none, or as the default.
        "Address.direction_id",
        "CallRecord.origination_point_id",
        "CallRecord.termination_point_id",
        "DefaultUser.tariff_id",
        "Lcr.failover_provider_id",
        "OriginationPoint.custom_tariff_id",
        "OriginationPoint.quality_routing_id",
        "OriginationPoint.routing_group_id",
        "OriginationPoint.tariff_id",
        "PointCallerId.number_pool_id",
        "ProviderRule.tariff_id",
        "StaticList.number_pool_id",
        "TerminationPoint.tariff_id",
        "User.api_permission_group_id",
        "User.currency_id",
        "User.manager_group_id",
        "User.reseller_group_id",
        "User.responsible_manager_id",
        "User.tariff_id",
        // The admin owns whoever has no other owner.
        "Lcr.owner_id",
        "Provider.owner_id",
        "Tariff.owner_id",
        "User.owner_id",
        // Assigned by the server and ignored in the requests that create these.
        "ApiKey.id",
        "Currency.id",
        "ImportProfile.id",
        "RoutingGroup.id",
        "Tariff.id",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
}

/// What an rpc says to an empty request of the admin.
enum Answer {
    /// It does what it does without being asked for anything in particular.
    Fine,
    /// It names the field that is missing.
    Missing(&'static str),
    /// It refuses it for another reason.
    Refused(Code),
}

use Answer::{Fine, Missing, Refused};

/// Of each rpc.
const ANSWERS: &[(&str, Answer)] = &[
    ("AccessTokensService/CreateAccessToken", Missing("user_id")),
    ("AccessTokensService/ListAccessTokens", Fine),
    ("AccessTokensService/RevokeAccessToken", Missing("id")),
    ("AccountsService/AdjustBalance", Missing("user_id")),
    ("AccountsService/AuditAccounts", Fine),
    ("AccountsService/GetBalance", Missing("user_id")),
    ("AccountsService/ListLedgerEntries", Missing("user_id")),
    ("ApiKeysService/CreateApiKey", Missing("api_key.user_id")),
    ("ApiKeysService/DeleteApiKey", Missing("id")),
    ("ApiKeysService/ListApiKeys", Fine),
    ("ApiPermissionGroupsService/CreateApiPermissionGroup", Missing("name")),
    ("ApiPermissionGroupsService/DeleteApiPermissionGroup", Missing("id")),
    ("ApiPermissionGroupsService/GetApiPermissionGroup", Missing("id")),
    ("ApiPermissionGroupsService/ListApiPermissionGroups", Fine),
    ("ApiPermissionGroupsService/UpdateApiPermissionGroup", Missing("api_permission_group.id")),
    ("BalanceWarningsService/ListBalanceWarnings", Fine),
    ("CallImportsService/GetCallImport", Missing("id")),
    ("CallImportsService/ListCallImports", Fine),
    ("CallImportsService/UndoCallImport", Missing("id")),
    ("CallsService/IngestCalls", Fine),
    ("CallsService/ListCalls", Fine),
    ("CallsService/ListHangupCauses", Fine),
    ("CallsService/RerateCalls", Missing("from")),
    ("ChangesService/ListChanges", Fine),
    ("ClisService/CreateCli", Missing("cli.device_id")),
    ("ClisService/DeleteCli", Missing("id")),
    ("ClisService/GetCli", Missing("id")),
    ("ClisService/ListClis", Fine),
    ("ClisService/UpdateCli", Missing("id")),
    ("ConnectionPointsService/CreateConnectionPoint", Missing("connection_point.user_id")),
    ("ConnectionPointsService/DeleteConnectionPoint", Missing("id")),
    ("ConnectionPointsService/GetConnectionPoint", Missing("id")),
    ("ConnectionPointsService/ListConnectionPoints", Fine),
    ("ConnectionPointsService/UpdateConnectionPoint", Missing("connection_point.id")),
    ("CurrenciesService/CreateCurrency", Missing("code")),
    ("CurrenciesService/ListCurrencies", Fine),
    ("CurrenciesService/SetExchangeRate", Missing("code")),
    ("CurrenciesService/UpdateCurrency", Missing("id")),
    ("DeviceRulesService/CheckDeviceRules", Missing("device_id")),
    ("DeviceRulesService/CreateDeviceRule", Missing("device_rule.device_id")),
    ("DeviceRulesService/DeleteDeviceRule", Missing("id")),
    ("DeviceRulesService/ListDeviceRules", Missing("device_id")),
    ("DeviceRulesService/UpdateDeviceRule", Missing("id")),
    ("DevicesService/CreateDevice", Missing("device.user_id")),
    ("DevicesService/DeleteDevice", Missing("id")),
    ("DevicesService/GetDevice", Missing("id")),
    ("DevicesService/ListDevices", Fine),
    ("DevicesService/UpdateDevice", Missing("device.id")),
    ("DirectionsService/ListDirections", Fine),
    ("EmailTemplatesService/CreateEmailTemplate", Missing("name")),
    ("EmailTemplatesService/DeleteEmailTemplate", Missing("id")),
    ("EmailTemplatesService/ListEmailTemplates", Fine),
    ("EmailTemplatesService/SendEmail", Missing("template_name")),
    ("EmailTemplatesService/UpdateEmailTemplate", Missing("id")),
    // What a shim has, and the admin has not, is a legacy signature.
    ("ImportProfilesService/CreateImportProfile", Missing("name")),
    ("ImportProfilesService/DeleteImportProfile", Missing("id")),
    ("ImportProfilesService/GetImportProfile", Missing("id")),
    ("ImportProfilesService/ListImportProfiles", Fine),
    ("ImportProfilesService/UpdateImportProfile", Missing("id")),
    ("LegacyService/CheckAccess", Refused(Code::PermissionDenied)),
    ("LiveCallsService/AuthorizeCall", Missing("call_id")),
    ("LiveCallsService/FinishCall", Missing("call_id")),
    ("LiveCallsService/ListActiveCalls", Fine),
    ("LiveCallsService/StartCall", Missing("call_id")),
    ("LiveCallsService/UpdateCall", Missing("call_id")),
    ("ManagerGroupsService/CreateManagerGroup", Missing("name")),
    ("ManagerGroupsService/DeleteManagerGroup", Missing("id")),
    ("ManagerGroupsService/ListManagerGroups", Fine),
    ("ManagerGroupsService/UpdateManagerGroup", Missing("manager_group.id")),
    ("NumberPoolsService/AddPoolNumbers", Missing("number_pool_id")),
    ("NumberPoolsService/CreateNumberPool", Missing("name")),
    ("NumberPoolsService/DeleteNumberPool", Missing("id")),
    ("NumberPoolsService/DeletePoolNumbers", Missing("number_pool_id")),
    ("NumberPoolsService/ListNumberPools", Fine),
    ("NumberPoolsService/ListPoolNumbers", Missing("number_pool_id")),
    ("NumberPoolsService/UpdateNumberPool", Missing("id")),
    ("PaymentsService/GetPayment", Missing("id")),
    ("PaymentsService/ListPayments", Fine),
    ("PaymentsService/RecordPayment", Missing("user_id")),
    ("ProvidersService/CreateProvider", Missing("name")),
    ("ProvidersService/CreateProviderRule", Missing("provider_rule.provider_id")),
    ("ProvidersService/DeleteProvider", Missing("id")),
    ("ProvidersService/DeleteProviderRule", Missing("id")),
    ("ProvidersService/GetProvider", Missing("id")),
    ("ProvidersService/ListProviderRules", Missing("provider_id")),
    ("ProvidersService/ListProviders", Fine),
    ("ProvidersService/UpdateProvider", Missing("provider.id")),
    ("RatingService/RateCall", Missing("number")),
    ("ResellerGroupsService/CreateResellerGroup", Missing("name")),
    ("ResellerGroupsService/DeleteResellerGroup", Missing("id")),
    ("ResellerGroupsService/ListResellerGroups", Fine),
    ("ResellerGroupsService/UpdateResellerGroup", Missing("reseller_group.id")),
    ("RoutingGroupsService/CreateRoutingGroup", Missing("name")),
    ("RoutingGroupsService/DeleteRoutingGroup", Missing("id")),
    ("RoutingGroupsService/ListRoutingGroups", Fine),
    ("RoutingService/AddLcrProvider", Missing("lcr_id")),
    ("RoutingService/CreateLcr", Missing("name")),
    ("RoutingService/DeleteLcr", Missing("id")),
    ("RoutingService/DeleteLcrProvider", Missing("lcr_id")),
    ("RoutingService/ListLcrs", Fine),
    ("RoutingService/RouteCall", Missing("origination_point_id")),
    ("RoutingService/UpdateLcr", Missing("id")),
    // A login of nobody fails like any other.
    ("SessionsService/CreateSession", Refused(Code::Unauthenticated)),
    // Of the caller, whom his token names; he has none.
    ("SessionsService/EndSessions", Fine),
    ("SettingsService/GetOwnerSettings", Missing("user_id")),
    ("SettingsService/GetSettings", Fine),
    ("SettingsService/GetVersion", Fine),
    ("SettingsService/UpdateOwnerSettings", Missing("user_id")),
    ("SettingsService/UpdateSettings", Missing("update_mask")),
    ("StatisticsService/AggregateCalls", Fine),
    ("StatisticsService/GetQuickStats", Fine),
    ("TariffsService/CreateTariff", Missing("name")),
    ("TariffsService/DeleteTariff", Missing("id")),
    ("TariffsService/ExportRates", Missing("tariff_id")),
    ("TariffsService/GetRateImport", Missing("id")),
    ("TariffsService/ImportRates", Missing("part")),
    ("TariffsService/ListRateImports", Fine),
    ("TariffsService/ListTariffs", Fine),
    ("TariffsService/UndoRateImport", Missing("id")),
    ("TariffsService/UpdateTariff", Missing("id")),
    ("UnratedCallsService/AggregateUnratedCalls", Fine),
    ("UnratedCallsService/DeleteUnratedCalls", Missing("ids")),
    ("UnratedCallsService/ListUnratedCalls", Fine),
    ("UnratedCallsService/RateUnratedCalls", Fine),
    ("UsersService/CreateUser", Missing("username")),
    ("UsersService/DeleteUser", Missing("id")),
    ("UsersService/GetUser", Missing("id")),
    ("UsersService/ListUsers", Fine),
    ("UsersService/RegisterUser", Missing("username")),
    ("UsersService/RotateUniquehash", Missing("id")),
    ("UsersService/UpdateUser", Missing("user.id")),
    ("WhitelistedAddressesService/CreateWhitelistedAddress", Missing("network")),
    ("WhitelistedAddressesService/DeleteWhitelistedAddress", Missing("id")),
    ("WhitelistedAddressesService/ListWhitelistedAddresses", Fine),
    ("WhitelistedAddressesService/UpdateWhitelistedAddress", Missing("id")),
];

/// Calls an rpc with one message that sets nothing, and reads the answer to its end.
async fn call_empty(core: Authorized, rpc: &str) -> Result<(), Status> {
    let path = PathAndQuery::try_from(format!("/tollbook.v1.{rpc}")).unwrap();
    let mut client = Grpc::new(core);
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    // On the wire, a call with one message is a stream of one.
    let request = Request::new(tokio_stream::iter([()]));
    let mut answer = client.streaming(request, path, codec).await?.into_inner();
    while answer.message().await?.is_some() {}
    Ok(())
}

/// How many changes the audit log has of all but sessions.
async fn changes(core: &Authorized) -> usize {
    let request = ListChangesRequest { page_size: 1000, ..Default::default() };
    let listed = ChangesServiceClient::new(core.clone()).list_changes(request).await.unwrap();
    let changes = listed.into_inner().changes;
    changes.iter().filter(|change| !change.resource.ends_with("/sessions")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn f10_an_empty_request_names_what_is_missing_and_changes_nothing() {
    let declared: BTreeSet<String> = descriptors()
        .file
        .iter()
        .filter(|file| is_ours(file))
        .flat_map(|file| file.service.iter().map(|service| (file.package(), service)))
        .flat_map(|(package, service)| {
            let package = package.strip_prefix("tollbook.v1").unwrap_or(package);
            let rpcs = service.method.iter();
            rpcs.map(move |rpc| format!("{package}{}/{}", service.name(), rpc.name()))
        })
        .collect();
    let known = ANSWERS.iter().map(|(rpc, _)| (*rpc).to_owned()).collect();
    assert_eq!(declared, known, "each rpc has its expected answer");
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let before = (changes(&books.admin).await, books.balance(0).await, books.frozen().await);
        for (rpc, expected) in ANSWERS {
            let answer = call_empty(books.admin.clone(), rpc).await;
            match expected {
                Fine => answer.unwrap_or_else(|status| panic!("{rpc}: {status}")),
                Refused(code) => assert_eq!(answer.unwrap_err().code(), *code, "{rpc}"),
                Missing(field) => {
                    let status = answer.expect_err(rpc);
                    assert_eq!(status.code(), Code::InvalidArgument, "{rpc}: {status}");
                    assert!(status.message().contains(field), "{rpc}: {status}");
                    let info = status.get_details_error_info().unwrap();
                    assert_eq!(info.metadata.get("field").unwrap(), field, "{rpc}");
                }
            }
        }
        let after = (changes(&books.admin).await, books.balance(0).await, books.frozen().await);
        assert_eq!(before, after);
        books.check(8).await;
    })
    .await;
}

/// A number that this version does not know is refused, and not taken for the default: who asks
/// for a role of a later version does not get a user.
#[tokio::test(flavor = "multi_thread")]
async fn f25_a_number_that_no_enum_has_is_refused() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let before = (changes(&books.admin).await, books.balance(4).await);
        let check = |answer: Result<(), Status>, field: &str| {
            let status = answer.expect_err(field);
            let details = status.get_details_error_info().unwrap();
            let named = details.metadata.get("field").cloned().unwrap_or_default();
            assert_eq!((status.code(), &*named), (Code::InvalidArgument, field), "{status}");
        };
        let mut users = UsersServiceClient::new(books.admin.clone());
        let user = User { username: "later".to_owned(), role: 99, ..Default::default() };
        let create = CreateUserRequest { user: Some(user), ..Default::default() };
        check(users.create_user(create).await.map(drop), "role");
        let list = ListUsersRequest { role: 99, ..Default::default() };
        check(users.list_users(list).await.map(drop), "role");
        let list = StaticList { r#use: 99, number_pool_id: 0 };
        let user = User { id: Some(4), source_list: Some(list), ..Default::default() };
        let update = UpdateUserRequest {
            user: Some(user),
            update_mask: mask("source_list"),
            ..Default::default()
        };
        check(users.update_user(update).await.map(drop), "source_list.use");
        let payment = RecordPaymentRequest {
            user_id: Some(4),
            amount: decimal("1"),
            currency: "USD".to_owned(),
            direction: 99,
            ..Default::default()
        };
        let mut payments = PaymentsServiceClient::new(books.admin.clone());
        check(payments.record_payment(payment).await.map(drop), "direction");
        let mut calls = CallsServiceClient::new(books.admin.clone());
        let list = ListCallsRequest { order: 99, ..Default::default() };
        check(calls.list_calls(list).await.map(drop), "order");
        let list = ListCallsRequest { disposition: 99, ..Default::default() };
        check(calls.list_calls(list).await.map(drop), "disposition");
        let mut tariffs = TariffsServiceClient::new(books.admin.clone());
        let tariff = Tariff { name: "later".to_owned(), purpose: 99, ..Default::default() };
        let create = CreateTariffRequest { tariff: Some(tariff) };
        check(tariffs.create_tariff(create).await.map(drop), "tariff.purpose");
        let mut tokens = AccessTokensServiceClient::new(books.admin.clone());
        let create = CreateAccessTokenRequest {
            user_id: Some(4),
            name: "later".to_owned(),
            kind: 99,
            ..Default::default()
        };
        check(tokens.create_access_token(create).await.map(drop), "kind");
        let mut statistics = StatisticsServiceClient::new(books.admin.clone());
        let request =
            AggregateCallsRequest { from: at(START), group_by: vec![99], ..Default::default() };
        check(statistics.aggregate_calls(request).await.map(drop), "group_by");
        let record = CallRecord { disposition: 99, ..call(900) };
        let taken = books.send(vec![vec![record]]).await.unwrap();
        assert_eq!((taken.stored, taken.rejected), (0, 1), "{taken:?}");
        assert_eq!((changes(&books.admin).await, books.balance(4).await), before);
    })
    .await;
}
