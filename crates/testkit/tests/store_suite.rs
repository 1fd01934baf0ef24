//! The suite on the model itself: what is expected of every backend holds first of all for the oracle.

use longshore_core::Limits;
use longshore_testkit::suite::Harness;
use longshore_testkit::{FakeClock, MemoryStore, store_suite};

struct Memory(MemoryStore);

impl Harness for Memory {
    type Store = MemoryStore;

    fn create(clock: FakeClock, limits: Limits) -> Self {
        Self(MemoryStore::with_limits(clock, limits))
    }

    fn open(&self) -> MemoryStore {
        self.0.another_process()
    }

    fn kill(&self, store: MemoryStore) {
        store.die();
    }
}

store_suite!(crate::Memory);
