//! Measures Longshore through its public API, with a handler that does nothing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use longshore::backend::{ClaimRequest, QueueScope, Record, Registration, RequestId};
use longshore::limits::{LimitRule, LimitSubject};
use longshore::{
    AttemptResult, BoxFuture, CurrentAttempt, Done, Handler, JobData, Lease, NewJob, Outcome, Queue, StoreError,
    Worker, WorkerId,
};
use longshore_sqlite::{SqliteOptions, SqliteStore};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::report::BenchRequest;
use super::{PAYLOAD, Rate};
use crate::arguments::Durability;

/// The job type of the benchmark.
pub(super) const JOB_TYPE: &str = "bench";
const CONCURRENCY: u32 = 256;
const PRODUCERS: u64 = 64;
/// The batch size of the drain without a worker, the same as in the drain by hand.
const BATCH: u32 = 1000;
/// Longer than a measurement, so that no heartbeat is needed.
const LEASE: Duration = Duration::from_secs(3600);
/// Rates of Longshore, in jobs a second.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct OwnRates {
    /// One producer that waits for each enqueue.
    pub enqueue_1: Rate,
    /// Sixty-four producers, each of which waits for each enqueue.
    pub enqueue_64: Rate,
    /// One stream in one transaction.
    pub bulk: Rate,
    /// Waiting jobs that are claimed and recorded without a worker.
    pub drain_store: Rate,
    /// Waiting jobs that a worker runs.
    pub drain: Rate,
    /// The same, with the backlog waiting behind them: two million jobs by default.
    pub drain_waiting_2m: Rate,
    /// The same, with as many ended jobs in the table.
    pub drain_ended_2m: Rate,
    /// Jobs of two thousand keys, of each of which two may run at once.
    pub drain_limited: Rate,
}

impl OwnRates {
    /// The median of each rate over the rounds.
    pub(super) fn median(rounds: &[Self]) -> Self {
        let middle = |rate: fn(&Self) -> Rate| Rate::median(rounds.iter().map(rate).collect());
        Self {
            enqueue_1: middle(|round| round.enqueue_1),
            enqueue_64: middle(|round| round.enqueue_64),
            bulk: middle(|round| round.bulk),
            drain_store: middle(|round| round.drain_store),
            drain: middle(|round| round.drain),
            drain_waiting_2m: middle(|round| round.drain_waiting_2m),
            drain_ended_2m: middle(|round| round.drain_ended_2m),
            drain_limited: middle(|round| round.drain_limited),
        }
    }
}

/// Two large queues: one with waiting jobs, one with ended jobs.
pub(super) struct Crowds {
    waiting: Queue,
    ended: Queue,
}

impl Crowds {
    /// Creates both in `folder`, with enough jobs for all rounds.
    pub(super) async fn gather(folder: &Path, request: &BenchRequest) -> Result<Self> {
        let waiting = open(&folder.join("waiting.db"), request.durability)?;
        enqueue_bulk(&waiting, request.backlog + request.jobs * request.rounds).await?;
        let ended = open(&folder.join("ended.db"), request.durability)?;
        add_ended(&folder.join("ended.db"), request.backlog)?;
        Ok(Self { waiting, ended })
    }
}

/// Measures one round on a new file in `folder`, and on the large queues.
pub(super) async fn measure(folder: &Path, crowds: &Crowds, jobs: u64, durability: Durability) -> Result<OwnRates> {
    let queue = open(&folder.join("own.db"), durability)?;
    let singles = (jobs / 40).clamp(200, 5_000);
    let enqueue_1 = enqueue_one_by_one(&queue, singles).await?;
    let enqueue_64 = enqueue_from_many(&queue, (jobs / 2).max(PRODUCERS)).await?;
    let bulk = enqueue_bulk(&queue, jobs).await?;

    let light = open(&folder.join("drain.db"), durability)?;
    enqueue_bulk(&light, jobs).await?;
    enqueue_bulk(&crowds.ended, jobs).await?;
    let drain_store = drain_store(&queue, jobs).await?;
    let drain = drain_from(&light, jobs).await?;
    let drain_waiting_2m = drain_from(&crowds.waiting, jobs).await?;
    let drain_ended_2m = drain_from(&crowds.ended, jobs).await?;
    let limited = open(&folder.join("limited.db"), durability)?;
    enqueue_limited(&limited, jobs).await?;
    let drain_limited = drain_from(&limited, jobs).await?;
    Ok(OwnRates { enqueue_1, enqueue_64, bulk, drain_store, drain, drain_waiting_2m, drain_ended_2m, drain_limited })
}

/// Measures one producer that waits for each enqueue, on a new file.
pub(super) async fn measure_singles(folder: &Path, jobs: u64, durability: Durability) -> Result<Rate> {
    enqueue_one_by_one(&open(&folder.join("own.db"), durability)?, jobs).await
}

/// Creates a database with the queue's schema.
pub(super) fn open(path: &Path, durability: Durability) -> Result<Queue> {
    longshore_sqlite::schema::latest_up(path).context("could not create the queue's tables")?;
    let store = SqliteStore::open(SqliteOptions::new(path).durability(durability.into()))?;
    Ok(Queue::from_backend(Arc::new(store)))
}

/// A job as every producer of the benchmark makes it.
pub(super) fn new_job() -> NewJob {
    NewJob::new(JOB_TYPE, JobData::from_stored(PAYLOAD.to_owned()))
}

