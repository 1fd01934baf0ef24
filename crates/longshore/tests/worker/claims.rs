use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use longshore::backend::{Filter, Selection};
use longshore::{AttemptOutcome, JobId, Queue, Status, Worker};
use longshore_testkit::{Fault, FaultPlan, FaultStore, MemoryStore, Operation};
use tokio::time::Instant;

use crate::bench::{Bench, Running, Step, Tally};

const SECOND: Duration = Duration::from_secs(1);

fn endless(worker: Worker, tally: &Tally) -> Worker {
    let tally = tally.clone();
    worker.handle(move |step: Step, _| {
        tally.enter(step.number);
        async {
            pending::<()>().await;
            Ok(())
        }
    })
}

fn faulty(bench: &Bench) -> (FaultStore<MemoryStore>, Queue) {
    let store = FaultStore::new(bench.store.clone(), FaultPlan::none());
    let queue = Queue::from_backend(Arc::new(store.clone()));
    (store, queue)
}

async fn running(bench: &Bench) -> u64 {
    let running = Selection::from(Filter::all().statuses([Status::Running]));
    bench.queue.backend().count(running).await.unwrap()
}

async fn returned(bench: &Bench, ids: &[JobId]) -> usize {
    let mut returned = 0;
    for id in ids {
        let attempts = bench.detail(*id).await.attempts;
        returned += attempts.iter().filter(|attempt| attempt.outcome == AttemptOutcome::Returned).count();
    }
    returned
}

#[tokio::test(start_paused = true)]
async fn after_a_claim_whose_answer_was_lost_every_slot_is_filled_again_at_once() {
    let bench = Bench::new();
    for number in 0..20 {
        bench.enqueue(number).await;
    }
    let (store, queue) = faulty(&bench);
    store.fail_next(Operation::Claim, Fault::Lost);
    let tally = Tally::default();
    let worker = Running::spawn(endless(bench.worker_of(&queue).concurrency(8), &tally));

    tokio::time::sleep(SECOND).await;

    assert_eq!(tally.seen(), (0..8).collect::<Vec<_>>());
    assert_eq!(running(&bench).await, 8, "nothing is held that does not run");
    drop(worker);
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_lost_again_and_again_leave_no_lease_behind() {
    let bench = Bench::new();
    let (store, queue) = faulty(&bench);
    let tally = Tally::default();
    let worker = Running::spawn(endless(bench.worker_of(&queue).concurrency(8), &tally));
    for number in 0..8 {
        store.fail_next(Operation::Claim, Fault::Lost);
        store.fail_next(Operation::Claim, Fault::Busy);
        store.fail_next(Operation::Claim, Fault::Lost);
        bench.enqueue(number).await;
        tokio::time::sleep(10 * SECOND).await;
        assert_eq!((tally.seen().len(), running(&bench).await), (number as usize + 1, u64::from(number) + 1));
    }
    drop(worker);
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_answer_was_lost_before_a_shutdown_is_given_back() {
    let bench = Bench::new();
    let id = bench.enqueue(1).await;
    let (store, queue) = faulty(&bench);
    for _ in 0..50 {
        store.fail_next(Operation::Claim, Fault::Lost);
    }
    let tally = Tally::default();
    let worker = Running::spawn(endless(bench.worker_of(&queue), &tally));
    bench.until_status(id, Status::Running).await;

    worker.stop().await;

    assert_eq!((bench.status(id).await, tally.seen()), (Status::Pending, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_with_a_claim_unanswered_leaves_nothing_behind() {
    let bench = Bench::new();
    let id = bench.enqueue(1).await;
    let (store, queue) = faulty(&bench);
    for _ in 0..3 {
        store.fail_next(Operation::Claim, Fault::Lost);
    }
    let tally = Tally::default();
    let worker = Running::spawn(endless(bench.worker_of(&queue), &tally));
    let first = bench.until_status(id, Status::Running).await.worker_id.unwrap();
    bench.store.kill(&first);

    let is_claimed_again = |job: &longshore::Job| job.claim_number.0 == 2 && job.status == Status::Running;
    let job = bench.until(id, is_claimed_again).await;

    tokio::time::sleep(SECOND).await;
    assert_eq!((job.crash_count, tally.seen()), (0, vec![1]));
    drop(worker);
}

/// Each second a worker checks for stale waiting jobs, and one of these claims is answered just before that.
#[tokio::test(start_paused = true)]
async fn an_idle_worker_does_not_give_back_what_it_has_just_claimed() {
    for milliseconds in 0..50 {
        let bench = Bench::new();
        let slow = FaultPlan::seeded(milliseconds, 0.0).delayed(1.0, Duration::from_millis(40));
        let queue = Queue::from_backend(Arc::new(FaultStore::new(bench.store.clone(), slow)));
        let worker = Running::spawn(bench.worker_of(&queue).handle(|_: Step, _| async { Ok(()) }));
        let id = bench.enqueue_with(|job| job.delay(2 * SECOND - Duration::from_millis(milliseconds))).await;

        bench.until_status(id, Status::Completed).await;

        assert_eq!(returned(&bench, &[id]).await, 0, "due {milliseconds} ms before the look");
        worker.stop().await;
    }
}

/// Fast jobs of a queue make the worker prefetch. Then a slow one takes the only slot of that queue, while jobs of
/// another queue continue.
#[tokio::test(start_paused = true)]
async fn what_waits_behind_the_limit_of_its_queue_is_given_back_while_others_run() {
    let bench = Bench::new();
    for number in 0..400 {
        let span = if number == 300 { 999 } else { 1 };
        let job = longshore::Payload::to_job(&Step { number: span }).unwrap();
        bench.queue.enqueue_job(job.queue("narrow")).await.unwrap();
    }
    bench.enqueue_with(|job| job.queue("wide")).await;
    let worker = bench.worker().concurrency(4).queue_with_limit("narrow", 1).queue("wide");
    let worker = worker.handle(|step: Step, attempt| async move {
        if step.number == 999 {
            pending::<()>().await;
        }
        if step.number == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let again = longshore::Payload::to_job(&Step { number: 0 }).unwrap();
            attempt.queue().enqueue_job(again.queue("wide")).await?;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        Ok(())
    });
    let worker = Running::spawn(worker);
    let began = Instant::now();
    let narrow = |jobs: &[longshore::backend::QueueStats]| {
        jobs.iter().find(|queue| queue.queue == "narrow").unwrap().jobs.get(&Status::Running).copied()
    };

    tokio::time::sleep(20 * SECOND).await;

    let stats = bench.queue.backend().stats(0).await.unwrap().queues;
    assert_eq!(narrow(&stats), Some(1), "{:?}", began.elapsed());
    drop(worker);
}

#[tokio::test(start_paused = true)]
async fn a_running_job_hears_at_once_that_it_is_cancelled_though_its_lease_is_long() {
    let bench = Bench::new();
    let id = bench.enqueue(1).await;
    let worker = bench.worker().lease(Duration::from_secs(3600)).handle(|_: Step, attempt| async move {
        attempt.stopped().await;
        Err::<(), _>(std::io::Error::other("stopped").into())
    });
    let worker = Running::spawn(worker);
    bench.until_status(id, Status::Running).await;
    tokio::time::sleep(SECOND).await;
    let asked = Instant::now();

    bench.queue.cancel(id).await.unwrap();

    bench.until_status(id, Status::Cancelled).await;
    assert!(asked.elapsed() < SECOND, "{:?}", asked.elapsed());
    worker.stop().await;
}
