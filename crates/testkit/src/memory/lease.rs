use std::time::Duration;

use longshore_core::{
    AttemptEnd, Extended, Heartbeat, JobId, LeaseVerdict, Outcome, Reclaimed, RetryPolicy, StoreError, Timestamp,
    WorkerId, decide,
};

use super::Moment;
use super::attempt::AttemptEnded;
use super::state::State;
use super::worker::Worker;

impl State {
    pub(super) fn extend(&mut self, heartbeat: &Heartbeat, now: Timestamp) -> Result<Extended, StoreError> {
        self.extend_lease(&heartbeat.worker_id, now)?;
        let mut extended = Extended::default();
        for (id, claim_number) in &heartbeat.held {
            match self.rows.get(id).filter(|row| row.is_attempt(&heartbeat.worker_id, *claim_number)) {
                None => extended.lost.push(*id),
                Some(row) if row.job.cancel_requested_at.is_some() => extended.cancel_requested.push(*id),
                Some(_) => {}
            }
        }
        Ok(extended)
    }

    pub(super) fn retire(&mut self, worker_id: &WorkerId, now: Timestamp) {
        let Some(worker) = self.workers.remove(worker_id) else { return };
        self.watches.retain(|(_, watched), _| watched != worker_id);
        for id in self.held_by(worker_id) {
            let started_at = self.begun_at(&worker, id);
            self.give_back(id, started_at, Outcome::Returned, now);
        }
    }

    pub(super) fn reclaim(&mut self, observer: u64, moment: Moment) -> Reclaimed {
        let mut reclaimed = Reclaimed::default();
        for worker in self.workers.values().cloned().collect::<Vec<_>>() {
            let Some(end) = self.loss_of(&worker, observer, moment.monotonic) else { continue };
            let worker_id = &worker.registration.worker_id;
            for id in self.held_by(worker_id) {
                self.take_from(&worker, id, end.clone(), moment.now);
                reclaimed.jobs += 1;
            }
            self.workers.remove(worker_id);
            self.watches.retain(|(_, watched), _| watched != worker_id);
            reclaimed.workers.push(worker_id.clone());
        }
        reclaimed
    }

    /// How a worker's attempts end now, if it is lost. Writing is always possible here.
    fn loss_of(&mut self, worker: &Worker, observer: u64, now: Duration) -> Option<AttemptEnd> {
        if worker.is_killed {
            return Some(AttemptEnd::Crashed);
        }
        let lease = worker.registration.lease;
        let watch = self.watch(worker, observer, now)?;
        match watch.verdict(lease, now) {
            LeaseVerdict::Holds => None,
            LeaseVerdict::Suspected => {
                watch.note_write(lease, now);
                None
            }
            LeaseVerdict::Over => Some(AttemptEnd::Lapsed),
        }
    }

    /// Takes a job from the worker that lost it; only an attempt that had begun can have brought the worker down.
    fn take_from(&mut self, worker: &Worker, id: JobId, end: AttemptEnd, now: Timestamp) {
        let started_at = self.begun_at(worker, id);
        let end = if started_at.is_some() { end } else { AttemptEnd::Interrupted };
        let outcome = decide(&self.rows[&id].budgets(), end, &RetryPolicy::default(), now, 0.0);
        self.give_back(id, started_at, outcome, now);
    }

    fn give_back(&mut self, id: JobId, started_at: Option<Timestamp>, outcome: Outcome, now: Timestamp) {
        let attempt = self.rows[&id].job.retry_count.saturating_add(1);
        self.end_attempt(AttemptEnded { id, attempt, started_at, finished_at: now, outcome });
    }

    fn held_by(&self, worker_id: &WorkerId) -> Vec<JobId> {
        self.rows.values().filter(|row| row.is_held_by(worker_id)).map(|row| row.job.id).collect()
    }

    /// When the attempt began, if one of the worker's slots says that it did.
    fn begun_at(&self, worker: &Worker, id: JobId) -> Option<Timestamp> {
        let job = &self.rows[&id].job;
        let is_this = |slot: &longshore_core::StartedAttempt| slot.id == id && slot.claim_number == job.claim_number;
        job.started_at.filter(|_| worker.slots.values().any(is_this))
    }
}
