pub(crate) mod audit;
pub(crate) mod console;
pub(crate) mod error;
pub(crate) mod health;
pub(crate) mod heartbeat;
pub(crate) mod history;
pub(crate) mod job_stream;
pub(crate) mod page_cursor;
pub(crate) mod timed_jobs;
pub(crate) mod tokens;
pub(crate) mod wakeups;
pub(crate) mod worker_session;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::{
    AuditTrail, ClaimNumber, Console, EnqueueStream, Enqueued, Extended, Heartbeat, Interest, JobData, JobId, Lease,
    Limiting, Limits, LogChunk, NewCheckpoint, NewJob, Outcome, RequestId, Schedules, StepName, StoreError, Timestamp,
    Tokens, TypeSettings, ValidJob, ValidJobStream, Wakeups, WorkerId, WorkerSession, Workflows,
};
use job_stream::Checked;

/// The return type of a store's methods. It is boxed, so that a store can be chosen at run time.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What producers and workers need from a database.
///
/// After Ok, the effect is committed durably and survives `kill -9`. After Err, or if the process died before the
/// answer, it happened completely or not at all. If a future is dropped before its answer, the effect may or may not
/// happen. Every write on a running job is fenced by worker, id, claim number and status.
///
/// Only the store's clock rules: it reads the time, and whoever calls gives and gets durations. An instant that a
/// method takes is one that a user named, and one that it answers is the store's own.
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// The limits of a job.
    fn limits(&self) -> Limits;

    /// The most jobs that a worker should hold in addition to those that run, however fast they are: more would make
    /// others wait for its claims, or save nothing.
    fn prefetch_max(&self) -> u32 {
        1024
    }

    /// Enqueues all of the jobs or none, in order, and returns the result for each. The jobs were checked against
    /// [`Store::limits`].
    fn enqueue_valid(&self, jobs: Vec<ValidJob>) -> StoreFuture<'_, Vec<Enqueued>>;

    /// The same with unchecked jobs.
    fn enqueue(&self, jobs: Vec<NewJob>) -> StoreFuture<'_, Vec<Enqueued>> {
        let limits = self.limits();
        match jobs.into_iter().map(|job| job.check(&limits)).collect() {
            Ok(jobs) => self.enqueue_valid(jobs),
            Err(invalid) => Box::pin(async { Err(StoreError::InvalidJob(invalid)) }),
        }
    }

    /// Enqueues a stream of jobs in one transaction and bounded memory; says how many were made. Duplicates of
    /// a unique key are passed over. The stream is polled by this future, and no lock is held meanwhile, so it may be
    /// slow and may enqueue jobs itself. When the future is dropped before the stream has ended, nothing was enqueued.
    /// If several jobs are invalid, the error is that of the first one in the stream.
    fn enqueue_valid_stream(&self, jobs: ValidJobStream) -> StoreFuture<'_, u64>;

    /// The same with unchecked jobs.
    fn enqueue_stream(&self, jobs: EnqueueStream) -> StoreFuture<'_, u64> {
        self.enqueue_valid_stream(Box::pin(Checked { jobs, limits: self.limits() }))
    }

    /// Makes a worker known, and gives the evidence of its life that the backend uses. A worker that is registered
    /// again under its own identity keeps what it holds, and the new session takes the place of the earlier one; after
    /// an error the earlier one is as it was, or lost.
    ///
    /// From then on, jobs of its types that plain SQL inserts get the settings of the registration wherever they do not
    /// say otherwise. Those that were inserted before their type was known get them now, or soon by [`Store::reclaim`].
    fn register(&self, registration: Registration) -> StoreFuture<'_, Box<dyn WorkerSession>>;

    /// Returns every job that the worker still holds, without counting the attempts, and deletes its registration.
    fn retire(&self, worker_id: WorkerId) -> StoreFuture<'_, ()>;

    /// Promotes due jobs and claims runnable ones, by priority and then by id. Of what is under a limit it gives at most
    /// what is free (see [`Limiting`](crate::Limiting)); jobs of different keys of a type take turns. Ends the jobs that it meets whose expiry
    /// or deadline has passed, so that such a job never runs. If another worker lost a job because it did not extend
    /// its lease, this claim spends a crash of that job. The same worker gets it back without counting.
    ///
    /// After Err the same request, with the same id, may be repeated. If the first one was carried out, the answer has
    /// exactly those of its leases that the worker still holds. A worker sends a request with another id only after the
    /// last one was answered. Returns [`StoreError::WorkerGone`] if the worker is not registered (any more).
    fn claim(&self, request: ClaimRequest) -> StoreFuture<'_, Claimed>;

    /// What the worker holds beyond these claims, in the order in which it must run: jobs of which it does not know, because
    /// an answer was lost. At most [`HELD_LEASES_MAX`]. Only reads.
    ///
    /// Returns [`StoreError::WorkerGone`] if the worker is not registered (any more).
    fn held_leases(&self, worker_id: WorkerId, beyond: Vec<(JobId, ClaimNumber)>) -> StoreFuture<'_, Vec<Lease>>;

    /// Opens an inbox for leases that come without a claim. It replaces the worker's earlier inbox.
    ///
    /// If a claim of this worker gets less than it asked for, the last [`Inbox::offer`] becomes an offer. A job that is
    /// enqueued alone through this store, in this process, is then created with a lease for the worker, in the same
    /// commit. This requires that it may run at once, waits for no parent, and nothing else that the worker could run
    /// comes before it. The worker's next claim replaces the offer. A backend need not implement this.
    fn inbox(&self, _worker_id: &WorkerId) -> Box<dyn Inbox> {
        Box::new(NoInbox)
    }

    /// Notes, so that it survives the death of this process, that attempts begin: only these count as crashes when the
    /// worker dies, the merely claimed ones do not. Handlers begin after the answer. A note replaces the slot's last
    /// one, in the order of the call; for a worker that is not registered nothing need be noted. May be repeated.
    ///
    /// A worker makes one call at a time, for all attempts that have gathered meanwhile, so that a backend may make one
    /// commit of them. One that notes without waiting answers when it is first polled.
    fn mark_started(&self, worker_id: WorkerId, attempts: Arc<[StartedAttempt]>) -> StoreFuture<'_, ()>;

    /// Writes, fenced like an outcome, that the attempt of a suspect (see [`crate::Budgets::is_suspect`]) will start
    /// alone in its process. Call it before [`Store::mark_started`]: otherwise the attempt of a suspect counts as not
    /// started. It may be repeated.
    fn begin_isolated(&self, worker_id: WorkerId, id: JobId, claim_number: ClaimNumber) -> StoreFuture<'_, Recorded>;

    /// Extends the worker's lease over everything that it holds, and says what it has lost or must cancel: of all that
    /// it holds, not only of what it names (see [`HeldClaims`](crate::HeldClaims)). Succeeds as long as the worker is
    /// registered, however late it comes, and whatever it says that it holds.
    ///
    /// Returns [`StoreError::WorkerGone`] if it is not registered: other workers may have its jobs.
    fn extend(&self, heartbeat: Heartbeat) -> StoreFuture<'_, Extended>;

    /// The worker's running jobs whose cancellation was requested. Only reads, so it may be called after every wake-up.
    ///
    /// Returns [`StoreError::WorkerGone`] if the worker is not registered any more.
    fn cancel_requests(&self, worker_id: WorkerId) -> StoreFuture<'_, Vec<(JobId, ClaimNumber)>>;

    /// Writes what became of attempts; says for each, in order, whether it was recorded, fenced off or refused. One
    /// that the database refuses leaves nothing behind and keeps none of the others from being recorded. Children of
    /// jobs that ended move in the same transaction.
    ///
    /// [`Record::ended_ago`] counts from this call, so who calls again after an error measures it anew. The delay of a
    /// retry counts from the end of the attempt, however late that is recorded.
    fn record(&self, worker_id: WorkerId, records: Arc<[Record]>) -> StoreFuture<'_, Vec<Recorded>>;

    /// Writes progress and log of running attempts, fenced like outcomes and refused one by one like these. The log of
    /// an attempt that has completed its job under this very claim is kept as well; of its progress nothing is.
    fn report(&self, worker_id: WorkerId, reports: Arc<[Report]>) -> StoreFuture<'_, Vec<Recorded>>;

    /// Stores a checkpoint of a running attempt or the result of a step, fenced like an outcome. A checkpoint replaces the
    /// one before. A step that has a result keeps it, so that after an error the same call may be repeated. Later
    /// attempts get both, until the job is removed or retried with [`Action::RetryFromStart`](crate::Action).
    fn save_checkpoint(&self, worker_id: WorkerId, checkpoint: NewCheckpoint) -> StoreFuture<'_, Recorded>;

    /// The stored result of a step.
    fn step_result(&self, id: JobId, step: StepName) -> StoreFuture<'_, Option<JobData>>;

    /// Finds dead workers and returns their jobs. Counts a crash for each attempt that had started, with
    /// [`crate::Suspects::One`] if it was the only one. If it is unknown which had started, every attempt counts as
    /// started. A suspect is an exception: it counts only if [`Store::begin_isolated`] was called for it, and then only
    /// it counts.
    ///
    /// A worker of another store that has not extended its lease, though writing was possible (see
    /// [`LeaseWatch`](crate::LeaseWatch)), loses its jobs, too, and no crash is counted by that. A worker of this store
    /// never does: it is known to live. Neither is the loss of a session a death: then the lease alone counts. Ends,
    /// too, whatever waits beyond its expiry or its deadline. Bounded, so that one call may leave something to the
    /// next, and to other processes; one bad row never stops the others.
    ///
    /// The answer says when to look again. As long as every worker keeps to that, a death is found within a second, so
    /// a backend may let one of many look often and the others seldom.
    fn reclaim(&self) -> StoreFuture<'_, Reclaimed>;

    /// Tells when something of interest may have happened, in this process or another one. Only a hint: polling alone
    /// is enough. What is done through this store does not wake those whom it does not concern; where the store does
    /// not know what was done, as with a commit of another program, it wakes everybody with [`crate::Hint::Anything`].
    fn wakeups(&self, interest: Interest) -> Box<dyn Wakeups>;
}

