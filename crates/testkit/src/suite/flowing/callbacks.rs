use longshore_core::{
    Action, BatchChange, BatchRole, BatchStatus, DependencyState, Needs, Otherwise, Status, Store, WorkflowBatch,
    Workflows,
};

use crate::suite::flowing::{
    act, act_on, advance, batch, batch_status, change, claim_next, closed, complete, enqueue, fail, jobs_of, named, on,
    on_batch, open, states, statuses,
};
use crate::suite::{Harness, World};

pub async fn a_callback_waits_for_all_members_and_is_none_itself<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![named("a"), named("notify").after(on_batch(Needs::Completed)), named("b")];
    let flow = enqueue(&world, closed("import"), jobs).await;
    let found = batch(&world, flow.batch()).await;
    assert_eq!((found.counts.members, found.callbacks), (2, 1));
    complete(&world, &worker_id, flow.id("a")).await;
    assert_eq!(world.status(flow.id("notify")).await, Status::Blocked);
    complete(&world, &worker_id, flow.id("b")).await;
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Completed);
    complete(&world, &worker_id, flow.id("notify")).await;
}

pub async fn each_callback_fires_for_its_own_end<H: Harness>()
where
    H::Store: Workflows,
{
    for (completes, expected) in [
        (true, [Status::Pending, Status::Cancelled, Status::Pending]),
        (false, [Status::DeadLetter, Status::Pending, Status::Pending]),
    ] {
        let world = World::<H>::new();
        let worker_id = world.worker().await;
        let callbacks = [Needs::Completed, Needs::Failed, Needs::Ended];
        let mut jobs = vec![named("a")];
        jobs.extend(callbacks.map(|needs| named(needs.as_str()).after(on_batch(needs))));
        let flow = enqueue(&world, closed("import"), jobs).await;
        if completes {
            complete(&world, &worker_id, flow.id("a")).await;
        } else {
            fail(&world, &worker_id, flow.id("a")).await;
        }
        for (needs, expected) in callbacks.into_iter().zip(expected) {
            assert_eq!(world.status(flow.id(needs.as_str())).await, expected, "{needs:?}");
        }
    }
}

pub async fn a_callback_of_an_empty_batch_fires_at_once<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, closed("nothing"), vec![named("notify").after(on_batch(Needs::Completed))]).await;
    complete(&world, &worker_id, flow.id("notify")).await;
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Completed);
}

pub async fn a_callback_of_an_open_batch_waits_for_its_close<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, open("import"), vec![named("a"), named("done").after(on_batch(Needs::Ended))]).await;
    complete(&world, &worker_id, flow.id("a")).await;
    assert_eq!(world.status(flow.id("done")).await, Status::Blocked);
    change(&world, flow.batch(), BatchChange::Close).await;
    complete(&world, &worker_id, flow.id("done")).await;
}

pub async fn who_follows_a_callback_is_a_callback_too<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![
        named("a"),
        named("notify").after(on_batch(Needs::Completed)),
        named("archive").after(on("notify")),
        named("b").after(on("a")),
    ];
    let flow = enqueue(&world, closed("import"), jobs).await;
    let roles: Vec<_> = jobs_of(&world, flow.batch()).await.iter().map(|job| job.role).collect();
    assert_eq!(roles, [BatchRole::Member, BatchRole::Callback, BatchRole::Callback, BatchRole::Member]);
    for reference in ["a", "b", "notify", "archive"] {
        complete(&world, &worker_id, flow.id(reference)).await;
    }
}

pub async fn a_redrive_arms_the_callbacks_that_never_fired<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![
        named("a"),
        named("notify").after(on_batch(Needs::Completed).or_else(Otherwise::Cancel)),
        named("alert").after(on_batch(Needs::Failed)),
    ];
    let flow = enqueue(&world, closed("import"), jobs).await;
    fail(&world, &worker_id, flow.id("a")).await;
    assert_eq!(world.status(flow.id("notify")).await, Status::Cancelled);
    complete(&world, &worker_id, flow.id("alert")).await;
    act(&world, flow.id("a"), Action::Retry).await;
    assert_eq!(world.status(flow.id("notify")).await, Status::Blocked);
    complete(&world, &worker_id, flow.id("a")).await;
    complete(&world, &worker_id, flow.id("notify")).await;
    assert_eq!(world.claim(&worker_id, 9).await.len(), 0, "the alert has run once");
}

