use std::collections::HashSet;

use longshore_core::{ClaimNumber, JobId, Lease};

/// How many are kept at most. A lease is seconds on its way, not longer.
const KEPT_MAX: usize = 10_000;

/// Leases that were returned before they reached the worker, if they were on their way. They must not run: the store has
/// given their jobs to others.
#[derive(Debug, Default)]
pub(super) struct ReturnedUnseen {
    claims: HashSet<(JobId, ClaimNumber)>,
}

impl ReturnedUnseen {
    pub(super) fn note(&mut self, leases: &[Lease]) {
        if self.claims.len() + leases.len() > KEPT_MAX {
            self.claims.clear();
        }
        self.claims.extend(leases.iter().map(|lease| (lease.id, lease.claim_number)));
    }

    /// Drops those that have arrived now.
    pub(super) fn sieve(&mut self, leases: &mut Vec<Lease>) {
        if !self.claims.is_empty() {
            leases.retain(|lease| !self.claims.remove(&(lease.id, lease.claim_number)));
        }
    }
}
