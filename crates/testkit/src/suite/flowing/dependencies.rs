use longshore_core::{
    Action, Awaited, BatchChange, Console, DependenciesRequest, DependencyState, DependencyTarget, Dependents,
    DependentsRequest, JobData, Maintenance, Needs, NewDependency, NewJob, Otherwise, Status, WorkflowBatch,
    WorkflowJob, Workflows, explain,
};

use crate::suite::flowing::{
    act, act_on, advance, change, claim_next, closed, complete, dependencies, enqueue, fail, named, needing, on,
    states, statuses,
};
use crate::suite::world::{data, seconds};
use crate::suite::{Harness, World};
use crate::{ended, job};

pub async fn a_job_waits_for_all_of_its_dependencies<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![named("a"), named("b"), named("c").after(on("a")).after(on("b"))];
    let flow = enqueue(&world, WorkflowBatch::None, jobs).await;
    complete(&world, &worker_id, flow.id("a")).await;
    assert_eq!(world.status(flow.id("c")).await, Status::Blocked);
    assert_eq!(states(&world, flow.id("c")).await, [DependencyState::Met, DependencyState::Waiting]);
    complete(&world, &worker_id, flow.id("b")).await;
    assert_eq!(world.status(flow.id("c")).await, Status::Pending);
    complete(&world, &worker_id, flow.id("c")).await;
}

pub async fn children_and_waiting_jobs_are_listed_by_id<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![
        named("a"),
        named("b"),
        named("c").after(on("a")).after(needing("a", Needs::Ended)),
        named("d").after(on("a")).after(on("b")),
        named("e").after(on("b")),
    ];
    let flow = enqueue(&world, WorkflowBatch::None, jobs).await;
    let child = world.enqueue(NewJob { parent: Some(flow.id("a")), ..job() }).await;
    let listed = async |which, after, limit| {
        let request = DependentsRequest { id: flow.id("a"), which, after, limit };
        let found = world.store.dependents(request).await.expect("dependents can be read");
        found.into_iter().map(|found| (found.id, found.is_child, found.status)).collect::<Vec<_>>()
    };
    let waiting = async |after, limit| listed(Dependents::Waiting, after, limit).await;
    let children = async |after, limit| listed(Dependents::Children, after, limit).await;
    let [c, d] = ["c", "d"].map(|name| (flow.id(name), false, Status::Blocked));
    let blocked = (child, true, Status::Blocked);
    assert_eq!(waiting(None, 10).await, [c, d, blocked]);
    assert_eq!(waiting(None, 1).await, [c]);
    assert_eq!(waiting(Some(d.0), 10).await, [blocked]);
    assert_eq!(children(None, 10).await, [blocked]);
    complete(&world, &worker_id, flow.id("a")).await;
    assert_eq!(waiting(None, 10).await, []);
    assert_eq!(children(None, 10).await, [(child, true, Status::Pending)]);
    for id in ["b", "c", "d", "e"].map(|name| flow.id(name)).into_iter().chain([child]) {
        complete(&world, &worker_id, id).await;
    }
    let second = (world.enqueue(NewJob { parent: Some(flow.id("a")), ..job() }).await, true, Status::Pending);
    let completed = (child, true, Status::Completed);
    assert_eq!(children(None, 10).await, [completed, second]);
    assert_eq!(children(None, 1).await, [completed]);
    assert_eq!(children(Some(child), 10).await, [second]);
}

pub async fn each_need_is_met_by_its_own_ends<H: Harness>()
where
    H::Store: Workflows,
{
    let ends = [
        (Needs::Completed, true, Status::Pending),
        (Needs::Completed, false, Status::DeadLetter),
        (Needs::Ended, true, Status::Pending),
        (Needs::Ended, false, Status::Pending),
        (Needs::Failed, true, Status::Cancelled),
        (Needs::Failed, false, Status::Pending),
    ];
    for (needs, completes, expected) in ends {
        let world = World::<H>::new();
        let worker_id = world.worker().await;
        let flow = enqueue(&world, WorkflowBatch::None, vec![named("a"), named("b").after(needing("a", needs))]).await;
        if completes {
            complete(&world, &worker_id, flow.id("a")).await;
        } else {
            fail(&world, &worker_id, flow.id("a")).await;
        }
        assert_eq!(world.status(flow.id("b")).await, expected, "{needs:?} {completes}");
    }
}

