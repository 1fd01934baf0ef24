use longshore_core::{Console, Store};

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
