//! What the databases of tests hold: users, currencies, tariffs, points and calls.

use std::collections::BTreeMap;

use tollbook_proto::v1::{
    Address, AdjustBalanceRequest, ApiAccess, ApiPermissionGroup, CallRecord, Cli, ConnectionPoint,
    CreateApiPermissionGroupRequest, CreateCliRequest, CreateConnectionPointRequest,
    CreateCurrencyRequest, CreateDeviceRequest, CreateDeviceRuleRequest,
    CreateEmailTemplateRequest, CreateManagerGroupRequest, CreateTariffRequest, CreateUserRequest,
    Currency, Decimal, Device, DeviceRule, Disposition, EmailTemplate, ImportRatesOptions,
    ImportRatesRequest, IngestCallsRequest, ManagerGroup, NumberRule, OriginationPoint,
    OwnerSettings, Permission, RateLine, RateLines, Role, RotateUniquehashRequest, Settings,
    Tariff, TariffPurpose, Tax, TaxSettings, TerminationPoint, UpdateOwnerSettingsRequest,
    UpdateSettingsRequest, UpdateUserRequest, User, accounts_service_client::AccountsServiceClient,
    api_permission_groups_service_client::ApiPermissionGroupsServiceClient,
    calls_service_client::CallsServiceClient, clis_service_client::ClisServiceClient,
    connection_points_service_client::ConnectionPointsServiceClient,
    currencies_service_client::CurrenciesServiceClient,
    device_rules_service_client::DeviceRulesServiceClient,
    devices_service_client::DevicesServiceClient,
    email_templates_service_client::EmailTemplatesServiceClient, import_rates_request::Part,
    manager_groups_service_client::ManagerGroupsServiceClient,
    settings_service_client::SettingsServiceClient, tariffs_service_client::TariffsServiceClient,
    users_service_client::UsersServiceClient,
};
use tollbook_shim::Dialect;
use tonic::codegen::tokio_stream;

use crate::server::{Authorized, SECRET, Server};

/// The uniquehash of `alice`.
pub const UNIQUEHASH: &str = "alicesPhone1234";

/// What every contract file's server holds.
///
/// Users 1 to 3 are managers: `mgr_all` may do everything, `mgr_own` everything for the
/// users assigned to him, `mgr_none` nothing. User 4, `alice`, is assigned to `mgr_own`,
/// has the password `wonderland`, the taxes of the documented example (18 and 15 %,
/// compound), EUR as her currency and a balance of 66. User 5, `bob`, is bare. Users up to
/// 123 are called `userN`. EUR, GBP (updated automatically) and AMD are the currencies.
pub struct Fixture {
    admin: Authorized,
}

