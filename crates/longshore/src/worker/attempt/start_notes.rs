use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use longshore_core::{StartedAttempt, StoreError, WorkerId};

use crate::CurrentAttempt;
use crate::runtime::panic_capture::caught_boxed;
use crate::worker::attempt::slot::overdue;
use crate::worker::trouble::{Patience, StoreCall};
use crate::worker::worker_run::WorkerRun;

/// The beginnings of attempts that the store has not noted yet.
///
/// One call is under way at a time, for all that have gathered before it. They are noted in the order in which they
/// were added, because a note replaces the slot's last one.
#[derive(Debug, Default)]
pub(crate) struct StartNotes {
    waiting: Mutex<Waiting>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// In the order of their numbers.
    notes: Vec<Note>,
    last: NoteNumber,
}

/// The place of a note among all notes of a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct NoteNumber(u64);

#[derive(Clone, Copy, Debug)]
struct Note {
    number: NoteNumber,
    attempt: StartedAttempt,
}

/// What one call notes; what is dropped unnoted waits again.
struct StartBatch<'a> {
    notes: &'a StartNotes,
    taken: Vec<Note>,
}

impl StartNotes {
    fn add(&self, attempt: StartedAttempt) -> NoteNumber {
        let mut waiting = self.waiting();
        waiting.last.0 += 1;
        let number = waiting.last;
        waiting.notes.push(Note { number, attempt });
        number
    }

    /// The attempt does not begin.
    fn forget(&self, number: NoteNumber) {
        self.waiting().notes.retain(|waiting| waiting.number != number);
    }

    /// Everything that waits, if this note does. Whoever finds its note stored leaves newer ones to those who added
    /// them: otherwise each of many that wait for their turn would make a call for the few that came since the last.
    fn take_if_waiting(&self, number: NoteNumber) -> Option<StartBatch<'_>> {
        let mut waiting = self.waiting();
        waiting.notes.binary_search_by_key(&number, |note| note.number).ok()?;
        Some(StartBatch { notes: self, taken: std::mem::take(&mut waiting.notes) })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StartBatch<'_> {
    fn attempts(&self) -> Arc<[StartedAttempt]> {
        self.taken.iter().map(|note| note.attempt).collect()
    }

    /// They need not be made again.
    fn end(mut self) {
        self.taken.clear();
    }
}

impl Drop for StartBatch<'_> {
    fn drop(&mut self) {
        self.notes.waiting().notes.splice(..0, self.taken.drain(..));
    }
}

impl WorkerRun {
    /// Notes that the attempt in a slot begins, and whether those of another worker may run beside it. Says when it may
    /// begin; never if it was stopped or is overdue by then, or if it cannot be noted.
    pub(crate) async fn note_beginning(
        &self,
        worker_id: &WorkerId,
        slot: usize,
        attempt: &CurrentAttempt,
        began_at: Duration,
    ) -> Option<Duration> {
        let mut noting = std::pin::pin!(self.note_start(worker_id, slot, attempt));
        // A store that notes without waiting costs no waiting list and no second look at the time.
        let noted = match poll_fn(|context| Poll::Ready(noting.as_mut().poll(context))).await {
            Poll::Ready(noted) => noted.map(|()| began_at),
            Poll::Pending => tokio::select! {
                noted = noting => noted.map(|()| self.clock.monotonic()),
                _ = attempt.stop_signal().stopped() => {
                    self.trouble.forget(StoreCall::Start);
                    return None;
                }
            },
        };
        match noted {
            Ok(began_at) => Some(began_at).filter(|now| overdue(self, attempt, *now).is_none()),
            Err(error) => {
                self.meet(StoreCall::Start, error);
                None
            }
        }
    }

    /// The same of an attempt that begins in any case.
    pub(crate) async fn note_start(
        &self,
        worker_id: &WorkerId,
        slot: usize,
        attempt: &CurrentAttempt,
    ) -> Result<(), StoreError> {
        let had_company = self.gate.has_company();
        let is_alone = had_company && self.holdings().slots.is_alone(slot);
        let number = self.start_notes.add(started(slot, attempt, had_company && !is_alone));
        let unnoted = Unnoted { notes: &self.start_notes, number };
        self.store_starts(worker_id, number).await?;
        // It is stored, so there is nothing to forget.
        std::mem::forget(unnoted);
        // A worker that joined in between may have noted its company before this note.
        if !had_company && self.gate.has_company() {
            self.note_company().await;
        }
        Ok(())
    }

    /// Notes of each attempt of its own that those of another worker may run beside it.
    pub(crate) async fn note_company(&self) {
        let (worker_id, last) = {
            let holdings = self.holdings();
            let Some(worker_id) = holdings.worker_id().cloned() else { return };
            // Under the lock, so that the note of a slot's next attempt comes later.
            let add = |(slot, attempt)| self.start_notes.add(started(slot, attempt, true));
            let Some(last) = holdings.slots.accompanied().map(add).last() else { return };
            (worker_id, last)
        };
        if let Err(error) = self.store_starts(&worker_id, last).await {
            self.meet(StoreCall::Start, error);
        }
    }

    /// Returns when this note is stored. If nobody has stored it yet, it stores all that wait.
    async fn store_starts(&self, worker_id: &WorkerId, number: NoteNumber) -> Result<(), StoreError> {
        let _turn = self.start_notes.turn.lock().await;
        let Some(batch) = self.start_notes.take_if_waiting(number) else { return Ok(()) };
        let attempts = batch.attempts();
        let mut patience = Patience::default();
        loop {
            let call = || self.queue.backend().mark_started(worker_id.clone(), Arc::clone(&attempts));
            match caught_boxed(call).await {
                Ok(Ok(())) => {
                    self.trouble.pass(StoreCall::Start);
                    break;
                }
                Ok(Err(error)) if self.is_waited_out(&error) => {
                    self.trouble.meet(StoreCall::Start, &error);
                    tokio::time::sleep(patience.next(fastrand::f64())).await;
                }
                Ok(Err(error)) => return Err(error),
                // A store that panics here is broken, which is no fault of the jobs.
                Err(panicked) => {
                    self.note_panic("the store", panicked);
                    break;
                }
            }
        }
        batch.end();
        Ok(())
    }
}

/// An attempt that was added and is not stored yet; it is forgotten where it does not begin.
struct Unnoted<'a> {
    notes: &'a StartNotes,
    number: NoteNumber,
}

impl Drop for Unnoted<'_> {
    fn drop(&mut self) {
        self.notes.forget(self.number);
    }
}

fn started(slot: usize, attempt: &CurrentAttempt, is_accompanied: bool) -> StartedAttempt {
    let (slot, lease) = (u32::try_from(slot).unwrap_or(u32::MAX), attempt.lease());
    StartedAttempt { slot, id: lease.id, claim_number: lease.claim_number, is_accompanied }
}
