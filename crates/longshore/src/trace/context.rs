//! The place of a span in a trace, as a W3C `traceparent`. Without the feature `opentelemetry` no span has one.

#[cfg(feature = "opentelemetry")]
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
#[cfg(feature = "opentelemetry")]
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::runtime::quiet::QuietSpan;

/// Makes the span a child of another process's span, which is only looked up if somebody wants spans. Must be called
/// before the span is entered.
#[cfg(feature = "opentelemetry")]
pub(crate) fn set_parent<T: AsRef<str>>(span: &QuietSpan, traceparent: impl FnOnce() -> Option<T>) {
    span.ask(|span| {
        if span.is_disabled() {
            return None;
        }
        let parent = parse(traceparent()?.as_ref())?;
        // Fails if nothing exports the span.
        span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent)).ok()
    });
}

/// Where the span is, if a layer exports it.
#[cfg(feature = "opentelemetry")]
pub(crate) fn traceparent(span: &QuietSpan) -> Option<String> {
    span.ask(|span| {
        let context = span.context();
        let span = context.span();
        let place = span.span_context();
        let (trace, flags) = (place.trace_id(), place.trace_flags().to_u8());
        place.is_valid().then(|| format!("00-{trace}-{}-{flags:02x}", place.span_id()))
    })
}

#[cfg(feature = "opentelemetry")]
fn parse(traceparent: &str) -> Option<SpanContext> {
    if !longshore_core::is_traceparent(traceparent) {
        return None;
    }
    let mut parts = traceparent.split('-').skip(1);
    let trace = TraceId::from_hex(parts.next()?).ok()?;
    let span = SpanId::from_hex(parts.next()?).ok()?;
    let flags = TraceFlags::new(u8::from_str_radix(parts.next()?, 16).ok()?);
    Some(SpanContext::new(trace, span, flags, true, TraceState::default()))
}

#[cfg(not(feature = "opentelemetry"))]
pub(crate) fn set_parent<T>(_: &QuietSpan, _: impl FnOnce() -> Option<T>) {}

#[cfg(not(feature = "opentelemetry"))]
pub(crate) fn traceparent(_: &QuietSpan) -> Option<String> {
    None
}
