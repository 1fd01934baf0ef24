use longshore_core::{
    BatchStatus, ChangeBatch, Checksum, DependencyState, MovePhase, MovedSettings, Moving, Needs, NewSignal, Status,
    StoreError, WorkflowBatch, Workflows,
};

use crate::suite::flowing::{
    advance, batch, batch_status, closed, complete, dependencies, enqueue, jobs_of, named, on, on_batch, on_signal,
    open, states, try_enqueue,
};
use crate::suite::world::data;
use crate::suite::{Harness, World};
use crate::{ended, worker};

fn checksum(settings: &MovedSettings) -> String {
    let mut checksum = Checksum::default();
    checksum.add_settings(settings);
    checksum.finish()
}

pub async fn a_workflow_goes_on_where_it_moved_to<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let worker_id = world.register(worker()).await;
    let jobs = vec![
        named("a"),
        named("b").after(on("a")),
        named("c").after(on("b")).after(on_signal("approved")).after(on_signal("later")),
        named("done").after(on_batch(Needs::Completed)),
        named("alert").after(on_batch(Needs::Failed)),
    ];
    let flow = enqueue(&world, closed("import"), jobs).await;
    let lease = world.claim_one(&worker_id).await;
    world.finish(&worker_id, ended(&lease).completed_with(data("[1]"))).await;
    let early = NewSignal { batch: flow.batch(), name: "approved".to_owned(), data: Some(data("\"by ada\"")) };
    assert_eq!(world.store.signal(early).await.expect("signals can be sent"), Some(true));
    advance(&world).await;
    let there = world.moved_house(false).await;
    advance(&there).await;
    let here = world.store.moved_settings().await.expect("settings can be read");
    let other = there.store.moved_settings().await.expect("settings can be read");
    assert_eq!(checksum(&other), checksum(&here));
    assert_eq!(batch(&there, flow.batch()).await, batch(&world, flow.batch()).await);
    for reference in ["b", "c", "done", "alert"] {
        let id = flow.id(reference);
        assert_eq!(dependencies(&there, id).await, dependencies(&world, id).await, "{reference}");
        assert_eq!(there.status(id).await, world.status(id).await, "{reference}");
    }
    let result = dependencies(&there, flow.id("b")).await[0].result.clone();
    assert_eq!(result, Some(data("[1]")), "a completed job moves with those that read its result");
    let worker_id = there.register(worker()).await;
    complete(&there, &worker_id, flow.id("b")).await;
    assert_eq!(there.status(flow.id("c")).await, Status::Blocked);
    let late = NewSignal { batch: flow.batch(), name: "later".to_owned(), data: None };
    assert_eq!(there.store.signal(late).await.expect("signals can be sent"), Some(true));
    advance(&there).await;
    complete(&there, &worker_id, flow.id("c")).await;
    assert_eq!(batch_status(&there, flow.batch()).await, BatchStatus::Completed);
    assert_eq!(there.status(flow.id("alert")).await, Status::Cancelled);
    assert_eq!(states(&there, flow.id("done")).await, [DependencyState::Met]);
    complete(&there, &worker_id, flow.id("done")).await;
    let next = enqueue(&there, closed("next"), vec![named("a")]).await;
    assert!(next.batch() > flow.batch(), "no id is given twice");
}

pub async fn a_member_that_stayed_behind_stays_counted<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let worker_id = world.register(worker()).await;
    let flow = enqueue(&world, open("import"), vec![named("a"), named("b")]).await;
    complete(&world, &worker_id, flow.id("a")).await;
    let there = world.moved_house(false).await;
    let worker_id = there.register(worker()).await;
    complete(&there, &worker_id, flow.id("b")).await;
    let counts = batch(&there, flow.batch()).await.counts;
    assert_eq!((counts.members, counts.completed, counts.unended()), (2, 2, 0));
    assert_eq!(jobs_of(&there, flow.batch()).await.len(), 1);
}

pub async fn no_workflow_begins_while_the_queue_moves<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let flow = enqueue(&world, open("import"), vec![named("a").after(on_signal("go"))]).await;
    world.set_phase(MovePhase::Frozen).await;
    let id = flow.batch();
    let is_moving = |error: StoreError| assert!(matches!(error, StoreError::Moving { .. }), "{error:?}");
    let existing = WorkflowBatch::Existing { id, by: None };
    for batch in [closed("other"), existing, WorkflowBatch::None] {
        is_moving(try_enqueue(&world, batch, vec![named("b")]).await.expect_err("the fence refuses it"));
    }
    let signal = NewSignal { batch: id, name: "go".to_owned(), data: None };
    is_moving(world.store.signal(signal).await.expect_err("the fence refuses it"));
    let close = ChangeBatch { id, change: longshore_core::BatchChange::Close, after: None };
    is_moving(world.store.change_batch(close).await.expect_err("the fence refuses it"));
    assert_eq!(batch(&world, id).await.closed_at, None, "it is still read");
}
