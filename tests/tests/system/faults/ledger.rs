//! Faults of release 0.1: what is counted, and once.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tollbook_proto::v1::{
    AdjustBalanceRequest, ApiKey, AuthorizeCallRequest, CallRecord, Change, CreateApiKeyRequest,
    CreateUserRequest, DeleteApiKeyRequest, DeleteUserRequest, FinishCallRequest,
    GetBalanceRequest, IngestCallsRequest, LedgerEntry, ListApiKeysRequest, ListChangesRequest,
    ListCurrenciesRequest, ListLedgerEntriesRequest, ListUsersRequest, RecordPaymentRequest,
    SetExchangeRateRequest, UpdateCurrencyRequest, UpdateUserRequest, User,
    accounts_service_client::AccountsServiceClient, api_keys_service_client::ApiKeysServiceClient,
    calls_service_client::CallsServiceClient, changes_service_client::ChangesServiceClient,
    currencies_service_client::CurrenciesServiceClient,
    live_calls_service_client::LiveCallsServiceClient,
    payments_service_client::PaymentsServiceClient, users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    books::{Books, START, at, call},
    contract::decimal,
    proxy::Way,
    server::{Authorized, Data, SECRET, Server, bearer},
};
use tonic::{Code, Status, codegen::tokio_stream};

use crate::{distance::by_proxy, on_both};

/// Changes a balance, without a key to repeat it under.
async fn adjust(admin: Authorized, user_id: i64, amount: &str) -> Result<LedgerEntry, Status> {
    let request = AdjustBalanceRequest {
        user_id: Some(user_id),
        amount: decimal(amount),
        ..Default::default()
    };
    let adjusted = AccountsServiceClient::new(admin).adjust_balance(request).await?;
    Ok(adjusted.into_inner().entry.unwrap())
}

async fn entries(admin: &Authorized, user_id: i64) -> Vec<LedgerEntry> {
    let request =
        ListLedgerEntriesRequest { user_id: Some(user_id), page_size: 1_000, ..Default::default() };
    let entries = AccountsServiceClient::new(admin.clone()).list_ledger_entries(request).await;
    entries.unwrap().into_inner().entries
}

/// Every commit is carried out and its answer lost. Whatever is asked for then is done once, and
/// whoever asked hears what was done.
#[tokio::test(flavor = "multi_thread")]
async fn f01_a_commit_whose_answer_is_lost_counts_once() {
    let Some((_data, _postgres, proxy, books)) = by_proxy().await else { return };
    proxy.set(Way::LosesCommits);
    let mut updates = JoinSet::new();
    for _ in 0..60 {
        updates.spawn(adjust(books.admin.clone(), 10, "1.11"));
    }
    for update in updates.join_all().await {
        update.unwrap();
    }
    let mut payments = PaymentsServiceClient::new(books.admin.clone());
    let payment = RecordPaymentRequest {
        user_id: Some(11),
        amount: decimal("5"),
        currency: "USD".to_owned(),
        ..Default::default()
    };
    payments.record_payment(payment).await.unwrap();
    // What the lost commit stored is not taken for a duplicate.
    let taken = books.send(vec![(0..50).map(call).collect()]).await.unwrap();
    assert_eq!((taken.stored, taken.duplicates), (50, 0), "{taken:?}");
    let mut users = UsersServiceClient::new(books.admin.clone());
    let user = Some(User { username: "once".to_owned(), ..Default::default() });
    users.create_user(CreateUserRequest { user, ..Default::default() }).await.unwrap();
    let request = SetExchangeRateRequest { code: "EUR".to_owned(), exchange_rate: decimal("0.9") };
    CurrenciesServiceClient::new(books.admin.clone()).set_exchange_rate(request).await.unwrap();
    let mut live = LiveCallsServiceClient::new(books.admin.clone());
    let request = AuthorizeCallRequest {
        call_id: "live".to_owned(),
        source: "37060000001".to_owned(),
        destination: "37061234567".to_owned(),
        originator: "user6".to_owned(),
        ..Default::default()
    };
    let authorized = live.authorize_call(request).await.unwrap().into_inner();
    assert_eq!(authorized.reject_code, 0, "{authorized:?}");
    let record =
        CallRecord { call_id: "live".to_owned(), billsec_ms: Some(1_000), ..Default::default() };
    let finished = live.finish_call(FinishCallRequest { call: Some(record) }).await.unwrap();
    assert!(!finished.into_inner().duplicate);
    proxy.set(Way::Open);

    assert_eq!(entries(&books.admin, 10).await.len(), 60);
    assert_eq!(books.balance(10).await, "66.6");
    assert_eq!(books.balance(11).await, "5");
    let list = ListUsersRequest { page_size: 1_000, ..Default::default() };
    let list = users.list_users(list).await.unwrap().into_inner().users;
    assert_eq!(list.iter().filter(|user| user.username == "once").count(), 1);
    books.check(8 + 50 + 1).await;
}

