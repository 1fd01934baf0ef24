use longshore_core::{
    AttemptEnd, Extended, Heartbeat, JobId, Outcome, Reclaimed, RetryPolicy, StoreError, Timestamp, WorkerId, decide,
};

use super::Moment;
use super::attempt::AttemptEnded;
use super::state::State;
use super::worker::Worker;

impl State {
    pub(super) fn extend(&mut self, heartbeat: &Heartbeat, moment: Moment) -> Result<Extended, StoreError> {
        self.extend_lease(&heartbeat.worker_id, moment)?;
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
        for id in self.held_by(worker_id) {
            let started_at = self.begun_at(&worker, id);
            self.give_back(id, started_at, Outcome::Returned, now);
        }
    }

    pub(super) fn reclaim(&mut self, moment: Moment) -> Reclaimed {
        let is_dead = |worker: &&Worker| !worker.is_alive(moment.monotonic);
        let dead: Vec<Worker> = self.workers.values().filter(is_dead).cloned().collect();
        let mut reclaimed = Reclaimed::default();
        for worker in dead {
            let worker_id = &worker.registration.worker_id;
            for id in self.held_by(worker_id) {
                self.take_from(&worker, id, moment.now);
                reclaimed.jobs += 1;
            }
            self.workers.remove(worker_id);
            reclaimed.workers.push(worker_id.clone());
        }
        reclaimed
    }

    /// Takes a job from its dead worker; only an attempt that had begun can have brought the worker down.
    fn take_from(&mut self, worker: &Worker, id: JobId, now: Timestamp) {
        let started_at = self.begun_at(worker, id);
        let end = if started_at.is_some() { AttemptEnd::Crashed } else { AttemptEnd::Interrupted };
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
