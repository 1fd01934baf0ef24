//! Spans of enqueues and attempts, with the names of OpenTelemetry's messaging conventions. None contains a payload.
//! Without a subscriber they cost almost nothing.

mod attempt_span;
mod context;
mod enqueue_span;
mod traced_jobs;

pub(crate) use self::attempt_span::{attempt_span, note_failure};
pub use self::enqueue_span::EnqueueSpan;
pub(crate) use self::traced_jobs::TracedJobs;

const SYSTEM: &str = "longshore";
