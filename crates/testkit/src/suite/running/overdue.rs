use longshore_core::{
    Action, AttemptOutcome, Console, Failure, FailureType, JobId, NewJob, Outcome, Overdue, QueueChange, QueueScope,
    Recorded, Status, Store, TimeBounds,
};

use crate::suite::world::seconds;
use crate::suite::{Harness, World, ids};
use crate::{claim, ended, job};

/// The status of a job, and the beginning of its reason.
async fn end_of<H: Harness>(world: &World<H>, id: JobId) -> (Status, Option<String>) {
    let job = world.job(id).await;
    let reason = job.dead_letter_reason.map(|reason| reason.split(": ").take(2).collect::<Vec<_>>().join(": "));
    (job.status, reason)
}

fn expired() -> (Status, Option<String>) {
    (Status::Cancelled, Some("expired: it expired".to_owned()))
}

fn out_of_time() -> (Status, Option<String>) {
    (Status::DeadLetter, Some("expired: its deadline passed".to_owned()))
}

/// Jobs that ended in the last minute: cancelled and failed.
async fn minute<H: Harness>(world: &World<H>) -> (u64, u64) {
    let stats = world.store.stats(1).await.expect("statistics can be read");
    stats.minutes.iter().fold((0, 0), |sum, minute| (sum.0 + minute.cancelled, sum.1 + minute.failed))
}

async fn depth<H: Harness>(world: &World<H>, status: Status) -> u64 {
    let stats = world.store.stats(1).await.expect("statistics can be read");
    stats.queues.iter().filter_map(|queue| queue.jobs.get(&status)).sum()
}

pub async fn an_expired_job_is_not_claimed_and_ends_as_cancelled_with_the_reason<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let late = world.enqueue(job().expires_in(seconds(5))).await;
    let other = world.enqueue(job()).await;
    world.clock.advance(seconds(5));
    assert_eq!(ids(&world.claim(&worker_id, 1).await), [other]);
    let detail = world.detail(late).await;
    let instant = detail.job.expires_at.expect("it keeps its expiry");
    assert_eq!(detail.job.dead_letter_reason, Some(Overdue::Expired(instant).reason().to_string()));
    assert_eq!((detail.job.status, detail.job.completed_at), (Status::Cancelled, Some(world.now())));
    assert_eq!((detail.job.moved_to_dead_letter_at, detail.job.started_at), (None, None));
    assert!(detail.attempts.is_empty(), "{detail:?}");
    assert_eq!((minute(&world).await, depth(&world, Status::Cancelled).await), ((1, 0), 1));
    assert_eq!((depth(&world, Status::Pending).await, depth(&world, Status::Running).await), (0, 1));
}

pub async fn a_job_may_be_claimed_until_its_expiry_and_its_deadline<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let expiring = world.enqueue(job().expires_in(seconds(6))).await;
    let bound = world.enqueue(job().deadline_in(seconds(6))).await;
    world.clock.advance(seconds(5));
    assert_eq!(world.reclaim().await.overdue, 0);
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [expiring, bound]);
}

pub async fn a_lease_carries_expiry_and_deadline_however_it_was_given<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let given = || job().expires_in(seconds(6)).deadline_in(seconds(7));
    let time = TimeBounds::from_now(world.now(), Some(seconds(6)), Some(seconds(7)));
    world.enqueue(given()).await;
    let request = claim(&worker_id, 1);
    for _ in 0..2 {
        let claimed = world.store.claim(request.clone()).await.expect("the worker may claim");
        assert_eq!(claimed.leases[0].budgets.time, time);
    }
    let mut inbox = world.store.inbox(&worker_id);
    inbox.offer(QueueScope::All, 1);
    assert!(world.claim(&worker_id, 1).await.is_empty());
    let id = world.enqueue(given()).await;
    let lease = match inbox.take().pop() {
        Some(lease) => lease,
        // A backend need not give it at once.
        None => world.claim_one(&worker_id).await,
    };
    assert_eq!((lease.id, lease.budgets.time), (id, time));
}

