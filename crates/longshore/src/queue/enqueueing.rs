use std::error::Error;

use longshore_core::{Enqueued, NewJob, StoreError, Stream, stream_of};

use crate::runtime::{park, reading_thread};
use crate::trace::{EnqueueSpan, TracedJobs};
use crate::{Payload, Queue, QueueError};

impl Queue {
    /// Enqueues one typed job. After Ok the job is committed and survives the end of this process.
    ///
    /// ```
    /// # use longshore::{Job, Queue};
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Mail { to: String }
    /// # async fn example(queue: &Queue) -> Result<(), Box<dyn std::error::Error>> {
    /// let enqueued = queue.enqueue(&Mail { to: "ada@example.org".into() }).await?;
    /// println!("job {}", enqueued.id);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn enqueue<T: Payload>(&self, payload: &T) -> Result<Enqueued, QueueError> {
        Ok(self.enqueue_job(payload.to_job()?).await?)
    }

    /// Enqueues one job. After Ok the job is committed and survives the end of this process.
    ///
    /// ```
    /// # use longshore::{Job, NewJob, Payload, Priority, Queue};
    /// # use std::time::Duration;
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Mail { to: String }
    /// # async fn example(queue: &Queue) -> Result<(), Box<dyn std::error::Error>> {
    /// // One call may differ from the settings of the type.
    /// let mail = Mail { to: "ada@example.org".into() };
    /// queue.enqueue_job(mail.to_job()?.delay(Duration::from_secs(3600))).await?;
    /// // A job of any type, handled in any language.
    /// queue.enqueue_job(NewJob::encode("thumbnail", "cat.jpg")?.priority(Priority::HIGH)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn enqueue_job(&self, job: NewJob) -> Result<Enqueued, StoreError> {
        let span = EnqueueSpan::of_job(&job, None);
        let enqueued = self.backend.enqueue(vec![job.traced(span.traceparent())]).await;
        let enqueued = enqueued.map(|enqueued| *enqueued.first().expect("a store answers for each job"));
        enqueued.inspect(|enqueued| span.note_job(enqueued.id)).inspect_err(|error| span.note_error(error.code()))
    }

    /// Enqueues all of the jobs or none, in order.
    ///
    /// ```
    /// # use longshore::{Job, Payload, Queue};
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Mail { to: String }
    /// # async fn example(queue: &Queue) -> Result<(), Box<dyn std::error::Error>> {
    /// let mails = ["ada", "grace"].map(|to| Mail { to: to.into() });
    /// let jobs = mails.iter().map(|mail| mail.to_job()).collect::<Result<_, _>>()?;
    /// let enqueued = queue.enqueue_all(jobs).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn enqueue_all(&self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>, StoreError> {
        let span = EnqueueSpan::of_batch(&jobs, None);
        let jobs = jobs.into_iter().map(|job| job.traced(span.traceparent())).collect();
        self.backend.enqueue(jobs).await.inspect_err(|error| span.note_error(error.code()))
    }

    /// Enqueues any number of jobs in bounded memory, all or none. Returns how many were created.
    ///
    /// The stream may be slow, and may enqueue jobs itself: nothing of the database is locked while it is read. An
    /// error in it takes everything back and is the answer, and so does the end of this future before that of the
    /// stream. For jobs that an iterator gives there is [`Queue::enqueue_iter`].
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
        let span = EnqueueSpan::of_stream(None);
        let jobs = TracedJobs::new(jobs, span.traceparent());
        let enqueued = self.backend.enqueue_stream(Box::pin(jobs)).await;
        enqueued.inspect(|count| span.note_count(*count)).inspect_err(|error| span.note_error(error.code()))
    }

    /// [`Queue::enqueue_stream`] of what an iterator gives, such as the lines of a file. It is called on a thread of
    /// its own, so it may block.
    ///
    /// ```
    /// # use longshore::{Job, Payload, Queue};
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Mail { to: String }
    /// # async fn example(queue: &Queue) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::io::{BufRead, BufReader};
    ///
    /// let lines = BufReader::new(std::fs::File::open("addresses.txt")?).lines();
    /// let jobs = lines.map(|to| Ok(Mail { to: to? }.to_job()?));
    /// let count = queue.enqueue_iter(jobs).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn enqueue_iter<I>(&self, jobs: I) -> Result<u64, StoreError>
    where
        I: IntoIterator<Item = Result<NewJob, Box<dyn Error + Send + Sync>>>,
        I::IntoIter: Send + 'static,
    {
        self.enqueue_stream(reading_thread::read(jobs.into_iter())).await
    }

    /// [`Queue::enqueue_iter`] for code that is not async: the iterator is called on the caller's thread.
    ///
    /// ```
    /// # use longshore::{NewJob, Queue};
    /// # fn example(queue: &Queue) -> Result<(), Box<dyn std::error::Error>> {
    /// let jobs = (0..1000).map(|number| Ok(NewJob::encode("page", &number)?));
    /// let count = queue.enqueue_iter_blocking(jobs)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn enqueue_iter_blocking<I>(&self, jobs: I) -> Result<u64, StoreError>
    where
        I: IntoIterator<Item = Result<NewJob, Box<dyn Error + Send + Sync>>>,
        I::IntoIter: Send + 'static,
    {
        park::block_on(self.enqueue_stream(stream_of(jobs)))
    }

    /// [`Queue::enqueue`] for code that is not async.
    ///
    /// ```
    /// # use longshore::{Job, Queue};
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Mail { to: String }
    /// # fn example(queue: &Queue) -> Result<(), Box<dyn std::error::Error>> {
    /// queue.enqueue_blocking(&Mail { to: "ada@example.org".into() })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn enqueue_blocking<T: Payload>(&self, payload: &T) -> Result<Enqueued, QueueError> {
        park::block_on(self.enqueue(payload))
    }

    /// [`Queue::enqueue_job`] for code that is not async.
    ///
    /// ```
    /// # use longshore::{NewJob, Queue};
    /// # fn example(queue: &Queue) -> Result<(), Box<dyn std::error::Error>> {
    /// queue.enqueue_job_blocking(NewJob::encode("thumbnail", "cat.jpg")?)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn enqueue_job_blocking(&self, job: NewJob) -> Result<Enqueued, StoreError> {
        park::block_on(self.enqueue_job(job))
    }

    /// [`Queue::enqueue_all`] for code that is not async.
    ///
    /// ```
    /// # use longshore::{NewJob, Queue};
    /// # fn example(queue: &Queue) -> Result<(), Box<dyn std::error::Error>> {
    /// let jobs = vec![NewJob::encode("page", &1)?, NewJob::encode("page", &2)?];
    /// queue.enqueue_all_blocking(jobs)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn enqueue_all_blocking(&self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>, StoreError> {
        park::block_on(self.enqueue_all(jobs))
    }
}
