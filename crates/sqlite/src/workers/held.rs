use std::collections::BTreeMap;
use std::sync::Arc;

use longshore_core::{ClaimNumber, JobId, Timestamp, WorkerId};

/// The writer's memory of the leases that it gave, so that an outcome needs no read; only the counts need it. It is
/// only a hint: the SQL fence decides and also checks the queue, and a lease that is not remembered is read.
#[derive(Debug, Default)]
pub(crate) struct HeldLeases {
    /// Ordered, because leases come and go roughly in the order of their ids. A hash would cost more than the search.
    workers: BTreeMap<WorkerId, BTreeMap<JobId, HeldLease>>,
}

/// The facts about a running job that the counts need.
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

    /// Takes one lease out of the memory, because its outcome comes only once.
    pub(crate) fn take(&mut self, worker_id: &WorkerId, id: JobId, claim_number: ClaimNumber) -> Option<HeldLease> {
        let lease = self.workers.get_mut(worker_id)?.remove(&id)?;
        (lease.claim_number == claim_number).then_some(lease)
    }

    /// Forgets leases that the worker does not report as held, so that the memory stays bounded.
    pub(crate) fn keep_only(&mut self, worker_id: &WorkerId, held: impl Fn(JobId) -> bool) {
        if let Some(leases) = self.workers.get_mut(worker_id) {
            leases.retain(|id, _| held(*id));
        }
    }

    pub(crate) fn forget(&mut self, worker_id: &WorkerId) {
        self.workers.remove(worker_id);
    }
}
