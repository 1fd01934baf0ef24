use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use longshore_core::{
    ClaimNumber, ClaimRequest, Clock, Interest, InvalidJob, JobId, QueueLimit, QueueScope, RequestId, StoreError,
    WorkerId,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::claimed_job::{ClaimedJob, RESULT_BYTES_MAX};
use super::handover::{Handover, Turn};
use super::time_limits::AttemptLimit;
use super::{RemoteError, RemoteWorker, RemoteWorkers};
use crate::worker::claiming::claims::{DUE_MIN, POLL};
use crate::workflow::dependencies_of;

/// A claim of a remote worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteClaim {
    /// The worker.
    pub worker_id: WorkerId,
    /// The job types that it can run.
    pub job_types: Vec<String>,
    /// The queues to claim from; empty for all.
    pub queues: Vec<String>,
    /// The maximum number of jobs.
    pub limit: u32,
    /// How long to wait for a job if there is none.
    pub wait: Duration,
    /// All that the worker holds and knows of. What it holds beyond that is given again, before anything new: so a claim
    /// whose answer was lost is simply repeated.
    pub holds: Vec<(JobId, ClaimNumber)>,
}

/// What a round of a claim came to.
enum Round {
    Got(Handover),
    /// There was nothing; when a job becomes due.
    Nothing(Option<Duration>),
    /// A suspect waits until the worker holds nothing.
    Waits,
}

impl RemoteWorkers {
    /// Claims jobs, and waits for one if there is none, until `closing` resolves or the same worker sends another claim.
    ///
    /// A worker makes one claim at a time. If the future is dropped, because the client has hung up, what it would have
    /// answered is given back.
    pub async fn claim(
        &self,
        request: RemoteClaim,
        closing: impl Future<Output = ()>,
    ) -> Result<Vec<ClaimedJob>, RemoteError> {
        request.job_types.iter().try_for_each(|name| InvalidJob::check_type(name))?;
        request.queues.iter().try_for_each(|name| InvalidJob::check_queue(name))?;
        let worker = self.worker(&request.worker_id);
        let mut claims = worker.last_claim.subscribe();
        worker.last_claim.send_modify(|last| *last += 1);
        let own = *claims.borrow_and_update();
        let claimed = async {
            let turn = Arc::new(Arc::clone(&worker.claiming).lock_owned().await);
            self.wait_for_jobs(&worker, &request, turn).await
        };
        tokio::select! {
            biased;
            claimed = claimed => claimed,
            _ = claims.wait_for(|last| *last != own) => Ok(Vec::new()),
            () = closing => Ok(Vec::new()),
        }
    }

    async fn wait_for_jobs(
        &self,
        worker: &RemoteWorker,
        request: &RemoteClaim,
        turn: Turn,
    ) -> Result<Vec<ClaimedJob>, RemoteError> {
        let deadline = Instant::now() + request.wait;
        let job_types: Arc<[String]> = request.job_types.iter().cloned().collect();
        let scope = scope(request);
        // Before the first claim, so that no hint is missed.
        let interest = Interest::Jobs { job_types: Arc::clone(&job_types), scope: scope.clone() };
        let mut wakeups = self.backend().wakeups(interest);
        let known = self.give_again(worker, request, &turn).await?;
        if !known.is_empty() {
            return Ok(known);
        }
        let mut extended_at = Instant::now();
        loop {
            // A claim that waits is a sign of life: a worker with one thread sends no heartbeat meanwhile.
            if extended_at.elapsed() >= worker.heartbeat_interval() {
                self.extend(&request.worker_id, &request.holds).await?;
                extended_at = Instant::now();
            }
            let round = match worker.is_closed(request) {
                true => Round::Waits,
                false => self.round(worker, &turn, request, &job_types, &scope).await?,
            };
            let (pause, is_deaf) = match round {
                Round::Got(handover) => {
                    let jobs = self.hand_over(worker, handover).await?;
                    self.count(&jobs);
                    return Ok(jobs);
                }
                Round::Nothing(due) => (due.unwrap_or(POLL).clamp(DUE_MIN, POLL), false),
                // What was given back wakes this claim, too, and would keep it going round.
                Round::Waits => (POLL, true),
            };
            let next = (Instant::now() + pause).min(deadline);
            tokio::select! {
                () = sleep_until(next) => {}
                _ = wakeups.changed(), if !is_deaf => {}
            }
            if Instant::now() >= deadline {
                return Ok(Vec::new());
            }
        }
    }

