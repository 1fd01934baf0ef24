use std::borrow::Cow;

use longshore_core::{JobId, NewJob};
use tracing::field::{Empty, display};

use super::{SYSTEM, context};
use crate::runtime::quiet::QuietSpan;

/// The span of a call that enqueues jobs. The calls of [`Queue`](crate::Queue) have one; it is public for programs that
/// enqueue through a store.
///
/// It is a child of the trace context that the first job has in its metadata, or of the one that is given. If it is
/// exported, the jobs get its own context, and else the one that was given. Jobs that have one keep it.
///
/// ```
/// use longshore::{NewJob, trace::EnqueueSpan};
///
/// # fn example(from_a_request: Option<&str>) -> Result<(), Box<dyn std::error::Error>> {
/// let job = NewJob::encode("mail", "ada@example.org")?;
/// let span = EnqueueSpan::of_job(&job, from_a_request);
/// let job = job.traced(span.traceparent());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct EnqueueSpan {
    span: QuietSpan,
    traceparent: Option<String>,
}

impl EnqueueSpan {
    /// The span of an enqueue of one job.
    pub fn of_job(job: &NewJob, given: Option<&str>) -> Self {
        Self::open(Some(&job.queue), Some(job), given)
    }

    /// The span of an enqueue of a list.
    pub fn of_batch(jobs: &[NewJob], given: Option<&str>) -> Self {
        Self::of_several(jobs.iter(), given)
    }

    /// The span of an enqueue of jobs that belong together.
    pub(crate) fn of_several<'a>(mut jobs: impl ExactSizeIterator<Item = &'a NewJob>, given: Option<&str>) -> Self {
        let (count, first) = (jobs.len(), jobs.next());
        // The destination of several jobs is recorded only if all of them have the same.
        let same = first.filter(|first| jobs.all(|job| job.queue == first.queue));
        let span = Self::open(same.map(|job| job.queue.as_str()), first, given);
        // Not inside the span: a panic of the subscriber would drop the span while unwinding, and call it again.
        span.span.record("messaging.batch.message_count", number(count as u64));
        span
    }

    /// The span of an enqueue of a stream, whose queues and length are not known before its end.
    pub fn of_stream(given: Option<&str>) -> Self {
        Self::open(None, None, given)
    }

    fn open(queue: Option<&str>, first: Option<&NewJob>, given: Option<&str>) -> Self {
        let given = given.filter(|given| longshore_core::is_traceparent(given));
        let span = QuietSpan::new(|| {
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
        });
        context::set_parent(&span, || {
            let own = first.and_then(|job| job.metadata.as_ref()).and_then(longshore_core::traceparent);
            own.map(Cow::Owned).or(given.map(Cow::Borrowed))
        });
        let traceparent = context::traceparent(&span).or_else(|| given.map(str::to_owned));
        Self { span, traceparent }
    }

    /// The trace context for the jobs, for [`NewJob::traced`].
    pub fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }

    /// The job with this trace context.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn traced<'a>(&self, job: &'a NewJob) -> Cow<'a, NewJob> {
        let has_own = || job.metadata.as_ref().and_then(longshore_core::traceparent).is_some();
        match self.traceparent() {
            Some(traceparent) if !has_own() => Cow::Owned(job.clone().traced(Some(traceparent))),
            _ => Cow::Borrowed(job),
        }
    }

    /// Records which job was enqueued.
    pub fn note_job(&self, id: JobId) {
        self.span.record("messaging.message.id", display(id));
    }

    /// Records how many jobs a stream has enqueued.
    pub fn note_count(&self, count: u64) {
        self.span.record("messaging.batch.message_count", number(count));
    }

    /// Records that nothing was enqueued, with the code of the error.
    pub fn note_error(&self, code: &str) {
        self.span.record("otel.status_code", "ERROR");
        self.span.record("error.type", code);
    }
}

/// Layers know signed numbers, and export others as text.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
