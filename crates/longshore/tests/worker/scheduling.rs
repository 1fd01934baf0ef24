use std::time::Duration;

use longshore::{NewJob, Payload, Priority, Status, Worker};
use tokio::sync::Notify;

use crate::bench::{Bench, Running, Step, Tally};

/// A handler that takes this long, and records who came and how many were inside at once.
fn taking(worker: Worker, span: Duration, tally: &Tally) -> Worker {
    let tally = tally.clone();
    worker.handle(move |step: Step, _| {
        let tally = tally.clone();
        async move {
            tally.enter(step.number);
            tokio::time::sleep(span).await;
            tally.leave();
            Ok(())
        }
    })
}

fn step(number: u32, change: impl FnOnce(NewJob) -> NewJob) -> NewJob {
    change(Step { number }.to_job().unwrap())
}

#[tokio::test(start_paused = true)]
async fn higher_priorities_run_first_and_equal_ones_in_order() {
    let bench = Bench::new();
    let jobs = [(1, Priority::LOW), (2, Priority::NORMAL), (3, Priority::URGENT), (4, Priority::NORMAL)];
    for (number, priority) in jobs {
        bench.queue.enqueue_job(step(number, |job| job.priority(priority))).await.unwrap();
    }
    let tally = Tally::default();

    let worker = taking(bench.worker().concurrency(1), Duration::from_secs(1), &tally);
    worker.run_until_drained().await.unwrap();

    assert_eq!(tally.seen(), [3, 2, 4, 1]);
}

