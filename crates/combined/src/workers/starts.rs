use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use longshore_core::{ClaimNumber, JobId, StartedAttempt, WorkerId};

/// The attempts that run in this process, and what the databases must still be told of them.
///
/// A database sees only the attempts of its own jobs. If those of several databases run at once, none of them is
/// certainly the cause of a death, so each is noted as one with company.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: HashMap<(WorkerId, u32), Running>,
    /// Notes that a database did not take; the latest one of each slot.
    open: BTreeMap<(usize, WorkerId), BTreeMap<u32, StartedAttempt>>,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    place: usize,
    attempt: StartedAttempt,
    /// What its database was told.
    is_accompanied: bool,
}

/// What one database is told of one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StartNote {
    pub(crate) place: usize,
    pub(crate) worker_id: WorkerId,
    pub(crate) attempts: Vec<StartedAttempt>,
}

impl Starts {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Attempts of a worker begin, each in its database; says what is to be noted before that.
    pub(crate) fn begin(&self, worker_id: &WorkerId, attempts: &[(usize, StartedAttempt)]) -> Vec<StartNote> {
        let mut state = self.state();
        let State { running, open } = &mut *state;
        for (place, attempt) in attempts {
            let begun = Running { place: *place, attempt: *attempt, is_accompanied: attempt.is_accompanied };
            running.insert((worker_id.clone(), attempt.slot), begun);
            let note = open.entry((*place, worker_id.clone())).or_default();
            note.insert(attempt.slot, *attempt);
        }
        let first = running.values().next().map(|running| running.place);
        if running.values().any(|running| Some(running.place) != first) {
            for ((worker_id, slot), running) in running.iter_mut().filter(|(_, running)| !running.is_accompanied) {
                running.is_accompanied = true;
                let note = open.entry((running.place, worker_id.clone())).or_default();
                note.insert(*slot, StartedAttempt { is_accompanied: true, ..running.attempt });
            }
        }
        Self::open_notes(open)
    }

    /// What the databases were not told yet.
    pub(crate) fn open(&self) -> Vec<StartNote> {
        Self::open_notes(&self.state().open)
    }

    fn open_notes(open: &BTreeMap<(usize, WorkerId), BTreeMap<u32, StartedAttempt>>) -> Vec<StartNote> {
        let note = |((place, worker_id), attempts): (&(usize, WorkerId), &BTreeMap<u32, StartedAttempt>)| StartNote {
            place: *place,
            worker_id: worker_id.clone(),
            attempts: attempts.values().copied().collect(),
        };
        open.iter().map(note).collect()
    }

    /// A database has noted this.
    pub(crate) fn noted(&self, note: &StartNote) {
        let mut state = self.state();
        let key = (note.place, note.worker_id.clone());
        if let Some(open) = state.open.get_mut(&key) {
            // A later note of the same slot stays open.
            open.retain(|slot, attempt| !note.attempts.iter().any(|noted| noted.slot == *slot && noted == attempt));
            if open.is_empty() {
                state.open.remove(&key);
            }
        }
    }

    /// These attempts have ended.
    pub(crate) fn end(&self, worker_id: &WorkerId, ended: &[(JobId, ClaimNumber)]) {
        let mut state = self.state();
        let is_ended = |attempt: &StartedAttempt| ended.contains(&(attempt.id, attempt.claim_number));
        state.running.retain(|(of, _), running| of != worker_id || !is_ended(&running.attempt));
        state.open.retain(|(_, of), attempts| {
            attempts.retain(|_, attempt| of != worker_id || !is_ended(attempt));
            !attempts.is_empty()
        });
    }

    /// A worker has ended.
    pub(crate) fn forget(&self, worker_id: &WorkerId) {
        let mut state = self.state();
        state.running.retain(|(of, _), _| of != worker_id);
        state.open.retain(|(_, of), _| of != worker_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(slot: u32, id: i64) -> StartedAttempt {
        StartedAttempt { slot, id: JobId(id), claim_number: ClaimNumber(1), is_accompanied: false }
    }

    fn accompanied(slot: u32, id: i64) -> StartedAttempt {
        StartedAttempt { is_accompanied: true, ..attempt(slot, id) }
    }

    fn note(place: usize, worker_id: &WorkerId, attempts: &[StartedAttempt]) -> StartNote {
        StartNote { place, worker_id: worker_id.clone(), attempts: attempts.to_vec() }
    }

    #[test]
    fn an_attempt_that_runs_beside_one_of_another_database_has_company() {
        let (starts, worker) = (Starts::default(), WorkerId::random());
        let alone = starts.begin(&worker, &[(0, attempt(0, 1))]);
        assert_eq!(alone, [note(0, &worker, &[attempt(0, 1)])]);
        starts.noted(&alone[0]);
        let both = starts.begin(&worker, &[(1, attempt(1, 2))]);
        assert_eq!(both, [note(0, &worker, &[accompanied(0, 1)]), note(1, &worker, &[accompanied(1, 2)])]);
        both.iter().for_each(|note| starts.noted(note));
        starts.end(&worker, &[(JobId(1), ClaimNumber(1))]);
        assert_eq!(starts.begin(&worker, &[(1, attempt(2, 3))]), [note(1, &worker, &[attempt(2, 3)])]);
    }

    #[test]
    fn what_a_database_did_not_note_is_told_with_the_next_one() {
        let (starts, worker) = (Starts::default(), WorkerId::random());
        starts.begin(&worker, &[(0, attempt(0, 1))]);
        assert_eq!(starts.begin(&worker, &[(0, attempt(1, 2))]), [note(0, &worker, &[attempt(0, 1), attempt(1, 2)])]);
        let late = note(0, &worker, &[attempt(0, 1)]);
        starts.noted(&late);
        assert_eq!(starts.open(), [note(0, &worker, &[attempt(1, 2)])]);
        starts.forget(&worker);
        assert_eq!(starts.open(), []);
    }
}
