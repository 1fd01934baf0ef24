//! Faults do what they promise. Every test of recovery relies on it.

use longshore_core::{Console, Filter, OutsideCause, Selection, Store, StoreError};
use longshore_testkit::{FakeClock, Fault, FaultPlan, FaultStore, MemoryStore, Operation, job};

fn store(plan: FaultPlan) -> FaultStore<MemoryStore> {
    FaultStore::new(MemoryStore::new(FakeClock::new()), plan)
}

async fn count(store: &FaultStore<MemoryStore>) -> u64 {
    store.inner().count(Selection::from(Filter::all())).await.expect("memory never fails")
}

#[tokio::test]
async fn a_busy_store_did_nothing() {
    let store = store(FaultPlan::none());
    store.fail_next(Operation::Enqueue, Fault::Busy);
    let answer = store.enqueue(vec![job()]).await;
    assert!(matches!(answer, Err(StoreError::Outside(OutsideCause::Busy { .. }))));
    assert_eq!(count(&store).await, 0);
}

#[tokio::test]
async fn a_lost_answer_hides_an_effect() {
    let store = store(FaultPlan::none());
    store.fail_next(Operation::Enqueue, Fault::Lost);
    let answer = store.enqueue(vec![job()]).await;
    assert!(matches!(answer, Err(StoreError::Backend { .. })));
    assert_eq!(count(&store).await, 1);
}

#[tokio::test]
async fn a_fault_is_met_once_and_only_by_its_own_operation() {
    let store = store(FaultPlan::none());
    store.fail_next(Operation::Reclaim, Fault::Full);
    store.enqueue(vec![job()]).await.unwrap();
    assert!(matches!(store.reclaim().await, Err(StoreError::Outside(OutsideCause::Full { .. }))));
    store.reclaim().await.unwrap();
}

#[tokio::test]
async fn the_same_seed_meets_the_same_faults() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let store = store(FaultPlan::seeded(7, 0.5));
        let mut met = Vec::new();
        for _ in 0..100 {
            let _ = store.reclaim().await;
            met.push(store.take_injected());
        }
        runs.push(met);
    }
    assert_eq!(runs[0], runs[1]);
    for fault in [Fault::Busy, Fault::Full, Fault::Lost] {
        assert!(runs[0].contains(&Some(fault)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_healed_store_fails_no_more() {
    let store = store(FaultPlan::seeded(7, 1.0));
    assert!(store.reclaim().await.is_err());
    store.heal();
    store.reclaim().await.unwrap();
}
