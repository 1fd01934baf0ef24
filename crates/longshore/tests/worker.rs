//! What a worker does with jobs, on the in-memory store and on time that the tests move.

#[path = "worker/bench.rs"]
mod bench;
#[path = "worker/outcomes.rs"]
mod outcomes;
