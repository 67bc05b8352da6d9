//! Whose providers and LCRs are: the admin's, those of resellers who may have their own, and those of the
//! admin's that a reseller may use in common.

use serde_json::{Value, json};

use super::world::{World, reason};
use crate::on_both;

async fn outcome(world: &World, persona: &str, rpc: &str, request: Value) -> String {
    let answer = world.call(persona, rpc, &[request]).await;
    answer.map_or_else(|status| reason(&status), |_| "done".to_owned())
}

/// Makes a provider, and says which.
async fn made(world: &World, persona: &str, provider: Value) -> Value {
    let request = json!({"provider": provider});
    let answer = world.call(persona, "ProvidersService/CreateProvider", &[request]).await;
    answer.unwrap_or_else(|status| panic!("{status}"))[0]["provider"]["id"].clone()
}

/// The providers that somebody sees.
async fn seen(world: &World, persona: &str) -> Vec<Value> {
    let rpc = "ProvidersService/ListProviders";
    let answer = world.call(persona, rpc, &[json!({"withCredentials": true})]).await.unwrap();
    answer[0]["providers"].as_array().cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reseller_has_providers_once_he_may_and_uses_the_admins_that_he_was_given() {
    on_both(|data| async move {
        let mut world = World::open(&data).await;
        world.let_in("rival").await;
        let (buying, rival) = (world.id("tariff", "buying"), world.id("user", "rival"));
        let user = json!({"id": rival, "legacyColumns": {"own_providers": "1"}});
        let pro = json!({"user": user, "updateMask": "legacyColumns"});
        let own = json!({"provider": {"name": "own", "tariffId": buying}});
        let create = "ProvidersService/CreateProvider";
        let as_reseller = json!({
            "user": {"id": world.id("user", "reseller"), "legacyColumns": {"own_providers": "1"}},
            "updateMask": "legacyColumns",
        });
        let update = "UsersService/UpdateUser";
        assert_eq!(outcome(&world, "partner", update, as_reseller).await, "ROLE_DENIED");
        assert_eq!(outcome(&world, "rival", create, own.clone()).await, "ROLE_DENIED");
        let lcr = json!({"lcr": {"name": "own"}});
        let create_lcr = "RoutingService/CreateLcr";
        assert_eq!(outcome(&world, "rival", create_lcr, lcr.clone()).await, "ROLE_DENIED");
        world.admin(update, pro).await;
        // The admin's tariff is none of his.
        assert_eq!(outcome(&world, "rival", create, own).await, "TARIFF_NOT_FOUND");
        let tariff = json!({"name": "his", "purpose": "TARIFF_PURPOSE_PROVIDER"});
        let tariff =
            world.call("rival", "TariffsService/CreateTariff", &[json!({"tariff": tariff})]).await;
        let tariff = tariff.unwrap()[0]["tariff"]["id"].clone();
        let his = json!({"name": "own", "tariffId": tariff, "password": "his secret"});
        let own = made(&world, "rival", his).await;

        let common_use = json!({"resellerId": rival, "tariffId": world.id("tariff", "admin")});
        let shared = json!({
            "name": "shared", "tariffId": buying, "host": "sip.example.org",
            "password": "the admin's", "commonUses": [common_use],
        });
        let shared = made(&world, "admin", shared).await;
        let hidden = made(&world, "admin", json!({"name": "other", "tariffId": buying})).await;
        let all = seen(&world, "rival").await;
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!((&all[0]["id"], &all[0]["password"]), (&own, &json!("his secret")));
        let told = json!({
            "id": shared, "name": "shared", "tech": "PROVIDER_TECH_SIP",
            "tariffId": world.id("tariff", "admin"),
        });
        let known = ["id", "name", "tech", "tariffId"].map(|field| (field, &all[1][field]));
        for (field, value) in known {
            assert_eq!(value, &told[field], "{field}");
        }
        for field in ["password", "host"] {
            assert!(all[1][field].as_str().is_none_or(str::is_empty), "{field}");
        }
        let named =
            |id: &Value| json!({"provider": {"id": id, "hidden": true}, "updateMask": "hidden"});
        let change = "ProvidersService/UpdateProvider";
        for (persona, id, expected) in [
            ("rival", &own, "done"),
            ("rival", &shared, "PROVIDER_NOT_FOUND"),
            ("rival", &hidden, "PROVIDER_NOT_FOUND"),
            ("reseller", &own, "PROVIDER_NOT_FOUND"),
            ("manager", &own, "done"),
        ] {
            assert_eq!(outcome(&world, persona, change, named(id)).await, expected, "{persona}");
        }
        let lcr = world.call("rival", create_lcr, &[lcr]).await.unwrap()[0]["lcr"]["id"].clone();
        let add = "RoutingService/AddLcrProvider";
        for (persona, provider, expected) in [
            ("rival", &own, "done"),
            ("rival", &shared, "done"),
            ("rival", &hidden, "PROVIDER_NOT_FOUND"),
            ("reseller", &own, "LCR_NOT_FOUND"),
        ] {
            let request = json!({"lcrId": lcr, "providerId": provider});
            assert_eq!(outcome(&world, persona, add, request).await, expected, "{provider}");
        }
    })
    .await;
}
