use longshore_core::{
    Actioned, BatchChange, BatchId, BatchJobPage, BatchJobsRequest, BatchRecord, BatchesRequest, ChangeBatch, JobId,
    NewSignal, StoreError,
};

use super::Shown;

/// How many batches are looked at for a page of a user of some queues. Each costs a read of its jobs.
const LOOKED_AT_MAX: usize = 1000;
/// A batch with so many jobs is hidden from a user of some queues.
const SEEN_JOBS_MAX: u32 = 1000;

impl Shown {
    pub(crate) async fn batch(&self, id: BatchId) -> Result<Option<BatchRecord>, StoreError> {
        Ok(if self.sees_batch(id).await? { self.store().batch(id).await? } else { None })
    }

    pub(crate) async fn batches(&self, request: BatchesRequest) -> Result<Vec<BatchRecord>, StoreError> {
        if self.visible.is_none() {
            return self.store().batches(request).await;
        }
        let (limit, mut request) = (request.limit as usize, request);
        let (mut seen, mut looked) = (Vec::new(), 0);
        loop {
            let page = self.store().batches(request.clone()).await?;
            looked += page.len();
            let is_last = page.len() < limit || looked >= LOOKED_AT_MAX;
            request.before = page.last().map(|batch| batch.id);
            for batch in page {
                if self.sees_batch(batch.id).await? {
                    seen.push(batch);
                }
            }
            if is_last || seen.len() >= limit {
                seen.truncate(limit);
                return Ok(seen);
            }
        }
    }

    /// Whether all jobs of a batch are in queues that the user sees, since its counts are of all of them. One with very
    /// many jobs is not looked through.
    async fn sees_batch(&self, id: BatchId) -> Result<bool, StoreError> {
        let Some(visible) = &self.visible else { return Ok(true) };
        let request = BatchJobsRequest { id, statuses: None, after: None, limit: SEEN_JOBS_MAX };
        let BatchJobPage { jobs, .. } = self.store().batch_jobs(request).await?;
        if jobs.len() >= SEEN_JOBS_MAX as usize {
            return Ok(false);
        }
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        // One whose jobs were all deleted could be of any queue.
        Ok(!ids.is_empty() && self.seen_among(visible, &ids).await?.len() == ids.len())
    }

    pub(crate) async fn batch_jobs(&self, request: BatchJobsRequest) -> Result<BatchJobPage, StoreError> {
        if !self.sees_batch(request.id).await? {
            return Ok(BatchJobPage::default());
        }
        let mut page = self.store().batch_jobs(request).await?;
        page.jobs.iter_mut().for_each(|job| self.redaction.hide_in_dependencies(&mut job.dependencies));
        Ok(page)
    }

    /// Closes a batch, or changes its members to the end.
    pub(crate) async fn change_batch(&self, id: BatchId, change: BatchChange) -> Result<Actioned, StoreError> {
        if !self.sees_batch(id).await? {
            return Err(StoreError::UnknownBatch { batch: id });
        }
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
        if !self.sees_batch(batch).await? {
            return Err(StoreError::UnknownBatch { batch });
        }
        self.store().signal(signal).await?.ok_or(StoreError::UnknownBatch { batch })
    }
}
