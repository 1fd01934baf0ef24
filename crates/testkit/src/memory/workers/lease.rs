use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use longshore_core::{
    AttemptEnd, ClaimNumber, Extended, HELD_LEASES_MAX, Heartbeat, JobId, Lease, LeaseVerdict, Outcome, Reclaimed,
    Recorded, RetryPolicy, StartedAttempt, StoreError, Suspects, Timestamp, WorkerId, decide,
};

use crate::memory::Moment;
use crate::memory::jobs::attempt::AttemptEnded;
use crate::memory::jobs::row::Row;
use crate::memory::state::State;
use crate::memory::workers::worker::Worker;

/// How long a process waits between two looks for lost workers.
const LOOK: Duration = Duration::from_millis(250);

/// How a worker is lost.
#[derive(Clone, Copy)]
enum Loss {
    Died,
    Lapsed,
}

impl State {
    pub(in crate::memory) fn extend(&mut self, heartbeat: &Heartbeat, now: Timestamp) -> Result<Extended, StoreError> {
        let Heartbeat { worker_id, number, held } = heartbeat;
        self.extend_lease(worker_id, now)?;
        let worker = self.registered_worker(worker_id)?;
        if !worker.held.take_in(*number, held) {
            return Ok(Extended { asks_for_all: true, ..Extended::default() });
        }
        let held: Vec<_> = worker.held.iter().collect();
        let mut extended = Extended::default();
        for (id, claim_number) in held {
            match self.rows.get(&id).filter(|row| row.is_attempt(worker_id, claim_number)) {
                None => extended.lost.push(id),
                Some(row) if row.job.cancel_requested_at.is_some() => extended.cancel_requested.push(id),
                Some(_) => {}
            }
        }
        Ok(extended)
    }

    pub(in crate::memory) fn retire(&mut self, worker_id: &WorkerId, now: Timestamp) {
        self.given.remove(worker_id);
        let Some(worker) = self.workers.remove(worker_id) else { return };
        self.watches.retain(|(_, watched), _| watched != worker_id);
        for id in self.held_by(worker_id) {
            let started_at = self.begun(&worker, id).map(|begun| begun.at);
            self.give_back(id, started_at, Outcome::Returned, now);
        }
    }

    pub(in crate::memory) fn begin_isolated(
        &mut self,
        worker_id: &WorkerId,
        id: JobId,
        claim_number: ClaimNumber,
    ) -> Recorded {
        match self.rows.get_mut(&id).filter(|row| row.is_attempt(worker_id, claim_number)) {
            None => Recorded::Fenced,
            Some(row) => {
                row.isolated_claim = Some(claim_number);
                Recorded::Recorded
            }
        }
    }

    pub(in crate::memory) fn cancel_requests(
        &self,
        worker_id: &WorkerId,
    ) -> Result<Vec<(JobId, ClaimNumber)>, StoreError> {
        if !self.workers.contains_key(worker_id) {
            return Err(StoreError::WorkerGone { worker_id: worker_id.clone() });
        }
        let asked = self.rows.values().filter(|row| row.is_held_by(worker_id) && row.job.cancel_requested_at.is_some());
        Ok(asked.map(|row| (row.job.id, row.job.claim_number)).collect())
    }

    pub(in crate::memory) fn held_leases(
        &mut self,
        worker_id: &WorkerId,
        beyond: &[(JobId, ClaimNumber)],
    ) -> Result<Vec<Lease>, StoreError> {
        self.registered_worker(worker_id)?;
        let held = self.rows.values().filter(|row| row.is_held_by(worker_id));
        let held = held.filter(|row| !beyond.contains(&(row.job.id, row.job.claim_number)));
        let mut leases: Vec<Lease> = held.take(HELD_LEASES_MAX).map(Row::lease).collect();
        leases.sort_by_key(|lease| (Reverse(lease.priority), lease.id));
        Ok(leases)
    }

