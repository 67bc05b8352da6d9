//! A server with tariffs and users that calls can be sent to, and questions to ask it.

use std::collections::BTreeMap;

use tollbook_proto::v1::{
    AdjustBalanceRequest, Aggregate, AggregateCallsRequest, AuditAccountsRequest, Call, CallRecord,
    GetBalanceRequest, GetUserRequest, IngestCallsRequest, IngestCallsResponse, ListCallsRequest,
    UpdateUserRequest, User, accounts_service_client::AccountsServiceClient,
    calls_service_client::CallsServiceClient, statistics_service_client::StatisticsServiceClient,
    users_service_client::UsersServiceClient,
};
use tonic::{Status, codegen::tokio_stream};

use crate::{
    contract::{Fixture, decimal, mask},
    server::{Authorized, Data, SECRET, Server, bearer},
};

/// 2026-01-20 10:00 UTC: a day on which the fixture has no calls.
pub const START: i64 = 1_768_903_200;

/// A server whose `alice` and `user6` make calls that `bob` terminates.
pub struct Books {
    /// The server.
    pub server: Server,
    /// Its gRPC service, called as the admin.
    pub admin: Authorized,
    /// A token of the admin.
    pub token: String,
}

impl Books {
    /// Starts and fills a server.
    pub async fn open(data: &Data) -> Self {
        let server = Server::start(data);
        let fixture = Fixture::fill(&server).await;
        fixture.settings(SECRET, &BTreeMap::new()).await;
        fixture.fill_calls().await;
        let token = data.token(&["books"]);
        let admin = bearer(server.channel().await, &token);
        Self { server, admin, token }
    }

    /// Runs a command as the admin; returns whether it succeeded, and all that it said.
    #[must_use]
    pub fn command(&self, data: &Data, args: &[&str]) -> (bool, String) {
        data.run(&self.server.grpc, &self.token, args)
    }

    /// Starts the server again on the same data.
    pub async fn reopen(self, data: &Data) -> Self {
        let token = self.token;
        drop(self.server);
        let server = Server::start(data);
        let admin = bearer(server.channel().await, &token);
        Self { server, admin, token }
    }

    /// Sends calls in one stream, a message for each list.
    pub async fn send(
        &self,
        messages: Vec<Vec<CallRecord>>,
    ) -> Result<IngestCallsResponse, Status> {
        let messages =
            messages.into_iter().map(|calls| IngestCallsRequest { calls, ..Default::default() });
        let messages = tokio_stream::iter(messages.collect::<Vec<_>>());
        let mut client = CallsServiceClient::new(self.admin.clone());
        Ok(client.ingest_calls(messages).await?.into_inner())
    }

    /// All calls that began on the day of [`START`], in the order of time.
    pub async fn calls(&self) -> Vec<Call> {
        let mut request = ListCallsRequest {
            from: at(START - 36_000),
            till: at(START + 50_399),
            page_size: 700,
            ..Default::default()
        };
        let mut calls = Vec::new();
        loop {
            let mut client = CallsServiceClient::new(self.admin.clone());
            let page = client.list_calls(request.clone()).await.unwrap().into_inner();
            calls.extend(page.calls);
            if page.next_page_token.is_empty() {
                return calls;
            }
            request.page_token = page.next_page_token;
        }
    }

    /// What the calls of the day of [`START`] add up to, or what `request` asks for.
    pub async fn aggregates(&self, request: AggregateCallsRequest) -> Vec<Aggregate> {
        let request = AggregateCallsRequest {
            from: request.from.or(at(START - 36_000)),
            till: request.till.or(at(START + 50_399)),
            ..request
        };
        let mut client = StatisticsServiceClient::new(self.admin.clone());
        let mut parts = client.aggregate_calls(request).await.unwrap().into_inner();
        let mut aggregates = Vec::new();
        while let Some(part) = parts.message().await.unwrap() {
            aggregates.extend(part.aggregates);
        }
        aggregates
    }

    /// A user's balance.
    pub async fn balance(&self, user: i64) -> String {
        let request = GetBalanceRequest { user_id: Some(user), ..Default::default() };
        let mut accounts = AccountsServiceClient::new(self.admin.clone());
        accounts.get_balance(request).await.unwrap().into_inner().balance.unwrap().value
    }

    /// Adds to a user's balance.
    pub async fn adjust(&self, user_id: i64, amount: &str) {
        let request = AdjustBalanceRequest {
            user_id: Some(user_id),
            amount: decimal(amount),
            ..Default::default()
        };
        AccountsServiceClient::new(self.admin.clone()).adjust_balance(request).await.unwrap();
    }

    /// Makes `user6` prepaid with a balance.
    pub async fn prepaid(&self, balance: &str) {
        // The fixture's call left him with -0.33.
        self.adjust(6, "0.33").await;
        self.adjust(6, balance).await;
        assert_eq!(self.balance(6).await, balance);
        let request = UpdateUserRequest {
            user: Some(User { id: Some(6), ..Default::default() }),
            update_mask: mask("postpaid"),
            ..Default::default()
        };
        UsersServiceClient::new(self.admin.clone()).update_user(request).await.unwrap();
    }

    /// What is reserved of the balance of `user6`.
    pub async fn frozen(&self) -> String {
        let request = GetUserRequest { id: Some(6), ..Default::default() };
        let user = UsersServiceClient::new(self.admin.clone()).get_user(request).await.unwrap();
        user.into_inner().user.unwrap().frozen_balance.unwrap().value
    }

    /// The books are right, and hold this many calls.
    pub async fn check(&self, calls: i64) {
        let mut accounts = AccountsServiceClient::new(self.admin.clone());
        let audit = accounts.audit_accounts(AuditAccountsRequest {}).await.unwrap().into_inner();
        assert_eq!(audit.findings, Vec::<String>::new());
        assert_eq!(audit.calls, calls);
    }
}

/// A time.
#[must_use]
#[allow(clippy::unnecessary_wraps, reason = "every time of the contract is optional")]
pub fn at(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds, nanos: 0 })
}

/// The n-th of some calls that differ in all that counts: two originators, answered or
/// not, with and without a terminator, over 13 hours.
#[must_use]
pub fn call(n: i64) -> CallRecord {
    let billsec = if n % 5 < 2 { 1_000 + n * 77_777 % 600_000 } else { 0 };
    let (originator, origination_point) = [("alice", 1), ("user6", 2)][usize::from(n % 3 == 0)];
    let terminated = n % 7 > 0;
    CallRecord {
        call_id: format!("call-{n}"),
        start_time: at(START + n * 31 % 46_800),
        duration_ms: Some(billsec + 4_321),
        billsec_ms: Some(billsec),
        source: format!("3706{:07}", n * 13 % 10_000_000),
        destination: format!("{}{:07}", ["370", "44"][usize::try_from(n % 2).unwrap()], n),
        originator: if n % 4 == 0 { originator } else { "" }.to_owned(),
        terminator: if terminated && n % 5 == 0 { "bob" } else { "" }.to_owned(),
        // A point is as good as its user, and both may be named.
        origination_point_id: if n % 8 == 0 { 0 } else { origination_point },
        termination_point_id: if terminated && n % 10 > 0 { 3 + n % 2 } else { 0 },
        ..Default::default()
    }
}
