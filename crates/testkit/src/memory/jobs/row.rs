use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use longshore_core::{
    Attempt, AttemptOutcome, Budgets, ClaimNumber, Due, Failure, Job, JobCheckpoints, JobDetail, JobId, Lease,
    LogEntry, NewJob, RetryPolicy, SavedCheckpoint, Status, TimeBounds, Timestamp, WorkerId,
};

/// A job with its history.
#[derive(Clone, Debug)]
pub(in crate::memory) struct Row {
    pub(in crate::memory) job: Job,
    /// The start time that a claim has not yet seen pass. `None` once the job was promoted, or if it never had to wait.
    pub(in crate::memory) due: Option<Timestamp>,
    /// Since when it waits only for its parent and a claim.
    pub(in crate::memory) ready_at: Timestamp,
    /// Whether its unique key went to another job, which waits behind it, while it ran.
    pub(in crate::memory) has_passed_key: bool,
    /// The claim under which it started alone, while it was a suspect.
    pub(in crate::memory) isolated_claim: Option<ClaimNumber>,
    /// The ended attempts that did not simply succeed.
    pub(in crate::memory) attempts: BTreeMap<ClaimNumber, Attempt>,
    pub(in crate::memory) log: BTreeMap<(ClaimNumber, u32), LogEntry>,
    /// The checkpoint and the results of steps, by name.
    pub(in crate::memory) checkpoints: BTreeMap<String, SavedCheckpoint>,
    /// When it last became a job that somebody could claim who could not before, by [`moments`]. For the hints alone.
    pub(in crate::memory) news_at: u64,
    /// The worker that lost it because it did not extend its lease, until the next claim.
    pub(in crate::memory) lapsed: Option<WorkerId>,
    /// The retries that the job itself allows. `None` means as many as its type does.
    pub(in crate::memory) own_retries: Option<u32>,
    /// What plain SQL left to the settings of its type, which was not known then.
    pub(in crate::memory) awaits_settings: Option<LeftOut>,
}

/// What the settings of a type still have to fill in, beside the retries and the timeout.
#[derive(Clone, Copy, Debug)]
pub(in crate::memory) struct LeftOut {
    pub(in crate::memory) queue: bool,
    pub(in crate::memory) priority: bool,
}

/// How often anything of any store has become news so far.
pub(in crate::memory) fn moments() -> u64 {
    MOMENTS.load(Ordering::Relaxed)
}

static MOMENTS: AtomicU64 = AtomicU64::new(0);

impl Row {
    /// A waiting job. Its family decides whether its parent blocks it.
    pub(in crate::memory) fn new(id: JobId, new: NewJob, now: Timestamp) -> Self {
        let due = later_than(now, new.due);
        let own_retries = new.max_retries;
        let bounds = TimeBounds::from_now(now, new.expires_in, new.deadline_in);
        let job = Job {
            id,
            job_type: new.job_type,
            job_data: new.job_data,
            status: Status::Pending,
            priority: new.priority,
            created_at: now,
            started_at: None,
            completed_at: None,
            log_file_path: None,
            error_message: None,
            retry_count: 0,
            max_retries: own_retries.unwrap_or(RetryPolicy::RETRIES),
            worker_id: None,
            timeout: new.timeout,
            parent_job_id: new.parent,
            failure_type: None,
            next_retry_at: None,
            last_error_traceback: None,
            dead_letter_reason: None,
            dead_letter_code: None,
            moved_to_dead_letter_at: None,
            queue: new.queue,
            run_at: due.unwrap_or(now),
            claim_number: ClaimNumber(0),
            crash_count: 0,
            max_crashes: new.max_crashes,
            deferral_count: 0,
            max_deferrals: new.max_deferrals,
            unique_key: new.unique_key,
            limit_key: new.limit_key,
            cancel_requested_at: None,
            progress: None,
            progress_message: None,
            result: None,
            metadata: new.metadata,
            expires_at: bounds.expires_at,
            deadline_at: bounds.deadline_at,
        };
        Self { due, ready_at: now, own_retries, ..Self::holding(job) }
    }

