//! "API restricted": what a group gives an account of every legacy method, in both dialects and
//! however it proves who it is; and a uniquehash in the place of a hash.

use std::collections::{BTreeMap, HashMap};

use tollbook_proto::{
    legacy,
    v1::{
        ApiAccess, ApiKey, ApiPermissionGroup, CreateApiKeyRequest,
        CreateApiPermissionGroupRequest, CreateUserRequest, DeleteApiPermissionGroupRequest,
        ErrorReason, GetApiPermissionGroupRequest, LegacyDialect, ListApiPermissionGroupsRequest,
        ListUsersRequest, Role, UpdateApiPermissionGroupRequest, UpdateUserRequest, User,
        api_keys_service_client::ApiKeysServiceClient,
        api_permission_groups_service_client::ApiPermissionGroupsServiceClient,
        users_service_client::UsersServiceClient,
    },
};
use tollbook_tests::{
    contract::{Fixture, UNIQUEHASH, mask},
    legacy_hash,
    server::{Authorized, Data, SECRET, Server, bearer},
};
use tonic::Status;
use tonic_types::StatusExt;

use crate::on_both;

const DENIED: &str = "You are not authorized to use this functionality";

/// A server of both dialects: with its address in the other one, MOR's.
struct Office {
    server: Server,
    mor: String,
    fixture: Fixture,
    admin: Authorized,
    groups: ApiPermissionGroupsServiceClient<Authorized>,
    users: UsersServiceClient<Authorized>,
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

impl Office {
    async fn open(data: &Data) -> Self {
        let environment = [("TOLLBOOK_OTHER_DIALECT_ADDR", "127.0.0.1:0")];
        let server = Server::start_part(data, "serve", &environment);
        let prefix = "XML API (MOR) listening on ";
        let mor = server.said.lines().find_map(|line| line.strip_prefix(prefix)).unwrap();
        let mor = mor.to_owned();
        let fixture = Fixture::fill(&server).await;
        fixture.settings(SECRET, &BTreeMap::new()).await;
        let admin = server.admin().await;
        let groups = ApiPermissionGroupsServiceClient::new(admin.clone());
        let users = UsersServiceClient::new(admin.clone());
        Self { server, mor, fixture, admin, groups, users }
    }

    async fn group(&mut self, methods: HashMap<String, i32>) -> Result<ApiPermissionGroup, Status> {
        let group = ApiPermissionGroup { name: "robots".into(), methods, ..Default::default() };
        let request = CreateApiPermissionGroupRequest { api_permission_group: Some(group) };
        let created = self.groups.create_api_permission_group(request).await?;
        Ok(created.into_inner().api_permission_group.unwrap())
    }

    /// What becomes of a user's restriction.
    async fn restrict(&mut self, user: i64, on: bool, group: i64) -> Result<(), Status> {
        let user = User {
            id: Some(user),
            api_restricted: on,
            api_permission_group_id: group,
            ..Default::default()
        };
        let paths = ["api_restricted", "api_permission_group_id"].map(str::to_owned).to_vec();
        let request = UpdateUserRequest {
            user: Some(user),
            update_mask: Some(prost_types::FieldMask { paths }),
            ..Default::default()
        };
        self.users.update_user(request).await.map(drop)
    }

