use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use longshore_core::{
    Action, Actioned, Claimed, Clock, Console, Due, Enqueued, Extended, Filter, Heartbeat, Interest, Job, JobData,
    JobDetail, JobId, Lease, Limits, NewJob, Reclaimed, Record, Recorded, Registration, Selection, SessionLost,
    StartedAttempt, Status, Store, Timestamp, WorkerId, WorkerSession,
};

use super::{Harness, PlainInsert};
use crate::{FakeClock, WorkerBuilder, claim, ended, job, worker};

/// The time between two observations in `look_for`.
const LOOK: Duration = Duration::from_millis(500);
/// Longer than any machine needs. A wake-up that never comes fails the test instead of hanging it.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// One database, the main process of a behaviour, and the time.
pub(super) struct World<H: Harness> {
    pub(super) clock: FakeClock,
    pub(super) store: H::Store,
    harness: H,
    /// Those of the workers of its store; dropped after it, because a process that ends gives nothing up.
    sessions: Mutex<Vec<Box<dyn WorkerSession>>>,
}

/// Another process on the same database, with one worker.
pub(super) struct Process<H: Harness> {
    pub(super) store: H::Store,
    pub(super) worker_id: WorkerId,
    pub(super) registration: Registration,
    session: Mutex<Box<dyn WorkerSession>>,
}

impl<H: Harness> Process<H> {
    pub(super) async fn claim(&self, limit: u32) -> Vec<Lease> {
        self.store.claim(claim(&self.worker_id, limit)).await.expect("the worker may claim").leases
    }

    /// Claims a job and starts it in slot 0.
    pub(super) async fn begin_one(&self) -> Lease {
        let lease = self.claim(1).await.pop().expect("there is a job to claim");
        if lease.budgets.is_suspect() {
            self.begin_isolated(0, &lease).await;
        } else {
            self.begin(0, &lease).await;
        }
        lease
    }

    /// The worker registers again with the same identity.
    pub(super) async fn register_again(&self) {
        let session = register(&self.store, self.registration.clone()).await;
        // The earlier one goes once the new one has taken its place.
        let earlier = std::mem::replace(&mut *self.session.lock().unwrap_or_else(PoisonError::into_inner), session);
        drop(earlier);
    }

    /// The session of its last registration is lost; says so at once if it was lost before.
    pub(super) fn session_lost(&self) -> impl Future<Output = SessionLost> + use<H> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).lost()
    }

    /// Its worker ends without retiring, and the process lives on.
    pub(super) fn drop_session(self) -> H::Store {
        let Self { store, session, .. } = self;
        drop(session);
        store
    }

    pub(super) async fn extend(&self, heartbeat: Heartbeat) -> Extended {
        self.store.extend(heartbeat).await.expect("the worker is registered")
    }

    pub(super) async fn begin(&self, slot: u32, lease: &Lease) {
        self.note([started(slot, lease, false)]).await;
    }

    /// Starts an attempt beside those of another worker of the process.
    pub(super) async fn begin_accompanied(&self, slot: u32, lease: &Lease) {
        self.note([started(slot, lease, true)]).await;
    }

    /// Starts the attempt of a suspect.
    pub(super) async fn begin_isolated(&self, slot: u32, lease: &Lease) {
        let begun = self.store.begin_isolated(self.worker_id.clone(), lease.id, lease.claim_number).await;
        assert_eq!(begun.expect("it can be written"), Recorded::Recorded);
        self.begin(slot, lease).await;
    }

    /// Notes attempts in one call.
    pub(super) async fn note<const N: usize>(&self, attempts: [StartedAttempt; N]) {
        self.store.mark_started(self.worker_id.clone(), attempts.into()).await.expect("it can be noted");
    }
}

