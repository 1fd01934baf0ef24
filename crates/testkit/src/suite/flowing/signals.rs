use longshore_core::{
    Action, Awaited, BatchId, Console, DependencyState, DependencyTarget, InvalidJob, Needs, NewDependency, NewSignal,
    Otherwise, Status, StoreError, Workflows, explain,
};

use crate::suite::flowing::{
    act, advance, closed, complete, dependencies, enqueue, named, on, on_signal, send, signal, states,
};
use crate::suite::world::{data, seconds};
use crate::suite::{Harness, World};

/// Waits for a signal for ten seconds.
fn in_time(otherwise: Otherwise) -> NewDependency {
    let awaited = Awaited::Signal { name: "approved".to_owned(), timeout: Some(seconds(10)) };
    NewDependency::on(awaited).or_else(otherwise)
}

pub async fn a_signal_releases_who_waits_for_it<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![named("a"), named("publish").after(on("a")).after(on_signal("approved"))];
    let flow = enqueue(&world, closed("import"), jobs).await;
    complete(&world, &worker_id, flow.id("a")).await;
    assert_eq!(world.status(flow.id("publish")).await, Status::Blocked);
    assert_eq!(send(&world, signal(flow.batch(), "approved")).await, Some(true));
    complete(&world, &worker_id, flow.id("publish")).await;
}

/// Which end of it is needed means nothing for a signal.
pub async fn a_signal_is_met_by_its_coming_whatever_end_is_named<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let failed = NewDependency { needs: Needs::Failed, ..on_signal("approved") };
    let flow = enqueue(&world, closed("import"), vec![named("publish").after(failed)]).await;
    assert_eq!(send(&world, signal(flow.batch(), "approved")).await, Some(true));
    complete(&world, &worker_id, flow.id("publish")).await;
}

pub async fn a_signal_that_comes_before_the_wait_counts<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, crate::suite::flowing::open("import"), Vec::new()).await;
    send(&world, signal(flow.batch(), "approved")).await;
    let later = longshore_core::WorkflowBatch::Existing { id: flow.batch(), by: None };
    let added = enqueue(&world, later, vec![named("publish").after(on_signal("approved"))]).await;
    complete(&world, &worker_id, added.id("publish")).await;
}

