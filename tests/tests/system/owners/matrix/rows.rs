//! The rows: of each rpc, what is whose.

use crate::owners::world::{CALLERS, TARIFFS, USERS};

/// What each of [`PERSONAS`](crate::owners::world::PERSONAS) may have; none: it is refused to them altogether.
pub(super) type Whose = [Option<&'static str>; 8];

/// What an rpc does.
pub(super) enum Row {
    /// It lists what is of some users, or owners of tariffs.
    Lists {
        /// The request.
        ask: &'static str,
        /// The field of the answer that has the list, and of its items the one that says whose
        /// each is, by the id of what.
        items: &'static str,
        by: (&'static str, &'static str),
        /// Of whom there is something.
        of: &'static str,
        shows: Whose,
    },
    /// It shows or changes what is one's.
    Acts {
        /// The request, with the ids of what is meant.
        ask: &'static str,
        /// On whom it is tried.
        of: &'static str,
        on: Whose,
        /// Errors of those who might, but for something else.
        but: &'static [&'static str],
    },
    /// It says how many calls there are.
    Counts(Whose),
    /// It is nobody's in particular: who may call it.
    Open(&'static str),
}

use Row::{Acts, Counts, Lists, Open};

const SEEN: Whose = [
    Some(USERS),
    Some(USERS),
    Some("direct"),
    Some("partner pu reseller ru"),
    Some("reseller ru"),
    Some("ru"),
    Some("su"),
    None,
];

/// Simple users do not ask.
const SEEN_BY_OTHERS: Whose = [SEEN[0], SEEN[1], SEEN[2], SEEN[3], SEEN[4], None, None, None];

/// With staff.
const LISTED: Whose = [
    Some("admin manager assigned carrier direct partner pu reseller ru rival su"),
    Some("carrier direct partner pu reseller ru rival su"),
    SEEN[2],
    SEEN[3],
    SEEN[4],
    None,
    None,
    None,
];

/// Whose money is changed.
const PAID: Whose =
    [Some(USERS), Some(USERS), SEEN[2], Some("pu reseller ru"), Some("ru"), None, None, None];

/// Who is changed: a manager changes simple users.
const CHANGED: Whose = [PAID[0], Some(CALLERS), PAID[2], PAID[3], PAID[4], None, None, None];

/// Whose uniquehash is: everybody's own, too.
const ROTATED: Whose =
    [CHANGED[0], CHANGED[1], CHANGED[2], SEEN[3], SEEN[4], SEEN[5], SEEN[6], None];

/// Tariffs that are seen: one's own, and the one by which one pays.
const TARIFFS_SEEN: Whose = [
    Some(TARIFFS),
    Some(TARIFFS),
    Some(TARIFFS),
    Some("admin partner"),
    Some("partner reseller"),
    Some("reseller"),
    Some("rival"),
    None,
];

/// One's own.
const TARIFFS_OWNED: Whose = [
    Some(TARIFFS),
    Some(TARIFFS),
    Some(TARIFFS),
    Some("partner"),
    Some("reseller"),
    None,
    None,
    None,
];

/// What opens the API to programs: keys and tokens, of oneself too.
const KEYS: Whose = [SEEN[0], None, None, SEEN[3], SEEN[4], None, None, None];

/// The admin and the managers have tokens from the beginning.
const TOKENS: Whose = [
    Some("admin assigned manager direct partner pu reseller ru rival su"),
    None,
    None,
    KEYS[3],
    KEYS[4],
    None,
    None,
    None,
];

/// Settings of owners.
const OWN_SETTINGS: Whose = [
    Some("partner reseller rival"),
    None,
    None,
    Some("partner"),
    Some("reseller"),
    None,
    None,
    None,
];

const ADMIN: Row = Open("admin");
const STAFF: Row = Open("admin manager assigned");
/// What a reseller of his own has, and others have not: nothing before he may have it.
const STAFF_AND_RESELLERS: Row = Open("admin manager assigned reseller");
const STAFF_AND_OWNERS: Row = Open("admin manager assigned partner reseller");
const ALL: Row = Open("admin manager assigned partner reseller ru su");
const ANYBODY: Row = Open("admin manager assigned partner reseller ru su anonymous");
const NOBODY: Row = Open("");

const fn acts(ask: &'static str, of: &'static str, on: Whose) -> Row {
    Acts { ask, of, on, but: &[] }
}

const ALL_USERS: &str = "admin manager assigned carrier direct partner pu reseller ru rival su";

/// Of every rpc.
pub(super) const TABLE: &[(&str, Row)] = &[
    (
        "AccessTokensService/CreateAccessToken",
        acts(r#"{"userId": "$user", "name": "spare"}"#, USERS, KEYS),
    ),
    (
        "AccessTokensService/ListAccessTokens",
        Lists {
            ask: r#"{"pageSize": 1000}"#,
            items: "accessTokens",
            by: ("userId", "user"),
            of: ALL_USERS,
            shows: TOKENS,
        },
    ),
    ("AccessTokensService/RevokeAccessToken", acts(r#"{"id": "$new-token"}"#, USERS, KEYS)),
    (
        "AccountsService/AdjustBalance",
        acts(r#"{"userId": "$user", "amount": {"value": "1"}}"#, USERS, PAID),
    ),
    ("AccountsService/AuditAccounts", ADMIN),
    ("AccountsService/GetBalance", acts(r#"{"userId": "$user"}"#, USERS, SEEN)),
    ("AccountsService/ListLedgerEntries", acts(r#"{"userId": "$user"}"#, USERS, SEEN)),
    (
        "ApiKeysService/CreateApiKey",
        acts(r#"{"apiKey": {"userId": "$user", "name": "spare"}}"#, USERS, KEYS),
    ),
    ("ApiKeysService/DeleteApiKey", acts(r#"{"id": "$new-key"}"#, USERS, KEYS)),
    (
        "ApiKeysService/ListApiKeys",
        Lists {
            ask: r#"{"pageSize": 1000}"#,
            items: "apiKeys",
            by: ("userId", "user"),
            of: USERS,
            shows: KEYS,
        },
    ),
    ("ApiPermissionGroupsService/CreateApiPermissionGroup", ADMIN),
    ("ApiPermissionGroupsService/DeleteApiPermissionGroup", ADMIN),
    ("ApiPermissionGroupsService/GetApiPermissionGroup", ADMIN),
    ("ApiPermissionGroupsService/ListApiPermissionGroups", ADMIN),
    ("ApiPermissionGroupsService/UpdateApiPermissionGroup", ADMIN),
    ("BalanceWarningsService/ListBalanceWarnings", STAFF),
    ("CallImportsService/GetCallImport", STAFF),
    ("CallImportsService/ListCallImports", STAFF),
    ("CallImportsService/UndoCallImport", ADMIN),
    ("CallsService/IngestCalls", STAFF),
    (
        "CallsService/ListCalls",
        Lists { ask: "{}", items: "calls", by: ("originatorId", "user"), of: CALLERS, shows: SEEN },
    ),
    ("CallsService/ListHangupCauses", ALL),
    ("CallsService/RerateCalls", ADMIN),
    ("ChangesService/ListChanges", ADMIN),
    (
        "ClisService/CreateCli",
        Acts {
            ask: r#"{"cli": {"deviceId": "$device", "number": "$device"}}"#,
            of: CALLERS,
            on: CHANGED,
            but: &["CLI_TAKEN"],
        },
    ),
    ("ClisService/DeleteCli", acts(r#"{"id": "$new-cli"}"#, CALLERS, CHANGED)),
    ("ClisService/GetCli", acts(r#"{"id": "$cli"}"#, CALLERS, SEEN_BY_OTHERS)),
    (
        "ClisService/ListClis",
        Lists {
            ask: r#"{"pageSize": 1000}"#,
            items: "clis",
            by: ("userId", "user"),
            of: CALLERS,
            shows: SEEN_BY_OTHERS,
        },
    ),
    ("ClisService/UpdateCli", acts(r#"{"id": "$cli", "comment": "x"}"#, CALLERS, CHANGED)),
    (
        "ConnectionPointsService/CreateConnectionPoint",
        acts(r#"{"connectionPoint": {"userId": "$user"}}"#, CALLERS, CHANGED),
    ),
    (
        "ConnectionPointsService/DeleteConnectionPoint",
        acts(r#"{"id": "$new-point"}"#, CALLERS, CHANGED),
    ),
    ("ConnectionPointsService/GetConnectionPoint", acts(r#"{"id": "$point"}"#, CALLERS, SEEN)),
    (
        "ConnectionPointsService/ListConnectionPoints",
        Lists {
            ask: "{}",
            items: "connectionPoints",
            by: ("userId", "user"),
            of: CALLERS,
            shows: SEEN,
        },
    ),
    (
        "ConnectionPointsService/UpdateConnectionPoint",
        acts(
            r#"{"connectionPoint": {"id": "$point", "graceTime": 3}, "updateMask": "graceTime"}"#,
            CALLERS,
            CHANGED,
        ),
    ),
    ("CurrenciesService/CreateCurrency", STAFF),
    ("CurrenciesService/ListCurrencies", ALL),
    ("CurrenciesService/SetExchangeRate", STAFF),
    ("CurrenciesService/UpdateCurrency", STAFF),
    (
        "DeviceRulesService/CheckDeviceRules",
        acts(r#"{"deviceId": "$device", "destination": "370"}"#, CALLERS, SEEN_BY_OTHERS),
    ),
    (
        "DeviceRulesService/CreateDeviceRule",
        acts(
            r#"{"deviceRule": {"deviceId": "$device", "rule": {"name": "x", "cut": "0"}}}"#,
            CALLERS,
            CHANGED,
        ),
    ),
    ("DeviceRulesService/DeleteDeviceRule", acts(r#"{"id": "$new-rule"}"#, CALLERS, CHANGED)),
    (
        "DeviceRulesService/ListDeviceRules",
        acts(r#"{"deviceId": "$device"}"#, CALLERS, SEEN_BY_OTHERS),
    ),
    ("DeviceRulesService/UpdateDeviceRule", acts(r#"{"id": "$rule"}"#, CALLERS, CHANGED)),
    ("DevicesService/CreateDevice", acts(r#"{"device": {"userId": "$user"}}"#, CALLERS, CHANGED)),
    ("DevicesService/DeleteDevice", acts(r#"{"id": "$new-device"}"#, CALLERS, CHANGED)),
    (
        "DevicesService/GetDevice",
        acts(r#"{"id": "$device", "withCredentials": true}"#, CALLERS, SEEN_BY_OTHERS),
    ),
    (
        "DevicesService/ListDevices",
        Lists {
            ask: r#"{"pageSize": 1000}"#,
            items: "devices",
            by: ("userId", "user"),
            of: CALLERS,
            shows: SEEN_BY_OTHERS,
        },
    ),
    (
        "DevicesService/UpdateDevice",
        acts(
            r#"{"device": {"id": "$device", "callerName": "x"}, "updateMask": "callerName"}"#,
            CALLERS,
            CHANGED,
        ),
    ),
    ("DirectionsService/ListDirections", ALL),
    ("EmailTemplatesService/CreateEmailTemplate", Open("admin partner reseller")),
    ("EmailTemplatesService/DeleteEmailTemplate", Open("admin partner reseller")),
    ("EmailTemplatesService/ListEmailTemplates", STAFF_AND_OWNERS),
    ("EmailTemplatesService/SendEmail", STAFF_AND_OWNERS),
    ("EmailTemplatesService/UpdateEmailTemplate", Open("admin partner reseller")),
    ("ImportProfilesService/CreateImportProfile", STAFF),
    ("ImportProfilesService/DeleteImportProfile", STAFF),
    ("ImportProfilesService/GetImportProfile", STAFF),
    ("ImportProfilesService/ListImportProfiles", STAFF),
    ("ImportProfilesService/UpdateImportProfile", STAFF),
    ("LegacyService/CheckAccess", NOBODY),
    ("LiveCallsService/AuthorizeCall", STAFF),
    ("LiveCallsService/FinishCall", STAFF),
    (
        "LiveCallsService/ListActiveCalls",
        Lists { ask: "{}", items: "calls", by: ("originatorId", "user"), of: CALLERS, shows: SEEN },
    ),
    ("LiveCallsService/StartCall", STAFF),
    ("LiveCallsService/UpdateCall", STAFF),
    ("ManagerGroupsService/CreateManagerGroup", ADMIN),
    ("ManagerGroupsService/DeleteManagerGroup", ADMIN),
    ("ManagerGroupsService/ListManagerGroups", ADMIN),
    ("ManagerGroupsService/UpdateManagerGroup", ADMIN),
    ("NumberPoolsService/AddPoolNumbers", STAFF),
    ("NumberPoolsService/CreateNumberPool", STAFF),
    ("NumberPoolsService/DeleteNumberPool", STAFF),
    ("NumberPoolsService/DeletePoolNumbers", STAFF),
    ("NumberPoolsService/ListNumberPools", STAFF),
    ("NumberPoolsService/ListPoolNumbers", STAFF),
    ("NumberPoolsService/UpdateNumberPool", STAFF),
    ("PaymentsService/GetPayment", acts(r#"{"id": "$payment"}"#, USERS, SEEN)),
    (
        "PaymentsService/ListPayments",
        Lists { ask: "{}", items: "payments", by: ("userId", "user"), of: USERS, shows: SEEN },
    ),
    (
        "PaymentsService/RecordPayment",
        acts(r#"{"userId": "$user", "amount": {"value": "1"}, "currency": "USD"}"#, USERS, PAID),
    ),
    ("ProvidersService/CreateProvider", STAFF_AND_RESELLERS),
    ("ProvidersService/CreateProviderRule", STAFF_AND_RESELLERS),
    ("ProvidersService/DeleteProvider", STAFF_AND_RESELLERS),
    ("ProvidersService/DeleteProviderRule", STAFF_AND_RESELLERS),
    ("ProvidersService/GetProvider", STAFF_AND_RESELLERS),
    ("ProvidersService/ListProviderRules", STAFF_AND_RESELLERS),
    ("ProvidersService/ListProviders", STAFF_AND_RESELLERS),
    ("ProvidersService/UpdateProvider", STAFF_AND_RESELLERS),
    (
        "RatingService/RateCall",
        acts(r#"{"userId": "$user", "number": "370", "duration": {"value": "9"}}"#, CALLERS, SEEN),
    ),
    (
        "RatingService/RateCall",
        acts(
            r#"{"tariffId": "$tariff", "number": "370", "duration": {"value": "9"}}"#,
            TARIFFS,
            TARIFFS_SEEN,
        ),
    ),
    ("ResellerGroupsService/CreateResellerGroup", ADMIN),
    ("ResellerGroupsService/DeleteResellerGroup", ADMIN),
    ("ResellerGroupsService/ListResellerGroups", Open("admin partner")),
    ("ResellerGroupsService/UpdateResellerGroup", ADMIN),
    ("RoutingGroupsService/CreateRoutingGroup", STAFF),
    ("RoutingGroupsService/DeleteRoutingGroup", STAFF),
    ("RoutingGroupsService/ListRoutingGroups", STAFF),
    ("RoutingService/AddLcrProvider", STAFF_AND_RESELLERS),
    ("RoutingService/CreateLcr", STAFF_AND_RESELLERS),
    ("RoutingService/DeleteLcr", STAFF_AND_RESELLERS),
    ("RoutingService/DeleteLcrProvider", STAFF_AND_RESELLERS),
    ("RoutingService/ListLcrs", STAFF_AND_RESELLERS),
    ("RoutingService/RouteCall", STAFF),
    ("RoutingService/UpdateLcr", STAFF_AND_RESELLERS),
    ("SessionsService/CreateSession", ANYBODY),
    ("SessionsService/EndSessions", ALL),
    (
        "SettingsService/GetOwnerSettings",
        acts(r#"{"userId": "$user"}"#, "partner reseller rival", OWN_SETTINGS),
    ),
    ("SettingsService/GetSettings", ADMIN),
    ("SettingsService/GetVersion", ALL),
    (
        "SettingsService/UpdateOwnerSettings",
        acts(
            r#"{"userId": "$user", "settings": {}, "updateMask": "allowApi"}"#,
            "partner reseller rival",
            OWN_SETTINGS,
        ),
    ),
    ("SettingsService/UpdateSettings", ADMIN),
    (
        "StatisticsService/AggregateCalls",
        Lists {
            ask: r#"{"groupBy": ["AGGREGATE_GROUPING_ORIGINATOR"]}"#,
            items: "aggregates",
            by: ("originatorId", "user"),
            of: CALLERS,
            shows: SEEN_BY_OTHERS,
        },
    ),
    ("StatisticsService/GetQuickStats", Counts(SEEN)),
    ("TariffsService/CreateTariff", STAFF_AND_OWNERS),
    ("TariffsService/DeleteTariff", acts(r#"{"id": "$new-tariff"}"#, TARIFFS, TARIFFS_OWNED)),
    ("TariffsService/ExportRates", acts(r#"{"tariffId": "$tariff"}"#, TARIFFS, TARIFFS_SEEN)),
    ("TariffsService/GetRateImport", acts(r#"{"id": "$import"}"#, TARIFFS, TARIFFS_OWNED)),
    (
        "TariffsService/ImportRates",
        acts(
            r#"[{"options": {"tariffId": "$tariff"}}, {"lines": {"lines": [{"prefix": "371", "rate": "1"}]}}]"#,
            TARIFFS,
            TARIFFS_OWNED,
        ),
    ),
    (
        "TariffsService/ListRateImports",
        Lists {
            ask: r#"{"pageSize": 1000}"#,
            items: "rateImports",
            by: ("tariffId", "tariff"),
            of: TARIFFS,
            shows: TARIFFS_OWNED,
        },
    ),
    (
        "TariffsService/ListTariffs",
        Lists {
            ask: r#"{"pageSize": 1000}"#,
            items: "tariffs",
            by: ("id", "tariff"),
            of: TARIFFS,
            shows: TARIFFS_SEEN,
        },
    ),
    (
        "TariffsService/UndoRateImport",
        acts(r#"{"id": "$import", "dryRun": true}"#, TARIFFS, TARIFFS_OWNED),
    ),
    (
        "TariffsService/UpdateTariff",
        acts(r#"{"id": "$tariff", "name": "renamed"}"#, TARIFFS, TARIFFS_OWNED),
    ),
    ("UnratedCallsService/AggregateUnratedCalls", STAFF),
    ("UnratedCallsService/DeleteUnratedCalls", STAFF),
    ("UnratedCallsService/ListUnratedCalls", STAFF),
    ("UnratedCallsService/RateUnratedCalls", STAFF),
    ("UsersService/CreateUser", STAFF_AND_OWNERS),
    (
        "UsersService/DeleteUser",
        Acts {
            ask: r#"{"id": "$user"}"#,
            of: USERS,
            on: CHANGED,
            // All have calls, or own others.
            but: &["USER_HAS_CALLS", "USER_IN_USE"],
        },
    ),
    ("UsersService/GetUser", acts(r#"{"id": "$user"}"#, USERS, SEEN)),
    (
        "UsersService/ListUsers",
        Lists { ask: "{}", items: "users", by: ("id", "user"), of: ALL_USERS, shows: LISTED },
    ),
    ("UsersService/RegisterUser", STAFF_AND_OWNERS),
    ("UsersService/RotateUniquehash", acts(r#"{"id": "$user"}"#, USERS, ROTATED)),
    (
        "UsersService/UpdateUser",
        acts(
            r#"{"user": {"id": "$user", "comment": "x"}, "updateMask": "comment"}"#,
            USERS,
            CHANGED,
        ),
    ),
    ("WhitelistedAddressesService/CreateWhitelistedAddress", STAFF),
    ("WhitelistedAddressesService/DeleteWhitelistedAddress", STAFF),
    ("WhitelistedAddressesService/ListWhitelistedAddresses", STAFF),
    ("WhitelistedAddressesService/UpdateWhitelistedAddress", STAFF),
];
