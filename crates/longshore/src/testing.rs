//! What tests of an application need: a handler run inline, an attempt without a worker, a queue without a
//! database, and a real one that goes when the test does.
//!
//! To run what was enqueued, give a [`Worker`](crate::Worker) the handlers under test and let it
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
pub use trial::{Trial, run_inline, waiting};
