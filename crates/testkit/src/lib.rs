//! What the tests of every backend share: an in-memory model of a store, a clock that tests move, faults on
//! demand, the behaviours that each store must show, and a random run that holds a store against the model.
//!
//! This crate knows the contract in `longshore-core` and no backend, no SQL and no file. Begin with
//! [`MemoryStore`], the contract in its simplest form.

mod build;
mod clock;
mod fault;
mod feed;
mod memory;
mod random;
pub mod suite;

pub use build::{RecordBuilder, WorkerBuilder, claim, ended, heartbeat, job, register_for_good, request_id, worker};
pub use clock::FakeClock;
pub use fault::{Fault, FaultPlan, FaultStore, Operation};
pub use feed::{Line, feed};
pub use memory::MemoryStore;
pub use random::RandomRun;
