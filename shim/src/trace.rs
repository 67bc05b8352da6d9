//! Traces across processes: the W3C trace context in the headers of requests.

use ::http::HeaderMap;
use opentelemetry::global;
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
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

/// Says in the headers of a call to which trace it belongs. Without collection of traces the
/// propagator is one that says nothing.
pub(crate) fn tell(headers: &mut HeaderMap) {
    let context = Span::current().context();
    global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&context, &mut HeaderInjector(headers));
    });
}
