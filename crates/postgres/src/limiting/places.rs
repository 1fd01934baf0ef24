use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use longshore_core::{Changes, ClaimNumber, JobId, Lease, WorkerId};

/// The type and queue of each job under a rule that workers of this store hold, so that its end wakes those who wait for
/// its place. Only hints come of it.
#[derive(Debug, Default)]
pub(crate) struct Places {
    workers: Mutex<HashMap<WorkerId, Held>>,
}

/// A type and a queue.
type Kind = (String, String);

/// What one worker holds.
type Held = HashMap<(JobId, ClaimNumber), Kind>;

impl Places {
    /// What a claim has given.
    pub(crate) fn take<'l>(&self, worker_id: &WorkerId, leases: impl IntoIterator<Item = &'l Lease>) {
        let taken = leases.into_iter();
        let taken = taken
            .map(|lease| ((lease.id, lease.claim_number), (lease.job_type.clone(), lease.queue.clone())))
            .collect::<Vec<_>>();
        if !taken.is_empty() {
            self.with(|workers| workers.entry(worker_id.clone()).or_default().extend(taken));
        }
    }

    /// These attempts have ended: whom that concerns.
    pub(crate) fn free(&self, worker_id: &WorkerId, ended: &[(JobId, ClaimNumber)], changes: &mut Changes) {
        self.with(|workers| {
            let Some(held) = workers.get_mut(worker_id) else { return };
            for (job_type, queue) in ended.iter().filter_map(|claim| held.remove(claim)) {
                changes.add_job(Some(&job_type), &queue);
            }
            if held.is_empty() {
                workers.remove(worker_id);
            }
        });
    }

    /// The worker holds nothing any more.
    pub(crate) fn forget(&self, worker_id: &WorkerId) {
        self.with(|workers| drop(workers.remove(worker_id)));
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<WorkerId, Held>) -> T) -> T {
        act(&mut self.workers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
