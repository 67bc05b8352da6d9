//! The listener for those who watch: metrics, and whether the server lives and is ready.

use std::{future::pending, net::SocketAddr, time::Duration};

use anyhow::Context;
use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE},
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tollbook_net::http1;

/// Bounds of the histograms of times, in seconds.
const SECONDS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
/// Bounds of the histogram of batches.
const POSTINGS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 512.0];
/// How often old observations are folded into the histograms.
const UPKEEP: Duration = Duration::from_secs(5);

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// Few watch.
const LIMITS: http1::Limits =
    http1::Limits { connections: 64, stop_timeout: tollbook_net::DRAIN_TIMEOUT };

/// What is measured, and where it is to be seen.
pub(crate) struct Observer {
    address: SocketAddr,
    metrics: PrometheusHandle,
}

impl Observer {
    /// Begins to measure. Nothing is measured before, nor without it.
    pub(crate) fn start(address: SocketAddr) -> anyhow::Result<Self> {
        let metrics = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_postings".to_owned()), &POSTINGS)?
            .install_recorder()
            .context("cannot measure")?;
        Ok(Self { address, metrics })
    }

    /// Serves `/metrics`, `/healthz` (the process lives) and `/readyz` (it can do its work) until
    /// the process ends.
    pub(crate) async fn serve<F>(
        self,
        is_ready: impl Fn() -> F + Clone + Send + Sync + 'static,
    ) -> anyhow::Result<()>
    where
        F: Future<Output = bool> + Send,
    {
        let Self { address, metrics } = self;
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address} for metrics"))?;
        println!("Metrics listening on {}", listener.local_addr()?);
        let upkeep = metrics.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(UPKEEP).await;
                upkeep.run_upkeep();
            }
        });
        let answer = move |_, request: axum::http::Request<_>| {
            let (is_ready, metrics) = (is_ready.clone(), metrics.clone());
            async move {
                let (status, text) = match request.uri().path() {
                    "/metrics" => (StatusCode::OK, metrics.render()),
                    "/healthz" => (StatusCode::OK, "ok\n".to_owned()),
                    "/readyz" => match is_ready().await {
                        true => (StatusCode::OK, "ready\n".to_owned()),
                        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n".to_owned()),
                    },
                    _ => (StatusCode::NOT_FOUND, "Not found\n".to_owned()),
                };
                let mut response = Response::new(Body::from(text));
                *response.status_mut() = status;
                response.headers_mut().insert(CONTENT_TYPE, TEXT);
                response
            }
        };
        // Whoever watches does so to the end.
        let serving = http1::serve(listener, LIMITS, None, answer, pending());
        tokio::spawn(serving);
        Ok(())
    }
}
