use std::sync::Arc;
use std::time::Duration;

use longshore_core::{
    Attempt, AttemptEnd, AttemptOutcome, Budgets, ClaimNumber, Failure, FailureType, Job, JobData, JobDetail, JobId,
    Record, Recorded, Status, TimeBounds, decide,
};
use serde::Serialize;

use super::time_limits::AttemptLimit;
use super::{RemoteAttempt, RemoteError, RemoteWorkers};
use crate::worker::attempt::attempt_end::{Circumstances, Ran, attempt_end};
use crate::worker::upkeep::recorder::given_up;
use crate::{Done, HandlerError, StopCause};

/// How an attempt of a remote worker ended.
#[derive(Clone, Debug, PartialEq)]
pub enum RemoteEnd {
    /// It succeeded.
    Completed {
        /// The result, kept with the job.
        result: Option<JobData>,
    },
    /// It failed.
    Failed {
        /// Why.
        failure: Failure,
        /// When the job is retried, instead of the delay of its policy.
        retry_after: Option<Duration>,
    },
    /// The other side asked to slow down: the job runs again later, the attempt is not counted, and no other job of its type
    /// or key starts for so long.
    RateLimited {
        /// How long.
        delay: Duration,
    },
    /// The job runs again later; the attempt is not counted.
    Snoozed {
        /// How much later.
        delay: Duration,
    },
    /// The worker gives the job back; nothing is counted.
    Returned,
    /// It did not stop when its time was over.
    Overran,
}

/// The end of an attempt. The same request, repeated, gets the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RemoteEnded {
    /// The job.
    pub id: JobId,
    /// The claim number of the attempt.
    pub claim_number: ClaimNumber,
    /// What became of it.
    pub outcome: AttemptOutcome,
}

impl RemoteAttempt {
    /// Whether a job runs under this claim.
    pub(super) fn is_running(&self, job: &Job) -> bool {
        job.status == Status::Running
            && job.worker_id.as_ref() == Some(&self.worker_id)
            && job.claim_number == self.claim_number
    }

    /// Whether a row of the history is this attempt.
    fn is(&self, attempt: &Attempt) -> bool {
        attempt.claim_number == self.claim_number && attempt.worker_id.as_ref() == Some(&self.worker_id)
    }

    const fn ended(&self, outcome: AttemptOutcome) -> RemoteEnded {
        RemoteEnded { id: self.id, claim_number: self.claim_number, outcome }
    }
}

impl RemoteEnd {
    fn into_ran(self) -> Ran {
        match self {
            Self::Completed { result } => Ran::Returned(Ok(Done::Completed { result })),
            Self::Snoozed { delay } => Ran::Returned(Ok(Done::Snoozed { delay })),
            Self::RateLimited { delay } => Ran::Returned(Err(HandlerError::rate_limited(delay))),
            Self::Failed { failure, retry_after } => {
                let error = HandlerError::from(failure);
                Ran::Returned(Err(match retry_after {
                    Some(delay) => error.with_retry_after(delay),
                    None => error,
                }))
            }
            Self::Returned => {
                let failure = Failure::new(FailureType::WorkerError, "its worker gave it back");
                Ran::Returned(Err(HandlerError::not_begun(failure)))
            }
            Self::Overran => Ran::Overran,
        }
    }

    /// Whether an attempt that has ended may have ended by an earlier request of this kind.
    const fn may_have_been(&self, outcome: AttemptOutcome) -> bool {
        use AttemptOutcome::{Cancelled, Completed, DeadLetter, Deferred, Retrying, Returned};
        match self {
            Self::Completed { .. } => matches!(outcome, Completed),
            Self::Failed { .. } | Self::Overran => matches!(outcome, Retrying | DeadLetter | Cancelled),
            Self::RateLimited { .. } | Self::Snoozed { .. } => matches!(outcome, Deferred | DeadLetter | Cancelled),
            Self::Returned => matches!(outcome, Returned | Cancelled),
        }
    }
}

