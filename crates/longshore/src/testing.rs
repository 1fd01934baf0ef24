//! Tools for tests of an application: run a handler inline, an attempt without a worker, a queue without a database,
//! and a temporary real database.
//!
//! To run enqueued jobs, give a [`Worker`](crate::Worker) the handlers and call
//! [`run_until_drained`](crate::Worker::run_until_drained).

mod attempt_probe;
mod enqueue_recorder;
#[cfg(feature = "sqlite")]
mod scratch_queue;
mod trial;

pub use crate::worker::SimulatedProcess;
pub use attempt_probe::AttemptProbe;
pub use enqueue_recorder::EnqueueRecorder;
#[cfg(feature = "sqlite")]
pub use scratch_queue::ScratchQueue;
pub use trial::{Trial, run_inline, run_inline_with_state, waiting};