/// How many leases [`Store::held_leases`] gives at most.
pub const HELD_LEASES_MAX: usize = 1000;

/// A database that holds jobs: the traits of a backend that everybody uses.
pub trait Backend: Store + Console + Schedules + Limiting + Workflows + Tokens + AuditTrail {}

impl<T: Store + Console + Schedules + Limiting + Workflows + Tokens + AuditTrail> Backend for T {}

/// Receives leases of jobs that were created with one. When it is dropped, the leases that were not taken are returned;
/// the attempts are not counted.
pub trait Inbox: Send {
    /// Sets what may be delivered, like a claim request, once the next claim has found nothing more. It must name free
    /// slots only, and only queues of that claim. Until then nothing more is delivered.
    fn offer(&mut self, scope: QueueScope, limit: u32);

    /// Resolves when a lease has arrived, at once if there is one already. Cancellation safe.
    fn arrived(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Takes the leases in the order of the enqueues.
    fn take(&mut self) -> Vec<Lease>;
}

/// Never receives a lease.
struct NoInbox;

impl Inbox for NoInbox {
    fn offer(&mut self, _scope: QueueScope, _limit: u32) {}

    fn arrived(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }

    fn take(&mut self) -> Vec<Lease> {
        Vec::new()
    }
}

/// A worker to register.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Its new identity.
    pub worker_id: WorkerId,
    /// Its host name, for people.
    pub host: String,
    /// Its process id, for people.
    pub pid: u32,
    /// How long it keeps its jobs without a heartbeat.
    pub lease: Duration,
    /// Its queues, for people; empty for all.
    pub queues: Vec<String>,
    /// The job types that it can run.
    pub job_types: Arc<[String]>,
    /// The settings of its types, which replace those of earlier registrations. Other types keep theirs.
    pub settings: Arc<[TypeSettings]>,
    /// How many jobs it runs at once.
    pub concurrency: u32,
    /// What shows that it lives.
    pub presence: Presence,
}

