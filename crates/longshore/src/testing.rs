//! What tests of handlers need: an attempt without a worker, and a queue without a database.

mod attempt_probe;
mod enqueue_recorder;

pub use attempt_probe::AttemptProbe;
pub use enqueue_recorder::EnqueueRecorder;