/// A commit that never arrives: nothing is done, and who repeats it is not doubled.
#[tokio::test(flavor = "multi_thread")]
async fn f01_a_commit_that_is_lost_itself_is_not_told_as_done() {
    let Some((_data, _postgres, proxy, books)) = by_proxy().await else { return };
    let mut told = 0;
    for round in 0_u64..6 {
        let mut updates = JoinSet::new();
        for _ in 0..20 {
            updates.spawn(adjust(books.admin.clone(), 10, "1"));
        }
        tokio::time::sleep(Duration::from_millis(3 * round)).await;
        proxy.set(Way::Cut);
        tokio::time::sleep(Duration::from_millis(20)).await;
        proxy.set(Way::Open);
        for update in updates.join_all().await {
            match update {
                Ok(_) => told += 1,
                Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
            }
        }
    }
    // The database was there again in time to be asked each time: an error means not done.
    assert_eq!(entries(&books.admin, 10).await.len(), told);
    books.check(8).await;
}

/// A server that refuses a commit says so: that may be tried again.
#[tokio::test(flavor = "multi_thread")]
async fn f01_a_commit_that_the_server_refuses_is_tried_again() {
    let Some((data, postgres)) = Data::on_own_postgres() else { return };
    let books = Books::open(&data).await;
    // At each of the first three commits of an entry, what means that it was not committed.
    let refusing = "CREATE SEQUENCE commits; \
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF nextval('commits') <= 3 THEN RAISE 'not now' USING ERRCODE = '40001'; END IF; \
         RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER refusing AFTER INSERT ON ledger_entries \
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();";
    let url = data.database_url().unwrap();
    let _ = postgres.sql(url, refusing);
    adjust(books.admin.clone(), 10, "7").await.unwrap();
    assert_eq!(postgres.sql(url, "SELECT last_value FROM commits"), "4");
    assert_eq!(books.balance(10).await, "7");
    books.check(8).await;
}

/// A commit that an administrator cancels is none, and who asked hears it.
#[tokio::test(flavor = "multi_thread")]
async fn f01_a_commit_that_is_cancelled_is_not_told_as_done() {
    let Some((data, postgres)) = Data::on_own_postgres() else { return };
    let books = Books::open(&data).await;
    let url = data.database_url().unwrap();
    // Each commit of an entry takes until it is cancelled.
    let _ = postgres.sql(
        url,
        "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         PERFORM pg_sleep(60); RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER lingering AFTER INSERT ON ledger_entries \
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION linger();",
    );
    let adjusting = tokio::spawn(adjust(books.admin.clone(), 10, "7"));
    let cancel = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity \
                  WHERE wait_event = 'PgSleep'";
    let deadline = Instant::now() + Duration::from_secs(20);
    while postgres.sql(url, cancel) == "0" {
        assert!(Instant::now() < deadline, "no commit is under way");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    adjusting.await.unwrap().unwrap_err();
    let _ = postgres.sql(url, "DROP TRIGGER lingering ON ledger_entries");
    assert_eq!(entries(&books.admin, 10).await.len(), 0);
    adjust(books.admin.clone(), 10, "1").await.unwrap();
    assert_eq!(books.balance(10).await, "1");
    books.check(8).await;
}

/// What the audit log says of a resource's newest change, straight from the database.
async fn newest(admin: &Authorized, resource: &str) -> Option<Change> {
    let request =
        ListChangesRequest { resource: resource.to_owned(), page_size: 1, ..Default::default() };
    let changes = ChangesServiceClient::new(admin.clone()).list_changes(request).await;
    changes.unwrap().into_inner().changes.into_iter().next()
}

/// Sends a request and hangs up after a while that a timer of milliseconds is too coarse for.
async fn hang_up<T: Send + 'static>(
    request: impl Future<Output = T> + Send + 'static,
    after: Duration,
) {
    let begun = Instant::now();
    let sent = tokio::spawn(request);
    tokio::task::spawn_blocking(move || {
        while begun.elapsed() < after {
            std::hint::spin_loop();
        }
    })
    .await
    .unwrap();
    sent.abort();
}

