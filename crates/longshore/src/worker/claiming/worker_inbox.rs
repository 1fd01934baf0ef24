use longshore_core::{Inbox, QueueScope, WorkerId};

use crate::worker::worker_run::WorkerRun;

/// The store's inbox for the identity under which this worker claims, if it has one.
#[derive(Default)]
pub(crate) struct WorkerInbox {
    open: Option<(WorkerId, Box<dyn Inbox>)>,
    /// Whether jobs may arrive.
    is_offering: bool,
}

impl WorkerInbox {
    /// Sets what may arrive after the next claim of this identity. Opens its inbox if necessary.
    pub(crate) fn offer(&mut self, worker_run: &WorkerRun, worker_id: &WorkerId) {
        let inbox = match self.open.take_if(|(of, _)| of == worker_id) {
            Some((_, inbox)) => inbox,
            None => worker_run.queue.backend().inbox(worker_id),
        };
        let (_, inbox) = self.open.insert((worker_id.clone(), inbox));
        let offer = worker_run.holdings().lanes.offer();
        inbox.offer(offer.scope, offer.limit);
        self.is_offering = true;
    }

    /// Moves arrived leases to the slots. Returns whether there were any.
    pub(crate) fn empty(&mut self, worker_run: &WorkerRun) -> bool {
        let Some((worker_id, inbox)) = &mut self.open else { return false };
        let leases = inbox.take();
        if leases.is_empty() {
            return false;
        }
        let mut holdings = worker_run.holdings();
        if holdings.admits(worker_id) {
            holdings.receive(leases);
            return true;
        }
        if holdings.worker_id() == Some(worker_id) {
            holdings.give_back(&leases, worker_run.clock.monotonic());
        }
        true
    }

    /// Resolves when a lease has arrived. Cancellation safe.
    pub(crate) async fn arrived(&mut self) {
        match &mut self.open {
            Some((_, inbox)) => inbox.arrived().await,
            None => std::future::pending().await,
        }
    }

    /// Nothing may arrive before the next claim: a suspect waits to run alone, and other processes get the jobs.
    pub(crate) fn rest(&mut self, worker_run: &WorkerRun) {
        if let Some((_, inbox)) = &mut self.open
            && std::mem::take(&mut self.is_offering)
        {
            inbox.offer(QueueScope::All, 0);
            worker_run.holdings().lanes.withdraw_offer();
        }
    }
}
