use std::sync::{Arc, Mutex, PoisonError};

use longshore_core::{Console, Registration, Store, StoreFuture, WorkerSession};

use crate::suite::Harness;
use crate::{FaultPlan, FaultStore, MemoryStore};

/// What a call of the run may use.
pub(super) trait Backend: Store + Console {}

impl<S: Store + Console> Backend for S {}

/// A process on the store under test and its image on the model.
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

/// Of the calls one in twenty fails.
const FAULTS: f64 = 0.05;

impl<H: Harness> Pair<H> {
    pub(super) fn open(harness: &H, model: &MemoryStore, seed: u64) -> Self {
        let subject = FaultStore::new(harness.open(), FaultPlan::seeded(seed, FAULTS));
        Self { subject, model: model.another_process() }
    }

    /// Both processes die.
    pub(super) fn kill(self, harness: &H) {
        harness.kill(self.subject.into_inner());
        self.model.die();
    }
}