pub async fn what_can_no_longer_happen_has_the_consequence_that_was_chosen<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let choices = [
        (Otherwise::DeadLetter, Status::DeadLetter, DependencyState::Failed),
        (Otherwise::Cancel, Status::Cancelled, DependencyState::Failed),
        (Otherwise::Run, Status::Pending, DependencyState::Passed),
        (Otherwise::Wait, Status::Blocked, DependencyState::Waiting),
    ];
    let mut jobs = vec![named("a")];
    jobs.extend(choices.iter().map(|(otherwise, ..)| named(otherwise.as_str()).after(on("a").or_else(*otherwise))));
    let flow = enqueue(&world, WorkflowBatch::None, jobs).await;
    fail(&world, &worker_id, flow.id("a")).await;
    for (otherwise, status, state) in choices {
        let id = flow.id(otherwise.as_str());
        assert_eq!((world.status(id).await, states(&world, id).await), (status, vec![state]), "{otherwise:?}");
    }
    let reason = format!("dependency_failed: job {}, which it waited for, ended as dead_letter", flow.id("a"));
    for ended in ["dead_letter", "cancel"] {
        assert_eq!(world.job(flow.id(ended)).await.dead_letter_reason.as_ref(), Some(&reason));
    }
}

pub async fn who_is_given_up_takes_along_who_needs_it<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![
        named("a"),
        named("b").after(on("a")),
        named("c").after(on("b")),
        named("cleanup").after(needing("c", Needs::Ended)),
    ];
    let flow = enqueue(&world, WorkflowBatch::None, jobs).await;
    fail(&world, &worker_id, flow.id("a")).await;
    assert_eq!(world.status(flow.id("c")).await, Status::DeadLetter);
    complete(&world, &worker_id, flow.id("cleanup")).await;
}

pub async fn a_dependency_that_has_ended_already_is_settled_at_once<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let completed = world.running(&worker_id, job()).await;
    world.complete(&worker_id, &completed).await;
    let dead = world.dead_letter(&worker_id, job()).await;
    let after = |id, needs| NewDependency::needing(Awaited::Job(id), needs);
    let jobs = vec![
        named("runs").after(after(completed.id, Needs::Completed)),
        named("runs too").after(after(dead, Needs::Failed)),
        named("ends").after(after(dead, Needs::Completed)),
        named("ends too").after(after(completed.id, Needs::Failed)),
    ];
    let flow = enqueue(&world, WorkflowBatch::None, jobs).await;
    assert_eq!(world.status(flow.id("ends")).await, Status::DeadLetter);
    assert_eq!(world.status(flow.id("ends too")).await, Status::Cancelled);
    complete(&world, &worker_id, flow.id("runs")).await;
    complete(&world, &worker_id, flow.id("runs too")).await;
}

pub async fn a_deleted_dependency_counts_as_one_that_was_cancelled<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let jobs = vec![named("a"), named("b").after(on("a")), named("c").after(needing("a", Needs::Failed))];
    let flow = enqueue(&world, WorkflowBatch::None, jobs).await;
    act(&world, flow.id("a"), Action::Delete).await;
    let given_up = world.job(flow.id("b")).await;
    let reason = format!("dependency_failed: job {}, which it waited for, was deleted", flow.id("a"));
    assert_eq!((given_up.status, given_up.dead_letter_reason), (Status::DeadLetter, Some(reason)));
    assert_eq!(world.status(flow.id("c")).await, Status::Pending);
}

pub async fn an_ended_dependency_may_be_deleted_without_any_effect<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![named("a"), named("b"), named("c").after(on("a")).after(on("b"))];
    let flow = enqueue(&world, WorkflowBatch::None, jobs).await;
    complete(&world, &worker_id, flow.id("a")).await;
    act(&world, flow.id("a"), Action::Delete).await;
    assert_eq!(world.status(flow.id("c")).await, Status::Blocked);
    complete(&world, &worker_id, flow.id("b")).await;
    complete(&world, &worker_id, flow.id("c")).await;
}

