//! Sends traces of requests to an OpenTelemetry collector, by OTLP over gRPC.

use anyhow::Context;
use opentelemetry::{global, trace::TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{SdkTracer, SdkTracerProvider},
};

/// Sends what it has left when it is dropped.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to collect traces under the name of this part of Tollbook, for a collector at a
    /// URL such as `http://127.0.0.1:4317`. One that cannot be reached costs the traces and
    /// nothing else.
    pub(crate) fn start(collector: &str, part: &'static str) -> anyhow::Result<(Self, SdkTracer)> {
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(collector)
            .build()
            .with_context(|| format!("cannot send traces to {collector:?}"))?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(Resource::builder().with_service_name(part).build())
            .build();
        global::set_text_map_propagator(TraceContextPropagator::new());
        let tracer = provider.tracer("tollbook");
        Ok((Self(provider), tracer))
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown() {
            eprintln!("tollbook: the last traces were not sent: {error}");
        }
    }
}