pub(super) async fn enqueue_one_by_one(queue: &Queue, jobs: u64) -> Result<Rate> {
    let begin = Instant::now();
    for _ in 0..jobs {
        queue.enqueue_job(new_job()).await?;
    }
    Ok(Rate::since(jobs, begin))
}

pub(super) async fn enqueue_from_many(queue: &Queue, jobs: u64) -> Result<Rate> {
    let each = jobs / PRODUCERS;
    let begin = Instant::now();
    let mut producers = JoinSet::new();
    for _ in 0..PRODUCERS {
        let queue = queue.clone();
        producers.spawn(async move {
            for _ in 0..each {
                queue.enqueue_job(new_job()).await?;
            }
            Ok::<(), StoreError>(())
        });
    }
    while let Some(producer) = producers.join_next().await {
        producer??;
    }
    Ok(Rate::since(each * PRODUCERS, begin))
}

pub(super) async fn enqueue_bulk(queue: &Queue, jobs: u64) -> Result<Rate> {
    let begin = Instant::now();
    queue.enqueue_iter((0..jobs).map(|_| Ok(new_job()))).await?;
    Ok(Rate::since(jobs, begin))
}

/// How many keys the jobs under a limit have, and how many of each may run at once.
const KEYS: u64 = 2000;
const KEY_CONCURRENCY: u32 = 2;

/// Enqueues jobs of many keys, each under a limit.
pub(super) async fn enqueue_limited(queue: &Queue, jobs: u64) -> Result<()> {
    let rule = LimitRule { key: Some("/key".parse()?), key_concurrency: Some(KEY_CONCURRENCY), ..LimitRule::default() };
    queue.limits().set(LimitSubject::Type(JOB_TYPE.to_owned()), rule).await?;
    let job = |number: u64| {
        let data = JobData::parse(format!(r#"{{"key":{}}}"#, number % KEYS)).expect("an object with a number is JSON");
        NewJob::new(JOB_TYPE, data)
    };
    queue.enqueue_iter((0..jobs).map(move |number| Ok(job(number)))).await?;
    Ok(())
}

/// Runs a worker until it has handled `jobs` jobs. Other jobs stay in the queue.
pub(super) async fn drain_from(queue: &Queue, jobs: u64) -> Result<Rate> {
    let handled = Arc::new(Countdown { left: AtomicU64::new(jobs), reached: Notify::new() });
    let counting = Counting(Arc::clone(&handled));
    let worker = Worker::new(queue).concurrency(CONCURRENCY).handler(JOB_TYPE, Arc::new(counting));
    let begin = Instant::now();
    worker.run(async move { handled.reached.notified().await }).await?;
    Ok(Rate::since(jobs, begin))
}

/// Claims and records `jobs` without a worker. As a worker does, it claims the next batch while it records the last
/// one.
pub(super) async fn drain_store(queue: &Queue, jobs: u64) -> Result<Rate> {
    let (store, worker_id) = (queue.backend(), WorkerId::random());
    let job_types: Arc<[String]> = Arc::new([JOB_TYPE.to_owned()]);
    // Kept until the end: without its session the worker would be taken for dead.
    let _session = store.register(registration(&worker_id, &job_types)).await?;
    let claim = |number| ClaimRequest {
        request_id: RequestId(number),
        worker_id: worker_id.clone(),
        job_types: Arc::clone(&job_types),
        scope: QueueScope::All,
        limit: BATCH,
        limited_max: BATCH,
    };
    let begin = Instant::now();
    let mut leases = store.claim(claim(1)).await?.leases;
    let (mut drained, mut number) = (0, 1);
    while drained < jobs && !leases.is_empty() {
        drained += leases.len() as u64;
        number += 1;
        let records: Arc<[Record]> = leases.iter().map(completed).collect();
        let (recorded, claimed) = tokio::join!(store.record(worker_id.clone(), records), store.claim(claim(number)));
        recorded?;
        leases = claimed?.leases;
    }
    let rate = Rate::since(drained, begin);
    store.retire(worker_id).await?;
    Ok(rate)
}

fn registration(worker_id: &WorkerId, job_types: &Arc<[String]>) -> Registration {
    Registration {
        worker_id: worker_id.clone(),
        host: "bench".to_owned(),
        pid: std::process::id(),
        lease: LEASE,
        queues: Vec::new(),
        job_types: Arc::clone(job_types),
        settings: Arc::new([]),
        concurrency: 1,
        presence: longshore_core::Presence::Process,
    }
}

fn completed(lease: &Lease) -> Record {
    let outcome = Outcome::Completed { result: None };
    Record { outcome, ran: Some(Duration::ZERO), ..Record::returned(lease) }
}

/// Inserts ended jobs by hand. Only their number matters.
fn add_ended(path: &Path, jobs: u64) -> Result<()> {
    let mut connection = Connection::open(path)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    let transaction = connection.transaction()?;
    transaction.execute(include_str!("add_ended.sql"), (JOB_TYPE, PAYLOAD, i64::try_from(jobs)?))?;
    transaction.execute(
        "INSERT INTO job_depths (queue, status, jobs) VALUES ('default', 'completed', ?1)",
        [i64::try_from(jobs)?],
    )?;
    Ok(transaction.commit()?)
}

struct Countdown {
    left: AtomicU64,
    reached: Notify,
}

/// A handler that only counts.
struct Counting(Arc<Countdown>);

impl Handler for Counting {
    fn run(&self, _attempt: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        if self.0.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.reached.notify_one();
        }
        Box::pin(std::future::ready(Ok(Done::Completed { result: None })))
    }
}