    /// Calls a method of a dialect.
    async fn call(&self, dialect: LegacyDialect, method: &str, form: &[(&str, &str)]) -> String {
        let address = if dialect == LegacyDialect::Mor { &self.mor } else { &self.server.http };
        let url = format!("http://{address}/billing/api/{method}");
        let response = reqwest::Client::new().post(url).form(form).send().await.unwrap();
        assert_eq!(response.status(), 200, "{method}");
        response.text().await.unwrap()
    }
}

/// A right to each method: at most this one, for none can be written by that only reads.
fn all(most: ApiAccess) -> HashMap<String, i32> {
    let methods = legacy::DIALECTS.into_iter().flat_map(legacy::methods);
    let given = methods.map(|method| {
        let reads = most == ApiAccess::Write && method.only_reads();
        let access = if reads { ApiAccess::Read } else { most };
        (method.known_as().to_owned(), access.into())
    });
    given.collect()
}

/// Every method there is, as somebody who is restricted: what the group does not give is refused, in both
/// dialects, and what it gives is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_gives_what_it_says_of_every_method_and_nothing_else() {
    on_both(|data| async move {
        let mut office = Office::open(&data).await;
        // So that each method gets as far as to ask what its caller may.
        let unchecked = [("disable_hash_checking".to_owned(), toml::Value::Boolean(true))];
        office.fixture.settings(SECRET, &unchecked.into()).await;
        let disabled = office.group(all(ApiAccess::Disabled)).await.unwrap().id();
        let reads = office.group(all(ApiAccess::Read)).await.unwrap().id();
        let writes = office.group(all(ApiAccess::Write)).await.unwrap().id();
        let mut wrong = Vec::new();
        for (user, name, role) in [(5, "bob", Role::User), (1, "mgr_all", Role::Manager)] {
            for (group, reading, writing) in [
                (0, false, false),
                (disabled, false, false),
                (reads, true, false),
                (writes, true, true),
            ] {
                office.restrict(user, true, group).await.unwrap();
                for dialect in legacy::DIALECTS {
                    // What names no caller is nobody's to be restricted in; other roles are refused anyway.
                    let methods = legacy::methods(dialect).iter();
                    for method in methods.filter(|method| method.roles.contains(&role)) {
                        let answer = office.call(dialect, method.name, &[("u", name)]).await;
                        let may = if method.only_reads() { reading } else { writing };
                        if answer.contains(DENIED) == may {
                            let method = method.name;
                            wrong.push(format!("{dialect:?} {method} {name} {group}: {answer}"));
                        }
                    }
                }
            }
            office.restrict(user, false, 0).await.unwrap();
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}

/// By the shared key, by a key of their own, by an alias; and not over gRPC.
#[tokio::test(flavor = "multi_thread")]
async fn a_restriction_counts_however_one_calls_and_at_once() {
    on_both(|data| async move {
        let mut office = Office::open(&data).await;
        let api_key = ApiKey {
            name: "robot".to_owned(),
            user_id: Some(4),
            access: ApiAccess::Write.into(),
            ..Default::default()
        };
        let request = CreateApiKeyRequest { api_key: Some(api_key) };
        let mut keys = ApiKeysServiceClient::new(office.admin.clone());
        let own = keys.create_api_key(request).await.unwrap().into_inner().secret;
        let ask = async |office: &Office| {
            let mut answers = Vec::new();
            for (dialect, method, key) in [
                (LegacyDialect::M4, "user_details_get", SECRET),
                (LegacyDialect::M4, "user_details", own.as_str()),
                (LegacyDialect::Mor, "user_details_get", SECRET),
                (LegacyDialect::Mor, "user_details", own.as_str()),
            ] {
                let hash = legacy_hash("4", key);
                let form = [("u", "alice"), ("user_id", "4"), ("hash", &*hash)];
                let answer = office.call(dialect, method, &form).await;
                let denied = format!("<status>\n  <error>{DENIED}</error>\n</status>");
                assert!(answer.contains("Alice") || answer.contains(&denied), "{answer}");
                answers.push(answer.contains("Alice"));
            }
            answers
        };
        let session = office.server.log_in("alice", "wonderland").await;
        let mut own_users = UsersServiceClient::new(session.clone());
        let myself = tollbook_proto::v1::GetUserRequest { id: Some(4), ..Default::default() };
        own_users.get_user(myself.clone()).await.unwrap();
        assert_eq!(ask(&office).await, [true; 4]);

        office.restrict(4, true, 0).await.unwrap();
        assert_eq!(ask(&office).await, [false; 4]);
        let refused = own_users.get_user(myself.clone()).await.unwrap_err();
        assert_eq!(reason(&refused), ErrorReason::ApiRestricted.reason());
        // A new session opens as little, and logging in is not refused: portals ask by it who somebody is.
        let session = office.server.log_in("alice", "wonderland").await;
        let refused = UsersServiceClient::new(session).get_user(myself.clone()).await.unwrap_err();
        assert_eq!(reason(&refused), ErrorReason::ApiRestricted.reason());

        let given = [("user_details".to_owned(), ApiAccess::Read.into())];
        let group = office.group(given.into()).await.unwrap();
        assert_eq!(group.methods.keys().collect::<Vec<_>>(), ["user_details_get"]);
        office.restrict(4, true, group.id()).await.unwrap();
        assert_eq!(ask(&office).await, [true; 4]);
        own_users.get_user(myself.clone()).await.unwrap_err();

        // Taken away from the group, it is at once.
        let request = UpdateApiPermissionGroupRequest {
            api_permission_group: Some(ApiPermissionGroup { id: group.id, ..Default::default() }),
            update_mask: mask("methods.user_details_get"),
        };
        office.groups.update_api_permission_group(request).await.unwrap();
        assert_eq!(ask(&office).await, [false; 4]);
        office.restrict(4, false, group.id()).await.unwrap();
        assert_eq!(ask(&office).await, [true; 4]);
        own_users.get_user(myself).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_checked_listed_changed_and_stay_while_somebody_has_them() {
    on_both(|data| async move {
        let mut office = Office::open(&data).await;
        let given = |name: &str, access: i32| HashMap::from([(name.to_owned(), access)]);
        let both = ["user_details", "user_details_get"];
        let both = both.map(|name| (name.to_owned(), ApiAccess::Read.into())).into();
        for (methods, problem) in [
            (given("users_gte", ApiAccess::Read.into()), "is no method"),
            (given("users_get", ApiAccess::Write.into()), "only reads"),
            (given("users_get", ApiAccess::Unspecified.into()), "must be one of"),
            (given("users_get", 99), "methods"),
            (both, "named twice"),
        ] {
            let refused = office.group(methods).await.unwrap_err();
            assert_eq!(reason(&refused), ErrorReason::InvalidField.reason());
            assert!(refused.message().contains(problem), "{refused}");
        }
        let one = office.group(given("users_get", ApiAccess::Read.into())).await.unwrap();
        let other = office.group(HashMap::new()).await.unwrap();
        let page = ListApiPermissionGroupsRequest { page_size: 1, ..Default::default() };
        let first = office.groups.list_api_permission_groups(page.clone()).await.unwrap();
        let first = first.into_inner();
        assert_eq!(first.api_permission_groups, std::slice::from_ref(&one));
        let next = ListApiPermissionGroupsRequest { page_token: first.next_page_token, ..page };
        let next = office.groups.list_api_permission_groups(next).await.unwrap().into_inner();
        assert_eq!((next.api_permission_groups, next.next_page_token.as_str()), (vec![other], ""));

        // A mask changes what it names alone; without one all is as it is said.
        let mut change = async |path: &str, group: ApiPermissionGroup| {
            let update_mask = mask(path).filter(|_| !path.is_empty());
            let request =
                UpdateApiPermissionGroupRequest { api_permission_group: Some(group), update_mask };
            let changed = office.groups.update_api_permission_group(request).await;
            changed.map(|changed| changed.into_inner().api_permission_group.unwrap())
        };
        let new = ApiPermissionGroup {
            id: one.id,
            name: "portal".to_owned(),
            methods: given("payment_create", ApiAccess::Write.into()),
            ..Default::default()
        };
        let changed = change("methods.payment_create", new.clone()).await.unwrap();
        assert_eq!((changed.name.as_str(), changed.methods.len()), ("robots", 2));
        for path in ["id", "methods.create_payment", "methods.nothing", "nothing"] {
            let refused = change(path, new.clone()).await.unwrap_err();
            assert_eq!(reason(&refused), ErrorReason::InvalidField.reason(), "{path}");
        }
        assert_eq!(change("", new.clone()).await.unwrap(), new);
        let missing = ApiPermissionGroup { id: Some(99), ..new.clone() };
        let missing = change("name", missing).await.unwrap_err();
        assert_eq!(reason(&missing), ErrorReason::ApiPermissionGroupNotFound.reason());
        let request = GetApiPermissionGroupRequest { id: one.id };
        let got = office.groups.get_api_permission_group(request).await.unwrap().into_inner();
        assert_eq!(got.api_permission_group, Some(new));

        // In use, also by who is not restricted at the moment.
        let delete = DeleteApiPermissionGroupRequest { id: one.id };
        office.restrict(5, false, one.id()).await.unwrap();
        let refused = office.groups.delete_api_permission_group(delete).await.unwrap_err();
        assert_eq!(reason(&refused), ErrorReason::ApiPermissionGroupInUse.reason());
        office.restrict(5, false, 0).await.unwrap();
        office.groups.delete_api_permission_group(delete).await.unwrap();
        let refused = office.restrict(5, true, one.id()).await.unwrap_err();
        assert_eq!(reason(&refused), ErrorReason::ApiPermissionGroupNotFound.reason());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_alone_restricts_and_users_and_managers_alone_are_restricted() {
    on_both(|data| async move {
        let mut office = Office::open(&data).await;
        let group = office.group(HashMap::new()).await.unwrap().id();
        for (name, role) in [("shop", Role::Reseller), ("chain", Role::Partner)] {
            let user = User {
                username: name.to_owned(),
                role: role.into(),
                api_restricted: true,
                ..Default::default()
            };
            let create = |user: User| CreateUserRequest { user: Some(user), ..Default::default() };
            let refused = office.users.create_user(create(user.clone())).await.unwrap_err();
            assert_eq!(reason(&refused), ErrorReason::InvalidField.reason());
            let user = User { api_restricted: false, ..user };
            let created = office.users.create_user(create(user)).await.unwrap().into_inner();
            let id = created.user.unwrap().id();
            office.restrict(id, false, group).await.unwrap_err();
        }
        office.restrict(0, true, 0).await.unwrap_err();
        office.restrict(1, true, group).await.unwrap();
        let all = office.users.list_users(ListUsersRequest::default()).await.unwrap().into_inner();
        let restricted: Vec<_> = all.users.iter().filter(|user| user.api_restricted).collect();
        assert_eq!((restricted.len(), restricted[0].api_permission_group_id), (1, group));

        // A manager who may change users takes no restriction off, nor puts one on.
        let token = data.token(&["office", "--user", "mgr_own"]);
        let mut manager = UsersServiceClient::new(bearer(office.server.channel().await, &token));
        let user = User { id: Some(4), api_restricted: true, ..Default::default() };
        let update_mask = mask("api_restricted");
        let request = UpdateUserRequest { user: Some(user), update_mask, ..Default::default() };
        let refused = manager.update_user(request).await.unwrap_err();
        assert_eq!(reason(&refused), ErrorReason::RoleDenied.reason());
    })
    .await;
}

/// One's own, of simple users alone, and only where the operator says so. Whoever guesses is locked out,
/// and then hears nothing of a right one.
#[tokio::test(flavor = "multi_thread")]
async fn a_uniquehash_stands_for_a_hash_where_that_is_allowed() {
    on_both(|data| async move {
        let mut office = Office::open(&data).await;
        let allowed = [("uniquehash_as_hash".to_owned(), toml::Value::Boolean(true))];
        office.fixture.settings(SECRET, &allowed.into()).await;
        let ask = async |office: &Office, hash: &str| {
            let form = [("u", "alice"), ("user_id", "4"), ("hash", hash)];
            office.call(LegacyDialect::M4, "user_details_get", &form).await
        };
        assert!(ask(&office, UNIQUEHASH).await.contains("Alice"));
        // It opens no more than a hash does to a restricted account.
        office.restrict(4, true, 0).await.unwrap();
        assert!(ask(&office, UNIQUEHASH).await.contains(DENIED));
        office.restrict(4, false, 0).await.unwrap();
        // Its clients' repetitions are requests of their own.
        let right = legacy_hash("4", SECRET);
        let mut guesses = 0;
        while guesses < 1_000 && ask(&office, UNIQUEHASH).await.contains("Alice") {
            for _ in 0..50 {
                ask(&office, &format!("guess{guesses:06}")).await;
                guesses += 1;
            }
        }
        assert!((100..1_000).contains(&guesses), "{guesses}");
        assert!(ask(&office, &right).await.contains("Alice"), "a hash cannot be guessed");
    })
    .await;
}
