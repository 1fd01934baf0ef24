//! Longshore with a worker of its own process.

use std::sync::Arc;

use anyhow::Result;
use longshore::{AttemptResult, BoxFuture, CurrentAttempt, Done, Handler, JobData, NewJob, Queue, Worker};
use longshore_postgres::{PostgresOptions, PostgresStore, PostgresUrl, Prepare};

use crate::{Payload, Told};

pub(crate) const SCHEMA: &str = "longshore_beside";
const JOB_TYPE: &str = "bench";
const CONCURRENCY: u32 = 256;

pub(crate) struct Ours(Queue);

impl Ours {
    pub(crate) fn create(url: &str) -> Result<Self> {
        let url: PostgresUrl = url.parse()?;
        let options = PostgresOptions::new(url.in_schema(SCHEMA)?);
        let (store, _) = PostgresStore::open_prepared(options, Prepare::Beside)?;
        Ok(Self(Queue::from_backend(Arc::new(store))))
    }

    pub(crate) async fn enqueue(&self, jobs: u64) -> Result<()> {
        let data = JobData::encode(&Payload::now())?;
        self.0.enqueue_iter((0..jobs).map(move |_| Ok(NewJob::new(JOB_TYPE, data.clone())))).await?;
        Ok(())
    }

    pub(crate) async fn enqueue_one(&self) -> Result<()> {
        self.0.enqueue_job(NewJob::new(JOB_TYPE, JobData::encode(&Payload::now())?)).await?;
        Ok(())
    }

    /// Runs a worker until it has told of all jobs.
    pub(crate) async fn run(&self, told: Told) -> Result<()> {
        let all = Arc::clone(&told.all);
        let worker = Worker::new(&self.0).concurrency(CONCURRENCY).handler(JOB_TYPE, Arc::new(Counting(told)));
        Ok(worker.run(async move { all.notified().await }).await?)
    }
}

struct Counting(Told);

impl Handler for Counting {
    fn run(&self, attempt: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        let told = self.0.clone();
        Box::pin(async move {
            told.count(&attempt.payload().decode()?);
            Ok(Done::Completed { result: None })
        })
    }
}
