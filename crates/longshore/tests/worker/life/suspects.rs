use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use longshore::backend::{ClaimRequest, Filter, QueueScope, Selection, StartedAttempt, Store};
use longshore::{AttemptOutcome, JobId, NewJob, Payload, Priority, Status, Worker};
use longshore_testkit::request_id;
use tokio::time::Instant;

use crate::bench::{Bench, Running, Step, Tally};

const SECOND: Duration = Duration::from_secs(1);
/// How long a suspect waits for running attempts, and how long it runs alone.
const PATIENCE: Duration = Duration::from_secs(60);

/// Jobs that ran together when their worker died: each of them is a suspect now.
async fn suspects(bench: &Bench, numbers: &[u32]) -> Vec<JobId> {
    let mut ids = Vec::new();
    for number in numbers {
        ids.push(bench.enqueue(*number).await);
    }
    // One more, so that there are always several. It ends at once.
    let other = bench.enqueue_with(|job| job.max_retries(0)).await;
    let registration = longshore_testkit::worker().job_types(["step"]).registration();
    let worker_id = longshore_testkit::register_for_good(&bench.store, registration).await;
    let request = ClaimRequest {
        request_id: request_id(),
        worker_id: worker_id.clone(),
        job_types: Arc::new(["step".to_owned()]),
        scope: QueueScope::All,
        limit: 100,
        limited_max: 100,
    };
    let leases = bench.store.claim(request).await.unwrap().leases;
    for (slot, lease) in (0..).zip(leases) {
        let (id, claim_number) = (lease.id, lease.claim_number);
        let attempt = StartedAttempt { slot, id, claim_number, is_accompanied: false };
        bench.store.mark_started(worker_id.clone(), [attempt].into()).await.unwrap();
    }
    bench.store.kill(&worker_id);
    bench.store.reclaim().await.unwrap();
    bench.queue.cancel(other).await.unwrap();
    for id in &ids {
        assert_eq!(bench.job(*id).await.crash_count, 1);
    }
    ids
}

/// Step 1 takes a second, step 9 a quarter of an hour. Each is recorded in the tally.
fn working(worker: Worker, tally: &Tally) -> Worker {
    let tally = tally.clone();
    worker.handle(move |step: Step, _| {
        let tally = tally.clone();
        async move {
            tally.enter(step.number);
            tokio::time::sleep(if step.number == 9 { 15 * PATIENCE } else { SECOND }).await;
            tally.leave();
            Ok(())
        }
    })
}

/// A job that takes a quarter of an hour and starts before the others.
async fn long(bench: &Bench) -> JobId {
    let job = Step { number: 9 }.to_job().unwrap().priority(Priority::CRITICAL);
    bench.queue.enqueue_job(job).await.unwrap().id
}

