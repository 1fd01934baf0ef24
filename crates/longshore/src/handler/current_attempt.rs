use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use longshore_core::{
    Clock, JobData, JobId, Lease, Limits, LogBuffer, LogChunk, LogLimits, Progress, Report, RetryPolicy, Timestamp,
    WorkerId,
};

use crate::handler::SPAN_MAX;
use crate::handler::attempt_documents::AttemptDocuments;
use crate::handler::checkpoint::{AttemptCheckpoints, ProbedCheckpoints};
use crate::handler::progress_message::IntoProgressMessage;
use crate::handler::stop::StopSignal;
use crate::runtime::blocking_threads::BlockingThreads;
use crate::schedule::job_origin::JobOrigin;
use crate::{Queue, StopCause, Stopped};

/// The attempt that a handler is running: its job, its stop signal, its log and its progress.
///
/// Cheap to clone and safe to keep. Log and progress are ignored after the attempt has ended.
#[derive(Clone, Debug)]
pub struct CurrentAttempt {
    state: Arc<AttemptState>,
}

#[derive(Debug)]
struct AttemptState {
    lease: Lease,
    worker_id: WorkerId,
    /// By the worker's monotonic clock. `None` until the handler starts.
    began_at: OnceLock<Duration>,
    /// Whether the handler wrote the job's completion in its own transaction, which may or may not commit.
    has_completion: AtomicBool,
    grace: Duration,
    origin: Arc<AttemptOrigin>,
    stop: StopSignal,
    news: Mutex<News>,
    checkpoints: AttemptCheckpoints,
    documents: AttemptDocuments,
    /// The trace context of the attempt's own span, if that is exported.
    trace: OnceLock<String>,
}

/// A job and the worker that holds it.
#[derive(Debug)]
pub(crate) struct OwnedLease {
    pub(crate) lease: Lease,
    pub(crate) worker_id: WorkerId,
}

/// Data that all attempts of a worker share.
#[derive(Debug)]
#[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "only handlers on SQLite complete their jobs"))]
pub(crate) struct AttemptOrigin {
    pub(crate) queue: Queue,
    pub(crate) clock: Arc<dyn Clock>,
    /// The maximum size of a result.
    pub(crate) limits: Limits,
    pub(crate) log_limits: LogLimits,
    /// The worker's grace period.
    pub(crate) grace: Duration,
    pub(crate) threads: Arc<BlockingThreads>,
    pub(crate) pending_reports: PendingReports,
    /// Keeps checkpoints in place of the store, for an attempt without a worker.
    pub(crate) probed: Option<ProbedCheckpoints>,
}

/// Attempts with log or progress that is not stored yet.
#[derive(Debug, Default)]
pub(crate) struct PendingReports {
    waiting: Mutex<Vec<CurrentAttempt>>,
    pub(crate) arrived: tokio::sync::Notify,
}

impl PendingReports {
    /// Takes the attempts with unreported data, each once.
    pub(crate) fn take(&self) -> Vec<CurrentAttempt> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, attempt: CurrentAttempt) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(attempt);
        self.arrived.notify_one();
    }
}

/// What an attempt has to report. Empty, and without an allocation, if there is nothing.
#[derive(Debug, Default)]
struct News {
    progress: Option<Progress>,
    log: Option<Box<LogBuffer>>,
    is_waiting: bool,
    is_closed: bool,
}

impl CurrentAttempt {
    pub(crate) fn new(held: OwnedLease, grace: Duration, origin: Arc<AttemptOrigin>) -> Self {
        let OwnedLease { lease, worker_id } = held;
        let state = AttemptState {
            lease,
            worker_id,
            began_at: OnceLock::new(),
            has_completion: AtomicBool::new(false),
            grace: grace.min(SPAN_MAX),
            origin,
            stop: StopSignal::default(),
            news: Mutex::new(News::default()),
            checkpoints: AttemptCheckpoints::default(),
            documents: AttemptDocuments::default(),
            trace: OnceLock::new(),
        };
        Self { state: Arc::new(state) }
    }

    /// The claimed job.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// let waited_since = attempt.lease().ready_at;
    /// # Ok(())
    /// # }
    /// ```
    pub fn lease(&self) -> &Lease {
        &self.state.lease
    }

