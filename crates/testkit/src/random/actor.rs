use longshore_core::{ClaimNumber, ClaimRequest, Inbox, JobId, Lease, Store, Timestamp, WorkerId};

use super::pair::Pair;
use crate::suite::Harness;

/// A worker in a process of its own, and what it believes that it holds.
pub(super) struct Actor<H: Harness> {
    pub(super) pair: Pair<H>,
    pub(super) worker_id: WorkerId,
    pub(super) holds: Vec<Held>,
    /// On the store under test alone, with what it claimed last: the model shows by a claim that a lease was right.
    pub(super) inbox: Option<(Box<dyn Inbox>, ClaimRequest)>,
    /// Its last claim, and whether it knows the answer.
    pub(super) last_claim: Option<(ClaimRequest, bool)>,
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
    /// Offers what the claim that follows does not get, if its inbox is open or is to be opened.
    pub(super) fn offer(&mut self, request: &ClaimRequest, opens: bool) {
        let open = self.inbox.take().map(|(inbox, _)| inbox);
        let inbox = open.or_else(|| opens.then(|| self.pair.subject.inbox(&self.worker_id)));
        self.inbox = inbox.map(|mut inbox| {
            inbox.offer(request.scope.clone(), request.limit);
            (inbox, request.clone())
        });
    }

    pub(super) fn held(&self) -> Vec<(JobId, ClaimNumber)> {
        self.holds.iter().map(|held| (held.lease.id, held.lease.claim_number)).collect()
    }

    /// Takes in what a claim gave; a claim that is repeated gives again what is held already.
    pub(super) fn hold(&mut self, leases: Vec<Lease>) {
        for lease in leases {
            let is_held = |held: &Held| held.lease.id == lease.id && held.lease.claim_number == lease.claim_number;
            if !self.holds.iter().any(is_held) {
                self.holds.push(Held { lease, began: None });
            }
        }
    }

    pub(super) fn ghosts(&self) -> impl Iterator<Item = Ghost> + '_ {
        self.holds.iter().map(|held| Ghost { worker_id: self.worker_id.clone(), held: held.clone() })
    }
}
