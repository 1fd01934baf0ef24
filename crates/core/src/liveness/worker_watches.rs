use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{LeaseVerdict, LeaseWatch};

/// How long a worker is skipped after one of its jobs could not be taken.
const POSTPONED: Duration = Duration::from_secs(30);
/// After one STALE-th of its lease without a heartbeat, a worker is no longer trusted to check the next one: it has
/// missed a heartbeat, so it may be frozen.
const STALE: u32 = 3;

/// What this store has observed of the heartbeats of other stores' workers, by the monotonic clock.
#[derive(Debug)]
pub struct WorkerWatches<W> {
    workers: Mutex<HashMap<W, Watched>>,
}

#[derive(Debug)]
struct Watched {
    lease: LeaseWatch,
    is_suspected: bool,
    /// Until when it is skipped.
    postponed: Option<Duration>,
}

/// What a store has read of a worker. `W` is how its tables name workers.
#[derive(Clone, Debug)]
pub struct WorkerReading<W> {
    /// The worker.
    pub worker: W,
    /// Its last heartbeat.
    pub heartbeat_number: i64,
    /// Its lease.
    pub lease: Duration,
}

impl<W> Default for WorkerWatches<W> {
    fn default() -> Self {
        Self { workers: Mutex::default() }
    }
}

impl<W: Clone + Eq + Hash> WorkerWatches<W> {
    /// The worker's heartbeat was read now. Returns whether it has not changed for a whole lease.
    pub fn observe(&self, read: &WorkerReading<W>, now: Duration) -> bool {
        self.with(read, now, |watched| watched.lease.is_still(read.lease, now))
    }

    /// Whether the worker's heartbeat is late.
    pub fn is_stale(&self, read: &WorkerReading<W>, now: Duration) -> bool {
        self.with(read, now, |watched| watched.lease.is_still(read.lease / STALE, now))
    }

    /// The verdict about the worker's lease.
    pub fn verdict(&self, read: &WorkerReading<W>, now: Duration) -> LeaseVerdict {
        self.with(read, now, |watched| watched.lease.verdict(read.lease, now))
    }

    /// The write that gave suspects a chance was committed at this time, or failed.
    pub fn note(&self, suspects: &[WorkerReading<W>], committed_at: Option<Duration>) {
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
    pub fn begin_anew(&self, worker: &W) {
        if let Some(watched) = self.workers().get_mut(worker) {
            watched.lease.note_failed_write();
        }
    }

    /// Workers that must be checked each time, because a suspicion counts only while it is observed continuously.
    pub fn suspected(&self) -> Vec<W> {
        let workers = self.workers();
        workers.iter().filter(|(_, watched)| watched.is_suspected).map(|(worker, _)| worker.clone()).collect()
    }

    /// Skips a worker for a while, because one of its jobs cannot be taken.
    pub fn postpone(&self, worker: &W, now: Duration) {
        if let Some(watched) = self.workers().get_mut(worker) {
            watched.postponed = Some(now.saturating_add(POSTPONED));
        }
    }

    /// Whether it is skipped now.
    pub fn is_postponed(&self, worker: &W, now: Duration) -> bool {
        self.workers().get(worker).and_then(|watched| watched.postponed).is_some_and(|until| now < until)
    }

    /// Forgets a worker that is not registered any more.
    pub fn forget(&self, worker: &W) {
        self.workers().remove(worker);
    }

    /// Forgets the workers that are no longer registered.
    pub fn keep_only(&self, is_registered: impl Fn(&W) -> bool) {
        self.workers().retain(|worker, _| is_registered(worker));
    }

    fn with<T>(&self, read: &WorkerReading<W>, now: Duration, look: impl FnOnce(&mut Watched) -> T) -> T {
        let mut workers = self.workers();
        let watched = workers.entry(read.worker.clone()).or_insert_with(|| Watched {
            lease: LeaseWatch::begin(read.heartbeat_number, now),
            is_suspected: false,
            postponed: None,
        });
        watched.lease.observe(read.heartbeat_number, now);
        watched.is_suspected &= watched.lease.is_still(read.lease, now);
        look(watched)
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<W, Watched>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
