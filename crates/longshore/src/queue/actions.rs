use longshore_core::{Action, Actioned, JobEdit, JobId, Priority, QueueChange, Selection, StoreError};

use crate::Queue;

impl Queue {
    /// Cancels a waiting job. Asks a running job to stop.
    ///
    /// ```
    /// # use longshore::{Queue, job::JobId};
    /// # async fn example(queue: &Queue, id: JobId) -> Result<(), Box<dyn std::error::Error>> {
    /// let actioned = queue.cancel(id).await?;
    /// if let Some(refusal) = actioned.refused.first() {
    ///     println!("it was not cancelled: {refusal}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn cancel(&self, id: JobId) -> Result<Actioned, StoreError> {
        self.act(id, Action::Cancel).await
    }

    /// Retries an ended or retrying job now with new budgets, with the children that became dead letters because of it.
    /// Their history stays.
    ///
    /// ```
    /// # use longshore::{Queue, job::JobId};
    /// # async fn example(queue: &Queue, id: JobId) -> Result<(), Box<dyn std::error::Error>> {
    /// queue.retry(id).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn retry(&self, id: JobId) -> Result<Actioned, StoreError> {
        self.act(id, Action::Retry).await
    }

    /// [`Queue::retry`] without the children.
    ///
    /// ```
    /// # use longshore::{Queue, job::JobId};
    /// # async fn example(queue: &Queue, id: JobId) -> Result<(), Box<dyn std::error::Error>> {
    /// queue.retry_alone(id).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn retry_alone(&self, id: JobId) -> Result<Actioned, StoreError> {
        self.act(id, Action::RetryAlone).await
    }

    /// [`Queue::retry`] from the start: the jobs that are retried forget their checkpoints and the results of their steps.
    ///
    /// ```
    /// # use longshore::{Queue, job::JobId};
    /// # async fn example(queue: &Queue, id: JobId) -> Result<(), Box<dyn std::error::Error>> {
    /// queue.retry_from_start(id).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn retry_from_start(&self, id: JobId) -> Result<Actioned, StoreError> {
        self.act(id, Action::RetryFromStart).await
    }

    /// Deletes a job that is not running, with its history.
    ///
    /// ```
    /// # use longshore::{Queue, job::JobId};
    /// # async fn example(queue: &Queue, id: JobId) -> Result<(), Box<dyn std::error::Error>> {
    /// queue.delete(id).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn delete(&self, id: JobId) -> Result<Actioned, StoreError> {
        self.act(id, Action::Delete).await
    }

    /// Changes the priority of a job that has not ended.
    ///
    /// ```
    /// # use longshore::{Priority, Queue, job::JobId};
    /// # async fn example(queue: &Queue, id: JobId) -> Result<(), Box<dyn std::error::Error>> {
    /// queue.reprioritise(id, Priority::URGENT).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reprioritise(&self, id: JobId, priority: Priority) -> Result<Actioned, StoreError> {
        self.act(id, Action::Reprioritise(priority)).await
    }

    /// Changes the payload, queue, type or time of a job that is not running. A [`Refusal`](crate::Refusal) says why a
    /// job cannot be edited.
    ///
    /// ```
    /// # use longshore::{Queue, job::JobEdit, job::JobId};
    /// # async fn example(queue: &Queue, id: JobId) -> Result<(), Box<dyn std::error::Error>> {
    /// let edit = JobEdit::new().queue("slow");
    /// queue.edit(id, edit).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn edit(&self, id: JobId, edit: JobEdit) -> Result<Actioned, StoreError> {
        self.backend.edit(id, edit).await
    }

    /// Stops claims from a queue until it is resumed. Running jobs continue.
    ///
    /// ```
    /// # use longshore::{Queue};
    /// # async fn example(queue: &Queue) -> Result<(), Box<dyn std::error::Error>> {
    /// queue.pause("mail").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn pause(&self, queue: impl Into<String>) -> Result<(), StoreError> {
        self.backend.change_queue(queue.into(), QueueChange::Pause).await
    }

    /// Resumes claims from a queue.
    ///
    /// ```
    /// # use longshore::{Queue};
    /// # async fn example(queue: &Queue) -> Result<(), Box<dyn std::error::Error>> {
    /// queue.resume("mail").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn resume(&self, queue: impl Into<String>) -> Result<(), StoreError> {
        self.backend.change_queue(queue.into(), QueueChange::Resume).await
    }

    async fn act(&self, id: JobId, action: Action) -> Result<Actioned, StoreError> {
        self.backend.act(Selection::job(id), action).await
    }
}