    /// This job, without a past.
    pub(in crate::memory) fn holding(job: Job) -> Self {
        Self {
            ready_at: job.created_at,
            job,
            due: None,
            has_passed_key: false,
            isolated_claim: None,
            attempts: BTreeMap::new(),
            log: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            news_at: MOMENTS.fetch_add(1, Ordering::Relaxed),
            lapsed: None,
            own_retries: None,
            awaits_settings: None,
        }
    }

    /// Gives a waiting job the content of a new one with its unique key, except the time.
    pub(in crate::memory) fn replace(&mut self, new: NewJob, now: Timestamp) {
        // Every field is listed, so that a new field cannot be forgotten.
        let NewJob {
            job_type,
            job_data,
            queue: _,
            priority,
            due: _,
            max_retries,
            max_crashes,
            max_deferrals,
            timeout,
            expires_in,
            deadline_in,
            unique_key: _,
            on_duplicate: _,
            unique_while: _,
            limit_key,
            parent: _,
            metadata,
        } = new;
        let job = &mut self.job;
        (job.job_type, job.job_data, job.metadata) = (job_type, job_data, metadata);
        (job.priority, job.timeout) = (priority, timeout);
        job.limit_key = limit_key;
        self.own_retries = max_retries;
        self.checkpoints.clear();
        (job.max_crashes, job.max_deferrals) = (max_crashes, max_deferrals);
        let bounds = TimeBounds::from_now(now, expires_in, deadline_in);
        (job.expires_at, job.deadline_at) = (bounds.expires_at, bounds.deadline_at);
        self.become_news();
    }

    /// Another worker than before may claim it, now or when it comes due.
    pub(in crate::memory) fn become_news(&mut self) {
        self.news_at = MOMENTS.fetch_add(1, Ordering::Relaxed);
    }

    /// Changes the time of a waiting job.
    pub(in crate::memory) fn move_due(&mut self, due: Due, now: Timestamp) {
        self.due = later_than(now, due);
        self.job.run_at = self.due.unwrap_or(now);
        if self.due.is_none() {
            self.ready_at = now;
        }
        if self.job.status == Status::Retrying {
            self.job.next_retry_at = self.due;
            self.job.status = if self.due.is_some() { Status::Retrying } else { Status::Pending };
        }
    }

    /// Whether a claim may take it, apart from its type, queue and worker.
    pub(in crate::memory) fn is_ready(&self) -> bool {
        self.job.status == Status::Pending && self.due.is_none()
    }

    pub(in crate::memory) fn is_held_by(&self, worker_id: &WorkerId) -> bool {
        self.job.status == Status::Running && self.job.worker_id.as_ref() == Some(worker_id)
    }

    /// Whether it waits and no attempt may start any more.
    pub(in crate::memory) fn is_overdue(&self, now: Timestamp) -> bool {
        matches!(self.job.status, Status::Pending | Status::Retrying | Status::Blocked)
            && self.budgets().time.overdue_at(now).is_some()
    }

    /// Whether it becomes ready as time passes.
    pub(in crate::memory) fn waits_for_instant(&self) -> bool {
        matches!(self.job.status, Status::Pending | Status::Retrying) && self.due.is_some()
    }

    /// The fence of every write on a running job.
    pub(in crate::memory) fn is_attempt(&self, worker_id: &WorkerId, claim_number: ClaimNumber) -> bool {
        self.is_held_by(worker_id) && self.job.claim_number == claim_number
    }

    /// Whether this attempt, under this claim, has completed the job.
    pub(in crate::memory) fn is_completed_by(&self, worker_id: &WorkerId, claim_number: ClaimNumber) -> bool {
        let job = &self.job;
        job.status == Status::Completed && job.worker_id.as_ref() == Some(worker_id) && job.claim_number == claim_number
    }

