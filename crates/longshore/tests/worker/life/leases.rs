use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use longshore::backend::{ClaimRequest, QueueScope, Store};
use longshore::{Queue, Status, StopCause, Worker, WorkerId};
use longshore_testkit::{Fault, FaultPlan, FaultStore, MemoryStore, Operation};
use tokio::sync::mpsc;

use crate::bench::{Bench, Running, Step, Tally};

const MINUTE: Duration = Duration::from_secs(60);

/// Handlers that report which attempt they are and why they were stopped. The first attempt of each job waits.
fn waits_at_first(worker: Worker, told: mpsc::UnboundedSender<StopCause>, tally: Tally) -> Worker {
    worker.handle(move |step: Step, attempt| {
        let (told, tally) = (told.clone(), tally.clone());
        async move {
            tally.enter(step.number);
            if tally.seen().len() == 1 {
                told.send(attempt.stopped().await).unwrap();
                pending::<()>().await;
            }
            Ok(())
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_job_was_taken_stops_it_and_goes_on_under_the_same_identity() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let (told, mut causes) = mpsc::unbounded_channel();
    let tally = Tally::default();
    let running = Running::spawn(waits_at_first(bench.worker(), told, tally.clone()));
    let first = bench.until_status(id, Status::Running).await.worker_id.unwrap();

    bench.store.kill(&first);

    assert_eq!(causes.recv().await, Some(StopCause::LeaseLost));
    let job = bench.until_status(id, Status::Completed).await;
    assert_eq!(job.worker_id, Some(first));
    assert_eq!(tally.seen(), [0, 0]);
    let detail = bench.detail(id).await;
    assert_eq!((detail.job.crash_count, detail.job.retry_count), (1, 0));
    running.stop().await;
}

/// Another process that searches for lost workers all the time, as its own worker would.
fn spawn_observer(bench: &Bench) -> tokio::task::JoinHandle<()> {
    let store = bench.store.another_process();
    tokio::spawn(async move {
        loop {
            store.reclaim().await.unwrap();
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_was_overtaken_while_its_store_hung_gets_its_job_back_unspent() {
    let bench = Bench::new();
    let faulty = FaultStore::new(bench.store.clone(), FaultPlan::none());
    let queue = Queue::from_backend(Arc::new(faulty.clone()));
    let id = bench.enqueue(0).await;
    let (told, mut causes) = mpsc::unbounded_channel();
    let tally = Tally::default();
    let running = Running::spawn(waits_at_first(bench.worker_of(&queue), told, tally.clone()));
    let first = bench.until_status(id, Status::Running).await.worker_id;
    let observer = spawn_observer(&bench);

    faulty.fail_next(Operation::Extend, Fault::Delay(2 * MINUTE));

    bench.until(id, |job| job.status == Status::Pending).await;
    assert_eq!(causes.recv().await, Some(StopCause::LeaseLost));
    let job = bench.until_status(id, Status::Completed).await;
    assert_eq!((job.worker_id, job.crash_count, tally.seen()), (first, 0, vec![0, 0]));
    running.stop().await;
    observer.abort();
}

#[tokio::test(start_paused = true)]
async fn a_job_goes_on_while_its_worker_cannot_renew_the_lease_and_nobody_else_can_write() {
    let bench = Bench::new();
    let faulty = FaultStore::new(bench.store.clone(), FaultPlan::none());
    let queue = Queue::from_backend(Arc::new(faulty.clone()));
    let id = bench.enqueue(0).await;
    let tally = Tally::default();
    let visits = tally.clone();
    let worker = bench.worker_of(&queue).lease(Duration::from_secs(3)).handle(move |step: Step, _| {
        visits.enter(step.number);
        async {
            tokio::time::sleep(2 * MINUTE).await;
            Ok(())
        }
    });
    let running = Running::spawn(worker);
    bench.until_status(id, Status::Running).await;

    for _ in 0..3600 {
        faulty.fail_next(Operation::Extend, Fault::Busy);
    }
    for _ in 0..30 {
        faulty.fail_next(Operation::Record, Fault::Full);
    }
    tokio::time::sleep(2 * MINUTE + Duration::from_secs(30)).await;
    assert_eq!((bench.status(id).await, tally.seen()), (Status::Running, vec![0]));
    bench.until_status(id, Status::Completed).await;
    let detail = bench.detail(id).await;

    assert_eq!((detail.job.crash_count, detail.attempts.len(), tally.seen()), (0, 1, vec![0]));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_has_not_begun_waits_while_the_lease_is_not_renewed() {
    let bench = Bench::new();
    let faulty = FaultStore::new(bench.store.clone(), FaultPlan::none());
    let queue = Queue::from_backend(Arc::new(faulty.clone()));
    let tally = Tally::default();
    let visits = tally.clone();
    let worker = bench.worker_of(&queue).lease(Duration::from_secs(3)).concurrency(1).handle(move |step: Step, _| {
        visits.enter(step.number);
        async move {
            if step.number > 0 {
                tokio::time::sleep(MINUTE).await;
            }
            Ok(())
        }
    });
    // Fast jobs first, so that the worker prefetches.
    for number in [[0; 200].as_slice(), &[1, 2]].concat() {
        bench.enqueue(number).await;
    }
    let running = Running::spawn(worker);
    while !tally.seen().contains(&1) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    faulty.fail_next(Operation::Extend, Fault::Delay(5 * MINUTE));
    tokio::time::sleep(4 * MINUTE).await;
    let begun_in_doubt = tally.seen().contains(&2);
    tokio::time::sleep(3 * MINUTE).await;

    assert_eq!((begun_in_doubt, tally.seen().contains(&2)), (false, true));
    running.stop().await;
}

/// The worker's row was deleted, which takes nothing from it.
#[tokio::test(start_paused = true)]
async fn a_worker_whose_row_is_gone_loses_neither_what_runs_nor_what_has_ended() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let tally = Tally::default();
    let visits = tally.clone();
    let worker = bench.worker().handle(move |step: Step, _| {
        visits.enter(step.number);
        async {
            tokio::time::sleep(MINUTE).await;
            Ok(())
        }
    });
    let running = Running::spawn(worker);
    let worker_id = bench.until_status(id, Status::Running).await.worker_id.unwrap();

    bench.store.delete_worker(&worker_id);

    let job = bench.until_status(id, Status::Completed).await;
    assert_eq!((job.worker_id, job.crash_count, tally.seen()), (Some(worker_id), 0, vec![0]));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_future_is_dropped_leaves_its_jobs_to_others_unspent() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let (told, _causes) = mpsc::unbounded_channel();
    {
        let worker = waits_at_first(bench.worker(), told, Tally::default());
        let mut run = std::pin::pin!(worker.run(pending()));
        while bench.status(id).await != Status::Running {
            let _ = tokio::time::timeout(Duration::from_millis(50), &mut run).await;
        }
        let _ = tokio::time::timeout(Duration::from_secs(1), &mut run).await;
    }

    bench.worker().handle(|_: Step, _| async { Ok(()) }).run_until_drained().await.unwrap();

    let job = bench.job(id).await;
    assert_eq!((job.status, job.crash_count, job.retry_count), (Status::Completed, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_store_that_pass_lose_nothing() {
    for seed in 0..20 {
        let bench = Bench::new();
        let mut ids = Vec::new();
        for number in 0..50 {
            ids.push(bench.enqueue(number).await);
        }
        let faulty = FaultStore::new(bench.store.clone(), FaultPlan::seeded(seed, 0.3));
        let queue = Queue::from_backend(Arc::new(faulty));
        let worker = bench.worker_of(&queue).concurrency(4).handle(|_: Step, _| async { Ok(()) });
        let running = Running::spawn(worker);

        for id in ids {
            let job = bench.until_status(id, Status::Completed).await;
            assert_eq!(job.retry_count, 0, "seed {seed}");
        }
        drop(running);
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_waits_in_memory_until_the_store_works_again() {
    let bench = Bench::new();
    let faulty = FaultStore::new(bench.store.clone(), FaultPlan::none());
    let queue = Queue::from_backend(Arc::new(faulty.clone()));
    let id = bench.enqueue(1).await;
    for _ in 0..5 {
        faulty.fail_next(Operation::Record, Fault::Full);
    }
    let tally = Tally::default();
    let visits = tally.clone();
    let worker = bench.worker_of(&queue).handle(move |step: Step, _| {
        visits.enter(step.number);
        async { Ok(()) }
    });

    worker.run_until_drained().await.unwrap();

    assert_eq!((bench.status(id).await, tally.seen()), (Status::Completed, vec![1]));
}

/// The other process is only a registration: it claims a job and never sends anything again.
#[tokio::test(start_paused = true)]
async fn the_jobs_of_a_dead_worker_are_taken_over() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let dead = claim_and_die(&bench.store).await;
    assert_eq!(bench.job(id).await.worker_id.as_ref(), Some(&dead));

    bench.worker().handle(|_: Step, _| async { Ok(()) }).run_until_drained().await.unwrap();

    assert_eq!(bench.status(id).await, Status::Completed);
}

async fn claim_and_die(store: &MemoryStore) -> WorkerId {
    let registration = longshore_testkit::worker().job_types(["step"]).registration();
    let worker_id = longshore_testkit::register_for_good(store, registration).await;
    let request = ClaimRequest {
        request_id: longshore_testkit::request_id(),
        worker_id: worker_id.clone(),
        job_types: Arc::new(["step".to_owned()]),
        scope: QueueScope::All,
        limit: 1,
        limited_max: 1,
    };
    store.claim(request).await.unwrap();
    store.kill(&worker_id);
    worker_id
}