/// What shows that a worker lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Presence {
    /// Its process: its [`WorkerSession`] ends with it. The store that registered it never ends its lease.
    #[default]
    Process,
    /// Its heartbeats alone, as those of a worker that comes through a server: the end of that process says nothing about
    /// it. Every store may end its lease, its own as well. What it claimed counts as started, because nothing notes what
    /// it begins. Its session is never lost, and dropping it gives nothing up.
    Heartbeats,
}

/// A claim request.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// New for each claim of this worker, and the same when a claim is repeated.
    pub request_id: RequestId,
    /// The worker.
    pub worker_id: WorkerId,
    /// The job types that it can run. Other jobs are not touched and cost nothing.
    pub job_types: Arc<[String]>,
    /// The queues to claim from.
    pub scope: QueueScope,
    /// The maximum number of jobs in total.
    pub limit: u32,
    /// How many of them may be jobs under a limit of their type or queue: those that the worker starts at once. What it
    /// would only hold in memory would keep others from starting theirs.
    pub limited_max: u32,
}

/// The queues that a claim takes from. Paused queues are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueScope {
    /// All queues.
    All,
    /// These queues, each up to its own limit.
    Only(Vec<QueueLimit>),
}

impl QueueScope {
    /// Whether jobs of this queue may be taken at all.
    pub fn includes(&self, queue: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(limits) => limits.iter().any(|limit| limit.queue == queue),
        }
    }
}

