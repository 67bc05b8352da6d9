//! A demo data set: a few users, currencies and payments to look around in. It is made as
//! any client would make it, over the gRPC service.

use tollbook_proto::v1::{
    self as pb, Permission, accounts_service_client::AccountsServiceClient,
    currencies_service_client::CurrenciesServiceClient,
    manager_groups_service_client::ManagerGroupsServiceClient,
    payments_service_client::PaymentsServiceClient, users_service_client::UsersServiceClient,
};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
};

use crate::{
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
    let group_id = group.into_inner().manager_group.unwrap_or_default().id;

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
            user_id,
            amount: decimal(amount),
            amount_includes_tax: true,
            currency: currency.to_owned(),
            comment: "first payment".to_owned(),
            ..Default::default()
        };
        PaymentsServiceClient::new(core.clone()).record_payment(payment).await?;
        let bonus = pb::AdjustBalanceRequest {
            user_id,
            amount: decimal("5"),
            note: "welcome bonus".to_owned(),
            ..Default::default()
        };
        AccountsServiceClient::new(core.clone()).adjust_balance(bonus).await?;
    }
    Ok(())
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
    Ok(created.into_inner().user.unwrap_or_default().id)
}

#[allow(clippy::unnecessary_wraps, reason = "every decimal field of the contract is optional")]
fn decimal(value: &str) -> Option<pb::Decimal> {
    Some(pb::Decimal { value: value.to_owned() })
}
