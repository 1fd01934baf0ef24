//! Every call of a queue works wherever it is made: a blocking call inside a runtime, an async call on an executor
//! other than Tokio. Each is made ten thousand times in a row, because a Tokio task has a budget for its waits, which a
//! caller that blocks inside the task never renews.

#![expect(clippy::unwrap_used, reason = "the lint knows tests, but not the functions that they share")]

use std::future::Future;
use std::time::Duration;

use longshore::{
    CurrentAttempt, Durability, JobData, JobDetail, NewJob, Payload, Queue, QueueError, SqliteOptions, Status, Worker,
    stream_of,
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

const TIMES: u32 = 10_000;
const MINUTE: Duration = Duration::from_secs(60);
/// Jobs of a stream that is read in several turns.
const LONG: u64 = 3000;

#[derive(Serialize, Deserialize)]
struct Start;

impl Payload for Start {
    const JOB_TYPE: &'static str = "start";
}

/// A database whose commits are not flushed, so that ten thousand of them are fast on any disk.
struct Database {
    queue: Queue,
    _folder: TempDir,
}

impl Database {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(folder.path().join("queue.db")).durability(Durability::Normal);
        Self { queue: Queue::open_with(options).unwrap(), _folder: folder }
    }
}

fn job() -> NewJob {
    NewJob::new("unhandled", JobData::default())
}

/// A wait that timed out is an error, so that `?` never takes an unfinished job for an ended one.
fn assert_still_pending(waited: Result<JobDetail, QueueError>) {
    let error = waited.unwrap_err();
    assert!(matches!(error, QueueError::WaitTimedOut { status: Status::Pending, .. }), "{error}");
}

fn write_and_read(queue: &Queue) {
    for _ in 0..TIMES {
        queue.enqueue_job_blocking(job()).unwrap();
    }
    for _ in 0..TIMES {
        assert!(queue.job_blocking(longshore::JobId(1)).unwrap().is_some());
    }
}

fn runtimes() -> [Runtime; 2] {
    let many = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    [Builder::new_current_thread().enable_all().build().unwrap(), many]
}

/// Runs a handler for one job on each kind of runtime.
fn handle(worker: impl Fn(&Queue) -> Worker) {
    for runtime in runtimes() {
        let database = Database::new();
        let id = database.queue.enqueue_blocking(&Start).unwrap().id;
        // A blocked runtime sends no heartbeat.
        let worker = worker(&database.queue).lease(10 * MINUTE);
        runtime.block_on(worker.run_until_drained()).unwrap();
        let job = database.queue.job_blocking(id).unwrap().unwrap().job;
        assert_eq!((job.status, job.error_message), (Status::Completed, None));
    }
}

#[test]
fn blocking_calls_work_on_a_plain_thread() {
    write_and_read(&Database::new().queue);
}

#[test]
fn blocking_calls_work_inside_the_main_future_of_a_runtime() {
    for runtime in runtimes() {
        let database = Database::new();
        runtime.block_on(async { write_and_read(&database.queue) });
    }
}

#[test]
fn blocking_calls_work_inside_an_async_task() {
    for runtime in runtimes() {
        let database = Database::new();
        let queue = database.queue.clone();
        runtime.block_on(runtime.spawn(async move { write_and_read(&queue) })).unwrap();
    }
}

#[test]
fn blocking_calls_work_inside_spawn_blocking() {
    for runtime in runtimes() {
        let database = Database::new();
        let queue = database.queue.clone();
        runtime.block_on(runtime.spawn_blocking(move || write_and_read(&queue))).unwrap();
    }
}

#[test]
fn blocking_calls_work_inside_an_async_handler() {
    handle(|queue| {
        Worker::new(queue).handle(|_: Start, attempt: CurrentAttempt| async move {
            write_and_read(attempt.queue());
            Ok(())
        })
    });
}

#[test]
fn blocking_calls_work_inside_a_blocking_handler() {
    handle(|queue| {
        Worker::new(queue).handle_blocking(|_: Start, attempt: CurrentAttempt| {
            write_and_read(attempt.queue());
            Ok(())
        })
    });
}

