use std::fmt;
use std::sync::{Arc, mpsc};

use longshore_core::{
    ClaimNumber, ClaimRequest, Claimed, Enqueued, Extended, Heartbeat, Inbox, Interest, JobData, JobId, Lease, Limits,
    NewCheckpoint, Reclaimed, Record, Recorded, Registration, Report, StartedAttempt, StepName, Store, StoreError,
    StoreFuture, ValidJob, ValidJobStream, Wakeups, WorkerId, WorkerSession, WriteMeasures,
};
use longshore_spool::read_stream;

use longshore_postgres_server::is_pooled;
use longshore_schema::{OpenError, Origin, Prepare};

use crate::jobs::claim::Claims;
use crate::jobs::enqueue::Enqueues;
use crate::limiting::LimitParts;
use crate::moving::fence;
use crate::options::PostgresOptions;
use crate::schema::{self, SchemaWatch};
use crate::session::fault::{ErrorContext, Fault};
use crate::session::pool::Pool;
use crate::session::runtime::StoreRuntime;
use crate::session::standing::Standing;
use crate::upkeep::Upkeep;
use crate::workers::Workers;
use crate::workflows::advance::WorkflowSteps;
use crate::{jobs, workers};

/// A job queue in one schema of a PostgreSQL database.
///
/// Its clones share a thread and a few connections, which end when [`PostgresStore::close`] is called or the last clone
/// is dropped. Dropping that one right after a change blocks until other processes know of it, for at most a second. Its
/// futures may be polled by any executor.
#[derive(Clone)]
pub struct PostgresStore {
    pub(crate) parts: Arc<Parts>,
    _unsent: Arc<UnsentHints>,
}

/// What the clones of a store share and its own tasks do not. The last clone waits until other processes know what this
/// one has done, because a program that ends right after it would take the notification along.
struct UnsentHints {
    parts: Arc<Parts>,
}

impl Drop for UnsentHints {
    fn drop(&mut self) {
        if !self.parts.options.is_pooled && !self.parts.pool.is_closed() {
            self.parts.claims.hints.wait_until_sent();
        }
    }
}

pub(crate) struct Parts {
    pub(crate) options: PostgresOptions,
    pub(crate) context: ErrorContext,
    pub(crate) pool: Pool,
    pub(crate) runtime: StoreRuntime,
    pub(crate) standing: Standing,
    pub(crate) enqueues: Enqueues,
    pub(crate) claims: Claims,
    pub(crate) limiting: LimitParts,
    pub(crate) workers: Workers,
    pub(crate) upkeep: Upkeep,
    pub(crate) workflows: WorkflowSteps,
    pub(crate) schema: SchemaWatch,
    pub(crate) writes: WriteMeasures,
}

impl PostgresStore {
    /// A store that connects with its first request.
    pub fn connect_lazily(options: PostgresOptions) -> Result<Self, StoreError> {
        let context = ErrorContext { database: options.name().into() };
        let runtime = StoreRuntime::start().map_err(|error| StoreError::Backend {
            database: Arc::clone(&context.database),
            doing: "starting a thread",
            source: Box::new(error),
        })?;
        let pool = Pool::new(options.clone(), context.clone(), runtime.handle().clone());
        let (enqueues, claims) = (Enqueues::default(), Claims::default());
        let (workers, upkeep) = (Workers::default(), Upkeep::default());
        let (limiting, workflows, schema) = (LimitParts::default(), WorkflowSteps::default(), SchemaWatch::default());
        let standing = Standing::new(pool.clone(), runtime.handle().clone());
        let parts = Parts {
            options,
            context,
            pool,
            runtime,
            standing,
            enqueues,
            claims,
            limiting,
            workers,
            upkeep,
            workflows,
            schema,
            writes: WriteMeasures::default(),
        };
        let parts = Arc::new(parts);
        let store = Self { _unsent: Arc::new(UnsentHints { parts: Arc::clone(&parts) }), parts };
        jobs::claim::hints::start(&store.parts);
        Ok(store)
    }

    /// Creates or migrates the queue's tables as far as `prepare` permits, then opens the store. Returns whether it
    /// created them. Blocks until the server has answered.
    ///
    /// If the process is killed at any moment, the same call opens the store later. If several calls run at once, only
    /// one creates the tables.
    pub fn open_prepared(mut options: PostgresOptions, prepare: Prepare) -> Result<(Self, Origin), OpenError> {
        let probe = Self::connect_lazily(options.clone())?;
        let url = options.url.clone();
        options.is_pooled = options.is_pooled || probe.wait(async move { Ok(is_pooled(&url).await?) })?;
        let origin = schema::make_ready(&options, prepare)?;
        let store = Self::connect_lazily(options)?;
        let parts = Arc::clone(&store.parts);
        store.wait(async move {
            let ledger =
                schema::ledger(&parts.pool).await.map_err(|fault| parts.context.answer(fault, "opening it"))?;
            parts.schema.begin(ledger);
            Ok(())
        })?;
        Ok((store, origin))
    }

    /// Waits on this thread, which may be one of a runtime, for work on the store's own.
    fn wait<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let (reply, answer) = mpsc::sync_channel(1);
        self.parts.runtime.handle().spawn(async move {
            // The caller waits for it below.
            let _ = reply.send(work.await);
        });
        answer.recv().unwrap_or_else(|_| Err(self.parts.context.closed()))
    }

    /// Ends the connections. Later calls return `Closed`. Workers that were not retired look dead to every process.
    pub fn close(&self) {
        self.parts.standing.close();
        self.parts.pool.close();
    }

    /// Does the work of a request on the store's own thread.
    pub(crate) fn run<T, F>(&self, doing: &'static str, work: impl FnOnce(Arc<Parts>) -> F) -> StoreFuture<'static, T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let (parts, work) = (Arc::clone(&self.parts), work(Arc::clone(&self.parts)));
        let answer = async move {
            let answer = match parts.schema.check(&parts.pool, &parts.options).await {
                Ok(()) => work.await,
                Err(fault) => Err(fault),
            };
            answer.map_err(|fault| parts.context.answer(fault, doing))
        };
        self.parts.runtime.run(&self.parts.context, doing, answer)
    }
}