pub async fn a_delay_that_has_not_passed_stays<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let late = WorkflowJob::new(job().delay(seconds(60))).named("b").after(on("a"));
    let flow = enqueue(&world, WorkflowBatch::None, vec![named("a"), late]).await;
    complete(&world, &worker_id, flow.id("a")).await;
    assert_eq!(world.claim(&worker_id, 9).await.len(), 0);
    world.clock.advance(seconds(60));
    complete(&world, &worker_id, flow.id("b")).await;
}

pub async fn a_retry_of_what_failed_revives_who_was_given_up_for_it<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![
        named("a"),
        named("b").after(on("a")),
        named("c").after(on("b")),
        named("d").after(on("a").or_else(Otherwise::Cancel)),
    ];
    let flow = enqueue(&world, WorkflowBatch::None, jobs).await;
    fail(&world, &worker_id, flow.id("a")).await;
    act(&world, flow.id("a"), Action::Retry).await;
    for reference in ["b", "c", "d"] {
        let job = world.job(flow.id(reference)).await;
        assert_eq!((job.status, job.dead_letter_reason), (Status::Blocked, None), "{reference}");
    }
    for reference in ["a", "b", "c", "d"] {
        let next = flow.id(reference);
        let lease = world.claim(&worker_id, 1).await.pop().expect("one may run");
        assert!(lease.id == next || reference != "a");
        world.complete(&worker_id, &lease).await;
        advance(&world).await;
    }
    assert_eq!(world.claim(&worker_id, 9).await.len(), 0);
}

pub async fn a_retry_alone_revives_nobody<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, WorkflowBatch::None, vec![named("a"), named("b").after(on("a"))]).await;
    fail(&world, &worker_id, flow.id("a")).await;
    act(&world, flow.id("a"), Action::RetryAlone).await;
    complete(&world, &worker_id, flow.id("a")).await;
    assert_eq!(world.status(flow.id("b")).await, Status::DeadLetter);
    act(&world, flow.id("b"), Action::Retry).await;
    complete(&world, &worker_id, flow.id("b")).await;
}

pub async fn a_job_that_is_retried_before_what_it_needs_waits_an_hour_for_it<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, WorkflowBatch::None, vec![named("a"), named("b").after(on("a"))]).await;
    fail(&world, &worker_id, flow.id("a")).await;
    act(&world, flow.id("b"), Action::Retry).await;
    assert_eq!(world.status(flow.id("b")).await, Status::Blocked);
    world.clock.advance(Maintenance::PATIENCE - seconds(1));
    advance(&world).await;
    assert_eq!(world.status(flow.id("b")).await, Status::Blocked);
    world.clock.advance(seconds(1));
    advance(&world).await;
    assert_eq!(world.status(flow.id("b")).await, Status::DeadLetter);
}

pub async fn a_job_that_ran_is_retried_without_waiting_again<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, WorkflowBatch::None, vec![named("a"), named("b").after(on("a"))]).await;
    complete(&world, &worker_id, flow.id("a")).await;
    fail(&world, &worker_id, flow.id("b")).await;
    act(&world, flow.id("b"), Action::Retry).await;
    complete(&world, &worker_id, flow.id("b")).await;
}

/// A job, and three that go on because it did not complete.
fn one_with_followers() -> Vec<WorkflowJob> {
    vec![
        named("x"),
        named("comp").after(needing("x", Needs::Failed)),
        named("z").after(needing("x", Needs::Ended)),
        named("run").after(on("x").or_else(Otherwise::Run)),
    ]
}

pub async fn a_cancelled_batch_that_is_retried_waits_again_for_each_end<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, closed("import"), one_with_followers()).await;
    let followers = ["comp", "z", "run"].map(|name| flow.id(name));
    assert_eq!(change(&world, flow.batch(), BatchChange::Cancel).await, 4);
    assert_eq!(change(&world, flow.batch(), BatchChange::Retry).await, 4);
    assert_eq!(statuses(&world, &followers).await, [Status::Blocked; 3]);
    complete(&world, &worker_id, flow.id("x")).await;
    let expected = [Status::Cancelled, Status::Pending, Status::Pending];
    assert_eq!(statuses(&world, &followers).await, expected);
}

