use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_core::{ClaimNumber, JobId, Recorded, StartedAttempt, WorkerId};
use postgres_types::Type;

use crate::session::fault::Fault;
use crate::session::repeated::repeated;
use crate::session::sql::sql;
use crate::session::statements::Parameter;
use crate::store::Parts;

/// The notes that the workers of this store have written and not removed.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    workers: Mutex<HashMap<WorkerId, WorkerNotes>>,
}

/// Which notes of a worker still say something. Nothing here is needed for correctness: a note that stays is overruled
/// by the later ones of its slots.
#[derive(Debug, Default)]
struct WorkerNotes {
    /// The last note of each slot.
    last: HashMap<u32, i64>,
    /// Of how many slots a note is the last one.
    slots: HashMap<i64, u32>,
    /// The notes that later ones have replaced in each of their slots. The next one removes them.
    replaced: Vec<i64>,
}

impl WorkerNotes {
    /// A note of these slots is written, and these are removed.
    fn add(&mut self, note: i64, slots: impl Iterator<Item = u32>, removed: &[i64]) {
        self.replaced.retain(|note| !removed.contains(note));
        for slot in slots {
            let before = self.last.insert(slot, note);
            if before == Some(note) {
                continue;
            }
            *self.slots.entry(note).or_default() += 1;
            if let Some(before) = before {
                self.leave(before);
            }
        }
    }

    fn leave(&mut self, note: i64) {
        let Some(slots) = self.slots.get_mut(&note) else { return };
        *slots -= 1;
        if *slots == 0 {
            self.slots.remove(&note);
            self.replaced.push(note);
        }
    }
}

impl Notes {
    fn replaced(&self, worker_id: &WorkerId) -> Vec<i64> {
        self.all().get(worker_id).map_or_else(Vec::new, |notes| notes.replaced.clone())
    }

    fn add(&self, worker_id: &WorkerId, note: i64, attempts: &[StartedAttempt], removed: &[i64]) {
        let mut all = self.all();
        let notes = all.entry(worker_id.clone()).or_default();
        notes.add(note, attempts.iter().map(|begun| begun.slot), removed);
    }

    pub(crate) fn forget(&self, worker_id: &WorkerId) {
        self.all().remove(worker_id);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<WorkerId, WorkerNotes>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes that attempts begin. It has to survive this process, not a power cut, so it does not wait for the disk.
pub(crate) async fn mark_started(
    parts: Arc<Parts>,
    worker_id: WorkerId,
    attempts: Arc<[StartedAttempt]>,
) -> Result<(), Fault> {
    let replaced = parts.claims.notes.replaced(&worker_id);
    if let Some(note) = repeated(|| note(&parts, &worker_id, &attempts, &replaced)).await? {
        parts.claims.notes.add(&worker_id, note, &attempts, &replaced);
    }
    Ok(())
}

/// The number of the note; none if the worker is not registered.
async fn note(
    parts: &Parts,
    worker_id: &WorkerId,
    attempts: &[StartedAttempt],
    replaced: &Vec<i64>,
) -> Result<Option<i64>, Fault> {
    let slots: Vec<i32> = attempts.iter().map(|begun| i32::try_from(begun.slot).unwrap_or(i32::MAX)).collect();
    let ids: Vec<i64> = attempts.iter().map(|begun| begun.id.0).collect();
    let claim_numbers: Vec<i64> = attempts.iter().map(|begun| begun.claim_number.0).collect();
    let are_accompanied: Vec<bool> = attempts.iter().map(|begun| begun.is_accompanied).collect();
    let worker_id = worker_id.as_str();
    let values: [Parameter<'_>; 6] = [
        (&worker_id, Type::TEXT),
        (&slots, Type::INT4_ARRAY),
        (&ids, Type::INT8_ARRAY),
        (&claim_numbers, Type::INT8_ARRAY),
        (&are_accompanied, Type::BOOL_ARRAY),
        (replaced, Type::INT8_ARRAY),
    ];
    let noted = parts.pool.session().await?.query_opt(sql!("outcomes/note_started"), &values).await?;
    Ok(noted.map(|row| row.try_get("note")).transpose()?)
}

/// Writes that the attempt of a suspect will start alone.
pub(crate) async fn begin_isolated(
    parts: Arc<Parts>,
    worker_id: WorkerId,
    id: JobId,
    claim_number: ClaimNumber,
) -> Result<Recorded, Fault> {
    repeated(|| async {
        let worker_id = worker_id.as_str();
        let values: [Parameter<'_>; 3] = [(&worker_id, Type::TEXT), (&id.0, Type::INT8), (&claim_number.0, Type::INT8)];
        let held = parts.pool.session().await?.query_opt(sql!("outcomes/begin_isolated"), &values).await?;
        Ok(if held.is_some() { Recorded::Recorded } else { Recorded::Fenced })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_removed_when_each_of_its_slots_has_a_later_one() {
        let mut notes = WorkerNotes::default();
        notes.add(1, [0, 1].into_iter(), &[]);
        notes.add(2, [1, 1].into_iter(), &[]);
        assert_eq!(notes.replaced, [] as [i64; 0], "slot 0 has no other one");
        notes.add(3, [0].into_iter(), &[]);
        assert_eq!(notes.replaced, [1]);
        notes.add(4, [0, 1].into_iter(), &[1]);
        assert_eq!((notes.replaced.as_slice(), notes.slots.len()), ([3, 2].as_slice(), 1));
    }
}