pub async fn what_waits_beyond_its_expiry_ends_although_nobody_claims_it<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let mortal = || job().expires_in(seconds(5));
    let retrying = world.running(&worker_id, mortal()).await;
    world.finish(&worker_id, ended(&retrying).retrying(seconds(2))).await;
    let parent = world.running(&worker_id, job()).await;
    let waiting = [
        world.enqueue(mortal()).await,
        world.enqueue(mortal().delay(seconds(60))).await,
        world.enqueue(NewJob { job_type: "nobody knows it".to_owned(), ..mortal() }).await,
        world.enqueue(mortal().queue("paused")).await,
        world.enqueue(mortal().parent(parent.id)).await,
        retrying.id,
    ];
    world.store.change_queue("paused".to_owned(), QueueChange::Pause).await.expect("a queue can be paused");
    world.clock.advance(seconds(5));
    assert_eq!(world.reclaim().await.overdue, 6);
    for id in waiting {
        assert_eq!(end_of(&world, id).await, expired(), "{id}");
    }
    assert_eq!(world.job(retrying.id).await.next_retry_at, None);
    assert_eq!((depth(&world, Status::Cancelled).await, depth(&world, Status::Running).await), (6, 1));
    assert_eq!((minute(&world).await, world.reclaim().await.overdue), ((6, 0), 0));
}

pub async fn what_waits_beyond_its_deadline_becomes_a_dead_letter<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let bound = || job().deadline_in(seconds(5));
    let met = world.enqueue(bound()).await;
    let unmet = world.enqueue(bound().delay(seconds(60))).await;
    world.clock.advance(seconds(5));
    assert!(world.claim(&worker_id, 9).await.is_empty());
    assert_eq!(end_of(&world, met).await, out_of_time());
    assert_eq!(world.reclaim().await.overdue, 1);
    let found = world.job(unmet).await;
    assert_eq!(end_of(&world, unmet).await, out_of_time());
    assert_eq!((found.completed_at, found.moved_to_dead_letter_at), (Some(world.now()), Some(world.now())));
    assert_eq!((minute(&world).await, depth(&world, Status::DeadLetter).await), ((0, 2), 2));
}

pub async fn of_expiry_and_deadline_the_earlier_one_decides<H: Harness>() {
    let world = World::<H>::new();
    let expiring = world.enqueue(job().expires_in(seconds(4)).deadline_in(seconds(5))).await;
    let bound = world.enqueue(job().expires_in(seconds(5)).deadline_in(seconds(4))).await;
    world.clock.advance(seconds(9));
    assert_eq!(world.reclaim().await.overdue, 2);
    assert_eq!((end_of(&world, expiring).await, end_of(&world, bound).await), (expired(), out_of_time()));
}

pub async fn what_runs_beyond_its_expiry_is_let_run_and_may_complete<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job().expires_in(seconds(5)).deadline_in(seconds(6))).await;
    world.clock.advance(seconds(9));
    assert_eq!((world.reclaim().await.overdue, world.status(lease.id).await), (0, Status::Running));
    world.complete(&worker_id, &lease).await;
    assert_eq!(world.reclaim().await.overdue, 0);
    let found = world.job(lease.id).await;
    assert_eq!((found.status, found.dead_letter_reason), (Status::Completed, None));
}

pub async fn what_comes_back_beyond_its_expiry_does_not_run_again<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job().expires_in(seconds(5))).await;
    let dying = world.process().await;
    let other = world.enqueue(job().deadline_in(seconds(5))).await;
    assert_eq!(ids(&dying.claim(1).await), [other]);
    world.clock.advance(seconds(5));
    world.kill(dying);
    assert_eq!(world.reclaim().await.jobs, 1);
    world.finish(&worker_id, ended(&lease).returned()).await;
    assert!(world.claim(&worker_id, 9).await.is_empty());
    assert_eq!((end_of(&world, lease.id).await, end_of(&world, other).await), (expired(), out_of_time()));
}

