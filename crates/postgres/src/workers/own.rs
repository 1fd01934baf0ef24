use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_core::WorkerId;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::session::standing::HeldLock;

/// The workers that were registered through this store and did not end: it knows that they live.
#[derive(Debug, Default)]
pub(crate) struct OwnWorkers {
    workers: Mutex<HashMap<WorkerId, OwnWorker>>,
    sessions: AtomicU64,
}

/// The last registration of a worker.
#[derive(Debug)]
pub(crate) struct OwnWorker {
    pub(crate) worker: i32,
    /// Which of the store's sessions it is.
    pub(crate) session: u64,
    pub(crate) session_key: i64,
    /// `None` behind a pooler.
    pub(crate) evidence: Option<Evidence>,
}

/// The lock that shows others that the worker lives.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// Released when this is dropped.
    pub(crate) _lock: HeldLock,
    pub(crate) is_lost: watch::Receiver<Option<Arc<str>>>,
    /// Tells everybody when the lock is lost.
    pub(crate) guard: AbortHandle,
}

impl Drop for Evidence {
    fn drop(&mut self) {
        self.guard.abort();
    }
}

impl OwnWorker {
    /// Whether nothing shows that it lives, because its session was lost.
    pub(crate) fn is_lost(&self) -> bool {
        self.evidence.as_ref().is_some_and(|evidence| evidence.is_lost.borrow().is_some())
    }
}

impl OwnWorkers {
    /// The number of a new session.
    pub(crate) fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed)
    }

    /// The worker was registered. Its earlier session ends with the answer.
    pub(crate) fn insert(&self, worker_id: WorkerId, worker: OwnWorker) -> Option<OwnWorker> {
        self.workers().insert(worker_id, worker)
    }

    /// The worker has gone.
    pub(crate) fn remove(&self, worker_id: &WorkerId) -> Option<OwnWorker> {
        self.workers().remove(worker_id)
    }

    /// The worker's session was dropped. `None` if a later one took its place.
    pub(crate) fn remove_session(&self, worker_id: &WorkerId, session: u64) -> Option<OwnWorker> {
        let mut workers = self.workers();
        let is_present = workers.get(worker_id).is_some_and(|worker| worker.session == session);
        if is_present { workers.remove(worker_id) } else { None }
    }

    pub(crate) fn contains(&self, worker_id: &WorkerId) -> bool {
        self.workers().contains_key(worker_id)
    }

    pub(crate) fn numbers(&self) -> Vec<i32> {
        self.workers().values().map(|worker| worker.worker).collect()
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<WorkerId, OwnWorker>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
