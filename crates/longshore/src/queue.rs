use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore_core::{
    Action, Actioned, Console, Enqueued, Interest, InvalidJobData, JobDetail, JobEdit, JobId, NewJob, Priority,
    QueueChange, Selection, Store, StoreError, Stream, stream_of,
};
use tokio::task::coop::unconstrained;

use crate::runtime::{alarm, park, reading_thread};
use crate::trace::spans::EnqueueSpan;
use crate::{InvalidDatabaseUrl, Payload};

/// A database that holds jobs: both halves of the contract.
pub trait Backend: Store + Console {}

impl<T: Store + Console> Backend for T {}

/// A database with jobs in it. Cheap to clone; all clones share one connection.
///
/// Its async methods run on every executor. Its blocking ones work on every thread, inside an async task as well;
/// there they hold up the other tasks of that thread until they return.
#[derive(Clone, Debug)]
pub struct Queue {
    backend: Arc<dyn Backend>,
}

/// What a queue could not do. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The payload cannot be written as JSON, or read from it.
    #[error("the payload is {0}")]
    Encode(#[from] InvalidJobData),
    /// The address names no database that this build can use.
    #[error(transparent)]
    InvalidUrl(#[from] InvalidDatabaseUrl),
    /// The operating system gave no thread to open the database on.
    #[error("no thread could be started to open the database: {source}")]
    Thread {
        /// Why.
        source: io::Error,
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
    /// A wait needs a thread that keeps the time, and the operating system has none left.
    #[error("cannot wait for a job, because no thread can be started: {0}; end other threads, or allow more of them")]
    Timer(#[source] io::Error),
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
        let span = EnqueueSpan::of_job(&job);
        let enqueued = self.backend.enqueue(vec![job]).await;
        let enqueued = enqueued.map(|enqueued| *enqueued.first().expect("a store answers for each job"));
        span.end_job(enqueued.as_ref());
        enqueued
    }

    /// Enqueues all of the jobs or none, in order.
    pub async fn enqueue_all(&self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>, StoreError> {
        let span = EnqueueSpan::of_batch(&jobs);
        let enqueued = self.backend.enqueue(jobs).await;
        span.end_batch(&enqueued);
        enqueued
    }

    /// Enqueues any number of jobs in bounded memory, all or none, and says how many were made.
    ///
    /// The stream may be slow, and may enqueue jobs itself: nothing of the database is locked while it is read. An error
    /// in it takes everything back and is the answer, and so does the end of this future before that of the stream. For
    /// jobs that an iterator gives there is [`Queue::enqueue_iter`].
    ///
    /// ```
    /// # use std::{pin::Pin, task::{Context, Poll}};
    /// # use longshore::{JobData, NewJob, Stream, testing::ScratchQueue};
    /// /// The mails that arrive on a channel.
    /// struct Mails(tokio::sync::mpsc::Receiver<String>);
    ///
    /// impl Stream for Mails {
    ///     type Item = Result<NewJob, Box<dyn std::error::Error + Send + Sync>>;
    ///
    ///     fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
    ///         let to_job = |to: String| Ok(NewJob::new("mail", JobData::encode(&to)?));
    ///         self.0.poll_recv(context).map(|mail| mail.map(to_job))
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let queue = ScratchQueue::open().await?;
    /// let (sender, mails) = tokio::sync::mpsc::channel(16);
    /// tokio::spawn(async move {
    ///     for to in ["ada", "grace"] {
    ///         sender.send(to.to_owned()).await.unwrap();
    ///     }
    /// });
    /// assert_eq!(queue.enqueue_stream(Mails(mails)).await?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn enqueue_stream(
        &self,
        jobs: impl Stream<Item = Result<NewJob, Box<dyn Error + Send + Sync>>> + Send + 'static,
    ) -> Result<u64, StoreError> {
        let span = EnqueueSpan::of_stream();
        let enqueued = self.backend.enqueue_stream(Box::pin(jobs)).await;
        span.end_stream(&enqueued);
        enqueued
    }

    /// [`Queue::enqueue_stream`] of what an iterator gives, such as the lines of a file. It is called on a thread of its
    /// own, so it may block.
    pub async fn enqueue_iter<I>(&self, jobs: I) -> Result<u64, StoreError>
    where
        I: IntoIterator<Item = Result<NewJob, Box<dyn Error + Send + Sync>>>,
        I::IntoIter: Send + 'static,
    {
        self.enqueue_stream(reading_thread::read(jobs.into_iter())).await
    }

    /// [`Queue::enqueue_iter`] for code that is not async: the iterator is called on the caller's thread.
    pub fn enqueue_iter_blocking<I>(&self, jobs: I) -> Result<u64, StoreError>
    where
        I: IntoIterator<Item = Result<NewJob, Box<dyn Error + Send + Sync>>>,
        I::IntoIter: Send + 'static,
    {
        park::block_on(self.enqueue_stream(stream_of(jobs)))
    }

    /// [`Queue::enqueue`] for code that is not async.
    pub fn enqueue_blocking<T: Payload>(&self, payload: &T) -> Result<Enqueued, QueueError> {
        park::block_on(self.enqueue(payload))
    }

    /// [`Queue::enqueue_job`] for code that is not async.
    pub fn enqueue_job_blocking(&self, job: NewJob) -> Result<Enqueued, StoreError> {
        park::block_on(self.enqueue_job(job))
    }

    /// [`Queue::enqueue_all`] for code that is not async.
    pub fn enqueue_all_blocking(&self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>, StoreError> {
        park::block_on(self.enqueue_all(jobs))
    }

    /// One job with its attempts, if there is such a job.
    pub async fn job(&self, id: JobId) -> Result<Option<JobDetail>, StoreError> {
        self.backend.job(id).await
    }

    /// [`Queue::job`] for code that is not async.
    pub fn job_blocking(&self, id: JobId) -> Result<Option<JobDetail>, StoreError> {
        park::block_on(self.job(id))
    }

    /// Waits until the job has ended or the time is over, and answers with the job as it is then.
    ///
    /// The time is the machine's own, also in a runtime whose time is paused.
    pub async fn wait(&self, id: JobId, timeout: Duration) -> Result<JobDetail, QueueError> {
        // The choice between two futures spends a Tokio task's budget, which another executor does not renew.
        unconstrained(self.wait_until(id, Instant::now().checked_add(timeout))).await
    }

    /// [`Queue::wait`] for code that is not async.
    pub fn wait_blocking(&self, id: JobId, timeout: Duration) -> Result<JobDetail, QueueError> {
        park::block_on(self.wait(id, timeout))
    }

    /// No deadline is one that is too far away to be an instant.
    async fn wait_until(&self, id: JobId, deadline: Option<Instant>) -> Result<JobDetail, QueueError> {
        let mut wakeups = self.backend.wakeups(Interest::Anything);
        loop {
            let detail = self.backend.job(id).await?.ok_or(QueueError::NotFound { id })?;
            let now = Instant::now();
            if detail.job.status.is_ended() || deadline.is_some_and(|deadline| deadline <= now) {
                return Ok(detail);
            }
            let look_at = deadline.map_or(now + POLL, |deadline| deadline.min(now + POLL));
            tokio::select! {
                _ = wakeups.changed() => {}
                waited = alarm::at(look_at) => waited.map_err(QueueError::Timer)?,
            }
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

    /// Changes payload, queue, type or time of a job that does not run; a refusal says why a job cannot be edited.
    pub async fn edit(&self, id: JobId, edit: JobEdit) -> Result<Actioned, StoreError> {
        self.backend.edit(id, edit).await
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
