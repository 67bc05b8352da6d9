//! Traces across processes: the W3C trace context of a request's headers.

use http::HeaderMap;
use opentelemetry::global;
use opentelemetry_http::HeaderExtractor;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Makes a span part of the trace that a request says it belongs to, if it says so.
pub(crate) fn continue_from(span: &Span, headers: &HeaderMap) {
    if headers.contains_key("traceparent") {
        let context = global::get_text_map_propagator(|propagator| {
            propagator.extract(&HeaderExtractor(headers))
        });
        // Where traces are not collected there is nothing to be part of.
        let _ = span.set_parent(context);
    }
}
