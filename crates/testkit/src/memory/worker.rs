use std::collections::BTreeMap;
use std::time::Duration;

use longshore_core::{LeaseWatch, Registration, StartedAttempt, StoreError, Timestamp, WorkerId};

use super::Moment;
use super::claim::GivenClaim;
use super::state::State;

/// A registered worker and the evidence of its life.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub(super) registration: Registration,
    pub(super) started_at: Timestamp,
    pub(super) heartbeat_at: Timestamp,
    heartbeat_number: i64,
    process: u64,
    pub(super) is_killed: bool,
    /// It ended without retiring while its process lived on, so nothing that it held is to be charged.
    pub(super) is_abandoned: bool,
    /// The attempts that have begun, by the slot that runs them.
    pub(super) slots: BTreeMap<u32, StartedAttempt>,
    pub(super) last_claim: Option<GivenClaim>,
}

impl Worker {
    pub(super) const fn is_in(&self, process: u64) -> bool {
        self.process == process
    }

    pub(super) const fn is_alive(&self) -> bool {
        !self.is_killed
    }
}

impl State {
    pub(super) fn register(&mut self, registration: Registration, process: u64, moment: Moment) {
        if let Some(worker) = self.workers.get_mut(&registration.worker_id) {
            worker.heartbeat_number += 1;
            worker.heartbeat_at = moment.now;
            (worker.process, worker.is_killed) = (process, false);
            return;
        }
        let worker = Worker {
            started_at: moment.now,
            heartbeat_at: moment.now,
            heartbeat_number: 0,
            process,
            is_killed: false,
            is_abandoned: false,
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

    pub(super) fn abandon(&mut self, worker_id: &WorkerId) {
        if let Some(worker) = self.workers.get_mut(worker_id) {
            (worker.is_killed, worker.is_abandoned) = (true, true);
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

    pub(super) fn registered_worker(&mut self, worker_id: &WorkerId) -> Result<&mut Worker, StoreError> {
        self.workers.get_mut(worker_id).ok_or_else(|| StoreError::WorkerGone { worker_id: worker_id.clone() })
    }

    pub(super) fn extend_lease(&mut self, worker_id: &WorkerId, now: Timestamp) -> Result<(), StoreError> {
        let worker = self.registered_worker(worker_id)?;
        worker.heartbeat_number += 1;
        worker.heartbeat_at = now;
        Ok(())
    }

    /// What this process has seen of the worker, and sees now; nothing of one of its own, which it knows to live.
    pub(super) fn watch(&mut self, worker: &Worker, observer: u64, now: Duration) -> Option<&mut LeaseWatch> {
        if worker.process == observer {
            return None;
        }
        let key = (observer, worker.registration.worker_id.clone());
        let watch = self.watches.entry(key).or_insert_with(|| LeaseWatch::begin(worker.heartbeat_number, now));
        watch.observe(worker.heartbeat_number, now);
        Some(watch)
    }

    pub(super) fn is_alive(&mut self, worker: &Worker, observer: u64, now: Duration) -> bool {
        let lease = worker.registration.lease;
        !worker.is_killed && self.watch(worker, observer, now).is_none_or(|watch| !watch.is_still(lease, now))
    }
}
