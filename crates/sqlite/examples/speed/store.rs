use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore_core::{
    ClaimRequest, Claimed, JobData, Lease, NewJob, Outcome, QueueScope, Record, Registration, Store, WorkerId,
    stream_of,
};
use longshore_sqlite::rusqlite::{Connection, params};
use longshore_sqlite::{SqliteOptions, SqliteStore};
use longshore_testkit::request_id;
use tempfile::TempDir;

use crate::raw::JOB_DATA;

/// What else is in the database.
#[derive(Clone, Copy)]
pub(crate) enum Burden {
    None,
    /// Jobs that wait behind those that are drained.
    Waiting,
    /// Jobs that have ended.
    Ended,
}

/// A database with its folder.
pub(crate) struct File {
    folder: TempDir,
}

impl File {
    pub(crate) fn new() -> Self {
        let file = Self { folder: folder() };
        longshore_sqlite::schema::latest_up(file.path()).unwrap();
        file
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("queue.db")
    }

    pub(crate) fn store(&self) -> SqliteStore {
        SqliteStore::open(SqliteOptions::new(self.path())).unwrap()
    }
}

/// Beside the build, because a temporary folder may be in memory, where a commit costs nothing.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target")).unwrap()
}

fn job() -> NewJob {
    NewJob::new("noop", JobData::parse(JOB_DATA).unwrap())
}

/// So many producers, each awaiting every acknowledgement; in jobs a second.
pub(crate) async fn enqueue(count: usize, producers: usize) -> f64 {
    let file = File::new();
    let store = file.store();
    produce(&store, 1000, producers).await;
    let begun = Instant::now();
    produce(&store, count, producers).await;
    count as f64 / begun.elapsed().as_secs_f64()
}

async fn produce(store: &SqliteStore, count: usize, producers: usize) {
    let mut tasks = Vec::with_capacity(producers);
    for _ in 0..producers {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..count / producers {
                store.enqueue(vec![job()]).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

/// One stream in one transaction, compared with raw transactions of 1000; in jobs a second.
pub(crate) async fn bulk(count: usize) -> f64 {
    let file = File::new();
    let store = file.store();
    store.enqueue(vec![job()]).await.unwrap();
    let begun = Instant::now();
    store.enqueue_stream(stream_of((0..count).map(|_| Ok(job())))).await.unwrap();
    count as f64 / begun.elapsed().as_secs_f64()
}

/// A database with a burden, ready for several drains.
pub(crate) fn prepare(burden: Burden, rows: usize) -> File {
    let file = File::new();
    let (status, ended, priority) = match burden {
        Burden::None => return file,
        Burden::Waiting => ("pending", None, 0),
        Burden::Ended => ("completed", Some(7), 5),
    };
    let mut connection = Connection::open(file.path()).unwrap();
    let tx = connection.transaction().unwrap();
    {
        let sql =
            "INSERT INTO job_queue (job_type, job_data, status, priority, completed_at) VALUES (?1, ?2, ?3, ?4, ?5)";
        let mut insert = tx.prepare(sql).unwrap();
        for _ in 0..rows {
            insert.execute(params!["noop", JOB_DATA, status, priority, ended]).unwrap();
        }
    }
    tx.commit().unwrap();
    file
}

/// Claims and records in batches of 1000, one after the other; in jobs a second.
pub(crate) async fn drain(count: usize, burden: Burden) -> f64 {
    let file = prepare(burden, 0);
    drain_in(&file, count).await
}

pub(crate) async fn drain_in(file: &File, count: usize) -> f64 {
    let store = file.store();
    store.enqueue_stream(stream_of((0..count).map(|_| Ok(job())))).await.unwrap();
    let worker_id = register(&store).await;
    let begun = Instant::now();
    let mut drained = 0;
    while drained < count {
        drained += drain_batch(&store, &worker_id).await;
    }
    let speed = drained as f64 / begun.elapsed().as_secs_f64();
    store.retire(worker_id).await.unwrap();
    store.close();
    speed
}

async fn drain_batch(store: &SqliteStore, worker_id: &WorkerId) -> usize {
    let claimed = store.claim(request(worker_id, 1000)).await.unwrap();
    let records = completed(claimed);
    let count = records.len();
    store.record(worker_id.clone(), records.into()).await.unwrap();
    count
}

/// As a worker does it that claims the next batch while the last one is recorded; both share a transaction.
pub(crate) async fn drain_ahead(count: usize) -> f64 {
    let file = File::new();
    let store = file.store();
    store.enqueue_stream(stream_of((0..count).map(|_| Ok(job())))).await.unwrap();
    let worker_id = register(&store).await;
    let begun = Instant::now();
    let mut claimed = store.claim(request(&worker_id, 1000)).await.unwrap();
    let mut drained = 0;
    while !claimed.leases.is_empty() {
        let records = completed(claimed);
        drained += records.len();
        let (recorded, next) =
            tokio::join!(store.record(worker_id.clone(), records.into()), store.claim(request(&worker_id, 1000)));
        recorded.unwrap();
        claimed = next.unwrap();
    }
    drained as f64 / begun.elapsed().as_secs_f64()
}

fn completed(claimed: Claimed) -> Vec<Record> {
    let record = |lease: Lease| Record {
        id: lease.id,
        claim_number: lease.claim_number,
        outcome: Outcome::Completed { result: None },
        attempt: lease.attempt(),
        ran: Some(Duration::ZERO),
        ended_ago: Duration::ZERO,
        log: Vec::new(),
    };
    claimed.leases.into_iter().map(record).collect()
}

pub(crate) async fn register(store: &SqliteStore) -> WorkerId {
    let worker_id = WorkerId::random();
    let registration = Registration {
        worker_id: worker_id.clone(),
        host: "here".to_owned(),
        pid: std::process::id(),
        lease: Duration::from_secs(3600),
        queues: Vec::new(),
        job_types: types(),
        concurrency: 1,
    };
    store.register(registration).await.unwrap();
    worker_id
}

fn types() -> Arc<[String]> {
    Arc::new(["noop".to_owned(), "mail".to_owned(), "thumbnail".to_owned()])
}

pub(crate) fn request(worker_id: &WorkerId, limit: u32) -> ClaimRequest {
    ClaimRequest {
        request_id: request_id(),
        worker_id: worker_id.clone(),
        job_types: types(),
        scope: QueueScope::All,
        limit,
    }
}
