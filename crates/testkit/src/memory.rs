mod audit;
mod console;
mod harness;
mod health;
mod jobs;
mod limits;
mod moving;
mod page;
mod schedules;
mod state;
mod stats;
mod tokens;
mod waiting_facts;
mod workers;
mod workflows;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longshore_core::{
    ClaimNumber, ClaimRequest, Claimed, Clock, Enqueued, Extended, Heartbeat, Inbox, Interest, JobData, JobId, Lease,
    Limits, NewCheckpoint, Reclaimed, Record, Recorded, Registration, Report, StartedAttempt, Status, StepName, Store,
    StoreError, StoreFuture, Timestamp, ValidJob, ValidJobStream, Wakeups, WorkerId, WorkerSession, next_of,
};
use tokio::sync::watch;

use crate::suite::PlainInsert;
use jobs::inbox::MemoryInbox;
use moving::Passing;
use state::State;
use workers::session::MemorySession;
use workers::wakeups::MemoryWakeups;
use workflows::Timeouts;

/// The simplest implementation of the contract: one lock around a few maps, without prefetching or caching.
///
/// It is the oracle of the random run, and the store for tests that need no file. Its clones share one database, which
/// does not survive the process. Every method takes effect when its future is first polled.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    process: u64,
}

struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changes: watch::Sender<()>,
    processes: AtomicU64,
}

/// The time of one call, read once.
#[derive(Clone, Copy, Debug)]
struct Moment {
    now: Timestamp,
    monotonic: Duration,
}

impl MemoryStore {
    /// An empty store with this clock and the default limits.
    pub fn new(clock: impl Clock) -> Self {
        Self::with_limits(clock, Limits::default())
    }

