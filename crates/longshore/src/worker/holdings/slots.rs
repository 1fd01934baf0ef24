use std::time::Duration;

use longshore_core::{ClaimNumber, JobId};

use crate::CurrentAttempt;

/// The places for attempts, and which of them wait for a job.
#[derive(Debug)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    taken: usize,
    /// The slots that found no job, the last one on top.
    waiting: Vec<usize>,
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

/// When an attempt begins that gets a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Now,
    /// When it is alone.
    Later,
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

impl Slots {
    /// All of them are free, and none waits yet: each begins with a search.
    pub(super) fn new(count: u32) -> Self {
        Self { slots: (0..count).map(|_| Slot::default()).collect(), taken: 0, waiting: Vec::new() }
    }

    /// Puts an attempt into a slot. An ordinary one begins at once, a suspect later.
    pub(super) fn take(&mut self, slot: usize, attempt: CurrentAttempt, now: Duration, start: Start, lane: usize) {
        let began_at = (start == Start::Now).then_some(now);
        let attempt = Some(attempt);
        self.slots[slot] = Slot { is_taken: true, attempt, taken_at: now, began_at, lane, ..Slot::default() };
        self.taken += 1;
    }

    /// Frees a slot, which searches for another job at once; returns the lane of its attempt.
    pub(super) fn release(&mut self, slot: usize) -> usize {
        self.taken -= 1;
        let slot = &mut self.slots[slot];
        (slot.is_taken, slot.has_hooks) = (false, false);
        slot.lane
    }

    /// A slot found no job and waits until it is woken.
    pub(super) fn await_job(&mut self, slot: usize) {
        self.waiting.push(slot);
    }

    /// Whether every free slot waits. If one is still searching, it finds the job without a wake-up, and its start
    /// wakes the next one.
    pub(super) const fn has_idle_only(&self) -> bool {
        !self.waiting.is_empty() && self.taken + self.waiting.len() == self.slots.len()
    }

    /// Takes out a waiting slot that is to search again: the one that ran last.
    pub(super) fn wake(&mut self) -> Option<usize> {
        self.waiting.pop()
    }

    pub(super) const fn is_busy(&self) -> bool {
        self.taken > 0
    }

    pub(super) const fn has_free(&self) -> bool {
        self.taken < self.slots.len()
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

    /// The attempt in a slot has ended; whether it was still the worker's own.
    pub(super) fn end(&mut self, slot: usize, attempt: &CurrentAttempt) -> bool {
        self.slots[slot].attempt.take_if(|own| own.is_same(attempt)).is_some()
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

    /// The attempts that run and are the worker's own.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = &CurrentAttempt> {
        self.slots.iter().filter_map(|slot| slot.attempt.as_ref())
    }

    /// The attempts that have begun, are the worker's own and may have others beside them, by slot.
    pub(crate) fn accompanied(&self) -> impl Iterator<Item = (usize, &CurrentAttempt)> {
        let begun = self.slots.iter().enumerate().filter(|(_, slot)| slot.began_at.is_some() && !slot.is_alone);
        begun.filter_map(|(number, slot)| Some((number, slot.attempt.as_ref()?)))
    }

    /// The attempt that runs under this claim.
    pub(super) fn find(&self, id: JobId, claim_number: ClaimNumber) -> Option<&CurrentAttempt> {
        self.attempts().find(|attempt| is_of(attempt, id, claim_number))
    }

    /// Takes out the attempt that runs under this claim: it is no longer the worker's own.
    pub(super) fn remove(&mut self, id: JobId, claim_number: ClaimNumber) -> Option<CurrentAttempt> {
        let is_it = |attempt: &mut CurrentAttempt| is_of(attempt, id, claim_number);
        self.slots.iter_mut().find_map(|slot| slot.attempt.take_if(is_it))
    }

    /// Takes out all attempts, and when they began.
    pub(super) fn remove_all(&mut self) -> impl Iterator<Item = (CurrentAttempt, Option<Duration>)> {
        self.slots.iter_mut().filter_map(|slot| Some((slot.attempt.take()?, slot.began_at)))
    }
}

fn is_of(attempt: &CurrentAttempt, id: JobId, claim_number: ClaimNumber) -> bool {
    let lease = attempt.lease();
    lease.id == id && lease.claim_number == claim_number
}