#[tokio::test(start_paused = true)]
async fn suspects_run_one_by_one_and_nothing_runs_beside_them() {
    let bench = Bench::new();
    suspects(&bench, &[1, 1, 1]).await;
    for _ in 0..20 {
        bench.enqueue(2).await;
    }
    let tally = Tally::default();
    let (alone, began) = (Tally::default(), Instant::now());
    let (all, lonely) = (tally.clone(), alone.clone());
    let worker = bench.worker().concurrency(8).handle(move |step: Step, _| {
        let (all, lonely) = (all.clone(), lonely.clone());
        async move {
            all.enter(step.number);
            if step.number == 1 {
                assert_eq!(all.now(), 1, "a suspect runs alone");
                lonely.enter(1);
            }
            tokio::time::sleep(SECOND).await;
            if step.number == 1 {
                assert_eq!(all.now(), 1, "nothing begins beside it");
            }
            all.leave();
            Ok(())
        }
    });

    worker.run_until_drained().await.unwrap();

    assert_eq!((alone.seen().len(), tally.seen().len(), tally.most()), (3, 23, 8));
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_suspect_waits_a_minute_for_what_runs_and_then_begins_beside_it() {
    let bench = Bench::new();
    let suspect = suspects(&bench, &[1]).await[0];
    long(&bench).await;
    let (tally, began) = (Tally::default(), Instant::now());
    let running = Running::spawn(working(bench.worker().concurrency(4), &tally));
    let fresh = bench.enqueue(2).await;

    bench.until_status(suspect, Status::Completed).await;

    let waited = began.elapsed();
    assert!(waited >= PATIENCE && waited < 2 * PATIENCE, "{waited:?}");
    assert_eq!(tally.seen()[..2], [9, 1], "nothing began while it waited");
    bench.until_status(fresh, Status::Completed).await;
    assert!(began.elapsed() < waited + 10 * SECOND, "{:?}", began.elapsed());
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn others_begin_beside_a_suspect_that_has_run_for_a_minute() {
    let bench = Bench::new();
    let long = suspects(&bench, &[9]).await[0];
    let fresh = bench.enqueue(2).await;
    let tally = Tally::default();
    let began = Instant::now();
    let running = Running::spawn(working(bench.worker().concurrency(4), &tally));

    bench.until_status(fresh, Status::Completed).await;

    assert!(began.elapsed() >= PATIENCE && began.elapsed() < 2 * PATIENCE, "{:?}", began.elapsed());
    assert_eq!((bench.status(long).await, tally.seen()), (Status::Running, vec![9, 2]));
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_a_suspect_is_given_to_another_process() {
    let bench = Bench::new();
    let long = suspects(&bench, &[9]).await[0];
    let mut fresh = Vec::new();
    for _ in 0..3 {
        fresh.push(bench.enqueue(2).await);
    }
    let first = Running::spawn(working(bench.worker().concurrency(4), &Tally::default()));
    bench.until_status(long, Status::Running).await;
    let began = Instant::now();
    let second = Running::spawn(working(bench.worker_elsewhere().concurrency(4), &Tally::default()));

    for id in &fresh {
        bench.until_status(*id, Status::Completed).await;
    }

    assert!(began.elapsed() < 10 * SECOND, "{:?}", began.elapsed());
    for id in fresh {
        let returned = bench.detail(id).await.attempts.len() - 1;
        assert!(returned <= 1, "it is not given back again and again: {returned}");
    }
    drop((first, second));
}

#[tokio::test(start_paused = true)]
async fn a_suspect_that_waits_can_be_cancelled_and_never_begins() {
    let bench = Bench::new();
    let suspect = suspects(&bench, &[1]).await[0];
    long(&bench).await;
    let tally = Tally::default();
    let running = Running::spawn(working(bench.worker().concurrency(4), &tally));
    bench.until_status(suspect, Status::Running).await;

    bench.queue.cancel(suspect).await.unwrap();
    let asked = Instant::now();

    let ended = bench.until_status(suspect, Status::Cancelled).await;
    assert!(asked.elapsed() < 5 * SECOND, "{:?}", asked.elapsed());
    assert_eq!((ended.crash_count, tally.seen()), (1, vec![9]));
    let fresh = bench.enqueue(2).await;
    bench.until_status(fresh, Status::Completed).await;
    assert!(asked.elapsed() < 10 * SECOND, "the others go on: {:?}", asked.elapsed());
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_gives_a_suspect_that_waits_back_unspent() {
    let bench = Bench::new();
    let suspect = suspects(&bench, &[1]).await[0];
    long(&bench).await;
    let tally = Tally::default();
    let worker = bench.worker().concurrency(4).grace(SECOND);
    let running = Running::spawn(working(worker, &tally));
    bench.until_status(suspect, Status::Running).await;
    let asked = Instant::now();

    running.stop().await;

    assert!(asked.elapsed() < 10 * SECOND, "{:?}", asked.elapsed());
    let detail = bench.detail(suspect).await;
    assert_eq!((detail.job.status, detail.job.crash_count), (Status::Pending, 1));
    let last = detail.attempts.last().unwrap();
    assert_eq!((last.outcome, last.started_at), (AttemptOutcome::Returned, None));
    assert_eq!(tally.seen(), [9]);
}

#[tokio::test(start_paused = true)]
async fn a_suspect_whose_lease_is_lost_while_it_waits_does_not_begin_under_it() {
    let bench = Bench::new();
    let suspect = suspects(&bench, &[1]).await[0];
    let long = bench.enqueue_with(|job| job.priority(Priority::CRITICAL)).await;
    let is_first = Arc::new(AtomicBool::new(true));
    let tally = Tally::default();
    let (visits, first) = (tally.clone(), is_first.clone());
    let worker = bench.worker().concurrency(4).handle(move |step: Step, attempt| {
        visits.enter(step.number);
        let waits = step.number == 0 && first.swap(false, Ordering::SeqCst);
        async move {
            if waits {
                attempt.stopped().await;
                pending::<()>().await;
            }
            Ok(())
        }
    });
    let running = Running::spawn(worker);
    let worker_id = bench.until_status(long, Status::Running).await.worker_id.unwrap();
    let lost = bench.until_status(suspect, Status::Running).await.claim_number;

    bench.store.kill(&worker_id);

    let job = bench.until_status(suspect, Status::Completed).await;
    assert!(job.claim_number > lost);
    assert_eq!(job.crash_count, 1, "it had not begun when the lease was lost");
    assert_eq!(tally.seen().iter().filter(|number| **number == 1).count(), 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_fresh_jobs_does_not_overtake_a_suspect() {
    let bench = Bench::new();
    let suspect = suspects(&bench, &[1]).await[0];
    for _ in 0..8 {
        bench.enqueue(2).await;
    }
    let began = Instant::now();
    let worker = bench.worker().concurrency(4).handle(move |step: Step, attempt| async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if step.number == 2 {
            attempt.queue().enqueue(&Step { number: 2 }).await?;
        }
        Ok(())
    });
    let running = Running::spawn(worker);

    bench.until_status(suspect, Status::Completed).await;

    assert!(began.elapsed() < 10 * SECOND, "{:?}", began.elapsed());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn all_workers_of_a_process_make_way_for_a_suspect_of_one_of_them() {
    let bench = Bench::new();
    let suspected = suspects(&bench, &[1, 1]).await;
    for _ in 0..8 {
        bench.enqueue(2).await;
    }
    let tally = Tally::default();
    let worker = || {
        let all = tally.clone();
        bench.worker().concurrency(2).handle(move |step: Step, _| {
            let all = all.clone();
            async move {
                all.enter(step.number);
                let is_alone = all.now() == 1;
                tokio::time::sleep(SECOND).await;
                assert!(step.number != 1 || (is_alone && all.now() == 1), "a suspect runs alone in its process");
                all.leave();
                Ok(())
            }
        })
    };
    let (first, second) = (worker(), worker());

    let (first, second) = tokio::join!(first.run_until_drained(), second.run_until_drained());

    first.unwrap();
    second.unwrap();
    for id in suspected {
        assert_eq!(bench.job(id).await.retry_count, 0);
    }
    let completed = Selection::from(Filter::all().statuses([Status::Completed]));
    assert_eq!(bench.queue.backend().count(completed).await.unwrap(), 10);
    assert!(tally.most() > 2, "both workers run beside each other otherwise");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_noted_as_accompanied_when_another_worker_begins_in_its_process() {
    let bench = Bench::new();
    let long = bench.enqueue_with(|job| NewJob { max_crashes: 1, ..job }).await;
    let endless = |worker: Worker| {
        worker.handle(|_: Step, attempt| async move {
            attempt.stopped().await;
            pending::<()>().await;
            Ok(())
        })
    };
    let running = Running::spawn(endless(bench.worker().concurrency(1)));
    let worker_id = bench.until_status(long, Status::Running).await.worker_id.unwrap();
    let beside = Running::spawn(endless(bench.worker()));
    tokio::time::sleep(SECOND).await;

    bench.store.kill(&worker_id);

    let job = bench.until(long, |job| job.crash_count == 1).await;
    assert_ne!(job.status, Status::DeadLetter);
    drop((running, beside));
}

#[tokio::test(start_paused = true)]
async fn a_suspect_that_expires_while_it_waits_to_be_alone_never_begins() {
    let bench = Bench::new();
    let id = bench.enqueue_with(|job| job.expires_in(30 * SECOND)).await;
    let _other = suspects(&bench, &[1]).await;
    assert_eq!(bench.job(id).await.crash_count, 1);
    bench.queue.reprioritise(id, Priority::HIGH).await.unwrap();
    let long = long(&bench).await;
    let tally = Tally::default();
    let running = Running::spawn(working(bench.worker(), &tally));
    bench.until_status(long, Status::Running).await;

    let job = bench.until_status(id, Status::Cancelled).await;

    assert!(job.dead_letter_reason.unwrap().starts_with("expired: it expired"));
    let detail = bench.detail(id).await;
    assert!(detail.attempts[1..].iter().all(|attempt| attempt.started_at.is_none()), "{detail:?}");
    running.stop().await;
}
