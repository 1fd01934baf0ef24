use longshore_core::{
    Action, Actioned, Enqueued, EnqueuedWorkflow, JobData, JobEdit, JobId, Limits, NewJob, QueueChange, Selection,
    StoreError, ValidJob, WorkflowBatch, WorkflowStream,
};

use super::Shown;
use crate::error::ApiError;

impl Shown {
    /// The bounds of a new job.
    pub(crate) fn limits(&self) -> Limits {
        self.store().limits()
    }

    pub(crate) async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>, StoreError> {
        self.store().enqueue(jobs).await
    }

    pub(crate) async fn enqueue_valid(&self, jobs: Vec<ValidJob>) -> Result<Vec<Enqueued>, StoreError> {
        self.store().enqueue_valid(jobs).await
    }

    pub(crate) async fn enqueue_workflow_stream(
        &self,
        batch: WorkflowBatch,
        jobs: WorkflowStream,
    ) -> Result<EnqueuedWorkflow, StoreError> {
        self.store().enqueue_workflow_stream(batch, jobs).await
    }

    pub(crate) async fn act(&self, selection: Selection, action: Action) -> Result<Actioned, StoreError> {
        self.store().act(selection, action).await
    }

    pub(crate) async fn edit(&self, id: JobId, edit: JobEdit) -> Result<Actioned, StoreError> {
        self.store().edit(id, edit).await
    }

    /// The payload that somebody has made of the shown payload of a job: with its hidden values where the placeholders
    /// still are.
    pub(crate) async fn restored(&self, edited: JobData, of: JobId) -> Result<JobData, ApiError> {
        if self.redaction.is_empty() {
            return Ok(edited);
        }
        let original = self.store().job(of).await?.ok_or_else(|| ApiError::no_such_job(of))?.job.job_data;
        self.redaction.restore(&edited, &original).map_err(|error| ApiError::invalid(error.to_string()))
    }

    pub(crate) async fn change_queue(&self, queue: String, change: QueueChange) -> Result<(), StoreError> {
        self.store().change_queue(queue, change).await
    }
}