/// A session that is dropped waits for no database, so it may take a moment until everybody can know.
pub(super) async fn until_dead(store: &impl Console, worker_id: &WorkerId) {
    let begun = Instant::now();
    loop {
        let workers = store.workers().await.expect("workers can be read");
        if !workers.iter().any(|worker| worker.worker_id == *worker_id && worker.is_alive) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "the end of a session is not known");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub(super) fn started(slot: u32, lease: &Lease, is_accompanied: bool) -> StartedAttempt {
    StartedAttempt { slot, id: lease.id, claim_number: lease.claim_number, is_accompanied }
}

async fn register(store: &impl Store, registration: Registration) -> Box<dyn WorkerSession> {
    store.register(registration).await.expect("a worker can be registered")
}

impl<H: Harness> World<H> {
    pub(super) fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub(super) fn with_limits(limits: Limits) -> Self {
        let clock = FakeClock::new();
        let harness = H::create(clock.clone(), limits);
        Self { clock, store: harness.open(), harness, sessions: Mutex::default() }
    }

    /// Another database, at this time.
    pub(super) fn at(now: Timestamp) -> Self {
        let world = Self::new();
        world.clock.advance(now.since(world.now()));
        world
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn open(&self) -> H::Store {
        self.harness.open()
    }

    /// Waits until the store has told everybody what its first look found. A hint of that look would count as a second
    /// one.
    pub(super) async fn has_looked(&self) {
        if H::looks_before_it_hears() {
            let mut schedules = self.store.wakeups(Interest::Schedules);
            tokio::time::timeout(PATIENCE, schedules.changed()).await.expect("the store begins to hear");
        }
    }

    pub(super) fn spoil_count(&self, queue: &str, status: Status, by: i64) -> bool {
        self.harness.spoil_count(queue, status, by)
    }

    pub(super) fn try_insert_plainly(&self, plain: &PlainInsert) -> Result<JobId, String> {
        self.harness.try_insert_plainly(plain)
    }

    pub(super) fn insert_plainly(&self, plain: &PlainInsert) -> JobId {
        self.harness.insert_plainly(plain)
    }

    pub(super) fn refuse(&self, id: JobId, moves: &[Status]) {
        self.harness.refuse(id, moves);
    }

    pub(super) fn refuse_type(&self, job_type: &str) {
        self.harness.refuse_type(job_type);
    }

    pub(super) fn write_newer_definition(&self, schedule: &str) {
        self.harness.write_newer_definition(schedule);
    }

    pub(super) async fn process(&self) -> Process<H> {
        self.process_of(worker().lease(seconds(10 * 86_400))).await
    }

    pub(super) async fn process_of(&self, worker: WorkerBuilder) -> Process<H> {
        let store = self.open();
        let registration = worker.registration();
        let worker_id = registration.worker_id.clone();
        let session = Mutex::new(register(&store, registration.clone()).await);
        Process { store, worker_id, registration, session }
    }

    pub(super) fn kill(&self, process: Process<H>) {
        let Process { store, session, .. } = process;
        self.harness.kill(store);
        drop(session);
    }

    pub(super) fn lose_session(&self, worker_id: &WorkerId) {
        self.harness.lose_session(worker_id);
    }

    /// The main process dies and is replaced by another one.
    pub(super) fn restart(&mut self) {
        let dead = std::mem::replace(&mut self.store, self.harness.open());
        self.harness.kill(dead);
    }

    pub(super) async fn register(&self, worker: WorkerBuilder) -> WorkerId {
        let registration = worker.registration();
        let worker_id = registration.worker_id.clone();
        let session = register(&self.store, registration).await;
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        worker_id
    }

    /// A worker whose lease is longer than every behaviour that is not about leases.
    pub(super) async fn worker(&self) -> WorkerId {
        self.register(worker().lease(seconds(10 * 86_400))).await
    }

    pub(super) async fn enqueue(&self, job: NewJob) -> JobId {
        let enqueued = self.enqueue_all(vec![job]).await;
        assert!(!enqueued[0].is_duplicate, "{enqueued:?}");
        enqueued[0].id
    }

    pub(super) async fn enqueue_all(&self, jobs: Vec<NewJob>) -> Vec<Enqueued> {
        self.store.enqueue(jobs).await.expect("the jobs are acceptable")
    }

    pub(super) async fn claim(&self, worker_id: &WorkerId, limit: u32) -> Vec<Lease> {
        self.claimed(worker_id, limit).await.leases
    }

    pub(super) async fn claimed(&self, worker_id: &WorkerId, limit: u32) -> Claimed {
        self.store.claim(claim(worker_id, limit)).await.expect("the worker may claim")
    }

    pub(super) async fn claim_one(&self, worker_id: &WorkerId) -> Lease {
        let leases = self.claim(worker_id, 1).await;
        assert_eq!(leases.len(), 1, "there is a job to claim");
        leases.into_iter().next().expect("there is one")
    }

    /// Enqueues a job and claims it.
    pub(super) async fn running(&self, worker_id: &WorkerId, job: NewJob) -> Lease {
        let id = self.enqueue(job).await;
        let lease = self.claim_one(worker_id).await;
        assert_eq!(lease.id, id, "nothing else waits");
        lease
    }

    pub(super) async fn record(&self, worker_id: &WorkerId, record: Record) -> Recorded {
        let mut answers = self.store.record(worker_id.clone(), [record].into()).await.expect("outcomes can be written");
        assert_eq!(answers.len(), 1);
        answers.remove(0)
    }

    /// Records an outcome that must be accepted.
    pub(super) async fn finish(&self, worker_id: &WorkerId, record: Record) {
        assert_eq!(self.record(worker_id, record).await, Recorded::Recorded);
    }

    pub(super) async fn complete(&self, worker_id: &WorkerId, lease: &Lease) {
        self.finish(worker_id, ended(lease).completed()).await;
    }

    pub(super) async fn dead_letter(&self, worker_id: &WorkerId, job: NewJob) -> JobId {
        let lease = self.running(worker_id, job).await;
        self.finish(worker_id, ended(&lease).dead_letter()).await;
        lease.id
    }

    pub(super) async fn detail(&self, id: JobId) -> JobDetail {
        self.store.job(id).await.expect("jobs can be read").expect("the job is there")
    }

    pub(super) async fn job(&self, id: JobId) -> Job {
        self.detail(id).await.job
    }

    pub(super) async fn status(&self, id: JobId) -> Status {
        self.job(id).await.status
    }

    /// The number of jobs in this queue by status.
    pub(super) async fn depths(&self, queue: &str) -> BTreeMap<Status, u64> {
        let stats = self.store.stats(0).await.expect("stats can be read");
        let stats = stats.queues.into_iter().find(|stats| stats.queue == queue);
        stats.map(|stats| stats.jobs).unwrap_or_default()
    }

    pub(super) async fn count(&self) -> u64 {
        self.store.count(Selection::from(Filter::all())).await.expect("jobs can be counted")
    }

    pub(super) async fn reclaim(&self) -> Reclaimed {
        look(&self.store).await
    }

    /// Time passes, and a process without workers searches for lost ones all the time.
    pub(super) async fn look_for(&self, span: Duration) -> Reclaimed {
        self.look_from(&self.store, span).await
    }

    /// The same, observed by this process.
    pub(super) async fn look_from(&self, observer: &H::Store, span: Duration) -> Reclaimed {
        let mut all = look(observer).await;
        for _ in 0..span.as_millis() / LOOK.as_millis() {
            self.clock.advance(LOOK);
            let reclaimed = look(observer).await;
            all.workers.extend(reclaimed.workers);
            all.jobs += reclaimed.jobs;
        }
        all
    }

    pub(super) async fn act(&self, id: JobId, action: Action) -> Actioned {
        self.act_on(Selection::Jobs(vec![id]), action).await
    }

    pub(super) async fn act_on(&self, selection: Selection, action: Action) -> Actioned {
        self.store.act(selection, action).await.expect("actions can be taken")
    }

    /// One job with each status.
    pub(super) async fn one_in_each_state(&self) -> Vec<(Status, JobId)> {
        let worker_id = self.worker().await;
        let completed = self.running(&worker_id, job()).await;
        self.complete(&worker_id, &completed).await;
        let cancelled = self.running(&worker_id, job()).await;
        self.finish(&worker_id, ended(&cancelled).cancelled()).await;
        let dead_letter = self.dead_letter(&worker_id, job()).await;
        let retrying = self.running(&worker_id, job()).await;
        self.finish(&worker_id, ended(&retrying).retrying(Duration::from_secs(9))).await;
        let running = self.running(&worker_id, job()).await;
        let pending = self.enqueue(job()).await;
        let blocked = self.enqueue(job().parent(pending)).await;
        vec![
            (Status::Completed, completed.id),
            (Status::Cancelled, cancelled.id),
            (Status::DeadLetter, dead_letter),
            (Status::Retrying, retrying.id),
            (Status::Running, running.id),
            (Status::Pending, pending),
            (Status::Blocked, blocked),
        ]
    }
}

/// One look for lost workers, without what it says about the next one, which is the backend's own.
async fn look(store: &impl Store) -> Reclaimed {
    let reclaimed = store.reclaim().await.expect("it can be looked for dead workers");
    Reclaimed { next: Duration::ZERO, ..reclaimed }
}

pub(super) fn ids(leases: &[Lease]) -> Vec<JobId> {
    leases.iter().map(|lease| lease.id).collect()
}

pub(super) fn data(text: &str) -> JobData {
    JobData::parse(text).expect("the test's own JSON is valid")
}

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A job that may run at this time, even if it has passed.
pub(super) fn job_at(instant: Timestamp) -> NewJob {
    NewJob { due: Due::At(instant), ..job() }
}
