use longshore_core::{
    Action, ClaimNumber, Console, Extended, Heartbeat, Held, Lease, Status, Store, StoreError, WorkerId,
};

use crate::suite::world::seconds;
use crate::suite::{Harness, World};
use crate::{ended, heartbeat, job, worker};

async fn extend<H: Harness>(world: &World<H>, worker_id: &WorkerId, held: &[&Lease]) -> Extended {
    try_extend(world, worker_id, held).await.expect("the lease has not ended")
}

async fn try_extend<H: Harness>(
    world: &World<H>,
    worker_id: &WorkerId,
    held: &[&Lease],
) -> Result<Extended, StoreError> {
    let held = held.iter().map(|lease| (lease.id, lease.claim_number)).collect();
    world.store.extend(heartbeat(worker_id, held)).await
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
    // It is reported until the attempt has ended, because an answer may be lost.
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

/// A heartbeat that names only what has changed since another one.
async fn tell<H: Harness>(
    world: &World<H>,
    worker_id: &WorkerId,
    numbers: (u64, u64),
    taken: &[&Lease],
    given_up: &[&Lease],
) -> Extended {
    let claims = |leases: &[&Lease]| leases.iter().map(|lease| (lease.id, lease.claim_number)).collect();
    let (since, number) = numbers;
    let held = Held::Changes { since, taken: claims(taken), given_up: claims(given_up) };
    let heartbeat = Heartbeat { worker_id: worker_id.clone(), number, held };
    world.store.extend(heartbeat).await.expect("the lease has not ended")
}

/// A worker that has told in its heartbeat number 1 that it holds these three.
async fn told<H: Harness>(world: &World<H>) -> (WorkerId, Vec<Lease>) {
    let worker_id = world.worker().await;
    world.enqueue_all(vec![job(); 3]).await;
    let leases = world.claim(&worker_id, 3).await;
    let held = leases.iter().map(|lease| (lease.id, lease.claim_number)).collect();
    let heartbeat = Heartbeat { worker_id: worker_id.clone(), number: 1, held: Held::All(held) };
    assert_eq!(world.store.extend(heartbeat).await.expect("it is registered"), Extended::default());
    (worker_id, leases)
}

pub async fn a_heartbeat_that_names_changes_tells_what_is_lost_of_all_that_is_held<H: Harness>() {
    let world = World::<H>::new();
    let (worker_id, leases) = told(&world).await;
    world.complete(&worker_id, &leases[0]).await;
    world.act(leases[1].id, Action::Cancel).await;
    for number in 2..4 {
        let extended = tell(&world, &worker_id, (number - 1, number), &[], &[]).await;
        assert_eq!((extended.lost, extended.cancel_requested), (vec![leases[0].id], vec![leases[1].id]));
    }
}

pub async fn what_a_worker_has_given_up_is_not_told_as_lost<H: Harness>() {
    let world = World::<H>::new();
    let (worker_id, leases) = told(&world).await;
    world.complete(&worker_id, &leases[0]).await;
    assert_eq!(tell(&world, &worker_id, (1, 2), &[], &[&leases[0]]).await, Extended::default());
    // And it stays given up.
    assert_eq!(tell(&world, &worker_id, (2, 3), &[], &[]).await, Extended::default());
}

pub async fn what_a_worker_has_taken_is_told_as_lost_from_then_on<H: Harness>() {
    let world = World::<H>::new();
    let (worker_id, _) = told(&world).await;
    let taken = world.running(&worker_id, job()).await;
    assert_eq!(tell(&world, &worker_id, (1, 2), &[&taken], &[]).await, Extended::default());
    world.complete(&worker_id, &taken).await;
    assert_eq!(tell(&world, &worker_id, (2, 3), &[], &[]).await.lost, [taken.id]);
}

pub async fn a_job_that_is_claimed_anew_is_held_under_its_new_claim<H: Harness>() {
    let world = World::<H>::new();
    let (worker_id, leases) = told(&world).await;
    world.finish(&worker_id, ended(&leases[0]).returned()).await;
    let anew = world.claim_one(&worker_id).await;
    assert_eq!(anew.id, leases[0].id);
    assert_eq!(tell(&world, &worker_id, (1, 2), &[&anew], &[&leases[0]]).await, Extended::default());
    world.complete(&worker_id, &anew).await;
    assert_eq!(tell(&world, &worker_id, (2, 3), &[], &[]).await.lost, [anew.id]);
}

/// The answer was lost, so the worker says the same once more.
pub async fn a_heartbeat_may_come_twice<H: Harness>() {
    let world = World::<H>::new();
    let (worker_id, leases) = told(&world).await;
    world.complete(&worker_id, &leases[0]).await;
    for _ in 0..2 {
        assert_eq!(tell(&world, &worker_id, (1, 2), &[], &[&leases[0]]).await, Extended::default());
    }
}

pub async fn changes_since_a_heartbeat_that_is_not_known_extend_the_lease_and_ask_for_all<H: Harness>() {
    let world = World::<H>::new();
    let process = world.process_of(worker().lease(seconds(10))).await;
    world.enqueue(job()).await;
    let lease = process.begin_one().await;
    for number in 2..5 {
        world.look_for(seconds(9)).await;
        let held = Held::Changes { since: 99, taken: Vec::new(), given_up: Vec::new() };
        let extended = process.extend(Heartbeat { worker_id: process.worker_id.clone(), number, held }).await;
        assert_eq!(extended, Extended { asks_for_all: true, ..Extended::default() });
    }
    world.act(lease.id, Action::Cancel).await;
    let held = vec![(lease.id, lease.claim_number)];
    let extended = process.extend(heartbeat(&process.worker_id, held)).await;
    assert_eq!((extended.asks_for_all, extended.cancel_requested), (false, vec![lease.id]));
}

pub async fn a_registration_begins_anew_with_what_is_held<H: Harness>() {
    let world = World::<H>::new();
    let process = world.process().await;
    process.extend(heartbeat(&process.worker_id, Vec::new())).await;
    let Heartbeat { number: since, .. } = heartbeat(&process.worker_id, Vec::new());
    process.register_again().await;
    let held = Held::Changes { since, taken: Vec::new(), given_up: Vec::new() };
    let extended = process.extend(Heartbeat { worker_id: process.worker_id.clone(), number: since + 1, held }).await;
    assert!(extended.asks_for_all);
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
