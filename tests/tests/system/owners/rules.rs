//! What the table of rpcs does not say: who may own whom, which tariffs may be given, what stays the
//! operator's, and by whose settings legacy requests are judged.

use serde_json::{Value, json};
use tollbook_tests::{legacy_hash, server::SECRET};

use super::world::{World, reason};
use crate::on_both;

/// What comes of a call: the reason of the error, or "done".
async fn outcome(world: &World, persona: &str, rpc: &str, request: Value) -> String {
    let answer = world.call(persona, rpc, &[request]).await;
    answer.map_or_else(|status| reason(&status), |_| "done".to_owned())
}

/// A request to change one field of a user.
fn change(world: &World, user: &str, field: &str, value: impl Into<Value>) -> Value {
    let mut message = json!({"id": world.id("user", user)});
    message[field] = value.into();
    json!({"user": message, "updateMask": field})
}

async fn changed(world: &World, persona: &str, request: Value) -> String {
    outcome(world, persona, "UsersService/UpdateUser", request).await
}

/// Whose a user is who was created, or why he was not.
async fn created(world: &World, persona: &str, user: Value) -> String {
    match world.call(persona, "UsersService/CreateUser", &[json!({"user": user})]).await {
        Ok(answer) => {
            let id = answer[0]["user"]["id"].as_str().unwrap();
            let user = world.admin("UsersService/GetUser", json!({"id": id})).await;
            let owner = user["user"]["ownerId"].as_str().unwrap();
            world.name("user", owner).unwrap().to_owned()
        }
        Err(status) => reason(&status),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_creates_a_user_owns_him_and_the_admin_says_who_owns_whom() {
    on_both(|data| async move {
        let world = World::open(&data).await;
        let id = |name: &str| world.id("user", name);
        let mut number = 0;
        let mut named = |role: &str, owner: &str| {
            number += 1;
            let role = format!("ROLE_{role}");
            json!({"username": format!("new{number}"), "role": role, "ownerId": id(owner)})
        };
        for (persona, role, owner, expected) in [
            // A reseller owns whom he creates, whatever is asked.
            ("reseller", "USER", "admin", "reseller"),
            ("reseller", "USER", "rival", "reseller"),
            ("reseller", "RESELLER", "admin", "ROLE_DENIED"),
            ("partner", "RESELLER", "admin", "partner"),
            ("partner", "USER", "admin", "partner"),
            ("partner", "USER", "reseller", "reseller"),
            ("partner", "USER", "rival", "OWNER_INVALID"),
            ("partner", "RESELLER", "reseller", "OWNER_INVALID"),
            ("partner", "PARTNER", "admin", "ROLE_DENIED"),
            ("partner", "MANAGER", "admin", "ROLE_DENIED"),
            ("manager", "USER", "admin", "admin"),
            ("manager", "USER", "reseller", "ROLE_DENIED"),
            ("manager", "RESELLER", "admin", "ROLE_DENIED"),
            ("admin", "USER", "partner", "partner"),
            ("admin", "RESELLER", "partner", "partner"),
            ("admin", "USER", "direct", "OWNER_INVALID"),
            ("admin", "USER", "manager", "OWNER_INVALID"),
            ("admin", "RESELLER", "rival", "OWNER_INVALID"),
            ("admin", "PARTNER", "partner", "OWNER_INVALID"),
            ("admin", "PARTNER", "reseller", "OWNER_INVALID"),
        ] {
            let found = created(&world, persona, named(role, owner)).await;
            assert_eq!(found, expected, "{persona} creates a {role} of {owner}");
        }

        // Nobody but the admin hands a user over, and to nobody who cannot own him.
        for persona in ["manager", "partner", "reseller"] {
            let request = change(&world, "ru", "ownerId", id("partner"));
            assert_eq!(changed(&world, persona, request).await, "ROLE_DENIED", "{persona}");
        }
        for (user, owner) in [("partner", "reseller"), ("reseller", "reseller"), ("ru", "su")] {
            let request = change(&world, user, "ownerId", id(owner));
            assert_eq!(changed(&world, "admin", request).await, "OWNER_INVALID", "{user}");
        }
        // Shims are the operator's.
        let shim = json!({"userId": id("ru"), "name": "s", "kind": "ACCESS_TOKEN_KIND_SHIM"});
        let rpc = "AccessTokensService/CreateAccessToken";
        assert_eq!(outcome(&world, "reseller", rpc, shim).await, "ROLE_DENIED");
        // Managers of the operator, and its lists of numbers, are not for resellers to give.
        let request = change(&world, "ru", "responsibleManagerId", id("manager"));
        assert_eq!(changed(&world, "reseller", request).await, "ROLE_DENIED");
        let pool = world.admin("NumberPoolsService/CreateNumberPool", json!({"name": "few"})).await;
        let list = json!({"use": "LIST_USE_BLACKLIST", "numberPoolId": pool["numberPool"]["id"]});
        let request = change(&world, "ru", "destinationList", list);
        assert_eq!(changed(&world, "reseller", request).await, "ROLE_DENIED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reseller_belongs_to_a_group_of_addons() {
    on_both(|data| async move {
        let world = World::open(&data).await;
        let group = json!({
            "name": "Full",
            "description": "all but cards",
            "addons": ["RESELLER_ADDON_PBX_FUNCTIONS", "RESELLER_ADDON_SMS", "RESELLER_ADDON_SMS"],
        });
        let rpc = "ResellerGroupsService/CreateResellerGroup";
        let group =
            world.admin(rpc, json!({"resellerGroup": group})).await["resellerGroup"].clone();
        assert_eq!(group["addons"], json!(["RESELLER_ADDON_SMS", "RESELLER_ADDON_PBX_FUNCTIONS"]));
        let unknown = json!({"resellerGroup": {"name": "x", "addons": [0]}});
        assert_eq!(outcome(&world, "admin", rpc, unknown).await, "INVALID_FIELD");

        let join =
            |user: &str, group: &Value| change(&world, user, "resellerGroupId", group.clone());
        let id = &group["id"];
        for (persona, user, id, expected) in [
            ("admin", "rival", id, "done"),
            ("partner", "reseller", id, "done"),
            ("admin", "rival", &json!("9"), "RESELLER_GROUP_NOT_FOUND"),
            ("admin", "ru", id, "INVALID_FIELD"),
            ("reseller", "reseller", id, "ROLE_DENIED"),
        ] {
            assert_eq!(
                changed(&world, persona, join(user, id)).await,
                expected,
                "{persona} {user}"
            );
        }
        let rpc = "ResellerGroupsService/ListResellerGroups";
        let listed = world.call("partner", rpc, &[json!({})]).await.unwrap();
        assert_eq!(listed[0]["resellerGroups"], json!([group]));
        let user = json!({"id": world.id("user", "reseller")});
        let user = world.admin("UsersService/GetUser", user).await;
        assert_eq!(&user["user"]["resellerGroupId"], id);

        let delete = "ResellerGroupsService/DeleteResellerGroup";
        let in_use = outcome(&world, "admin", delete, json!({"id": id})).await;
        assert_eq!(in_use, "RESELLER_GROUP_IN_USE");
        for user in ["rival", "reseller"] {
            assert_eq!(changed(&world, "admin", join(user, &json!("0"))).await, "done");
        }
        assert_eq!(outcome(&world, "admin", delete, json!({"id": id})).await, "done");
        let gone = outcome(&world, "admin", delete, json!({"id": id})).await;
        assert_eq!(gone, "RESELLER_GROUP_NOT_FOUND");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reseller_who_moves_takes_his_users_along_at_once() {
    on_both(|data| async move {
        let world = World::open(&data).await;
        let ru = json!({"id": world.id("user", "ru")});
        let seen = async || outcome(&world, "partner", "UsersService/GetUser", ru.clone()).await;
        assert_eq!(seen().await, "done");
        let reseller = world.id("user", "reseller");
        let away = json!({
            "user": {"id": reseller, "ownerId": "0", "tariffId": world.id("tariff", "admin")},
            "updateMask": "ownerId,tariffId",
        });
        assert_eq!(changed(&world, "admin", away).await, "done");
        assert_eq!(seen().await, "USER_NOT_FOUND");
        let listed = world.call("partner", "UsersService/ListUsers", &[json!({})]).await.unwrap();
        let listed = listed[0]["users"].as_array().unwrap().iter();
        let names: Vec<_> = listed.map(|user| user["username"].as_str().unwrap()).collect();
        assert_eq!(names, ["partner", "pu"]);
        let own = json!({"ownerId": world.id("user", "reseller")});
        let listed = world.admin("UsersService/ListUsers", own).await;
        assert_eq!(listed["users"].as_array().unwrap().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tariffs_of_the_admin_are_given_where_a_setting_lets_them_be() {
    on_both(|data| async move {
        let world = World::open(&data).await;
        let give = async |persona: &str, user: &str, tariff: &str| {
            let request = change(&world, user, "tariffId", world.id("tariff", tariff));
            changed(&world, persona, request).await
        };
        // By which he pays himself he does not sell.
        for (persona, user, tariff, expected) in [
            ("reseller", "ru", "partner", "INVALID_FIELD"),
            ("reseller", "ru", "admin", "TARIFF_NOT_FOUND"),
            ("reseller", "ru", "rival", "TARIFF_NOT_FOUND"),
            ("reseller", "ru", "reseller", "done"),
            ("admin", "ru", "admin", "INVALID_FIELD"),
            ("admin", "direct", "rival", "INVALID_FIELD"),
            ("partner", "reseller", "reseller", "TARIFF_NOT_FOUND"),
            ("partner", "reseller", "admin", "INVALID_FIELD"),
            ("partner", "reseller", "partner", "done"),
        ] {
            assert_eq!(give(persona, user, tariff).await, expected, "{persona} gives {tariff}");
        }
        let on = json!({
            "settings": {"resellersUseAdminTariffs": true},
            "updateMask": "resellersUseAdminTariffs",
        });
        world.admin("SettingsService/UpdateSettings", on).await;
        for (tariff, expected) in
            [("admin", "done"), ("buying", "TARIFF_NOT_FOUND"), ("rival", "TARIFF_NOT_FOUND")]
        {
            assert_eq!(give("reseller", "ru", tariff).await, expected, "{tariff}");
        }
        let renamed = json!({"id": world.id("tariff", "admin"), "name": "mine"});
        let refused = outcome(&world, "reseller", "TariffsService/UpdateTariff", renamed).await;
        assert_eq!(refused, "ROLE_DENIED");

        // A tariff of a point is given as one of its user is.
        for (tariff, expected) in [("reseller", "done"), ("rival", "TARIFF_NOT_FOUND")] {
            let origination = json!({"tariffId": world.id("tariff", tariff)});
            let point = json!({"userId": world.id("user", "ru"), "origination": origination});
            let request = json!({"connectionPoint": point});
            let rpc = "ConnectionPointsService/CreateConnectionPoint";
            assert_eq!(outcome(&world, "reseller", rpc, request).await, expected, "{tariff}");
        }
        // Nor does who owned a user go on to price his calls.
        let moved = json!({"id": world.id("user", "ru"), "ownerId": world.id("user", "rival")});
        let request = json!({"user": moved, "updateMask": "ownerId,tariffId"});
        assert_eq!(
            outcome(&world, "admin", "UsersService/UpdateUser", request).await,
            "INVALID_FIELD"
        );
        // Who has tariffs stays.
        let request = json!({"id": world.id("user", "rival")});
        assert_eq!(
            outcome(&world, "admin", "UsersService/DeleteUser", request).await,
            "USER_IN_USE"
        );
        // Nobody owns tariffs but who can.
        let tariff = json!({"name": "t", "ownerId": world.id("user", "direct")});
        let refused =
            outcome(&world, "admin", "TariffsService/CreateTariff", json!({"tariff": tariff}))
                .await;
        assert_eq!(refused, "OWNER_INVALID");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_pays_and_to_whom_is_not_told() {
    on_both(|data| async move {
        let world = World::open(&data).await;
        let ask = async |rpc: &str, request: Value| {
            world.call("reseller", rpc, &[request]).await.unwrap()
        };
        let carrier = world.id("user", "carrier");
        let wanted = json!({"terminatorId": world.id("user", "direct")});
        let calls = &ask("CallsService/ListCalls", wanted).await[0]["calls"];
        assert_eq!(calls.as_array().unwrap().len(), 1, "the terminator is nobody's business");
        let call = &calls[0];
        assert_eq!((&call["terminator"], &call["selfCost"]), (&json!(""), &Value::Null));
        assert_ne!(call["price"], Value::Null);

        let request = json!({
            "groupBy": ["AGGREGATE_GROUPING_TERMINATOR", "AGGREGATE_GROUPING_ORIGINATOR"],
            "terminatorId": world.id("user", "direct"),
        });
        let answers = ask("StatisticsService/AggregateCalls", request).await;
        let sums = answers[0]["totals"].clone();
        let groups = answers.iter().flat_map(|answer| answer["aggregates"].as_array().unwrap());
        let groups: Vec<&Value> = groups.collect();
        assert_eq!(groups.len(), 1);
        let text = format!("{groups:?}");
        assert!(!text.contains("carrier") && !text.contains(&format!("{carrier:?}")), "{text}");
        let stats = ask("StatisticsService/GetQuickStats", json!({})).await[0].clone();
        for traffic in [&sums, &groups[0]["traffic"], &stats["month"]] {
            assert_eq!(traffic["calls"], "1");
            // What the reseller pays himself, by a tariff like his user's.
            assert_eq!(traffic["selfCost"]["value"], "0.6");
            assert_eq!(traffic["profit"]["value"], "0");
            assert_eq!(traffic["terminatorBilled"], "0");
            assert_eq!(traffic["price"]["value"], "0.6");
        }
        assert_eq!(stats["balance"]["value"], "99.4", "his own, less what he pays for his user");

        // What is kept about him he is not told; of his users all.
        for (user, comment) in [("reseller", "x"), ("ru", "y")] {
            world.admin("UsersService/UpdateUser", change(&world, user, "comment", comment)).await;
        }
        for (user, comment) in [("reseller", ""), ("ru", "y")] {
            let request = json!({"id": world.id("user", user)});
            let shown = &ask("UsersService/GetUser", request).await[0]["user"]["comment"];
            assert_eq!(shown, comment);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_calls_go_and_what_destinations_are_called_is_the_operators() {
    on_both(|data| async move {
        let world = World::open(&data).await;
        let point = world.id("point", "ru");
        let rpc = "ConnectionPointsService/UpdateConnectionPoint";
        for (path, origination, expected) in [
            ("origination.capacity", json!({"capacity": 3}), "done"),
            ("origination.routingGroupId", json!({"routingGroupId": "1"}), "ROLE_DENIED"),
            ("origination.techPrefix", json!({"techPrefix": "1"}), "ROLE_DENIED"),
            ("termination", json!({}), "ROLE_DENIED"),
        ] {
            let mut message = json!({"id": point, "origination": origination});
            if path == "termination" {
                message["termination"] = json!({"active": true});
            }
            let request = json!({"connectionPoint": message, "updateMask": path});
            assert_eq!(outcome(&world, "reseller", rpc, request).await, expected, "{path}");
        }
        let rpc = "ConnectionPointsService/CreateConnectionPoint";
        // By what the calls of others could be taken for those of his user.
        for (field, value) in [("address", "203.0.113.7"), ("description", "gw-1")] {
            let mut point = json!({"userId": world.id("user", "ru"), "origination": {}});
            point[field] = json!(value);
            let request = json!({"connectionPoint": point});
            assert_eq!(outcome(&world, "reseller", rpc, request).await, "ROLE_DENIED", "{field}");
        }
        let point = json!({"userId": world.id("user", "ru"), "origination": {}});
        let request = json!({"connectionPoint": point, "createRoutingGroup": true});
        assert_eq!(outcome(&world, "reseller", rpc, request).await, "ROLE_DENIED");

        for (persona, name) in [("admin", "Lithuania"), ("reseller", "Cheap")] {
            let owner = if persona == "admin" { "buying" } else { persona };
            let options = json!({
                "tariffId": world.id("tariff", owner),
                "useDestinationNames": true,
            });
            let line = json!({"prefix": "370", "rate": "0.7", "destination": name});
            let parts = [json!({"options": options}), json!({"lines": {"lines": [line]}})];
            let answer = world.call(persona, "TariffsService/ImportRates", &parts).await;
            assert_eq!(answer.unwrap()[0]["applied"], true);
        }
        let request = json!({"tariffId": world.id("tariff", "reseller")});
        let rates = world.call("reseller", "TariffsService/ExportRates", &[request]).await.unwrap();
        let rate = &rates[1]["rates"][0];
        assert_eq!(
            (&rate["destination"], &rate["rate"]["value"]),
            (&"Lithuania".into(), &"0.7".into())
        );
    })
    .await;
}

/// What the XML API says to a user who asks about himself, with a key.
async fn ask_about_oneself(world: &World, name: &str, key: Option<&str>) -> String {
    let id = world.id("user", name);
    let hash = key.map(|key| legacy_hash(&id, key)).unwrap_or_default();
    let form = [("u", name), ("user_id", &*id), ("hash", &*hash)];
    let url = world.server.url("user_details_get");
    let answer = reqwest::Client::new().post(url).form(&form).send().await.unwrap();
    let text = answer.text().await.unwrap();
    let known = ["API Requests are disabled", "Incorrect hash", "<username>"];
    let said = known.into_iter().find(|known| text.contains(known));
    said.unwrap_or_else(|| panic!("{text}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn legacy_requests_are_judged_by_the_settings_of_the_owner() {
    const OFF: &str = "API Requests are disabled";
    const WRONG: &str = "Incorrect hash";
    const IN: &str = "<username>";
    const KEY: &str = "A key of the reseller's own";
    on_both(|data| async move {
        let world = World::open(&data).await;
        let operator = json!({"settings": {"allowApi": true}, "updateMask": "allowApi"});
        world.admin("SettingsService/UpdateSettings", operator).await;
        assert_eq!(ask_about_oneself(&world, "direct", Some(SECRET)).await, IN);
        // Until he allows it, his users have none.
        assert_eq!(ask_about_oneself(&world, "ru", Some(SECRET)).await, OFF);
        let rpc = "SettingsService/UpdateOwnerSettings";
        let set = |settings: Value, mask: &str, force: bool| {
            let user = world.id("user", "reseller");
            json!({"userId": user, "settings": settings, "updateMask": mask, "force": force})
        };
        for (settings, mask, expected) in [
            (json!({"allowApi": true}), "allowApi", "API_SECRET_MISSING"),
            (json!({"apiSecretKey": "short"}), "apiSecretKey", "WEAK_SECRET"),
            (json!({"disableHashChecking": true}), "disableHashChecking", "HASH_CHECKING_NEEDED"),
            (json!({}), "hasApiSecretKey", "INVALID_FIELD"),
            (json!({"allowApi": true, "apiSecretKey": KEY}), "allowApi,apiSecretKey", "done"),
        ] {
            let request = set(settings, mask, false);
            assert_eq!(outcome(&world, "reseller", rpc, request).await, expected, "{mask}");
        }
        assert_eq!(ask_about_oneself(&world, "ru", Some(KEY)).await, IN);
        assert_eq!(ask_about_oneself(&world, "ru", Some(SECRET)).await, WRONG);
        assert_eq!(ask_about_oneself(&world, "direct", Some(KEY)).await, WRONG);
        assert_eq!(ask_about_oneself(&world, "su", Some(KEY)).await, OFF);
        // His users' own keys count while his API is on.
        let key = json!({"name": "own", "userId": world.id("user", "ru")});
        let own = world.admin("ApiKeysService/CreateApiKey", json!({"apiKey": key})).await;
        let own = own["secret"].as_str().unwrap();
        assert_eq!(ask_about_oneself(&world, "ru", Some(own)).await, IN);

        // The key is not shown, and the log says that it was changed.
        let request = json!({"userId": world.id("user", "reseller")});
        let shown = world.admin("SettingsService/GetOwnerSettings", request).await;
        let shown = &shown["settings"];
        assert_eq!((&shown["apiSecretKey"], &shown["hasApiSecretKey"]), (&"".into(), &true.into()));
        let log = format!("{}", world.admin("ChangesService/ListChanges", json!({})).await);
        assert!(log.contains("API secret key changed") && !log.contains(KEY), "{log}");

        // Whether hashes are checked is his own business, and the operator's is its own.
        let request = set(json!({"disableHashChecking": true}), "disableHashChecking", true);
        // What is dangerous, the admin alone forces.
        assert_eq!(outcome(&world, "reseller", rpc, request.clone()).await, "HASH_CHECKING_NEEDED");
        assert_eq!(outcome(&world, "admin", rpc, request).await, "done");
        assert_eq!(ask_about_oneself(&world, "ru", None).await, IN);
        // Nor are all addresses let in again by accident meanwhile.
        let anywhere = json!({"settings": {"apiAddresses": ""}, "updateMask": "apiAddresses"});
        let refused = outcome(&world, "admin", "SettingsService/UpdateSettings", anywhere).await;
        assert_eq!(refused, "HASH_CHECKING_NEEDED");
        assert_eq!(ask_about_oneself(&world, "direct", None).await, WRONG);
        let request = set(json!({"disableHashChecking": false}), "disableHashChecking", false);
        assert_eq!(outcome(&world, "reseller", rpc, request).await, "done");
        let unchecked = json!({
            "settings": {"disableHashChecking": true},
            "updateMask": "disableHashChecking",
            "force": true,
        });
        world.admin("SettingsService/UpdateSettings", unchecked).await;
        assert_eq!(ask_about_oneself(&world, "direct", None).await, IN);
        assert_eq!(ask_about_oneself(&world, "ru", None).await, WRONG);

        // Off again, his own or everybody's.
        assert_eq!(
            outcome(&world, "reseller", rpc, set(json!({}), "allowApi", false)).await,
            "done"
        );
        assert_eq!(ask_about_oneself(&world, "ru", Some(own)).await, OFF);
        let request = set(json!({"allowApi": true}), "allowApi", false);
        assert_eq!(outcome(&world, "reseller", rpc, request).await, "done");
        let operator = json!({"settings": {"allowApi": false}, "updateMask": "allowApi"});
        world.admin("SettingsService/UpdateSettings", operator).await;
        assert_eq!(ask_about_oneself(&world, "ru", Some(KEY)).await, OFF);
    })
    .await;
}

/// A page token leads on in the list that it is of, and is none of any other.
#[tokio::test(flavor = "multi_thread")]
async fn every_list_refuses_the_page_token_of_another() {
    on_both(|data| async move {
        let world = World::open(&data).await;
        let first = world.admin("UsersService/ListUsers", json!({"pageSize": 1})).await;
        let token = first["nextPageToken"].as_str().unwrap();
        let next = json!({"pageSize": 2, "pageToken": token});
        let next = world.admin("UsersService/ListUsers", next).await;
        assert_eq!(next["users"].as_array().unwrap().len(), 2);
        let filtered = json!({"pageToken": token, "role": "ROLE_USER"});
        let outcome = |rpc: String, request: Value| {
            let world = &world;
            async move { outcome(world, "admin", &rpc, request).await }
        };
        let refused = outcome("UsersService/ListUsers".to_owned(), filtered).await;
        assert_eq!(refused, "INVALID_PAGE_TOKEN");
        let pool = json!({"name": "numbers"});
        let pool = world.admin("NumberPoolsService/CreateNumberPool", pool).await;
        let pool = pool["numberPool"]["id"].clone();
        let device = world.device("direct").await;
        let provider = json!({"name": "carrier", "tariffId": world.id("tariff", "buying")});
        let provider = json!({"provider": provider});
        let provider = world.admin("ProvidersService/CreateProvider", provider).await;
        let provider = provider["provider"]["id"].clone();
        let lists = world.lists();
        assert!(lists.len() > 20, "{lists:?}");
        for (rpc, fields) in lists {
            let mut request = json!({"pageToken": token});
            // What some lists need to be one.
            if fields.iter().any(|field| field == "user_id") {
                request["userId"] = world.id("user", "direct").into();
            }
            if fields.iter().any(|field| field == "number_pool_id") {
                request["numberPoolId"] = pool.clone();
            }
            if fields.iter().any(|field| field == "provider_id") {
                request["providerId"] = provider.clone();
            }
            if rpc == "DeviceRulesService/ListDeviceRules" {
                request["deviceId"] = device.clone();
            }
            if rpc == "UsersService/ListUsers" {
                request["ownerId"] = "0".into();
            }
            assert_eq!(outcome(rpc.clone(), request).await, "INVALID_PAGE_TOKEN", "{rpc}");
        }
    })
    .await;
}
