use std::collections::BTreeMap;
use std::time::Duration;

use longshore_core::{Registration, StartedAttempt, StoreError, Timestamp, WorkerId};

use super::Moment;
use super::claim::GivenClaim;
use super::state::State;

/// A registered worker and the evidence of its life.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub(super) registration: Registration,
    pub(super) started_at: Timestamp,
    pub(super) heartbeat_at: Timestamp,
    /// When its lease was extended last; the wall clock has no say in it.
    extended: Duration,
    process: u64,
    is_killed: bool,
    /// The attempts that have begun, by the slot that runs them.
    pub(super) slots: BTreeMap<u32, StartedAttempt>,
    pub(super) last_claim: Option<GivenClaim>,
}

impl Worker {
    pub(super) const fn is_in(&self, process: u64) -> bool {
        self.process == process
    }

    pub(super) fn is_alive(&self, monotonic: Duration) -> bool {
        !self.is_killed && monotonic.saturating_sub(self.extended) < self.registration.lease
    }
}

impl State {
    pub(super) fn register(&mut self, registration: Registration, process: u64, moment: Moment) {
        let worker = Worker {
            started_at: moment.now,
            heartbeat_at: moment.now,
            extended: moment.monotonic,
            process,
            is_killed: false,
            slots: BTreeMap::new(),
            last_claim: None,
            registration,
        };
        self.workers.insert(worker.registration.worker_id.clone(), worker);
    }

    pub(super) fn kill(&mut self, worker_id: &WorkerId) {
        if let Some(worker) = self.workers.get_mut(worker_id) {
            worker.is_killed = true;
        }
    }

    pub(super) fn kill_process(&mut self, process: u64) {
        for worker in self.workers.values_mut().filter(|worker| worker.process == process) {
            worker.is_killed = true;
        }
    }

    pub(super) fn mark_started(&mut self, worker_id: &WorkerId, attempt: StartedAttempt) {
        if let Some(worker) = self.workers.get_mut(worker_id) {
            worker.slots.insert(attempt.slot, attempt);
        }
    }

    pub(super) fn living_worker(&mut self, worker_id: &WorkerId, moment: Moment) -> Result<&mut Worker, StoreError> {
        self.workers
            .get_mut(worker_id)
            .filter(|worker| worker.is_alive(moment.monotonic))
            .ok_or_else(|| StoreError::WorkerGone { worker_id: worker_id.clone() })
    }

    pub(super) fn extend_lease(&mut self, worker_id: &WorkerId, moment: Moment) -> Result<(), StoreError> {
        let worker = self.living_worker(worker_id, moment)?;
        worker.extended = moment.monotonic;
        worker.heartbeat_at = moment.now;
        Ok(())
    }
}