/// Waits until memory says what the database says: at once, but for what is still under way.
async fn agrees<F: Future<Output = (String, String)>>(what: &str, state: impl Fn() -> F) {
    let begun = Instant::now();
    loop {
        let (memory, database) = state().await;
        if memory == database {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "{what}: memory says {memory}, the database {database}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How often a client hangs up during each kind of request, and the moments of it.
const MOMENTS: u32 = 16;

fn moments(longest: Duration) -> impl Iterator<Item = (u32, Duration)> {
    (0..MOMENTS).map(move |n| (n, longest * n / MOMENTS))
}

/// Clients that hang up at every moment of a change: what is in memory is never behind what was
/// committed.
#[tokio::test(flavor = "multi_thread")]
async fn f05_a_client_that_hangs_up_leaves_nothing_behind() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let admin = &books.admin;
        let longest = an_exchange_rate(admin).await;
        hang_up_on_exchange_rates(admin, longest).await;
        hang_up_on_balances(&books, longest).await;
        hang_up_on_deletions(admin, longest).await;
        books.check(8).await;
        // A server that stops waits for what is left.
        let mut books = books;
        assert!(books.server.stop().success());
    })
    .await;
}

/// How long a change takes, and a bit.
async fn an_exchange_rate(admin: &Authorized) -> Duration {
    let begun = Instant::now();
    set_rate(admin.clone(), "0.5".to_owned()).await.unwrap();
    begun.elapsed() * 3 / 2
}

async fn set_rate(admin: Authorized, rate: String) -> Result<(), Status> {
    let request = SetExchangeRateRequest { code: "EUR".to_owned(), exchange_rate: decimal(&rate) };
    CurrenciesServiceClient::new(admin).set_exchange_rate(request).await.map(drop)
}

