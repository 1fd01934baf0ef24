use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longshore_core::{LeaseVerdict, LeaseWatch};

use crate::workers::reclaim::worker_row::WorkerRow;

/// How long a worker is skipped after one of its jobs could not be taken.
const POSTPONED: Duration = Duration::from_secs(30);
/// After one STALE-th of its lease without a heartbeat, a worker is no longer trusted to check the next one: it has
/// missed a heartbeat, so it may be frozen.
const STALE: u32 = 3;

/// What this store has observed of the heartbeats of other stores' workers, by the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    workers: Mutex<HashMap<i32, Watched>>,
}

#[derive(Debug)]
struct Watched {
    lease: LeaseWatch,
    is_suspected: bool,
    /// Until when it is skipped.
    postponed: Option<Duration>,
}

/// A worker whose lease may be over, and its heartbeat at that time.
#[derive(Clone, Debug)]
pub(crate) struct Suspect {
    pub(crate) worker: i32,
    pub(crate) heartbeat_number: i64,
    pub(crate) lease: Duration,
}

impl Watches {
    /// The worker's heartbeat was read now. Returns whether it has not changed for a whole lease.
    pub(crate) fn observe(&self, row: &WorkerRow, now: Duration) -> bool {
        self.with(row, now, |watched| watched.lease.is_still(row.lease, now))
    }

    /// Whether the worker's heartbeat is late.
    pub(crate) fn is_stale(&self, row: &WorkerRow, now: Duration) -> bool {
        self.with(row, now, |watched| watched.lease.is_still(row.lease / STALE, now))
    }

    /// The verdict about the worker's lease.
    pub(crate) fn verdict(&self, row: &WorkerRow, now: Duration) -> LeaseVerdict {
        self.with(row, now, |watched| watched.lease.verdict(row.lease, now))
    }

    /// The write that gave suspects a chance was committed at this time, or failed.
    pub(crate) fn note(&self, suspects: &[Suspect], committed_at: Option<Duration>) {
        let mut workers = self.workers();
        for suspect in suspects {
            let Some(watched) = workers.get_mut(&suspect.worker) else { continue };
            watched.is_suspected = true;
            match committed_at {
                Some(at) => watched.lease.note_write(suspect.lease, at),
                None => watched.lease.note_failed_write(),
            }
        }
    }

    /// Gives a suspect its whole grace period again.
    pub(crate) fn begin_anew(&self, worker: i32) {
        if let Some(watched) = self.workers().get_mut(&worker) {
            watched.lease.note_failed_write();
        }
    }

    /// Workers that must be checked each time, because a suspicion counts only while it is observed continuously.
    pub(crate) fn suspected(&self) -> Vec<i32> {
        let workers = self.workers();
        workers.iter().filter(|(_, watched)| watched.is_suspected).map(|(worker, _)| *worker).collect()
    }

    /// Skips a worker for a while, because one of its jobs cannot be taken.
    pub(crate) fn postpone(&self, worker: i32, now: Duration) {
        if let Some(watched) = self.workers().get_mut(&worker) {
            watched.postponed = Some(now.saturating_add(POSTPONED));
        }
    }

    pub(crate) fn is_postponed(&self, worker: i32, now: Duration) -> bool {
        self.workers().get(&worker).and_then(|watched| watched.postponed).is_some_and(|until| now < until)
    }

    pub(crate) fn forget(&self, worker: i32) {
        self.workers().remove(&worker);
    }

    /// Forgets the workers that are no longer registered.
    pub(crate) fn keep_only(&self, is_registered: impl Fn(i32) -> bool) {
        self.workers().retain(|worker, _| is_registered(*worker));
    }

    fn with<T>(&self, row: &WorkerRow, now: Duration, look: impl FnOnce(&mut Watched) -> T) -> T {
        let mut workers = self.workers();
        let watched = workers.entry(row.worker).or_insert_with(|| Watched {
            lease: LeaseWatch::begin(row.heartbeat_number, now),
            is_suspected: false,
            postponed: None,
        });
        watched.lease.observe(row.heartbeat_number, now);
        watched.is_suspected &= watched.lease.is_still(row.lease, now);
        look(watched)
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<i32, Watched>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
