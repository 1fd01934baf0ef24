use longshore_core::{Limits, WorkerId};

use super::MemoryStore;
use crate::FakeClock;
use crate::suite::Harness;

impl Harness for MemoryStore {
    type Store = Self;

    fn create(clock: FakeClock, limits: Limits) -> Self {
        Self::with_limits(clock, limits)
    }

    fn open(&self) -> Self {
        self.another_process()
    }

    fn kill(&self, store: Self) {
        store.die();
    }

    fn lose_session(&self, worker_id: &WorkerId) {
        Self::lose_session(self, worker_id);
    }
}