#[test]
fn every_other_blocking_call_works_inside_an_async_task() {
    let [_, runtime] = runtimes();
    let database = Database::new();
    let queue = database.queue.clone();
    let calls = async move {
        let id = queue.enqueue_blocking(&Start).unwrap().id;
        for _ in 0..TIMES {
            queue.enqueue_blocking(&Start).unwrap();
            queue.enqueue_all_blocking(vec![job(), job()]).unwrap();
            assert_still_pending(queue.wait_blocking(id, Duration::ZERO));
        }
        assert_eq!(queue.enqueue_iter_blocking((0..LONG).map(|_| Ok(job()))).unwrap(), LONG);
        for _ in 0..200 {
            queue.enqueue_iter_blocking([Ok(job()), Ok(job())]).unwrap();
            assert_still_pending(queue.wait_blocking(id, Duration::from_millis(1)));
        }
    };
    runtime.block_on(runtime.spawn(calls)).unwrap();
}

/// Makes every async call of a queue, one after the other.
async fn call_all(queue: &Queue) -> Result<(), QueueError> {
    for _ in 0..TIMES {
        let id = queue.enqueue_job(job()).await?.id;
        queue.job(id).await?;
    }
    let id = queue.enqueue(&Start).await?.id;
    for _ in 0..100 {
        queue.enqueue_all(vec![job(), job()]).await?;
        queue.enqueue_stream(stream_of([Ok(job())])).await?;
        queue.enqueue_iter([Ok(job())]).await?;
        queue.reprioritise(id, longshore::Priority::HIGH).await?;
        queue.pause("other").await?;
        queue.resume("other").await?;
        assert_still_pending(queue.wait(id, Duration::from_millis(1)).await);
        queue.cancel(id).await?;
        queue.wait(id, MINUTE).await?;
        queue.retry(id).await?;
        queue.backend().reclaim().await?;
        queue.backend().stats(0).await?;
        queue.backend().workers().await?;
        queue.backend().health().await?;
        let mut wakeups = queue.backend().wakeups(longshore::backend::Interest::Anything);
        queue.enqueue_job(job()).await?;
        wakeups.changed().await;
    }
    queue.enqueue_iter((0..LONG).map(|_| Ok(job()))).await?;
    queue.enqueue_stream(stream_of((0..LONG).map(|_| Ok(job())))).await?;
    queue.delete(id).await?;
    Ok(())
}

#[test]
fn async_calls_work_on_an_executor_without_tokio() {
    smol::block_on(call_all(&Database::new().queue)).unwrap();
}

/// Blocks inside a Tokio task with another executor.
fn block_inside_tokio(block: impl Fn(Queue) -> Result<(), QueueError> + Copy + Send + 'static) {
    for runtime in runtimes() {
        let database = Database::new();
        let queue = database.queue.clone();
        runtime.block_on(runtime.spawn(async move { block(queue) })).unwrap().unwrap();
    }
}

#[test]
fn async_calls_work_on_another_executor_inside_a_tokio_task() {
    block_inside_tokio(|queue| smol::block_on(call_all(&queue)));
}

#[test]
fn async_calls_work_when_a_futures_executor_blocks_for_each_of_them() {
    block_inside_tokio(|queue| {
        for _ in 0..TIMES {
            let id = block_for(queue.enqueue_job(job())).unwrap().id;
            block_for(queue.job(id)).unwrap();
        }
        Ok(())
    });
}

fn block_for<T>(call: impl Future<Output = T>) -> T {
    futures_executor::block_on(call)
}

#[test]
fn a_wait_for_a_job_needs_no_runtime_and_ends_with_the_job_or_in_time() {
    let database = Database::new();
    let id = database.queue.enqueue_job_blocking(job()).unwrap().id;
    assert_still_pending(database.queue.wait_blocking(id, Duration::from_millis(20)));

    let queue = database.queue.clone();
    let waiter = std::thread::spawn(move || queue.wait_blocking(id, Duration::MAX).unwrap().job.status);
    smol::block_on(database.queue.cancel(id)).unwrap();
    assert_eq!(waiter.join().unwrap(), Status::Cancelled);
}

#[test]
fn a_wait_works_in_a_runtime_whose_timers_are_switched_off() {
    let database = Database::new();
    let id = database.queue.enqueue_job_blocking(job()).unwrap().id;
    let runtime = Builder::new_current_thread().build().unwrap();
    assert_still_pending(runtime.block_on(database.queue.wait(id, Duration::from_millis(20))));
}
