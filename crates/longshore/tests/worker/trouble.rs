use std::sync::Arc;
use std::time::Duration;

use longshore::limits::LimitRule;
use longshore::{Queue, Status};
use longshore_testkit::{Fault, FaultPlan, FaultStore, MemoryStore, Operation};

use crate::bench::{Bench, Running, Step};
use crate::warnings::Warnings;

const FAILS: &str = "the store fails";
const WORKS_AGAIN: &str = "the store works again";

/// The bench with a store that fails when a test requests it. Calls of the bench itself never fail.
fn faulty(bench: &Bench) -> (FaultStore<MemoryStore>, Queue) {
    let store = FaultStore::new(bench.store.clone(), FaultPlan::none());
    (store.clone(), Queue::from_backend(Arc::new(store)))
}

/// Every call of a worker fails for about ten seconds. The search for dead workers, with pauses that grow to two seconds,
/// fails first and recovers last.
fn fail_for_a_while(store: &FaultStore<MemoryStore>) {
    let outage = [
        (Operation::Reclaim, Fault::Busy, 8),
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
async fn a_worker_whose_store_does_not_take_its_limits_stops_when_asked() {
    let (warnings, _guard) = Warnings::listen();
    let bench = Bench::new();
    let (store, queue) = faulty(&bench);
    for _ in 0..3 {
        store.fail_next(Operation::Schedule, Fault::Busy);
    }
    let rule = LimitRule { concurrency: Some(1), ..LimitRule::default() };
    let worker = bench.worker_of(&queue).limit("step", rule).handle(|_: Step, _| async { Ok(()) });
    let running = Running::spawn(worker);
    warnings.until(FAILS, 1).await;
    store.set_gone(true);

    let stopped = tokio::time::timeout(Duration::from_secs(60), running.stop()).await;

    assert!(stopped.is_ok(), "it waits for its store");
}
