mod returned_unseen;
mod shared_holdings;
mod slots;
mod unstored_outcomes;
mod wait_state;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{ClaimNumber, ClaimRequest, JobId, Lease, Outcome, Record, WorkerId};
use tokio::time::Instant;

use super::attempt::ended_attempt::EndedAttempt;
use super::attempt::hooks::Ownership;
use super::claiming::lane::{Demand, Lanes, Progress};
use super::suspects::gate::{Gate, Pass};
use super::worker_run::Until;
use crate::handler::current_attempt::OwnedLease;
use crate::{CurrentAttempt, StopCause};
use returned_unseen::ReturnedUnseen;
use slots::Start;
use unstored_outcomes::UnstoredOutcomes;
use wait_state::WaitState;

pub(crate) use shared_holdings::{HoldingsGuard, SharedHoldings};
pub(crate) use slots::{Slots, Taken};
pub(crate) use unstored_outcomes::{Conclusion, Ended};

/// All that one worker holds: jobs that wait for a slot, attempts that run, outcomes that are not stored yet.
///
/// Stands behind one lock, [`SharedHoldings`], which is taken three times for each job and never across an await. Who
/// has to be woken after a change follows from what is held then, see [`Holdings::wake_ups`].
#[derive(Debug)]
pub(crate) struct Holdings {
    /// Under which identity jobs are held; none before the first registration, and after the last.
    worker_id: Option<WorkerId>,
    is_registered: bool,
    lease: Duration,
    renewed_at: Instant,
    pub(crate) lanes: Lanes,
    pub(crate) slots: Slots,
    ended: UnstoredOutcomes,
    /// How many attempts have started, to notice when none does.
    starts: u64,
    starts_seen: u64,
    /// Whether new leases may run. They may not while the worker does not know which leases it has lost, or after the
    /// shutdown began.
    admission: Admission,
    returned_unseen: ReturnedUnseen,
    wait_state: WaitState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    Open,
    Suspended,
    Closed,
}

/// An attempt that will start now.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) worker_id: WorkerId,
    pub(crate) attempt: CurrentAttempt,
    pub(crate) pass: Pass,
}

impl Holdings {
    pub(crate) fn new(lanes: Lanes, concurrency: u32, lease: Duration, until: Until) -> Self {
        Self {
            worker_id: None,
            is_registered: false,
            lease,
            renewed_at: Instant::now(),
            lanes,
            slots: Slots::new(concurrency),
            ended: UnstoredOutcomes::default(),
            starts: 0,
            starts_seen: 0,
            admission: Admission::Open,
            returned_unseen: ReturnedUnseen::default(),
            wait_state: WaitState::new(until),
        }
    }

    /// Holds jobs under this identity from now on. Where what was held before may be lost, a heartbeat is due at once.
    pub(crate) fn register(&mut self, worker_id: WorkerId, asked_at: Instant) {
        self.worker_id = Some(worker_id);
        self.is_registered = true;
        if self.admission == Admission::Suspended {
            self.wait_state.is_heartbeat_due = true;
        } else {
            self.renewed_at = asked_at;
            self.wait_state.is_lease_overdue = false;
        }
    }

    /// A call that started at this time has extended the lease.
    pub(crate) fn renew(&mut self, asked_at: Instant) {
        self.renewed_at = asked_at;
        self.wait_state.is_lease_overdue = false;
        if self.admission == Admission::Suspended {
            self.admission = Admission::Open;
        }
    }

    /// The gate of the process is open again.
    pub(crate) const fn note_gate_open(&mut self) {
        self.wait_state.is_gate_closed = false;
    }

    pub(crate) fn worker_id(&self) -> Option<&WorkerId> {
        self.worker_id.as_ref()
    }

    /// The identity, unless it must be registered first.
    pub(crate) fn registered_id(&self) -> Option<&WorkerId> {
        self.worker_id.as_ref().filter(|_| self.is_registered)
    }

