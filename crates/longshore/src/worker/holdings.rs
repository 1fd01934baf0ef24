use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{ClaimNumber, JobId, Lease, Outcome, Record, Report, WorkerId};
use tokio::time::Instant;

use crate::handler::current_attempt::OwnedLease;
use crate::worker::attempt::ended_attempt::{EndedAttempt, OutcomeBatch};
use crate::worker::attempt::hooks::Ownership;
use crate::worker::attempt::refused_outcomes::RefusedOutcomes;
use crate::worker::claiming::lane::{Demand, Lanes, Progress};
use crate::worker::suspects::gate::{Gate, Pass};
use crate::{CurrentAttempt, StopCause};

/// All that one worker holds: jobs that wait for a slot, attempts that run, outcomes that are not stored yet.
///
/// Stands behind one lock, which is taken twice for each job and never across an await.
#[derive(Debug)]
pub(crate) struct Holdings {
    /// Under which identity jobs are held; none before the first registration, and after a doubtful claim.
    worker_id: Option<WorkerId>,
    is_registered: bool,
    lease: Duration,
    renewed_at: Instant,
    pub(crate) lanes: Lanes,
    slots: Vec<Slot>,
    busy: usize,
    ended: Vec<EndedAttempt>,
    /// Of these, those that the database refuses in whatever form: tried again now and then.
    refused: RefusedOutcomes,
    /// What attempts that have ended said last about how far they were; stored before their outcomes.
    last_reports: Vec<Report>,
    /// Whether outcomes or last reports are on their way into the store.
    is_recording: bool,
    /// How many attempts were begun, to notice when nothing moves.
    starts: u64,
    starts_seen: u64,
    /// Whether new leases may be run: not while the worker does not know which leases it has lost, and not after
    /// shutdown began.
    admission: Admission,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    Open,
    Suspended,
    Closed,
}

/// A place for one attempt.
#[derive(Debug, Default)]
struct Slot {
    /// Whether an attempt has its place here, which it keeps until its handler has returned.
    is_taken: bool,
    /// What runs there and is still the worker's own.
    attempt: Option<CurrentAttempt>,
    /// When it got its place, and when it began, by the monotonic clock.
    taken_at: Duration,
    began_at: Option<Duration>,
    /// Whether nothing else runs in the process: so it is with a suspect.
    is_alone: bool,
    /// Whether the middlewares are still to hear of its end.
    has_hooks: bool,
    lane: usize,
}

/// What a slot is taken by.
#[derive(Debug)]
pub(crate) enum Taken {
    Nothing,
    /// An attempt that is the worker's own, when it got its place, and when it began, if it has.
    Attempt {
        attempt: CurrentAttempt,
        taken_at: Duration,
        began_at: Option<Duration>,
    },
    /// An attempt whose outcome is known, or that is no longer the worker's own.
    Concluded,
}

/// An attempt that is about to begin.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) worker_id: WorkerId,
    pub(crate) attempt: CurrentAttempt,
    pub(crate) pass: Pass,
    /// Whether another slot has something to do, too.
    pub(crate) has_next: bool,
}

/// What an attempt that has ended leaves to be stored.
#[derive(Debug)]
pub(crate) enum Conclusion {
    /// Its outcome.
    Outcome(EndedAttempt),
    /// Only the rest of its log: it completed its job in a transaction of its own.
    Committed(Report),
}

/// Outcomes on their way into the store.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) worker_id: WorkerId,
    /// What their attempts, and perhaps others that have ended, said last; to be stored first.
    pub(crate) last_reports: Arc<[Report]>,
    pub(crate) outcomes: OutcomeBatch,
}

/// Beyond this many outcomes that could not be stored, nothing more is claimed.
const ENDED_MAX: usize = 10_000;

impl Holdings {
    pub(crate) fn new(lanes: Lanes, concurrency: u32, lease: Duration) -> Self {
        Self {
            worker_id: None,
            is_registered: false,
            lease,
            renewed_at: Instant::now(),
            lanes,
            slots: (0..concurrency).map(|_| Slot::default()).collect(),
            busy: 0,
            ended: Vec::new(),
            refused: RefusedOutcomes::default(),
            last_reports: Vec::new(),
            is_recording: false,
            starts: 0,
            starts_seen: 0,
            admission: Admission::Open,
        }
    }

