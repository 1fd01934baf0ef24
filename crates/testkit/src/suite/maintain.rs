use std::time::Duration;

use longshore_core::{Console, JobId, Maintenance, Status};

use super::world::seconds;
use super::{Harness, World};
use crate::job;

/// Keeps house until nothing is left to do, in steps of `rows_max`; says how many jobs went.
async fn maintain<H: Harness>(world: &World<H>, retention: Option<Duration>, rows_max: u32) -> u64 {
    let mut pruned = 0;
    for _ in 0..1000 {
        let maintained = world.store.maintain(Maintenance { retention, rows_max }).await.expect("house can be kept");
        assert!(maintained.pruned <= u64::from(rows_max));
        assert_eq!(maintained.reconciled, 0, "a store's own counts are never wrong");
        pruned += maintained.pruned;
        if !maintained.has_more {
            return pruned;
        }
    }
    panic!("house-keeping does not come to an end");
}

async fn is_there<H: Harness>(world: &World<H>, id: JobId) -> bool {
    world.store.job(id).await.expect("jobs can be read").is_some()
}

pub async fn old_ended_jobs_are_removed_and_nothing_else<H: Harness>() {
    let world = World::<H>::new();
    let states = world.one_in_each_state().await;
    world.clock.advance(seconds(3601));
    assert_eq!(maintain(&world, Some(seconds(3600)), 100).await, 2);
    for (status, id) in states {
        let is_removed = matches!(status, Status::Completed | Status::Cancelled);
        assert_eq!(is_there(&world, id).await, !is_removed, "{status}");
    }
}

pub async fn young_ended_jobs_stay<H: Harness>() {
    let world = World::<H>::new();
    world.one_in_each_state().await;
    world.clock.advance(seconds(3599));
    assert_eq!(maintain(&world, Some(seconds(3600)), 100).await, 0);
    assert_eq!(world.count().await, 7);
}

pub async fn without_a_retention_nothing_is_removed<H: Harness>() {
    let world = World::<H>::new();
    world.one_in_each_state().await;
    world.clock.advance(seconds(10 * 366 * 86_400));
    assert_eq!(maintain(&world, None, 100).await, 0);
    assert_eq!(world.count().await, 7);
}

pub async fn housekeeping_goes_in_bounded_steps<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue_all(vec![job(); 25]).await;
    for lease in world.claim(&worker_id, 25).await {
        world.complete(&worker_id, &lease).await;
    }
    world.clock.advance(seconds(10));
    assert_eq!(maintain(&world, Some(seconds(1)), 10).await, 25);
    assert_eq!(world.count().await, 0);
}

pub async fn the_children_of_a_removed_job_forget_it<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let child = world.enqueue(job().parent(lease.id)).await;
    world.complete(&worker_id, &lease).await;
    world.clock.advance(seconds(10));
    maintain(&world, Some(seconds(1)), 100).await;
    let found = world.job(child).await;
    assert_eq!((found.status, found.parent_job_id), (Status::Pending, None));
}

pub async fn a_job_that_ended_tomorrow_is_not_old_yet<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.clock.jump_forwards(seconds(86_400));
    let lease = world.running(&worker_id, job()).await;
    world.complete(&worker_id, &lease).await;
    world.clock.jump_backwards(seconds(86_400));
    assert_eq!(maintain(&world, Some(seconds(0)), 100).await, 0);
    assert!(is_there(&world, lease.id).await);
}

pub async fn a_job_of_tomorrow_keeps_no_old_one_from_being_removed<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.clock.jump_forwards(seconds(86_400));
    let of_tomorrow = world.enqueue(job().delay(seconds(60))).await;
    world.clock.jump_backwards(seconds(86_400));
    let lease = world.running(&worker_id, job()).await;
    world.complete(&worker_id, &lease).await;
    world.clock.advance(seconds(10));
    assert_eq!(maintain(&world, Some(seconds(1)), 100).await, 1);
    assert!(is_there(&world, of_tomorrow).await);
}