    /// An empty store with these limits.
    pub fn with_limits(clock: impl Clock, limits: Limits) -> Self {
        let shared = Shared {
            clock: Arc::new(clock),
            state: Mutex::new(State::new(limits)),
            changes: watch::Sender::new(()),
            processes: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared), process: 0 }
    }

    /// The same database as another process sees it. The workers of a process live and die together.
    pub fn another_process(&self) -> Self {
        let process = self.shared.processes.fetch_add(1, Ordering::Relaxed) + 1;
        Self { shared: Arc::clone(&self.shared), process }
    }

    /// Kills all workers of this process, like `kill -9`. The next reclaim finds them.
    pub fn die(&self) {
        self.with(|state, _| state.kill_process(self.process));
    }

    /// Kills one worker. The next reclaim finds it.
    pub fn kill(&self, worker_id: &WorkerId) {
        self.with(|state, _| state.kill(worker_id));
    }

    /// Takes the evidence of a worker's life away while it lives: its session is lost, and only its lease can end it
    /// until it is registered again.
    pub fn lose_session(&self, worker_id: &WorkerId) {
        self.with(|state, _| state.lose_session(worker_id));
    }

    /// From now on refuses every move that would bring this job into one of these states, as a constraint can.
    pub fn refuse(&self, id: JobId, moves: &[Status]) {
        self.with(|state, _| state.refused.insert(id, moves.to_vec()));
    }

    /// From now on refuses the jobs of this type that schedules make, as a constraint can, with this message.
    pub fn refuse_type(&self, job_type: &str, message: &str) {
        self.with(|state, _| state.refused_types.insert(job_type.to_owned(), message.to_owned()));
    }

    /// Makes the definition of a schedule one that a newer version has written.
    pub fn spoil_definition(&self, name: &str) {
        self.with(|state, _| {
            let row = state.calendar.rows.get_mut(name).expect("there is a schedule of this name");
            row.definition = row.definition.replacen('{', r#"{"of_a_newer_version":1,"#, 1);
        });
    }

    /// Inserts a job as another program does with plain SQL.
    pub fn insert_plainly(&self, plain: &PlainInsert) -> JobId {
        let id = self.with(|state, moment| state.insert_plainly(plain, moment.now));
        self.shared.changes.send_replace(());
        id
    }

    /// The error of every call that a move refuses now.
    pub(crate) fn refusal_of_move(&self) -> Option<StoreError> {
        self.with(|state, _| state.pass(Passing::Never).err())
    }

    /// From now on gives these numbers, where they are higher than the last ones: ids to new jobs, claim numbers to claims
    /// of these jobs.
    pub(crate) fn give_next(&self, numbers: BTreeMap<JobId, ClaimNumber>) {
        self.with(|state, _| state.next_numbers = numbers);
    }

    /// Deletes only the row of a worker, as another program can.
    pub fn delete_worker(&self, worker_id: &WorkerId) {
        self.with(|state, _| drop(state.workers.remove(worker_id)));
    }

    /// The leases that a claim of this worker gets now. The claim cannot be repeated.
    pub(crate) fn lease(&self, request: &ClaimRequest) -> Vec<Lease> {
        self.with(|state, moment| state.lease(request, moment.now))
    }

    fn with<T>(&self, call: impl FnOnce(&mut State, Moment) -> T) -> T {
        let moment = Moment { now: self.shared.clock.now(), monotonic: self.shared.clock.monotonic() };
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        call(&mut state, moment)
    }

    /// Runs a call that makes no work available, so it wakes nobody.
    fn quietly<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut State, Moment) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        Box::pin(async move { self.with(call) })
    }

    /// Runs a call that may make work available, and wakes the subscribers.
    fn loudly<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut State, Moment) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        Box::pin(async move {
            let answer = self.with(|state, moment| {
                let answer = call(state, moment)?;
                state.settle_workflows(Timeouts::Later, moment.now);
                Ok::<_, StoreError>(answer)
            })?;
            self.shared.changes.send_replace(());
            Ok(answer)
        })
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl Store for MemoryStore {
    fn limits(&self) -> Limits {
        self.with(|state, _| state.limits)
    }

    fn enqueue_valid(&self, jobs: Vec<ValidJob>) -> StoreFuture<'_, Vec<Enqueued>> {
        let process = self.process;
        self.loudly(move |state, moment| {
            state.pass(Passing::Never)?;
            state.enqueue(jobs, process, moment)
        })
    }

    fn enqueue_valid_stream(&self, mut jobs: ValidJobStream) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let mut read = Vec::new();
            while let Some(job) = next_of(&mut jobs).await {
                let is_broken = job.is_err();
                read.push(job);
                if is_broken {
                    break;
                }
            }
            self.loudly(move |state, moment| {
                state.pass(Passing::Never)?;
                state.enqueue_stream(read, moment.now)
            })
            .await
        })
    }

    fn register(&self, registration: Registration) -> StoreFuture<'_, Box<dyn WorkerSession>> {
        Box::pin(async move {
            let worker_id = registration.worker_id.clone();
            let (number, is_lost) = self.with(|state, moment| {
                state.pass(Passing::Never)?;
                Ok::<_, StoreError>(state.register(registration, self.process, moment))
            })?;
            let session = MemorySession { store: self.clone(), worker_id, number, is_lost };
            Ok(Box::new(session) as Box<dyn WorkerSession>)
        })
    }

    fn retire(&self, worker_id: WorkerId) -> StoreFuture<'_, ()> {
        self.loudly(move |state, moment| {
            state.pass(Passing::WhileDraining)?;
            state.retire(&worker_id, moment.now);
            Ok(())
        })
    }

    fn claim(&self, request: ClaimRequest) -> StoreFuture<'_, Claimed> {
        self.quietly(move |state, moment| {
            state.pass(Passing::Never)?;
            let claimed = state.claim(&request, moment.now)?;
            state.settle_workflows(Timeouts::Later, moment.now);
            Ok(claimed)
        })
    }

    fn held_leases(&self, worker_id: WorkerId, beyond: Vec<(JobId, ClaimNumber)>) -> StoreFuture<'_, Vec<Lease>> {
        self.quietly(move |state, _| state.held_leases(&worker_id, &beyond))
    }

    fn inbox(&self, worker_id: &WorkerId) -> Box<dyn Inbox> {
        Box::new(MemoryInbox::open(self, worker_id))
    }

    fn mark_started(&self, worker_id: WorkerId, attempts: Arc<[StartedAttempt]>) -> StoreFuture<'_, ()> {
        self.quietly(move |state, _| {
            state.mark_started(&worker_id, &attempts);
            Ok(())
        })
    }

    fn begin_isolated(&self, worker_id: WorkerId, id: JobId, claim_number: ClaimNumber) -> StoreFuture<'_, Recorded> {
        self.quietly(move |state, _| {
            state.pass(Passing::WhileDraining)?;
            Ok(state.begin_isolated(&worker_id, id, claim_number))
        })
    }

    fn extend(&self, heartbeat: Heartbeat) -> StoreFuture<'_, Extended> {
        self.quietly(move |state, moment| state.extend(&heartbeat, moment.now))
    }

    fn cancel_requests(&self, worker_id: WorkerId) -> StoreFuture<'_, Vec<(JobId, ClaimNumber)>> {
        self.quietly(move |state, _| state.cancel_requests(&worker_id))
    }

    fn record(&self, worker_id: WorkerId, records: Arc<[Record]>) -> StoreFuture<'_, Vec<Recorded>> {
        self.loudly(move |state, moment| {
            state.pass(Passing::WhileDraining)?;
            Ok(state.record(&worker_id, &records, moment.now))
        })
    }

    fn report(&self, worker_id: WorkerId, reports: Arc<[Report]>) -> StoreFuture<'_, Vec<Recorded>> {
        self.quietly(move |state, moment| {
            state.pass(Passing::WhileDraining)?;
            Ok(state.report(&worker_id, &reports, moment.now))
        })
    }

    fn save_checkpoint(&self, worker_id: WorkerId, checkpoint: NewCheckpoint) -> StoreFuture<'_, Recorded> {
        self.quietly(move |state, moment| {
            state.pass(Passing::WhileDraining)?;
            Ok(state.save_checkpoint(&worker_id, checkpoint, moment.now))
        })
    }

    fn step_result(&self, id: JobId, step: StepName) -> StoreFuture<'_, Option<JobData>> {
        self.quietly(move |state, _| Ok(state.step_result(id, &step)))
    }

    fn reclaim(&self) -> StoreFuture<'_, Reclaimed> {
        let observer = self.process;
        self.loudly(move |state, moment| {
            state.pass(Passing::WhileDraining)?;
            let reclaimed = state.reclaim(observer, moment);
            state.settle_workflows(Timeouts::Count, moment.now);
            Ok(reclaimed)
        })
    }

    fn wakeups(&self, interest: Interest) -> Box<dyn Wakeups> {
        Box::new(MemoryWakeups::new(self, interest))
    }
}
