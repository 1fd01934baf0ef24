use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use longshore_core::{
    Backend, BatchesRequest, Console, Filter, JobPageRequest, Registration, StoreFuture, WorkerSession, Workflows,
};

use crate::suite::Harness;
use crate::{FaultPlan, FaultStore, MemoryStore};

/// A process on the store under test, and its image on the model.
pub(super) struct Pair<H: Harness> {
    pub(super) subject: FaultStore<H::Store>,
    pub(super) model: MemoryStore,
}

/// The sessions of one worker on both sides, those of its last registration. To be dropped after the process has died,
/// or they would give something up.
#[derive(Debug, Default)]
pub(super) struct Sessions(Arc<Mutex<Vec<Box<dyn WorkerSession>>>>);

impl Sessions {
    /// Registers a worker and keeps its session here, beside that of the other side.
    pub(super) fn register<'a>(&self, store: &'a dyn Backend, registration: Registration) -> StoreFuture<'a, ()> {
        let sessions = Arc::clone(&self.0);
        Box::pin(async move {
            let session = store.register(registration).await?;
            sessions.lock().unwrap_or_else(PoisonError::into_inner).push(session);
            Ok(())
        })
    }
}

/// One in twenty calls fails.
const FAULTS: f64 = 0.05;

impl<H: Harness> Pair<H> {
    pub(super) fn open(harness: &H, model: &MemoryStore, seed: u64) -> Self {
        let subject = FaultStore::new(harness.open(), FaultPlan::seeded(seed, FAULTS));
        Self { subject, model: model.another_process() }
    }

    /// If the ids and claim numbers of the store have gaps, those that it gave are the next ones of the model.
    pub(super) async fn share_numbers(&self) {
        if H::leaves_no_gaps() {
            return;
        }
        let (store, mut after, mut given) = (self.subject.inner(), None, BTreeMap::new());
        loop {
            let request = JobPageRequest { selection: Filter::all().into(), after, limit: 1000, looked_max: None };
            let page = store.jobs(request).await.expect("without faults jobs can be read");
            given.extend(page.jobs.iter().map(|job| (job.id, job.claim_number)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        self.model.give_next(given);
        let request = BatchesRequest { statuses: None, before: None, limit: 1 };
        let newest = store.batches(request).await.expect("without faults batches can be read");
        self.model.give_next_batch(newest.first().map(|batch| batch.id));
    }

    /// Kills both processes.
    pub(super) fn kill(self, harness: &H) {
        harness.kill(self.subject.into_inner());
        self.model.die();
    }
}
