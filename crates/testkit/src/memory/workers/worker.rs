use std::collections::BTreeMap;
use std::time::Duration;

use longshore_core::{HeldClaims, LeaseWatch, Presence, Registration, StartedAttempt, StoreError, Timestamp, WorkerId};
use tokio::sync::watch;

use crate::memory::Moment;
use crate::memory::state::State;

/// A registered worker and its liveness evidence.
#[derive(Clone, Debug)]
pub(in crate::memory) struct Worker {
    pub(in crate::memory) registration: Registration,
    pub(in crate::memory) started_at: Timestamp,
    pub(in crate::memory) heartbeat_at: Timestamp,
    heartbeat_number: i64,
    process: u64,
    pub(in crate::memory) is_killed: bool,
    /// It ended without retiring while its process lived on, so its jobs are not charged.
    pub(in crate::memory) is_abandoned: bool,
    pub(in crate::memory) session: PresentSession,
    /// What its heartbeats said that it holds.
    pub(in crate::memory) held: HeldClaims,
    /// The started attempts, by the slot that runs them.
    pub(in crate::memory) slots: BTreeMap<u32, StartedAttempt>,
}

/// The session of a worker's last registration.
#[derive(Clone, Debug)]
pub(in crate::memory) struct PresentSession {
    number: u64,
    is_lost: watch::Sender<bool>,
}

impl PresentSession {
    fn new(number: u64) -> Self {
        Self { number, is_lost: watch::Sender::new(false) }
    }

    pub(in crate::memory) fn is_lost(&self) -> bool {
        *self.is_lost.borrow()
    }
}

impl Worker {
    pub(in crate::memory) const fn is_in(&self, process: u64) -> bool {
        self.process == process
    }

    pub(in crate::memory) const fn is_alive(&self) -> bool {
        !self.is_killed
    }

    /// Whether a session shows that it lives, and its attempts are noted.
    pub(in crate::memory) fn has_session(&self) -> bool {
        self.registration.presence == Presence::Process
    }

    fn register_again(&mut self, session: PresentSession, process: u64, moment: Moment) {
        if self.is_killed {
            // What had begun went with the evidence of its earlier life.
            self.slots.clear();
        }
        self.heartbeat_number += 1;
        self.heartbeat_at = moment.now;
        (self.process, self.is_killed, self.is_abandoned) = (process, false, false);
        (self.session, self.held) = (session, HeldClaims::default());
    }
}

impl State {
    /// Answers the number of the session that begins, and where its loss is told.
    pub(in crate::memory) fn register(
        &mut self,
        registration: Registration,
        process: u64,
        moment: Moment,
    ) -> (u64, watch::Receiver<bool>) {
        self.learn_settings(&registration.settings);
        self.last_session += 1;
        let session = PresentSession::new(self.last_session);
        let begun = (session.number, session.is_lost.subscribe());
        if let Some(worker) = self.workers.get_mut(&registration.worker_id) {
            worker.register_again(session, process, moment);
            return begun;
        }
        let worker = Worker {
            started_at: moment.now,
            heartbeat_at: moment.now,
            heartbeat_number: 0,
            process,
            is_killed: false,
            is_abandoned: false,
            session,
            held: HeldClaims::default(),
            slots: BTreeMap::new(),
            registration,
        };
        self.workers.insert(worker.registration.worker_id.clone(), worker);
        begun
    }

    /// Takes the evidence of a worker's life away while it lives.
    pub(in crate::memory) fn lose_session(&mut self, worker_id: &WorkerId) {
        if let Some(worker) = self.workers.get_mut(worker_id) {
            worker.session.is_lost.send_replace(true);
        }
    }

    /// The worker's session was dropped without a retirement; one that is not its present one has nothing to give up.
    pub(in crate::memory) fn give_up_session(&mut self, worker_id: &WorkerId, number: u64) {
        let worker = self.workers.get_mut(worker_id).filter(|worker| worker.session.number == number);
        if let Some(worker) = worker.filter(|worker| !worker.is_killed && worker.has_session()) {
            (worker.is_killed, worker.is_abandoned) = (true, true);
            self.given.remove(worker_id);
        }
    }

    pub(in crate::memory) fn kill(&mut self, worker_id: &WorkerId) {
        if let Some(worker) = self.workers.get_mut(worker_id) {
            worker.is_killed = true;
        }
    }

    pub(in crate::memory) fn kill_process(&mut self, process: u64) {
        let of_process = |worker: &&mut Worker| worker.process == process && worker.has_session();
        for worker in self.workers.values_mut().filter(of_process) {
            worker.is_killed = true;
        }
    }

    pub(in crate::memory) fn mark_started(&mut self, worker_id: &WorkerId, attempts: &[StartedAttempt]) {
        if let Some(worker) = self.workers.get_mut(worker_id) {
            worker.slots.extend(attempts.iter().map(|attempt| (attempt.slot, *attempt)));
        }
    }

    pub(in crate::memory) fn registered_worker(&mut self, worker_id: &WorkerId) -> Result<&mut Worker, StoreError> {
        self.workers.get_mut(worker_id).ok_or_else(|| StoreError::WorkerGone { worker_id: worker_id.clone() })
    }

    pub(in crate::memory) fn extend_lease(&mut self, worker_id: &WorkerId, now: Timestamp) -> Result<(), StoreError> {
        let worker = self.registered_worker(worker_id)?;
        worker.heartbeat_number += 1;
        worker.heartbeat_at = now;
        Ok(())
    }

    /// The observations of this process about the worker, updated. `None` for a worker of its own, which it knows to
    /// live.
    pub(in crate::memory) fn watch(
        &mut self,
        worker: &Worker,
        observer: u64,
        now: Duration,
    ) -> Option<&mut LeaseWatch> {
        if worker.process == observer && !worker.is_killed && worker.has_session() {
            return None;
        }
        let key = (observer, worker.registration.worker_id.clone());
        let watch = self.watches.entry(key).or_insert_with(|| LeaseWatch::begin(worker.heartbeat_number, now));
        watch.observe(worker.heartbeat_number, now);
        Some(watch)
    }

    pub(in crate::memory) fn is_alive(&mut self, worker: &Worker, observer: u64, now: Duration) -> bool {
        let lease = worker.registration.lease;
        !worker.is_killed && self.watch(worker, observer, now).is_none_or(|watch| !watch.is_still(lease, now))
    }
}
