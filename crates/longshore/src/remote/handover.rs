use std::collections::BTreeSet;
use std::sync::Arc;

use longshore_core::{JobId, Lease, Record, WorkerId};
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;

use super::RemoteWorkers;
use crate::runtime::quiet;

/// The turn of a claim: until all copies are gone, the next claim of the worker waits. It must not find leases that this
/// one is giving back.
pub(super) type Turn = Arc<OwnedMutexGuard<()>>;

/// Leases on their way to a worker. Those that are dropped before it is certain that the answer goes out are given back.
pub(super) struct Handover {
    remote: RemoteWorkers,
    worker_id: WorkerId,
    turn: Turn,
    leases: Vec<Lease>,
}

impl Handover {
    pub(super) const fn new(remote: RemoteWorkers, worker_id: WorkerId, turn: Turn, leases: Vec<Lease>) -> Self {
        Self { remote, worker_id, turn, leases }
    }

    pub(super) fn leases(&self) -> &[Lease] {
        &self.leases
    }

    /// Gives back all but some.
    pub(super) async fn keep_only(&mut self, kept: &BTreeSet<JobId>) {
        let (kept, others) = std::mem::take(&mut self.leases).into_iter().partition(|lease| kept.contains(&lease.id));
        self.leases = kept;
        if let Some(given_back) = self.give_back(others) {
            // It panics only where a store does, and then the next claim tells the worker of them.
            let _ = given_back.await;
        }
    }

    /// The worker has them.
    pub(super) fn keep(mut self) {
        self.leases.clear();
    }

    /// In a task of its own, because a client that hangs up drops the future of its request. If it cannot be written, the
    /// worker is told of them with its next claim.
    fn give_back(&self, leases: Vec<Lease>) -> Option<JoinHandle<()>> {
        if leases.is_empty() {
            return None;
        }
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        let (remote, worker_id, turn) = (self.remote.clone(), self.worker_id.clone(), Arc::clone(&self.turn));
        Some(runtime.spawn(async move {
            let records: Arc<[Record]> = leases.iter().map(Record::returned).collect();
            if let Err(error) = remote.backend().record(worker_id.clone(), records).await {
                quiet::warning!(worker_id = %worker_id, jobs = leases.len(), error = %error, "jobs could not be given back");
            }
            drop(turn);
        }))
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        let leases = std::mem::take(&mut self.leases);
        drop(self.give_back(leases));
    }
}
