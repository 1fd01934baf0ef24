use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, thread};

use longshore_core::{
    ClaimNumber, ClaimRequest, Claimed, Clock, Enqueued, Extended, Heartbeat, HeartbeatSession, Inbox, Interest,
    JobData, JobId, Lease, Limits, NewCheckpoint, NewJob, Presence, Reclaimed, Record, Recorded, Registration, Report,
    StartedAttempt, StepName, Store, StoreError, StoreFuture, SystemClock, ToldClaims, ValidJob, ValidJobStream,
    Wakeups, WorkerId, WorkerSession,
};
use longshore_schema::{OpenError, Origin, Prepare};
use longshore_sqlite_file::check_connection;
use rusqlite::Connection;

use crate::database::common_index::await_common_index;
use crate::database::connection::{configure_writer, in_savepoint, open_to_write};
use crate::database::database_file::DatabaseFile;
use crate::database::fault::{ErrorContext, Fault};
use crate::database::opening;
use crate::database::opening::is_damage;
use crate::database::readers::{ReadTx, Readers};
use crate::jobs::claim::Claim;
use crate::jobs::claim::inbox::{Inboxes, Mailbox};
use crate::jobs::enqueue::stream::enqueue_stream;
use crate::jobs::enqueue::{Enqueue, INSERT_JOB, Inserting};
use crate::jobs::outcomes::checkpoint::{SaveCheckpoint, step_result};
use crate::jobs::outcomes::record::{GiveBackByWriter, RecordAll, by_rows};
use crate::jobs::outcomes::report::ReportAll;
use crate::jobs::overdue::{WaitingJob, end_waiting_in};
use crate::jobs::type_settings::apply_settings;
use crate::moving::fence::refusal_of;
use crate::options::SqliteOptions;
use crate::schedules::tick_pruning::TickPruning;
use crate::schema;
use crate::upkeep::audit::Audit;
use crate::upkeep::duties::Duties;
use crate::workers::given::GivenClaims;
use crate::workers::isolation::BeginIsolated;
use crate::workers::liveness::Liveness;
use crate::workers::liveness::session::SqliteSession;
use crate::workers::reclaim::Reclaim;
use crate::workers::worker::{Extend, Register, Retire, cancel_requests, held_leases};
use crate::workers::worker_row::FileRecord;
use crate::workflows::pruning::BatchPruning;
use crate::workflows::sweep::WorkflowSweep;
use crate::writing::hints::Hints;
use crate::writing::writer::Writer;
use crate::writing::writer_connection::Opened;

/// A job queue in one SQLite file.
///
/// Its clones share one writer thread and a few reader threads. The threads end when [`SqliteStore::close`] is called
/// or the last clone is dropped. Several stores, in this process and others, may use one file.
///
/// While commits take less than a millisecond, an enqueue of a few jobs that is the only request commits on the thread
/// that polls it, which is blocked meanwhile.
#[derive(Clone)]
pub struct SqliteStore {
    pub(crate) parts: Arc<Parts>,
}

pub(crate) struct Parts {
    pub(crate) options: SqliteOptions,
    pub(crate) context: ErrorContext,
    pub(crate) writer: Writer,
    pub(crate) readers: Arc<Readers>,
    pub(crate) liveness: Arc<Liveness>,
    pub(crate) reclaim: Reclaim,
    given: Arc<GivenClaims>,
    told: Arc<ToldClaims>,
    pub(crate) audit: Audit,
    pub(crate) duties: Duties,
    pub(crate) tick_pruning: TickPruning,
    pub(crate) batch_pruning: BatchPruning,
    pub(crate) workflow_sweep: WorkflowSweep,
    hints: Arc<Hints>,
    inboxes: Inboxes,
}

/// A file that replaced another one reads as damaged until the stores on the old file have noticed it and emptied their
/// log, which is beside the new file. They check ten times a second.
const LEAVING_MAX: Duration = Duration::from_secs(1);
const LEAVING_LOOK: Duration = Duration::from_millis(50);

