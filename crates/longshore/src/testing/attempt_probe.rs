use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longshore_core::{
    Budgets, ClaimNumber, JobData, JobId, Lease, Limits, LogLimits, NewJob, Priority, Progress, SystemClock,
    TimeBounds, Timestamp, WorkerId,
};

use crate::handler::checkpoint::ProbedCheckpoints;
use crate::handler::current_attempt::{AttemptOrigin, OwnedLease, PendingReports};
use crate::runtime::blocking_threads::BlockingThreads;
use crate::{CurrentAttempt, Queue, StopCause};

/// An attempt without a worker: pass it to a handler, ask it to stop, and read its log, its progress, its checkpoint and
/// its steps.
#[derive(Debug)]
pub struct AttemptProbe {
    attempt: CurrentAttempt,
    heard: Mutex<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    log: String,
    progress: Vec<Progress>,
}

impl AttemptProbe {
    /// The first attempt of a job, with a grace period of five seconds. The handler enqueues to `queue`.
    pub fn new(job: NewJob, queue: Queue) -> Self {
        Self::with_grace(lease_of(job), Duration::from_secs(5), queue)
    }

    /// An attempt with this lease and grace period.
    pub fn with_grace(lease: Lease, grace: Duration, queue: Queue) -> Self {
        Self::with_checkpoints(lease, grace, queue, ProbedCheckpoints::default())
    }

    /// The next attempt of the job, as after a failure: it has the checkpoint and the steps that this one has stored.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use longshore::job::{JobData, NewJob};
    /// use longshore::{CurrentAttempt, HandlerError, testing};
    ///
    /// async fn sell(attempt: CurrentAttempt, mail_works: bool) -> Result<(), HandlerError> {
    ///     attempt.step("charge", || async { Ok("receipt".to_owned()) }).await?;
    ///     if mail_works { Ok(()) } else { Err("no route".into()) }
    /// }
    ///
    /// let (_, queue) = testing::EnqueueRecorder::queue();
    /// let first = testing::AttemptProbe::new(NewJob::new("sell", JobData::default()), queue);
    /// assert!(sell(first.attempt(), false).await.is_err());
    /// let second = first.next_attempt();
    /// assert_eq!(second.steps()["charge"].as_str(), "\"receipt\"");
    /// assert!(sell(second.attempt(), true).await.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn next_attempt(&self) -> Self {
        let (checkpoint, steps) = (self.checkpoint(), self.steps());
        let mut lease = self.attempt.lease().clone();
        lease.claim_number = ClaimNumber(lease.claim_number.0.saturating_add(1));
        lease.budgets.retry_count = lease.budgets.retry_count.saturating_add(1);
        lease.step_count = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        lease.checkpoint.clone_from(&checkpoint);
        let stored = ProbedCheckpoints::new(checkpoint, steps);
        Self::with_checkpoints(lease, self.attempt.grace(), self.attempt.queue().clone(), stored)
    }

    fn with_checkpoints(lease: Lease, grace: Duration, queue: Queue, stored: ProbedCheckpoints) -> Self {
        let origin = AttemptOrigin {
            queue,
            clock: Arc::new(SystemClock::new()),
            limits: Limits::default(),
            log_limits: LogLimits::default(),
            grace,
            threads: Arc::new(BlockingThreads::new(1)),
            pending_reports: PendingReports::default(),
            probed: Some(stored),
        };
        // No worker is registered with this identity, so the store accepts no write of the attempt.
        let held = OwnedLease { lease, worker_id: WorkerId::random() };
        Self { attempt: CurrentAttempt::new(held, grace, Arc::new(origin)), heard: Mutex::default() }
    }

    /// The attempt to pass to the handler.
    pub fn attempt(&self) -> CurrentAttempt {
        self.attempt.clone()
    }

    /// Asks the attempt to stop.
    pub fn stop(&self, cause: StopCause) {
        self.attempt.stop_signal().stop(cause);
    }

    /// The log so far. If it is long, its middle is cut.
    pub fn log(&self) -> String {
        self.listen().log.clone()
    }

    /// The progress values seen by earlier calls and this one, oldest first.
    pub fn progress(&self) -> Vec<Progress> {
        self.listen().progress.clone()
    }

    /// The last checkpoint, of this attempt or of one before.
    pub fn checkpoint(&self) -> Option<JobData> {
        let stored = self.attempt.probed().and_then(ProbedCheckpoints::last);
        stored.or_else(|| self.attempt.lease().checkpoint.clone())
    }

    /// The stored results of steps, by name.
    pub fn steps(&self) -> BTreeMap<String, JobData> {
        self.attempt.probed().map(|stored| stored.steps().clone()).unwrap_or_default()
    }

    fn listen(&self) -> std::sync::MutexGuard<'_, Heard> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(report) = self.attempt.report() {
            heard.log.extend(report.log.into_iter().map(|chunk| chunk.text));
            heard.progress.extend(report.progress);
        }
        heard
    }
}

/// The lease that a worker would get for a job that was just enqueued.
fn lease_of(job: NewJob) -> Lease {
    Lease {
        id: JobId(1),
        claim_number: ClaimNumber(1),
        job_type: job.job_type,
        job_data: job.job_data,
        queue: job.queue,
        priority: Priority::default(),
        budgets: Budgets {
            retry_count: 0,
            max_retries: job.max_retries,
            crash_count: 0,
            max_crashes: job.max_crashes,
            deferral_count: 0,
            max_deferrals: job.max_deferrals,
            time: TimeBounds::from_now(Timestamp::from_ms(0), job.expires_in, job.deadline_in),
        },
        timeout: job.timeout,
        ready_at: Timestamp::from_ms(0),
        metadata: job.metadata,
        checkpoint: None,
        step_count: 0,
        has_dependencies: false,
    }
}
