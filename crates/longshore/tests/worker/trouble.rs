use std::sync::Arc;
use std::time::Duration;

use longshore::{AttemptOutcome, Done, FailureType, Queue, Status};
use longshore_testkit::{Fault, FaultPlan, FaultStore, MemoryStore, Operation};
use tokio::sync::Barrier;

use crate::bench::{Bench, Running, Step};
use crate::warnings::Warnings;

const HOUR: Duration = Duration::from_secs(3600);
const FAILS: &str = "the store fails";
const WORKS_AGAIN: &str = "the store works again";

/// The bench with a store that fails when a test says so; what the bench itself asks never fails.
fn faulty(bench: &Bench) -> (FaultStore<MemoryStore>, Queue) {
    let store = FaultStore::new(bench.store.clone(), FaultPlan::none());
    (store.clone(), Queue::from_backend(Arc::new(store)))
}

/// Whatever a worker does fails for some ten seconds: the look for dead workers, four times a second, begins first
/// and ends last.
fn fail_for_a_while(store: &FaultStore<MemoryStore>) {
    let outage = [
        (Operation::Reclaim, Fault::Busy, 40),
        (Operation::Claim, Fault::Full, 3),
        (Operation::Record, Fault::Full, 3),
        (Operation::Extend, Fault::Busy, 3),
    ];
    for (operation, fault, times) in outage {
        for _ in 0..times {
            store.fail_next(operation, fault);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_store_is_told_once_and_so_is_its_end() {
    let (warnings, _guard) = Warnings::listen();
    let bench = Bench::new();
    let (store, queue) = faulty(&bench);
    let worker = bench.worker_of(&queue).handle(|_: Step, _| async { Ok(()) });
    let running = Running::spawn(worker);

    for outages in 1..=2 {
        fail_for_a_while(&store);
        warnings.until(FAILS, outages).await;
        let id = bench.enqueue(0).await;
        warnings.until(WORKS_AGAIN, outages).await;

        bench.until_status(id, Status::Completed).await;
        assert_eq!((warnings.count(FAILS), warnings.count(WORKS_AGAIN)), (outages, outages), "{:?}", warnings.told);
    }

    running.stop().await;
    assert_eq!(warnings.told.lock().unwrap().len(), 4, "{:?}", warnings.told);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_the_store_refuses_does_not_take_the_others_with_it() {
    let (warnings, _guard) = Warnings::listen();
    let bench = Bench::new();
    let (store, queue) = faulty(&bench);
    let ids = [bench.enqueue(0).await, bench.enqueue(1).await, bench.enqueue(2).await];
    store.refuse_result_of(ids[1]);
    let together = Arc::new(Barrier::new(ids.len()));
    let worker = bench.worker_of(&queue).handle(move |step: Step, _| {
        let together = together.clone();
        async move {
            together.wait().await;
            Ok(Done::with(&step.number)?)
        }
    });

    tokio::time::timeout(HOUR, worker.run_until_drained()).await.expect("no job is left running").unwrap();

    assert_eq!(warnings.count("storing them one by one"), 1, "they were one batch: {:?}", warnings.told);
    assert_eq!((bench.status(ids[0]).await, bench.status(ids[2]).await), (Status::Completed, Status::Completed));
    let refused = bench.detail(ids[1]).await;
    assert_eq!(
        (refused.job.status, refused.job.failure_type.as_deref()),
        (Status::DeadLetter, Some("validation_error"))
    );
    assert!(refused.job.error_message.unwrap().contains("the result has"));
    assert_eq!(refused.attempts.len(), 1);
    assert_eq!(refused.attempts[0].outcome, AttemptOutcome::DeadLetter);
    assert_eq!(refused.attempts[0].failure_type, Some(FailureType::ValidationError));
}
