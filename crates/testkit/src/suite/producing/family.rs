use longshore_core::{
    Action, Console, Filter, JobId, Maintenance, Refusal, Retention, Selection, Status, StuckCause, StuckJob, WorkerId,
};

use crate::suite::world::seconds;
use crate::suite::{Harness, World, ids};
use crate::{ended, job};

pub async fn a_child_waits_until_its_parent_completes<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let parent = world.enqueue(job()).await;
    let child = world.enqueue(job().parent(parent)).await;
    let waiting = world.job(child).await;
    assert_eq!((waiting.status, waiting.parent_job_id), (Status::Blocked, Some(parent)));
    let leases = world.claim(&worker_id, 9).await;
    assert_eq!(ids(&leases), [parent]);
    world.clock.advance(seconds(1));
    world.complete(&worker_id, &leases[0]).await;
    assert_eq!(world.status(child).await, Status::Pending);
    let lease = world.claim_one(&worker_id).await;
    assert_eq!((lease.id, lease.ready_at), (child, world.now()));
}

pub async fn a_chain_runs_in_order<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let mut chain = vec![world.enqueue(job()).await];
    for _ in 0..4 {
        let parent = *chain.last().expect("it has a first");
        chain.push(world.enqueue(job().parent(parent)).await);
    }
    for id in chain {
        let leases = world.claim(&worker_id, 9).await;
        assert_eq!(ids(&leases), [id]);
        world.complete(&worker_id, &leases[0]).await;
    }
}

pub async fn all_children_of_a_completed_parent_may_run<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let children = world.enqueue_all(vec![job().parent(lease.id); 20]).await;
    world.complete(&worker_id, &lease).await;
    let expected: Vec<_> = children.iter().map(|child| child.id).collect();
    assert_eq!(ids(&world.claim(&worker_id, 50).await), expected);
}

pub async fn a_child_of_a_completed_parent_may_run_at_once<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.complete(&worker_id, &lease).await;
    let child = world.enqueue(job().parent(lease.id)).await;
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [child]);
}

pub async fn a_child_of_a_parent_that_ended_otherwise_is_given_up_at_once<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let dead = world.dead_letter(&worker_id, job()).await;
    let cancelled = world.enqueue(job()).await;
    world.act(cancelled, Action::Cancel).await;
    for (parent, ended) in [(dead, "dead_letter"), (cancelled, "cancelled")] {
        let child = world.enqueue(job().parent(parent)).await;
        let found = world.job(child).await;
        assert_eq!((found.status, found.moved_to_dead_letter_at), (Status::DeadLetter, Some(world.now())));
        assert_eq!(found.dead_letter_reason, Some(format!("parent_ended: its parent job {parent} ended as {ended}")));
    }
}

pub async fn a_parent_that_is_given_up_takes_all_that_waits_for_it_along<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let child = world.enqueue(job().parent(lease.id)).await;
    let grandchild = world.enqueue(job().parent(child).delay(seconds(60))).await;
    let brother = world.enqueue(job().parent(lease.id).queue("elsewhere")).await;
    world.finish(&worker_id, ended(&lease).dead_letter()).await;
    for (id, parent) in [(child, lease.id), (grandchild, child), (brother, lease.id)] {
        let found = world.job(id).await;
        assert_eq!((found.status, found.moved_to_dead_letter_at), (Status::DeadLetter, Some(world.now())));
        assert_eq!(
            found.dead_letter_reason,
            Some(format!("parent_ended: its parent job {parent} ended as dead_letter"))
        );
    }
}

pub async fn a_parent_that_is_cancelled_takes_its_children_along<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let waiting = world.enqueue(job()).await;
    let child_of_waiting = world.enqueue(job().parent(waiting)).await;
    world.act(waiting, Action::Cancel).await;
    let running = world.running(&worker_id, job()).await;
    let child_of_running = world.enqueue(job().parent(running.id)).await;
    world.act(running.id, Action::Cancel).await;
    assert_eq!(world.status(child_of_running).await, Status::Blocked);
    world.finish(&worker_id, ended(&running).cancelled()).await;
    for (child, parent) in [(child_of_waiting, waiting), (child_of_running, running.id)] {
        let found = world.job(child).await;
        assert_eq!(found.status, Status::DeadLetter);
        assert_eq!(found.dead_letter_reason, Some(format!("parent_ended: its parent job {parent} ended as cancelled")));
    }
}