/// When a call of today began that has ended by now, in seconds since 1970: on a day that is too
/// young for one it waits.
async fn ended_today() -> i64 {
    const LONGEST: u64 = 110;
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    while now().as_secs() % 86_400 < LONGEST {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    i64::try_from(now().as_secs() - LONGEST).unwrap()
}

impl Fixture {
    /// That of a server that is filled, for its admin.
    #[must_use]
    pub fn of(admin: Authorized) -> Self {
        Self { admin }
    }

    /// Fills a new server with what the cases of a dialect begin with.
    pub async fn fill_for(server: &Server, dialect: Dialect) -> Self {
        let fixture = Self::fill(server).await;
        match dialect {
            // Nothing beside.
            Dialect::M4 => {}
            Dialect::Mor => fixture.fill_mor().await,
        }
        fixture
    }

    /// Fills a new server with what all dialects have.
    pub async fn fill(server: &Server) -> Self {
        let fixture = Self::of(server.admin().await);
        fixture.fill_currencies().await;
        fixture.fill_users().await;
        let bonus =
            AdjustBalanceRequest { user_id: Some(4), amount: decimal("66"), ..Default::default() };
        AccountsServiceClient::new(fixture.admin.clone()).adjust_balance(bonus).await.unwrap();
        fixture
    }

    /// Gives `alice` and `user6` the selling tariff 1 and `bob` the buying tariff 2, and takes
    /// in their calls: `alice`'s four of today, which are those of the documented example of
    /// `quickstats_get`, and some of 15 January 2026.
    pub async fn fill_calls(&self) {
        self.fill_tariffs().await;
        self.fill_points().await;
        let call = |call_id: &str, start: i64, destination: &str, billsec: i64| CallRecord {
            call_id: call_id.to_owned(),
            start_time: Some(prost_types::Timestamp { seconds: start, nanos: 0 }),
            duration_ms: Some(billsec + 5_000),
            billsec_ms: Some(billsec),
            source: "37060000001".to_owned(),
            destination: destination.to_owned(),
            originator: "alice".to_owned(),
            terminator: "bob".to_owned(),
            origination_point_id: 1,
            termination_point_id: 3,
            ..Default::default()
        };
        let ended = ended_today().await;
        // 2026-01-15 10:00 UTC.
        let then = 1_768_471_200;
        let busy = CallRecord {
            disposition: Disposition::Busy.into(),
            hangup_cause: 17,
            ..call("c", then + 60, "442071234567", 0)
        };
        let calls = vec![
            call("today-1", ended, "37061234567", 45_000),
            call("today-2", ended, "442071234567", 100_000),
            call("today-3", ended, "442071234567", 100_000),
            call("today-4", ended, "442071234567", 100_000),
            call("a", then, "37061234567", 45_000),
            call("b", then + 3_600, "442071234567", 99_500),
            busy,
            CallRecord {
                originator: "user6".to_owned(),
                terminator: String::new(),
                origination_point_id: 0,
                termination_point_id: 0,
                ..call("d", then + 7_200, "37061234567", 60_000)
            },
        ];
        let count = i64::try_from(calls.len()).unwrap();
        let messages = tokio_stream::iter([IngestCallsRequest { calls, ..Default::default() }]);
        let taken = CallsServiceClient::new(self.admin.clone()).ingest_calls(messages).await;
        assert_eq!(taken.unwrap().into_inner().stored, count);
    }

    /// Points 1 and 2 of `alice` and `user6`, from which calls come, and 3 and 4 of `bob`, to
    /// which they go. All leave the tariff to the user.
    async fn fill_points(&self) {
        for (user_id, from) in [(4, true), (6, true), (5, false), (5, false)] {
            let op = OriginationPoint { active: true, ..Default::default() };
            let tp = TerminationPoint { active: true, ..Default::default() };
            let point = ConnectionPoint {
                user_id: Some(user_id),
                origination: from.then_some(op),
                termination: (!from).then_some(tp),
                ..Default::default()
            };
            let request = CreateConnectionPointRequest {
                connection_point: Some(point),
                create_routing_group: false,
            };
            let mut points = ConnectionPointsServiceClient::new(self.admin.clone());
            points.create_connection_point(request).await.unwrap();
        }
    }

    async fn fill_tariffs(&self) {
        let mut tariffs = TariffsServiceClient::new(self.admin.clone());
        let decks = [
            ("sell", TariffPurpose::UserWholesale, [("370", "0.33", "0"), ("44", "0.24", "0")]),
            ("buy", TariffPurpose::Provider, [("370", "0.09", "0.005"), ("44", "0.12", "0")]),
        ];
        for (name, purpose, rates) in decks {
            let tariff =
                Tariff { name: name.to_owned(), purpose: purpose.into(), ..Default::default() };
            let created = tariffs.create_tariff(CreateTariffRequest { tariff: Some(tariff) }).await;
            let tariff_id = created.unwrap().into_inner().tariff.unwrap().id;
            let lines = rates.map(|(prefix, rate, connection_fee)| RateLine {
                prefix: prefix.to_owned(),
                destination: if prefix == "44" { "United Kingdom" } else { "Lithuania" }.to_owned(),
                rate: rate.to_owned(),
                connection_fee: connection_fee.to_owned(),
                ..Default::default()
            });
            let options = ImportRatesOptions { tariff_id: Some(tariff_id), ..Default::default() };
            let parts = [
                Part::Options(options),
                Part::Lines(RateLines { lines: lines.to_vec(), ..Default::default() }),
            ]
            .map(|part| ImportRatesRequest { part: Some(part) });
            let imported = tariffs.import_rates(tokio_stream::iter(parts)).await.unwrap();
            assert!(imported.into_inner().applied);
        }
        for (id, tariff_id) in [(4, 1), (5, 2), (6, 1)] {
            let user = User { id: Some(id), tariff_id, ..Default::default() };
            let mask = prost_types::FieldMask { paths: vec!["tariff_id".to_owned()] };
            let request = UpdateUserRequest {
                user: Some(user),
                update_mask: Some(mask),
                ..Default::default()
            };
            UsersServiceClient::new(self.admin.clone()).update_user(request).await.unwrap();
        }
    }

    async fn fill_currencies(&self) {
        for (code, rate, automatic_update) in
            [("EUR", "0.7351", false), ("GBP", "0.5", true), ("AMD", "480", false)]
        {
            let currency = Currency {
                code: code.to_owned(),
                exchange_rate: decimal(rate),
                active: true,
                automatic_update,
                ..Default::default()
            };
            let request = CreateCurrencyRequest { currency: Some(currency) };
            CurrenciesServiceClient::new(self.admin.clone())
                .create_currency(request)
                .await
                .unwrap();
        }
    }

    /// Adds the resellers `rita` (124) and `sam` (125), whose API is on with keys of their own
    /// ([`SECRET`] behind their names and a dash), their users `rob` (126) and `sue` (127), and the
    /// partner `pat` (128) with the reseller `ray` (129).
    async fn fill_mor(&self) {
        let mut users = UsersServiceClient::new(self.admin.clone());
        for (username, role, owner_id) in [
            ("rita", Role::Reseller, 0),
            ("sam", Role::Reseller, 0),
            ("rob", Role::User, 124),
            ("sue", Role::User, 125),
            ("pat", Role::Partner, 0),
            ("ray", Role::Reseller, 128),
        ] {
            let user = User {
                username: username.to_owned(),
                role: role.into(),
                owner_id,
                postpaid: true,
                address: (username == "ray")
                    .then(|| Address { email: "ray@example.com".to_owned(), ..Default::default() }),
                ..Default::default()
            };
            let password = if username == "rita" { "rita-password" } else { "" }.to_owned();
            let request = CreateUserRequest { user: Some(user), password, ..Default::default() };
            users.create_user(request).await.unwrap();
        }
        for id in [0, 1, 3, 128, 129] {
            let uniquehash = format!("phoneOfUser{id}");
            let request = RotateUniquehashRequest { id: Some(id), uniquehash, revoke: false };
            users.rotate_uniquehash(request).await.unwrap();
        }
        for (user_id, name) in [(124, "rita"), (125, "sam"), (128, "pat")] {
            let settings = OwnerSettings {
                allow_api: true,
                api_secret_key: format!("{name}-{SECRET}"),
                ..Default::default()
            };
            let paths = ["allow_api", "api_secret_key"].map(str::to_owned).to_vec();
            let request = UpdateOwnerSettingsRequest {
                user_id: Some(user_id),
                settings: Some(settings),
                update_mask: Some(prost_types::FieldMask { paths }),
                force: true,
                ..Default::default()
            };
            SettingsServiceClient::new(self.admin.clone())
                .update_owner_settings(request)
                .await
                .unwrap();
        }
        self.fill_templates().await;
    }

    async fn fill_templates(&self) {
        let template = EmailTemplate {
            name: "registration_confirmation_for_user".to_owned(),
            subject: "Welcome, <%= login_username %>".to_owned(),
            body: "Log in at <%= login_url %> (<%= server_ip %>) as <%= login_username %>.\n"
                .to_owned(),
            ..Default::default()
        };
        let request = CreateEmailTemplateRequest { email_template: Some(template) };
        EmailTemplatesServiceClient::new(self.admin.clone())
            .create_email_template(request)
            .await
            .unwrap();
    }

    /// Adds devices of `alice` (1001 and 1002), `rob` (2001) and `sue` (2002); the last two have one
    /// password. All but the second have a CLI, of which rob's has a domain, too, and the first has a
    /// rule. With calls, one came from the first.
    pub async fn fill_devices(&self, with_calls: bool) {
        let mut devices = DevicesServiceClient::new(self.admin.clone());
        let mut clis = ClisServiceClient::new(self.admin.clone());
        let mut first = None;
        for (user_id, username, password) in [
            (4, "1001", "alicesPhone99"),
            (4, "1002", "alicesSoftphone"),
            (126, "2001", "oneForAll2001"),
            (127, "2002", "oneForAll2001"),
        ] {
            let device = Device {
                user_id: Some(user_id),
                username: username.to_owned(),
                password: password.to_owned(),
                pin: Some(format!("77{username}")),
                description: format!("Device {username}"),
                caller_name: username.to_owned(),
                caller_number: format!("3706{username}"),
                ..Default::default()
            };
            let request = CreateDeviceRequest { device: Some(device) };
            let created = devices.create_device(request).await.unwrap().into_inner();
            let device_id = created.device.unwrap().id;
            first = first.or(device_id);
            if username == "1002" {
                continue;
            }
            let cli = Cli {
                device_id,
                number: format!("3706000{username}"),
                domain: if user_id == 126 { "rob.example".to_owned() } else { String::new() },
                description: format!("Phone of {username}"),
                ..Default::default()
            };
            clis.create_cli(CreateCliRequest { cli: Some(cli) }).await.unwrap();
        }
        let rule = NumberRule {
            name: "International".to_owned(),
            add: "00".to_owned(),
            ..Default::default()
        };
        let device_rule =
            Some(DeviceRule { device_id: first, rule: Some(rule), ..Default::default() });
        DeviceRulesServiceClient::new(self.admin.clone())
            .create_device_rule(CreateDeviceRuleRequest { device_rule })
            .await
            .unwrap();
        if with_calls {
            let call = CallRecord {
                call_id: "from a device".to_owned(),
                start_time: Some(prost_types::Timestamp { seconds: 1_768_471_200, nanos: 0 }),
                duration_ms: Some(65_000),
                billsec_ms: Some(60_000),
                source: "37060000001".to_owned(),
                destination: "37061234567".to_owned(),
                originator: "alice".to_owned(),
                origination_point_id: first.unwrap(),
                ..Default::default()
            };
            let messages = tokio_stream::iter([IngestCallsRequest {
                calls: vec![call],
                ..Default::default()
            }]);
            let taken = CallsServiceClient::new(self.admin.clone()).ingest_calls(messages).await;
            assert_eq!(taken.unwrap().into_inner().stored, 1);
        }
    }

    /// Adds the simple user `leo` and the manager `clerk`, who has the permissions of `mgr_all`, restricted
    /// to one group, which gives `payments_get`, and of `payment_create` and `user_details_update` no more
    /// than to read; and `noah`, restricted without a group.
    pub async fn fill_restricted(&self) {
        let read = i32::from(ApiAccess::Read);
        let methods = ["payments_get", "payment_create", "user_details_update"];
        let group = ApiPermissionGroup {
            name: "reader".to_owned(),
            methods: methods.map(|name| (name.to_owned(), read)).into(),
            ..Default::default()
        };
        let request = CreateApiPermissionGroupRequest { api_permission_group: Some(group) };
        let mut groups = ApiPermissionGroupsServiceClient::new(self.admin.clone());
        let created = groups.create_api_permission_group(request).await.unwrap().into_inner();
        let group = created.api_permission_group.unwrap().id();
        let user = |username: &str, api_permission_group_id: i64| User {
            username: username.to_owned(),
            api_restricted: true,
            api_permission_group_id,
            ..Default::default()
        };
        let manager_group_id = 1;
        let clerk = User { role: Role::Manager.into(), manager_group_id, ..user("clerk", group) };
        for user in [user("leo", group), clerk, user("noah", 0)] {
            let request = CreateUserRequest { user: Some(user), ..Default::default() };
            UsersServiceClient::new(self.admin.clone()).create_user(request).await.unwrap();
        }
    }

    async fn fill_users(&self) {
        let everything: Vec<i32> =
            (1..).map_while(|number| Permission::try_from(number).ok()).map(i32::from).collect();
        for permissions in [everything, Vec::new()] {
            let group =
                ManagerGroup { name: "group".to_owned(), permissions, ..Default::default() };
            let request = CreateManagerGroupRequest { manager_group: Some(group) };
            ManagerGroupsServiceClient::new(self.admin.clone())
                .create_manager_group(request)
                .await
                .unwrap();
        }
        let manager = |username: &str, group: i64, own: bool| User {
            username: username.to_owned(),
            role: Role::Manager.into(),
            manager_group_id: group,
            show_only_assigned_users: own,
            ..Default::default()
        };
        let taxes = ["18", "15"].map(|percent| Tax {
            name: "VAT".to_owned(),
            percent: decimal(percent),
            enabled: true,
        });
        let alice = User {
            username: "alice".to_owned(),
            first_name: "Alice".to_owned(),
            last_name: "Liddell".to_owned(),
            postpaid: true,
            currency_id: 2,
            responsible_manager_id: 2,
            taxes: Some(TaxSettings {
                taxes: taxes.to_vec(),
                compound: true,
                ..Default::default()
            }),
            ..Default::default()
        };
        let simple = |username: String| User { username, postpaid: true, ..Default::default() };
        let mut users = vec![
            manager("mgr_all", 1, false),
            manager("mgr_own", 1, true),
            manager("mgr_none", 2, false),
            alice,
            simple("bob".to_owned()),
        ];
        users.extend((6..=123).map(|id| simple(format!("user{id}"))));
        let mut client = UsersServiceClient::new(self.admin.clone());
        for user in users {
            let password = if user.username == "alice" { "wonderland" } else { "" }.to_owned();
            let request = CreateUserRequest { user: Some(user), password, ..Default::default() };
            client.create_user(request).await.unwrap();
        }
        let uniquehash = UNIQUEHASH.to_owned();
        let request = RotateUniquehashRequest { id: Some(4), uniquehash, revoke: false };
        client.rotate_uniquehash(request).await.unwrap();
    }

    /// Sets all settings: the usual ones of a server in use, but for what a case changes.
    pub async fn settings(&self, secret: &str, changes: &BTreeMap<String, toml::Value>) {
        let mut settings = Settings {
            allow_api: true,
            api_secret_key: secret.to_owned(),
            api_allow_payments: true,
            api_allow_registration: true,
            balance_over_http: true,
            rate_over_http: true,
            conflines_over_api: true,
            providers_over_api: true,
            time_zone: "UTC".to_owned(),
            login_redirect_url: "/billing/callc/main".to_owned(),
            ..Default::default()
        };
        for (name, value) in changes {
            let on = value.as_bool().unwrap_or_else(|| panic!("setting {name} is a switch"));
            match name.as_str() {
                "allow_api" => settings.allow_api = on,
                "allow_get_api" => settings.allow_get_api = on,
                "api_allow_payments" => settings.api_allow_payments = on,
                "api_allow_registration" => settings.api_allow_registration = on,
                "balance_over_http" => settings.balance_over_http = on,
                "rate_over_http" => settings.rate_over_http = on,
                "conflines_over_api" => settings.conflines_over_api = on,
                "providers_over_api" => settings.providers_over_api = on,
                "disable_hash_checking" => settings.disable_hash_checking = on,
                "xml_api_extension" => settings.xml_api_extension = on,
                "allow_api_login_redirect" => settings.allow_api_login_redirect = on,
                "login_without_hash" => settings.login_without_hash = on,
                "allow_login_by_email" => settings.allow_login_by_email = on,
                "uniquehash_needs_hash" => settings.uniquehash_needs_hash = on,
                "uniquehash_as_hash" => settings.uniquehash_as_hash = on,
                "show_active_calls_for_users" => settings.show_active_calls_for_users = on,
                _ => panic!("unknown setting {name}"),
            }
        }
        let paths = [
            "allow_api",
            "allow_get_api",
            "api_secret_key",
            "api_allow_payments",
            "api_allow_registration",
            "balance_over_http",
            "rate_over_http",
            "conflines_over_api",
            "providers_over_api",
            "disable_hash_checking",
            "login_without_hash",
            "allow_login_by_email",
            "uniquehash_needs_hash",
            "uniquehash_as_hash",
            "xml_api_extension",
            "allow_api_login_redirect",
            "show_active_calls_for_users",
            "login_redirect_url",
            "time_zone",
        ];
        let request = UpdateSettingsRequest {
            settings: Some(settings),
            update_mask: Some(prost_types::FieldMask { paths: paths.map(str::to_owned).to_vec() }),
            force: true,
            ..Default::default()
        };
        SettingsServiceClient::new(self.admin.clone()).update_settings(request).await.unwrap();
    }
}

/// A decimal of the contract.
#[must_use]
#[allow(clippy::unnecessary_wraps, reason = "every decimal field of the contract is optional")]
pub fn decimal(value: &str) -> Option<Decimal> {
    Some(Decimal { value: value.to_owned() })
}

/// A field mask of the contract, of one path.
#[must_use]
#[allow(clippy::unnecessary_wraps, reason = "every field mask of the contract is optional")]
pub fn mask(path: &str) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask { paths: vec![path.to_owned()] })
}