impl PostgresStore {
    /// The same for what people change and what keeps house: so that it is refused as a whole during a move, and not only
    /// by the fence of a table.
    pub(crate) fn run_by_hand<T, F>(
        &self,
        doing: &'static str,
        work: impl FnOnce(Arc<Parts>) -> F,
    ) -> StoreFuture<'static, T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let work = work(Arc::clone(&self.parts));
        self.run(doing, |parts| async move {
            fence::check(&parts).await?;
            work.await
        })
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("database", &self.parts.context.database)
            .field("schema", &self.parts.options.schema)
            .field("application_name", &self.parts.options.url.application_name())
            .finish_non_exhaustive()
    }
}

impl Store for PostgresStore {
    fn limits(&self) -> Limits {
        self.parts.options.limits
    }

    /// Nobody waits for a claim here, and a claim that takes few jobs costs nearly as much as a larger one.
    fn prefetch_max(&self) -> u32 {
        4096
    }

    fn enqueue_valid(&self, new_jobs: Vec<ValidJob>) -> StoreFuture<'_, Vec<Enqueued>> {
        self.run("enqueueing jobs", |parts| jobs::enqueue::enqueue(parts, new_jobs))
    }

    fn enqueue_valid_stream(&self, new_jobs: ValidJobStream) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            // In the future of the caller, which may be dropped before the stream ends.
            let spooled = read_stream(new_jobs, std::env::temp_dir(), &self.parts.context.database).await?;
            self.run("enqueueing a stream of jobs", |parts| jobs::enqueue::stream::enqueue_spooled(parts, spooled))
                .await
        })
    }

    fn register(&self, registration: Registration) -> StoreFuture<'_, Box<dyn WorkerSession>> {
        self.run("registering a worker", |parts| workers::register(parts, registration))
    }

    fn retire(&self, worker_id: WorkerId) -> StoreFuture<'_, ()> {
        self.run("retiring a worker", |parts| workers::retire(parts, worker_id))
    }

    fn claim(&self, request: ClaimRequest) -> StoreFuture<'_, Claimed> {
        self.run("claiming jobs", |parts| async move {
            match parts.schema.refusal_of_claim() {
                Some(refusal) => Err(refusal.into()),
                None => jobs::claim::claim(parts, request).await,
            }
        })
    }

    fn held_leases(&self, worker_id: WorkerId, beyond: Vec<(JobId, ClaimNumber)>) -> StoreFuture<'_, Vec<Lease>> {
        self.run("reading what a worker holds", |parts| jobs::claim::held_leases::held_leases(parts, worker_id, beyond))
    }

    fn inbox(&self, worker_id: &WorkerId) -> Box<dyn Inbox> {
        jobs::enqueue::offer::inbox(&self.parts, worker_id)
    }

    fn mark_started(&self, worker_id: WorkerId, attempts: Arc<[StartedAttempt]>) -> StoreFuture<'_, ()> {
        self.run("noting started attempts", |parts| jobs::outcomes::started::mark_started(parts, worker_id, attempts))
    }

    fn begin_isolated(&self, worker_id: WorkerId, id: JobId, claim_number: ClaimNumber) -> StoreFuture<'_, Recorded> {
        self.run("isolating an attempt", move |parts| {
            jobs::outcomes::started::begin_isolated(parts, worker_id, id, claim_number)
        })
    }

    fn extend(&self, heartbeat: Heartbeat) -> StoreFuture<'_, Extended> {
        self.run("extending a lease", |parts| workers::extend(parts, heartbeat))
    }

    fn cancel_requests(&self, worker_id: WorkerId) -> StoreFuture<'_, Vec<(JobId, ClaimNumber)>> {
        self.run("reading cancel requests", |parts| workers::cancel_requests(parts, worker_id))
    }

    fn record(&self, worker_id: WorkerId, records: Arc<[Record]>) -> StoreFuture<'_, Vec<Recorded>> {
        self.run("recording outcomes", |parts| jobs::outcomes::record(parts, worker_id, records))
    }

    fn report(&self, worker_id: WorkerId, reports: Arc<[Report]>) -> StoreFuture<'_, Vec<Recorded>> {
        self.run("storing progress and logs", |parts| jobs::outcomes::report::report(parts, worker_id, reports))
    }

    fn save_checkpoint(&self, worker_id: WorkerId, checkpoint: NewCheckpoint) -> StoreFuture<'_, Recorded> {
        self.run("storing a checkpoint", |parts| jobs::outcomes::checkpoint::save(parts, worker_id, checkpoint))
    }

    fn step_result(&self, id: JobId, step: StepName) -> StoreFuture<'_, Option<JobData>> {
        self.run("reading the result of a step", move |parts| jobs::outcomes::checkpoint::step_result(parts, id, step))
    }

    fn reclaim(&self) -> StoreFuture<'_, Reclaimed> {
        self.run("looking for dead workers", workers::reclaim::reclaim)
    }

    fn wakeups(&self, interest: Interest) -> Box<dyn Wakeups> {
        jobs::claim::hints::subscribe(&self.parts, interest)
    }
}