pub async fn a_parent_that_is_deleted_takes_its_children_along<H: Harness>() {
    let world = World::<H>::new();
    let parent = world.enqueue(job()).await;
    let child = world.enqueue(job().parent(parent)).await;
    let grandchild = world.enqueue(job().parent(child)).await;
    world.act(parent, Action::Delete).await;
    let found = world.job(child).await;
    assert_eq!((found.status, found.moved_to_dead_letter_at), (Status::DeadLetter, Some(world.now())));
    assert_eq!(found.dead_letter_reason, Some(format!("parent_ended: its parent job {parent} was deleted")));
    assert_eq!(world.status(grandchild).await, Status::DeadLetter);
}

pub async fn a_parent_that_is_tried_again_keeps_its_children_waiting<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let child = world.enqueue(job().parent(lease.id)).await;
    world.finish(&worker_id, ended(&lease).retrying(seconds(1))).await;
    assert_eq!(world.status(child).await, Status::Blocked);
    world.clock.advance(seconds(1));
    let again = world.claim_one(&worker_id).await;
    world.finish(&worker_id, ended(&again).deferred(seconds(0))).await;
    let last = world.claim_one(&worker_id).await;
    assert_eq!((last.id, world.status(child).await), (lease.id, Status::Blocked));
    world.complete(&worker_id, &last).await;
    assert_eq!(world.status(child).await, Status::Pending);
}

pub async fn a_delayed_child_waits_for_its_parent_and_for_its_instant<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let early = world.enqueue(job().parent(lease.id).delay(seconds(5))).await;
    let late = world.enqueue(job().parent(lease.id).delay(seconds(20))).await;
    world.clock.advance(seconds(10));
    assert_eq!(world.claimed(&worker_id, 9).await.next_due, None);
    world.complete(&worker_id, &lease).await;
    let claimed = world.claimed(&worker_id, 9).await;
    assert_eq!((ids(&claimed.leases), claimed.next_due), (vec![early], Some(seconds(10))));
    world.clock.advance(seconds(10));
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [late]);
}

/// A parent that became a dead letter, its child and its grandchild.
async fn dead_family<H: Harness>(world: &World<H>, worker_id: &WorkerId) -> [JobId; 3] {
    let lease = world.running(worker_id, job()).await;
    let child = world.enqueue(job().parent(lease.id)).await;
    let grandchild = world.enqueue(job().parent(child)).await;
    world.finish(worker_id, ended(&lease).dead_letter()).await;
    [lease.id, child, grandchild]
}

async fn assert_runs_in_order<H: Harness>(world: &World<H>, worker_id: &WorkerId, family: &[JobId]) {
    for id in family {
        let leases = world.claim(worker_id, 9).await;
        assert_eq!(ids(&leases), [*id]);
        world.complete(worker_id, &leases[0]).await;
    }
}

pub async fn a_child_that_is_retried_waits_for_its_parent<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let [parent, child, grandchild] = dead_family(&world, &worker_id).await;
    assert_eq!(world.act(child, Action::Retry).await.touched, 2);
    assert_eq!(world.status(child).await, Status::Blocked);
    assert_eq!(world.status(grandchild).await, Status::Blocked);
    assert!(world.claim(&worker_id, 9).await.is_empty());
    assert_eq!(world.act(parent, Action::Retry).await.touched, 1);
    assert_runs_in_order(&world, &worker_id, &[parent, child, grandchild]).await;
}