    /// Holds jobs under this identity from now on. Says whether a heartbeat is wanted
    /// at once, because what was held before may be lost.
    pub(crate) fn register(&mut self, worker_id: WorkerId, asked_at: Instant) -> bool {
        self.worker_id = Some(worker_id);
        self.is_registered = true;
        if self.admission == Admission::Suspended {
            return true;
        }
        self.renewed_at = asked_at;
        false
    }

    /// The lease was extended by a call that was made then.
    pub(crate) fn renew(&mut self, asked_at: Instant) {
        self.renewed_at = asked_at;
        if self.admission == Admission::Suspended {
            self.admission = Admission::Open;
        }
    }

    pub(crate) fn worker_id(&self) -> Option<&WorkerId> {
        self.worker_id.as_ref()
    }

    /// The identity, unless it has to be registered first.
    pub(crate) fn registered_id(&self) -> Option<&WorkerId> {
        self.worker_id.as_ref().filter(|_| self.is_registered)
    }

    /// The identity, for good.
    pub(crate) fn take_identity(&mut self) -> Option<WorkerId> {
        self.is_registered = false;
        self.worker_id.take()
    }

    /// What to claim, and under which identity.
    pub(crate) fn demand(&mut self, now: Instant) -> Option<(WorkerId, Demand)> {
        if self.admission != Admission::Open || self.ended.len() > ENDED_MAX {
            return None;
        }
        let worker_id = self.registered_id()?.clone();
        Some((worker_id, self.lanes.demand(now)?))
    }

    /// Whether leases that a claim brings now may be run under that identity.
    pub(crate) fn admits(&self, worker_id: &WorkerId) -> bool {
        self.admission == Admission::Open && self.registered_id() == Some(worker_id)
    }

    /// Puts the next attempt into a slot, if the gate lets it in: an ordinary one begins now, a suspect when it is
    /// alone. None while the lease has not been renewed in time, because then this process may have stood still and
    /// what waits here may run elsewhere.
    pub(crate) fn start(
        &mut self,
        slot: usize,
        now: Duration,
        gate: &Arc<Gate>,
        begin: impl FnOnce(OwnedLease) -> CurrentAttempt,
    ) -> Option<Started> {
        if self.admission == Admission::Suspended || self.renewed_at.elapsed() >= self.lease {
            return None;
        }
        let worker_id = self.worker_id.clone()?;
        // The gate is asked about the very job that would leave: a suspect that is let in closes it for all others.
        let (lane, lease, pass) = self.lanes.pop(|lease| gate.enter(&lease.budgets))?;
        let attempt = begin(OwnedLease { lease, worker_id: worker_id.clone() });
        let (own, began_at) = (Some(attempt.clone()), (!pass.closes()).then_some(now));
        self.slots[slot] = Slot { is_taken: true, attempt: own, taken_at: now, began_at, lane, ..Slot::default() };
        self.busy += 1;
        self.starts += 1;
        Some(Started { worker_id, attempt, pass, has_next: self.lanes.has_next() })
    }

    /// The suspect in a slot begins.
    pub(crate) fn begin(&mut self, slot: usize, now: Duration, is_alone: bool) {
        self.slots[slot].began_at = Some(now);
        self.slots[slot].is_alone = is_alone;
    }

    /// Others may run beside the attempt in a slot from now on.
    pub(crate) fn accompany(&mut self, slot: usize) {
        self.slots[slot].is_alone = false;
    }

    /// Whether the attempt in a slot runs alone in its process.
    pub(crate) fn is_alone(&self, slot: usize) -> bool {
        self.slots[slot].is_alone
    }

    /// Takes in an outcome, unless the attempt is no longer the worker's own; says whether it was, and whether
    /// the worker ends.
    pub(crate) fn conclude(
        &mut self,
        slot: usize,
        attempt: &CurrentAttempt,
        conclusion: Conclusion,
    ) -> (Ownership, bool) {
        let is_own = self.slots[slot].attempt.take_if(|own| own.is_same(attempt)).is_some();
        if is_own {
            match conclusion {
                Conclusion::Outcome(ended) => {
                    self.last_reports.extend(attempt.last_report());
                    self.ended.push(ended);
                }
                Conclusion::Committed(report) => self.last_reports.push(report),
            }
        }
        let ownership = if is_own { Ownership::Own } else { Ownership::Lost };
        (ownership, self.admission == Admission::Closed)
    }

