pub(crate) mod claims;
pub(crate) mod inbox;
pub(crate) mod sessions;
pub(crate) mod starts;
pub(crate) mod wakeups;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use longshore_core::{ClaimRequest, Registration, WorkerId};

use sessions::Sessions;
use starts::Starts;

/// The workers that were registered through this store.
#[derive(Debug, Default)]
pub(crate) struct Workers {
    known: Mutex<HashMap<WorkerId, WorkerEntry>>,
    pub(crate) starts: Starts,
}

/// A worker.
#[derive(Debug)]
pub(crate) struct WorkerEntry {
    pub(crate) registration: Registration,
    /// Its evidence of life, which belongs to the worker: when a process ends, it must not be given up.
    pub(crate) sessions: Weak<Sessions>,
    /// Where it is registered.
    pub(crate) is_registered: Vec<bool>,
    /// For each database, the claim whose answer was lost; it is repeated before any other one.
    pub(crate) unanswered: Vec<Option<ClaimRequest>>,
    /// Where its next claim begins.
    pub(crate) turn: usize,
}

impl Workers {
    fn known(&self) -> MutexGuard<'_, HashMap<WorkerId, WorkerEntry>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at or changes a worker, if it is known.
    pub(crate) fn with<T>(&self, worker_id: &WorkerId, look: impl FnOnce(&mut WorkerEntry) -> T) -> Option<T> {
        self.known().get_mut(worker_id).map(look)
    }

    /// The worker is registered in these databases, and these sessions are its last ones. Claims that were not answered
    /// stay so: they may hold jobs.
    pub(crate) fn add(&self, registration: Registration, sessions: &Arc<Sessions>, is_registered: Vec<bool>) {
        let databases = is_registered.len();
        let mut known = self.known();
        let earlier = known.remove(&registration.worker_id);
        let (unanswered, turn) = earlier.map_or((vec![None; databases], 0), |entry| (entry.unanswered, entry.turn));
        let worker_id = registration.worker_id.clone();
        let sessions = Arc::downgrade(sessions);
        known.insert(worker_id, WorkerEntry { registration, sessions, is_registered, unanswered, turn });
    }

    /// The earlier sessions of a worker.
    pub(crate) fn sessions(&self, worker_id: &WorkerId) -> Option<Arc<Sessions>> {
        self.known().get(worker_id)?.sessions.upgrade()
    }

    /// Nothing is known of the worker any more.
    pub(crate) fn forget(&self, worker_id: &WorkerId) {
        self.known().remove(worker_id);
        self.starts.forget(worker_id);
    }

    /// Whether a database knows the worker. One that another process registered may be known anywhere.
    pub(crate) fn is_registered(&self, worker_id: &WorkerId, place: usize) -> bool {
        self.with(worker_id, |entry| entry.is_registered[place]).unwrap_or(true)
    }

    /// The living workers that a database does not know yet.
    pub(crate) fn missing(&self, place: usize) -> Vec<(Registration, Arc<Sessions>)> {
        let mut known = self.known();
        known.retain(|_, entry| entry.sessions.strong_count() > 0);
        let missing = known.values().filter(|entry| !entry.is_registered[place]);
        missing.filter_map(|entry| Some((entry.registration.clone(), entry.sessions.upgrade()?))).collect()
    }
}
