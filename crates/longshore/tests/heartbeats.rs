//! How often idle workers write: several workers on one file, as in several processes.

#![expect(clippy::unwrap_used, reason = "the lint knows tests, but not the functions that they share")]

use std::path::Path;
use std::time::Duration;

use longshore::testing::ScratchQueue;
use longshore::{Payload, Queue, Status, Worker, WorkerError, rusqlite};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Heartbeats are a sixth of the lease apart, so each worker sends six of them in the span.
const LEASE: Duration = Duration::from_secs(3);
const SPAN: Duration = Duration::from_secs(3);
/// The number of heartbeats in the span, with a large margin.
const DUE: i64 = 9;

#[derive(Serialize, Deserialize)]
struct Wait {}

impl Payload for Wait {
    const JOB_TYPE: &'static str = "wait";
}

/// Workers, each with its own store, and the way to stop them.
struct Crowd {
    workers: JoinSet<Result<(), WorkerError>>,
    stop: watch::Sender<bool>,
}

impl Crowd {
    async fn gather(path: &Path, number: usize) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut workers = JoinSet::new();
        for _ in 0..number {
            let queue = Queue::open(path.display().to_string()).await.unwrap();
            let mut stopped = stopped.clone();
            workers.spawn(async move {
                let worker = Worker::new(&queue).concurrency(1).lease(LEASE).handle(|_: Wait, attempt| async move {
                    attempt.stopped().await;
                    attempt.check()?;
                    Ok(())
                });
                let asked = async { drop(stopped.wait_for(|is_asked| *is_asked).await) };
                worker.run(asked).await
            });
        }
        Self { workers, stop }
    }

    async fn stop(mut self) {
        self.stop.send_replace(true);
        while let Some(ended) = self.workers.join_next().await {
            ended.unwrap().unwrap();
        }
    }
}

fn number(path: &Path, sql: &str) -> i64 {
    rusqlite::Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

async fn until(path: &Path, sql: &str, expected: i64) {
    for _ in 0..1500 {
        if number(path, sql) == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{sql} is not {expected}");
}

const REGISTERED: &str = "SELECT count(*) FROM job_workers";
const HEARTBEATS: &str = "SELECT sum(heartbeat_number) FROM job_workers";
const RUNNING: &str = "SELECT count(*) FROM job_queue WHERE status = 'running'";

/// The heartbeats of all workers in the span.
async fn heartbeats(path: &Path) -> i64 {
    let before = number(path, HEARTBEATS);
    tokio::time::sleep(SPAN).await;
    number(path, HEARTBEATS) - before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_workers_write_nothing_but_their_own_heartbeats_when_due() {
    for workers in [2_u16, 6] {
        let scratch = ScratchQueue::open().await.unwrap();
        let path = scratch.path();
        let crowd = Crowd::gather(&path, usize::from(workers)).await;
        until(&path, REGISTERED, workers.into()).await;

        let written = heartbeats(&path).await;

        assert!(written <= DUE * i64::from(workers), "{workers} idle workers wrote {written} heartbeats");
        assert!(written >= i64::from(workers), "they live: {written}");
        crowd.stop().await;
    }
}

/// Every commit of another connection wakes every worker, but none of them may write because of that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_workers_write_no_heartbeats_for_the_commits_of_others() {
    let workers = 4_u16;
    let scratch = ScratchQueue::open().await.unwrap();
    let path = scratch.path();
    let crowd = Crowd::gather(&path, usize::from(workers)).await;
    let mut ids = Vec::new();
    for _ in 0..workers {
        ids.push(scratch.enqueue(&Wait {}).await.unwrap().id);
    }
    until(&path, RUNNING, workers.into()).await;
    let other = longshore::NewJob::encode("other", &()).unwrap();
    let counted = path.clone();
    let counting = tokio::spawn(async move { heartbeats(&counted).await });
    while !counting.is_finished() {
        scratch.enqueue_job(other.clone()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let written = counting.await.unwrap();

    assert!(written <= DUE * i64::from(workers), "{workers} busy workers wrote {written} heartbeats");
    // They still receive requests.
    scratch.cancel(ids[0]).await.unwrap();
    let ended = scratch.wait(ids[0], Duration::from_secs(30)).await.unwrap();
    assert_eq!(ended.job.status, Status::Cancelled);
    crowd.stop().await;
}
