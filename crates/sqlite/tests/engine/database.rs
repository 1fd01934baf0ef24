//! A separate database for each test.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longshore_core::{
    ClaimRequest, Claimed, Clock, Console, Enqueued, Job, JobData, JobDetail, JobId, Lease, NewJob, Outcome, Presence,
    QueueScope, Reclaimed, Record, Recorded, Registration, Store, Timestamp, WorkerId,
};
use longshore_sqlite::rusqlite::Connection;
use longshore_sqlite::{SqliteOptions, SqliteStore};
use longshore_testkit::request_id;
use tempfile::TempDir;

pub(crate) const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);

/// Time that stands still until a test moves it. The two clocks can be moved independently.
#[derive(Debug)]
pub(crate) struct HandClock {
    now_ms: AtomicI64,
    monotonic_ms: AtomicU64,
}

impl HandClock {
    fn new() -> Arc<Self> {
        Arc::new(Self { now_ms: AtomicI64::new(START.as_ms()), monotonic_ms: AtomicU64::new(0) })
    }

    pub(crate) fn advance(&self, span: Duration) {
        let ms = span.as_millis();
        self.now_ms.fetch_add(i64::try_from(ms).unwrap(), Ordering::SeqCst);
        self.monotonic_ms.fetch_add(u64::try_from(ms).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn jump_wall(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.now_ms.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic_ms.load(Ordering::SeqCst))
    }
}

pub(crate) struct Database {
    folder: TempDir,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) store: SqliteStore,
    others: Mutex<Vec<SqliteStore>>,
}

pub(crate) const LEASE: Duration = Duration::from_secs(30);

impl Database {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        create(&folder.path().join("queue.db"));
        let clock = HandClock::new();
        let store = SqliteStore::open(options(&folder, &clock)).unwrap();
        Self { folder, clock, store, others: Mutex::default() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("queue.db")
    }

    pub(crate) fn options(&self) -> SqliteOptions {
        options(&self.folder, &self.clock)
    }

    /// Another store on the same file, like that of another process.
    pub(crate) fn another_store(&self) -> SqliteStore {
        let store = SqliteStore::open(self.options()).unwrap();
        self.others.lock().unwrap().push(store.clone());
        store
    }

    /// Time passes, and the first store searches for lost workers all the time.
    pub(crate) async fn look_for(&self, span: Duration) -> Reclaimed {
        let mut all = self.store.reclaim().await.unwrap();
        for _ in 0..span.as_millis() / 500 {
            self.clock.advance(Duration::from_millis(500));
            let reclaimed = self.store.reclaim().await.unwrap();
            all.workers.extend(reclaimed.workers);
            all.jobs += reclaimed.jobs;
        }
        all
    }

    /// A plain connection like that of another program: triggers on, without the engine.
    pub(crate) fn foreign(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.foreign().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// The size of the file, including its log.
    pub(crate) fn bytes(&self) -> u64 {
        u64::try_from(self.number("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")).unwrap()
    }

    pub(crate) async fn enqueue(&self, job: NewJob) -> JobId {
        self.enqueued(job).await.id
    }

    pub(crate) async fn enqueued(&self, job: NewJob) -> Enqueued {
        self.store.enqueue(vec![job]).await.unwrap()[0]
    }

    pub(crate) async fn worker(&self) -> WorkerId {
        register(&self.store).await
    }

    pub(crate) async fn claim(&self, worker_id: &WorkerId, limit: u32) -> Claimed {
        self.store.claim(request(worker_id, limit)).await.unwrap()
    }

    pub(crate) async fn claim_one(&self, worker_id: &WorkerId) -> Lease {
        let mut leases = self.claim(worker_id, 1).await.leases;
        assert_eq!(leases.len(), 1, "one job is ready");
        leases.remove(0)
    }

    pub(crate) async fn record(&self, worker_id: &WorkerId, lease: &Lease, outcome: Outcome) -> Recorded {
        let record = self.outcome(lease, outcome);
        self.store.record(worker_id.clone(), [record].into()).await.unwrap().remove(0)
    }

    pub(crate) fn outcome(&self, lease: &Lease, outcome: Outcome) -> Record {
        Record {
            id: lease.id,
            claim_number: lease.claim_number,
            outcome,
            attempt: lease.attempt(),
            ran: Some(Duration::ZERO),
            ended_ago: Duration::ZERO,
            log: Vec::new(),
            slow_down: None,
        }
    }

    pub(crate) async fn detail(&self, id: JobId) -> JobDetail {
        self.store.job(id).await.unwrap().expect("the job is there")
    }

    pub(crate) async fn job(&self, id: JobId) -> Job {
        self.detail(id).await.job
    }

    /// The stored counts must equal the number of rows.
    pub(crate) fn assert_counts_are_true(&self) {
        let wrong = "SELECT group_concat(queue || '/' || status || ' ' || kept || ' for ' || counted)
            FROM (SELECT queue, status, sum(kept) AS kept, sum(counted) AS counted FROM (
                SELECT queue, status, jobs AS kept, 0 AS counted FROM job_depths
                UNION ALL SELECT COALESCE(queue, 'default'), status, 0, 1 FROM job_queue) GROUP BY queue, status)
            WHERE kept <> counted";
        let wrong: Option<String> = self.foreign().query_row(wrong, [], |row| row.get(0)).unwrap();
        assert_eq!(wrong, None);
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        for store in self.others.lock().unwrap().iter() {
            store.close();
        }
        self.store.close();
    }
}

fn options(folder: &TempDir, clock: &Arc<HandClock>) -> SqliteOptions {
    SqliteOptions::new(folder.path().join("queue.db")).clock(Arc::clone(clock) as Arc<dyn Clock>)
}

/// Applies the migrations to a new file.
pub(crate) fn create(path: &Path) {
    crate::template::create_migrated(path);
}

pub(crate) fn job() -> NewJob {
    NewJob::new("mail", JobData::parse(r#"{"to":"you"}"#).unwrap())
}

pub(crate) async fn register(store: &SqliteStore) -> WorkerId {
    longshore_testkit::register_for_good(store, registration()).await
}

pub(crate) fn registration() -> Registration {
    Registration {
        worker_id: WorkerId::random(),
        host: "here".to_owned(),
        pid: 1,
        lease: LEASE,
        queues: Vec::new(),
        job_types: types(),
        settings: Arc::new([]),
        concurrency: 8,
        presence: Presence::Process,
    }
}

pub(crate) fn types() -> Arc<[String]> {
    Arc::new(["mail".to_owned(), "sms".to_owned()])
}

pub(crate) fn request(worker_id: &WorkerId, limit: u32) -> ClaimRequest {
    ClaimRequest {
        request_id: request_id(),
        worker_id: worker_id.clone(),
        job_types: types(),
        scope: QueueScope::All,
        limit,
        limited_max: limit,
    }
}

pub(crate) fn ids(claimed: &Claimed) -> Vec<JobId> {
    claimed.leases.iter().map(|lease| lease.id).collect()
}
