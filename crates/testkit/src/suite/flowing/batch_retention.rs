use longshore_core::{
    Action, BatchChange, BatchId, BatchRecord, BatchesRequest, Console, DependenciesRequest, Maintenance, Needs,
    Retention, Workflows,
};

use crate::suite::flowing::{
    act, advance, change, closed, complete, enqueue, fail, named, on_batch, on_signal, open, signal,
};
use crate::suite::world::seconds;
use crate::suite::{Harness, World};

const RETENTION: u64 = 100;

/// Keeps house until nothing is left to do.
async fn maintain<H: Harness>(world: &World<H>, dead_letter_retention: Retention)
where
    H::Store: Workflows,
{
    let retention = Retention::After(seconds(RETENTION));
    let maintenance = Maintenance { retention, dead_letter_retention, rows_max: 100 };
    // What follows from the removal of jobs is done in steps, and batches go after it.
    for _ in 0..2 {
        while world.store.maintain(maintenance).await.unwrap().has_more {}
        advance(world).await;
    }
}

async fn batches<H: Harness>(world: &World<H>) -> Vec<BatchId>
where
    H::Store: Workflows,
{
    let all = BatchesRequest { statuses: None, before: None, limit: 100 };
    let found: Vec<BatchRecord> = world.store.batches(all).await.unwrap();
    found.into_iter().map(|batch| batch.id).collect()
}

pub async fn an_ended_batch_is_removed_after_its_members<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![named("a"), named("done").after(on_batch(Needs::Ended))];
    let flow = enqueue(&world, closed("import"), jobs).await;
    complete(&world, &worker_id, flow.id("a")).await;
    world.clock.advance(seconds(RETENTION + 1));
    maintain(&world, Retention::Forever).await;
    assert_eq!(batches(&world).await, [flow.batch()], "its callback has not run");

    complete(&world, &worker_id, flow.id("done")).await;
    world.clock.advance(seconds(RETENTION - 1));
    maintain(&world, Retention::Forever).await;
    assert_eq!(batches(&world).await, [flow.batch()], "its callback is still there");
    world.clock.advance(seconds(2));
    maintain(&world, Retention::Forever).await;
    assert_eq!(batches(&world).await, []);
}

pub async fn a_batch_stays_as_long_as_it_may_go_on<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let failed = enqueue(&world, closed("with a dead letter"), vec![named("a")]).await;
    fail(&world, &worker_id, failed.id("a")).await;
    let opened = enqueue(&world, open("open"), vec![]).await;
    let empty = enqueue(&world, closed("empty"), vec![]).await;
    world.clock.advance(seconds(RETENTION - 1));
    maintain(&world, Retention::Forever).await;
    assert_eq!(batches(&world).await, [empty.batch(), opened.batch(), failed.batch()]);

    world.clock.advance(seconds(2));
    maintain(&world, Retention::Forever).await;
    assert_eq!(batches(&world).await, [opened.batch(), failed.batch()]);
    change(&world, opened.batch(), BatchChange::Close).await;
    maintain(&world, Retention::After(seconds(RETENTION))).await;
    assert_eq!(batches(&world).await, [opened.batch()], "it has ended only now");
}

pub async fn a_batch_that_lost_its_members_by_hand_stays_for_its_retention<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let flow = enqueue(&world, closed("import"), vec![named("a")]).await;
    act(&world, flow.id("a"), Action::Delete).await;
    maintain(&world, Retention::Forever).await;
    assert_eq!(batches(&world).await, [flow.batch()]);
    world.clock.advance(seconds(RETENTION + 1));
    maintain(&world, Retention::Forever).await;
    assert_eq!(batches(&world).await, []);
}

/// A later signal of the name would otherwise be another first one, and a job that runs again would miss its data.
pub async fn a_signal_goes_with_its_batch<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, open("import"), vec![named("a"), named("b").after(on_signal("late"))]).await;
    assert_eq!(world.store.signal(signal(flow.batch(), "early")).await.unwrap(), Some(true));
    complete(&world, &worker_id, flow.id("a")).await;
    world.clock.advance(seconds(RETENTION + 1));
    maintain(&world, Retention::Forever).await;
    assert_eq!(world.store.signal(signal(flow.batch(), "early")).await.unwrap(), Some(false), "it has come already");
    let request = DependenciesRequest { id: flow.id("b"), name: None, result_bytes_max: 0 };
    assert_eq!(world.store.dependencies(request).await.unwrap().len(), 1, "it still waits");

    assert_eq!(world.store.signal(signal(flow.batch(), "late")).await.unwrap(), Some(true));
    advance(&world).await;
    complete(&world, &worker_id, flow.id("b")).await;
    change(&world, flow.batch(), BatchChange::Close).await;
    world.clock.advance(seconds(RETENTION + 1));
    maintain(&world, Retention::Forever).await;
    assert_eq!(batches(&world).await, []);
    assert_eq!(world.store.signal(signal(flow.batch(), "early")).await.unwrap(), None, "there is no such batch");
}
