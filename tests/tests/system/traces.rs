//! Traces: one request is one trace, through both services.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    trace::v1::Span,
};
use tokio::net::TcpListener;
use tollbook_tests::{
    contract::Fixture,
    legacy_hash,
    server::{SECRET, Server},
};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

use crate::on_both;

/// A collector that keeps what it gets: the service that sent it, and its spans.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(String, Span)>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for part in request.into_inner().resource_spans {
            let service = format!("{:?}", part.resource);
            let spans = part.scope_spans.into_iter().flat_map(|scope| scope.spans);
            let mut kept = self.0.lock().unwrap();
            kept.extend(spans.map(|span| (service.clone(), span)));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_request_is_one_trace_through_shim_and_core() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    on_both(|data| async move {
        let collector = Collector::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = TraceServiceServer::new(collector.clone());
        let serving = tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpIncoming::from(listener));
        tokio::spawn(serving);

        let otlp = ("TOLLBOOK_OTLP_URL", &*url);
        let mut core = Server::start_part(&data, "core", &[otlp]);
        Fixture::fill(&core).await.settings(SECRET, &BTreeMap::new()).await;
        let token = data.token(&["--shim", "shim1"]);
        let core_url = format!("http://{}", core.grpc);
        let environment =
            [otlp, ("TOLLBOOK_SHIM_TOKEN", &*token), ("TOLLBOOK_CORE_URL", &core_url)];
        let mut shim = Server::start_part(&data, "shim", &environment);
        let form = [("u", "admin"), ("user_id", "4"), ("hash", &*legacy_hash("admin4", SECRET))];
        let request = reqwest::Client::new()
            .post(shim.url("users_get"))
            .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
            .form(&form);
        assert!(request.send().await.unwrap().text().await.unwrap().contains("alice"));
        // What is left is sent at the end.
        assert!(shim.stop().success());
        assert!(core.stop().success());
        tokio::time::sleep(Duration::from_millis(100)).await;

        let kept = collector.0.lock().unwrap();
        let trace = hex::decode(TRACE).unwrap();
        let of_trace: Vec<_> = kept.iter().filter(|(_, span)| span.trace_id == trace).collect();
        let find = |service: &str, name: &str| {
            let found =
                of_trace.iter().find(|(from, span)| from.contains(service) && span.name == name);
            &found.unwrap_or_else(|| panic!("no {name} of {service} in {of_trace:?}")).1
        };
        let request = find("tollbook-shim", "request");
        let rpc = find("tollbook-core", "rpc");
        assert_eq!(hex::encode(&request.parent_span_id), "00f067aa0ba902b7");
        assert_eq!(rpc.parent_span_id, request.span_id);
        // No secret goes there either.
        assert!(!format!("{kept:?}").contains(&legacy_hash("admin4", SECRET)));
    })
    .await;
}
