//! Users who own one another, what each of them has, and somebody of each kind who asks for it.
//! Requests and answers are JSON here, so that a table can hold them.

use std::collections::BTreeMap;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::{Value, json};
use tollbook_proto::legacy;
use tollbook_tests::server::{Authorized, Data, Server, bearer};
use tonic::{
    Request, Status,
    client::Grpc,
    codegen::{Bytes, http::uri::PathAndQuery, tokio_stream},
    transport::Channel,
};
use tonic_types::StatusExt;

/// Who asks, in the order of the table's columns.
pub(super) const PERSONAS: [&str; 8] =
    ["admin", "manager", "assigned", "partner", "reseller", "ru", "su", "anonymous"];

/// The users who are neither admin nor manager: `direct` is the admin's, and of the manager of
/// assigned users; `pu` and `reseller` are the partner's, `ru` the reseller's; `rival` is another
/// reseller, of the admin, and `su` the rival's user.
pub(super) const USERS: &str = "direct partner pu reseller ru rival su";
/// Those of them who make calls.
pub(super) const CALLERS: &str = "direct pu ru su";
/// The owners of tariffs: of each one, and `buying` is another of the admin's, a provider's.
pub(super) const TARIFFS: &str = "admin buying partner reseller rival";

/// A server with all of them.
pub(super) struct World {
    pub(super) server: Server,
    clients: BTreeMap<&'static str, Option<Authorized>>,
    channel: Channel,
    pool: DescriptorPool,
    /// The ids of users, of their points, payments and tariffs, and of imports into these, by the
    /// kind and the name of whose they are.
    ids: BTreeMap<(&'static str, String), String>,
}

/// A request or an answer as bytes.
#[derive(Default, Clone)]
struct Raw;

impl tonic::codec::Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl tonic::codec::Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(
        &mut self,
        item: Vec<u8>,
        buffer: &mut tonic::codec::EncodeBuf<'_>,
    ) -> Result<(), Status> {
        prost::bytes::BufMut::put_slice(buffer, &item);
        Ok(())
    }
}

