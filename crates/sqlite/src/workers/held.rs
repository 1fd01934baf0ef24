use std::collections::BTreeMap;
use std::sync::Arc;

use longshore_core::{ClaimNumber, JobId, Timestamp, WorkerId};

/// What the writer remembers of the leases that it gave, so that an outcome needs no read: only the counts need
/// it. A hint alone: the fence in SQL decides, names the queue too, and what is not remembered is read.
#[derive(Debug, Default)]
pub(crate) struct HeldLeases {
    /// Ordered, because leases come and go about in the order of their ids: a hash would cost more than the search.
    workers: BTreeMap<WorkerId, BTreeMap<JobId, HeldLease>>,
}

/// The facts about a running job that its counts need.
#[derive(Clone, Debug)]
pub(crate) struct HeldLease {
    pub(crate) claim_number: ClaimNumber,
    pub(crate) queue: Arc<str>,
    pub(crate) ready_at: Timestamp,
}

impl HeldLeases {
    pub(crate) fn give(&mut self, worker_id: &WorkerId, leases: impl Iterator<Item = (JobId, HeldLease)>) {
        self.workers.entry(worker_id.clone()).or_default().extend(leases);
    }

    /// Takes the memory of one lease out; its outcome comes once.
    pub(crate) fn take(&mut self, worker_id: &WorkerId, id: JobId, claim_number: ClaimNumber) -> Option<HeldLease> {
        let lease = self.workers.get_mut(worker_id)?.remove(&id)?;
        (lease.claim_number == claim_number).then_some(lease)
    }

    /// Forgets what is not among the jobs that a worker says it holds, so that the memory stays bounded.
    pub(crate) fn keep_only(&mut self, worker_id: &WorkerId, held: impl Fn(JobId) -> bool) {
        if let Some(leases) = self.workers.get_mut(worker_id) {
            leases.retain(|id, _| held(*id));
        }
    }

    pub(crate) fn forget(&mut self, worker_id: &WorkerId) {
        self.workers.remove(worker_id);
    }
}
