use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use longshore::{CurrentAttempt, Payload, Queue, Status};
use longshore_testkit::{FaultPlan, FaultStore, MemoryStore, Operation};
use serde::{Deserialize, Serialize};

use crate::bench::{Bench, Running, Step, Tally};

/// Less than a worker's look without a hint is away, and more than any job here takes.
const MOMENT: Duration = Duration::from_millis(100);

#[derive(Serialize, Deserialize)]
struct Other {}

impl Payload for Other {
    const JOB_TYPE: &'static str = "other";
}

/// The same jobs through a store that counts its calls.
fn counted(bench: &Bench) -> (FaultStore<MemoryStore>, Queue) {
    let store = FaultStore::new(bench.store.clone(), FaultPlan::none());
    let queue = Queue::from_backend(Arc::new(store.clone()));
    (store, queue)
}

#[tokio::test(start_paused = true)]
async fn an_enqueue_wakes_no_idle_worker_of_another_type_or_queue() {
    let bench = Bench::new();
    let (mut stores, mut idle) = (Vec::new(), Vec::new());
    for number in 0..20 {
        let (store, queue) = counted(&bench);
        let worker = bench.worker_of(&queue);
        let worker = match number % 2 {
            0 => worker.handle(|_: Other, _| async { Ok(()) }),
            _ => worker.queue("elsewhere").handle(|_: Step, _| async { Ok(()) }),
        };
        idle.push(Running::spawn(worker));
        stores.push(store);
    }
    let tally = Tally::default();
    let (seen, (own_store, own_queue)) = (tally.clone(), counted(&bench));
    let worker = bench.worker_of(&own_queue).handle(move |step: Step, _| {
        seen.enter(step.number);
        async { Ok(()) }
    });
    let worker = Running::spawn(worker);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let claims = || stores.iter().map(|store| store.calls(Operation::Claim)).collect::<Vec<_>>();
    let (before, own_before) = (claims(), own_store.calls(Operation::Claim));
    assert!(before.iter().all(|claims| *claims > 0), "they look without a hint, too: {before:?}");

    for number in 0..10 {
        bench.enqueue(number).await;
        tokio::time::sleep(MOMENT / 10).await;
    }

    assert_eq!(tally.seen(), (0..10).collect::<Vec<_>>());
    assert_eq!(claims(), before);
    assert!(own_store.calls(Operation::Claim) > own_before, "the one that the jobs are for claims them");
    drop((worker, idle));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_cancelled_through_the_workers_own_store_stops_at_once_and_nothing_is_read_for_it() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let (store, queue) = counted(&bench);
    let worker = bench.worker_of(&queue).handle(|_: Step, attempt: CurrentAttempt| async move {
        attempt.stopped().await;
        attempt.check()?;
        Ok(())
    });
    let worker = Running::spawn(worker);
    bench.until_status(id, Status::Running).await;
    let reads = store.calls(Operation::Read);

    queue.cancel(id).await.unwrap();
    tokio::time::sleep(MOMENT).await;

    assert_eq!(bench.status(id).await, Status::Cancelled);
    assert_eq!(store.calls(Operation::Read), reads);
    drop(worker);
}

#[tokio::test(start_paused = true)]
async fn what_others_do_leads_to_no_look_for_cancellations() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let (store, queue) = counted(&bench);
    let worker = bench.worker_of(&queue).concurrency(1).handle(|_: Step, _| async {
        pending::<()>().await;
        Ok(())
    });
    let worker = Running::spawn(worker);
    bench.until_status(id, Status::Running).await;
    let reads = store.calls(Operation::Read);

    for number in 1..20 {
        bench.enqueue(number).await;
        tokio::time::sleep(MOMENT).await;
    }

    assert_eq!(store.calls(Operation::Read), reads);
    drop(worker);
}
