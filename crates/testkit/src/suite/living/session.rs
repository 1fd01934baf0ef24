use std::time::Duration;

use longshore_core::{AttemptOutcome, Console, Extended, Lease, Reclaimed, Status, Store};

use crate::suite::world::{Process, seconds, until_dead};
use crate::suite::{Harness, World};
use crate::{heartbeat, job, worker};

/// The longest that the news of a loss may take, in real time: it may come over a network.
const NEWS_MAX: Duration = Duration::from_secs(20);
/// How long a test waits for news that must not come.
const NO_NEWS: Duration = Duration::from_millis(20);

/// A worker with a lease of ten seconds that has begun a job, in another process than the one that looks.
async fn working<H: Harness>(world: &World<H>) -> (Process<H>, Lease) {
    let process = world.process_of(worker().lease(seconds(10))).await;
    world.enqueue(job()).await;
    let lease = process.begin_one().await;
    (process, lease)
}

async fn beat<H: Harness>(process: &Process<H>, lease: &Lease) -> Extended {
    process.extend(heartbeat(&process.worker_id, vec![(lease.id, lease.claim_number)])).await
}

/// Its session is lost, and it has heard of that.
async fn lose<H: Harness>(world: &World<H>, process: &Process<H>, lease: &Lease) {
    world.lose_session(&process.worker_id);
    assert_eq!(beat(process, lease).await, Extended::default());
    tokio::time::timeout(NEWS_MAX, process.session_lost()).await.expect("the worker learns of the loss");
}

async fn is_lost<H: Harness>(process: &Process<H>) -> bool {
    tokio::time::timeout(NO_NEWS, process.session_lost()).await.is_ok()
}

pub async fn a_session_that_stands_is_not_lost<H: Harness>() {
    let world = World::<H>::new();
    let (process, lease) = working(&world).await;
    for _ in 0..3 {
        assert_eq!(world.look_for(seconds(5)).await, Reclaimed::default());
        beat(&process, &lease).await;
    }
    assert!(!is_lost(&process).await);
}

pub async fn a_worker_whose_session_is_lost_keeps_its_jobs_as_long_as_it_extends_its_lease<H: Harness>() {
    let world = World::<H>::new();
    let (process, lease) = working(&world).await;
    lose(&world, &process, &lease).await;
    for _ in 0..5 {
        assert_eq!(world.look_for(seconds(9)).await, Reclaimed::default());
        assert_eq!(beat(&process, &lease).await, Extended::default());
    }
    // Told until it is registered again, because whoever waits may ask late.
    assert!(is_lost(&process).await);
    world.complete(&process.worker_id, &lease).await;
}

pub async fn a_worker_whose_session_and_lease_are_lost_loses_its_jobs_without_a_crash<H: Harness>() {
    let world = World::<H>::new();
    let (process, lease) = working(&world).await;
    lose(&world, &process, &lease).await;
    let reclaimed = world.look_for(seconds(25)).await;
    assert_eq!((reclaimed.workers, reclaimed.jobs), (vec![process.worker_id.clone()], 1));
    let found = world.detail(lease.id).await;
    assert_eq!((found.job.status, found.job.crash_count, found.job.retry_count), (Status::Pending, 0, 0));
    assert_eq!(found.attempts[0].outcome, AttemptOutcome::Returned);
}

pub async fn a_worker_that_is_registered_again_after_a_loss_keeps_what_it_holds<H: Harness>() {
    let world = World::<H>::new();
    let (process, lease) = working(&world).await;
    lose(&world, &process, &lease).await;
    process.register_again().await;
    assert!(!is_lost(&process).await);
    assert_eq!(beat(&process, &lease).await, Extended::default());
    assert_eq!(world.look_for(seconds(9)).await, Reclaimed::default());
    assert_eq!(world.store.workers().await.expect("workers can be read").len(), 1);
    world.complete(&process.worker_id, &lease).await;
}

pub async fn after_a_loss_and_a_new_registration_a_death_is_found_at_once_again<H: Harness>() {
    let world = World::<H>::new();
    let (process, lease) = working(&world).await;
    for _ in 0..2 {
        lose(&world, &process, &lease).await;
        process.register_again().await;
    }
    let dead = process.worker_id.clone();
    world.kill(process);
    let reclaimed = world.reclaim().await;
    assert_eq!((reclaimed.workers, reclaimed.jobs), (vec![dead], 1));
    // What had begun is still known.
    assert_eq!(world.job(lease.id).await.crash_count, 1);
}

pub async fn a_dropped_session_is_found_at_once_and_its_jobs_are_unspent<H: Harness>() {
    let world = World::<H>::new();
    let (process, lease) = working(&world).await;
    let dropped = process.worker_id.clone();
    let living_process = process.drop_session();
    until_dead(&living_process, &dropped).await;
    let reclaimed = world.reclaim().await;
    assert_eq!((reclaimed.workers, reclaimed.jobs), (vec![dropped], 1));
    let job = world.job(lease.id).await;
    assert_eq!((job.status, job.crash_count, job.retry_count), (Status::Pending, 0, 0));
}

/// Nothing shows its death any more, so its lease decides, also for the process that it was in.
pub async fn a_lost_session_that_is_dropped_leaves_its_jobs_to_the_lease<H: Harness>() {
    for is_observer_its_own in [true, false] {
        let world = World::<H>::new();
        let (process, lease) = working(&world).await;
        lose(&world, &process, &lease).await;
        let living_process = process.drop_session();
        let observer = if is_observer_its_own { &living_process } else { &world.store };
        assert_eq!(world.look_from(observer, seconds(9)).await.jobs, 0);
        assert_eq!(world.look_from(observer, seconds(16)).await.jobs, 1);
        let job = world.job(lease.id).await;
        assert_eq!((job.status, job.crash_count, job.retry_count), (Status::Pending, 0, 0));
    }
}

pub async fn a_session_whose_place_another_one_took_gives_nothing_up<H: Harness>() {
    let world = World::<H>::new();
    let (process, lease) = working(&world).await;
    // The earlier session is dropped by this.
    process.register_again().await;
    assert_eq!(world.reclaim().await, Reclaimed::default());
    assert!(!is_lost(&process).await);
    world.complete(&process.worker_id, &lease).await;
}

pub async fn the_session_of_a_retired_worker_gives_nothing_up<H: Harness>() {
    let world = World::<H>::new();
    let (process, lease) = working(&world).await;
    process.store.retire(process.worker_id.clone()).await.expect("it can retire");
    let (registration, worker_id) = (process.registration.clone(), process.worker_id.clone());
    let store = process.drop_session();
    assert_eq!(world.reclaim().await, Reclaimed::default());
    // Its id is free, and whoever has it next is not meant.
    let next = store.register(registration).await.expect("a worker can be registered");
    assert_eq!(world.reclaim().await, Reclaimed::default());
    assert_eq!(world.status(lease.id).await, Status::Pending);
    drop(next);
    until_dead(&store, &worker_id).await;
    assert_eq!(world.reclaim().await.workers.len(), 1);
}

pub async fn a_worker_whose_session_is_lost_may_retire<H: Harness>() {
    let world = World::<H>::new();
    let (process, lease) = working(&world).await;
    lose(&world, &process, &lease).await;
    process.store.retire(process.worker_id.clone()).await.expect("it can retire");
    let job = world.job(lease.id).await;
    assert_eq!((job.status, job.crash_count), (Status::Pending, 0));
    assert!(world.store.workers().await.expect("workers can be read").is_empty());
}
