//! TLS on both listeners, and client certificates on gRPC.

use std::{collections::BTreeMap, path::PathBuf, process::Command};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tollbook_proto::v1::{
    GetSettingsRequest, ListChangesRequest, changes_service_client::ChangesServiceClient,
    settings_service_client::SettingsServiceClient,
};
use tollbook_tests::{
    contract::Fixture,
    legacy_hash,
    server::{Data, SECRET, Server, bearer},
};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::on_both;

/// A certificate authority, and files of certificates that it has signed.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: PathBuf,
}

impl Authority {
    fn new(data: &Data, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let directory = data.directory().join(name);
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, directory }
    }

    /// Makes a certificate, and returns its files: certificate and key.
    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (
            self.file(&format!("{name}.pem"), &certificate.pem()),
            self.file(&format!("{name}.key"), &key.serialize_pem()),
        )
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.directory.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn ca(&self) -> String {
        self.directory.join("ca.pem").to_str().unwrap().to_owned()
    }
}

fn read(path: &str) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

async fn channel(
    server: &Server,
    ca: &str,
    client: Option<&(String, String)>,
) -> Result<Channel, tonic::transport::Error> {
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca)));
    let tls = match client {
        Some((certificate, key)) => tls.identity(Identity::from_pem(read(certificate), read(key))),
        None => tls,
    };
    let url = format!("https://{}", server.grpc);
    Endpoint::from_shared(url)?.tls_config(tls)?.connect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn both_listeners_speak_tls_and_certificates_are_credentials() {
    on_both(|data| async move {
        // Filled without TLS, as an operator who switches it on later.
        let server = Server::start(&data);
        Fixture::fill(&server).await.settings(SECRET, &BTreeMap::new()).await;
        drop(server);
        let authority = Authority::new(&data, "ca");
        let stranger = Authority::new(&data, "stranger");
        let (certificate, key) = authority.sign("server");
        let client = authority.sign("client");
        let ca = authority.ca();
        let shim_token = data.token(&["--shim", "shim1"]);
        assert_eq!(data.token(&["robot", "--certificate", &client.0]), "");

        let tls = [("TOLLBOOK_TLS_CERT", &*certificate), ("TOLLBOOK_TLS_KEY", &*key)];
        let server = Server::start_part(&data, "serve", &tls);
        let trusted = reqwest::Certificate::from_pem(&read(&ca)).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([trusted]).build().unwrap();
        let form = [("u", "admin"), ("user_id", "4"), ("hash", &*legacy_hash("admin4", SECRET))];
        let url = server.url("users_get").replace("http://", "https://");
        let response = http.post(&url).form(&form).send().await.unwrap();
        assert_eq!(response.headers()["strict-transport-security"], "max-age=31536000");
        assert!(response.text().await.unwrap().contains("alice"));
        // Nothing is said in the clear.
        assert!(reqwest::Client::new().post(server.url("users_get")).send().await.is_err());
        // A certificate of another authority is refused, by clients.
        assert!(reqwest::Client::new().post(&url).send().await.is_err());
        drop(server);

        let mut with_clients = tls.to_vec();
        with_clients.push(("TOLLBOOK_GRPC_CLIENT_CA", &ca));
        let core = Server::start_part(&data, "core", &with_clients);
        let admitted = channel(&core, &ca, Some(&client)).await.unwrap();
        let mut settings = SettingsServiceClient::new(admitted.clone());
        settings.get_settings(GetSettingsRequest {}).await.unwrap();
        // Of the right authority, but nobody that the core knows: he needs a token.
        let other = authority.sign("other");
        let unknown = channel(&core, &ca, Some(&other)).await.unwrap();
        let mut settings = SettingsServiceClient::new(unknown.clone());
        let refused = settings.get_settings(GetSettingsRequest {}).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unauthenticated);
        let token = data.token(&["by-token"]);
        let mut settings = SettingsServiceClient::new(bearer(unknown, &token));
        settings.get_settings(GetSettingsRequest {}).await.unwrap();
        // Without one of the authority's, nobody gets as far as that.
        for client in [None, Some(stranger.sign("client"))] {
            let reached = match channel(&core, &ca, client.as_ref()).await {
                Err(_) => false,
                Ok(channel) => {
                    let mut settings = SettingsServiceClient::new(bearer(channel, &token));
                    settings.get_settings(GetSettingsRequest {}).await.is_ok()
                }
            };
            assert!(!reached);
        }

        // A shim apart, and the commands.
        let url = format!("https://{}", core.grpc);
        let to_core = [
            ("TOLLBOOK_CORE_URL", &*url),
            ("TOLLBOOK_CORE_CA", &ca),
            ("TOLLBOOK_CLIENT_CERT", &client.0),
            ("TOLLBOOK_CLIENT_KEY", &client.1),
        ];
        let mut environment = to_core.to_vec();
        environment.push(("TOLLBOOK_SHIM_TOKEN", &shim_token));
        let shim = Server::start_part(&data, "shim", &environment);
        let answer = shim
            .legacy(
                "user_balance_update",
                &[("u", "admin"), ("user_id", "4"), ("balance", "4")],
                "44",
            )
            .await;
        assert!(answer.contains("<balance>70.0</balance>"), "{answer}");
        let command = |args: &[&str]| {
            let mut command: Command = data.command();
            let output = command.args(args).envs(to_core).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        assert!(command(&["settings"]).contains("allow_api=on"));
        command(&["settings", "allow_get_api=on"]);
        assert!(command(&["changes", "settings"]).contains("by user 0 (certificate"));
        let mut changes = ChangesServiceClient::new(admitted);
        let listed = changes.list_changes(ListChangesRequest::default()).await.unwrap();
        let change = &listed.into_inner().changes[0];
        assert_eq!(change.address, "127.0.0.1");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_configuration_of_tls_stops_the_start() {
    let data = Data::new(tollbook_tests::server::Backend::Sqlite).unwrap();
    for (name, said) in [
        ("TOLLBOOK_TLS_CERT", "tls_cert and tls_key go together"),
        ("TOLLBOOK_GRPC_CLIENT_CA", "grpc_client_ca needs tls_cert and tls_key"),
    ] {
        let error = Server::refuses_to_start(&data, "serve", &[(name, "/nowhere")]);
        assert!(error.contains(said), "{error}");
    }
    let nowhere = [("TOLLBOOK_TLS_CERT", "/nowhere"), ("TOLLBOOK_TLS_KEY", "/nowhere")];
    let error = Server::refuses_to_start(&data, "serve", &nowhere);
    assert!(error.contains("/nowhere"), "{error}");
}