    /// Takes the identity out.
    pub(crate) fn take_identity(&mut self) -> Option<WorkerId> {
        self.is_registered = false;
        self.worker_id.take()
    }

    /// What to claim, and under which identity. After `None` the claim loop is woken when that changes.
    pub(crate) fn demand(&mut self, now: Instant, gate: &Gate) -> Option<(WorkerId, Demand)> {
        // While a suspect runs alone, other processes get the jobs.
        self.wait_state.is_gate_closed = gate.is_closed();
        let demand = if self.may_claim() { self.lanes.demand(now) } else { None };
        if demand.is_none() {
            self.wait_state.await_demand(self.is_empty());
        }
        Some((self.registered_id()?.clone(), demand?))
    }

    fn may_claim(&self) -> bool {
        self.admission == Admission::Open
            && self.is_registered
            && !self.wait_state.is_gate_closed
            && !self.ended.is_full()
    }

    /// Whether a claim that this identity has made may be repeated. If not, the claim loop is woken when it may.
    pub(crate) fn readmits(&mut self, worker_id: &WorkerId) -> bool {
        let is_admitted = self.admits(worker_id);
        if !is_admitted {
            self.wait_state.await_admission();
        }
        is_admitted
    }

    /// Whether leases that a claim returns now may run under that identity.
    pub(crate) fn admits(&self, worker_id: &WorkerId) -> bool {
        self.admission == Admission::Open && self.registered_id() == Some(worker_id)
    }

    /// Puts the next attempt into a slot, if the gate lets it in: an ordinary one begins now, a suspect when it is
    /// alone. After `None` the slot is woken when there is a job for it.
    pub(crate) fn start(
        &mut self,
        slot: usize,
        now: Duration,
        gate: &Arc<Gate>,
        begin: impl FnOnce(OwnedLease) -> CurrentAttempt,
    ) -> Option<Started> {
        let next = self.next(gate);
        let Some((worker_id, lane, lease, pass)) = next else {
            self.slots.await_job(slot);
            return None;
        };
        let attempt = begin(OwnedLease { lease, worker_id: worker_id.clone() });
        let start = if pass.closes() { Start::Later } else { Start::Now };
        self.slots.take(slot, attempt.clone(), now, start, lane);
        self.starts += 1;
        Some(Started { worker_id, attempt, pass })
    }

    /// Nothing while the lease has not been renewed in time, because then this process may have stood still and what
    /// waits here may run elsewhere.
    fn next(&mut self, gate: &Arc<Gate>) -> Option<(WorkerId, usize, Lease, Pass)> {
        let worker_id = self.worker_id.clone()?;
        self.wait_state.is_lease_overdue = self.renewed_at.elapsed() >= self.lease;
        if self.admission == Admission::Suspended || self.wait_state.is_lease_overdue {
            return None;
        }
        // The gate is asked about the exact job that would leave: an admitted suspect closes it for all others.
        let mut is_refused = false;
        let popped = self.lanes.pop(|lease| {
            let pass = gate.enter(&lease.budgets);
            is_refused = pass.is_none();
            pass
        });
        if is_refused {
            self.wait_state.is_gate_closed = true;
        }
        popped.map(|(lane, lease, pass)| (worker_id, lane, lease, pass))
    }

    /// Whether a slot that searches now would find a job.
    fn has_start(&self) -> bool {
        self.worker_id.is_some()
            && self.admission != Admission::Suspended
            && !self.wait_state.is_lease_overdue
            && !self.wait_state.is_gate_closed
            && self.lanes.has_next()
    }

    /// Takes in an outcome, unless the attempt is no longer the worker's own.
    pub(crate) fn conclude(&mut self, slot: usize, attempt: &CurrentAttempt, conclusion: Conclusion) -> Ownership {
        if !self.slots.end(slot, attempt) {
            return Ownership::Lost;
        }
        self.ended.push(conclusion, attempt.last_report());
        Ownership::Own
    }

