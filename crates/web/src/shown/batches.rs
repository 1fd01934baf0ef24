use longshore_core::{
    Actioned, BatchChange, BatchId, BatchJob, BatchJobsRequest, BatchRecord, BatchesRequest, ChangeBatch, NewSignal,
    StoreError,
};

use super::Shown;

impl Shown {
    pub(crate) async fn batch(&self, id: BatchId) -> Result<Option<BatchRecord>, StoreError> {
        self.store().batch(id).await
    }

    pub(crate) async fn batches(&self, request: BatchesRequest) -> Result<Vec<BatchRecord>, StoreError> {
        self.store().batches(request).await
    }

    pub(crate) async fn batch_jobs(&self, request: BatchJobsRequest) -> Result<Vec<BatchJob>, StoreError> {
        let mut jobs = self.store().batch_jobs(request).await?;
        jobs.iter_mut().for_each(|job| self.redaction.hide_in_dependencies(&mut job.dependencies));
        Ok(jobs)
    }

    /// Closes a batch, or changes its members to the end.
    pub(crate) async fn change_batch(&self, id: BatchId, change: BatchChange) -> Result<Actioned, StoreError> {
        match change {
            BatchChange::Retry => self.queue.retry_batch(id).await,
            BatchChange::Cancel => self.queue.cancel_batch(id).await,
            BatchChange::Close => {
                let closed = self.store().change_batch(ChangeBatch { id, change, after: None }).await?;
                closed.map(|_| Actioned::default()).ok_or(StoreError::UnknownBatch { batch: id })
            }
        }
    }

    /// Sends a signal; says whether it is the first of its name.
    pub(crate) async fn signal(&self, signal: NewSignal) -> Result<bool, StoreError> {
        let batch = signal.batch;
        self.store().signal(signal).await?.ok_or(StoreError::UnknownBatch { batch })
    }
}
