use longshore_core::{Console, Health, NewJob, TypeBacklog};

use crate::suite::world::seconds;
use crate::suite::{Harness, World};
use crate::{job, worker};

async fn health<H: Harness>(world: &World<H>) -> Health {
    world.store.health().await.expect("health can be read")
}

pub async fn an_empty_database_is_healthy<H: Harness>() {
    let world = World::<H>::new();
    let found = health(&world).await;
    assert_eq!((found.now, found.living_workers, found.dead_letters), (world.now(), 0, 0));
    assert_eq!((found.queues.len(), found.backlog.len(), found.dead_workers.len()), (0, 0, 0));
}

pub async fn the_backlog_is_told_by_queue_and_type<H: Harness>() {
    let world = World::<H>::new();
    let of = |job_type: &str, queue: &str| NewJob { job_type: job_type.to_owned(), ..job() }.queue(queue);
    let first = world.now();
    world.enqueue_all(vec![of("a", "q"), of("b", "q"), of("a", "r")]).await;
    world.clock.advance(seconds(1));
    world.enqueue_all(vec![of("a", "q"), of("a", "later").delay(seconds(60))]).await;
    let told = |queue: &str, job_type: &str, jobs| TypeBacklog {
        queue: queue.to_owned(),
        job_type: job_type.to_owned(),
        jobs,
        oldest_ready_at: first,
        has_valid_names: true,
    };
    assert_eq!(health(&world).await.backlog, [told("q", "a", 2), told("q", "b", 1), told("r", "a", 1)]);
}

pub async fn the_types_of_the_living_are_known<H: Harness>() {
    let world = World::<H>::new();
    world.register(worker().job_types(["b", "a"])).await;
    world.register(worker().job_types(["c", "b"])).await;
    let found = health(&world).await;
    assert_eq!(found.living_workers, 2);
    assert_eq!(found.known_job_types, ["a", "b", "c"]);
}

pub async fn a_dead_worker_is_told_with_what_it_holds<H: Harness>() {
    let world = World::<H>::new();
    let doomed = world.process().await;
    world.enqueue_all(vec![job(); 3]).await;
    doomed.claim(2).await;
    let dead = doomed.worker_id.clone();
    world.kill(doomed);
    let found = health(&world).await;
    assert_eq!((found.dead_workers, found.living_workers), (vec![(dead.clone(), 2)], 0));
    let workers = world.store.workers().await.expect("workers can be read");
    assert_eq!(workers.iter().map(|worker| (&worker.worker_id, worker.is_alive)).collect::<Vec<_>>(), [(&dead, false)]);
    world.reclaim().await;
    assert!(health(&world).await.dead_workers.is_empty());
}

pub async fn dead_letters_are_counted_and_the_new_ones_apart<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.dead_letter(&worker_id, job()).await;
    world.clock.advance(seconds(2 * 3600));
    world.dead_letter(&worker_id, job()).await;
    let found = health(&world).await;
    assert_eq!((found.dead_letters, found.dead_letters_last_hour), (2, 1));
}

pub async fn a_clock_that_jumped_back_can_be_seen<H: Harness>() {
    let world = World::<H>::new();
    world.enqueue(job()).await;
    let latest = world.now();
    world.clock.jump_backwards(seconds(3600));
    let found = health(&world).await;
    assert_eq!((found.now, found.latest_record_at), (world.now(), Some(latest)));
}
