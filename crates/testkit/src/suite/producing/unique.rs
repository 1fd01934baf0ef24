use longshore_core::{Action, Duplicate, Enqueued, NewJob, Store, stream_of};

use crate::suite::world::seconds;
use crate::suite::{Harness, World};
use crate::{ended, job};

fn keyed() -> NewJob {
    job().unique_key("key")
}

async fn enqueue_again<H: Harness>(world: &World<H>) -> Enqueued {
    world.enqueue_all(vec![keyed()]).await[0]
}

pub async fn while_a_job_waits_its_unique_key_gives_the_same_job_again<H: Harness>() {
    let world = World::<H>::new();
    let id = world.enqueue(keyed()).await;
    let other = NewJob { job_type: "other".to_owned(), ..keyed() }.queue("elsewhere");
    assert_eq!(world.enqueue_all(vec![other]).await, [Enqueued::met(id, Duplicate::Kept)]);
    assert_eq!(world.count().await, 1);
    assert_eq!(world.job(id).await.queue, "default");
}

pub async fn a_unique_key_is_kept_apart_from_others<H: Harness>() {
    let world = World::<H>::new();
    world.enqueue(keyed()).await;
    world.enqueue(job().unique_key("KEY")).await;
    world.enqueue(job().unique_key("key ")).await;
    world.enqueue(job()).await;
    assert_eq!(world.count().await, 4);
}

pub async fn of_one_key_a_batch_makes_one_job<H: Harness>() {
    let world = World::<H>::new();
    let enqueued = world.enqueue_all(vec![keyed(), job(), keyed()]).await;
    assert_eq!(enqueued[2], Enqueued::met(enqueued[0].id, Duplicate::Kept));
    assert_eq!((enqueued[0].is_duplicate, enqueued[1].is_duplicate), (false, false));
    assert_eq!(world.count().await, 2);
}

pub async fn a_stream_passes_duplicates_over<H: Harness>() {
    let world = World::<H>::new();
    world.enqueue(keyed()).await;
    let stream = stream_of(["key", "a", "b", "a"].map(|key| Ok(job().unique_key(key))));
    assert_eq!(world.store.enqueue_stream(stream).await.expect("the stream is fine"), 2);
    assert_eq!(world.count().await, 3);
}

pub async fn a_unique_key_is_held_while_its_job_runs_retries_or_is_blocked<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, keyed()).await;
    assert_eq!(enqueue_again(&world).await, Enqueued::met(lease.id, Duplicate::Kept));
    world.finish(&worker_id, ended(&lease).retrying(seconds(5))).await;
    assert_eq!(enqueue_again(&world).await, Enqueued::met(lease.id, Duplicate::Kept));
    let blocked = world.enqueue(job().parent(lease.id).unique_key("child")).await;
    let again = world.enqueue_all(vec![job().unique_key("child")]).await;
    assert_eq!(again, [Enqueued::met(blocked, Duplicate::Kept)]);
}

pub async fn a_unique_key_is_free_once_its_job_has_completed<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, keyed()).await;
    world.complete(&worker_id, &lease).await;
    let again = enqueue_again(&world).await;
    assert!(again.id > lease.id && !again.is_duplicate);
}

pub async fn a_unique_key_is_free_once_its_job_is_given_up_cancelled_or_deleted<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.dead_letter(&worker_id, keyed()).await;
    let cancelled = world.enqueue(keyed()).await;
    world.act(cancelled, Action::Cancel).await;
    let deleted = world.enqueue(keyed()).await;
    world.act(deleted, Action::Delete).await;
    assert!(!enqueue_again(&world).await.is_duplicate);
}

pub async fn of_one_key_processes_at_the_same_moment_make_one_job<H: Harness>() {
    let world = World::<H>::new();
    let (second, third) = (world.open(), world.open());
    let answers =
        tokio::join!(world.store.enqueue(vec![keyed()]), second.enqueue(vec![keyed()]), third.enqueue(vec![keyed()]));
    let enqueued: Vec<Enqueued> =
        [answers.0, answers.1, answers.2].into_iter().flat_map(|answer| answer.expect("it is acceptable")).collect();
    assert!(enqueued.iter().all(|job| job.id == enqueued[0].id));
    assert_eq!(enqueued.iter().filter(|job| job.is_duplicate).count(), 2);
    assert_eq!(world.count().await, 1);
}

pub async fn a_key_is_free_again_when_its_batch_was_refused<H: Harness>() {
    let world = World::<H>::new();
    assert!(world.store.enqueue(vec![keyed(), job().queue("")]).await.is_err());
    assert!(!enqueue_again(&world).await.is_duplicate);
}
