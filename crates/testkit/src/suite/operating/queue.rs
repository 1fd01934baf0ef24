use longshore_core::{
    ClaimRequest, Console, Lease, Priority, QueueChange, QueueLimit, QueueScope, QueueStats, Store, WorkerId,
};

use crate::suite::world::seconds;
use crate::suite::{Harness, World, ids};
use crate::{claim, job};

fn only<const N: usize>(worker_id: &WorkerId, queues: [(&str, u32); N], limit: u32) -> ClaimRequest {
    let limits = queues.map(|(queue, limit)| QueueLimit { queue: queue.to_owned(), limit });
    ClaimRequest { scope: QueueScope::Only(limits.to_vec()), ..claim(worker_id, limit) }
}

async fn leases<H: Harness>(world: &World<H>, request: ClaimRequest) -> Vec<Lease> {
    world.store.claim(request).await.expect("it may claim").leases
}

async fn change<H: Harness>(world: &World<H>, queue: &str, change: QueueChange) {
    world.store.change_queue(queue.to_owned(), change).await.expect("queues can be changed");
}

async fn queues<H: Harness>(world: &World<H>) -> Vec<QueueStats> {
    world.store.stats(0).await.expect("stats can be read").queues
}

pub async fn a_claim_takes_only_from_the_queues_that_it_names<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue(job().queue("other").priority(Priority::HIGH)).await;
    let a = world.enqueue(job().queue("a")).await;
    let b = world.enqueue(job().queue("b")).await;
    assert_eq!(ids(&leases(&world, only(&worker_id, [("b", 9), ("a", 9)], 9)).await), [a, b]);
}

pub async fn each_queue_gives_no_more_than_its_own_limit<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    for queue in ["a", "a", "a", "b", "b", "c"] {
        world.enqueue(job().queue(queue)).await;
    }
    let claimed = leases(&world, only(&worker_id, [("a", 2), ("b", 1), ("c", 0)], 9)).await;
    let queues: Vec<&str> = claimed.iter().map(|lease| lease.queue.as_str()).collect();
    assert_eq!(queues, ["a", "a", "b"]);
}

pub async fn the_order_holds_across_queues<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let b = world.enqueue(job().queue("b")).await;
    let a = world.enqueue(job().queue("a")).await;
    let high = world.enqueue(job().queue("c").priority(Priority::HIGH)).await;
    let second_b = world.enqueue(job().queue("b")).await;
    assert_eq!(ids(&leases(&world, only(&worker_id, [("a", 9), ("b", 9), ("c", 9)], 3)).await), [high, b, a]);
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [second_b]);
}

pub async fn a_claim_without_queues_takes_nothing<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue(job()).await;
    assert!(leases(&world, only(&worker_id, [], 9)).await.is_empty());
}

pub async fn a_paused_queue_gives_nothing_until_it_is_resumed<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let paused = world.enqueue(job().queue("paused")).await;
    let open = world.enqueue(job().queue("open")).await;
    change(&world, "paused", QueueChange::Pause).await;
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [open]);
    assert!(leases(&world, only(&worker_id, [("paused", 9)], 9)).await.is_empty());
    change(&world, "paused", QueueChange::Resume).await;
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [paused]);
}

pub async fn a_paused_queue_takes_jobs_and_lets_running_ones_end<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    change(&world, "default", QueueChange::Pause).await;
    world.enqueue(job()).await;
    world.complete(&worker_id, &lease).await;
    assert_eq!(world.count().await, 2);
}

pub async fn a_queue_that_nobody_used_yet_can_be_paused<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    change(&world, "tomorrow", QueueChange::Pause).await;
    let found = queues(&world).await;
    assert_eq!((found[0].queue.as_str(), found[0].paused_at), ("tomorrow", Some(world.now())));
    world.enqueue(job().queue("tomorrow")).await;
    assert!(world.claim(&worker_id, 9).await.is_empty());
}

pub async fn a_queue_that_is_paused_twice_tells_of_the_first_time<H: Harness>() {
    let world = World::<H>::new();
    change(&world, "default", QueueChange::Pause).await;
    let first = world.now();
    world.clock.advance(seconds(5));
    change(&world, "default", QueueChange::Pause).await;
    assert_eq!(queues(&world).await[0].paused_at, Some(first));
}

pub async fn resuming_a_queue_that_is_not_paused_changes_nothing<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let id = world.enqueue(job()).await;
    change(&world, "default", QueueChange::Resume).await;
    change(&world, "unheard of", QueueChange::Resume).await;
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [id]);
}

pub async fn a_pause_survives_the_death_of_its_process<H: Harness>() {
    let mut world = World::<H>::new();
    change(&world, "default", QueueChange::Pause).await;
    world.restart();
    let worker_id = world.worker().await;
    world.enqueue(job()).await;
    assert!(world.claim(&worker_id, 9).await.is_empty());
}