impl SqliteStore {
    /// Opens an existing database with the schema of this version.
    ///
    /// After Err nothing was changed and nothing stays open. A missing file is never created: the migrations create the
    /// database.
    pub fn open(mut options: SqliteOptions) -> Result<Self, StoreError> {
        let name: Arc<str> = options.path.display().to_string().into();
        let context = ErrorContext { database: name, busy_timeout: options.busy_timeout };
        await_common_index(&options.path, &context)?;
        let connection = open_to_write(&options, &context)?;
        // Before the first write. The switch to a write-ahead log is a write.
        let explain = |source| context.explain_target(source, "reading its schema");
        schema::check(&connection).map_err(|problem| problem.into_store_error(explain))?;
        configure_writer(&connection, &options, &context)?;
        // The liveness files must be in one place, whatever path a process uses for the database.
        options.path = std::fs::canonicalize(&options.path).map_err(|error| context.unreachable(error))?;
        let file = Arc::new(DatabaseFile::of(&options.path, &connection, &context)?);
        let hints = Arc::new(Hints::new());
        let liveness = Arc::new(Liveness::new(&options.path, options.boot_id.clone()));
        let reclaim = Reclaim::new(Arc::clone(&liveness), Arc::clone(&options.clock));
        let given = Arc::new(GivenClaims::default());
        let readers = Arc::new(Readers::new(options.clone(), context.clone(), Arc::clone(&file)));
        let writer = Writer::start(
            connection,
            Opened {
                options: options.clone(),
                context: context.clone(),
                file,
                readers: Arc::clone(&readers),
                hints: Arc::clone(&hints),
                writes: Arc::default(),
            },
        )?;
        let (audit, duties) = (Audit::new(), Duties::new());
        let inboxes = Inboxes::default();
        let (told, tick_pruning, batch_pruning) = (Arc::default(), TickPruning::default(), BatchPruning::default());
        let parts = Parts {
            options,
            context,
            writer,
            readers,
            liveness,
            reclaim,
            given,
            told,
            audit,
            duties,
            tick_pruning,
            batch_pruning,
            workflow_sweep: WorkflowSweep::default(),
            hints,
            inboxes,
        };
        Ok(Self { parts: Arc::new(parts) })
    }

    /// Creates or migrates the database as far as `prepare` permits, then opens it. Returns whether it created the
    /// file.
    ///
    /// If the process is killed at any moment, the same call opens the database later. If several calls run at once,
    /// only one creates the database.
    pub fn open_prepared(mut options: SqliteOptions, prepare: Prepare) -> Result<(Self, Origin), OpenError> {
        let begun = Instant::now();
        loop {
            let prepared = opening::make_ready_for(&mut options, prepare);
            let opened = prepared.and_then(|origin| Ok((Self::open(options.clone())?, origin)));
            match opened {
                Err(error) if is_damage(&error) && begun.elapsed() < LEAVING_MAX => thread::sleep(LEAVING_LOOK),
                opened => return opened,
            }
        }
    }

    /// Finishes the requested work, ends the threads and closes the file. Later calls return `Closed`. Workers that
    /// were not retired look dead to every process. Blocks until the last transaction has ended.
    pub fn close(&self) {
        self.parts.close();
    }
}

impl SqliteStore {
    /// A worker of these types was registered. Before its first claim, so that it takes their jobs from the queue and in
    /// the order of their type. What is left is for the search for dead workers, and so is an error.
    async fn settle_types(&self, worker_id: &WorkerId) {
        let Parts { readers, writer, told, .. } = &*self.parts;
        let _ = apply_settings(readers, writer, SETTINGS_STEPS).await;
        told.forget(worker_id);
    }
}

impl Parts {
    fn begin_session(&self, worker_id: &WorkerId) -> SqliteSession {
        SqliteSession {
            worker_id: worker_id.clone(),
            standing: self.liveness.begin_session(worker_id),
            liveness: Arc::clone(&self.liveness),
            given: Arc::clone(&self.given),
            told: Arc::clone(&self.told),
        }
    }

    fn close(&self) {
        self.readers.close();
        self.writer.close();
        self.liveness.release();
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("database", &self.parts.context.database).finish_non_exhaustive()
    }
}

