use longshore_core::{JobData, JobId, NewCheckpoint, Recorded, SavedCheckpoint, StepName, Timestamp, WorkerId};

use crate::memory::jobs::row::Row;
use crate::memory::state::State;

/// The key of the job's checkpoint. A step has its name.
const CHECKPOINT: &str = "";

impl State {
    pub(in crate::memory) fn save_checkpoint(
        &mut self,
        worker_id: &WorkerId,
        new: NewCheckpoint,
        now: Timestamp,
    ) -> Recorded {
        let NewCheckpoint { id, claim_number, attempt, step, value } = new;
        let row = self.rows.get_mut(&id).filter(|row| row.is_attempt(worker_id, claim_number));
        let Some(row) = row else { return Recorded::Fenced };
        let step = step.map(|step| step.as_str().to_owned());
        let key = step.clone().unwrap_or_else(|| CHECKPOINT.to_owned());
        let saved = SavedCheckpoint { step, attempt, saved_at: now, value };
        if key == CHECKPOINT {
            row.checkpoints.insert(key, saved);
        } else {
            row.checkpoints.entry(key).or_insert(saved);
        }
        Recorded::Recorded
    }

    pub(in crate::memory) fn step_result(&self, id: JobId, step: &StepName) -> Option<JobData> {
        self.rows.get(&id)?.checkpoints.get(step.as_str()).map(|saved| saved.value.clone())
    }
}

impl Row {
    /// Where its last attempts stood.
    pub(in crate::memory) fn last_checkpoint(&self) -> Option<JobData> {
        self.checkpoints.get(CHECKPOINT).map(|saved| saved.value.clone())
    }

    /// How many steps have finished.
    pub(in crate::memory) fn step_count(&self) -> u32 {
        let steps = self.checkpoints.keys().filter(|key| *key != CHECKPOINT).count();
        u32::try_from(steps).unwrap_or(u32::MAX)
    }
}
