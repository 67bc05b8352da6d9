//! Two cores and two shims on one PostgreSQL: what one changes the other sees, and one may go
//! while the other works.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use tollbook_proto::v1::{
    AddPoolNumbersRequest, ApiKey, CreateAccessTokenRequest, CreateApiKeyRequest,
    CreateNumberPoolRequest, DeleteUserRequest, GetSettingsRequest, GetUserRequest,
    ImportRatesOptions, ImportRatesRequest, ListConnectionPointsRequest, ListTariffsRequest,
    RateCallRequest, RateLine, RateLines, RevokeAccessTokenRequest, SetExchangeRateRequest,
    Settings, UpdateConnectionPointRequest, UpdateSettingsRequest, UpdateTariffRequest,
    UpdateUserRequest, User, access_tokens_service_client::AccessTokensServiceClient,
    api_keys_service_client::ApiKeysServiceClient,
    connection_points_service_client::ConnectionPointsServiceClient,
    currencies_service_client::CurrenciesServiceClient, import_rates_request::Part,
    number_pools_service_client::NumberPoolsServiceClient,
    rating_service_client::RatingServiceClient, settings_service_client::SettingsServiceClient,
    tariffs_service_client::TariffsServiceClient, users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    contract::{Fixture, decimal, mask},
    legacy_hash,
    server::{Authorized, Backend, Data, SECRET, Server, bearer},
};
use tonic::codegen::tokio_stream;

/// Within which a change must be seen.
const SECOND: Duration = Duration::from_secs(1);