/// Enqueues a job in the caller's transaction, on the caller's connection. The job exists if and only if the
/// transaction commits.
///
/// The commit wakes workers in every process. After Err the transaction is unchanged. The database must have this
/// version's schema, and the triggers of the connection must be on, which is the default: they update the counts.
pub fn enqueue_in(connection: &Connection, job: &NewJob) -> Result<Enqueued, StoreError> {
    let context = ErrorContext::of_caller(connection);
    check_connection(connection, &context.database)?;
    let job = job.clone().check(&Limits::default())?;
    let make = || -> Result<Enqueued, Fault> {
        let mut insert = connection.prepare_cached(INSERT_JOB)?;
        let now = SystemClock::new().now();
        let end = |holder: &WaitingJob, overdue| Ok(end_waiting_in(connection, holder, overdue, now)?);
        Ok(Inserting::begin(connection, &mut insert).make(&job, now, end)?.enqueued)
    };
    // With a unique key, another row may have to be written first.
    let made = if job.unique_key.is_some() { in_savepoint(connection, make) } else { make() };
    made.map_err(|fault| match &fault {
        Fault::Sql(error) => refusal_of(connection, error).unwrap_or_else(|| context.answer(fault, "enqueueing a job")),
        Fault::Answer(_) => context.answer(fault, "enqueueing a job"),
    })
}

/// How many steps of a registration give waiting jobs the settings of their type; 500 jobs each.
const SETTINGS_STEPS: u32 = 20;

impl Store for SqliteStore {
    fn limits(&self) -> Limits {
        self.parts.options.limits
    }