    /// Counts attempts that begin. What is given again was counted before.
    fn count(&self, jobs: &[ClaimedJob]) {
        let now = self.now();
        for ClaimedJob { lease, .. } in jobs {
            self.shared.queue.measures().of(&lease.queue, &lease.job_type).began(now.since(lease.ready_at));
        }
    }

    /// What the worker holds and does not know of.
    async fn give_again(
        &self,
        worker: &RemoteWorker,
        request: &RemoteClaim,
        turn: &Turn,
    ) -> Result<Vec<ClaimedJob>, RemoteError> {
        let mut leases = self.backend().held_leases(request.worker_id.clone(), request.holds.clone()).await?;
        leases.truncate(request.limit as usize);
        self.hand_over(worker, Handover::new(self.clone(), request.worker_id.clone(), Arc::clone(turn), leases)).await
    }

    async fn round(
        &self,
        worker: &RemoteWorker,
        turn: &Turn,
        request: &RemoteClaim,
        job_types: &Arc<[String]>,
        scope: &QueueScope,
    ) -> Result<Round, RemoteError> {
        let claim = ClaimRequest {
            // The lists of what is held do what ids of requests do elsewhere, so no claim is repeated with its id.
            request_id: RequestId(fastrand::u64(1..=i64::MAX.unsigned_abs())),
            worker_id: request.worker_id.clone(),
            job_types: Arc::clone(job_types),
            scope: scope.clone(),
            limit: request.limit,
            limited_max: request.limit,
        };
        let (mut handover, next_due) = self.claim_once(claim, Arc::clone(turn)).await?;
        if self.isolate(worker, request, &mut handover).await? {
            return Ok(Round::Waits);
        }
        if handover.leases().is_empty() {
            return Ok(Round::Nothing(next_due));
        }
        Ok(Round::Got(handover))
    }

    /// One claim, in a task of its own: if nobody waits for its answer any more, its leases must be given back.
    async fn claim_once(&self, claim: ClaimRequest, turn: Turn) -> Result<(Handover, Option<Duration>), RemoteError> {
        let (answer, answered) = oneshot::channel();
        let own = self.clone();
        tokio::spawn(async move {
            let worker_id = claim.worker_id.clone();
            let claimed = own.backend().claim(claim).await.map(|claimed| {
                own.shared.store_time.hear(claimed.now, own.shared.clock.monotonic());
                (Handover::new(own.clone(), worker_id, turn, claimed.leases), claimed.next_due)
            });
            // Dropped where nobody waits.
            drop(answer.send(claimed));
        });
        match answered.await {
            Ok(claimed) => Ok(claimed?),
            Err(_) => Err(StoreError::Panicked {
                database: "the queue".into(),
                doing: "claiming jobs",
                message: "the claim ended without an answer".to_owned(),
            }
            .into()),
        }
    }

    async fn hand_over(&self, worker: &RemoteWorker, handover: Handover) -> Result<Vec<ClaimedJob>, RemoteError> {
        let mut jobs = Vec::with_capacity(handover.leases().len());
        for lease in handover.leases() {
            let dependencies = dependencies_of(&self.shared.queue, lease, RESULT_BYTES_MAX).await?;
            jobs.push(ClaimedJob { lease: lease.clone(), dependencies });
        }
        let now = self.now();
        let mut limits = worker.time_limits.lock().unwrap_or_else(PoisonError::into_inner);
        for ClaimedJob { lease, .. } in &jobs {
            let timeout = (self.shared.policy_of)(&lease.job_type).and_then(|policy| policy.timeout);
            limits.set((lease.id, lease.claim_number), AttemptLimit::of_lease(lease, timeout, now));
        }
        drop(limits);
        handover.keep();
        Ok(jobs)
    }
}

fn scope(request: &RemoteClaim) -> QueueScope {
    if request.queues.is_empty() {
        return QueueScope::All;
    }
    let named: BTreeSet<&String> = request.queues.iter().collect();
    QueueScope::Only(named.into_iter().map(|queue| QueueLimit { queue: queue.clone(), limit: request.limit }).collect())
}
