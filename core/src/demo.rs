//! A demo data set: a few users, a reseller with two of his own, currencies, payments, tariffs and
//! calls to look around in.
//! It is made as any client would make it, over the gRPC service.

use futures_util::stream;
use tollbook_proto::v1::{
    self as pb, Permission, TariffPurpose, accounts_service_client::AccountsServiceClient,
    calls_service_client::CallsServiceClient,
    connection_points_service_client::ConnectionPointsServiceClient,
    currencies_service_client::CurrenciesServiceClient, import_rates_request::Part,
    manager_groups_service_client::ManagerGroupsServiceClient,
    payments_service_client::PaymentsServiceClient, settings_service_client::SettingsServiceClient,
    tariffs_service_client::TariffsServiceClient, users_service_client::UsersServiceClient,
};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
};

use crate::{
    clock,
    error::{Error, Result},
    server::CoreService,
};

/// The core, called as the admin.
type Demo = InterceptedService<CoreService, AsAdmin>;

/// Adds the admin's token to every call.
#[derive(Clone)]
struct AsAdmin(MetadataValue<Ascii>);

impl Interceptor for AsAdmin {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// Fills a new database.
pub(crate) async fn fill(core: CoreService, token: &str) -> Result<()> {
    let bearer = format!("Bearer {token}")
        .parse()
        .map_err(|_| Error::internal("the demo token is no header value"))?;
    Box::pin(try_fill(core, bearer))
        .await
        .map_err(|status| Error::internal(format!("the demo data set: {}", status.message())))
}

async fn try_fill(core: CoreService, bearer: MetadataValue<Ascii>) -> Result<(), Status> {
    let core = Demo::new(core, AsAdmin(bearer));
    let mut users = UsersServiceClient::new(core.clone());
    currencies(&core).await?;

    let support = pb::ManagerGroup {
        name: "Support".to_owned(),
        comment: "Sees everything about customers and takes payments".to_owned(),
        permissions: [Permission::UsersView, Permission::PaymentsView, Permission::PaymentsManage]
            .map(i32::from)
            .to_vec(),
        ..Default::default()
    };
    let request = pb::CreateManagerGroupRequest { manager_group: Some(support) };
    let group = ManagerGroupsServiceClient::new(core.clone()).create_manager_group(request).await?;
    let group_id = group.into_inner().manager_group.unwrap_or_default().id();

    let manager = pb::User {
        manager_group_id: group_id,
        role: pb::Role::Manager.into(),
        ..person("manager1", "Mary", "Manager")
    };
    let manager_id = create(&mut users, manager).await?;
    let customers = [
        pb::User {
            taxes: Some(pb::TaxSettings {
                taxes: vec![pb::Tax {
                    name: "VAT".to_owned(),
                    percent: decimal("18"),
                    enabled: true,
                }],
                ..Default::default()
            }),
            responsible_manager_id: manager_id,
            ..person("acme", "Acme Telecom", "")
        },
        pb::User { currency_id: 2, ..person("globex", "Globex Carrier Services", "") },
        pb::User { postpaid: false, ..person("initech", "Initech VoIP", "") },
    ];
    let payments = [("118", "USD"), ("2500", "EUR"), ("40000", "AMD")];
    for (customer, (amount, currency)) in customers.into_iter().zip(payments) {
        let user_id = create(&mut users, customer).await?;
        let payment = pb::RecordPaymentRequest {
            user_id: Some(user_id),
            amount: decimal(amount),
            amount_includes_tax: true,
            currency: currency.to_owned(),
            comment: "first payment".to_owned(),
            ..Default::default()
        };
        PaymentsServiceClient::new(core.clone()).record_payment(payment).await?;
        let bonus = pb::AdjustBalanceRequest {
            user_id: Some(user_id),
            amount: decimal("5"),
            note: "welcome bonus".to_owned(),
            ..Default::default()
        };
        AccountsServiceClient::new(core.clone()).adjust_balance(bonus).await?;
    }
    traffic(&core).await?;
    reseller(&core).await
}

/// A reseller with an API key of his own, and his two users.
async fn reseller(core: &Demo) -> Result<(), Status> {
    let mut users = UsersServiceClient::new(core.clone());
    let reseller =
        pb::User { role: pb::Role::Reseller.into(), ..person("hooli", "Hooli Telecom", "") };
    let owner_id = create(&mut users, reseller).await?;
    let settings = pb::OwnerSettings {
        allow_api: true,
        api_secret_key: "hooli-secret".to_owned(),
        ..Default::default()
    };
    let paths = ["allow_api", "api_secret_key"].map(str::to_owned).to_vec();
    let request = pb::UpdateOwnerSettingsRequest {
        user_id: Some(owner_id),
        settings: Some(settings),
        update_mask: Some(prost_types::FieldMask { paths }),
        // A key that everybody knows is too weak for anything but a demo.
        force: true,
        own: false,
    };
    SettingsServiceClient::new(core.clone()).update_owner_settings(request).await?;
    for user in [person("nina", "Nina", "Nucleus"), person("gavin", "Gavin", "Belson")] {
        create(&mut users, pb::User { owner_id, ..user }).await?;
    }
    Ok(())
}

/// The currencies beside the default one.
async fn currencies(core: &Demo) -> Result<(), Status> {
    for (code, name, rate, automatic_update) in [
        ("EUR", "Euro", "0.8621", true),
        ("GBP", "Pound sterling", "0.7613", true),
        ("AMD", "Armenian dram", "387.25", false),
    ] {
        let currency = pb::Currency {
            code: code.to_owned(),
            name: name.to_owned(),
            exchange_rate: decimal(rate),
            active: true,
            automatic_update,
            ..Default::default()
        };
        let request = pb::CreateCurrencyRequest { currency: Some(currency) };
        CurrenciesServiceClient::new(core.clone()).create_currency(request).await?;
    }
    Ok(())
}

/// What the demo sells and buys: prefix, destination, price and self-cost per minute.
const RATES: [(&str, &str, &str, &str); 6] = [
    ("1", "USA", "0.012", "0.007"),
    ("44", "United Kingdom", "0.018", "0.011"),
    ("447", "United Kingdom mobile", "0.045", "0.031"),
    ("370", "Lithuania", "0.035", "0.022"),
    ("3706", "Lithuania mobile", "0.12", "0.085"),
    ("374", "Armenia", "0.19", "0.15"),
];

/// Tariffs, connection points, and calls of the last hours that `globex` made and `carrier`
/// terminated.
async fn traffic(core: &Demo) -> Result<(), Status> {
    let selling = tariff(core, "Wholesale", TariffPurpose::UserWholesale, |rate| rate.2).await?;
    let buying = tariff(core, "Carrier", TariffPurpose::Provider, |rate| rate.3).await?;
    let mut users = UsersServiceClient::new(core.clone());
    for id in 2..=4 {
        let request = pb::UpdateUserRequest {
            user: Some(pb::User { id: Some(id), tariff_id: selling, ..Default::default() }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["tariff_id".to_owned()] }),
            ..Default::default()
        };
        users.update_user(request).await?;
    }
    let carrier = pb::User { tariff_id: buying, ..person("carrier", "Colossus Carrier", "") };
    let carrier = create(&mut users, carrier).await?;
    let mut points = ConnectionPointsServiceClient::new(core.clone());
    let mut point_ids = [0; 2];
    for (id, user_id) in point_ids.iter_mut().zip([3, carrier]) {
        let origination = pb::OriginationPoint { active: true, ..Default::default() };
        let termination = pb::TerminationPoint { active: true, ..Default::default() };
        let point = pb::ConnectionPoint {
            user_id: Some(user_id),
            description: "switch 1".to_owned(),
            address: format!("192.0.2.{user_id}"),
            origination: (user_id != carrier).then_some(origination),
            termination: (user_id == carrier).then_some(termination),
            ..Default::default()
        };
        let request = pb::CreateConnectionPointRequest {
            connection_point: Some(point),
            create_routing_group: user_id != carrier,
        };
        let created = points.create_connection_point(request).await?.into_inner();
        *id = created.connection_point.unwrap_or_default().id();
    }
    let calls = (0_i64..24)
        .zip(RATES.iter().cycle())
        .map(|(n, (prefix, ..))| pb::CallRecord {
            call_id: format!("demo-{n}"),
            start_time: Some(clock::to_proto(clock::now() - (24 - n) * 600_000_000)),
            duration_ms: Some(12_000 + n % 3 * 61_000),
            billsec_ms: Some(n % 3 * 61_000),
            disposition: if n % 3 == 0 {
                pb::Disposition::NoAnswer
            } else {
                pb::Disposition::Answered
            }
            .into(),
            hangup_cause: if n % 3 == 0 { 19 } else { 16 },
            source: "37052000001".to_owned(),
            destination: format!("{prefix}5550{n:03}"),
            origination_point_id: point_ids[0],
            termination_point_id: point_ids[1],
            ..Default::default()
        })
        .collect();
    let messages = stream::iter([pb::IngestCallsRequest { calls, ..Default::default() }]);
    CallsServiceClient::new(core.clone()).ingest_calls(messages).await?;
    Ok(())
}