    /// The middlewares are to hear of the end of an attempt.
    pub(crate) fn begin_hooks(&mut self, slot: usize) {
        self.slots[slot].has_hooks = true;
    }

    /// They have heard of it.
    pub(crate) fn end_hooks(&mut self, slot: usize) {
        self.slots[slot].has_hooks = false;
    }

    /// Whether a middleware is still to hear of the end of an attempt.
    pub(crate) fn has_hooks(&self) -> bool {
        self.slots.iter().any(|slot| slot.has_hooks)
    }

    /// What a slot is taken by.
    pub(crate) fn taken(&self, slot: usize) -> Taken {
        let slot = &self.slots[slot];
        match &slot.attempt {
            _ if !slot.is_taken => Taken::Nothing,
            Some(attempt) => {
                Taken::Attempt { attempt: attempt.clone(), taken_at: slot.taken_at, began_at: slot.began_at }
            }
            None => Taken::Concluded,
        }
    }

    /// Frees a slot.
    pub(crate) fn release(&mut self, slot: usize) {
        self.busy -= 1;
        self.slots[slot].is_taken = false;
        self.slots[slot].has_hooks = false;
        self.lanes.release(self.slots[slot].lane);
    }

    /// Outcomes to store, oldest first, and under which identity; to be followed by `recorded` or `put_back`.
    pub(crate) fn take_ended(&mut self, most: usize) -> Option<Ended> {
        let worker_id = self.worker_id.clone()?;
        if self.ended.is_empty() && self.last_reports.is_empty() {
            return None;
        }
        let ended: Vec<EndedAttempt> =
            if self.ended.len() <= most { std::mem::take(&mut self.ended) } else { self.ended.drain(..most).collect() };
        self.is_recording = true;
        let last_reports = std::mem::take(&mut self.last_reports).into();
        Some(Ended { worker_id, last_reports, outcomes: OutcomeBatch::new(ended) })
    }

    /// The database refuses this outcome, and every other end of its job.
    pub(crate) fn refuse(&mut self, ended: EndedAttempt) {
        self.refused.keep(ended, Instant::now());
    }

    /// When what the database has refused is worth another try; none where nothing was.
    pub(crate) const fn refused_until(&self) -> Option<Instant> {
        self.refused.again_at()
    }

    /// What was refused is to be stored once more, if it is time.
    pub(crate) fn try_refused_again(&mut self) {
        self.ended.extend(self.refused.take(Instant::now()));
    }

    /// The outcomes that were taken are stored or given up.
    pub(crate) const fn recorded(&mut self) {
        self.is_recording = false;
    }

    /// The outcomes that were taken are not stored: they are the next to be taken again, unless they were the
    /// outcomes of an identity that is gone.
    pub(crate) fn put_back(&mut self, ended: Ended) {
        let Ended { worker_id, last_reports, outcomes } = ended;
        self.is_recording = false;
        if self.worker_id.as_ref() == Some(&worker_id) {
            self.last_reports.splice(..0, last_reports.iter().cloned());
            self.ended.splice(..0, outcomes.all_ended());
        }
    }

    /// What the worker holds, begun or not.
    pub(crate) fn held(&self) -> HashMap<JobId, ClaimNumber> {
        let running = self.attempts().map(CurrentAttempt::lease);
        running.chain(self.lanes.waiting()).map(|lease| (lease.id, lease.claim_number)).collect()
    }

