//! Shared by the tests of every backend: an in-memory model of a store, a clock that tests move, faults on demand, the
//! behaviours that each store must have, and a random run that compares a store with the model.
//!
//! This crate depends on the contract in `longshore-core`. It contains no backend, no SQL and no files. Start reading
//! at [`MemoryStore`], the simplest implementation of the contract.

mod build;
mod clock;
mod fault;
mod feed;
mod last_members;
mod memory;
mod planner;
mod random;
pub mod suite;

pub use build::{RecordBuilder, WorkerBuilder, claim, ended, heartbeat, job, register_for_good, request_id, worker};
pub use clock::FakeClock;
pub use fault::{Fault, FaultPlan, FaultStore, Operation};
pub use feed::{Line, feed};
pub use last_members::{LastEnd, LastMembers};
pub use memory::MemoryStore;
pub use planner::EveryPlanner;
pub use random::RandomRun;
