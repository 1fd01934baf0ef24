use longshore_core::{
    BatchChange, BatchId, BatchRecord, ChangeBatch, EnqueuedWorkflow, JobData, NewSignal, StoreError, WorkflowBatch,
};
use serde::Serialize;

use crate::workflow::Workflow;
use crate::{Queue, QueueError};

impl Queue {
    /// Enqueues all jobs of a workflow with their batch, or nothing.
    ///
    /// ```
    /// # use longshore::{NewJob, Queue, workflow::Workflow};
    /// # async fn example(queue: &Queue) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut flow = Workflow::new("import 42");
    /// let fetch = flow.add_job(NewJob::encode("fetch", "https://example.org/42")?);
    /// flow.add_job(NewJob::encode("convert", &1)?).after(fetch);
    /// let enqueued = queue.enqueue_workflow(flow).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn enqueue_workflow(&self, flow: Workflow) -> Result<EnqueuedWorkflow, QueueError> {
        self.enqueue_in_batch(flow, None).await
    }

    /// [`Queue::enqueue_workflow`] for code that is not async.
    ///
    /// ```
    /// # use longshore::{NewJob, Queue, workflow::Workflow};
    /// # fn example(queue: &Queue) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut flow = Workflow::new("import 42");
    /// flow.add_job(NewJob::encode("fetch", "https://example.org/42")?);
    /// queue.enqueue_workflow_blocking(flow)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn enqueue_workflow_blocking(&self, flow: Workflow) -> Result<EnqueuedWorkflow, QueueError> {
        crate::runtime::park::block_on(self.enqueue_workflow(flow))
    }

    /// Adds the steps of a workflow to a batch that is open.
    ///
    /// ```
    /// # use longshore::{NewJob, Queue, workflow::{BatchId, Workflow}};
    /// # async fn example(queue: &Queue, batch: BatchId) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut flow = Workflow::without_batch();
    /// flow.add_job(NewJob::encode("fetch", "https://example.org/43")?);
    /// queue.add_to_batch(batch, flow).await?;
    /// queue.close_batch(batch).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn add_to_batch(&self, id: BatchId, flow: Workflow) -> Result<EnqueuedWorkflow, QueueError> {
        self.enqueue_in_batch(flow, Some(WorkflowBatch::Existing { id, by: None })).await
    }

    /// Closes a batch: it ends when its members have ended. May be repeated.
    ///
    /// ```
    /// # use longshore::{Queue, workflow::BatchId};
    /// # async fn example(queue: &Queue, batch: BatchId) -> Result<(), longshore::QueueError> {
    /// queue.close_batch(batch).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn close_batch(&self, id: BatchId) -> Result<(), QueueError> {
        let request = ChangeBatch { id, change: BatchChange::Close, after: None };
        match self.backend().change_batch(request).await? {
            Some(_) => Ok(()),
            None => Err(StoreError::UnknownBatch { batch: id }.into()),
        }
    }

    /// A batch with its counts. `None` if there is no such batch.
    ///
    /// ```
    /// # use longshore::{Queue, workflow::BatchId};
    /// # async fn example(queue: &Queue, batch: BatchId) -> Result<(), longshore::QueueError> {
    /// if let Some(batch) = queue.batch(batch).await? {
    ///     println!("{}: {} of {} completed", batch.status, batch.counts.completed, batch.counts.members);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn batch(&self, id: BatchId) -> Result<Option<BatchRecord>, StoreError> {
        self.backend().batch(id).await
    }

    /// Sends a signal to a batch, with data for the jobs that wait for it. The first signal of a name counts, also if it
    /// comes before anybody waits. Returns whether this was the first.
    ///
    /// ```
    /// # use longshore::{Queue, workflow::BatchId};
    /// # async fn example(queue: &Queue, batch: BatchId) -> Result<(), longshore::QueueError> {
    /// queue.signal(batch, "approved", &"ada").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn signal<T: Serialize + ?Sized>(
        &self,
        batch: BatchId,
        name: &str,
        data: &T,
    ) -> Result<bool, QueueError> {
        let data = Some(JobData::encode(data)?).filter(|data| data.as_str() != "null");
        let sent = self.backend().signal(NewSignal { batch, name: name.to_owned(), data }).await?;
        sent.ok_or_else(|| StoreError::UnknownBatch { batch }.into())
    }

    pub(crate) async fn enqueue_in_batch(
        &self,
        flow: Workflow,
        batch: Option<WorkflowBatch>,
    ) -> Result<EnqueuedWorkflow, QueueError> {
        let workflow = flow.into_new(batch)?.check(&self.backend().limits()).map_err(StoreError::from)?;
        Ok(self.backend().enqueue_workflow(workflow).await?)
    }
}