    /// The attempts that run and are the worker's own.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = &CurrentAttempt> {
        self.slots.iter().filter_map(|slot| slot.attempt.as_ref())
    }

    /// The attempts that have begun, are the worker's own and may have others beside them, by slot.
    pub(crate) fn accompanied(&self) -> impl Iterator<Item = (usize, &CurrentAttempt)> {
        let begun = self.slots.iter().enumerate().filter(|(_, slot)| slot.began_at.is_some() && !slot.is_alone);
        begun.filter_map(|(number, slot)| Some((number, slot.attempt.as_ref()?)))
    }

    /// Whether anything runs or waits that somebody could cancel.
    pub(crate) fn holds_jobs(&self) -> bool {
        self.is_busy() || !self.lanes.is_empty()
    }

    pub(crate) const fn is_busy(&self) -> bool {
        self.busy > 0
    }

    /// Whether something runs that is the worker's own; a handler that could not be stopped no longer is.
    pub(crate) fn has_attempts(&self) -> bool {
        self.attempts().next().is_some()
    }

    /// Whether every outcome is stored.
    pub(crate) const fn is_recorded(&self) -> bool {
        self.ended.is_empty() && self.last_reports.is_empty() && !self.is_recording
    }

    /// Whether the worker holds nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        !self.is_busy() && self.is_recorded() && self.lanes.is_empty()
    }

    /// Gives back what has not begun.
    pub(crate) fn give_back_waiting(&mut self, now: Duration) {
        let waiting = self.lanes.take_waiting();
        self.give_back(&waiting, now);
    }

    /// Gives back what has waited since the last call although nothing has begun: the slots are taken by slow jobs,
    /// or a suspect runs alone, and another process may run it. What a free slot is about to take stays.
    pub(crate) fn give_back_stale(&mut self, waited: Duration, now: Duration, gate: &Gate) {
        let is_moving = self.starts_seen != self.starts;
        self.starts_seen = self.starts;
        let has_place = self.busy < self.slots.len() && !gate.is_closed();
        let progress = if is_moving || has_place { Progress::Moving } else { Progress::Stuck };
        let stale = self.lanes.take_stale(waited, Instant::now(), progress);
        self.give_back(&stale, now);
    }

    /// Gives back leases that came too late to be run.
    pub(crate) fn give_back(&mut self, leases: &[Lease], now: Duration) {
        self.ended.extend(leases.iter().map(|lease| EndedAttempt::returned(lease, now)));
    }

    /// Nothing new is run from now on.
    pub(crate) fn close(&mut self, now: Duration) {
        self.admission = Admission::Closed;
        self.give_back_waiting(now);
        // Once more, before the store gives their jobs back as if they had not run.
        self.ended.extend(self.refused.take_all());
    }

    pub(crate) fn stop_all(&self, cause: StopCause) {
        for attempt in self.attempts() {
            attempt.stop_signal().stop(cause);
        }
    }

    /// Another worker has, or may have, this attempt's job: it stops, and nothing of it is stored.
    pub(crate) fn disown(&mut self, id: JobId, claim_number: ClaimNumber) {
        drop(self.lanes.remove(id, claim_number));
        let is_it = |attempt: &mut CurrentAttempt| {
            let lease = attempt.lease();
            lease.id == id && lease.claim_number == claim_number
        };
        if let Some(attempt) = self.slots.iter_mut().find_map(|slot| slot.attempt.take_if(is_it)) {
            attempt.stop_signal().stop(StopCause::LeaseLost);
        }
    }

    /// Somebody asked for the end of this job; one that has not begun ends at once.
    pub(crate) fn cancel(&mut self, id: JobId, claim_number: ClaimNumber, now: Duration) {
        if let Some(lease) = self.lanes.remove(id, claim_number) {
            let record = Record { outcome: Outcome::Cancelled, ..Record::returned(&lease) };
            self.ended.push(EndedAttempt::new(record, now));
        }
        let is_it = |attempt: &&CurrentAttempt| {
            let lease = attempt.lease();
            lease.id == id && lease.claim_number == claim_number
        };
        if let Some(attempt) = self.attempts().find(is_it) {
            attempt.stop_signal().stop(StopCause::Cancelled);
        }
    }

    /// This identity is not registered any more; says whether that is news. Nothing is given up: the fence decides for
    /// each outcome, and the first heartbeat after the next registration tells which jobs are lost.
    pub(crate) fn unregister(&mut self, worker_id: &WorkerId) -> bool {
        if self.registered_id() != Some(worker_id) {
            return false;
        }
        self.is_registered = false;
        if self.admission == Admission::Open {
            self.admission = Admission::Suspended;
        }
        true
    }

    /// Gives back the attempts that do not stop although their time is over.
    pub(crate) fn give_up_running(&mut self, now: Duration) -> usize {
        let before = self.ended.len();
        for slot in &mut self.slots {
            let Some(attempt) = slot.attempt.take() else { continue };
            let ran = slot.began_at.map(|began_at| now.saturating_sub(began_at));
            let record = Record { ran, log: attempt.close(), ..Record::returned(attempt.lease()) };
            self.ended.push(EndedAttempt::new(record, now));
            self.last_reports.extend(attempt.last_report());
        }
        self.ended.len() - before
    }
}
