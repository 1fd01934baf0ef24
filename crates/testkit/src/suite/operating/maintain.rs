use std::time::Duration;

use longshore_core::{Console, JobId, Maintenance, Status};

use crate::job;
use crate::suite::world::seconds;
use crate::suite::{Harness, World};

/// Runs housekeeping in steps of `rows_max` until there is nothing left to do. Returns the number of removed jobs.
async fn maintain<H: Harness>(world: &World<H>, retention: Option<Duration>, rows_max: u32) -> u64 {
    let mut pruned = 0;
    for _ in 0..1000 {
        let maintained = world
            .store
            .maintain(Maintenance { retention, dead_letter_retention: None, rows_max })
            .await
            .expect("house can be kept");
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

const KEEP_HOUSE: Maintenance = Maintenance { retention: None, dead_letter_retention: None, rows_max: 100 };

async fn assert_counts<H: Harness>(world: &World<H>, waiting: u64) {
    let stats = world.store.stats(1).await.expect("stats can be read");
    let jobs: Vec<(Status, u64)> = stats.queues.iter().flat_map(|queue| queue.jobs.clone()).collect();
    assert_eq!(jobs.into_iter().filter(|(_, jobs)| *jobs > 0).collect::<Vec<_>>(), [(Status::Pending, waiting)]);
}

pub async fn wrong_counts_are_mended_once_by_stores_that_keep_house_at_the_same_moment<H: Harness>() {
    let world = World::<H>::new();
    let others = [world.open(), world.open(), world.open()];
    world.enqueue_all(vec![job(); 5]).await;
    for by in [7, -3, 1] {
        let wrong = u64::from(world.spoil_count("default", Status::Pending, by));
        let [a, b, c] = &others;
        // Twice: the holder of the duty may do the work in the first round, and another store may take the duty over in
        // the second.
        world.clock.advance(Maintenance::DUTY_EXPIRY);
        let steps = tokio::join!(
            world.store.maintain(KEEP_HOUSE),
            a.maintain(KEEP_HOUSE),
            b.maintain(KEEP_HOUSE),
            c.maintain(KEEP_HOUSE)
        );
        let steps = [steps.0, steps.1, steps.2, steps.3].map(|step| step.expect("house can be kept"));
        assert_eq!(steps.iter().map(|step| step.reconciled).sum::<u64>(), wrong);
        assert_counts(&world, 5).await;
    }
}

pub async fn a_count_that_becomes_wrong_again_is_mended_again<H: Harness>() {
    let world = World::<H>::new();
    world.enqueue_all(vec![job(); 3]).await;
    for waiting in 4..8 {
        let wrong = u64::from(world.spoil_count("default", Status::Pending, 2));
        world.enqueue(job()).await;
        world.clock.advance(seconds(3600));
        let maintained = world.store.maintain(KEEP_HOUSE).await.expect("house can be kept");
        assert_eq!((maintained.reconciled, maintained.has_more), (wrong, false));
        assert_counts(&world, waiting).await;
    }
}

async fn an_old_job<H: Harness>(world: &World<H>) -> JobId {
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.complete(&worker_id, &lease).await;
    world.clock.advance(seconds(10));
    lease.id
}

pub async fn one_store_at_a_time_removes_old_jobs_and_a_dead_one_is_replaced<H: Harness>() {
    let world = World::<H>::new();
    let retention = Maintenance { retention: Some(seconds(1)), dead_letter_retention: None, rows_max: 100 };
    let first = world.process().await;
    let second = world.open();
    an_old_job(&world).await;
    assert_eq!(first.store.maintain(retention).await.expect("house can be kept").pruned, 1);
    let old = an_old_job(&world).await;
    world.kill(first);
    let idle = second.maintain(retention).await.expect("house can be kept");
    assert_eq!((idle.pruned, idle.has_more), (0, false), "the other one may be at it");
    world.clock.advance(Maintenance::DUTY_EXPIRY);
    assert_eq!(second.maintain(retention).await.expect("house can be kept").pruned, 1);
    assert!(!is_there(&world, old).await);
}

pub async fn a_clock_that_was_set_back_stops_no_housekeeping<H: Harness>() {
    let world = World::<H>::new();
    let retention = Maintenance { retention: Some(seconds(1)), dead_letter_retention: None, rows_max: 100 };
    let first = world.process().await;
    first.store.maintain(retention).await.expect("house can be kept");
    world.kill(first);
    world.clock.jump_backwards(seconds(86_400));
    an_old_job(&world).await;
    assert_eq!(world.store.maintain(retention).await.expect("house can be kept").pruned, 1);
}

pub async fn a_store_without_a_retention_keeps_nobody_from_removing_old_jobs<H: Harness>() {
    let world = World::<H>::new();
    let other = world.open();
    an_old_job(&world).await;
    world.store.maintain(KEEP_HOUSE).await.expect("house can be kept");
    let shorter = Maintenance { retention: Some(seconds(1)), dead_letter_retention: None, rows_max: 100 };
    let longer = Maintenance { retention: Some(seconds(3600)), dead_letter_retention: None, rows_max: 100 };
    world.store.maintain(longer).await.expect("house can be kept");
    assert_eq!(other.maintain(shorter).await.expect("house can be kept").pruned, 1);
}

pub async fn dead_letters_have_a_retention_of_their_own<H: Harness>() {
    let world = World::<H>::new();
    let states = world.one_in_each_state().await;
    world.clock.advance(seconds(3601));
    let maintenance = Maintenance { dead_letter_retention: Some(seconds(3602)), ..KEEP_HOUSE };
    assert_eq!(world.store.maintain(maintenance).await.expect("house can be kept").pruned, 0);
    let maintenance = Maintenance { dead_letter_retention: Some(seconds(3600)), ..KEEP_HOUSE };
    assert_eq!(world.store.maintain(maintenance).await.expect("house can be kept").pruned, 1);
    for (status, id) in states {
        assert_eq!(is_there(&world, id).await, status != Status::DeadLetter, "{status}");
    }
    let both = Maintenance { retention: Some(seconds(3600)), ..maintenance };
    assert_eq!(world.store.maintain(both).await.expect("house can be kept").pruned, 2);
    let stats = world.store.stats(1).await.expect("statistics can be read");
    assert_eq!(stats.queues.iter().filter_map(|queue| queue.jobs.get(&Status::DeadLetter)).sum::<u64>(), 0);
}

pub async fn old_dead_letters_are_removed_in_bounded_steps<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    for _ in 0..7 {
        world.dead_letter(&worker_id, job()).await;
    }
    world.clock.advance(seconds(10));
    let young = world.dead_letter(&worker_id, job()).await;
    let maintenance = Maintenance { retention: None, dead_letter_retention: Some(seconds(9)), rows_max: 3 };
    let mut pruned = 0;
    for _ in 0..100 {
        let maintained = world.store.maintain(maintenance).await.expect("house can be kept");
        assert!(maintained.pruned <= 3, "{maintained:?}");
        pruned += maintained.pruned;
        if !maintained.has_more {
            break;
        }
    }
    assert_eq!((pruned, world.count().await, is_there(&world, young).await), (7, 1, true));
}

pub async fn a_longer_retention_for_dead_letters_keeps_nobody_from_removing_them<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.dead_letter(&worker_id, job()).await;
    world.clock.advance(seconds(60));
    let longer = Maintenance { retention: Some(seconds(1)), dead_letter_retention: Some(seconds(3600)), ..KEEP_HOUSE };
    let shorter = Maintenance { dead_letter_retention: Some(seconds(1)), ..KEEP_HOUSE };
    let (first, second) = (world.process().await, world.process().await);
    assert_eq!(first.store.maintain(longer).await.expect("house can be kept").pruned, 0);
    assert_eq!(second.store.maintain(shorter).await.expect("house can be kept").pruned, 1);
}
