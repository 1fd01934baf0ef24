use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use longshore::backend::SystemClock;
use longshore::{Done, HandlerError, Queue, Status, Worker};
use longshore_testkit::MemoryStore;
use tokio::runtime::{Builder, Runtime};

use crate::bench::{Bench, Step};

const MINUTE: Duration = Duration::from_secs(60);

/// A runtime whose blocking pool has one thread, which is busy until the sender is dropped.
fn with_full_pool() -> (Runtime, mpsc::Sender<()>) {
    let runtime = Builder::new_multi_thread().worker_threads(2).max_blocking_threads(1).enable_all().build().unwrap();
    let (open, opened) = mpsc::channel::<()>();
    runtime.spawn_blocking(move || opened.recv());
    (runtime, open)
}

fn memory_queue() -> Queue {
    Queue::from_backend(Arc::new(MemoryStore::new(SystemClock::new())))
}

#[test]
fn a_blocking_handler_does_not_wait_for_the_applications_blocking_pool() {
    let (runtime, gate) = with_full_pool();
    let queue = memory_queue();
    let ids: Vec<_> = (0..8).map(|number| queue.enqueue_blocking(&Step { number }).unwrap().id).collect();
    // All of them must run at the same time, or none ends.
    let barrier = Arc::new(std::sync::Barrier::new(ids.len()));
    let worker = Worker::new(&queue).concurrency(8).handle_blocking(move |_: Step, _| {
        barrier.wait();
        Ok(())
    });

    runtime.block_on(async { tokio::time::timeout(MINUTE, worker.run_until_drained()).await }).unwrap().unwrap();

    drop(gate);
    for id in ids {
        assert_eq!(queue.job_blocking(id).unwrap().unwrap().job.status, Status::Completed);
    }
}

#[test]
fn a_blocking_handler_runs_in_the_context_of_the_workers_runtime() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let queue = memory_queue();
    let id = queue.enqueue_blocking(&Step { number: 0 }).unwrap().id;
    let worker = Worker::new(&queue).handle_blocking(|_: Step, _| {
        let answer = tokio::runtime::Handle::current().block_on(async { tokio::spawn(async { 7 }).await });
        Ok::<_, HandlerError>(Done::with(&answer?)?)
    });

    runtime.block_on(worker.run_until_drained()).unwrap();

    let job = queue.job_blocking(id).unwrap().unwrap().job;
    assert_eq!(job.result.unwrap().as_str(), "7");
}

#[tokio::test(start_paused = true)]
async fn a_blocking_handler_that_panics_leaves_its_thread_to_the_next_job() {
    let bench = Bench::new();
    let panicking = bench.enqueue_with(|job| job.max_retries(0)).await;
    let fine = bench.enqueue(1).await;
    let worker = bench.worker().concurrency(1).handle_blocking(|step: Step, _| {
        assert!(step.number > 0, "on its own thread");
        Ok(())
    });

    worker.run_until_drained().await.unwrap();

    assert_eq!((bench.status(panicking).await, bench.status(fine).await), (Status::DeadLetter, Status::Completed));
}
