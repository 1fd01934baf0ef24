use longshore_core::{
    ClaimNumber, ClaimRequest, Heartbeat, Held, Inbox, JobId, Lease, Registration, Store, Timestamp, WorkerId,
};

use super::pair::{Pair, Sessions};
use crate::suite::Harness;

/// A worker in a process of its own, and what it believes that it holds.
pub(super) struct Actor<H: Harness> {
    pub(super) pair: Pair<H>,
    pub(super) worker_id: WorkerId,
    pub(super) registration: Registration,
    /// Of its last registration, on both sides.
    pub(super) sessions: Sessions,
    pub(super) holds: Vec<Holding>,
    pub(super) told: Told,
    /// On the store under test alone, with what it claimed last: the model shows by a claim that a lease was right.
    pub(super) inbox: Option<(Box<dyn Inbox>, ClaimRequest)>,
    /// Its last claim, and whether it knows the answer.
    pub(super) last_claim: Option<(ClaimRequest, bool)>,
}

/// What the store knows of the claims of a worker.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The number of its last heartbeat.
    number: u64,
    /// The last one that was answered since its registration, and what it held then.
    answered: Option<(u64, Claims)>,
}

/// What a worker holds, by job.
pub(super) type Claims = Vec<(JobId, ClaimNumber)>;

impl Told {
    /// The next heartbeat, which names changes where it can and is to.
    pub(super) fn next(&mut self, worker_id: &WorkerId, held: Claims, names_changes: bool) -> Heartbeat {
        self.number += 1;
        let without =
            |all: &Claims, others: &Claims| all.iter().filter(|claim| !others.contains(claim)).copied().collect();
        let held = match self.answered.take() {
            Some((since, before)) if names_changes => {
                Held::Changes { since, taken: without(&held, &before), given_up: without(&before, &held) }
            }
            _ => Held::All(held),
        };
        Heartbeat { worker_id: worker_id.clone(), number: self.number, held }
    }

    pub(super) fn answered(&mut self, held: Claims) {
        self.answered = Some((self.number, held));
    }
}

/// A lease, and when its attempt began, if it has.
#[derive(Clone, Debug)]
pub(super) struct Holding {
    pub(super) lease: Lease,
    pub(super) began: Option<Timestamp>,
}

/// A worker that was taken for dead and may still write.
#[derive(Clone, Debug)]
pub(super) struct Ghost {
    pub(super) worker_id: WorkerId,
    pub(super) held: Holding,
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

    pub(super) fn held(&self) -> Claims {
        self.holds.iter().map(|held| (held.lease.id, held.lease.claim_number)).collect()
    }

    /// Takes in what a claim gave; a claim that is repeated gives again what is held already.
    pub(super) fn hold(&mut self, leases: Vec<Lease>) {
        for lease in leases {
            let is_held = |held: &Holding| held.lease.id == lease.id && held.lease.claim_number == lease.claim_number;
            if !self.holds.iter().any(is_held) {
                self.holds.push(Holding { lease, began: None });
            }
        }
    }

    pub(super) fn ghosts(&self) -> impl Iterator<Item = Ghost> + '_ {
        self.holds.iter().map(|held| Ghost { worker_id: self.worker_id.clone(), held: held.clone() })
    }
}