pub async fn a_child_that_is_retried_before_anybody_has_looked_waits_for_its_parent<H: Harness>() {
    let world = World::<H>::new();
    let parent = world.enqueue(job().delay(seconds(60))).await;
    let child = world.enqueue(job().parent(parent)).await;
    world.act(parent, Action::Cancel).await;
    assert_eq!(world.act(child, Action::Retry).await.touched, 1);
    world.reclaim().await;
    assert_eq!(world.status(child).await, Status::Blocked);
    assert_eq!(world.act(parent, Action::Retry).await.touched, 1);
    assert_runs_in_order(&world, &world.worker().await, &[parent, child]).await;
}

pub async fn a_retried_parent_brings_those_that_died_with_it_along<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let [parent, child, grandchild] = dead_family(&world, &worker_id).await;
    let actioned = world.act(parent, Action::Retry).await;
    assert_eq!((actioned.touched, actioned.refused), (3, vec![]));
    let revived = world.job(child).await;
    assert_eq!((revived.status, revived.parent_job_id), (Status::Blocked, Some(parent)));
    assert_eq!((revived.dead_letter_reason, revived.moved_to_dead_letter_at, revived.completed_at), (None, None, None));
    assert_runs_in_order(&world, &worker_id, &[parent, child, grandchild]).await;
}

pub async fn a_retry_of_all_dead_letters_keeps_the_order_whoever_is_named_first<H: Harness>() {
    for selection in [0, 1, 2] {
        let world = World::<H>::new();
        let worker_id = world.worker().await;
        let [parent, child, grandchild] = dead_family(&world, &worker_id).await;
        let selection = match selection {
            0 => Filter::all().statuses([Status::DeadLetter]).into(),
            1 => Selection::Jobs(vec![grandchild, parent, child]),
            _ => Selection::Jobs(vec![child, grandchild]),
        };
        let expected = if selection == Selection::Jobs(vec![child, grandchild]) { 2 } else { 3 };
        let actioned = world.act_on(selection, Action::Retry).await;
        assert_eq!((actioned.touched, actioned.refused), (expected, vec![]));
        if expected == 2 {
            world.act(parent, Action::Retry).await;
        }
        assert_runs_in_order(&world, &worker_id, &[parent, child, grandchild]).await;
    }
}

pub async fn a_parent_that_is_retried_alone_leaves_its_children_given_up<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let [parent, child, grandchild] = dead_family(&world, &worker_id).await;
    assert_eq!(world.act(parent, Action::RetryAlone).await.touched, 1);
    assert_eq!(world.status(child).await, Status::DeadLetter);
    assert_runs_in_order(&world, &worker_id, &[parent]).await;
    assert_eq!(world.act(grandchild, Action::RetryAlone).await.touched, 1);
    assert_eq!(world.act(child, Action::RetryAlone).await.touched, 1);
    assert_runs_in_order(&world, &worker_id, &[child, grandchild]).await;
}

pub async fn all_retried_alone_keep_their_order<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let family = dead_family(&world, &worker_id).await;
    let all = || Selection::from(Filter::all().statuses([Status::DeadLetter]));
    assert_eq!(world.act_on(all(), Action::RetryAlone).await.touched, 3);
    assert_runs_in_order(&world, &worker_id, &family).await;
}

pub async fn a_retried_parent_leaves_children_alone_that_died_of_something_else<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let failed = world.enqueue(job().parent(lease.id)).await;
    let cancelled = world.enqueue(job().parent(lease.id)).await;
    world.act(cancelled, Action::Cancel).await;
    world.complete(&worker_id, &lease).await;
    let child = world.claim_one(&worker_id).await;
    world.finish(&worker_id, ended(&child).dead_letter()).await;
    assert_eq!(world.act(lease.id, Action::Retry).await.touched, 1);
    assert_eq!(world.status(failed).await, Status::DeadLetter);
    assert_eq!(world.status(cancelled).await, Status::Cancelled);
}

