//! Spans with the names of OpenTelemetry's messaging conventions. None contains a payload. Without a subscriber they
//! cost almost nothing.

use longshore_core::{Enqueued, Failure, NewJob, StoreError};
use tracing::field::{Empty, display};

use crate::CurrentAttempt;
use crate::runtime::quiet::QuietSpan;

const SYSTEM: &str = "longshore";

/// The span of an attempt. The fields without a dot are for people. A layer or a middleware uses `traceparent` to link
/// it to the span that enqueued the job.
pub(crate) fn attempt(attempt: &CurrentAttempt) -> QuietSpan {
    QuietSpan::new(|| {
        tracing::info_span!(
            "attempt",
            job_id = attempt.id().0,
            queue = attempt.queue_name(),
            job_type = attempt.job_type(),
            attempt = attempt.attempt(),
            traceparent = attempt.traceparent().as_deref(),
            "otel.name" = %format_args!("process {}", attempt.queue_name()),
            "otel.kind" = "consumer",
            "otel.status_code" = Empty,
            "error.type" = Empty,
            "messaging.system" = SYSTEM,
            "messaging.operation.type" = "process",
            "messaging.operation.name" = "process",
            "messaging.destination.name" = attempt.queue_name(),
            "messaging.message.id" = display(attempt.id()),
        )
    })
}

/// Records a failure on the span of its attempt.
pub(crate) fn note_failure(span: &QuietSpan, failure: &Failure) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", failure.failure_type.as_str());
}

/// The span of a call that enqueues jobs.
pub(crate) struct EnqueueSpan(QuietSpan);

impl EnqueueSpan {
    pub(crate) fn of_job(job: &NewJob) -> Self {
        let span = || Self::open(Some(&job.queue));
        Self(QuietSpan::new(span))
    }

    pub(crate) fn of_batch(jobs: &[NewJob]) -> Self {
        let span = QuietSpan::new(|| {
            // The destination of a batch is recorded only if all of its jobs have the same.
            let first = jobs.first().map(|job| job.queue.as_str());
            Self::open(first.filter(|queue| jobs.iter().all(|job| job.queue == *queue)))
        });
        // Not inside the span: a panic of the subscriber would drop the span while unwinding, and call it again.
        span.record("messaging.batch.message_count", jobs.len());
        Self(span)
    }

    /// The queues and the length of a stream are not known before its end.
    pub(crate) fn of_stream() -> Self {
        Self(QuietSpan::new(|| Self::open(None)))
    }

    fn open(queue: Option<&str>) -> tracing::Span {
        tracing::info_span!(
            "enqueue",
            "otel.name" = queue.map(|queue| display(format!("enqueue {queue}"))),
            "otel.kind" = "producer",
            "otel.status_code" = Empty,
            "error.type" = Empty,
            "messaging.system" = SYSTEM,
            "messaging.operation.type" = "send",
            "messaging.operation.name" = "enqueue",
            "messaging.destination.name" = queue,
            "messaging.message.id" = Empty,
            "messaging.batch.message_count" = Empty,
        )
    }

    pub(crate) fn end_job(self, enqueued: Result<&Enqueued, &StoreError>) {
        match enqueued {
            Ok(enqueued) => self.0.record("messaging.message.id", display(enqueued.id)),
            Err(error) => self.fail(error),
        }
    }

    pub(crate) fn end_batch<T>(self, enqueued: &Result<T, StoreError>) {
        if let Err(error) = enqueued {
            self.fail(error);
        }
    }

    pub(crate) fn end_stream(self, enqueued: &Result<u64, StoreError>) {
        match enqueued {
            Ok(count) => self.0.record("messaging.batch.message_count", *count),
            Err(error) => self.fail(error),
        }
    }

    fn fail(&self, error: &StoreError) {
        self.0.record("otel.status_code", "ERROR");
        self.0.record("error.type", error.code());
    }
}