pub async fn who_is_retried_with_or_after_what_it_waits_for_waits_again<H: Harness>()
where
    H::Store: Workflows,
{
    for together in [true, false] {
        let world = World::<H>::new();
        let worker_id = world.worker().await;
        let flow = enqueue(&world, WorkflowBatch::None, one_with_followers()).await;
        let (x, followers) = (flow.id("x"), ["comp", "z", "run"].map(|name| flow.id(name)));
        let all = [x, followers[0], followers[1], followers[2]];
        act_on(&world, &all, Action::Cancel).await;
        if together {
            act_on(&world, &all, Action::Retry).await;
        } else {
            act(&world, x, Action::Retry).await;
            assert_eq!(statuses(&world, &followers).await, [Status::Cancelled; 3], "people cancelled them");
            act_on(&world, &followers, Action::Retry).await;
        }
        assert_eq!(statuses(&world, &followers).await, [Status::Blocked; 3]);
        fail(&world, &worker_id, x).await;
        assert_eq!(statuses(&world, &followers).await, [Status::Pending; 3]);
    }
}

pub async fn who_is_retried_alone_is_judged_by_what_the_other_one_is_now<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, WorkflowBatch::None, one_with_followers()).await;
    let (x, followers) = (flow.id("x"), ["comp", "z", "run"].map(|name| flow.id(name)));
    act_on(&world, &[x, followers[0], followers[1], followers[2]], Action::Cancel).await;
    act_on(&world, &followers, Action::Retry).await;
    assert_eq!(statuses(&world, &followers).await, [Status::Pending; 3], "it has ended as they need");
    act_on(&world, &followers, Action::Cancel).await;
    act(&world, x, Action::Retry).await;
    complete(&world, &worker_id, x).await;
    act_on(&world, &followers, Action::Retry).await;
    let expected = [Status::Blocked, Status::Pending, Status::Pending];
    assert_eq!(statuses(&world, &followers).await, expected, "there is no failure any more");
    world.clock.advance(Maintenance::PATIENCE);
    advance(&world).await;
    assert_eq!(world.status(followers[0]).await, Status::Cancelled);
}

pub async fn a_completion_stays_though_the_other_job_runs_again<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, WorkflowBatch::None, vec![named("a"), named("b").after(on("a"))]).await;
    complete(&world, &worker_id, flow.id("a")).await;
    act_on(&world, &[flow.id("b")], Action::Cancel).await;
    act_on(&world, &[flow.id("a"), flow.id("b")], Action::Retry).await;
    assert_eq!(world.status(flow.id("b")).await, Status::Pending);
}

pub async fn a_retry_that_was_waited_for_ends_the_patience<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, WorkflowBatch::None, vec![named("a"), named("b").after(on("a"))]).await;
    fail(&world, &worker_id, flow.id("a")).await;
    act(&world, flow.id("b"), Action::Retry).await;
    act(&world, flow.id("a"), Action::Retry).await;
    assert_eq!(dependencies(&world, flow.id("b")).await[0].timeout_at, None);
    fail(&world, &worker_id, flow.id("a")).await;
    assert_eq!(world.status(flow.id("b")).await, Status::DeadLetter);
}

pub async fn a_waiting_job_that_is_cancelled_stays_cancelled<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, WorkflowBatch::None, vec![named("a"), named("b").after(on("a"))]).await;
    act(&world, flow.id("b"), Action::Cancel).await;
    complete(&world, &worker_id, flow.id("a")).await;
    assert_eq!(world.status(flow.id("b")).await, Status::Cancelled);
    assert_eq!(states(&world, flow.id("b")).await, [DependencyState::Met]);
}

