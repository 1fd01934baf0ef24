use std::sync::Arc;
use std::time::Duration;

use longshore_core::{
    Action, Actioned, Console, EnqueueStream, Enqueued, InvalidJobData, JobDetail, JobId, NewJob, Priority,
    QueueChange, Selection, Store, StoreError,
};
use thiserror::Error;
use tokio::time::Instant;

use crate::{Payload, park};

/// A database that holds jobs: both halves of the contract.
pub trait Backend: Store + Console {}

impl<T: Store + Console> Backend for T {}

/// A database with jobs in it. Cheap to clone; all clones share one connection.
#[derive(Clone, Debug)]
pub struct Queue {
    backend: Arc<dyn Backend>,
}

/// What a queue could not do. Nothing was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The payload cannot be written as JSON, or read from it.
    #[error("the payload is {0}")]
    Encode(#[from] InvalidJobData),
    /// The address names no database that this build can use.
    #[error("{url:?} names no database: expected a path or sqlite:PATH")]
    InvalidUrl {
        /// What was given.
        url: String,
    },
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such job.
    #[error("there is no job {id}")]
    NotFound {
        /// The job that was asked for.
        id: JobId,
    },
}

/// How long a wait goes without looking when no wake-up comes.
const POLL: Duration = Duration::from_secs(1);

impl Queue {
    /// A queue on any backend.
    pub fn from_backend(backend: Arc<dyn Backend>) -> Self {
        Self { backend }
    }

    /// The backend itself: pages, statistics, health.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// Enqueues one typed job. After `Ok` it survives the end of this process.
    pub async fn enqueue<T: Payload>(&self, payload: &T) -> Result<Enqueued, QueueError> {
        Ok(self.enqueue_job(payload.to_job()?).await?)
    }

    /// Enqueues one job. After `Ok` it survives the end of this process.
    pub async fn enqueue_job(&self, job: NewJob) -> Result<Enqueued, StoreError> {
        let enqueued = self.backend.enqueue(vec![job]).await?;
        Ok(*enqueued.first().expect("a store answers for each job"))
    }

    /// Enqueues all of the jobs or none, in order.
    pub async fn enqueue_all(&self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>, StoreError> {
        self.backend.enqueue(jobs).await
    }

    /// Enqueues any number of jobs in bounded memory, all or none, and says how many were made.
    pub async fn enqueue_stream(&self, jobs: EnqueueStream) -> Result<u64, StoreError> {
        self.backend.enqueue_stream(jobs).await
    }

    /// [`Queue::enqueue`] for a thread without a runtime; inside a runtime it would hold up its other tasks.
    pub fn enqueue_blocking<T: Payload>(&self, payload: &T) -> Result<Enqueued, QueueError> {
        park::block_on(self.enqueue(payload))
    }

    /// [`Queue::enqueue_job`] for a thread without a runtime.
    pub fn enqueue_job_blocking(&self, job: NewJob) -> Result<Enqueued, StoreError> {
        park::block_on(self.enqueue_job(job))
    }

    /// [`Queue::enqueue_all`] for a thread without a runtime.
    pub fn enqueue_all_blocking(&self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>, StoreError> {
        park::block_on(self.enqueue_all(jobs))
    }

    /// One job with its attempts, if there is such a job.
    pub async fn job(&self, id: JobId) -> Result<Option<JobDetail>, StoreError> {
        self.backend.job(id).await
    }

    /// [`Queue::job`] for a thread without a runtime.
    pub fn job_blocking(&self, id: JobId) -> Result<Option<JobDetail>, StoreError> {
        park::block_on(self.job(id))
    }

    /// Waits until the job has ended or the time is over, and answers with the job as it is then.
    pub async fn wait(&self, id: JobId, timeout: Duration) -> Result<JobDetail, QueueError> {
        let deadline = Instant::now().checked_add(timeout);
        let mut wakeups = self.backend.wakeups();
        loop {
            let detail = self.backend.job(id).await?.ok_or(QueueError::NotFound { id })?;
            let left = deadline.map_or(POLL, |deadline| deadline.saturating_duration_since(Instant::now()));
            if detail.job.status.is_ended() || left.is_zero() {
                return Ok(detail);
            }
            let _ = tokio::time::timeout(left.min(POLL), wakeups.changed()).await;
        }
    }

    /// Ends a waiting job; asks a running one to stop.
    pub async fn cancel(&self, id: JobId) -> Result<Actioned, StoreError> {
        self.act(id, Action::Cancel).await
    }

    /// Puts an ended or retrying job back with fresh budgets, and the children that were given up with it; their
    /// history stays.
    pub async fn retry(&self, id: JobId) -> Result<Actioned, StoreError> {
        self.act(id, Action::Retry).await
    }

    /// [`Queue::retry`] without the children: they stay given up.
    pub async fn retry_alone(&self, id: JobId) -> Result<Actioned, StoreError> {
        self.act(id, Action::RetryAlone).await
    }

    /// Removes a job that does not run, with its history.
    pub async fn delete(&self, id: JobId) -> Result<Actioned, StoreError> {
        self.act(id, Action::Delete).await
    }

    /// Changes the priority of a job that has not ended.
    pub async fn reprioritise(&self, id: JobId, priority: Priority) -> Result<Actioned, StoreError> {
        self.act(id, Action::Reprioritise(priority)).await
    }

    /// Claims nothing more from a queue until it is resumed.
    pub async fn pause(&self, queue: impl Into<String>) -> Result<(), StoreError> {
        self.backend.change_queue(queue.into(), QueueChange::Pause).await
    }

    /// Claims from a queue again.
    pub async fn resume(&self, queue: impl Into<String>) -> Result<(), StoreError> {
        self.backend.change_queue(queue.into(), QueueChange::Resume).await
    }

    async fn act(&self, id: JobId, action: Action) -> Result<Actioned, StoreError> {
        self.backend.act(Selection::job(id), action).await
    }
}
