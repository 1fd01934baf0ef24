use longshore_core::{
    Actioned, BatchChange, BatchId, BatchRecord, ChangeBatch, EnqueuedWorkflow, JobData, NewSignal, Refusal,
    StoreError, WorkflowBatch,
};
use serde::Serialize;

use crate::workflow::Workflow;
use crate::{Queue, QueueError};

/// How many refusals of a change of a batch are kept.
const REFUSED_MAX: usize = 100;

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

    /// Cancels the members that have not ended; running ones are asked to stop. Runs in bounded steps: what earlier steps
    /// have done stays after an error. Members that ended meanwhile are no refusals.
    ///
    /// ```
    /// # use longshore::{Queue, workflow::BatchId};
    /// # async fn example(queue: &Queue, batch: BatchId) -> Result<(), longshore::QueueError> {
    /// println!("{} jobs were cancelled", queue.cancel_batch(batch).await?.touched);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn cancel_batch(&self, id: BatchId) -> Result<Actioned, StoreError> {
        self.change_members(id, BatchChange::Cancel).await
    }

    /// Retries the members that are dead letters or were cancelled, as [`Queue::cancel_batch`] cancels others. The batch is
    /// open again until they have ended.
    ///
    /// ```
    /// # use longshore::{Queue, workflow::BatchId};
    /// # async fn example(queue: &Queue, batch: BatchId) -> Result<(), longshore::QueueError> {
    /// println!("{} jobs run again", queue.retry_batch(batch).await?.touched);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn retry_batch(&self, id: BatchId) -> Result<Actioned, StoreError> {
        self.change_members(id, BatchChange::Retry).await
    }

    async fn change_members(&self, id: BatchId, change: BatchChange) -> Result<Actioned, StoreError> {
        let mut all = Actioned::default();
        let mut after = None;
        loop {
            let step = self.backend().change_batch(ChangeBatch { id, change, after }).await?;
            let step = step.ok_or(StoreError::UnknownBatch { batch: id })?;
            all.touched += step.actioned.touched;
            // One that ended meanwhile is where it should be.
            let refused = step.actioned.refused.into_iter().filter(|it| !matches!(it, Refusal::WrongStatus { .. }));
            all.refused.extend(refused);
            all.refused.truncate(REFUSED_MAX);
            after = step.next;
            if after.is_none() {
                return Ok(all);
            }
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
        let (span, workflow) = flow.into_traced(batch)?;
        let enqueued = match workflow.check(&self.backend().limits()) {
            Ok(workflow) => self.backend().enqueue_workflow(workflow).await,
            Err(error) => Err(error.into()),
        };
        Ok(enqueued.inspect_err(|error| span.note_error(error.code()))?)
    }
}
