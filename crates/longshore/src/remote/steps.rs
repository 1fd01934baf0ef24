use longshore_core::{InvalidCheckpoint, JobData, NewCheckpoint, Recorded, StepName};

use super::{RemoteAttempt, RemoteError, RemoteWorkers};

impl RemoteWorkers {
    /// Stores where an attempt stands, or the result of a step. A checkpoint replaces the one before; a step keeps its first
    /// result, so that after an error the same call may be repeated.
    pub async fn save_checkpoint(
        &self,
        attempt: RemoteAttempt,
        step: Option<StepName>,
        value: JobData,
    ) -> Result<(), RemoteError> {
        let value = NewCheckpoint::check(value)?;
        let detail = self.detail_of(&attempt).await?;
        if !attempt.is_running(&detail.job) {
            return Err(RemoteError::LeaseLost(attempt));
        }
        let steps = &detail.checkpoints.steps;
        let is_new = |step: &StepName| !steps.iter().any(|known| known.name == step.as_str());
        if steps.len() >= NewCheckpoint::STEPS_MAX as usize && step.as_ref().is_some_and(is_new) {
            return Err(InvalidCheckpoint::TooManySteps.into());
        }
        let checkpoint = NewCheckpoint {
            id: attempt.id,
            claim_number: attempt.claim_number,
            attempt: detail.job.retry_count.saturating_add(1),
            step,
            value,
        };
        match self.backend().save_checkpoint(attempt.worker_id.clone(), checkpoint).await? {
            Recorded::Recorded => Ok(()),
            Recorded::Fenced => Err(RemoteError::LeaseLost(attempt)),
            Recorded::Refused { reason } => Err(RemoteError::Refused { id: attempt.id, reason }),
            Recorded::Unanswered { reason } => Err(RemoteError::Unanswered { id: attempt.id, reason }),
        }
    }

    /// The stored result of a step of a job that the worker holds.
    pub async fn step_result(&self, attempt: RemoteAttempt, step: StepName) -> Result<Option<JobData>, RemoteError> {
        let detail = self.detail_of(&attempt).await?;
        if !attempt.is_running(&detail.job) {
            return Err(RemoteError::LeaseLost(attempt));
        }
        Ok(self.backend().step_result(attempt.id, step).await?)
    }
}
