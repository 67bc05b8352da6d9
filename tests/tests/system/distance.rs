//! A PostgreSQL at a distance, to which the way is slow, deaf or cut.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use tollbook_proto::v1::{GetBalanceRequest, accounts_service_client::AccountsServiceClient};
use tollbook_tests::{
    books::Books,
    contract::Fixture,
    postgres::Postgres,
    proxy::{Proxy, Way},
    server::{Authorized, Data, SECRET, Server, bearer},
};
use tonic::{Code, Status};

/// A server with a proxy before its PostgreSQL; `None` if there is no PostgreSQL.
pub(crate) async fn by_proxy() -> Option<(Data, Postgres, Proxy, Books)> {
    let (data, postgres) = Data::on_own_postgres()?;
    let proxy = Proxy::start(postgres.directory().to_owned());
    let url = proxy.url(data.database_url().unwrap());
    let server = Server::start_part(&data, "serve", &[("TOLLBOOK_DATABASE_URL", url.as_str())]);
    let fixture = Fixture::fill(&server).await;
    fixture.settings(SECRET, &BTreeMap::new()).await;
    fixture.fill_calls().await;
    let token = data.token(&["by proxy"]);
    let admin = bearer(server.channel().await, &token);
    Some((data, postgres, proxy, Books { server, admin, token }))
}

/// How many ask at once.
const CROWD: i64 = 96;

/// Looks a crowd of balances up at once.
fn crowd(admin: &Authorized) -> JoinSet<Result<(), Status>> {
    let mut asked = JoinSet::new();
    for number in 0..CROWD {
        let mut accounts = AccountsServiceClient::new(admin.clone());
        let request = GetBalanceRequest { user_id: Some(10 + number % 4), ..Default::default() };
        asked.spawn(async move { accounts.get_balance(request).await.map(drop) });
    }
    asked
}

/// With a connection each, six at once, they would wait for one another for three seconds.
#[tokio::test(flavor = "multi_thread")]
async fn who_looks_something_up_does_not_wait_for_the_way_of_others() {
    let Some((_data, _postgres, proxy, books)) = by_proxy().await else { return };
    // Those connections are made, and the callers are known, before the way gets slow.
    for answer in crowd(&books.admin).join_all().await {
        answer.unwrap();
    }
    proxy.set(Way::Slow(Duration::from_millis(100)));
    let begun = Instant::now();
    for answer in crowd(&books.admin).join_all().await {
        answer.unwrap();
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(1_800), "{CROWD} look-ups took {took:?}");
    proxy.set(Way::Open);
}

#[tokio::test(flavor = "multi_thread")]
async fn look_ups_whose_connection_breaks_fail_and_the_next_ones_do_not() {
    let Some((_data, _postgres, proxy, books)) = by_proxy().await else { return };
    for answer in crowd(&books.admin).join_all().await {
        answer.unwrap();
    }
    proxy.set(Way::Deaf);
    let asked = crowd(&books.admin);
    // One who leaves takes nobody's answer along.
    let mut left = crowd(&books.admin);
    tokio::time::sleep(Duration::from_millis(300)).await;
    left.abort_all();
    proxy.set(Way::Cut);
    for answer in asked.join_all().await {
        let refused = answer.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    }
    proxy.set(Way::Open);
    let begun = Instant::now();
    for answer in crowd(&books.admin).join_all().await {
        answer.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // Who leaves while the way is only slow does not keep others waiting either.
    proxy.set(Way::Slow(Duration::from_millis(50)));
    crowd(&books.admin).abort_all();
    for answer in crowd(&books.admin).join_all().await {
        answer.unwrap();
    }
    proxy.set(Way::Open);
}
