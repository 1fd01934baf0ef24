//! The behaviours that every store must show, one function each, named as sentences.
//!
//! A backend writes a [`Harness`] and calls [`store_suite!`](crate::store_suite) in an integration test; each
//! behaviour is then a test of its own, on an empty database of its own, with a clock that stands still.
#![allow(missing_docs, reason = "the name of a behaviour is its sentence; a doc line would only repeat it")]

pub mod cadence;
pub mod cancel;
pub mod claim;
pub mod due;
pub mod duplicate;
pub mod edit;
pub mod enqueue;
pub mod family;
pub mod fence;
pub mod health;
pub mod history;
pub mod lapse;
pub mod lease;
mod list;
pub mod log;
pub mod maintain;
pub mod move_by_hand;
pub mod offer;
pub mod outcome;
pub mod overdue;
pub mod page;
pub mod queue;
pub mod reclaim;
pub mod repeat;
pub mod retry;
pub mod session;
pub mod stats;
pub mod suspect;
pub mod unique;
pub mod wakeup;
mod world;

use longshore_core::{Console, JobId, Limits, Status, Store, WorkerId};

use crate::FakeClock;
use world::{Process, World, ids};

/// How the suite gets databases of a backend, and processes on them.
pub trait Harness: Sized + Send + Sync + 'static {
    /// The store.
    type Store: Store + Console;

    /// An empty database, with the queue's schema, that nobody else uses.
    fn create(clock: FakeClock, limits: Limits) -> Self;

    /// Opens the database as a process of its own does. May be called any number of times.
    fn open(&self) -> Self::Store;

    /// Makes the count of a queue's jobs in one state wrong by this many, as another program may; whether the backend
    /// keeps counts that can be wrong.
    fn spoil_count(&self, _queue: &str, _status: Status, _by: i64) -> bool {
        false
    }

    /// Makes the database refuse to bring this job into any of these states, as a constraint of the application can.
    fn refuse(&self, id: JobId, moves: &[Status]);

    /// Ends that process as `kill -9` does: nothing is given back, and its workers are dead.
    fn kill(&self, store: Self::Store);

    /// Takes the evidence of a worker's life away while it lives: removes its file, ends its connection. The worker
    /// learns of it by its next heartbeat at the latest.
    fn lose_session(&self, worker_id: &WorkerId);
}
