//! The behaviours that every store must have: one function each, named by a sentence.
//!
//! A backend implements a [`Harness`] and calls [`store_suite!`](crate::store_suite) in an integration test. Each
//! behaviour is then a separate test on its own empty database, with a clock that stands still.
#![allow(missing_docs, reason = "the name of a behaviour is its sentence; a doc line would only repeat it")]

mod claiming;
mod flowing;
mod limiting;
mod list;
mod living;
mod operating;
mod producing;
mod running;
mod scheduling;
mod world;

use longshore_core::{Backend, JobId, Limits, Status, WorkerId};

pub use claiming::{claim, fence, offer, repeat, suspect, wakeup};
pub use flowing::{batch_retention, batches, callbacks, dependencies, fan_out, signals, workflows};
pub use limiting::{
    limit_concurrency, limit_key_changes, limit_keys, limit_lanes, limit_random, limit_rates, limit_rules,
    limit_slow_down,
};
pub use living::{cadence, heartbeats, lapse, lease, reclaim, session};
pub use operating::{
    audit, edit, explain, health, id_range, maintain, move_by_hand, moved_limits, moved_schedules, moved_workflows,
    moving, page, queue, stats, tokens,
};
pub use producing::{due, duplicate, enqueue, family, settings, unique};
pub use running::{cancel, checkpoint, history, log, outcome, overdue, retry};
pub use scheduling::{schedule_changes, schedules, settle, ticks};

use crate::FakeClock;
use world::{Process, World, ids};

/// The columns that a plain INSERT names beside the payload; `None` for one that it leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainInsert {
    /// `job_type`
    pub job_type: String,
    /// `queue`
    pub queue: Option<String>,
    /// `priority`
    pub priority: Option<i32>,
    /// `max_retries`
    pub max_retries: Option<u32>,
    /// `timeout_seconds`
    pub timeout_seconds: Option<u32>,
}

/// Creates databases of a backend, and processes on them.
pub trait Harness: Sized + Send + Sync + 'static {
    /// The store.
    type Store: Backend;

    /// Creates an empty database with the queue's schema, used by nobody else.
    fn create(clock: FakeClock, limits: Limits) -> Self;

    /// Whether ids and claim numbers leave no gaps. Otherwise the random run gives the model those of the store.
    fn leaves_no_gaps() -> bool {
        true
    }

    /// Whether whoever waits is told once what the database holds, as soon as the store hears of other processes.
    fn looks_before_it_hears() -> bool {
        false
    }

    /// Opens the database as a separate process does. May be called any number of times.
    fn open(&self) -> Self::Store;

    /// Makes the count of a queue's jobs with one status wrong by this much, as another program may. Returns whether
    /// the backend has stored counts that can be wrong.
    fn spoil_count(&self, _queue: &str, _status: Status, _by: i64) -> bool {
        false
    }

    /// Inserts a job with plain SQL, as another program does, and gives its id, or the message of the database.
    fn try_insert_plainly(&self, plain: &PlainInsert) -> Result<JobId, String>;

    /// The same where nothing refuses it.
    fn insert_plainly(&self, plain: &PlainInsert) -> JobId {
        self.try_insert_plainly(plain).expect("the row is inserted")
    }

    /// Makes the database refuse to bring this job into any of these states, as a constraint of the application can.
    fn refuse(&self, id: JobId, moves: &[Status]);

    /// Makes the database refuse new jobs of this type, as a constraint of the application can.
    fn refuse_type(&self, job_type: &str);

    /// Adds a field to the stored definition of a schedule that no program of this version knows.
    fn write_newer_definition(&self, schedule: &str);

    /// Ends that process like `kill -9`: nothing is returned, and its workers are dead.
    fn kill(&self, store: Self::Store);

    /// Takes the evidence of a worker's life away while it lives: removes its file, ends its connection. The worker
    /// learns of it by its next heartbeat at the latest.
    fn lose_session(&self, worker_id: &WorkerId);
}
