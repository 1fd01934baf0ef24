use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use longshore_core::{ClaimNumber, ClaimRequest, JobId, Lease, RequestId, WorkerId};

/// The leases of the last claim of each worker of this store, so that a claim that is repeated because its answer was
/// lost returns the same. The rows decide what the worker still has.
#[derive(Debug, Default)]
pub(crate) struct GivenClaims {
    workers: Mutex<HashMap<WorkerId, GivenClaim>>,
}

/// A claim that returned leases.
#[derive(Clone, Debug)]
pub(crate) struct GivenClaim {
    request_id: RequestId,
    /// In the order in which they must run.
    pub(crate) leases: Vec<(JobId, ClaimNumber)>,
    /// Whether its commit is known to have succeeded. If not, only a row of the worker proves it.
    pub(crate) is_committed: bool,
}

impl GivenClaims {
    /// The claim is about to be committed. It replaces the worker's last claim, which was answered.
    pub(crate) fn give(&self, request: &ClaimRequest, leases: &[Lease]) {
        let leases = leases.iter().map(|lease| (lease.id, lease.claim_number)).collect();
        let given = GivenClaim { request_id: request.request_id, leases, is_committed: false };
        self.workers().insert(request.worker_id.clone(), given);
    }

    /// The claim was committed, or returned nothing.
    pub(crate) fn commit(&self, worker_id: &WorkerId, request_id: RequestId) {
        if let Some(given) = self.workers().get_mut(worker_id).filter(|given| given.request_id == request_id) {
            given.is_committed = true;
        }
    }

    /// The leases of the same request, if it was carried out before.
    pub(crate) fn before(&self, request: &ClaimRequest) -> Option<GivenClaim> {
        self.workers().get(&request.worker_id).filter(|given| given.request_id == request.request_id).cloned()
    }

    /// The worker has gone.
    pub(crate) fn forget(&self, worker_id: &WorkerId) {
        self.workers().remove(worker_id);
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<WorkerId, GivenClaim>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
