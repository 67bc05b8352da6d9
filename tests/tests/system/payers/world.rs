//! Resellers, partners and their users, with the tariffs by which each of them pays.

use std::collections::BTreeMap;

use tollbook_proto::v1::{
    CallRecord, CreateAccessTokenRequest, CreateTariffRequest, CreateUserRequest, LossProtection,
    Role, Tariff, TariffPurpose, UpdateUserRequest, User,
    access_tokens_service_client::AccessTokensServiceClient,
    tariffs_service_client::TariffsServiceClient, users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    books::{Books, START, at},
    contract::mask,
    server::{Authorized, Data, bearer},
};

use crate::calls::import;

/// What a minute to 370 costs each.
const USERS: [(&str, Role, &str, &str); 8] = [
    // The documented example: the admin earns 0.9, the reseller 0.8 a minute.
    ("carrier", Role::User, "", "0.3"),
    ("rita", Role::Reseller, "", "1.2"),
    ("ruth", Role::User, "rita", "2"),
    ("pat", Role::Partner, "", "0.9"),
    ("pia", Role::User, "pat", "1.5"),
    ("ray", Role::Reseller, "pat", "1.2"),
    ("rob", Role::User, "ray", "2"),
    ("dan", Role::User, "", "0.5"),
];

/// A server with all of them.
pub(super) struct World {
    pub(super) books: Books,
    pub(super) ids: BTreeMap<String, i64>,
    /// By whose they are.
    pub(super) tariffs: BTreeMap<String, i64>,
}

impl World {
    pub(super) async fn open(data: &Data) -> Self {
        let books = Books::open(data).await;
        let mut world = Self { books, ids: BTreeMap::new(), tariffs: BTreeMap::new() };
        for (name, role, owner, rate) in USERS {
            world.add(name, role, owner, rate).await;
        }
        world
    }

    pub(super) fn id(&self, name: &str) -> i64 {
        if name.is_empty() { 0 } else { self.ids[name] }
    }

    async fn add(&mut self, name: &str, role: Role, owner: &str, rate: &str) {
        let purpose = match name {
            "carrier" => TariffPurpose::Provider,
            _ => TariffPurpose::UserWholesale,
        };
        let tariff = Tariff {
            name: format!("of {name}"),
            purpose: purpose.into(),
            owner_id: self.id(owner),
            ..Default::default()
        };
        let mut tariffs = TariffsServiceClient::new(self.books.admin.clone());
        let created = tariffs.create_tariff(CreateTariffRequest { tariff: Some(tariff) }).await;
        let tariff_id = created.unwrap().into_inner().tariff.unwrap().id;
        import(&self.books, tariff_id, &[("370", rate)]).await;
        let user = User {
            username: name.to_owned(),
            role: role.into(),
            owner_id: self.id(owner),
            postpaid: true,
            tariff_id,
            ..Default::default()
        };
        let request = CreateUserRequest { user: Some(user), ..Default::default() };
        let mut users = UsersServiceClient::new(self.books.admin.clone());
        let created = users.create_user(request).await.unwrap().into_inner().user.unwrap();
        self.ids.insert(name.to_owned(), created.id.unwrap());
        self.tariffs.insert(name.to_owned(), tariff_id);
    }

    /// The service, called as somebody.
    pub(super) async fn client(&self, name: &str) -> Authorized {
        let request = CreateAccessTokenRequest {
            user_id: Some(self.id(name)),
            name: name.to_owned(),
            ..Default::default()
        };
        let mut tokens = AccessTokensServiceClient::new(self.books.admin.clone());
        let secret = tokens.create_access_token(request).await.unwrap().into_inner().secret;
        bearer(self.books.server.channel().await, &secret)
    }

    /// Changes a field of somebody.
    pub(super) async fn change(&self, name: &str, field: &str, user: User) {
        let request = UpdateUserRequest {
            user: Some(User { id: Some(self.id(name)), ..user }),
            update_mask: mask(field),
            ..Default::default()
        };
        UsersServiceClient::new(self.books.admin.clone()).update_user(request).await.unwrap();
    }

    pub(super) async fn allow_loss(&self, name: &str, allow_loss_calls: bool) {
        let loss_protection = LossProtection { allow_loss_calls, ..Default::default() };
        let user = User { loss_protection: Some(loss_protection), ..Default::default() };
        self.change(name, "loss_protection", user).await;
    }

    /// The price of somebody's minute to 370 from now on.
    pub(super) async fn price(&self, name: &str, rate: &str) {
        import(&self.books, self.tariffs[name], &[("370", rate)]).await;
    }

    pub(super) async fn balance(&self, name: &str) -> String {
        self.books.balance(self.id(name)).await
    }

    pub(super) async fn balances(&self) -> BTreeMap<&str, String> {
        let mut balances = BTreeMap::new();
        for name in self.ids.keys() {
            balances.insert(name.as_str(), self.balance(name).await);
        }
        balances
    }
}

/// A call of somebody to the carrier, answered for so long.
pub(super) fn minute(call_id: &str, originator: &str, milliseconds: i64) -> CallRecord {
    CallRecord {
        call_id: format!("payers-{call_id}"),
        start_time: at(START),
        billsec_ms: Some(milliseconds),
        source: "37060000001".to_owned(),
        destination: "37061234567".to_owned(),
        originator: originator.to_owned(),
        terminator: "carrier".to_owned(),
        ..Default::default()
    }
}
