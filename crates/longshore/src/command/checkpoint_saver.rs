use std::time::Duration;

use longshore_core::JobData;
use tokio::time::timeout;

use crate::handler::CheckpointError;
use crate::runtime::quiet;
use crate::{BoxFuture, CurrentAttempt};

/// How long the end of a program waits for its last checkpoint. The next attempt then continues from the one before.
const LAST_MAX: Duration = Duration::from_secs(10);

/// Stores the checkpoints of a program while it goes on, one at a time. Of those that come meanwhile the last one counts.
pub(crate) struct CheckpointSaver {
    attempt: CurrentAttempt,
    waiting: Option<JobData>,
    saving: Option<BoxFuture<'static, Result<(), CheckpointError>>>,
}

impl CheckpointSaver {
    pub(crate) const fn new(attempt: CurrentAttempt) -> Self {
        Self { attempt, waiting: None, saving: None }
    }

    /// Stores this one next.
    pub(crate) fn offer(&mut self, value: JobData) {
        // An error may repeat it, also before it is stored.
        self.attempt.note_checkpoint(value.clone());
        self.waiting = Some(value);
    }

    /// Resolves when a checkpoint was stored, or cannot be. Never resolves if there is none. Cancellation safe.
    pub(crate) async fn saved(&mut self) -> Result<(), CheckpointError> {
        if self.saving.is_none() {
            let Some(value) = self.waiting.take() else { return std::future::pending().await };
            let attempt = self.attempt.clone();
            self.saving = Some(Box::pin(async move { attempt.save_checkpoint(value).await }));
        }
        let Some(saving) = &mut self.saving else { return Ok(()) };
        let saved = saving.await;
        self.saving = None;
        saved
    }

    /// Stores what is left, before the outcome of the attempt ends it.
    pub(crate) async fn finish(&mut self) -> Result<(), CheckpointError> {
        let rest = async {
            while self.saving.is_some() || self.waiting.is_some() {
                self.saved().await?;
            }
            Ok(())
        };
        let Ok(saved) = timeout(LAST_MAX, rest).await else {
            quiet::warning!(job_id = %self.attempt.id(), "the last checkpoint of a program could not be stored in time");
            return Ok(());
        };
        saved
    }
}