/// Waits until something is true, and says what took longer than a second.
async fn soon<F: Future<Output = bool>>(what: &str, is_true: impl Fn() -> F) {
    let begun = Instant::now();
    while !is_true().await {
        assert!(begun.elapsed() < SECOND, "after a second the other core does not see {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_core_changes_the_other_sees_within_a_second() {
    let Some(data) = Data::new(Backend::Postgres) else { return };
    let one = Server::start_part(&data, "core", &[]);
    let fixture = Fixture::fill(&one).await;
    fixture.settings(SECRET, &BTreeMap::new()).await;
    fixture.fill_calls().await;
    let two = Server::start_part(&data, "core", &[]);
    let token = data.token(&["two cores"]);
    let one = bearer(one.channel().await, &token);
    let other = bearer(two.channel().await, &token);
    // Both have seen everything before it changes.
    assert!(sees(&other, "0.7351").await);

    let settings = Settings { allow_get_api: true, ..Default::default() };
    let request = UpdateSettingsRequest {
        settings: Some(settings),
        update_mask: mask("allow_get_api"),
        ..Default::default()
    };
    SettingsServiceClient::new(one.clone()).update_settings(request).await.unwrap();
    soon("a setting", async || {
        let mut client = SettingsServiceClient::new(other.clone());
        let settings = client.get_settings(GetSettingsRequest {}).await.unwrap().into_inner();
        settings.settings.unwrap().allow_get_api
    })
    .await;

    let exchange_rate = decimal("0.75");
    let request = SetExchangeRateRequest { code: "EUR".to_owned(), exchange_rate };
    CurrenciesServiceClient::new(one.clone()).set_exchange_rate(request).await.unwrap();
    soon("an exchange rate", async || sees(&other, "0.75").await).await;

    rates_and_tariffs(&one, &other).await;
    users_and_points(&one, &other).await;
    credentials(&one, &two, &data).await;
}

/// Whether a core has an exchange rate of the euro.
async fn sees(core: &Authorized, rate: &str) -> bool {
    let request = tollbook_proto::v1::ListCurrenciesRequest::default();
    let listed = CurrenciesServiceClient::new(core.clone()).list_currencies(request).await;
    let currencies = listed.unwrap().into_inner().currencies;
    currencies.iter().any(|currency| currency.exchange_rate == decimal(rate))
}

async fn rates_and_tariffs(one: &Authorized, other: &Authorized) {
    let request =
        UpdateTariffRequest { id: Some(1), name: Some("renamed".to_owned()), ..Default::default() };
    TariffsServiceClient::new(one.clone()).update_tariff(request).await.unwrap();
    soon("a tariff", async || {
        let mut client = TariffsServiceClient::new(other.clone());
        let tariffs = client.list_tariffs(ListTariffsRequest::default()).await.unwrap();
        tariffs.into_inner().tariffs.iter().any(|tariff| tariff.name == "renamed")
    })
    .await;

    let price = async |core: &Authorized| {
        let request = RateCallRequest {
            number: "37061234567".to_owned(),
            duration: decimal("60"),
            tariff_id: Some(1),
            ..Default::default()
        };
        let rated = RatingServiceClient::new(core.clone()).rate_call(request).await.unwrap();
        rated.into_inner().price.unwrap().price.unwrap().value
    };
    assert_eq!(price(other).await, "0.33");
    let line = RateLine { prefix: "370".into(), rate: "0.66".into(), ..Default::default() };
    let options = ImportRatesOptions { tariff_id: Some(1), ..Default::default() };
    let parts = [
        Part::Options(options),
        Part::Lines(RateLines { lines: vec![line], ..Default::default() }),
    ]
    .map(|part| ImportRatesRequest { part: Some(part) });
    TariffsServiceClient::new(one.clone()).import_rates(tokio_stream::iter(parts)).await.unwrap();
    soon("a rate", async || price(other).await == "0.66").await;

    let request = CreateNumberPoolRequest { name: "pool".to_owned(), ..Default::default() };
    let mut pools = NumberPoolsServiceClient::new(one.clone());
    let pool = pools.create_number_pool(request).await.unwrap().into_inner().number_pool.unwrap();
    let request =
        AddPoolNumbersRequest { number_pool_id: Some(pool.id), numbers: vec!["1".to_owned()] };
    pools.add_pool_numbers(request).await.unwrap();
}

async fn users_and_points(one: &Authorized, other: &Authorized) {
    let user = User { id: Some(7), first_name: "Seven".to_owned(), ..Default::default() };
    let request = UpdateUserRequest {
        user: Some(user),
        update_mask: mask("first_name"),
        ..Default::default()
    };
    UsersServiceClient::new(one.clone()).update_user(request).await.unwrap();
    let get = async |id| {
        let request = GetUserRequest { id: Some(id), ..Default::default() };
        UsersServiceClient::new(other.clone()).get_user(request).await
    };
    soon("a user", async || get(7).await.unwrap().into_inner().user.unwrap().first_name == "Seven")
        .await;
    UsersServiceClient::new(one.clone())
        .delete_user(DeleteUserRequest { id: Some(8) })
        .await
        .unwrap();
    soon("that a user is gone", async || get(8).await.is_err()).await;

    let mut points = ConnectionPointsServiceClient::new(one.clone());
    let point =
        tollbook_proto::v1::ConnectionPoint { id: Some(1), port: 5099, ..Default::default() };
    let request =
        UpdateConnectionPointRequest { connection_point: Some(point), update_mask: mask("port") };
    points.update_connection_point(request).await.unwrap();
    soon("a connection point", async || {
        let mut points = ConnectionPointsServiceClient::new(other.clone());
        let listed = points.list_connection_points(ListConnectionPointsRequest::default()).await;
        listed.unwrap().into_inner().connection_points.iter().any(|point| point.port == 5099)
    })
    .await;
}

/// A new API key opens the API, and a revoked token nothing, through the other core as well.
async fn credentials(one: &Authorized, two: &Server, data: &Data) {
    let shim_token = data.token(&["--shim", "shim"]);
    let core = format!("http://{}", two.grpc);
    let environment = [("TOLLBOOK_SHIM_TOKEN", &*shim_token), ("TOLLBOOK_CORE_URL", &*core)];
    let shim = Server::start_part(data, "shim", &environment);
    let api_key =
        Some(ApiKey { name: "portal".to_owned(), user_id: Some(1), ..Default::default() });
    let created = ApiKeysServiceClient::new(one.clone())
        .create_api_key(CreateApiKeyRequest { api_key })
        .await;
    let secret = created.unwrap().into_inner().secret;
    soon("an API key", async || {
        let hash = legacy_hash("mgr_all4", &secret);
        let form = [("u", "mgr_all"), ("user_id", "4"), ("hash", &*hash)];
        let request = reqwest::Client::new().post(shim.url("users_get")).form(&form);
        request.send().await.unwrap().text().await.unwrap().contains("alice")
    })
    .await;

    let mut tokens = AccessTokensServiceClient::new(one.clone());
    let request = CreateAccessTokenRequest {
        user_id: Some(0),
        name: "short-lived".to_owned(),
        ..Default::default()
    };
    let created = tokens.create_access_token(request).await.unwrap().into_inner();
    let spare = bearer(two.channel().await, &created.secret);
    let works = async || {
        let mut settings = SettingsServiceClient::new(spare.clone());
        settings.get_settings(GetSettingsRequest {}).await.is_ok()
    };
    assert!(works().await);
    let id = created.access_token.unwrap().id;
    tokens.revoke_access_token(RevokeAccessTokenRequest { id: Some(id) }).await.unwrap();
    soon("that a token is revoked", async || !works().await).await;
}

/// A core with the shim that calls it, at addresses that they keep.
struct Pair {
    core: Server,
    shim: Server,
    grpc: String,
    http: String,
    token: String,
}

impl Pair {
    fn address() -> String {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
    }

    fn core(data: &Data, grpc: &str) -> Server {
        Server::start_part(data, "core", &[("TOLLBOOK_GRPC_ADDR", grpc)])
    }

    fn shim(data: &Data, http: &str, grpc: &str, token: &str) -> Server {
        let core = format!("http://{grpc}");
        let environment = [
            ("TOLLBOOK_HTTP_ADDR", http),
            ("TOLLBOOK_CORE_URL", &*core),
            ("TOLLBOOK_SHIM_TOKEN", token),
        ];
        Server::start_part(data, "shim", &environment)
    }

    /// Stops both as an operator would, the shim first, and starts them again.
    fn restart(&mut self, data: &Data) {
        assert!(self.shim.stop().success());
        assert!(self.core.stop().success());
        self.core = Self::core(data, &self.grpc);
        self.shim = Self::shim(data, &self.http, &self.grpc, &self.token);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_are_restarted_in_turn_and_no_request_fails() {
    let Some(data) = Data::new(Backend::Postgres) else { return };
    let grpc = Pair::address();
    let first = Pair::core(&data, &grpc);
    Fixture::fill(&first).await.settings(SECRET, &BTreeMap::new()).await;
    let token = data.token(&["--shim", "shim"]);
    let mut cores = vec![(first, grpc)];
    let grpc = Pair::address();
    cores.push((Pair::core(&data, &grpc), grpc));
    let mut pairs: Vec<Pair> = cores
        .into_iter()
        .map(|(core, grpc)| {
            let http = Pair::address();
            let shim = Pair::shim(&data, &http, &grpc, &token);
            Pair { core, shim, grpc, http, token: token.clone() }
        })
        .collect();

    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for client in 0..8 {
        let urls: Vec<String> =
            pairs.iter().map(|pair| pair.shim.url("user_balance_update")).collect();
        clients.spawn(update_until(urls, 20 + client, stop.clone()));
    }
    for _ in 0..2 {
        for pair in &mut pairs {
            tokio::time::sleep(Duration::from_millis(300)).await;
            pair.restart(&data);
        }
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Relaxed);
    let answered: u32 = clients.join_all().await.into_iter().sum();
    assert!(answered > 200, "hardly any load: {answered}");
}

/// A client behind a balancer: where nobody takes the connection, the other one does. Once it
/// is taken, the request must be answered. Returns how many were.
async fn update_until(urls: Vec<String>, user: i64, stop: Arc<AtomicBool>) -> u32 {
    let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    let user = user.to_string();
    let hash = legacy_hash(format!("{user}1"), SECRET);
    let form = [("u", "admin"), ("user_id", &*user), ("balance", "1"), ("hash", &*hash)];
    let mut answered = 0;
    for url in urls.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        match http.post(url).form(&form).send().await {
            Err(error) if error.is_connect() => {}
            Err(error) => panic!("a request was taken and not answered: {error:?}"),
            Ok(response) => {
                answered += 1;
                let text = response.text().await.unwrap();
                let balance = format!("<balance>{answered}.0</balance>");
                assert!(text.contains(&balance), "not {balance}: {text}");
            }
        }
    }
    answered
}