#[tokio::test(start_paused = true)]
async fn no_more_jobs_run_at_once_than_a_queue_and_the_worker_allow() {
    let bench = Bench::new();
    for number in 0..40 {
        let queue = if number % 2 == 0 { "mail" } else { "media" };
        bench.queue.enqueue_job(step(number, |job| job.queue(queue))).await.unwrap();
    }
    let (tally, mail) = (Tally::default(), Tally::default());
    let (all, inside) = (tally.clone(), mail.clone());
    let worker =
        bench.worker().concurrency(5).queue_with_limit("mail", 2).queue("media").handle(move |step: Step, attempt| {
            let (all, inside) = (all.clone(), inside.clone());
            async move {
                let is_mail = attempt.queue_name() == "mail";
                all.enter(step.number);
                if is_mail {
                    inside.enter(step.number);
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
                if is_mail {
                    inside.leave();
                }
                all.leave();
                Ok(())
            }
        });
    worker.run_until_drained().await.unwrap();

    assert_eq!((tally.most(), mail.most(), tally.seen().len()), (5, 2, 40));
}

#[tokio::test(start_paused = true)]
async fn a_worker_takes_only_from_its_queues_and_only_types_that_it_handles() {
    let bench = Bench::new();
    let elsewhere = bench.enqueue_with(|job| job.queue("elsewhere")).await;
    let unknown = bench.queue.enqueue_job(NewJob::encode("unknown", &()).unwrap().queue("here")).await.unwrap().id;
    let here = bench.enqueue_with(|job| job.queue("here")).await;

    let worker = taking(bench.worker().queue("here"), Duration::ZERO, &Tally::default());
    worker.run_until_drained().await.unwrap();

    assert_eq!(bench.status(here).await, Status::Completed);
    assert_eq!(bench.status(elsewhere).await, Status::Pending);
    assert_eq!(bench.status(unknown).await, Status::Pending);
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_what_runs_later_by_itself() {
    let bench = Bench::new();
    let delayed = bench.enqueue_with(|job| job.delay(Duration::from_secs(3600))).await;
    let child = bench.enqueue_with(|job| job.parent(delayed)).await;

    taking(bench.worker(), Duration::ZERO, &Tally::default()).run_until_drained().await.unwrap();

    assert_eq!(bench.status(delayed).await, Status::Completed);
    assert_eq!(bench.status(child).await, Status::Completed);
}

#[tokio::test(start_paused = true)]
async fn draining_does_not_wait_for_a_paused_queue_nor_for_a_child_of_an_unknown_type() {
    let bench = Bench::new();
    let paused = bench.enqueue_with(|job| job.queue("paused")).await;
    let parent = bench.queue.enqueue_job(NewJob::encode("unknown", &()).unwrap()).await.unwrap().id;
    let child = bench.enqueue_with(|job| job.parent(parent)).await;
    bench.queue.pause("paused").await.unwrap();

    taking(bench.worker(), Duration::ZERO, &Tally::default()).run_until_drained().await.unwrap();

    assert_eq!(bench.status(paused).await, Status::Pending);
    assert_eq!(bench.status(child).await, Status::Blocked);
}

#[tokio::test(start_paused = true)]
async fn slow_jobs_are_not_taken_before_a_slot_is_free() {
    let bench = Bench::new();
    let mut ids = Vec::new();
    for number in 0..30 {
        ids.push(bench.enqueue(number).await);
    }
    let running = Running::spawn(taking(bench.worker().concurrency(3), Duration::from_secs(2), &Tally::default()));

    let mut most = 0;
    for _ in 0..100 {
        let mut held = 0;
        for id in &ids {
            held += usize::from(bench.status(*id).await == Status::Running);
        }
        most = most.max(held);
        tokio::time::sleep(Duration::from_millis(150)).await;
    }

    assert_eq!(most, 3);
    running.stop().await;
}

/// Fast jobs make the worker prefetch. Then slow ones fill its slots, and the prefetched jobs are returned.
#[tokio::test(start_paused = true)]
async fn jobs_that_were_fetched_ahead_and_wait_behind_slow_ones_are_given_back() {
    let bench = Bench::new();
    for number in 0..2000 {
        bench.enqueue(number % 1000).await;
    }
    let worker = bench.worker().concurrency(2).handle(|step: Step, _| async move {
        let span = if step.number == 999 { Duration::from_secs(3600) } else { Duration::from_millis(1) };
        tokio::time::sleep(span).await;
        Ok(())
    });
    let running = Running::spawn(worker);

    tokio::time::sleep(Duration::from_secs(30)).await;
    bench.enqueue(0).await;
    tokio::time::sleep(Duration::from_secs(30)).await;

    let stats = bench.queue.backend().stats(0).await.unwrap();
    assert_eq!(stats.queues[0].jobs[&Status::Running], 2);
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn a_job_starts_as_soon_as_it_is_enqueued() {
    let bench = Bench::new();
    let running = Running::spawn(taking(bench.worker(), Duration::ZERO, &Tally::default()));
    tokio::time::sleep(Duration::from_secs(10)).await;

    let began = tokio::time::Instant::now();
    let id = bench.enqueue(1).await;
    bench.until_status(id, Status::Completed).await;

    assert!(began.elapsed() <= Duration::from_millis(20), "{:?}", began.elapsed());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn many_short_jobs_are_all_run_once() {
    let bench = Bench::new();
    let jobs = (0..3000).map(|number| step(number, |job| job)).collect();
    bench.queue.enqueue_all(jobs).await.unwrap();
    let tally = Tally::default();

    let visits = tally.clone();
    let worker = bench.worker().handle(move |step: Step, _| {
        visits.enter(step.number);
        async { Ok(()) }
    });
    worker.run_until_drained().await.unwrap();

    let mut seen = tally.seen();
    seen.sort_unstable();
    assert_eq!(seen, (0..3000).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_enqueue_more_jobs() {
    let bench = Bench::new();
    bench.enqueue(3).await;
    let tally = Tally::default();
    let visits = tally.clone();
    let worker = bench.worker().handle(move |step: Step, attempt| {
        visits.enter(step.number);
        async move {
            if step.number > 0 {
                attempt.queue().enqueue(&Step { number: step.number - 1 }).await?;
            }
            Ok(())
        }
    });

    worker.run_until_drained().await.unwrap();

    assert_eq!(tally.seen(), [3, 2, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_program_hears_of_the_end() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let gate = std::sync::Arc::new(Notify::new());
    let opened = gate.clone();
    let worker = bench.worker().handle(move |_: Step, _| {
        let opened = opened.clone();
        async move {
            opened.notified().await;
            Ok(())
        }
    });
    let running = Running::spawn(worker);

    let still = bench.queue.wait(id, Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(still.to_string(), format!("job {id} is still running after 50ms: wait longer"));
    gate.notify_one();
    let ended = bench.queue.wait(id, Duration::from_secs(60)).await.unwrap();

    assert_eq!(ended.job.status, Status::Completed);
    running.stop().await;
}