    pub(in crate::memory) fn reclaim(&mut self, observer: u64, moment: Moment) -> Reclaimed {
        let mut reclaimed = Reclaimed { overdue: self.end_overdue(moment.now), next: LOOK, ..Reclaimed::default() };
        for worker in self.workers.values().cloned().collect::<Vec<_>>() {
            let Some(loss) = self.loss_of(&worker, observer, moment.monotonic) else { continue };
            let worker_id = &worker.registration.worker_id;
            let held = self.held_by(worker_id);
            let begun: BTreeMap<JobId, Begun> =
                held.iter().filter_map(|id| Some((*id, self.begun(&worker, *id)?))).collect();
            for id in held {
                let suspects = if begun.len() == 1 { Suspects::One } else { Suspects::Several };
                self.take_from(id, begun.get(&id), loss, suspects, moment.now);
                reclaimed.jobs += 1;
            }
            self.workers.remove(worker_id);
            self.watches.retain(|(_, watched), _| watched != worker_id);
            reclaimed.workers.push(worker_id.clone());
        }
        reclaimed
    }

    /// How a worker is lost now, if it is. Writing is always possible here.
    fn loss_of(&mut self, worker: &Worker, observer: u64, now: Duration) -> Option<Loss> {
        // Without its session nobody can tell that it died.
        if worker.is_killed && !worker.session.is_lost() {
            return Some(Loss::Died);
        }
        let lease = worker.registration.lease;
        let watch = self.watch(worker, observer, now)?;
        match watch.verdict(lease, now) {
            LeaseVerdict::Holds => None,
            LeaseVerdict::Suspected => {
                watch.note_write(lease, now);
                None
            }
            LeaseVerdict::Over => Some(Loss::Lapsed),
        }
    }

    /// Takes a job from the worker that lost it. Only an attempt that had started can be the cause of the worker's
    /// death.
    fn take_from(&mut self, id: JobId, begun: Option<&Begun>, loss: Loss, suspects: Suspects, now: Timestamp) {
        let end = match (begun, loss) {
            (None, _) => AttemptEnd::Interrupted,
            (Some(_), Loss::Lapsed) => AttemptEnd::Lapsed,
            (Some(begun), Loss::Died) if begun.is_accompanied => AttemptEnd::Crashed(Suspects::Several),
            (Some(_), Loss::Died) => AttemptEnd::Crashed(suspects),
        };
        let outcome = decide(&self.rows[&id].budgets(), end, &RetryPolicy::default(), now, 0.0);
        self.give_back(id, begun.map(|begun| begun.at), outcome, now);
    }

    fn give_back(&mut self, id: JobId, started_at: Option<Timestamp>, outcome: Outcome, now: Timestamp) {
        let attempt = self.rows[&id].job.retry_count.saturating_add(1);
        self.end_attempt(AttemptEnded { id, attempt, started_at, finished_at: now, outcome });
    }

    fn held_by(&self, worker_id: &WorkerId) -> Vec<JobId> {
        self.rows.values().filter(|row| row.is_held_by(worker_id)).map(|row| row.job.id).collect()
    }

    /// How the attempt started, if it did: by one of the worker's slots, or by the row of a suspect.
    fn begun(&self, worker: &Worker, id: JobId) -> Option<Begun> {
        let row = &self.rows[&id];
        let is_this = |slot: &&StartedAttempt| slot.id == id && slot.claim_number == row.job.claim_number;
        let noted = worker.slots.values().find(is_this);
        let is_isolated = row.isolated_claim == Some(row.job.claim_number);
        let has_begun = if row.budgets().is_suspect() { is_isolated } else { noted.is_some() || !worker.has_session() };
        let at = row.job.started_at.filter(|_| has_begun && !worker.is_abandoned)?;
        Some(Begun { at, is_accompanied: noted.is_some_and(|noted| noted.is_accompanied) })
    }
}

/// A started attempt of a worker.
#[derive(Debug)]
struct Begun {
    at: Timestamp,
    is_accompanied: bool,
}
