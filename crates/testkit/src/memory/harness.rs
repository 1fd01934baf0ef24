use longshore_core::{JobId, Limits, Status, WorkerId};

use crate::FakeClock;
use crate::memory::MemoryStore;
use crate::suite::{Harness, PlainInsert};

impl Harness for MemoryStore {
    type Store = Self;

    fn create(clock: FakeClock, limits: Limits) -> Self {
        Self::with_limits(clock, limits)
    }

    fn open(&self) -> Self {
        self.another_process()
    }

    fn try_insert_plainly(&self, plain: &PlainInsert) -> Result<JobId, String> {
        self.refusal_of_move().map_or_else(|| Ok(Self::insert_plainly(self, plain)), |refusal| Err(refusal.to_string()))
    }

    fn refuse(&self, id: JobId, moves: &[Status]) {
        Self::refuse(self, id, moves);
    }

    fn refuse_type(&self, job_type: &str) {
        Self::refuse_type(self, job_type, "a constraint of the application");
    }

    fn write_newer_definition(&self, schedule: &str) {
        self.spoil_definition(schedule);
    }

    fn kill(&self, store: Self) {
        store.die();
    }

    fn lose_session(&self, worker_id: &WorkerId) {
        Self::lose_session(self, worker_id);
    }
}
