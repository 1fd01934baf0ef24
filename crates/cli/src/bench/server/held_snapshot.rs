//! Full load while another session holds a snapshot, so that no row that is gone can be removed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use longshore::{AttemptResult, BoxFuture, CurrentAttempt, Done, Handler, Queue, Worker, WorkerError};
use longshore_postgres::tokio_postgres::Client;
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::super::Rate;
use super::super::own::{JOB_TYPE, enqueue_bulk};
use super::own::ServerQueues;

/// How many jobs are enqueued at a time, so that twice as many wait at most.
const PART: u64 = 20_000;
/// How long the load runs before anything is measured.
const WARM_UP: Duration = Duration::from_secs(2);
const CONCURRENCY: u32 = 256;
/// The tables that jobs enter and leave.
const HOT_TABLES: [&str; 7] = ["ready", "later", "blocked", "running", "claim", "started", "change"];

/// What such a run has shown.
#[derive(Clone, Debug, Serialize)]
pub(super) struct HeldSnapshot {
    /// How long the snapshot was held.
    seconds: f64,
    /// Jobs that ended meanwhile.
    jobs: u64,
    /// Jobs a second under the same load before the snapshot.
    pub(super) before: Rate,
    /// In the first fifth of the time with it.
    at_first: Rate,
    /// In the last fifth.
    pub(super) at_last: Rate,
    /// By how much the tables that jobs enter and leave have grown, with their indexes.
    growth_bytes: i64,
    pub(super) growth_bytes_per_job: f64,
}

impl HeldSnapshot {
    /// Measures for `span`, and for a fifth of it before.
    pub(super) async fn measure(queues: &ServerQueues, span: Duration) -> Result<Self> {
        let queue = queues.open("load")?;
        let load = Load::start(&queue);
        let part = span / 5;
        tokio::time::sleep(WARM_UP).await;
        let before = load.rate_of(part).await;
        let (analyst, reader) = (queues.by_hand().session().await?, queues.by_hand().session().await?);
        analyst.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class").await?;
        let (begin, jobs, bytes) = (Instant::now(), load.handled(), hot_bytes(&reader, queues).await?);
        let at_first = load.rate_of(part).await;
        tokio::time::sleep(part * 3).await;
        let at_last = load.rate_of(part).await;
        let (jobs, growth_bytes) = (load.handled() - jobs, hot_bytes(&reader, queues).await? - bytes);
        let seconds = begin.elapsed().as_secs_f64();
        analyst.batch_execute("COMMIT").await?;
        load.stop().await?;
        let growth_bytes_per_job = (growth_bytes as f64 / (jobs.max(1) as f64) * 10.0).round() / 10.0;
        Ok(Self { seconds, jobs, before, at_first, at_last, growth_bytes, growth_bytes_per_job })
    }
}

async fn hot_bytes(client: &Client, queues: &ServerQueues) -> Result<i64> {
    let names: Vec<String> = HOT_TABLES.iter().map(|table| format!("{}.{table}", queues.schema("load"))).collect();
    let sql = "SELECT sum(pg_total_relation_size(name::regclass))::bigint FROM unnest($1::text[]) t (name)";
    Ok(client.query_one(sql, &[&names]).await?.try_get(0)?)
}

/// A producer that keeps jobs waiting, and a worker that runs them.
struct Load {
    handled: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    stop_worker: oneshot::Sender<()>,
    worker: JoinHandle<Result<(), WorkerError>>,
    producer: JoinHandle<Result<()>>,
}

impl Load {
    fn start(queue: &Queue) -> Self {
        let (handled, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (stop_worker, stopped) = oneshot::channel::<()>();
        let handler = Arc::new(Counting(Arc::clone(&handled)));
        let worker = Worker::new(queue).concurrency(CONCURRENCY).handler(JOB_TYPE, handler);
        let worker = tokio::spawn(worker.run(async move { drop(stopped.await) }));
        let producer = tokio::spawn(produce(queue.clone(), Arc::clone(&handled), Arc::clone(&is_over)));
        Self { handled, is_over, stop_worker, worker, producer }
    }

    fn handled(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }

    async fn rate_of(&self, span: Duration) -> Rate {
        let (begin, before) = (Instant::now(), self.handled());
        tokio::time::sleep(span).await;
        Rate::since(self.handled() - before, begin)
    }

    async fn stop(self) -> Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        self.producer.await??;
        drop(self.stop_worker);
        Ok(self.worker.await??)
    }
}

async fn produce(queue: Queue, handled: Arc<AtomicU64>, is_over: Arc<AtomicBool>) -> Result<()> {
    let mut enqueued: u64 = 0;
    while !is_over.load(Ordering::Relaxed) {
        if enqueued.saturating_sub(handled.load(Ordering::Relaxed)) > PART {
            tokio::time::sleep(Duration::from_millis(2)).await;
            continue;
        }
        enqueue_bulk(&queue, PART).await?;
        enqueued += PART;
    }
    Ok(())
}

/// A handler that only counts.
struct Counting(Arc<AtomicU64>);

impl Handler for Counting {
    fn run(&self, _attempt: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(Ok(Done::Completed { result: None })))
    }
}
