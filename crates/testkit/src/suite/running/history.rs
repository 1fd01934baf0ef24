use longshore_core::{Attempt, AttemptOutcome, FailureType, JobId};

use crate::suite::world::seconds;
use crate::suite::{Harness, World};
use crate::{ended, job};

async fn attempts<H: Harness>(world: &World<H>, id: JobId) -> Vec<Attempt> {
    world.detail(id).await.attempts
}

pub async fn a_job_that_never_ran_has_no_attempts<H: Harness>() {
    let world = World::<H>::new();
    let id = world.enqueue(job()).await;
    assert!(attempts(&world, id).await.is_empty());
}

pub async fn the_running_attempt_is_part_of_the_history<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let found = attempts(&world, lease.id).await;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].outcome, found[0].attempt), (AttemptOutcome::Running, 1));
    assert_eq!((found[0].claim_number, found[0].worker_id.as_ref()), (lease.claim_number, Some(&worker_id)));
    assert_eq!((found[0].started_at, found[0].finished_at), (Some(world.now()), None));
}

pub async fn the_successful_attempt_is_part_of_the_history<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let began = world.now();
    world.clock.advance(seconds(1));
    world.finish(&worker_id, ended(&lease).ran(seconds(1)).completed()).await;
    let found = attempts(&world, lease.id).await;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].outcome, found[0].attempt), (AttemptOutcome::Completed, 1));
    assert_eq!((found[0].started_at, found[0].finished_at), (Some(began), Some(world.now())));
    assert_eq!((found[0].failure_type, found[0].error_message.as_ref()), (None, None));
}

pub async fn every_attempt_that_did_not_simply_succeed_is_kept<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let first = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&first).retrying(seconds(1))).await;
    world.clock.advance(seconds(1));
    let second = world.claim_one(&worker_id).await;
    world.finish(&worker_id, ended(&second).deferred(seconds(1))).await;
    world.clock.advance(seconds(1));
    let third = world.claim_one(&worker_id).await;
    world.finish(&worker_id, ended(&third).returned()).await;
    let fourth = world.claim_one(&worker_id).await;
    world.finish(&worker_id, ended(&fourth).dead_letter()).await;
    let found = attempts(&world, first.id).await;
    let told: Vec<_> = found.iter().map(|attempt| (attempt.claim_number.0, attempt.attempt, attempt.outcome)).collect();
    assert_eq!(
        told,
        [
            (1, 1, AttemptOutcome::Retrying),
            (2, 2, AttemptOutcome::Deferred),
            (3, 2, AttemptOutcome::Returned),
            (4, 2, AttemptOutcome::DeadLetter)
        ]
    );
    assert!(found.iter().all(|attempt| attempt.worker_id.as_ref() == Some(&worker_id)));
}

pub async fn a_failed_attempt_keeps_its_own_error<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let began = world.now();
    world.clock.advance(seconds(1));
    world.finish(&worker_id, ended(&lease).ran(seconds(1)).retrying(seconds(1))).await;
    let failed = attempts(&world, lease.id).await.remove(0);
    assert_eq!(
        (failed.failure_type, failed.error_message.as_deref()),
        (Some(FailureType::NetworkError), Some("no answer"))
    );
    assert_eq!(failed.traceback.as_deref(), Some("no answer\ncaused by: a test"));
    assert_eq!((failed.started_at, failed.finished_at), (Some(began), Some(world.now())));
}

pub async fn an_attempt_that_never_began_tells_no_beginning<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&lease).never_began().returned()).await;
    let found = attempts(&world, lease.id).await;
    assert_eq!((found[0].outcome, found[0].started_at), (AttemptOutcome::Returned, None));
    assert_eq!(found[0].finished_at, Some(world.now()));
}