pub async fn a_cancelled_child_of_a_dead_parent_waits_for_it_after_a_retry<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let child = world.enqueue(job().parent(lease.id)).await;
    world.act(child, Action::Cancel).await;
    world.finish(&worker_id, ended(&lease).dead_letter()).await;
    assert_eq!(world.act(child, Action::Retry).await.touched, 1);
    assert_eq!(world.status(child).await, Status::Blocked);
    world.act(lease.id, Action::Retry).await;
    assert_runs_in_order(&world, &worker_id, &[lease.id, child]).await;
}

pub async fn a_child_whose_unique_key_is_taken_stays_given_up_and_its_parent_runs<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let child = world.enqueue(job().parent(lease.id).unique_key("key")).await;
    let grandchild = world.enqueue(job().parent(child)).await;
    world.finish(&worker_id, ended(&lease).dead_letter()).await;
    let by = world.enqueue(job().unique_key("key").delay(seconds(60))).await;
    let actioned = world.act(lease.id, Action::Retry).await;
    assert_eq!((actioned.touched, actioned.refused), (1, vec![Refusal::UniqueKeyTaken { id: child, by }]));
    assert_eq!(world.status(child).await, Status::DeadLetter);
    assert_eq!(world.status(grandchild).await, Status::DeadLetter);
    assert_runs_in_order(&world, &worker_id, &[lease.id]).await;
}

pub async fn a_child_whose_parent_was_deleted_runs_without_one_after_a_retry<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let [parent, child, grandchild] = dead_family(&world, &worker_id).await;
    world.act(parent, Action::Delete).await;
    assert_eq!(world.act(child, Action::Retry).await.touched, 2);
    let found = world.job(child).await;
    assert_eq!((found.status, found.parent_job_id), (Status::Pending, None));
    assert_runs_in_order(&world, &worker_id, &[child, grandchild]).await;
}

pub async fn a_large_family_is_revived_across_the_steps_of_one_action<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let children: Vec<JobId> =
        world.enqueue_all(vec![job().parent(lease.id); 2100]).await.iter().map(|child| child.id).collect();
    world.finish(&worker_id, ended(&lease).dead_letter()).await;
    let named = children.iter().copied().chain([lease.id]).collect();
    let actioned = world.act_on(Selection::Jobs(named), Action::Retry).await;
    assert_eq!((actioned.touched, actioned.refused), (2101, vec![]));
    let blocked = Filter::all().statuses([Status::Blocked]);
    assert_eq!(world.store.count(blocked.into()).await.expect("jobs can be counted"), 2100);
}

pub async fn housekeeping_gives_up_what_waits_too_long_for_a_job_that_has_ended<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let [parent, child, grandchild] = dead_family(&world, &worker_id).await;
    world.act(child, Action::Retry).await;
    let told = world.store.health().await.expect("health can be read").stuck;
    let cause = StuckCause::ParentEnded { parent, status: Status::DeadLetter };
    assert_eq!(told, [StuckJob { id: child, cause }]);
    let maintenance =
        Maintenance { retention: Retention::Forever, dead_letter_retention: Retention::Forever, rows_max: 100 };
    assert_eq!(world.store.maintain(maintenance).await.expect("house can be kept").settled, 0, "it is given time");
    world.clock.advance(Maintenance::PATIENCE);
    assert_eq!(world.store.maintain(maintenance).await.expect("house can be kept").settled, 1);
    let found = world.job(child).await;
    assert_eq!(found.status, Status::DeadLetter);
    assert_eq!(found.dead_letter_reason, Some(format!("parent_ended: its parent job {parent} ended as dead_letter")));
    assert_eq!(world.status(grandchild).await, Status::DeadLetter);
    assert_eq!(world.store.health().await.expect("health can be read").stuck, []);
    assert_eq!(world.act(parent, Action::Retry).await.touched, 3);
}

pub async fn a_child_outlives_a_completed_parent_that_is_deleted<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let child = world.enqueue(job().parent(lease.id)).await;
    world.complete(&worker_id, &lease).await;
    world.act(lease.id, Action::Delete).await;
    let found = world.job(child).await;
    assert_eq!((found.status, found.parent_job_id), (Status::Pending, None));
}
