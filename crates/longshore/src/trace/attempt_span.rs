use longshore_core::Failure;
use tracing::field::Empty;

use super::{SYSTEM, context};
use crate::CurrentAttempt;
use crate::runtime::quiet::QuietSpan;

/// The span of an attempt, a child of the one that enqueued the job. If it is exported, it becomes the trace context of
/// what the attempt calls.
///
/// The fields without a dot are for people. A layer or a middleware uses `traceparent` to link the span where it is not
/// a child.
pub(crate) fn attempt_span(attempt: &CurrentAttempt) -> QuietSpan {
    let enqueued_by = attempt.traceparent();
    let span = QuietSpan::new(|| {
        tracing::info_span!(
            "attempt",
            job_id = attempt.id().0,
            queue = attempt.queue_name(),
            job_type = attempt.job_type(),
            attempt = i64::from(attempt.attempt()),
            traceparent = enqueued_by.as_deref(),
            "otel.name" = %format_args!("process {}", attempt.queue_name()),
            "otel.kind" = "consumer",
            "otel.status_code" = Empty,
            "error.type" = Empty,
            "messaging.system" = SYSTEM,
            "messaging.operation.type" = "process",
            "messaging.operation.name" = "process",
            "messaging.destination.name" = attempt.queue_name(),
            "messaging.message.id" = %attempt.id(),
        )
    });
    context::set_parent(&span, || enqueued_by.as_deref());
    if let Some(traceparent) = context::traceparent(&span) {
        attempt.note_trace(traceparent);
    }
    span
}

/// Records a failure on the span of its attempt.
pub(crate) fn note_failure(span: &QuietSpan, failure: &Failure) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", failure.failure_type.as_str());
}