    /// The job id.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// let idempotency_key = format!("job-{}", attempt.id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn id(&self) -> JobId {
        self.state.lease.id
    }

    /// The number of this attempt; the first is 1.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// let is_last = attempt.attempt() > attempt.max_retries();
    /// # Ok(())
    /// # }
    /// ```
    pub fn attempt(&self) -> u32 {
        self.state.lease.attempt()
    }

    /// How long the handler has run. `None` before it starts.
    ///
    /// ```
    /// # use longshore::CurrentAttempt;
    /// # use std::time::Duration;
    /// # fn example(attempt: &CurrentAttempt) {
    /// let is_slow = attempt.ran() > Some(Duration::from_secs(60));
    /// # }
    /// ```
    pub fn ran(&self) -> Option<Duration> {
        let began_at = self.state.began_at.get()?;
        Some(self.state.origin.clock.monotonic().saturating_sub(*began_at))
    }

    /// The number of retries allowed after the first attempt.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// let is_last = attempt.attempt() > attempt.max_retries();
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_retries(&self) -> u32 {
        self.state.lease.budgets.max_retries.unwrap_or(RetryPolicy::RETRIES)
    }

    /// The name of the job's queue.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// attempt.log(&format!("from queue {}\n", attempt.queue_name()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn queue_name(&self) -> &str {
        &self.state.lease.queue
    }

    /// The job's type.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// attempt.log(&format!("a {} job\n", attempt.job_type()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn job_type(&self) -> &str {
        &self.state.lease.job_type
    }

    /// The payload.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// let value: u64 = attempt.payload().decode()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn payload(&self) -> &JobData {
        &self.state.lease.job_data
    }

    /// Data that the application keeps beside the payload.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// let tenant: Option<String> = attempt.metadata().map(|metadata| metadata.decode()).transpose()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn metadata(&self) -> Option<&JobData> {
        self.state.lease.metadata.as_ref()
    }

    /// The schedule that made this job, if one did.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// if let (Some(schedule), Some(due_at)) = (attempt.schedule(), attempt.due_at()) {
    ///     attempt.log(&format!("{schedule} was due at {due_at}\n"));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn schedule(&self) -> Option<String> {
        self.metadata().and_then(JobOrigin::of).map(|origin| origin.schedule)
    }

    /// When the schedule of this job was due, if a schedule made it: the time that the job stands for, however late it
    /// runs.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// let due_at = attempt.due_at().ok_or("this job needs the time of a schedule")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn due_at(&self) -> Option<Timestamp> {
        self.metadata().and_then(JobOrigin::of).map(|origin| origin.due_at)
    }

    /// The W3C trace context of this attempt, for what it calls: that of its own span with the feature `opentelemetry`
    /// and a layer that exports spans, and else that of the enqueue, a valid `traceparent` in the job's metadata.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// if let Some(traceparent) = attempt.traceparent() {
    ///     attempt.log(&format!("trace {traceparent}\n"));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn traceparent(&self) -> Option<String> {
        self.state.trace.get().cloned().or_else(|| self.metadata().and_then(longshore_core::traceparent))
    }

    pub(crate) fn note_trace(&self, traceparent: String) {
        // It has one span.
        let _ = self.state.trace.set(traceparent);
    }

    /// The queue that the job came from, to enqueue more jobs.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError, Job};
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Receipt { order: u64 }
    /// # async fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// attempt.queue().enqueue(&Receipt { order: 7 }).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn queue(&self) -> &Queue {
        &self.state.origin.queue
    }

    /// How long the attempt may continue after its stop signal.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// let time_to_clean_up = attempt.grace();
    /// # Ok(())
    /// # }
    /// ```
    pub fn grace(&self) -> Duration {
        self.state.grace
    }

    /// Why the attempt must stop, if it must. After this returned a cause, an error of the handler means that it has
    /// stopped.
    ///
    /// ```
    /// # use longshore::handler::StopCause;
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// if attempt.stop_requested() == Some(StopCause::ShuttingDown) {
    ///     return Err("stopped between two files".into());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop_requested(&self) -> Option<StopCause> {
        self.state.stop.see()
    }

    /// Returns an error when the attempt must stop, so that `?` ends the handler.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// for part in 0..100 {
    ///     attempt.check()?;
    ///     // Work on one part.
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn check(&self) -> Result<(), Stopped> {
        self.stop_requested().map_or(Ok(()), |cause| Err(Stopped { cause }))
    }

    /// Resolves when the attempt must stop. Cancellation safe.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # async fn work() {}
    /// # async fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// tokio::select! {
    ///     () = work() => {}
    ///     cause = attempt.stopped() => return Err(format!("stopped: {cause:?}").into()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn stopped(&self) -> StopCause {
        let cause = self.state.stop.stopped().await;
        self.state.stop.see();
        cause
    }

    /// Reports progress, from 0 to 1. It is stored within about a quarter of a second.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// attempt.progress(0.5, "half");
    /// attempt.progress(0.75, format!("{} of 4", 3));
    /// attempt.progress(1.0, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn progress(&self, fraction: f64, message: impl IntoProgressMessage) {
        let progress = Progress { fraction: fraction.clamp(0.0, 1.0), message: message.into_message() };
        self.tell(|news, _| news.progress = Some(progress));
    }

    /// Adds text to the attempt's log unchanged, including line ends. If the log is long, its middle is cut.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// attempt.log("connecting\n");
    /// # Ok(())
    /// # }
    /// ```
    pub fn log(&self, text: &str) {
        self.tell(|news, limits| {
            news.log.get_or_insert_with(|| Box::new(LogBuffer::new(limits))).push(text);
        });
    }

    pub(crate) fn stop_signal(&self) -> &StopSignal {
        &self.state.stop
    }

    /// How long the worker itself waits when it shuts down.
    pub(crate) fn workers_grace(&self) -> Duration {
        self.state.origin.grace.min(SPAN_MAX)
    }

    /// The worker's wall clock. Only what other sides read may depend on it.
    #[cfg(feature = "push")]
    pub(crate) fn wall_clock(&self) -> Timestamp {
        self.state.origin.clock.now()
    }

    /// The maximum size of a result.
    #[cfg_attr(not(any(unix, feature = "push", feature = "sqlite", feature = "postgres")), allow(dead_code))]
    pub(crate) fn limits(&self) -> Limits {
        self.state.origin.limits
    }

    pub(crate) fn threads(&self) -> &Arc<BlockingThreads> {
        &self.state.origin.threads
    }

    /// Whether the handler may still start. Err if the attempt was asked to stop or has ended.
    pub(crate) fn begin(&self) -> Result<(), Stopped> {
        self.check()?;
        if self.is_over() {
            return Err(Stopped { cause: StopCause::LeaseLost });
        }
        Ok(())
    }

    /// Whether it has ended, so that nothing more of it is stored.
    pub(crate) fn is_over(&self) -> bool {
        self.news().is_closed
    }

    /// What the attempt itself has stored so far.
    pub(crate) fn own_checkpoints(&self) -> &AttemptCheckpoints {
        &self.state.checkpoints
    }

    /// What a program has said or was given.
    pub(crate) fn own_documents(&self) -> &AttemptDocuments {
        &self.state.documents
    }

    /// Where checkpoints go that no worker stores.
    pub(crate) fn probed(&self) -> Option<&ProbedCheckpoints> {
        self.state.origin.probed.as_ref()
    }

    /// Records that the handler starts at this time of the worker's monotonic clock.
    pub(crate) fn note_start(&self, at: Duration) {
        // An attempt starts only once.
        let _ = self.state.began_at.set(at);
    }

    /// Whether the handler wrote the job's completion, in a transaction that may have been rolled back.
    pub(crate) fn has_completion(&self) -> bool {
        self.state.has_completion.load(Ordering::Acquire)
    }

    /// The worker that runs the attempt.
    pub(crate) fn worker_id(&self) -> &WorkerId {
        &self.state.worker_id
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }

    /// Log and progress since the last report. `None` once the attempt has ended.
    pub(crate) fn report(&self) -> Option<Report> {
        let mut news = self.news();
        news.is_waiting = false;
        if news.is_closed {
            return None;
        }
        let lease = &self.state.lease;
        Some(Report {
            id: lease.id,
            claim_number: lease.claim_number,
            attempt: lease.attempt(),
            progress: news.progress.take(),
            log: news.log.as_mut().map(|log| log.take()).unwrap_or_default(),
        })
    }

    /// Ends log and progress. Returns the rest of the log, which is stored with the outcome.
    pub(crate) fn close(&self) -> Vec<LogChunk> {
        let mut news = self.news();
        news.is_closed = true;
        news.log.take().map(|mut log| log.take()).unwrap_or_default()
    }

    /// The last progress that is not stored yet. Call it after [`Self::close`].
    pub(crate) fn last_report(&self) -> Option<Report> {
        let progress = self.news().progress.take()?;
        let lease = &self.state.lease;
        let (id, claim_number, attempt) = (lease.id, lease.claim_number, lease.attempt());
        Some(Report { id, claim_number, attempt, progress: Some(progress), log: Vec::new() })
    }

    fn tell(&self, add: impl FnOnce(&mut News, LogLimits)) {
        let mut news = self.news();
        if news.is_closed {
            return;
        }
        add(&mut news, self.state.origin.log_limits);
        let was_waiting = std::mem::replace(&mut news.is_waiting, true);
        drop(news);
        if !was_waiting {
            self.state.origin.pending_reports.add(self.clone());
        }
    }

    fn news(&self) -> std::sync::MutexGuard<'_, News> {
        self.state.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a completion in the handler's own transaction needs. Not every backend supports it.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl CurrentAttempt {
    /// Whether the attempt has not ended, so that its job may be completed.
    pub(crate) fn is_completable(&self) -> bool {
        !self.news().is_closed
    }

    /// Records that the handler wrote the job's completion in its own transaction.
    pub(crate) fn note_completion(&self) {
        self.state.has_completion.store(true, Ordering::Release);
    }
}
