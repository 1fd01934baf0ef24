use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use fastrand::Rng;
use longshore::{NewJob, Queue, QueueError};
use longshore_core::{JobData, StoreError};
use longshore_postgres::tokio_postgres::{Client, Error};
use longshore_postgres::{PostgresUrl, connect};
use tokio::runtime::{Builder, Runtime};

use super::postgres_queue::PostgresQueue;
use crate::ledger::{Expected, Ledger};

/// A job of an application that keeps its transaction open.
pub(crate) const INSERT: &str =
    "INSERT INTO longshore.job_queue (job_type, job_data) VALUES ('note', '{}') RETURNING id";
/// Enough for the way of whole batches, which is another one than that of a few.
const BULK: usize = 600;
const PAUSE: Duration = Duration::from_millis(100);

/// Enqueues jobs of every kind, a few at a time and now and then very many, and children that wait for their parents.
pub(crate) fn produce_batches(queue: &PostgresQueue, ledger: &Ledger, stop: &AtomicBool, mut random: Rng) {
    let url = queue.servers.url();
    runtime().block_on(async {
        let queue = loop {
            match Queue::open(&url).await {
                Ok(queue) => break queue,
                Err(QueueError::Store(error)) => assert_passing(&error).await,
                Err(error) => panic!("{error}"),
            }
        };
        let mut parent = None;
        while !stop.load(Ordering::SeqCst) {
            let count = if random.u8(0..80) == 0 { BULK } else { random.usize(1..16) };
            let kinds: Vec<_> = (0..count).map(|_| any_kind(&mut random)).collect();
            let mut jobs: Vec<NewJob> = kinds.iter().map(|(job_type, _)| new_job(job_type)).collect();
            if let Some(parent) = parent.take() {
                jobs[0] = jobs[0].clone().parent(parent);
            }
            match queue.enqueue_all(jobs).await {
                Ok(enqueued) => {
                    for (made, (_, expected)) in enqueued.iter().zip(&kinds) {
                        ledger.note(made.id.0, *expected);
                    }
                    // A child of a dead letter would be one, too.
                    let can_be_parent = kinds[0].1 != Expected::DeadLetter;
                    parent = enqueued.first().map(|made| made.id).filter(|_| can_be_parent);
                }
                Err(error) => assert_passing(&error).await,
            }
            tokio::time::sleep(Duration::from_millis(random.u64(50..200))).await;
        }
    });
}

async fn assert_passing(error: &StoreError) {
    assert!(error.is_passing(), "an enqueue failed for good: {error:?}");
    tokio::time::sleep(PAUSE).await;
}

fn any_kind(random: &mut Rng) -> (&'static str, Expected) {
    match random.u8(0..10) {
        0 => ("doomed", Expected::DeadLetter),
        1 | 2 => ("flaky", Expected::Marked),
        3..6 => ("exact", Expected::Committed),
        _ => ("note", Expected::Marked),
    }
}

fn new_job(job_type: &str) -> NewJob {
    NewJob::new(job_type, JobData::parse("{}").unwrap()).max_crashes(1000)
}

/// Transactions that commit seconds after later ids have run.
#[derive(Debug, Default)]
pub(crate) struct LateFigures {
    committed: AtomicU32,
    after_later_ones: AtomicU32,
}

impl LateFigures {
    pub(crate) fn print(&self) {
        let [committed, after] = [&self.committed, &self.after_later_ones].map(|figure| figure.load(Ordering::SeqCst));
        println!("{committed} late transactions committed, {after} of them after later ids had ended");
    }

    pub(crate) fn assert_some(&self) {
        assert!(self.after_later_ones.load(Ordering::SeqCst) > 0, "no transaction committed after later ids");
    }
}

/// Enqueues by plain SQL in transactions that stay open for seconds.
pub(crate) fn produce_late(
    queue: &PostgresQueue,
    ledger: &Ledger,
    stop: &AtomicBool,
    late: &LateFigures,
    mut random: Rng,
) {
    let url: PostgresUrl = queue.servers.url().parse().unwrap();
    runtime().block_on(async {
        while !stop.load(Ordering::SeqCst) {
            let open_for = Duration::from_millis(random.u64(500..5000));
            let Ok((client, task)) = connect(&url).await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            tokio::spawn(async move { drop(task.await) });
            // Without an acknowledged commit nobody expects the job.
            if let Ok((id, is_after_later_ones)) = commit_late(&client, open_for).await {
                ledger.note(id, Expected::Marked);
                late.committed.fetch_add(1, Ordering::SeqCst);
                late.after_later_ones.fetch_add(u32::from(is_after_later_ones), Ordering::SeqCst);
            }
        }
    });
}

async fn commit_late(client: &Client, open_for: Duration) -> Result<(i64, bool), Error> {
    client.batch_execute("BEGIN").await?;
    let id: i64 = client.query_one(INSERT, &[]).await?.get(0);
    tokio::time::sleep(open_for).await;
    let later = client.query_one("SELECT EXISTS (SELECT FROM longshore.ended WHERE id > $1)", &[&id]).await?.get(0);
    client.batch_execute("COMMIT").await?;
    Ok((id, later))
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}
