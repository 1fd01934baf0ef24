use longshore_core::{ClaimNumber, JobId, Lease, Timestamp, WorkerId};

use super::pair::Pair;
use crate::suite::Harness;

/// A worker in a process of its own, and what it believes that it holds.
pub(super) struct Actor<H: Harness> {
    pub(super) pair: Pair<H>,
    pub(super) worker_id: WorkerId,
    pub(super) holds: Vec<Held>,
}

/// A lease, and when its attempt began, if it has.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) lease: Lease,
    pub(super) began: Option<Timestamp>,
}

/// A worker that was taken for dead and may still write.
#[derive(Clone, Debug)]
pub(super) struct Ghost {
    pub(super) worker_id: WorkerId,
    pub(super) held: Held,
}

impl<H: Harness> Actor<H> {
    pub(super) fn held(&self) -> Vec<(JobId, ClaimNumber)> {
        self.holds.iter().map(|held| (held.lease.id, held.lease.claim_number)).collect()
    }

    pub(super) fn ghosts(&self) -> impl Iterator<Item = Ghost> + '_ {
        self.holds.iter().map(|held| Ghost { worker_id: self.worker_id.clone(), held: held.clone() })
    }
}
