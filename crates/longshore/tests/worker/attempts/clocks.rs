//! A worker whose wall clock is wrong: on another machine it may be off by any amount, and the store's time rules.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use longshore::backend::Clock;
use longshore::{Done, FailureType, HandlerError, Queue, RetryPolicy, Status, Timestamp, Worker};
use longshore_testkit::{FakeClock, Fault, FaultPlan, FaultStore, Operation};

use crate::bench::{Bench, Running, Step};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// The same delay before each retry, exactly.
fn steady(delay: Duration) -> RetryPolicy {
    RetryPolicy::fixed(delay).jitter(0.0)
}

/// What is wrong with the wall clock of a worker.
#[derive(Clone, Copy, Debug)]
enum WallClock {
    Right,
    Ahead,
    Behind,
    Jumping,
}

const WALL_CLOCKS: [WallClock; 4] = [WallClock::Right, WallClock::Ahead, WallClock::Behind, WallClock::Jumping];

impl WallClock {
    fn give_to(self, worker: Worker) -> Worker {
        let clock = FakeClock::of_runtime();
        match self {
            Self::Right => {}
            Self::Ahead => clock.jump_forwards(HOUR),
            Self::Behind => clock.jump_backwards(HOUR),
            Self::Jumping => return worker.clock(JumpingClock(clock)),
        }
        worker.clock(clock)
    }
}

/// Each look at it moves it by an hour; its monotonic time is as it should be.
#[derive(Debug)]
struct JumpingClock(FakeClock);

impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        self.0.jump_forwards(HOUR);
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}

/// Fails its first attempt after three seconds, and succeeds in two afterwards.
fn failing_once(worker: Worker) -> Worker {
    let attempts = Arc::new(AtomicU32::new(0));
    let worker = worker.handle(move |_: Step, _| {
        let is_first = attempts.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            tokio::time::sleep(if is_first { 3 * SECOND } else { 2 * SECOND }).await;
            if is_first { Err(HandlerError::failed(FailureType::NetworkError, "no route")) } else { Ok(()) }
        }
    });
    worker.policy("step", |policy| policy.retry(steady(10 * SECOND)))
}