/// A queue and the limit of a claim for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueLimit {
    /// The queue.
    pub queue: String,
    /// The maximum number of jobs from it.
    pub limit: u32,
}

/// The result of a claim.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The claimed jobs, in the order in which they must run.
    pub leases: Vec<Lease>,
    /// How long after `now` to claim again, because a job that this request could take becomes due; zero when one is
    /// due already, none when none waits for its instant. Jobs of other types, in other queues or in paused ones do not
    /// count, but a store may name the instant up to which it has looked through them.
    pub next_due: Option<Duration>,
    /// The store's time at this answer. Expiry and deadline of a job are instants of this clock.
    pub now: Timestamp,
}

/// An attempt that has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartedAttempt {
    /// The slot of the worker that runs it; lower than its concurrency.
    pub slot: u32,
    /// The job.
    pub id: JobId,
    /// Its claim number.
    pub claim_number: ClaimNumber,
    /// Whether attempts of other workers may run in the same process. If so, this attempt is not certainly the cause
    /// when the process dies.
    pub is_accompanied: bool,
}

/// The outcome of one attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The job.
    pub id: JobId,
    /// Its claim number.
    pub claim_number: ClaimNumber,
    /// The state change of its job.
    pub outcome: Outcome,
    /// The number of the attempt; the first is 1.
    pub attempt: u32,
    /// How long its handler ran; none if it never began.
    pub ran: Option<Duration>,
    /// How long before the call of [`Store::record`] it ended.
    pub ended_ago: Duration,
    /// The rest of its log.
    pub log: Vec<LogChunk>,
    /// For how long its handler was asked to slow down. No other job of its type starts for so long, counted from the end
    /// of the attempt; if the type is limited by key and the job has one, no other job of that key.
    pub slow_down: Option<Duration>,
}

impl Record {
    /// Gives a lease back unspent, which ends now.
    pub const fn returned(lease: &Lease) -> Self {
        Self {
            id: lease.id,
            claim_number: lease.claim_number,
            outcome: Outcome::Returned,
            attempt: lease.attempt(),
            ran: None,
            ended_ago: Duration::ZERO,
            log: Vec::new(),
            slow_down: None,
        }
    }

    /// When its handler began, if it did, by the clock that says `now` at the call of [`Store::record`].
    pub fn started_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.ran.map(|ran| now.before(self.ended_ago.saturating_add(ran)))
    }

    /// When it ended, by the same clock.
    pub fn finished_at(&self, now: Timestamp) -> Timestamp {
        now.before(self.ended_ago)
    }
}

/// Whether a fenced write was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It was written.
    Recorded,
    /// The lease was lost, and nothing was written.
    Fenced,
    /// The database does not accept this row, because of a constraint or a trigger of the application: nothing was
    /// written, the job still runs, and the same again would be refused again.
    Refused {
        /// What the database said.
        reason: Arc<str>,
    },
    /// The database of this job did not answer while others did: whether it was written is not known. Hand it over
    /// again. Only a store of several databases says so.
    Unanswered {
        /// Why.
        reason: Arc<str>,
    },
}

/// Progress and log of a running attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The job.
    pub id: JobId,
    /// Its claim number.
    pub claim_number: ClaimNumber,
    /// The number of the attempt; the first is 1.
    pub attempt: u32,
    /// Its progress, if it has changed.
    pub progress: Option<Progress>,
    /// New pieces of its log.
    pub log: Vec<LogChunk>,
}

/// The progress that an attempt reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// From 0 to 1. A value outside is set to the nearer end.
    pub fraction: f64,
    /// What it is doing.
    pub message: Option<String>,
}

/// The result of a search for dead workers.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Reclaimed {
    /// The workers that were found dead.
    pub workers: Vec<WorkerId>,
    /// How many jobs were returned or given up.
    pub jobs: u64,
    /// How many waiting jobs were ended because their expiry or deadline had passed.
    pub overdue: u64,
    /// How long this process may wait before it looks again.
    pub next: Duration,
}
