use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use longshore_core::{ClaimNumber, Extended, Heartbeat, Held, JobId, Progress, Report, WorkerId};
use serde::Serialize;

use super::ending::RemoteEnd;
use super::time_limits::{AttemptLimit, GRACE};
use super::{RemoteAttempt, RemoteError, RemoteWorker, RemoteWorkers};

/// A job that a remote worker holds, with its news.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldAttempt {
    /// The job.
    pub id: JobId,
    /// Its claim number.
    pub claim_number: ClaimNumber,
    /// Its progress, if it has changed.
    pub progress: Option<Progress>,
    /// New text of its log, as it is.
    pub log: String,
}

/// What a remote worker learns from its heartbeat. Each list names jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RemoteExtended {
    /// It holds these no longer: stop them, and write nothing.
    pub lost: Vec<JobId>,
    /// Somebody asked for the end of these: stop them, and say how they ended.
    pub cancelled: Vec<JobId>,
    /// The time of these is over: stop them, and say how they ended. They are taken away 30 seconds later.
    pub timed_out: Vec<JobId>,
}

impl RemoteWorkers {
    /// Stores the news of what a worker holds, and extends its lease over all that it holds. It must name all of it.
    pub async fn heartbeat(&self, worker_id: &WorkerId, jobs: Vec<HeldAttempt>) -> Result<RemoteExtended, RemoteError> {
        let worker = self.worker(worker_id);
        let held: Vec<(JobId, ClaimNumber)> = jobs.iter().map(|job| (job.id, job.claim_number)).collect();
        // First, because nothing is stored for a worker that has gone.
        let extended = self.extend(worker_id, &held).await?;
        let is_held = |id: &JobId| !extended.lost.contains(id);
        self.report(&worker, worker_id, jobs.into_iter().filter(|job| is_held(&job.id)).collect()).await?;
        self.forget_others(&worker, &held).await;
        let mut answer =
            RemoteExtended { lost: extended.lost.clone(), cancelled: extended.cancel_requested, ..Default::default() };
        for (id, claim_number) in held.into_iter().filter(|(id, _)| is_held(id)) {
            let attempt = RemoteAttempt { worker_id: worker_id.clone(), id, claim_number };
            self.look_at_time(&worker, attempt, &mut answer).await?;
        }
        Ok(answer)
    }

    async fn extend(&self, worker_id: &WorkerId, held: &[(JobId, ClaimNumber)]) -> Result<Extended, RemoteError> {
        let number = self.next_heartbeat();
        let heartbeat = Heartbeat { worker_id: worker_id.clone(), number, held: Held::All(held.to_vec()) };
        Ok(self.backend().extend(heartbeat).await?)
    }

    async fn report(
        &self,
        worker: &RemoteWorker,
        worker_id: &WorkerId,
        jobs: Vec<HeldAttempt>,
    ) -> Result<(), RemoteError> {
        let news: Vec<HeldAttempt> =
            jobs.into_iter().filter(|job| job.progress.is_some() || !job.log.is_empty()).collect();
        if news.is_empty() {
            return Ok(());
        }
        let mut logs = worker.logs.lock().await;
        let mut reports = Vec::with_capacity(news.len());
        for HeldAttempt { id, claim_number, progress, log } in news {
            let Some(number) = self.attempt_number(worker_id, id, claim_number).await? else { continue };
            let of = RemoteAttempt { worker_id: worker_id.clone(), id, claim_number };
            let log = logs.add(self, &of, number, &log).await?;
            let progress = progress
                .map(|progress| Progress { fraction: progress.fraction.clamp(0.0, 1.0), message: progress.message });
            reports.push(Report { id, claim_number, attempt: number, progress, log });
        }
        // What was fenced off in between is told as lost by the next heartbeat.
        let reports: Arc<[Report]> = reports.into();
        self.backend().report(worker_id.clone(), reports).await?;
        Ok(())
    }

    /// The number of the attempt; none if the worker does not hold the job any more.
    async fn attempt_number(
        &self,
        worker_id: &WorkerId,
        id: JobId,
        claim_number: ClaimNumber,
    ) -> Result<Option<u32>, RemoteError> {
        let attempt = RemoteAttempt { worker_id: worker_id.clone(), id, claim_number };
        let detail = self.backend().job(id).await?.filter(|detail| attempt.is_running(&detail.job));
        Ok(detail.map(|detail| detail.job.retry_count.saturating_add(1)))
    }

    async fn forget_others(&self, worker: &RemoteWorker, held: &[(JobId, ClaimNumber)]) {
        let held: HashSet<&(JobId, ClaimNumber)> = held.iter().collect();
        worker.logs.lock().await.keep_only(|claim| held.contains(claim));
        let mut limits = worker.time_limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.keep_only(|claim| held.contains(claim));
    }

    /// Says when the time of an attempt is over, and ends one that goes on regardless.
    async fn look_at_time(
        &self,
        worker: &RemoteWorker,
        attempt: RemoteAttempt,
        answer: &mut RemoteExtended,
    ) -> Result<(), RemoteError> {
        let id = attempt.id;
        let Some(limit) = self.limit_of(worker, &attempt).await? else { return Ok(()) };
        let now = self.now();
        if now < limit.ends_at {
            return Ok(());
        }
        if now < limit.ends_at.after(GRACE) {
            answer.timed_out.push(id);
            return Ok(());
        }
        match self.end(attempt, RemoteEnd::Overran, "").await {
            Ok(_)
            | Err(RemoteError::LeaseLost(_) | RemoteError::EndedOtherwise { .. } | RemoteError::NoSuchJob { .. }) => {
                answer.cancelled.retain(|cancelled| *cancelled != id);
                answer.lost.push(id);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn limit_of(
        &self,
        worker: &RemoteWorker,
        attempt: &RemoteAttempt,
    ) -> Result<Option<AttemptLimit>, RemoteError> {
        let claim = (attempt.id, attempt.claim_number);
        let limits = || worker.time_limits.lock().unwrap_or_else(PoisonError::into_inner);
        let known = limits().of(claim);
        if let Some(limit) = known {
            return Ok(limit);
        }
        let Some(detail) = self.backend().job(attempt.id).await? else { return Ok(None) };
        let timeout = (self.shared.policy_of)(&detail.job.job_type).and_then(|policy| policy.timeout);
        let limit = AttemptLimit::of_job(&detail.job, timeout).filter(|_| attempt.is_running(&detail.job));
        limits().set(claim, limit);
        Ok(limit)
    }
}
