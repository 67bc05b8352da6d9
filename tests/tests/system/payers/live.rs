//! Calls under way: whoever pays is asked, his money is reserved, and the code says who has refused.

use tollbook_proto::v1::{
    ActiveCall, AuthorizeCallRequest, AuthorizeCallResponse, CallRecord, FinishCallRequest,
    ListActiveCallsRequest, RejectCode, RejectCodes, StartCallRequest, UpdateCallRequest, User,
    live_calls_service_client::LiveCallsServiceClient,
};
use tollbook_tests::{contract::decimal, server::Authorized};

use super::world::World;
use crate::on_both;

fn live(client: &Authorized) -> LiveCallsServiceClient<Authorized> {
    LiveCallsServiceClient::new(client.clone())
}

impl World {
    /// Asks for a call of somebody by the carrier.
    async fn ask(&self, call_id: &str, originator: &str) -> AuthorizeCallResponse {
        let request = AuthorizeCallRequest {
            call_id: format!("payers-{call_id}"),
            source: "37060000001".to_owned(),
            destination: "37061234567".to_owned(),
            originator: originator.to_owned(),
            terminator_ids: vec![self.id("carrier")],
            max_duration: 600,
            reject_codes: RejectCodes::Mor.into(),
            ..Default::default()
        };
        live(&self.books.admin).authorize_call(request).await.unwrap().into_inner()
    }

    async fn refused(&self, originator: &str, code: RejectCode) {
        let answer = self.ask("refused", originator).await;
        assert_eq!(answer.reject_code(), code, "{answer:?}");
        let wire = match i32::from(code) {
            210..=216 | 219..=223 => (34, 503),
            _ => (21, 403),
        };
        assert_eq!((answer.wire_cause, answer.sip_status), wire, "{code:?}");
        assert!(!answer.reject_reason.is_empty());
    }

    async fn prepaid(&self, name: &str, balance: &str) {
        if balance != "0" {
            self.books.adjust(self.id(name), balance).await;
        }
        self.change(name, "postpaid", User::default()).await;
    }

    async fn limit(&self, name: &str, call_limit: i32) {
        self.change(name, "call_limit", User { call_limit, ..Default::default() }).await;
    }

    async fn block(&self, name: &str, blocked: bool) {
        self.change(name, "blocked", User { blocked, ..Default::default() }).await;
    }

    async fn finish(&self, call_id: &str, milliseconds: Option<i64>) {
        let call = CallRecord {
            call_id: format!("payers-{call_id}"),
            billsec_ms: milliseconds,
            ..Default::default()
        };
        live(&self.books.admin).finish_call(FinishCallRequest { call: Some(call) }).await.unwrap();
    }
}