pub async fn an_attempt_that_did_not_begin_in_time_ends_as_expired_and_spends_nothing<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job().expires_in(seconds(5))).await;
    world.clock.advance(seconds(5));
    let overdue = lease.budgets.time.overdue_at(world.now()).expect("its time is over");
    world.finish(&worker_id, ended(&lease).never_began().outcome(overdue.outcome(None))).await;
    let detail = world.detail(lease.id).await;
    assert_eq!((end_of(&world, lease.id).await, detail.job.completed_at), (expired(), Some(world.now())));
    assert_eq!((detail.job.retry_count, detail.job.error_message), (0, None));
    let attempt = &detail.attempts[0];
    assert_eq!((attempt.outcome, attempt.started_at), (AttemptOutcome::Cancelled, None));
    assert_eq!((minute(&world).await, depth(&world, Status::Cancelled).await), ((1, 0), 1));
    let late = ended(&lease).completed();
    assert_eq!(world.record(&worker_id, late).await, Recorded::Fenced);
}

pub async fn a_failure_after_which_no_retry_is_in_time_is_kept_with_the_reason<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job().expires_in(seconds(5))).await;
    let child = world.enqueue(job().parent(lease.id)).await;
    let failure = Failure::new(FailureType::NetworkError, "no answer").with_traceback("the story");
    let at = lease.budgets.time.expires_at.expect("it was given");
    let outcome = Outcome::Expired { at, failure: Some(failure) };
    world.finish(&worker_id, ended(&lease).outcome(outcome)).await;
    let detail = world.detail(lease.id).await;
    assert_eq!(end_of(&world, lease.id).await, expired());
    assert_eq!((detail.job.failure_type.as_deref(), detail.job.retry_count), (Some("network_error"), 0));
    assert_eq!(detail.job.error_message.as_deref(), Some("no answer"));
    assert_eq!(detail.job.last_error_traceback.as_deref(), Some("the story"));
    assert_eq!(detail.attempts[0].outcome, AttemptOutcome::Cancelled);
    assert_eq!(detail.attempts[0].error_message.as_deref(), Some("no answer"));
    assert_eq!(world.status(child).await, Status::DeadLetter);
}

pub async fn the_children_of_an_overdue_job_are_given_up<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    for claims in [true, false] {
        let parent = world.enqueue(job().expires_in(seconds(5))).await;
        let child = world.enqueue(job().parent(parent)).await;
        let grandchild = world.enqueue(job().parent(child)).await;
        world.clock.advance(seconds(5));
        if claims {
            assert!(world.claim(&worker_id, 9).await.is_empty());
        } else {
            assert_eq!(world.reclaim().await.overdue, 1);
        }
        assert_eq!(world.status(parent).await, Status::Cancelled);
        let reason = format!("parent_ended: its parent job {parent} ended as cancelled");
        assert_eq!(world.job(child).await.dead_letter_reason, Some(reason));
        assert_eq!(world.status(grandchild).await, Status::DeadLetter);
    }
}

pub async fn an_overdue_job_keeps_nobody_from_its_unique_key<H: Harness>() {
    let world = World::<H>::new();
    let keyed = || job().unique_key("k");
    let first = world.enqueue(keyed().expires_in(seconds(5))).await;
    let duplicate = world.enqueue_all(vec![keyed()]).await[0];
    assert_eq!((duplicate.id, duplicate.is_duplicate), (first, true));
    world.clock.advance(seconds(5));
    let second = world.enqueue(keyed().deadline_in(seconds(5))).await;
    assert_eq!(end_of(&world, first).await, expired());
    world.clock.advance(seconds(5));
    let enqueued = world.enqueue_all(vec![job(), keyed().expires_in(seconds(5)), job()]).await;
    assert!(enqueued.iter().all(|enqueued| !enqueued.is_duplicate), "{enqueued:?}");
    assert_eq!(end_of(&world, second).await, out_of_time());
    world.clock.advance(seconds(5));
    assert_eq!(world.reclaim().await.overdue, 1);
    world.enqueue(keyed()).await;
    assert_eq!((depth(&world, Status::Pending).await, depth(&world, Status::Cancelled).await), (3, 2));
}

