//! What becomes of calls once somebody who paid for them is another owner's, and whose callers a trunk has.

use tollbook_proto::v1::{
    AuthorizeCallRequest, Cli, CreateCliRequest, CreateDeviceRequest, DeleteDeviceRequest, Device,
    RejectCode, RerateCallsRequest, UpdateCliRequest, UpdateUserRequest, User,
    clis_service_client::ClisServiceClient, devices_service_client::DevicesServiceClient,
    users_service_client::UsersServiceClient,
};
use tollbook_tests::server::Authorized;
use tonic::Code;

use super::world::{World, minute};
use crate::{calls::rerate, clis::from, live_calls::authorize, on_both};

/// Gives somebody to the admin, at another price.
async fn take_over(world: &World, name: &str) {
    let user = User {
        id: Some(world.id(name)),
        owner_id: 0,
        tariff_id: world.tariffs["dan"],
        ..Default::default()
    };
    let paths = vec!["owner_id".to_owned(), "tariff_id".to_owned()];
    let request = UpdateUserRequest {
        user: Some(user),
        update_mask: Some(prost_types::FieldMask { paths }),
        ..Default::default()
    };
    UsersServiceClient::new(world.books.admin.clone()).update_user(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_another_owners_payers_are_not_rated_again() {
    on_both(|data| async move {
        let world = World::open(&data).await;
        let calls = ["rob", "pia", "ruth"].map(|name| minute(name, name, 60_000));
        world.books.send(vec![calls.to_vec()]).await.unwrap();
        let balances = world.balances().await;
        for (name, left) in [("ray", 1), ("pia", 2)] {
            take_over(&world, name).await;
            let done = rerate(&world.books, RerateCallsRequest::default()).await;
            assert_eq!((done.changed, done.unratable), (0, left), "{name}: {done:?}");
            assert_eq!(world.balances().await, balances, "{name}");
        }
        world.price("ruth", "3").await;
        let done = rerate(&world.books, RerateCallsRequest::default()).await;
        assert_eq!((done.changed, done.unratable), (1, 2), "{done:?}");
        assert_eq!(world.balance("ruth").await, "-3");
    })
    .await;
}

async fn device(client: &Authorized, device: Device) -> i64 {
    let request = CreateDeviceRequest { device: Some(device) };
    let created = DevicesServiceClient::new(client.clone()).create_device(request).await;
    created.unwrap().into_inner().device.unwrap().id()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resellers_clis_take_no_calls_of_another_owners_trunk() {
    on_both(|data| async move {
        let world = World::open(&data).await;
        let (admin, rita) = (world.books.admin.clone(), world.client("rita").await);
        let of = |name| Device { user_id: Some(world.id(name)), ..Default::default() };
        let trunk = device(&admin, Device { callers_by_cli: true, ..of("dan") }).await;
        let phone = device(&rita, of("ruth")).await;
        let cli = Cli {
            device_id: Some(phone),
            number: "0037069000001".to_owned(),
            ..Default::default()
        };
        let mut clis = ClisServiceClient::new(rita.clone());
        let domain = Cli { domain: "dan.example".to_owned(), ..cli.clone() };
        let refused = clis.create_cli(CreateCliRequest { cli: Some(domain) }).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        let created = clis.create_cli(CreateCliRequest { cli: Some(cli) }).await.unwrap();
        let cli = created.into_inner().cli.unwrap();
        assert_eq!(cli.number, "37069000001");
        for (id, through, point) in [("trunk", Some(trunk), trunk), ("alone", None, phone)] {
            let request =
                AuthorizeCallRequest { origination_point_id: through, ..from(id, "++37069000001") };
            let answer = authorize(&world.books, request).await;
            assert_eq!(answer.reject_code(), RejectCode::Unspecified, "{answer:?}");
            assert_eq!(answer.origination_point_id, point);
        }
        let unnamed = minute("record", "", 60_000);
        let record = tollbook_proto::v1::CallRecord {
            source: "0037069000001".to_owned(),
            origination_point_id: trunk,
            ..unnamed
        };
        assert_eq!(world.books.send(vec![vec![record]]).await.unwrap().stored, 1);
        let stored = world.books.calls().await;
        let stored = stored.iter().find(|call| call.call_id == "payers-record").unwrap();
        assert_eq!(stored.origination_point_id, trunk);

        let ban = UpdateCliRequest { id: cli.id, banned: Some(true), ..Default::default() };
        ClisServiceClient::new(admin).update_cli(ban).await.unwrap();
        let delete = DeleteDeviceRequest { id: Some(phone) };
        let refused = DevicesServiceClient::new(rita).delete_device(delete).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    })
    .await;
}