pub async fn a_callback_runs_once_however_often_its_batch_ends<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, closed("import"), vec![named("a"), named("done").after(on_batch(Needs::Ended))]).await;
    complete(&world, &worker_id, flow.id("a")).await;
    complete(&world, &worker_id, flow.id("done")).await;
    act(&world, flow.id("a"), Action::Retry).await;
    complete(&world, &worker_id, flow.id("a")).await;
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Completed);
    assert_eq!(world.claim(&worker_id, 9).await.len(), 0);
    assert_eq!(states(&world, flow.id("done")).await, [DependencyState::Met]);
}

pub async fn a_member_that_is_deleted_lets_the_callbacks_fire<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![named("a"), named("b"), named("alert").after(on_batch(Needs::Failed))];
    let flow = enqueue(&world, closed("import"), jobs).await;
    complete(&world, &worker_id, flow.id("a")).await;
    act(&world, flow.id("b"), Action::Delete).await;
    complete(&world, &worker_id, flow.id("alert")).await;
}

pub async fn a_member_that_another_process_ends_lets_the_callbacks_fire<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let jobs = vec![named("a"), named("done").after(on_batch(Needs::Ended))];
    let flow = enqueue(&world, closed("import"), jobs).await;
    let process = world.process().await;
    let lease = process.begin_one().await;
    assert_eq!(lease.id, flow.id("a"));
    let record = crate::ended(&lease).completed();
    process.store.record(process.worker_id.clone(), [record].into()).await.unwrap();
    world.kill(process);
    advance(&world).await;
    assert_eq!(world.status(flow.id("done")).await, Status::Pending);
}

pub async fn the_callbacks_of_a_cancelled_batch_follow_from_its_end<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![named("a"), named("alert").after(on_batch(Needs::Failed))];
    let flow = enqueue(&world, closed("import"), jobs).await;
    change(&world, flow.batch(), BatchChange::Cancel).await;
    assert_eq!(world.status(flow.id("a")).await, Status::Cancelled);
    claim_next(&world, &worker_id, flow.id("alert")).await;
}

pub async fn cancelled_callbacks_that_are_retried_wait_for_the_batch_again<H: Harness>()
where
    H::Store: Workflows,
{
    for together in [true, false] {
        let world = World::<H>::new();
        let worker_id = world.worker().await;
        let jobs = vec![
            named("x"),
            named("ended").after(on_batch(Needs::Ended)),
            named("failed").after(on_batch(Needs::Failed)),
        ];
        let flow = enqueue(&world, closed("import"), jobs).await;
        let callbacks = ["ended", "failed"].map(|name| flow.id(name));
        let all = [flow.id("x"), callbacks[0], callbacks[1]];
        act_on(&world, &all, Action::Cancel).await;
        assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Failed);
        if together {
            act_on(&world, &all, Action::Retry).await;
        } else {
            change(&world, flow.batch(), BatchChange::Retry).await;
            act_on(&world, &callbacks, Action::Retry).await;
        }
        assert_eq!(statuses(&world, &callbacks).await, [Status::Blocked; 2]);
        complete(&world, &worker_id, flow.id("x")).await;
        assert_eq!(statuses(&world, &callbacks).await, [Status::Pending, Status::Cancelled]);
    }
}

pub async fn a_callback_that_is_retried_with_a_younger_member_waits_for_it<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, open("import"), vec![named("ended").after(on_batch(Needs::Ended))]).await;
    let existing = WorkflowBatch::Existing { id: flow.batch(), by: None };
    let member = enqueue(&world, existing, vec![named("x")]).await.id("x");
    change(&world, flow.batch(), BatchChange::Close).await;
    let both = [flow.id("ended"), member];
    act_on(&world, &both, Action::Cancel).await;
    act_on(&world, &both, Action::Retry).await;
    assert_eq!(world.status(flow.id("ended")).await, Status::Blocked);
    complete(&world, &worker_id, member).await;
    complete(&world, &worker_id, flow.id("ended")).await;
}
