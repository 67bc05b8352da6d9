//! The gRPC service as a whole.

use std::{io, sync::Arc, time::Duration};

use futures_util::{Stream, stream};
use tokio::{net::TcpListener, sync::oneshot, time::sleep};
use tollbook_net::{Limits, Listener};
use tollbook_proto::v1::{
    access_tokens_service_server::AccessTokensServiceServer,
    accounts_service_server::AccountsServiceServer, api_keys_service_server::ApiKeysServiceServer,
    api_permission_groups_service_server::ApiPermissionGroupsServiceServer,
    balance_warnings_service_server::BalanceWarningsServiceServer,
    call_imports_service_server::CallImportsServiceServer,
    calls_service_server::CallsServiceServer, changes_service_server::ChangesServiceServer,
    clis_service_server::ClisServiceServer,
    connection_points_service_server::ConnectionPointsServiceServer,
    currencies_service_server::CurrenciesServiceServer,
    device_rules_service_server::DeviceRulesServiceServer,
    devices_service_server::DevicesServiceServer,
    directions_service_server::DirectionsServiceServer,
    email_templates_service_server::EmailTemplatesServiceServer,
    import_profiles_service_server::ImportProfilesServiceServer,
    legacy_service_server::LegacyServiceServer, live_calls_service_server::LiveCallsServiceServer,
    manager_groups_service_server::ManagerGroupsServiceServer,
    number_pools_service_server::NumberPoolsServiceServer,
    payments_service_server::PaymentsServiceServer,
    providers_service_server::ProvidersServiceServer, rating_service_server::RatingServiceServer,
    reseller_groups_service_server::ResellerGroupsServiceServer,
    routing_groups_service_server::RoutingGroupsServiceServer,
    routing_service_server::RoutingServiceServer, sessions_service_server::SessionsServiceServer,
    settings_service_server::SettingsServiceServer,
    statistics_service_server::StatisticsServiceServer,
    tariffs_service_server::TariffsServiceServer,
    unrated_calls_service_server::UnratedCallsServiceServer,
    users_service_server::UsersServiceServer,
    whitelisted_addresses_service_server::WhitelistedAddressesServiceServer,
};
use tonic::{service::Routes, transport::ServerTlsConfig};
use tower::Layer;

use crate::{
    access::{
        self,
        layer::{AccessLayer, AccessService, Gate},
    },
    calls, changes,
    context::Context,
    currencies, devices, directions, emails,
    error::{Error, Result},
    incoming::Incoming,
    ledger, live, managers, payments, points, pools, profiles, providers, rating, reseller_groups,
    routing, routing_groups, settings, stats, tariffs, unrated, users, warnings, whitelist,
};

/// How many connections there are at once, and how patient the server is with each.
const LIMITS: Limits = Limits {
    connections: 2_048,
    first_byte: Duration::from_secs(10),
    stalled: Duration::from_secs(30),
};
/// How many calls one connection may have under way: a shim has one connection for all its own.
const MAX_STREAMS: u32 = 1_024;
/// How much a client may send of one call, and of all calls of a connection, before it is read. A
/// connection on which many small messages wait is cut off by HTTP/2's own guard, which counts at
/// least 256 bytes for each against half of its window.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = MAX_STREAMS * 512;
/// How long the headers of a call may be. A shim puts in one what it was sent to be judged.
const MAX_HEADERS: u32 = 64 * 1024;
/// How often a client is asked whether it is there, and how long it may take to answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// All services behind the gate, to be called in the same process.
pub type CoreService = AccessService<Routes>;

/// All services, and the gate to put in front of them.
#[derive(Clone)]
pub(crate) struct Server {
    gate: AccessLayer,
    routes: Routes,
}

impl Server {
    pub(crate) fn service(&self) -> CoreService {
        self.gate.layer(self.routes.clone())
    }