impl tonic::codec::Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(
        &mut self,
        buffer: &mut tonic::codec::DecodeBuf<'_>,
    ) -> Result<Option<Bytes>, Status> {
        use prost::bytes::Buf;
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// What an error says for programs.
pub(super) fn reason(status: &Status) -> String {
    let info = status.get_details_error_info();
    info.map_or_else(|| format!("{:?}", status.code()), |info| info.reason)
}

impl World {
    /// Starts a server and fills it.
    pub(super) async fn open(data: &Data) -> Self {
        let server = Server::start(data);
        let channel = server.channel().await;
        let pool = DescriptorPool::decode(tollbook_proto::DESCRIPTORS).unwrap();
        let admin = bearer(channel.clone(), &data.token(&["owners"]));
        let clients = [("admin", Some(admin)), ("anonymous", None)].into();
        let mut world = Self { server, clients, channel, pool, ids: BTreeMap::new() };
        world.ids.insert(("user", "admin".to_owned()), "0".to_owned());
        world.fill_users().await;
        world.fill_tariffs().await;
        world.fill_traffic().await;
        for persona in PERSONAS {
            world.let_in(persona).await;
        }
        world
    }

    /// Adds a simple user and a manager who may do everything, restricted to all that a group can give.
    pub(super) async fn restricted(&mut self) -> [&'static str; 2] {
        let names = legacy::DIALECTS.into_iter().flat_map(legacy::methods);
        let names = names.map(|method| method.known_as());
        let access = |name| if legacy::only_reads(name) { "READ" } else { "WRITE" };
        let methods: BTreeMap<_, _> =
            names.map(|name| (name, format!("API_ACCESS_{}", access(name)))).collect();
        let group = json!({"apiPermissionGroup": {"name": "all", "methods": methods}});
        let group = self.admin("ApiPermissionGroupsService/CreateApiPermissionGroup", group).await;
        let id = &group["apiPermissionGroup"]["id"];
        let restriction = json!({"apiRestricted": true, "apiPermissionGroupId": id});
        self.user("limited", "ROLE_USER", "admin", restriction.clone()).await;
        let mut clerk = restriction;
        clerk["managerGroupId"] = "1".into();
        self.user("clerk", "ROLE_MANAGER", "admin", clerk).await;
        self.let_in("limited").await;
        self.let_in("clerk").await;
        ["limited", "clerk"]
    }

    /// Gives a user a token.
    pub(super) async fn let_in(&mut self, persona: &'static str) {
        if !self.clients.contains_key(persona) {
            let request = json!({"userId": self.id("user", persona), "name": "owners"});
            let created = self.admin("AccessTokensService/CreateAccessToken", request).await;
            let secret = created["secret"].as_str().unwrap();
            self.clients.insert(persona, Some(bearer(self.channel.clone(), secret)));
        }
    }

    async fn fill_users(&mut self) {
        let permissions: Vec<i32> = (1..=18).collect();
        let group = json!({"managerGroup": {"name": "all", "permissions": permissions}});
        self.admin("ManagerGroupsService/CreateManagerGroup", group).await;
        let settings = json!({
            "settings": {"showActiveCallsForUsers": true},
            "updateMask": "showActiveCallsForUsers",
        });
        self.admin("SettingsService/UpdateSettings", settings).await;
        let group = json!({"managerGroupId": "1"});
        self.user("manager", "ROLE_MANAGER", "admin", group.clone()).await;
        let mut assigned = group;
        assigned["showOnlyAssignedUsers"] = true.into();
        self.user("assigned", "ROLE_MANAGER", "admin", assigned).await;
        let manager = self.id("user", "assigned");
        let more = json!({"responsibleManagerId": manager});
        self.user("direct", "ROLE_USER", "admin", more).await;
        self.user("partner", "ROLE_PARTNER", "admin", json!({})).await;
        self.user("pu", "ROLE_USER", "partner", json!({})).await;
        self.user("reseller", "ROLE_RESELLER", "partner", json!({})).await;
        self.user("ru", "ROLE_USER", "reseller", json!({})).await;
        self.user("rival", "ROLE_RESELLER", "admin", json!({})).await;
        self.user("su", "ROLE_USER", "rival", json!({})).await;
        // Who takes the calls.
        self.user("carrier", "ROLE_USER", "admin", json!({})).await;
    }

    /// Creates a user.
    pub(super) async fn user(&mut self, name: &str, role: &str, owner: &str, mut more: Value) {
        more["username"] = name.into();
        more["role"] = role.into();
        more["ownerId"] = self.id("user", owner).into();
        more["postpaid"] = true.into();
        let created = self.admin("UsersService/CreateUser", json!({"user": more})).await;
        self.learn("user", name, &created["user"]["id"]);
    }

    async fn fill_tariffs(&mut self) {
        for owner in TARIFFS.split(' ') {
            let id = self.tariff(owner).await;
            self.learn("tariff", owner, &id);
            let options = json!({"options": {"tariffId": id}});
            let lines = json!({"lines": {"lines": [{"prefix": "370", "rate": "0.6"}]}});
            let imported =
                self.call("admin", "TariffsService/ImportRates", &[options, lines]).await;
            self.learn("import", owner, &imported.unwrap()[0]["importId"]);
        }
        for (user, owner) in [
            ("direct", "admin"),
            ("partner", "admin"),
            ("rival", "admin"),
            ("pu", "partner"),
            ("reseller", "partner"),
            ("ru", "reseller"),
            ("su", "rival"),
            ("carrier", "buying"),
        ] {
            let user = json!({"id": self.id("user", user), "tariffId": self.id("tariff", owner)});
            let request = json!({"user": user, "updateMask": "tariffId"});
            self.admin("UsersService/UpdateUser", request).await;
        }
    }

    /// A new tariff of somebody's.
    async fn tariff(&self, owner: &str) -> Value {
        let (owner, purpose) = match owner {
            "buying" => ("admin", "TARIFF_PURPOSE_PROVIDER"),
            owner => (owner, "TARIFF_PURPOSE_USER_WHOLESALE"),
        };
        let tariff = json!({"name": owner, "purpose": purpose, "ownerId": self.id("user", owner)});
        let created = self.admin("TariffsService/CreateTariff", json!({"tariff": tariff})).await;
        created["tariff"]["id"].clone()
    }

    /// A new point of a caller's.
    async fn point(&self, user: &str) -> Value {
        let point = json!({"userId": self.id("user", user), "origination": {"active": true}});
        let request = json!({"connectionPoint": point});
        let created = self.admin("ConnectionPointsService/CreateConnectionPoint", request).await;
        created["connectionPoint"]["id"].clone()
    }

    /// A payment of each, and a point, a call and a call under way of each who makes calls.
    async fn fill_traffic(&mut self) {
        for name in USERS.split(' ') {
            let id = self.id("user", name);
            let payment = json!({"userId": id, "amount": {"value": "100"}, "currency": "USD"});
            let recorded = self.admin("PaymentsService/RecordPayment", payment).await;
            self.learn("payment", name, &recorded["payment"]["id"]);
        }
        for name in CALLERS.split(' ') {
            let point = self.point(name).await;
            self.learn("point", name, &point);
            let device = self.device(name).await;
            self.learn("device", name, &device);
            let cli = self.cli(name).await;
            self.learn("cli", name, &cli);
            let rule = self.rule(name).await;
            self.learn("rule", name, &rule);
            for state in ["ended", "live"] {
                let call = json!({
                    "callId": format!("{state}-{name}"),
                    "originator": name,
                    "source": "1",
                    "destination": "37060000000",
                });
                let answer = self.admin("LiveCallsService/AuthorizeCall", call).await;
                assert_eq!(answer["rejectReason"], "", "{answer}");
            }
            let call = json!({
                "callId": format!("ended-{name}"),
                "terminator": "carrier",
                "billsecMs": "60000",
            });
            self.admin("LiveCallsService/FinishCall", json!({"call": call})).await;
        }
    }

    fn learn(&mut self, kind: &'static str, name: &str, id: &Value) {
        let id = id.as_str().unwrap_or_else(|| panic!("no {kind} of {name}")).to_owned();
        self.ids.insert((kind, name.to_owned()), id);
    }

    /// The id of a thing by whose it is.
    pub(super) fn id(&self, kind: &'static str, name: &str) -> String {
        let id = self.ids.get(&(kind, name.to_owned()));
        id.unwrap_or_else(|| panic!("no {kind} of {name}")).clone()
    }

    /// Whose a thing is; none: nobody's whom the world knows.
    pub(super) fn name(&self, kind: &'static str, id: &str) -> Option<&str> {
        let mut known = self.ids.iter();
        known.find(|(key, known)| key.0 == kind && *known == id).map(|(key, _)| key.1.as_str())
    }

    /// A request of the table about what is somebody's.
    pub(super) async fn filled(&self, template: &str, name: &str) -> Vec<Value> {
        let mut text = template.to_owned();
        for kind in ["user", "point", "device", "cli", "rule", "payment", "tariff", "import"] {
            if text.contains(&format!("${kind}")) {
                text = text.replace(&format!("${kind}"), &self.id(kind, name));
            }
        }
        if text.contains("$new-tariff") {
            text = text.replace("$new-tariff", self.tariff(name).await.as_str().unwrap());
        }
        if text.contains("$new-token") {
            let request = json!({"userId": self.id("user", name), "name": "spare"});
            let created = self.admin("AccessTokensService/CreateAccessToken", request).await;
            text = text.replace("$new-token", created["accessToken"]["id"].as_str().unwrap());
        }
        if text.contains("$new-key") {
            let key = json!({"userId": self.id("user", name), "name": "spare"});
            let created = self.admin("ApiKeysService/CreateApiKey", json!({"apiKey": key})).await;
            text = text.replace("$new-key", created["apiKey"]["id"].as_str().unwrap());
        }
        if text.contains("$new-device") {
            text = text.replace("$new-device", self.device(name).await.as_str().unwrap());
        }
        if text.contains("$new-cli") {
            text = text.replace("$new-cli", self.cli(name).await.as_str().unwrap());
        }
        if text.contains("$new-rule") {
            text = text.replace("$new-rule", self.rule(name).await.as_str().unwrap());
        }
        if text.contains("$new-point") {
            text = text.replace("$new-point", self.point(name).await.as_str().unwrap());
        }
        match serde_json::from_str(&text).unwrap() {
            Value::Array(messages) => messages,
            message => vec![message],
        }
    }

    /// Creates a device of somebody.
    pub(crate) async fn device(&self, name: &str) -> Value {
        let device = json!({"userId": self.id("user", name)});
        let created = self.admin("DevicesService/CreateDevice", json!({"device": device})).await;
        created["device"]["id"].clone()
    }

    /// Gives a device of somebody a CLI.
    async fn cli(&self, name: &str) -> Value {
        let device = self.device(name).await;
        let number = format!("3700{}", device.as_str().unwrap());
        let cli = json!({"deviceId": device, "number": number});
        self.admin("ClisService/CreateCli", json!({"cli": cli})).await["cli"]["id"].clone()
    }

    /// Adds a rule to a device of somebody.
    async fn rule(&self, name: &str) -> Value {
        let rule = json!({"name": "international", "add": "00"});
        let rule = json!({"deviceId": self.id("device", name), "rule": rule});
        let request = json!({"deviceRule": rule});
        let created = self.admin("DeviceRulesService/CreateDeviceRule", request).await;
        created["deviceRule"]["id"].clone()
    }

    /// The rpcs whose answers come in pages, with the fields of their requests.
    pub(super) fn lists(&self) -> Vec<(String, Vec<String>)> {
        let mut lists = Vec::new();
        for method in self.pool.services().flat_map(|service| service.methods().collect::<Vec<_>>())
        {
            let fields: Vec<String> =
                method.input().fields().map(|field| field.name().to_owned()).collect();
            if fields.iter().any(|field| field == "page_token") {
                let service = method.parent_service().name().to_owned();
                lists.push((format!("{service}/{}", method.name()), fields));
            }
        }
        lists
    }

    /// Calls an rpc as the admin.
    pub(super) async fn admin(&self, rpc: &str, request: Value) -> Value {
        let answer = self.call("admin", rpc, &[request]).await;
        answer.unwrap_or_else(|status| panic!("{rpc}: {status}")).remove(0)
    }

    /// Calls an rpc as somebody who has been let in, and reads the answer to its end.
    pub(super) async fn call(
        &self,
        persona: &str,
        rpc: &str,
        messages: &[Value],
    ) -> Result<Vec<Value>, Status> {
        let (service, name) = rpc.split_once('/').unwrap();
        let service = self.pool.get_service_by_name(&format!("tollbook.v1.{service}")).unwrap();
        let method = service.methods().find(|method| method.name() == name).unwrap();
        let encode = |message: &Value| {
            let message = DynamicMessage::deserialize(method.input(), message.clone());
            message.unwrap_or_else(|error| panic!("{rpc}: {error}")).encode_to_vec()
        };
        let messages: Vec<Vec<u8>> = messages.iter().map(encode).collect();
        let path = PathAndQuery::try_from(format!("/tollbook.v1.{rpc}")).unwrap();
        let request = Request::new(tokio_stream::iter(messages));
        let mut answer = if let Some(client) = &self.clients[persona] {
            let mut client = Grpc::new(client.clone());
            client.ready().await.unwrap();
            client.streaming(request, path, Raw).await?.into_inner()
        } else {
            let mut client = Grpc::new(self.channel.clone());
            client.ready().await.unwrap();
            client.streaming(request, path, Raw).await?.into_inner()
        };
        let mut answers = Vec::new();
        while let Some(bytes) = answer.message().await? {
            let message = DynamicMessage::decode(method.output(), bytes).unwrap();
            let options = SerializeOptions::new().skip_default_fields(false);
            let value = message.serialize_with_options(serde_json::value::Serializer, &options);
            answers.push(value.unwrap());
        }
        Ok(answers)
    }
}
