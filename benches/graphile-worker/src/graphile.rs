//! graphile_worker with its local queue.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use graphile_worker::tokio_postgres::TokioPostgresDatabase;
use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, RawJobSpec, RefetchDelayConfig, TaskHandler, Worker,
    WorkerContext, WorkerContextExt, WorkerOptions,
};
use tokio::sync::Notify;

use crate::{Payload, Told};

pub(crate) const SCHEMA: &str = "graphile_worker_beside";
/// These are the settings of its own benchmark.
const CONCURRENCY: usize = 96;
const CONNECTIONS: u32 = 100;
const POLL: Duration = Duration::from_millis(100);
const REFETCH: Duration = Duration::from_millis(10);
const BATCH: Duration = Duration::from_millis(5);
/// How many jobs are enqueued at a time.
const PART: u64 = 10_000;

/// One way to set it up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Graphile {
    pub(crate) driver: Driver,
    pub(crate) local_queues: usize,
    pub(crate) size: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Driver {
    Sqlx,
    TokioPostgres,
}

impl fmt::Display for Graphile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let driver = match self.driver {
            Driver::Sqlx => "sqlx",
            Driver::TokioPostgres => "tokio-postgres",
        };
        let text = format!("graphile_worker, {driver}, {} x {}", self.local_queues, self.size);
        write!(f, "{text:<43}")
    }
}

/// An initialised worker.
pub(crate) struct Running {
    worker: Worker,
    all: Arc<Notify>,
}

impl Graphile {
    pub(crate) async fn open(self, url: &str, told: Told) -> Result<Running> {
        let options = match self.driver {
            Driver::Sqlx => WorkerOptions::default().database_url(url).max_pg_conn(CONNECTIONS),
            Driver::TokioPostgres => {
                WorkerOptions::default().database(TokioPostgresDatabase::from_url(url, CONNECTIONS as usize)?)
            }
        };
        let refetch = RefetchDelayConfig::default().with_duration(REFETCH);
        let queue = LocalQueueConfig::default().with_size(self.size).with_queue_count(self.local_queues);
        let all = Arc::clone(&told.all);
        let worker = options
            .schema(SCHEMA)
            .concurrency(CONCURRENCY)
            .poll_interval(POLL)
            .local_queue(queue.with_refetch_delay(refetch))
            .complete_job_batch_delay(BATCH)
            .fail_job_batch_delay(BATCH)
            .listen_os_shutdown_signals(false)
            .add_extension(told)
            .define_job::<Payload>()
            .init()
            .await?;
        Ok(Running { worker, all })
    }
}

impl Running {
    pub(crate) async fn enqueue(&self, jobs: u64) -> Result<()> {
        let (utils, payload) = (self.worker.create_utils(), serde_json::to_value(Payload::now())?);
        let mut left = jobs;
        while left > 0 {
            let part = left.min(PART);
            let job = || RawJobSpec {
                identifier: Payload::IDENTIFIER.to_owned(),
                payload: payload.clone(),
                spec: JobSpec::default(),
            };
            let jobs: Vec<RawJobSpec> = std::iter::repeat_with(job).take(usize::try_from(part)?).collect();
            utils.add_raw_jobs(&jobs).await?;
            left -= part;
        }
        Ok(())
    }

    pub(crate) async fn enqueue_one(&self) -> Result<()> {
        self.worker.create_utils().add_job(Payload::now(), JobSpec::default()).await?;
        Ok(())
    }

    /// Runs until it has told of all jobs, and has stored what became of them.
    pub(crate) async fn run(&self) -> Result<()> {
        let stop = async {
            self.all.notified().await;
            self.worker.request_shutdown();
        };
        let (ran, ()) = tokio::join!(self.worker.run(), stop);
        Ok(ran?)
    }
}

impl TaskHandler for Payload {
    const IDENTIFIER: &'static str = "bench";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        if let Some(told) = context.get_ext::<Told>() {
            told.count(&self);
        }
        Ok::<(), String>(())
    }
}
