//! Every rpc, and what of it is whose: who sees what of whom, and who changes it.

use std::collections::BTreeSet;

use prost::Message;
use prost_types::FileDescriptorSet;

use super::world::{CALLERS, PERSONAS, TARIFFS, USERS, World, reason};
use crate::on_both;

/// What each of [`PERSONAS`] may have; none: it is refused to them altogether.
type Whose = [Option<&'static str>; 8];

/// What an rpc does.
enum Row {
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

/// Of every rpc.
const TABLE: &[(&str, Row)] = &[
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

const ALL_USERS: &str = "admin manager assigned carrier direct partner pu reseller ru rival su";

/// What whoever may not is told.
const REFUSALS: [&str; 14] = [
    "CREDENTIALS_MISSING",
    "ROLE_DENIED",
    "SIGNATURE_REFUSED",
    "USER_NOT_FOUND",
    "PAYMENT_NOT_FOUND",
    "CONNECTION_POINT_NOT_FOUND",
    "DEVICE_NOT_FOUND",
    "CLI_NOT_FOUND",
    "DEVICE_RULE_NOT_FOUND",
    "TARIFF_NOT_FOUND",
    "RATE_IMPORT_NOT_FOUND",
    "OWNER_INVALID",
    "ACCESS_TOKEN_NOT_FOUND",
    "API_KEY_NOT_FOUND",
];

/// Those of whom something is and who are also named.
fn among<'a>(of: &'a str, named: Option<&'a str>) -> BTreeSet<&'a str> {
    let named: BTreeSet<&str> = named.unwrap_or_default().split(' ').collect();
    of.split(' ').filter(|name| named.contains(name)).collect()
}

impl World {
    /// Checks one row for somebody. Returns what is wrong.
    async fn check(&self, persona: &str, column: usize, rpc: &str, row: &Row) -> Vec<String> {
        let mut problems = Vec::new();
        let mut expect = |what: &str, found: String, expected: String| {
            if found != expected {
                problems.push(format!("{rpc} as {persona}, {what}: {found}, not {expected}"));
            }
        };
        let is_refused = |reason: &str| REFUSALS.contains(&reason);
        match row {
            Lists { ask, items, by: (field, kind), of, shows } => {
                let answers = self.call(persona, rpc, &self.filled(ask, "").await).await;
                let found = answers.map(|answers| {
                    let listed = answers.iter().filter_map(|answer| answer[*items].as_array());
                    let ids = listed.flatten().map(|item| item[*field].as_str().unwrap());
                    // Of others, whom the test has made on its way, it knows nothing.
                    ids.filter_map(|id| self.name(kind, id)).collect::<BTreeSet<&str>>()
                });
                let found = found.map_err(|status| reason(&status));
                let expected = shows[column].map(|shown| among(of, Some(shown)));
                match (&found, &expected) {
                    (Err(reason), None) if is_refused(reason) => {}
                    (Ok(found), Some(expected)) if found == expected => {}
                    _ => expect("listed", format!("{found:?}"), format!("{expected:?}")),
                }
            }
            Acts { ask, of, on, but } => {
                let may = among(of, on[column]);
                for name in of.split(' ') {
                    let answer = self.call(persona, rpc, &self.filled(ask, name).await).await;
                    let found = answer.map_or_else(|status| reason(&status), |_| "done".to_owned());
                    let done = found == "done" || but.contains(&found.as_str());
                    match may.contains(name) {
                        true if done => {}
                        false if is_refused(&found) => {}
                        may => expect(name, found, if may { "done" } else { "refused" }.into()),
                    }
                }
            }
            Counts(of) => {
                let answer = self.call(persona, rpc, &self.filled("{}", "").await).await;
                let found = answer.map(|answers| answers[0]["month"]["calls"].clone());
                let expected = of[column].map(|of| among(CALLERS, Some(of)).len().to_string());
                match (found, expected) {
                    (Ok(found), Some(expected)) => {
                        expect("calls", found.as_str().unwrap().to_owned(), expected);
                    }
                    (Err(status), None) if is_refused(&reason(&status)) => {}
                    (found, expected) => {
                        expect("calls", format!("{found:?}"), format!("{expected:?}"));
                    }
                }
            }
            Open(to) => {
                let answer = self.call(persona, rpc, &self.filled("{}", "").await).await;
                let found = answer.map_or_else(|status| reason(&status), |_| "done".to_owned());
                let denied = ["CREDENTIALS_MISSING", "ROLE_DENIED", "SIGNATURE_REFUSED"];
                let may = to.split(' ').any(|name| name == persona);
                if may == denied.contains(&found.as_str()) {
                    expect("open", found, format!("may: {may}"));
                }
            }
        }
        problems
    }
}

#[test]
fn every_rpc_has_its_row() {
    let files = FileDescriptorSet::decode(tollbook_proto::DESCRIPTORS).unwrap().file;
    let ours = files.iter().filter(|file| file.package().starts_with("tollbook."));
    let services = ours.flat_map(|file| &file.service);
    let declared: BTreeSet<String> = services
        .flat_map(|service| {
            service.method.iter().map(|rpc| format!("{}/{}", service.name(), rpc.name()))
        })
        .collect();
    let rows: BTreeSet<String> = TABLE.iter().map(|(rpc, _)| (*rpc).to_owned()).collect();
    assert_eq!(declared, rows, "say of each rpc whose things it shows or changes");
}

/// What an rpc says to somebody who is restricted: a simple user or a manager.
async fn check_restricted(world: &World, persona: &str, rpc: &str, row: &Row) -> Option<String> {
    let (ask, of) = match row {
        Lists { ask, .. } => (*ask, ""),
        Acts { ask, of, .. } => (*ask, of.split(' ').next().unwrap_or_default()),
        Counts(_) | Open(_) => ("{}", ""),
    };
    let answer = world.call(persona, rpc, &world.filled(ask, of).await).await;
    let found = answer.map_or_else(|status| reason(&status), |_| "done".to_owned());
    let expected: &[&str] = match rpc {
        // Whoever has the password may: it needs no credential, and what it gives opens nothing.
        "SessionsService/CreateSession" => &["LOGIN_FAILED"],
        // A shim's alone.
        "LegacyService/CheckAccess" => &["SIGNATURE_REFUSED"],
        _ => &["API_RESTRICTED"],
    };
    let problem = format!("{rpc} as {persona}: {found}, not {expected:?}");
    (!expected.contains(&found.as_str())).then_some(problem)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_restricted_to_legacy_methods_may_call_nothing() {
    on_both(|data| async move {
        let mut world = World::open(&data).await;
        let mut problems = Vec::new();
        for persona in world.restricted().await {
            for (rpc, row) in TABLE {
                problems.extend(check_restricted(&world, persona, rpc, row).await);
            }
        }
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_and_changes_what_is_theirs_and_nothing_else() {
    on_both(|data| async move {
        let world = World::open(&data).await;
        let mut problems = Vec::new();
        for (rpc, row) in TABLE {
            for (column, persona) in PERSONAS.into_iter().enumerate() {
                problems.extend(world.check(persona, column, rpc, row).await);
            }
        }
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    })
    .await;
}