async fn under_way(client: &Authorized) -> Vec<ActiveCall> {
    let request = ListActiveCallsRequest::default();
    live(client).list_active_calls(request).await.unwrap().into_inner().calls
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shortest_allowance_counts_and_each_level_is_reserved_and_billed() {
    on_both(|data| async move {
        let world = World::open(&data).await;
        // Of 1.2 a minute, five minutes; the partner has more.
        world.prepaid("ray", "6").await;
        world.prepaid("pat", "100").await;
        let answer = world.ask("a", "rob").await;
        assert_eq!((answer.reject_code, answer.max_duration), (0, 300), "{answer:?}");
        let calls = under_way(&world.books.admin).await;
        let held = |amount: &Option<tollbook_proto::v1::Decimal>| amount.clone().unwrap().value;
        assert_eq!(held(&calls[0].reserved), "10");
        assert_eq!(held(&calls[0].reseller_reserved), "6");
        assert_eq!(held(&calls[0].partner_reserved), "4.5");
        // What a partner pays is not his reseller's to know.
        let calls = under_way(&world.client("ray").await).await;
        assert_eq!(held(&calls[0].reseller_reserved), "6");
        assert!(calls[0].partner_id.is_none() && calls[0].partner_reserved.is_none());
        // All of his money is spoken for: another call is too much, of whichever user.
        world.refused("rob", RejectCode::ResellerBalanceReserved).await;
        world.finish("a", Some(60_000)).await;
        for (name, balance) in [("rob", "-2"), ("ray", "4.8"), ("pat", "99.1"), ("carrier", "0.3")]
        {
            assert_eq!(world.balance(name).await, balance, "{name}");
        }
        // Meanwhile dearer: it is billed as it was authorised.
        let answer = world.ask("b", "rob").await;
        assert_eq!(answer.max_duration, 240, "{answer:?}");
        world.price("ray", "1.9").await;
        let start = StartCallRequest { call_id: "payers-b".to_owned(), answer_time: None };
        assert!(!live(&world.books.admin).start_call(start).await.unwrap().into_inner().hang_up);
        let update = || UpdateCallRequest { call_id: "payers-b".to_owned(), max_duration: 600 };
        let updated = live(&world.books.admin).update_call(update()).await.unwrap().into_inner();
        assert_eq!((updated.call.unwrap().max_duration, updated.hang_up), (240, false));
        world.books.adjust(world.id("ray"), "1.2").await;
        let updated = live(&world.books.admin).update_call(update()).await.unwrap().into_inner();
        assert_eq!(updated.call.unwrap().max_duration, 300);
        world.block("ray", true).await;
        let updated = live(&world.books.admin).update_call(update()).await.unwrap().into_inner();
        assert!(updated.hang_up);
        world.finish("b", Some(60_000)).await;
        assert_eq!(world.balance("ray").await, "4.8");
        assert!(under_way(&world.books.admin).await.is_empty());
        world.books.check(8 + 2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_refuses_has_a_code_of_his_own() {
    on_both(|data| async move {
        use RejectCode as Code;
        let world = World::open(&data).await;
        for (name, code) in [
            ("rob", Code::CallerBlocked),
            ("ray", Code::ResellerBlocked),
            ("pat", Code::PartnerBlocked),
        ] {
            world.block(name, true).await;
            world.refused("rob", code).await;
            world.block(name, false).await;
        }
        let answer = world.ask("first", "rob").await;
        assert_eq!(answer.reject_code, 0, "{answer:?}");
        for (name, code) in [
            ("rob", Code::CallerCallLimit),
            ("ray", Code::ResellerCallLimit),
            ("pat", Code::PartnerCallLimit),
        ] {
            world.limit(name, 1).await;
            world.refused("rob", code).await;
            world.limit(name, 0).await;
        }
        world.finish("first", None).await;

        for (name, at_limit, short) in [
            ("rob", Code::CallerBalanceLow, Code::CallerBalanceShort),
            ("ray", Code::ResellerBalanceLow, Code::ResellerBalanceLow),
            ("pat", Code::PartnerBalanceLow, Code::PartnerBalanceLow),
        ] {
            world.prepaid(name, "0").await;
            world.refused("rob", at_limit).await;
            world.books.adjust(world.id(name), "0.001").await;
            world.refused("rob", short).await;
            world.change(name, "postpaid", User { postpaid: true, ..Default::default() }).await;
        }
        // A credit is that of a user.
        let credit = User { credit: decimal("0"), ..Default::default() };
        world.change("ray", "credit", credit).await;
        world.books.adjust(world.id("ray"), "-0.001").await;
        world.refused("rob", Code::ResellerBalanceLow).await;
        let credit = User { credit: decimal("-1"), ..Default::default() };
        world.change("ray", "credit", credit).await;

        // The rates: provider 0.3, partner 0.9, reseller 1.2, user 2.
        for (name, rate, buyer, code) in
            [("ray", "2.1", "rob", Code::ResellerLoss), ("pat", "1.3", "ray", Code::PartnerLoss)]
        {
            world.price(name, rate).await;
            world.refused("rob", code).await;
            world.allow_loss(buyer, true).await;
            let call_id = format!("loss of {name}");
            assert_eq!(world.ask(&call_id, "rob").await.reject_code, 0, "{name}");
            world.finish(&call_id, None).await;
            world.allow_loss(buyer, false).await;
            world.price(name, if name == "ray" { "1.2" } else { "0.9" }).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_above_what_the_admin_is_paid_is_skipped() {
    on_both(|data| async move {
        use RejectCode as Code;
        let world = World::open(&data).await;
        // Above what the partner pays, below what the user does.
        world.price("carrier", "1").await;
        let answer = world.ask("a", "rob").await;
        assert_eq!(answer.reject_code(), Code::NoSuitableProvider);
        assert_eq!(answer.skipped_terminators[0].reject_code(), Code::ProviderLoss);
        world.allow_loss("pat", true).await;
        assert_eq!(world.ask("a", "rob").await.reject_code, 0);
        // Above what the user pays, too.
        world.price("carrier", "2.1").await;
        let answer = world.ask("b", "rob").await;
        assert_eq!(answer.skipped_terminators[0].reject_code(), Code::ProviderLoss);
        // And no rate at all.
        let gone = User { tariff_id: world.tariffs["dan"], ..Default::default() };
        world.change("pat", "tariff_id", gone).await;
        crate::calls::import(&world.books, world.tariffs["rob"], &[("44", "3")]).await;
        crate::calls::import(&world.books, world.tariffs["ray"], &[("44", "2")]).await;
        let request = AuthorizeCallRequest {
            call_id: "payers-c".to_owned(),
            destination: "442071234567".to_owned(),
            originator: "rob".to_owned(),
            ..Default::default()
        };
        let answer = live(&world.books.admin).authorize_call(request).await.unwrap().into_inner();
        assert_eq!(answer.reject_code(), Code::PartnerRateNotFound);
        let request = AuthorizeCallRequest {
            call_id: "payers-d".to_owned(),
            destination: "442071234567".to_owned(),
            originator: "ruth".to_owned(),
            ..Default::default()
        };
        let answer = live(&world.books.admin).authorize_call(request).await.unwrap().into_inner();
        // M4's code, for a switch that has not asked for MOR's.
        assert_eq!(answer.reject_code(), Code::OriginatorRateNotFound);
        assert_eq!((answer.wire_cause, answer.sip_status), (0, 0));
    })
    .await;
}
