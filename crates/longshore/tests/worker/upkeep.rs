//! How often a worker asks its store, and how much it says.

use std::sync::Arc;
use std::time::Duration;

use longshore::backend::{Held, Record, Recorded, Store};
use longshore::{JobId, Outcome, Queue, Status};
use longshore_testkit::{Fault, FaultPlan, FaultStore, MemoryStore, Operation};

use crate::bench::{Bench, Running, Step};

const SECOND: Duration = Duration::from_secs(1);

fn faulty(bench: &Bench) -> (FaultStore<MemoryStore>, Queue) {
    let faulty = FaultStore::new(bench.store.clone(), FaultPlan::none());
    let queue = Queue::from_backend(Arc::new(faulty.clone()));
    (faulty, queue)
}

/// A worker with so many jobs that run for ten minutes, and a heartbeat every two seconds.
async fn holding(bench: &Bench, queue: &Queue, jobs: u32) -> Running {
    let worker = bench.worker_of(queue).lease(12 * SECOND).concurrency(jobs).handle(|_: Step, attempt| async move {
        tokio::select! {
            _ = attempt.stopped() => attempt.check()?,
            () = tokio::time::sleep(600 * SECOND) => {}
        }
        Ok(())
    });
    let mut last = None;
    for number in 0..jobs {
        last = Some(bench.enqueue(number).await);
    }
    let running = Running::spawn(worker);
    bench.until_status(last.unwrap(), Status::Running).await;
    running
}

fn shapes(faulty: &FaultStore<MemoryStore>) -> Vec<(&'static str, usize, usize)> {
    let shape = |held| match held {
        Held::All(all) => ("all", all.len(), 0),
        Held::Changes { taken, given_up, .. } => ("changes", taken.len(), given_up.len()),
    };
    faulty.heartbeats().into_iter().map(|heartbeat| shape(heartbeat.held)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_names_what_has_changed_and_after_a_lost_answer_all() {
    let bench = Bench::new();
    let (faulty, queue) = faulty(&bench);
    let running = holding(&bench, &queue, 5).await;
    tokio::time::sleep(5 * SECOND).await;
    assert_eq!(shapes(&faulty), [("all", 5, 0), ("changes", 0, 0)]);

    let id = JobId(5);
    queue.cancel(id).await.unwrap();
    bench.until_status(id, Status::Cancelled).await;
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(shapes(&faulty)[2..], [("changes", 0, 1)]);

    faulty.fail_next(Operation::Extend, Fault::Lost);
    tokio::time::sleep(5 * SECOND).await;
    assert_eq!(shapes(&faulty)[3..6], [("changes", 0, 0), ("all", 4, 0), ("changes", 0, 0)]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_taken_away_without_the_worker_is_stopped_by_a_heartbeat_that_names_nothing() {
    let bench = Bench::new();
    let (faulty, queue) = faulty(&bench);
    let running = holding(&bench, &queue, 2).await;
    tokio::time::sleep(5 * SECOND).await;
    let id = JobId(1);

    complete_without(&bench, id).await;
    let told = shapes(&faulty).len();
    tokio::time::sleep(4 * SECOND).await;

    // It was told as lost, so it is given up; the other one goes on.
    assert_eq!(shapes(&faulty)[told..], [("changes", 0, 0), ("changes", 0, 1)]);
    running.stop().await;
}

/// Completes the job behind its worker's back, as another program may.
async fn complete_without(bench: &Bench, id: JobId) {
    let job = bench.job(id).await;
    let record = Record {
        id,
        claim_number: job.claim_number,
        outcome: Outcome::Completed { result: None },
        attempt: 1,
        ran: None,
        ended_ago: Duration::ZERO,
        log: Vec::new(),
        slow_down: None,
    };
    let recorded = bench.store.record(job.worker_id.unwrap(), [record].into()).await.unwrap();
    assert_eq!(recorded, [Recorded::Recorded]);
}

#[tokio::test(start_paused = true)]
async fn the_store_says_how_often_dead_workers_are_looked_for() {
    for (next, looks) in [(None, 230..250), (Some(5 * SECOND), 11..14), (Some(Duration::ZERO), 1000..7000)] {
        let bench = Bench::new();
        let (faulty, queue) = faulty(&bench);
        if let Some(next) = next {
            faulty.look_again_after(next);
        }
        let running = Running::spawn(bench.worker_of(&queue).handle(|_: Step, _| async { Ok(()) }));

        tokio::time::sleep(60 * SECOND).await;

        let made = faulty.calls(Operation::Reclaim);
        assert!(looks.contains(&made), "{made} looks in a minute, told {next:?}");
        running.stop().await;
    }
}
