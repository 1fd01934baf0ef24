//! What a worker does about the loss of the evidence that it lives.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use longshore::backend::{ClaimRequest, Console, QueueScope, RequestId, Store};
use longshore::{NewJob, Queue, Status, Worker, WorkerId};
use longshore_testkit::{Fault, FaultPlan, FaultStore, MemoryStore, Operation};
use tokio::task::JoinHandle;

use crate::bench::{Bench, Running, Step, Tally};
use crate::warnings::Warnings;

const SECOND: Duration = Duration::from_secs(1);
const LOST: &str = "the session that shows that this worker lives is lost";
const REFUSED: &str = "cannot register again";
const REGISTERED: &str = "registered again";

/// A worker that runs one job for five minutes, behind a store that may fail.
struct Working {
    bench: Bench,
    faulty: FaultStore<MemoryStore>,
    id: longshore::JobId,
    worker_id: WorkerId,
    tally: Tally,
    running: Running,
}

impl Working {
    async fn new() -> Self {
        let bench = Bench::new();
        let faulty = FaultStore::new(bench.store.clone(), FaultPlan::none());
        let queue = Queue::from_backend(Arc::new(faulty.clone()));
        let id = bench.enqueue(0).await;
        let tally = Tally::default();
        let running = Running::spawn(slow(bench.worker_of(&queue), tally.clone()));
        let worker_id = bench.until_status(id, Status::Running).await.worker_id.unwrap();
        Self { bench, faulty, id, worker_id, tally, running }
    }

    fn lose_session(&self) {
        self.bench.store.lose_session(&self.worker_id);
    }

    async fn until_registered(&self, times: usize) {
        while self.faulty.calls(Operation::Register) < times {
            tokio::time::sleep(SECOND / 100).await;
        }
        tokio::time::sleep(SECOND / 10).await;
    }

    /// The job comes to its end as if nothing had been.
    async fn ends_undisturbed(self) {
        let Self { bench, id, worker_id, tally, running, .. } = self;
        let job = bench.until_status(id, Status::Completed).await;
        assert_eq!((job.worker_id, job.crash_count, tally.seen()), (Some(worker_id), 0, vec![0]));
        assert_eq!(bench.detail(id).await.attempts.len(), 1);
        running.stop().await;
    }
}

fn slow(worker: Worker, tally: Tally) -> Worker {
    worker.lease(10 * SECOND).handle(move |step: Step, _| {
        tally.enter(step.number);
        async {
            tokio::time::sleep(300 * SECOND).await;
            Ok(())
        }
    })
}

