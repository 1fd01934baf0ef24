use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use longshore::{ClaimRequest, Queue, QueueScope, Status, StopCause, Store, Worker, WorkerId};
use longshore_testkit::{Fault, FaultPlan, FaultStore, MemoryStore, Operation};
use tokio::sync::mpsc;

use crate::bench::{Bench, Running, Step, Tally};

const MINUTE: Duration = Duration::from_secs(60);

/// Handlers that say which attempt they are and why they were stopped; the first attempt of each waits.
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
async fn a_worker_whose_lease_was_taken_writes_nothing_and_goes_on_under_a_fresh_identity() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let (told, mut causes) = mpsc::unbounded_channel();
    let tally = Tally::default();
    let running = Running::spawn(waits_at_first(bench.worker(), told, tally.clone()));
    let first = bench.until_status(id, Status::Running).await.worker_id.unwrap();

    bench.store.kill(&first);

    assert_eq!(causes.recv().await, Some(StopCause::LeaseLost));
    let job = bench.until_status(id, Status::Completed).await;
    assert_ne!(job.worker_id, Some(first));
    assert_eq!(tally.seen(), [0, 0]);
    let detail = bench.detail(id).await;
    assert_eq!((detail.job.crash_count, detail.job.retry_count), (1, 0));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_cannot_renew_its_lease_stops_its_jobs_before_it_ends() {
    let bench = Bench::new();
    let faulty = FaultStore::new(bench.store.clone(), FaultPlan::none());
    let queue = Queue::from_backend(Arc::new(faulty.clone()));
    let id = bench.enqueue(0).await;
    let (told, mut causes) = mpsc::unbounded_channel();
    let worker = bench.worker_of(&queue).lease(Duration::from_secs(30));
    let running = Running::spawn(waits_at_first(worker, told, Tally::default()));
    bench.until_status(id, Status::Running).await;
    let began = tokio::time::Instant::now();

    faulty.fail_next(Operation::Extend, Fault::Delay(60 * MINUTE));

    assert_eq!(causes.recv().await, Some(StopCause::LeaseLost));
    assert!(began.elapsed() < Duration::from_secs(28), "{:?}", began.elapsed());
    bench.until(id, |job| job.status == Status::Pending && job.retry_count == 0).await;
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    drop(running);
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

/// The other process is only a registration: it claims a job and never says anything again.
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
    let worker_id = registration.worker_id.clone();
    store.register(registration).await.unwrap();
    let request = ClaimRequest {
        request_id: longshore_testkit::request_id(),
        worker_id: worker_id.clone(),
        job_types: Arc::new(["step".to_owned()]),
        scope: QueueScope::All,
        limit: 1,
    };
    store.claim(request).await.unwrap();
    store.kill(&worker_id);
    worker_id
}