    pub(in crate::memory) fn budgets(&self) -> Budgets {
        Budgets {
            retry_count: self.job.retry_count,
            max_retries: self.own_retries,
            crash_count: self.job.crash_count,
            max_crashes: self.job.max_crashes,
            deferral_count: self.job.deferral_count,
            max_deferrals: self.job.max_deferrals,
            time: TimeBounds { expires_at: self.job.expires_at, deadline_at: self.job.deadline_at },
        }
    }

    /// Makes it wait for a claim, from now or from a given time on.
    pub(in crate::memory) fn wait(&mut self, due: Option<Timestamp>, now: Timestamp) {
        self.job.status = Status::Pending;
        self.job.next_retry_at = None;
        self.job.run_at = due.unwrap_or(now);
        self.due = due;
        self.ready_at = now;
        self.become_news();
    }

    pub(in crate::memory) fn promote(&mut self) {
        self.job.status = Status::Pending;
        self.job.next_retry_at = None;
        self.due = None;
    }

    pub(in crate::memory) fn lease_to(
        &mut self,
        worker_id: &WorkerId,
        given: Option<ClaimNumber>,
        now: Timestamp,
    ) -> Lease {
        let lost_by_another = self.lapsed.take().is_some_and(|lost_by| lost_by != *worker_id);
        let job = &mut self.job;
        job.crash_count += u32::from(lost_by_another);
        job.status = Status::Running;
        job.worker_id = Some(worker_id.clone());
        let last = job.claim_number;
        job.claim_number = given.filter(|given| *given > last).unwrap_or(ClaimNumber(last.0 + 1));
        job.started_at = Some(now);
        job.progress = None;
        job.progress_message = None;
        self.lease()
    }

    /// The lease of its current attempt.
    pub(in crate::memory) fn lease(&self) -> Lease {
        let job = &self.job;
        Lease {
            id: job.id,
            claim_number: job.claim_number,
            job_type: job.job_type.clone(),
            job_data: job.job_data.clone(),
            queue: job.queue.clone(),
            priority: job.priority,
            timeout: job.timeout,
            ready_at: job.run_at,
            metadata: job.metadata.clone(),
            checkpoint: self.last_checkpoint(),
            step_count: self.step_count(),
            has_dependencies: job.parent_job_id.is_some(),
            budgets: self.budgets(),
        }
    }

    pub(in crate::memory) fn note_failure(&mut self, failure: &Failure) {
        self.job.failure_type = Some(failure.failure_type.as_str().to_owned());
        self.job.error_message = Some(failure.message.clone());
        self.job.last_error_traceback = failure.traceback.clone();
    }

    /// The job with its history. A running or successful attempt has no row; it is built from the job.
    pub(in crate::memory) fn detail(&self) -> JobDetail {
        let mut attempts: Vec<Attempt> = self.attempts.values().cloned().collect();
        attempts.extend(self.current_attempt());
        let checkpoints = JobCheckpoints::new(self.checkpoints.values().cloned());
        let place = longshore_core::WorkflowPlace::default();
        JobDetail { job: self.job.clone(), attempts, checkpoints, place, dependencies: Vec::new() }
    }

    pub(in crate::memory) fn current_attempt(&self) -> Option<Attempt> {
        let outcome = match self.job.status {
            Status::Running => AttemptOutcome::Running,
            Status::Completed => AttemptOutcome::Completed,
            _ => return None,
        };
        Some(Attempt {
            attempt: self.job.retry_count.saturating_add(1),
            claim_number: self.job.claim_number,
            worker_id: self.job.worker_id.clone(),
            started_at: self.job.started_at,
            finished_at: self.job.completed_at,
            outcome,
            failure_type: None,
            error_message: None,
            traceback: None,
        })
    }
}

/// The time that a job waits for; `None` if it has passed.
fn later_than(now: Timestamp, due: Due) -> Option<Timestamp> {
    let instant = match due {
        Due::Now => None,
        Due::After(delay) => Some(now.after(delay)),
        Due::At(instant) => Some(instant),
    };
    instant.filter(|instant| *instant > now)
}