/// Creates a tariff with the demo's rates.
async fn tariff(
    core: &Demo,
    name: &str,
    purpose: TariffPurpose,
    price: fn(&(&'static str, &'static str, &'static str, &'static str)) -> &'static str,
) -> Result<i64, Status> {
    let mut tariffs = TariffsServiceClient::new(core.clone());
    let tariff =
        pb::Tariff { name: name.to_owned(), purpose: purpose.into(), ..Default::default() };
    let created = tariffs.create_tariff(pb::CreateTariffRequest { tariff: Some(tariff) }).await?;
    let tariff_id = created.into_inner().tariff.unwrap_or_default().id;
    let lines = RATES.iter().map(|rate| pb::RateLine {
        prefix: rate.0.to_owned(),
        destination: rate.1.to_owned(),
        rate: price(rate).to_owned(),
        ..Default::default()
    });
    let options = pb::ImportRatesOptions { tariff_id: Some(tariff_id), ..Default::default() };
    let parts = [
        Part::Options(options),
        Part::Lines(pb::RateLines { lines: lines.collect(), ..Default::default() }),
    ]
    .map(|part| pb::ImportRatesRequest { part: Some(part) });
    tariffs.import_rates(stream::iter(parts)).await?;
    Ok(tariff_id)
}

fn person(username: &str, first_name: &str, last_name: &str) -> pb::User {
    pb::User {
        username: username.to_owned(),
        first_name: first_name.to_owned(),
        last_name: last_name.to_owned(),
        postpaid: true,
        address: Some(pb::Address {
            email: format!("{username}@example.com"),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Creates a user whose password is `USERNAME-demo`.
async fn create(core: &mut UsersServiceClient<Demo>, user: pb::User) -> Result<i64, Status> {
    let password = format!("{}-demo", user.username);
    let request = pb::CreateUserRequest { user: Some(user), password, ..Default::default() };
    let created = core.create_user(request).await?;
    Ok(created.into_inner().user.unwrap_or_default().id())
}

#[allow(clippy::unnecessary_wraps, reason = "every decimal field of the contract is optional")]
fn decimal(value: &str) -> Option<pb::Decimal> {
    Some(pb::Decimal { value: value.to_owned() })
}
