use longshore_core::{Action, AttemptOutcome, Filter, NewJob, Refusal, Selection, Status};

use crate::suite::world::{data, seconds};
use crate::suite::{Harness, World};
use crate::{ended, job};

pub async fn a_dead_letter_is_retried_with_fresh_budgets_and_keeps_its_history<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let first = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&first).deferred(seconds(0))).await;
    let second = world.claim_one(&worker_id).await;
    world.finish(&worker_id, ended(&second).retrying(seconds(0))).await;
    let third = world.claim_one(&worker_id).await;
    world.finish(&worker_id, ended(&third).dead_letter()).await;
    let history = world.detail(first.id).await.attempts;
    assert_eq!(world.act(first.id, Action::Retry).await.touched, 1);
    let retried = world.detail(first.id).await;
    assert_eq!((retried.job.status, retried.attempts), (Status::Pending, history));
    assert_eq!((retried.job.retry_count, retried.job.crash_count, retried.job.deferral_count), (0, 0, 0));
    assert_eq!((retried.job.dead_letter_reason, retried.job.moved_to_dead_letter_at), (None, None));
    assert_eq!(retried.job.completed_at, None);
    let fourth = world.claim_one(&worker_id).await;
    assert_eq!((fourth.claim_number.0, fourth.attempt()), (4, 1));
    world.complete(&worker_id, &fourth).await;
    assert_eq!(world.detail(first.id).await.attempts.len(), 4);
}

pub async fn a_retrying_job_may_be_retried_at_once<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&lease).retrying(seconds(300))).await;
    assert_eq!(world.act(lease.id, Action::Retry).await.touched, 1);
    let retried = world.job(lease.id).await;
    assert_eq!((retried.status, retried.next_retry_at, retried.retry_count), (Status::Pending, None, 0));
    let claimed = world.claimed(&worker_id, 9).await;
    assert_eq!((claimed.leases.len(), claimed.next_due), (1, None));
}

pub async fn a_completed_job_that_runs_again_keeps_its_success_in_its_history<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&lease).completed_with(data("1"))).await;
    let history = world.detail(lease.id).await.attempts;
    assert_eq!(world.act(lease.id, Action::Retry).await.touched, 1);
    let retried = world.detail(lease.id).await;
    assert_eq!((retried.job.status, retried.job.result, retried.job.completed_at), (Status::Pending, None, None));
    assert_eq!(retried.attempts, history);
    let again = world.claim_one(&worker_id).await;
    world.complete(&worker_id, &again).await;
    let outcomes: Vec<_> = world.detail(lease.id).await.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::Completed; 2]);
}

pub async fn a_cancelled_job_may_be_retried_and_is_asked_to_stop_no_longer<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.act(lease.id, Action::Cancel).await;
    world.finish(&worker_id, ended(&lease).cancelled()).await;
    world.act(lease.id, Action::Retry).await;
    let retried = world.job(lease.id).await;
    assert_eq!((retried.status, retried.cancel_requested_at), (Status::Pending, None));
}

pub async fn what_waits_or_runs_cannot_be_retried<H: Harness>() {
    let world = World::<H>::new();
    for (status, id) in world.one_in_each_state().await {
        if status.is_retryable() {
            continue;
        }
        let before = world.detail(id).await;
        let actioned = world.act(id, Action::Retry).await;
        assert_eq!((actioned.touched, actioned.refused), (0, vec![Refusal::WrongStatus { id, status }]));
        assert_eq!(world.detail(id).await, before);
    }
}

pub async fn a_job_whose_unique_key_another_one_holds_cannot_be_retried<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let id = world.dead_letter(&worker_id, job().unique_key("key")).await;
    let by = world.enqueue(job().unique_key("key")).await;
    let before = world.detail(id).await;
    let actioned = world.act(id, Action::Retry).await;
    assert_eq!((actioned.touched, actioned.refused), (0, vec![Refusal::UniqueKeyTaken { id, by }]));
    assert_eq!(world.detail(id).await, before);
    world.act(by, Action::Cancel).await;
    assert_eq!(world.act(id, Action::Retry).await.touched, 1);
}

pub async fn a_retrying_job_does_not_stand_in_its_own_way<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job().unique_key("key")).await;
    world.finish(&worker_id, ended(&lease).retrying(seconds(5))).await;
    assert_eq!(world.act(lease.id, Action::Retry).await.touched, 1);
}

pub async fn of_two_dead_letters_with_one_key_only_one_is_retried<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let older = world.dead_letter(&worker_id, job().unique_key("key")).await;
    let newer = world.dead_letter(&worker_id, job().unique_key("key")).await;
    let selection = Selection::from(Filter::all().statuses(vec![Status::DeadLetter]));
    let actioned = world.act_on(selection, Action::Retry).await;
    assert_eq!(actioned.touched, 1);
    assert_eq!(actioned.refused, [Refusal::UniqueKeyTaken { id: newer, by: older }]);
    assert_eq!((world.status(older).await, world.status(newer).await), (Status::Pending, Status::DeadLetter));
}

pub async fn fresh_budgets_may_be_spent_again<H: Harness>() {
    let world = World::<H>::new();
    let id = world.enqueue(NewJob { max_crashes: 1, ..job() }).await;
    for _ in 0..2 {
        let doomed = world.process().await;
        doomed.begin_one().await;
        world.kill(doomed);
        world.reclaim().await;
        assert_eq!(world.status(id).await, Status::DeadLetter);
        world.act(id, Action::Retry).await;
    }
    let retried = world.detail(id).await;
    assert_eq!((retried.job.crash_count, retried.attempts.len()), (0, 2));
}
