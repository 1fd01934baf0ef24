use longshore_core::{ClaimNumber, Job, JobData, JobId, Status, StoreError, WorkerId};

use crate::CurrentAttempt;
use crate::worker::trouble::StoreCall;
use crate::worker::worker_run::WorkerRun;

/// The result of a handler that completed its job in its own transaction. `None` if that was rolled back.
///
/// If the store cannot be read at all, the attempt counts as not completed. If it is completed, the fence rejects its
/// outcome.
pub(crate) async fn result(worker_run: &WorkerRun, attempt: &CurrentAttempt) -> Option<Option<JobData>> {
    let call = || worker_run.queue.backend().job(attempt.id());
    let job = worker_run.patiently(StoreCall::Read, call).await.ok().flatten()?.job;
    AttemptClaim::of(attempt).has_completed(&job).then_some(job.result)
}

/// Whether an attempt has completed its job itself. This read is not repeated.
pub(crate) async fn has_completed(worker_run: &WorkerRun, attempt: &CurrentAttempt) -> Result<bool, StoreError> {
    AttemptClaim::of(attempt).check(worker_run).await
}

/// The claim of an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttemptClaim<'a> {
    pub(crate) worker_id: &'a WorkerId,
    pub(crate) id: JobId,
    pub(crate) claim_number: ClaimNumber,
}

impl<'a> AttemptClaim<'a> {
    fn of(attempt: &'a CurrentAttempt) -> Self {
        Self { worker_id: attempt.worker_id(), id: attempt.id(), claim_number: attempt.lease().claim_number }
    }

    /// Whether the job was completed under this claim.
    pub(crate) async fn check(self, worker_run: &WorkerRun) -> Result<bool, StoreError> {
        let found = worker_run.queue.backend().job(self.id).await?;
        Ok(found.is_some_and(|found| self.has_completed(&found.job)))
    }

    fn has_completed(self, job: &Job) -> bool {
        job.status == Status::Completed
            && job.worker_id.as_ref() == Some(self.worker_id)
            && job.claim_number == self.claim_number
    }
}