pub async fn a_parent_is_shown_as_a_dependency<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let parent = world.running(&worker_id, job()).await;
    let child = world.enqueue(job().parent(parent.id)).await;
    let shown = world.detail(child).await.dependencies;
    let on = DependencyTarget::Job { job_id: parent.id, status: Some(Status::Running) };
    assert_eq!(shown.len(), 1);
    assert_eq!((&shown[0].on, shown[0].needs, shown[0].state), (&on, Needs::Completed, DependencyState::Waiting));
    world.finish(&worker_id, ended(&parent).completed_with(data("7"))).await;
    let found = dependencies(&world, child).await;
    assert_eq!((found[0].state, found[0].result.clone()), (DependencyState::Met, Some(data("7"))));
}

pub async fn a_job_reads_the_results_of_what_came_before_by_name<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let older = world.enqueue(job()).await;
    let both = named("b").after(on("a")).after(NewDependency::on(Awaited::Job(older)));
    let flow = enqueue(&world, WorkflowBatch::None, vec![named("a"), both]).await;
    for (id, result) in [(older, r#"{"n":1}"#), (flow.id("a"), r#"{"n":2}"#)] {
        let lease = claim_next(&world, &worker_id, id).await;
        world.finish(&worker_id, ended(&lease).completed_with(data(result))).await;
    }
    advance(&world).await;
    for (name, result) in [("a".to_owned(), r#"{"n":2}"#), (older.to_string(), r#"{"n":1}"#)] {
        let request = DependenciesRequest { id: flow.id("b"), name: Some(name), result_bytes_max: 1000 };
        let found = world.store.dependencies(request).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].result.as_ref().map(JobData::as_str), Some(result));
    }
    let request = DependenciesRequest { id: flow.id("b"), name: Some("c".to_owned()), result_bytes_max: 1000 };
    assert_eq!(world.store.dependencies(request).await.unwrap(), []);
}

pub async fn results_are_read_up_to_a_bound<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![named("a"), named("b"), named("c").after(on("a")).after(on("b"))];
    let flow = enqueue(&world, WorkflowBatch::None, jobs).await;
    for (reference, result) in [("a", r#""long result""#), ("b", "1")] {
        let lease = claim_next(&world, &worker_id, flow.id(reference)).await;
        world.finish(&worker_id, ended(&lease).completed_with(data(result))).await;
    }
    advance(&world).await;
    let read = |result_bytes_max| DependenciesRequest { id: flow.id("c"), name: None, result_bytes_max };
    let found = world.store.dependencies(read(5)).await.unwrap();
    assert_eq!((found[0].result.clone(), found[0].is_result_left_out), (None, true));
    assert_eq!((found[1].result.clone(), found[1].is_result_left_out), (Some(data("1")), false));
    let found = world.store.dependencies(read(0)).await.unwrap();
    assert!(found.iter().all(|dependency| dependency.result.is_none() && !dependency.is_result_left_out));
}

pub async fn a_waiting_job_explains_what_it_waits_for<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![named("a"), named("b"), named("c").after(on("a")).after(on("b"))];
    let flow = enqueue(&world, closed("import"), jobs).await;
    let explained = async |reference: &str| {
        explain(&world.store.waiting_facts(flow.id(reference)).await.unwrap().expect("the job is there")).reason
    };
    let reason = explained("c").await;
    assert_eq!(reason.reason.code(), "waits_for_job");
    let expected = format!("it waits until job {}, which is pending, completes, and for one more", flow.id("a"));
    assert_eq!(reason.message, expected);
    complete(&world, &worker_id, flow.id("a")).await;
    assert!(explained("c").await.message.contains(&flow.id("b").to_string()));
}

pub async fn a_waiting_job_that_expires_ends<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let short = WorkflowJob::new(job().expires_in(seconds(5))).named("b").after(on("a"));
    let flow = enqueue(&world, WorkflowBatch::None, vec![named("a"), short, named("c").after(on("b"))]).await;
    world.clock.advance(seconds(6));
    world.reclaim().await;
    advance(&world).await;
    assert_eq!(world.status(flow.id("b")).await, Status::Cancelled);
    assert_eq!(world.status(flow.id("c")).await, Status::DeadLetter);
    complete(&world, &worker_id, flow.id("a")).await;
    assert_eq!(world.status(flow.id("b")).await, Status::Cancelled);
}