    /// Serves a listener until `shutdown`, then finishes the calls that are under way; after
    /// `stop_timeout` it ends, whoever is connected.
    pub(crate) async fn serve(
        &self,
        listener: TcpListener,
        tls: Option<ServerTlsConfig>,
        stop_timeout: Duration,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), tonic::transport::Error> {
        let incoming = Box::pin(connections(Listener::new(listener, LIMITS)));
        let mut server = tonic::transport::Server::builder()
            .max_concurrent_streams(MAX_STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_max_header_list_size(MAX_HEADERS)
            .http2_keepalive_interval(Some(PING_INTERVAL))
            .http2_keepalive_timeout(Some(PING_TIMEOUT));
        if let Some(tls) = tls {
            server = server.tls_config(tls)?;
        }
        let (stopping, stopped) = oneshot::channel();
        let shutdown = async {
            shutdown.await;
            // Whoever waited for it has ended already.
            let _ = stopping.send(());
        };
        let serving = server
            .layer(self.gate.clone())
            .add_routes(self.routes.clone())
            .serve_with_incoming_shutdown(incoming, shutdown);
        let limit = async {
            let _ = stopped.await;
            sleep(stop_timeout).await;
        };
        tokio::select! {
            result = serving => result,
            () = limit => {
                tracing::warn!("calls were still under way when the server stopped");
                Ok(())
            }
        }
    }
}

/// The connections of a listener. They never end in an error: a listener that has run out of
/// files goes on when there are some again.
fn connections(listener: Listener) -> impl Stream<Item = io::Result<Incoming>> {
    stream::unfold(listener, |listener| async move {
        let connection = listener.accept().await;
        Some((Ok(Incoming(connection)), listener))
    })
}

pub(crate) fn build(context: &Arc<Context>) -> Result<Server> {
    let gate = Arc::new(Gate::new(context.clone())?);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(tollbook_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // So that a client without files can read the details of errors.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let unreadable = |error: tonic_reflection::server::Error| Error::internal(error.to_string());
    let (health_reporter, health) = tonic_health::server::health_reporter();
    drop(health_reporter);
    let mut routes = Routes::builder();
    routes
        .add_service(UsersServiceServer::new(users::Service(context.clone())))
        .add_service(AccountsServiceServer::new(ledger::Service(context.clone())))
        .add_service(PaymentsServiceServer::new(payments::Service(context.clone())))
        .add_service(CurrenciesServiceServer::new(currencies::Service(context.clone())))
        .add_service(TariffsServiceServer::new(tariffs::Service(context.clone())))
        .add_service(RatingServiceServer::new(rating::Service(context.clone())))
        .add_service(ConnectionPointsServiceServer::new(points::Service(context.clone())))
        .add_service(DevicesServiceServer::new(devices::Service(context.clone())))
        .add_service(ClisServiceServer::new(devices::clis::Service(context.clone())))
        .add_service(DeviceRulesServiceServer::new(devices::rules::Service(context.clone())))
        .add_service(ResellerGroupsServiceServer::new(reseller_groups::Service(context.clone())))
        .add_service(WhitelistedAddressesServiceServer::new(whitelist::Service(context.clone())))
        .add_service(EmailTemplatesServiceServer::new(emails::Service(context.clone())))
        .add_service(ProvidersServiceServer::new(providers::Service(context.clone())))
        .add_service(RoutingServiceServer::new(routing::Service(context.clone())))
        .add_service(RoutingGroupsServiceServer::new(routing_groups::Service(context.clone())))
        .add_service(NumberPoolsServiceServer::new(pools::Service(context.clone())))
        .add_service(ImportProfilesServiceServer::new(profiles::Service(context.clone())))
        .add_service(CallsServiceServer::new(calls::Service(context.clone())))
        .add_service(CallImportsServiceServer::new(calls::imports::Service(context.clone())))
        .add_service(UnratedCallsServiceServer::new(unrated::Service(context.clone())))
        .add_service(LiveCallsServiceServer::new(live::Service(context.clone())))
        .add_service(StatisticsServiceServer::new(stats::Service(context.clone())))
        .add_service(BalanceWarningsServiceServer::new(warnings::Service(context.clone())))
        .add_service(DirectionsServiceServer::new(directions::Service))
        .add_service(SettingsServiceServer::new(settings::Service(context.clone())))
        .add_service(ManagerGroupsServiceServer::new(managers::Service(context.clone())))
        .add_service(SessionsServiceServer::new(access::SessionService(context.clone())))
        .add_service(AccessTokensServiceServer::new(access::TokenService(context.clone())))
        .add_service(ApiKeysServiceServer::new(access::keys::Service(context.clone())))
        .add_service(ApiPermissionGroupsServiceServer::new(access::groups::Service(
            context.clone(),
        )))
        .add_service(ChangesServiceServer::new(changes::Service(context.clone())))
        .add_service(LegacyServiceServer::new(access::LegacyService(gate.clone())))
        .add_service(health)
        .add_service(reflection().build_v1().map_err(unreadable)?)
        // grpcurl before 1.9 asks for this one.
        .add_service(reflection().build_v1alpha().map_err(unreadable)?);
    Ok(Server { gate: AccessLayer(gate), routes: routes.routes().prepare() })
}
