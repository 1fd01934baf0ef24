use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use longshore_core::{RequestId, WorkerId};

/// The last claim of each worker of this store, for the case that it is repeated.
#[derive(Debug, Default)]
pub(super) struct GivenClaims {
    last: Mutex<HashMap<WorkerId, (RequestId, Given)>>,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// It was sent, and its answer was lost or has not come yet.
    Unknown,
    /// It gave leases under these numbers.
    Leases(Vec<i64>),
}

impl GivenClaims {
    /// What is known of an earlier call with the same request; the last request is this one from now on.
    pub(super) fn begin(&self, worker_id: &WorkerId, request_id: RequestId) -> Option<Given> {
        let mut last = self.all();
        match last.get(worker_id) {
            Some((known, given)) if *known == request_id => Some(given.clone()),
            _ => {
                last.insert(worker_id.clone(), (request_id, Given::Unknown));
                None
            }
        }
    }

    pub(super) fn end(&self, worker_id: &WorkerId, request_id: RequestId, claim_numbers: Vec<i64>) {
        let mut last = self.all();
        if claim_numbers.is_empty() {
            // Repeated, it claims anew.
            last.remove(worker_id);
        } else {
            last.insert(worker_id.clone(), (request_id, Given::Leases(claim_numbers)));
        }
    }

    pub(super) fn forget(&self, worker_id: &WorkerId) {
        self.all().remove(worker_id);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<WorkerId, (RequestId, Given)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