async fn hang_up_on_exchange_rates(admin: &Authorized, longest: Duration) {
    for (n, after) in moments(longest) {
        hang_up(set_rate(admin.clone(), format!("0.{}", 600 + n)), after).await;
        agrees("an exchange rate", async || {
            let list = CurrenciesServiceClient::new(admin.clone());
            let list = { list }.list_currencies(ListCurrenciesRequest::default()).await.unwrap();
            let currencies = list.into_inner().currencies;
            let euro = currencies.into_iter().find(|currency| currency.code == "EUR").unwrap();
            let stored = newest(admin, &format!("currencies/{}", euro.id)).await.unwrap();
            let rate = stored.after.split(r#""exchangeRate":{"value":""#).nth(1).unwrap();
            let stored = rate.split('"').next().unwrap().to_owned();
            (euro.exchange_rate.unwrap().value, stored)
        })
        .await;
    }
}

/// Over gRPC, and by the shim of the same process.
async fn hang_up_on_balances(books: &Books, longest: Duration) {
    let url = books.server.url("user_balance_update");
    let hash = tollbook_tests::legacy_hash("101", SECRET);
    let http = reqwest::Client::new();
    for (n, after) in moments(longest) {
        if n % 2 == 0 {
            hang_up(adjust(books.admin.clone(), 10, "1"), after).await;
        } else {
            let form = [("u", "admin"), ("user_id", "10"), ("balance", "1"), ("hash", &hash)];
            hang_up(http.post(&url).form(&form).send(), after).await;
        }
        agrees("a balance", async || {
            let newest = entries(&books.admin, 10).await.into_iter().next();
            let stored = newest.map_or("0".to_owned(), |entry| entry.balance_after.unwrap().value);
            (books.balance(10).await, stored)
        })
        .await;
    }
}

/// Of API keys, and of managers.
async fn hang_up_on_deletions(admin: &Authorized, longest: Duration) {
    let mut keys = ApiKeysServiceClient::new(admin.clone());
    let mut users = UsersServiceClient::new(admin.clone());
    for (n, after) in moments(longest) {
        let key = ApiKey { user_id: Some(4), name: format!("key {n}"), ..Default::default() };
        let created = keys.create_api_key(CreateApiKeyRequest { api_key: Some(key) }).await;
        let id = created.unwrap().into_inner().api_key.unwrap().id;
        let mut client = keys.clone();
        let delete =
            async move { client.delete_api_key(DeleteApiKeyRequest { id: Some(id) }).await };
        hang_up(delete, after).await;
        agrees("a deleted API key", async || {
            let list = keys.clone().list_api_keys(ListApiKeysRequest::default()).await.unwrap();
            let counts = list.into_inner().api_keys.iter().any(|key| key.id == id);
            let stored = newest(admin, &format!("apiKeys/{id}")).await.unwrap();
            (counts.to_string(), (!stored.after.is_empty()).to_string())
        })
        .await;

        let user = User {
            username: format!("manager {n}"),
            role: tollbook_proto::v1::Role::Manager.into(),
            manager_group_id: 1,
            ..Default::default()
        };
        let request = CreateUserRequest { user: Some(user), ..Default::default() };
        let id = users.create_user(request).await.unwrap().into_inner().user.unwrap().id.unwrap();
        let mut client = users.clone();
        let delete = async move { client.delete_user(DeleteUserRequest { id: Some(id) }).await };
        hang_up(delete, after).await;
        agrees("a deleted manager", async || {
            let request = GetBalanceRequest { user_id: Some(id), ..Default::default() };
            let known = AccountsServiceClient::new(admin.clone()).get_balance(request).await;
            let stored = newest(admin, &format!("users/{id}")).await.unwrap();
            (known.is_ok().to_string(), (!stored.after.is_empty()).to_string())
        })
        .await;
    }
}

/// A stream of calls that breaks: what was read of it is in the books, and in memory.
#[tokio::test(flavor = "multi_thread")]
async fn f05_a_stream_that_breaks_ends_and_leaves_nothing_behind() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        for n in 0..6 {
            let (sender, receiver) = tokio::sync::mpsc::channel(1);
            let admin = books.admin.clone();
            let sent = tokio::spawn(async move {
                let messages = tokio_stream::wrappers::ReceiverStream::new(receiver);
                CallsServiceClient::new(admin).ingest_calls(messages).await
            });
            let calls = (0..200).map(|call_number| CallRecord {
                call_id: format!("broken-{n}-{call_number}"),
                start_time: at(START + call_number),
                ..call(5 * call_number)
            });
            sender
                .send(IngestCallsRequest { calls: calls.collect(), ..Default::default() })
                .await
                .unwrap();
            // What has come is stored after a tenth of a second.
            tokio::time::sleep(Duration::from_millis(95 + 10 * n)).await;
            sent.abort();
            agrees("charges for calls", async || {
                let newest = entries(&books.admin, 6).await.into_iter().next().unwrap();
                (books.balance(6).await, newest.balance_after.unwrap().value)
            })
            .await;
        }
        let mut books = books;
        let begun = Instant::now();
        assert!(books.server.stop().success());
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    })
    .await;
}