    fn enqueue_valid(&self, jobs: Vec<ValidJob>) -> StoreFuture<'_, Vec<Enqueued>> {
        Box::pin(async move {
            if jobs.is_empty() {
                return Ok(Vec::new());
            }
            self.parts.writer.run(Enqueue { jobs }).await
        })
    }

    fn enqueue_valid_stream(&self, jobs: ValidJobStream) -> StoreFuture<'_, u64> {
        let Parts { writer, context, options, .. } = &*self.parts;
        Box::pin(enqueue_stream(writer, context, options, jobs))
    }

    fn register(&self, registration: Registration) -> StoreFuture<'_, Box<dyn WorkerSession>> {
        Box::pin(async move {
            let Parts { liveness, context, writer, .. } = &*self.parts;
            let worker_id = registration.worker_id.clone();
            if registration.presence == Presence::Heartbeats {
                // Without a file nobody can find it dead before its lease has ended.
                writer.run(Register { registration, file: FileRecord::default() }).await?;
                self.settle_types(&worker_id).await;
                return Ok(Box::new(HeartbeatSession) as Box<dyn WorkerSession>);
            }
            let is_new = !liveness.is_own(&worker_id);
            let file = liveness
                .register(&worker_id, registration.concurrency)
                .map_err(|refused| context.explain_refused(refused))?;
            // Dropped with this future: nobody else would give up the file of a worker that does not begin.
            let first = is_new.then(|| self.parts.begin_session(&worker_id));
            let registered = writer.run(Register { registration, file }).await;
            if registered.is_err() && is_new {
                liveness.forget(&worker_id);
            }
            registered?;
            self.settle_types(&worker_id).await;
            let session = first.unwrap_or_else(|| self.parts.begin_session(&worker_id));
            Ok(Box::new(session) as Box<dyn WorkerSession>)
        })
    }

    fn retire(&self, worker_id: WorkerId) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let Parts { liveness, writer, given, told, .. } = &*self.parts;
            let started = liveness.started(&worker_id, None);
            writer.run(Retire { worker_id: worker_id.clone(), started }).await?;
            liveness.forget(&worker_id);
            given.forget(&worker_id);
            told.forget(&worker_id);
            Ok(())
        })
    }

    fn claim(&self, request: ClaimRequest) -> StoreFuture<'_, Claimed> {
        Box::pin(async move {
            let Parts { given, options, writer, inboxes, .. } = &*self.parts;
            let (worker_id, request_id) = (request.worker_id.clone(), request.request_id);
            let inbox = inboxes.of(&worker_id);
            let claim = Claim::new(request, inbox, Arc::clone(given), Arc::clone(&options.clock));
            let claimed = writer.run(claim).await;
            if claimed.is_ok() {
                given.commit(&worker_id, request_id);
            }
            claimed
        })
    }

    fn held_leases(&self, worker_id: WorkerId, beyond: Vec<(JobId, ClaimNumber)>) -> StoreFuture<'_, Vec<Lease>> {
        let read = move |tx: &ReadTx<'_>| held_leases(tx.connection, &worker_id, &beyond);
        Box::pin(self.parts.readers.run("reading what a worker holds", read))
    }

    fn inbox(&self, worker_id: &WorkerId) -> Box<dyn Inbox> {
        let Parts { context, options, writer, inboxes, .. } = &*self.parts;
        let (writer, context, clock) = (writer.sender(), context.clone(), Arc::clone(&options.clock));
        let back = Box::new(GiveBackByWriter { writer, context, clock });
        Box::new(inboxes.open(Mailbox::new(worker_id.clone(), back)))
    }

    fn mark_started(&self, worker_id: WorkerId, attempts: Arc<[StartedAttempt]>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.parts.liveness.mark_started(&worker_id, &attempts);
            Ok(())
        })
    }

    fn begin_isolated(&self, worker_id: WorkerId, id: JobId, claim_number: ClaimNumber) -> StoreFuture<'_, Recorded> {
        Box::pin(self.parts.writer.run(BeginIsolated { worker_id, id, claim_number }))
    }

    fn extend(&self, heartbeat: Heartbeat) -> StoreFuture<'_, Extended> {
        Box::pin(async move {
            let Parts { liveness, writer, told, .. } = &*self.parts;
            let (worker_id, held) = (heartbeat.worker_id.clone(), told.take_in(&heartbeat));
            let file = liveness.look_for_file(&worker_id);
            let extended = writer.run(Extend { worker_id, held, file }).await;
            if let Err(StoreError::WorkerGone { worker_id }) = &extended {
                told.forget(worker_id);
            }
            extended
        })
    }

    fn cancel_requests(&self, worker_id: WorkerId) -> StoreFuture<'_, Vec<(JobId, ClaimNumber)>> {
        let readers = &self.parts.readers;
        Box::pin(readers.run("reading cancel requests", move |tx| cancel_requests(tx.connection, &worker_id)))
    }

    fn record(&self, worker_id: WorkerId, records: Arc<[Record]>) -> StoreFuture<'_, Vec<Recorded>> {
        Box::pin(async move {
            if records.is_empty() {
                return Ok(Vec::new());
            }
            let called_at = self.parts.options.clock.now();
            let write = |manner| {
                let (worker_id, records) = (worker_id.clone(), Arc::clone(&records));
                self.parts.writer.run(RecordAll { worker_id, records, called_at, manner })
            };
            by_rows(write).await
        })
    }

    fn report(&self, worker_id: WorkerId, reports: Arc<[Report]>) -> StoreFuture<'_, Vec<Recorded>> {
        Box::pin(async move {
            if reports.is_empty() {
                return Ok(Vec::new());
            }
            let write = |manner| {
                let (worker_id, reports) = (worker_id.clone(), Arc::clone(&reports));
                self.parts.writer.run(ReportAll { worker_id, reports, manner })
            };
            by_rows(write).await
        })
    }

    fn save_checkpoint(&self, worker_id: WorkerId, checkpoint: NewCheckpoint) -> StoreFuture<'_, Recorded> {
        Box::pin(self.parts.writer.run(SaveCheckpoint { worker_id, checkpoint }))
    }

    fn step_result(&self, id: JobId, step: StepName) -> StoreFuture<'_, Option<JobData>> {
        let readers = &self.parts.readers;
        Box::pin(readers.run("reading the result of a step", move |tx| Ok(step_result(tx.connection, id, &step)?)))
    }

    fn reclaim(&self) -> StoreFuture<'_, Reclaimed> {
        let Parts { readers, writer, reclaim, given, told, .. } = &*self.parts;
        Box::pin(async move {
            let reclaimed = reclaim.run(readers, writer).await?;
            for worker_id in &reclaimed.workers {
                given.forget(worker_id);
                told.forget(worker_id);
            }
            Ok(reclaimed)
        })
    }

    fn wakeups(&self, interest: Interest) -> Box<dyn Wakeups> {
        let wakeups = self.parts.hints.subscribe(interest);
        self.parts.writer.listen(&self.parts.options.path);
        Box::new(wakeups)
    }
}