#[tokio::test(start_paused = true)]
async fn attempts_and_retries_have_the_instants_of_the_stores_clock() {
    for clock in WALL_CLOCKS {
        let bench = Bench::new();
        let id = bench.enqueue(0).await;
        let enqueued_at = bench.clock.now();
        let running = Running::spawn(failing_once(clock.give_to(bench.worker())));

        let retrying = bench.until_status(id, Status::Retrying).await;
        assert_eq!(retrying.next_retry_at, Some(enqueued_at.after(13 * SECOND)), "{clock:?}");
        bench.until_status(id, Status::Completed).await;
        running.stop().await;

        let detail = bench.detail(id).await;
        let spans: Vec<_> = detail
            .attempts
            .iter()
            .map(|attempt| (attempt.started_at.unwrap(), attempt.finished_at.unwrap()))
            .map(|(started, finished)| (started.since(enqueued_at), finished.since(started)))
            .collect();
        assert_eq!(spans[0], (Duration::ZERO, 3 * SECOND), "{clock:?}");
        assert_eq!(spans[1].1, 2 * SECOND, "{clock:?}");
        assert!(spans[1].0 >= 13 * SECOND && spans[1].0 < 14 * SECOND, "{clock:?}: {spans:?}");
        let ran_ms: u64 =
            bench.queue.backend().stats(60).await.unwrap().minutes.iter().map(|minute| minute.ran_ms).sum();
        assert_eq!(ran_ms, 5000, "{clock:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deferral_has_the_instant_of_the_stores_clock() {
    for clock in WALL_CLOCKS {
        let bench = Bench::new();
        let id = bench.enqueue(0).await;
        let due = bench.clock.now().after(60 * SECOND);
        let worker = clock.give_to(bench.worker()).handle(|_: Step, _| async { Ok(Done::snooze(60 * SECOND)) });
        let running = Running::spawn(worker);

        let deferred = bench.until(id, |job| job.deferral_count == 1).await;
        assert_eq!((deferred.status, deferred.run_at), (Status::Pending, due), "{clock:?}");
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn expiry_and_deadline_are_compared_with_the_stores_time() {
    for clock in WALL_CLOCKS {
        let bench = Bench::new();
        // Its retry is due before its expiry, and its second attempt ends before its deadline.
        let id = bench.enqueue_with(|job| job.expires_in(14 * SECOND).deadline_in(20 * SECOND)).await;
        failing_once(clock.give_to(bench.worker())).run_until_drained().await.unwrap();
        assert_eq!(bench.status(id).await, Status::Completed, "{clock:?}");

        // Its retry would be due when it has expired.
        let id = bench.enqueue_with(|job| job.expires_in(12 * SECOND)).await;
        failing_once(clock.give_to(bench.worker())).run_until_drained().await.unwrap();
        let expired = bench.job(id).await;
        assert_eq!((expired.status, expired.retry_count), (Status::Cancelled, 0), "{clock:?}");
        assert_eq!(expired.completed_at, Some(expired.created_at.after(3 * SECOND)), "{clock:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_stopped_at_the_deadline_of_the_stores_clock() {
    for clock in WALL_CLOCKS {
        let bench = Bench::new();
        let id = bench.enqueue_with(|job| job.deadline_in(5 * SECOND)).await;
        let worker = clock.give_to(bench.worker()).grace(SECOND).handle(|_: Step, attempt| async move {
            attempt.stopped().await;
            Ok(attempt.check()?)
        });
        worker.run_until_drained().await.unwrap();

        let detail = bench.detail(id).await;
        assert_eq!((detail.job.status, detail.attempts.len()), (Status::DeadLetter, 1), "{clock:?}");
        assert_eq!(detail.job.completed_at, detail.job.deadline_at, "{clock:?}");
        let reason = detail.job.dead_letter_reason.unwrap();
        assert!(reason.contains(&detail.job.deadline_at.unwrap().to_string()), "{clock:?}: {reason}");
    }
}

/// Jobs that are claimed ahead wait in the worker's memory, and one of them expires there.
#[tokio::test(start_paused = true)]
async fn what_expires_in_the_workers_memory_does_so_by_the_stores_clock() {
    for clock in WALL_CLOCKS {
        let bench = Bench::new();
        for _ in 0..200 {
            bench.enqueue(1).await;
        }
        bench.enqueue(700).await;
        let late = bench.enqueue_with(|job| job.expires_in(600 * Duration::from_millis(1))).await;
        let in_time = bench.enqueue_with(|job| job.expires_in(60 * SECOND)).await;
        let worker = clock.give_to(bench.worker().concurrency(1)).handle(|step: Step, _| async move {
            tokio::time::sleep(Duration::from_millis(step.number.into())).await;
            Ok(())
        });
        worker.run_until_drained().await.unwrap();
        let statuses = (bench.status(late).await, bench.status(in_time).await);
        assert_eq!(statuses, (Status::Cancelled, Status::Completed), "{clock:?}");
    }
}

/// Nothing can be written for two minutes: what ended meanwhile ended when it did, and its retry counts from there.
#[tokio::test(start_paused = true)]
async fn a_retry_counts_from_the_end_of_its_attempt_through_an_outage() {
    for clock in WALL_CLOCKS {
        let bench = Bench::new();
        let store = FaultStore::new(bench.store.clone(), FaultPlan::none());
        let queue = Queue::from_backend(Arc::new(store.clone()));
        let id = bench.enqueue(0).await;
        let enqueued_at = bench.clock.now();
        for _ in 0..60 {
            store.fail_next(Operation::Record, Fault::Busy);
        }
        let policy = steady(200 * SECOND);
        let worker = failing_once(clock.give_to(bench.worker_of(&queue))).policy("step", |step| step.retry(policy));
        let running = Running::spawn(worker);

        let retrying = bench.until_status(id, Status::Retrying).await;
        let outage = bench.clock.now().since(enqueued_at);
        assert!(outage > 60 * SECOND && outage < 200 * SECOND, "{clock:?}: {outage:?}");
        assert_eq!(retrying.next_retry_at, Some(enqueued_at.after(203 * SECOND)), "{clock:?}");
        let attempt = bench.detail(id).await.attempts.remove(0);
        assert_eq!(attempt.finished_at, Some(enqueued_at.after(3 * SECOND)), "{clock:?}");
        assert_eq!(attempt.started_at, Some(enqueued_at), "{clock:?}");
        running.stop().await;
    }
}