/// A repeated key hears its first answer, whatever has gone since.
#[tokio::test(flavor = "multi_thread")]
async fn f09_a_repeated_key_hears_its_first_answer_whatever_has_gone() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let mut accounts = AccountsServiceClient::new(books.admin.clone());
        let mut payments = PaymentsServiceClient::new(books.admin.clone());
        let adjust = AdjustBalanceRequest {
            user_id: Some(20),
            amount: decimal("4"),
            idempotency_key: "adjust".to_owned(),
            ..Default::default()
        };
        let pay = RecordPaymentRequest {
            user_id: Some(20),
            amount: decimal("6"),
            currency: "AMD".to_owned(),
            idempotency_key: "pay".to_owned(),
            ..Default::default()
        };
        let adjusted = accounts.adjust_balance(adjust.clone()).await.unwrap().into_inner();
        let paid = payments.record_payment(pay.clone()).await.unwrap().into_inner();

        let mut currencies = CurrenciesServiceClient::new(books.admin.clone());
        let list = currencies.list_currencies(ListCurrenciesRequest::default()).await.unwrap();
        let dram = list.into_inner().currencies.into_iter().find(|one| one.code == "AMD").unwrap();
        let switched_off =
            UpdateCurrencyRequest { id: Some(dram.id), active: Some(false), ..Default::default() };
        currencies.update_currency(switched_off).await.unwrap();
        let again = payments.record_payment(pay.clone()).await.unwrap().into_inner();
        assert_eq!(again, paid);
        let mut users = UsersServiceClient::new(books.admin.clone());
        users.delete_user(DeleteUserRequest { id: Some(20) }).await.unwrap();
        let again = payments.record_payment(pay.clone()).await.unwrap().into_inner();
        assert_eq!(again, paid);
        let again = accounts.adjust_balance(adjust.clone()).await.unwrap().into_inner();
        assert_eq!(again, adjusted);

        // Another request under the key is none, and what was never answered is refused.
        let other = AdjustBalanceRequest { amount: decimal("5"), ..adjust.clone() };
        let refused = accounts.adjust_balance(other).await.unwrap_err();
        assert_eq!(refused.code(), Code::AlreadyExists, "{refused:?}");
        let new = AdjustBalanceRequest { idempotency_key: "new".to_owned(), ..adjust };
        let refused = accounts.adjust_balance(new).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
        let new =
            RecordPaymentRequest { user_id: Some(4), idempotency_key: "new".to_owned(), ..pay };
        let refused = payments.record_payment(new).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
        books.check(8).await;
    })
    .await;
}

/// Two managers who are responsible for one another, changed at once: each change waits for the
/// other, and one of them is tried again.
#[tokio::test(flavor = "multi_thread")]
async fn f09_a_change_of_a_user_that_loses_is_tried_again() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let update = |id: i64, manager: i64, name: String| {
            let request = UpdateUserRequest {
                user: Some(User {
                    id: Some(id),
                    first_name: name,
                    responsible_manager_id: manager,
                    ..Default::default()
                }),
                update_mask: Some(prost_types::FieldMask {
                    paths: vec!["first_name".to_owned(), "responsible_manager_id".to_owned()],
                }),
                ..Default::default()
            };
            let mut users = UsersServiceClient::new(books.admin.clone());
            async move { users.update_user(request).await.map(drop) }
        };
        let mut updates = JoinSet::new();
        for n in 0..16 {
            updates.spawn(update(1 + n % 2, 2 - n % 2, format!("name {n}")));
        }
        for updated in updates.join_all().await {
            updated.unwrap();
        }
    })
    .await;
}

/// On PostgreSQL as on SQLite, for which a test in the crate says it all.
#[tokio::test(flavor = "multi_thread")]
async fn f12_what_has_expired_goes_by_itself() {
    let Some((data, postgres)) = Data::on_own_postgres() else { return };
    let books = Books::open(&data).await;
    let url = data.database_url().unwrap();
    let Books { server, token, .. } = books;
    drop(server);
    let insert = "INSERT INTO access_tokens \
           SELECT 1000 + n, 'expired ' || n, 'session', '', 0, 0, 1 FROM generate_series(1, 1200) n; \
         INSERT INTO api_nonces SELECT 1, 'nonce ' || n, 0, 1 FROM generate_series(1, 1200) n; \
         INSERT INTO idempotency_keys SELECT 'replay', 'key ' || n, '', \
           (SELECT MIN(id) FROM ledger_entries), 1 FROM generate_series(1, 1200) n; \
         INSERT INTO transaction_keys SELECT n, TRUE, now() - interval '1 day' \
           FROM generate_series(1, 1200) n;";
    let _ = postgres.sql(url, insert);
    let left = "SELECT (SELECT COUNT(*) FROM access_tokens WHERE expires_at = 1) \
         + (SELECT COUNT(*) FROM api_nonces) \
         + (SELECT COUNT(*) FROM idempotency_keys WHERE scope = 'replay') \
         + (SELECT COUNT(*) FROM transaction_keys WHERE created_at < now() - interval '1 hour')";
    assert_eq!(postgres.sql(url, left), "4800");
    let server = Server::start(&data);
    let begun = Instant::now();
    while postgres.sql(url, left) != "0" {
        assert!(begun.elapsed() < Duration::from_secs(10), "{} are left", postgres.sql(url, left));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // What counts is kept.
    let admin = bearer(server.channel().await, &token);
    adjust(admin, 10, "1").await.unwrap();
}