    /// Frees a slot.
    pub(crate) fn release(&mut self, slot: usize) {
        let lane = self.slots.release(slot);
        self.lanes.release(lane);
    }

    /// Outcomes to store, oldest first, and under which identity; to be followed by `recorded` or `put_back`. After
    /// `None` the recorder is woken when there are some.
    pub(crate) fn take_ended(&mut self, most: usize) -> Option<Ended> {
        let ended = self.worker_id.as_ref().and_then(|worker_id| self.ended.take(worker_id, most));
        self.wait_state.does_recorder_wait = ended.is_none();
        ended
    }

    /// The database refuses this outcome, and every other end of its job.
    pub(crate) fn refuse(&mut self, ended: EndedAttempt) {
        self.ended.refuse(ended);
    }

    /// Of several databases, that of this outcome does not answer.
    pub(crate) fn postpone(&mut self, ended: EndedAttempt) {
        self.ended.postpone(ended);
    }

    /// When outcomes that could not be stored are worth another try; none where there are none.
    pub(crate) fn kept_until(&self) -> Option<Instant> {
        self.ended.kept_until()
    }

    /// Outcomes that could not be stored are to be stored once more, if it is time.
    pub(crate) fn try_kept_again(&mut self) {
        self.ended.try_kept();
    }

    /// The outcomes that were taken are stored or given up.
    pub(crate) fn recorded(&mut self) {
        self.ended.recorded();
    }

    /// The outcomes that were taken are not stored. They are taken again first, unless their identity is gone.
    pub(crate) fn put_back(&mut self, ended: &Ended) {
        if self.worker_id.as_ref() == Some(&ended.worker_id) {
            return self.ended.put_back(ended);
        }
        self.ended.recorded();
    }

    /// The jobs that the worker holds, started or not.
    pub(crate) fn held(&self) -> HashMap<JobId, ClaimNumber> {
        self.held_claims().collect()
    }

    /// Every claim that the worker knows of: of its jobs, and of outcomes that are not stored.
    pub(crate) fn known_claims(&self) -> Vec<(JobId, ClaimNumber)> {
        self.held_claims().chain(self.ended.claims()).collect()
    }

    /// The jobs whose outcomes are not stored.
    pub(crate) fn unstored_jobs(&self) -> Vec<JobId> {
        let ids: BTreeSet<JobId> = self.ended.claims().map(|(id, _)| id).collect();
        ids.into_iter().collect()
    }

    fn held_claims(&self) -> impl Iterator<Item = (JobId, ClaimNumber)> {
        let running = self.slots.attempts().map(CurrentAttempt::lease);
        running.chain(self.lanes.waiting()).map(|lease| (lease.id, lease.claim_number))
    }

    /// What a claim has given waits for a slot.
    pub(crate) fn fill(&mut self, request: &ClaimRequest, mut leases: Vec<Lease>) {
        self.returned_unseen.sieve(&mut leases);
        self.lanes.fill(request, leases, Instant::now());
    }

    /// What came without a claim waits for a slot.
    pub(crate) fn receive(&mut self, mut leases: Vec<Lease>) {
        self.returned_unseen.sieve(&mut leases);
        self.lanes.receive(leases, Instant::now());
    }

    /// Whether there is a running or waiting job that could be cancelled.
    pub(crate) fn holds_jobs(&self) -> bool {
        self.slots.is_busy() || !self.lanes.is_empty()
    }

    /// Whether an attempt of the worker is running. A handler that could not be stopped no longer belongs to it.
    pub(crate) fn has_attempts(&self) -> bool {
        self.slots.attempts().next().is_some()
    }

    /// Whether every outcome is stored.
    pub(crate) const fn is_recorded(&self) -> bool {
        self.ended.is_recorded()
    }