pub async fn a_job_that_runs_keeps_its_unique_key_beyond_its_expiry<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job().unique_key("k").expires_in(seconds(5))).await;
    world.clock.advance(seconds(9));
    let duplicate = world.enqueue_all(vec![job().unique_key("k")]).await[0];
    assert_eq!((duplicate.id, duplicate.is_duplicate), (lease.id, true));
}

pub async fn an_unknown_parent_leaves_the_holder_of_the_key_as_it_is<H: Harness>() {
    let world = World::<H>::new();
    let holder = world.enqueue(job().unique_key("k").expires_in(seconds(5))).await;
    world.clock.advance(seconds(5));
    let orphan = job().unique_key("k").parent(JobId(99));
    assert!(world.store.enqueue(vec![orphan]).await.is_err());
    assert_eq!(world.status(holder).await, Status::Pending);
}

pub async fn overdue_jobs_take_no_room_of_a_claim<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue_all(vec![job().expires_in(seconds(5)); 3]).await;
    let live = world.enqueue_all(vec![job(); 3]).await;
    world.clock.advance(seconds(5));
    let claimed = ids(&world.claim(&worker_id, 2).await);
    assert_eq!(claimed, [live[0].id, live[1].id]);
    assert_eq!(depth(&world, Status::Cancelled).await, 3);
}

pub async fn behind_any_number_of_overdue_jobs_a_claim_finds_the_next_one<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue_all(vec![job().expires_in(seconds(5)); 2500]).await;
    let live = world.enqueue(job()).await;
    world.clock.advance(seconds(5));
    let mut claimed = Vec::new();
    for _ in 0..4 {
        claimed.extend(ids(&world.claim(&worker_id, 1).await));
    }
    assert_eq!((claimed, depth(&world, Status::Cancelled).await), (vec![live], 2500));
}

pub async fn a_job_that_is_retried_by_hand_is_free_of_what_has_passed<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let id = world.enqueue(job().expires_in(seconds(5)).deadline_in(seconds(60))).await;
    world.clock.advance(seconds(5));
    assert_eq!(world.reclaim().await.overdue, 1);
    let deadline = world.job(id).await.deadline_at;
    assert_eq!(world.act(id, Action::Retry).await.touched, 1);
    let found = world.job(id).await;
    assert_eq!((found.status, found.dead_letter_reason), (Status::Pending, None));
    assert_eq!((found.expires_at, found.deadline_at), (None, deadline));
    let lease = world.claim_one(&worker_id).await;
    world.finish(&worker_id, ended(&lease).returned()).await;
    world.clock.advance(seconds(60));
    assert_eq!(world.reclaim().await.overdue, 1);
    assert_eq!(end_of(&world, id).await, out_of_time());
}

pub async fn children_that_were_given_up_with_an_expired_job_come_back_with_it<H: Harness>() {
    let world = World::<H>::new();
    let parent = world.enqueue(job().expires_in(seconds(5))).await;
    let child = world.enqueue(job().parent(parent).deadline_in(seconds(5))).await;
    world.clock.advance(seconds(5));
    assert_eq!(world.reclaim().await.overdue, 1);
    assert_eq!(world.act(parent, Action::Retry).await.touched, 2);
    assert_eq!((world.status(parent).await, world.status(child).await), (Status::Pending, Status::Blocked));
    assert_eq!((world.reclaim().await.overdue, world.job(child).await.deadline_at), (0, None));
}