pub async fn the_data_of_a_signal_is_that_of_the_dependency<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let flow = enqueue(&world, closed("import"), vec![named("publish").after(on_signal("approved"))]).await;
    let first = NewSignal { data: Some(data(r#"{"by":"ann"}"#)), ..signal(flow.batch(), "approved") };
    assert_eq!(send(&world, first).await, Some(true));
    let second = NewSignal { data: Some(data(r#"{"by":"bob"}"#)), ..signal(flow.batch(), "approved") };
    assert_eq!(send(&world, second).await, Some(false));
    let found = dependencies(&world, flow.id("publish")).await;
    assert_eq!(found[0].on, DependencyTarget::Signal { signal: "approved".to_owned() });
    assert_eq!((found[0].state, found[0].result.clone()), (DependencyState::Met, Some(data(r#"{"by":"ann"}"#))));
}

pub async fn a_signal_of_another_name_or_batch_releases_nobody<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let flow = enqueue(&world, closed("import"), vec![named("publish").after(on_signal("approved"))]).await;
    let other = enqueue(&world, closed("other"), Vec::new()).await;
    send(&world, signal(flow.batch(), "approve")).await;
    send(&world, signal(other.batch(), "approved")).await;
    assert_eq!(world.status(flow.id("publish")).await, Status::Blocked);
}

pub async fn a_signal_that_does_not_come_in_time_has_the_chosen_consequence<H: Harness>()
where
    H::Store: Workflows,
{
    for (otherwise, expected) in [
        (Otherwise::DeadLetter, Status::DeadLetter),
        (Otherwise::Cancel, Status::Cancelled),
        (Otherwise::Run, Status::Pending),
        (Otherwise::Wait, Status::Blocked),
    ] {
        let world = World::<H>::new();
        let flow = enqueue(&world, closed("import"), vec![named("publish").after(in_time(otherwise))]).await;
        world.clock.advance(seconds(9));
        advance(&world).await;
        assert_eq!(world.status(flow.id("publish")).await, Status::Blocked);
        world.clock.advance(seconds(1));
        advance(&world).await;
        assert_eq!(world.status(flow.id("publish")).await, expected, "{otherwise:?}");
    }
}

pub async fn who_missed_one_of_two_signals_names_it<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let publish = named("publish").after(on_signal("paid")).after(in_time(Otherwise::DeadLetter));
    let flow = enqueue(&world, closed("import"), vec![publish]).await;
    world.clock.advance(seconds(10));
    advance(&world).await;
    let job = world.job(flow.id("publish")).await;
    let reason = format!("dependency_failed: the signal approved to batch {} did not come in time", flow.batch());
    assert_eq!((job.status, job.dead_letter_reason), (Status::DeadLetter, Some(reason)));
}

pub async fn jobs_that_run_without_a_signal_after_a_time_are_listed<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let jobs = vec![
        named("a"),
        named("timed").after(in_time(Otherwise::Run)),
        named("patient").after(in_time(Otherwise::Wait)),
        named("given up").after(in_time(Otherwise::DeadLetter)),
        named("untimed").after(on_signal("approved")),
        named("both").after(in_time(Otherwise::Run)).after(on_signal("paid")),
        named("after").after(on("a")),
    ];
    let flow = enqueue(&world, closed("import"), jobs).await;
    assert_eq!(world.store.timed_jobs().await.unwrap(), [flow.id("timed")]);
    world.clock.advance(seconds(10));
    advance(&world).await;
    assert!(world.store.timed_jobs().await.unwrap().is_empty());
}

pub async fn a_late_signal_releases_only_who_still_waits<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let jobs =
        vec![named("gives up").after(in_time(Otherwise::Cancel)), named("waits on").after(in_time(Otherwise::Wait))];
    let flow = enqueue(&world, closed("import"), jobs).await;
    world.clock.advance(seconds(11));
    advance(&world).await;
    send(&world, signal(flow.batch(), "approved")).await;
    assert_eq!(world.status(flow.id("gives up")).await, Status::Cancelled);
    assert_eq!(world.status(flow.id("waits on")).await, Status::Pending);
}

pub async fn a_retry_of_who_missed_its_signal_waits_for_it_again<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, closed("import"), vec![named("publish").after(in_time(Otherwise::DeadLetter))]).await;
    world.clock.advance(seconds(11));
    advance(&world).await;
    act(&world, flow.id("publish"), Action::Retry).await;
    assert_eq!(world.status(flow.id("publish")).await, Status::Blocked);
    let found = dependencies(&world, flow.id("publish")).await;
    assert_eq!(found[0].timeout_at, Some(world.now().after(seconds(10))));
    send(&world, signal(flow.batch(), "approved")).await;
    complete(&world, &worker_id, flow.id("publish")).await;
}

pub async fn a_signal_to_an_unknown_batch_says_so<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    assert_eq!(send(&world, signal(BatchId(4_000), "approved")).await, None);
    let flow = enqueue(&world, closed("import"), Vec::new()).await;
    let error = world.store.signal(signal(flow.batch(), "")).await.unwrap_err();
    assert!(matches!(error, StoreError::InvalidJob(InvalidJob::Name { .. })), "{error}");
}

pub async fn who_waits_for_a_signal_explains_it<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let flow = enqueue(&world, closed("import"), vec![named("publish").after(in_time(Otherwise::Cancel))]).await;
    let facts = world.store.waiting_facts(flow.id("publish")).await.unwrap().expect("the job is there");
    let reason = explain(&facts).reason;
    assert_eq!(reason.reason.code(), "waits_for_signal");
    assert!(reason.message.starts_with("it waits for the signal approved until "), "{}", reason.message);
    assert_eq!(states(&world, flow.id("publish")).await, [DependencyState::Waiting]);
}