    /// Whether the worker holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        !self.holds_jobs() && self.is_recorded()
    }

    /// Returns the jobs that have not started.
    fn give_back_waiting(&mut self, now: Duration) {
        let waiting = self.lanes.take_waiting();
        self.give_back(&waiting, now);
    }

    /// Returns the jobs that have waited since the last call although nothing has started. Slow jobs fill the slots, or
    /// a suspect runs alone, and another process may run them. Jobs that a free slot will take now stay.
    pub(crate) fn give_back_stale(&mut self, waited: Duration, now: Duration, gate: &Gate) {
        let is_moving = self.starts_seen != self.starts;
        self.starts_seen = self.starts;
        let has_place = self.slots.has_free() && !gate.is_closed();
        let progress = if is_moving || has_place { Progress::Moving } else { Progress::Stuck };
        let stale = self.lanes.take_stale(waited, Instant::now(), progress);
        self.give_back(&stale, now);
    }

    /// Returns leases that came too late to run.
    pub(crate) fn give_back(&mut self, leases: &[Lease], now: Duration) {
        self.ended.push_returned(leases, now);
    }

    /// Returns leases that have not reached the worker. If they do, they do not run.
    pub(crate) fn return_unseen(&mut self, leases: &[Lease], now: Duration) {
        self.returned_unseen.note(leases);
        self.give_back(leases, now);
    }

    /// From now on, no new job starts.
    pub(crate) fn close(&mut self, now: Duration) {
        self.admission = Admission::Closed;
        // Once more, before the store gives their jobs back as if they had not run.
        self.ended.try_all_refused();
        self.give_back_waiting(now);
    }

    pub(crate) fn stop_all(&self, cause: StopCause) {
        for attempt in self.slots.attempts() {
            attempt.stop_signal().stop(cause);
        }
    }

    /// Another worker has, or may have, this attempt's job. The attempt stops, and nothing of it is stored.
    pub(crate) fn disown(&mut self, id: JobId, claim_number: ClaimNumber) {
        drop(self.lanes.remove(id, claim_number));
        if let Some(attempt) = self.slots.remove(id, claim_number) {
            attempt.stop_signal().stop(StopCause::LeaseLost);
        }
    }

    /// Somebody asked for the end of this job; one that has not begun ends at once. Says whether the worker held it.
    pub(crate) fn cancel(&mut self, id: JobId, claim_number: ClaimNumber, now: Duration) -> bool {
        if let Some(lease) = self.lanes.remove(id, claim_number) {
            let record = Record { outcome: Outcome::Cancelled, ..Record::returned(&lease) };
            self.ended.push_ended(EndedAttempt::new(record, now));
            return true;
        }
        let Some(attempt) = self.slots.find(id, claim_number) else { return false };
        attempt.stop_signal().stop(StopCause::Cancelled);
        true
    }

    /// This identity is no longer registered. Returns whether that is new. Nothing is given up: the fence decides about
    /// each outcome, and the first heartbeat after the next registration says which jobs are lost.
    pub(crate) fn unregister(&mut self, worker_id: &WorkerId) -> bool {
        if self.registered_id() != Some(worker_id) {
            return false;
        }
        self.is_registered = false;
        self.suspend();
        true
    }

    /// What is held may be lost: nothing new is run before the next heartbeat has told.
    pub(crate) fn suspend(&mut self) {
        if self.admission == Admission::Open {
            self.admission = Admission::Suspended;
        }
    }

    /// Gives back the attempts that do not stop although their time is over; says how many.
    pub(crate) fn give_up_running(&mut self, now: Duration) -> usize {
        let mut stuck = 0;
        for (attempt, began_at) in self.slots.remove_all() {
            let ran = began_at.map(|began_at| now.saturating_sub(began_at));
            let record = Record { ran, log: attempt.close(), ..Record::returned(attempt.lease()) };
            self.ended.push(Conclusion::Outcome(EndedAttempt::new(record, now)), attempt.last_report());
            stuck += 1;
        }
        stuck
    }
}

#[cfg(test)]
mod tests;