/// Another process that looks for lost workers all the while.
fn spawn_observer(bench: &Bench) -> JoinHandle<()> {
    let store = bench.store.another_process();
    tokio::spawn(async move {
        loop {
            store.reclaim().await.unwrap();
            tokio::time::sleep(SECOND / 4).await;
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_session_is_lost_is_registered_again_and_keeps_what_it_runs() {
    let (warnings, _guard) = Warnings::listen();
    let working = Working::new().await;
    let observer = spawn_observer(&working.bench);

    working.lose_session();
    working.until_registered(2).await;

    assert_eq!((warnings.count(LOST), warnings.count(REFUSED)), (1, 0));
    assert_eq!(working.bench.store.workers().await.unwrap().len(), 1);
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(working.faulty.calls(Operation::Register), 2, "one loss is one registration");
    working.ends_undisturbed().await;
    observer.abort();
}

#[tokio::test(start_paused = true)]
async fn what_follows_a_loss_is_told_once_and_meanwhile_the_lease_holds() {
    let (warnings, _guard) = Warnings::listen();
    let working = Working::new().await;
    let observer = spawn_observer(&working.bench);
    for _ in 0..40 {
        working.faulty.fail_next(Operation::Register, Fault::Busy);
    }

    working.lose_session();
    working.until_registered(30).await;

    assert_eq!((warnings.count(LOST), warnings.count(REFUSED), warnings.count(REGISTERED)), (1, 1, 0));
    working.until_registered(42).await;
    assert_eq!((warnings.count(LOST), warnings.count(REFUSED), warnings.count(REGISTERED)), (1, 1, 1));
    working.ends_undisturbed().await;
    observer.abort();
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_lost_again_and_again_is_told_once_and_is_no_busy_loop() {
    let (warnings, _guard) = Warnings::listen();
    let working = Working::new().await;
    let begun = tokio::time::Instant::now();

    for _ in 0..200 {
        working.lose_session();
        tokio::time::sleep(SECOND / 10).await;
    }

    assert_eq!(warnings.count(LOST), 1);
    assert!(working.faulty.calls(Operation::Register) < 30, "{}", working.faulty.calls(Operation::Register));
    assert!(begun.elapsed() < 25 * SECOND);
    // A later loss is news again.
    tokio::time::sleep(60 * SECOND).await;
    working.lose_session();
    tokio::time::sleep(SECOND).await;
    assert_eq!(warnings.count(LOST), 2);
    working.ends_undisturbed().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_loses_its_session_and_its_lease_gets_its_job_back_unspent() {
    let working = Working::new().await;
    let observer = spawn_observer(&working.bench);
    for _ in 0..30 {
        working.faulty.fail_next(Operation::Register, Fault::Full);
    }
    working.faulty.fail_next(Operation::Extend, Fault::Delay(40 * SECOND));

    working.lose_session();

    let Working { bench, id, worker_id, tally, running, .. } = working;
    let taken = bench.until(id, |job| job.status == Status::Pending).await;
    assert_eq!((taken.crash_count, taken.retry_count), (0, 0));
    let job = bench.until_status(id, Status::Completed).await;
    assert_eq!((job.worker_id, job.crash_count, tally.seen()), (Some(worker_id), 0, vec![0, 0]));
    running.stop().await;
    observer.abort();
}

/// After a fail-over to a replica without the last commits, jobs that the worker has ended are its own there.
#[tokio::test(start_paused = true)]
async fn what_the_store_has_of_a_worker_that_does_not_know_of_it_is_returned_unspent_after_a_loss() {
    let (warnings, _guard) = Warnings::listen();
    let working = Working::new().await;
    // Nobody handles it, so it is not taken by the worker's own claims.
    let other = working.bench.enqueue_with(|job| NewJob { job_type: "other".to_owned(), ..job }).await;
    let request = ClaimRequest {
        request_id: RequestId(1 << 40),
        worker_id: working.worker_id.clone(),
        job_types: Arc::new(["other".to_owned()]),
        scope: QueueScope::All,
        limit: 1,
        limited_max: 1,
    };
    working.bench.store.claim(request).await.unwrap();
    assert_eq!(working.bench.status(other).await, Status::Running);

    working.lose_session();

    let returned = working.bench.until_status(other, Status::Pending).await;
    assert_eq!((returned.crash_count, returned.retry_count), (0, 0));
    assert_eq!(warnings.count("that it does not run"), 1);
    working.ends_undisturbed().await;
}

/// Its row is gone as well, so it must not begin what it has fetched ahead before it knows what it has lost.
#[tokio::test(start_paused = true)]
async fn a_worker_that_lost_its_row_with_its_session_begins_nothing_that_others_may_have() {
    let bench = Bench::new();
    let tally = Tally::default();
    let visits = tally.clone();
    let worker = bench.worker().concurrency(1).handle(move |step: Step, _| {
        visits.enter(step.number);
        async move {
            tokio::time::sleep(if step.number == 0 { SECOND / 1000 } else { 2 * SECOND }).await;
            Ok(())
        }
    });
    // Quick jobs first, so that the worker fetches ahead.
    for number in [[0; 200].as_slice(), &[1, 2]].concat() {
        bench.enqueue(number).await;
    }
    let last = bench.enqueue(3).await;
    let running = Running::spawn(worker);
    while !tally.seen().contains(&1) {
        tokio::time::sleep(SECOND / 1000).await;
    }
    let worker_id = bench.job(last).await.worker_id.expect("it was fetched ahead");

    bench.store.lose_session(&worker_id);
    bench.store.kill(&worker_id);
    bench.store.delete_worker(&worker_id);

    bench.until_status(last, Status::Completed).await;
    assert_eq!(tally.seen().iter().filter(|number| **number > 0).collect::<Vec<_>>(), [&1, &2, &3]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_future_is_dropped_while_it_is_registered_again_leaves_its_jobs_unspent() {
    let bench = Bench::new();
    let faulty = FaultStore::new(bench.store.clone(), FaultPlan::none());
    let queue = Queue::from_backend(Arc::new(faulty.clone()));
    let id = bench.enqueue(0).await;
    {
        let mut run = std::pin::pin!(slow(bench.worker_of(&queue), Tally::default()).run(pending()));
        while bench.status(id).await != Status::Running {
            let _ = tokio::time::timeout(SECOND / 20, &mut run).await;
        }
        faulty.fail_next(Operation::Register, Fault::Delay(5 * SECOND));
        bench.store.lose_session(&bench.job(id).await.worker_id.unwrap());
        let _ = tokio::time::timeout(SECOND, &mut run).await;
        assert_eq!(faulty.calls(Operation::Register), 2, "it is under way");
    }

    bench.worker_elsewhere().handle(|_: Step, _| async { Ok(()) }).run_until_drained().await.unwrap();

    let job = bench.job(id).await;
    assert_eq!((job.status, job.crash_count, job.retry_count), (Status::Completed, 0, 0));
}
