use longshore_core::{
    Action, Awaited, BatchStatus, Console, Filter, Lease, NewDependency, RunningMember, Selection, Status, StoreError,
    WorkerId, WorkflowBatch, Workflows,
};

use crate::suite::flowing::{
    act, advance, batch_status, claim_next, closed, complete, counts, enqueue, named, on, on_batch, statuses,
    try_enqueue,
};
use crate::suite::{Harness, World};
use crate::{ended, job};

fn by(batch: longshore_core::BatchId, worker_id: &WorkerId, lease: &Lease) -> WorkflowBatch {
    let by = RunningMember { worker_id: worker_id.clone(), id: lease.id, claim_number: lease.claim_number };
    WorkflowBatch::Existing { id: batch, by: Some(by) }
}

pub async fn a_running_member_adds_members_and_a_join<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![named("split"), named("done").after(on_batch(longshore_core::Needs::Completed))];
    let flow = enqueue(&world, closed("import"), jobs).await;
    let split = claim_next(&world, &worker_id, flow.id("split")).await;
    let parts = ["1", "2", "3"];
    let mut join = named("join");
    for part in parts {
        join = join.after(on(part));
    }
    let mut jobs: Vec<_> = parts.map(named).into();
    jobs.push(join);
    let added = enqueue(&world, by(flow.batch(), &worker_id, &split), jobs).await;
    assert_eq!((added.batch_id, added.inserted), (flow.batch_id, 4));
    world.complete(&worker_id, &split).await;
    advance(&world).await;
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Running);
    for reference in ["1", "2", "3", "join"] {
        complete(&world, &worker_id, added.id(reference)).await;
    }
    assert_eq!(counts(&world, flow.batch()).await.completed, 5);
    complete(&world, &worker_id, flow.id("done")).await;
}

pub async fn who_lost_its_job_adds_nothing_to_a_closed_batch<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, closed("import"), vec![named("a"), named("b")]).await;
    let lease = claim_next(&world, &worker_id, flow.id("a")).await;
    world.complete(&worker_id, &lease).await;
    let error = try_enqueue(&world, by(flow.batch(), &worker_id, &lease), vec![named("c")]).await.unwrap_err();
    assert!(matches!(error, StoreError::BatchClosed { .. }), "{error}");
    act(&world, flow.id("b"), Action::Delete).await;
    let stranger = world.running(&worker_id, job()).await;
    let error = try_enqueue(&world, by(flow.batch(), &worker_id, &stranger), vec![named("c")]).await.unwrap_err();
    assert!(matches!(error, StoreError::BatchClosed { .. }), "{error}");
}

pub async fn a_running_callback_adds_nothing_to_its_batch<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![named("done").after(on_batch(longshore_core::Needs::Completed))];
    let flow = enqueue(&world, closed("import"), jobs).await;
    let lease = claim_next(&world, &worker_id, flow.id("done")).await;
    let error = try_enqueue(&world, by(flow.batch(), &worker_id, &lease), vec![named("c")]).await.unwrap_err();
    assert!(matches!(error, StoreError::BatchClosed { .. }), "{error}");
}

pub async fn many_who_wait_for_one_are_released_in_bounded_steps<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let mut jobs = vec![named("first")];
    jobs.extend((0..3000).map(|number| named(&number.to_string()).after(on("first"))));
    let flow = enqueue(&world, closed("large"), jobs).await;
    let lease = claim_next(&world, &worker_id, flow.id("first")).await;
    world.complete(&worker_id, &lease).await;
    advance(&world).await;
    let pending = Selection::from(Filter::all().statuses([Status::Pending]));
    assert_eq!(world.store.count(pending).await.unwrap(), 3000);
}

pub async fn many_who_wait_for_one_that_fails_are_given_up_and_counted<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let mut jobs = vec![named("first")];
    jobs.extend((0..1500).map(|number| named(&number.to_string()).after(on("first"))));
    jobs.push(named("alert").after(on_batch(longshore_core::Needs::Failed)));
    let flow = enqueue(&world, closed("large"), jobs).await;
    let lease = claim_next(&world, &worker_id, flow.id("first")).await;
    world.finish(&worker_id, ended(&lease).dead_letter()).await;
    advance(&world).await;
    assert_eq!(counts(&world, flow.batch()).await.dead_letter, 1501);
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Failed);
    complete(&world, &worker_id, flow.id("alert")).await;
}

pub async fn a_diamond_joins_once<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![
        named("a"),
        named("b").after(on("a")),
        named("c").after(on("a")),
        named("d").after(on("b")).after(on("c")).after(NewDependency::on(Awaited::Reference("a".to_owned()))),
    ];
    let flow = enqueue(&world, closed("import"), jobs).await;
    for reference in ["a", "b", "c", "d"] {
        complete(&world, &worker_id, flow.id(reference)).await;
    }
    let ids: Vec<_> = flow.ids.values().copied().collect();
    assert_eq!(statuses(&world, &ids).await, [Status::Completed; 4]);
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Completed);
}