impl RemoteWorkers {
    /// Ends an attempt: decides what becomes of its job as for an attempt of this process, and stores it under its fence
    /// with the last text of its log.
    ///
    /// After an error that may pass the same call may be repeated: if it was carried out before, it answers the same.
    pub async fn end(&self, attempt: RemoteAttempt, end: RemoteEnd, log: &str) -> Result<RemoteEnded, RemoteError> {
        let detail = self.detail_of(&attempt).await?;
        if !attempt.is_running(&detail.job) {
            return ended_before(attempt, &end, &detail);
        }
        let worker = self.worker(&attempt.worker_id);
        let mut record = self.record_of(&attempt, &detail.job, end.clone());
        {
            let mut logs = worker.logs.lock().await;
            record.log = logs.add(self, &attempt, record.attempt, log).await?;
        }
        let outcome = record.outcome.of_attempt();
        let written = self.write(&attempt, record.clone()).await;
        worker.forget(&attempt).await;
        match written? {
            Recorded::Recorded => {
                let measures = self.shared.queue.measures().of(&detail.job.queue, &detail.job.job_type);
                measures.ended(record.ran.unwrap_or_default(), &record.outcome);
                Ok(attempt.ended(outcome))
            }
            // Another request may have ended it in between.
            Recorded::Fenced => ended_before(attempt.clone(), &end, &self.detail_of(&attempt).await?),
            Recorded::Unanswered { reason } => Err(RemoteError::Unanswered { id: attempt.id, reason }),
            Recorded::Refused { reason } => self.give_up(attempt, &record, reason).await,
        }
    }

    /// The job with its attempts.
    pub(super) async fn detail_of(&self, attempt: &RemoteAttempt) -> Result<JobDetail, RemoteError> {
        self.backend().job(attempt.id).await?.ok_or(RemoteError::NoSuchJob { id: attempt.id })
    }

    /// The database accepts no such outcome, and would not accept it from another attempt.
    async fn give_up(
        &self,
        attempt: RemoteAttempt,
        record: &Record,
        reason: Arc<str>,
    ) -> Result<RemoteEnded, RemoteError> {
        let record = given_up(record, &reason);
        let outcome = record.outcome.of_attempt();
        match self.write(&attempt, record).await? {
            Recorded::Recorded => Ok(attempt.ended(outcome)),
            Recorded::Fenced => Err(RemoteError::LeaseLost(attempt)),
            Recorded::Unanswered { reason } => Err(RemoteError::Unanswered { id: attempt.id, reason }),
            Recorded::Refused { reason } => Err(RemoteError::Refused { id: attempt.id, reason }),
        }
    }

    async fn write(&self, attempt: &RemoteAttempt, record: Record) -> Result<Recorded, RemoteError> {
        let recorded = self.backend().record(attempt.worker_id.clone(), [record].into()).await?;
        Ok(recorded.into_iter().next().unwrap_or(Recorded::Fenced))
    }

    fn record_of(&self, attempt: &RemoteAttempt, job: &Job, end: RemoteEnd) -> Record {
        let policy = (self.shared.policy_of)(&job.job_type).unwrap_or_default();
        let now = self.now();
        let limit = AttemptLimit::of_job(job, policy.timeout);
        let is_over = limit.is_some_and(|limit| limit.ends_at <= now);
        let cause = match (job.cancel_requested_at, is_over) {
            (Some(_), _) => Some(StopCause::Cancelled),
            (None, true) => Some(StopCause::TimedOut),
            (None, false) => None,
        };
        let circumstances = Circumstances {
            cause,
            // Its heartbeats say so.
            has_seen_stop: true,
            limit: limit.map(|limit| limit.limit),
            limits: self.backend().limits(),
        };
        let ran = end.into_ran();
        let slow_down = ran.slow_down();
        let end: AttemptEnd = attempt_end(ran, &circumstances);
        Record {
            id: attempt.id,
            claim_number: attempt.claim_number,
            outcome: decide(&budgets(job), end, &policy.retry, now, fastrand::f64()),
            attempt: job.retry_count.saturating_add(1),
            ran: Some(job.started_at.map_or(Duration::ZERO, |began_at| now.since(began_at))),
            ended_ago: Duration::ZERO,
            log: Vec::new(),
            slow_down,
        }
    }
}

fn budgets(job: &Job) -> Budgets {
    Budgets {
        retry_count: job.retry_count,
        max_retries: Some(job.max_retries),
        crash_count: job.crash_count,
        max_crashes: job.max_crashes,
        deferral_count: job.deferral_count,
        max_deferrals: job.max_deferrals,
        time: TimeBounds { expires_at: job.expires_at, deadline_at: job.deadline_at },
    }
}

/// The answer of a request that was carried out before, as the history of the job tells it.
fn ended_before(attempt: RemoteAttempt, end: &RemoteEnd, detail: &JobDetail) -> Result<RemoteEnded, RemoteError> {
    let found = detail.attempts.iter().find(|of_job| attempt.is(of_job)).map(|of_job| of_job.outcome);
    match found {
        Some(outcome) if end.may_have_been(outcome) => Ok(attempt.ended(outcome)),
        None | Some(AttemptOutcome::Returned | AttemptOutcome::Crashed | AttemptOutcome::Running) => {
            Err(RemoteError::LeaseLost(attempt))
        }
        Some(outcome) => Err(RemoteError::EndedOtherwise { attempt, outcome }),
    }
}
