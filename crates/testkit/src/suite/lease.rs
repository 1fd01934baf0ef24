use longshore_core::{Action, ClaimNumber, Console, Extended, Heartbeat, Lease, Status, Store, StoreError, WorkerId};

use super::world::seconds;
use super::{Harness, World};
use crate::{job, worker};

async fn extend<H: Harness>(world: &World<H>, worker_id: &WorkerId, held: &[&Lease]) -> Extended {
    try_extend(world, worker_id, held).await.expect("the lease has not ended")
}

async fn try_extend<H: Harness>(
    world: &World<H>,
    worker_id: &WorkerId,
    held: &[&Lease],
) -> Result<Extended, StoreError> {
    let held = held.iter().map(|lease| (lease.id, lease.claim_number)).collect();
    world.store.extend(Heartbeat { worker_id: worker_id.clone(), held }).await
}

pub async fn a_heartbeat_keeps_what_its_worker_holds<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.register(worker().lease(seconds(10))).await;
    let lease = world.running(&worker_id, job()).await;
    for _ in 0..5 {
        world.clock.advance(seconds(9));
        assert_eq!(extend(&world, &worker_id, &[&lease]).await, Extended::default());
        assert_eq!(world.reclaim().await.jobs, 0);
    }
    world.complete(&worker_id, &lease).await;
}

pub async fn a_heartbeat_tells_which_jobs_are_lost<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue_all(vec![job(); 3]).await;
    let leases = world.claim(&worker_id, 3).await;
    world.complete(&worker_id, &leases[0]).await;
    let stale = Lease { claim_number: ClaimNumber(7), ..leases[1].clone() };
    let extended = extend(&world, &worker_id, &[&leases[0], &stale, &leases[2]]).await;
    assert_eq!((extended.lost, extended.cancel_requested), (vec![leases[0].id, leases[1].id], vec![]));
}

pub async fn a_heartbeat_tells_whose_end_was_asked_for<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue_all(vec![job(); 2]).await;
    let leases = world.claim(&worker_id, 2).await;
    world.act(leases[1].id, Action::Cancel).await;
    // It is told until the attempt has ended, because an answer may be lost.
    for _ in 0..2 {
        let extended = extend(&world, &worker_id, &[&leases[0], &leases[1]]).await;
        assert_eq!((extended.lost, extended.cancel_requested), (vec![], vec![leases[1].id]));
    }
}

pub async fn a_heartbeat_without_jobs_keeps_the_worker<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.register(worker().lease(seconds(10))).await;
    for _ in 0..3 {
        world.clock.advance(seconds(9));
        assert_eq!(extend(&world, &worker_id, &[]).await, Extended::default());
        world.reclaim().await;
    }
    world.enqueue(job()).await;
    world.claim_one(&worker_id).await;
}

pub async fn a_heartbeat_of_nobody_is_told_so<H: Harness>() {
    let world = World::<H>::new();
    let answer = try_extend(&world, &WorkerId::random(), &[]).await;
    assert!(matches!(answer, Err(StoreError::WorkerGone { .. })), "{answer:?}");
}

pub async fn a_clock_that_jumps_forwards_ends_no_lease<H: Harness>() {
    let world = World::<H>::new();
    let process = world.process_of(worker().lease(seconds(10))).await;
    world.enqueue(job()).await;
    let lease = process.begin_one().await;
    for _ in 0..3 {
        world.clock.jump_forwards(seconds(86_400));
        assert_eq!(world.look_for(seconds(2)).await.jobs, 0);
    }
    world.complete(&process.worker_id, &lease).await;
}

pub async fn a_clock_that_jumps_backwards_keeps_no_lease_alive<H: Harness>() {
    let world = World::<H>::new();
    let process = world.process_of(worker().lease(seconds(10))).await;
    world.enqueue(job()).await;
    let lease = process.begin_one().await;
    world.reclaim().await;
    world.clock.jump_backwards(seconds(86_400));
    assert_eq!(world.look_for(seconds(25)).await.jobs, 1);
    assert_eq!(world.status(lease.id).await, Status::Pending);
}

pub async fn a_worker_that_retires_gives_its_jobs_back_unspent<H: Harness>() {
    let world = World::<H>::new();
    let process = world.process().await;
    world.enqueue_all(vec![job(); 2]).await;
    let begun = process.begin_one().await;
    let waiting = process.claim(1).await.remove(0);
    process.store.retire(process.worker_id.clone()).await.expect("it can retire");
    for lease in [begun, waiting] {
        let job = world.job(lease.id).await;
        assert_eq!((job.status, job.retry_count, job.crash_count), (Status::Pending, 0, 0));
    }
    let successor = world.worker().await;
    assert_eq!(world.claim(&successor, 9).await.len(), 2);
}

pub async fn a_retired_worker_is_forgotten<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.store.retire(worker_id).await.expect("it can retire");
    assert!(world.store.workers().await.expect("workers can be read").is_empty());
    assert!(world.reclaim().await.workers.is_empty());
}

pub async fn retiring_twice_is_no_error<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.store.retire(worker_id.clone()).await.expect("it can retire");
    world.store.retire(worker_id).await.expect("it has retired");
}
