use longshore_core::{
    ClaimNumber, Console, JobId, Lease, NewJob, Priority, Reclaimed, Status, Store, StoreError, WorkerId,
};

use crate::suite::world::{ids, seconds};
use crate::suite::{Harness, Process, World};
use crate::{claim, ended, heartbeat, job, worker};

/// A worker whose heartbeats alone show that it lives, through a process of its own. Its lease is ten seconds.
async fn through_a_process<H: Harness>(world: &World<H>) -> Process<H> {
    world.process_of(worker().lease(seconds(10)).by_heartbeats()).await
}

pub async fn the_end_of_the_process_takes_nothing_from_a_worker_of_heartbeats<H: Harness>() {
    let world = World::<H>::new();
    let process = through_a_process(&world).await;
    let worker_id = process.worker_id.clone();
    world.enqueue(job()).await;
    let lease = process.claim(1).await.remove(0);
    world.kill(process);
    for _ in 0..3 {
        assert_eq!(world.look_for(seconds(8)).await, Reclaimed::default());
        let held = vec![claim_of(&lease)];
        let extended = world.store.extend(heartbeat(&worker_id, held)).await.expect("it is registered");
        assert_eq!((extended.lost, extended.cancel_requested), (Vec::new(), Vec::new()));
    }
    let workers = world.store.workers().await.expect("workers can be read");
    assert!(workers.iter().any(|worker| worker.worker_id == worker_id && worker.is_alive));
    world.complete(&worker_id, &lease).await;
}

pub async fn every_process_ends_the_lease_of_a_silent_worker_of_heartbeats_its_own_as_well<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.register(worker().lease(seconds(10)).by_heartbeats()).await;
    // Nothing noted that it begins, so it counts as begun.
    let lease = world.running(&worker_id, job()).await;
    assert_eq!(world.look_for(seconds(9)).await, Reclaimed::default());
    assert_eq!(world.look_for(seconds(16)).await.workers, std::slice::from_ref(&worker_id));
    assert_eq!(world.status(lease.id).await, Status::Pending);
    let late = world.store.claim(claim(&worker_id, 1)).await;
    assert!(matches!(late, Err(StoreError::WorkerGone { .. })), "{late:?}");
    let successor = world.worker().await;
    assert_eq!(world.claim_one(&successor).await.budgets.crash_count, 1);
}

pub async fn a_job_that_every_worker_of_heartbeats_loses_in_turn_is_given_up<H: Harness>() {
    let world = World::<H>::new();
    let id = world.enqueue(NewJob { max_crashes: 2, ..job() }).await;
    for crash_count in 0..=2 {
        let worker_id = world.register(worker().lease(seconds(10)).by_heartbeats()).await;
        let lease = world.claim_one(&worker_id).await;
        assert_eq!((lease.id, lease.budgets.crash_count), (id, crash_count));
        if lease.budgets.is_suspect() {
            world.store.begin_isolated(worker_id, id, lease.claim_number).await.expect("it can be written");
        }
        assert_eq!(world.look_for(seconds(25)).await.jobs, 1);
    }
    assert_eq!(world.status(id).await, Status::DeadLetter);
}

pub async fn dropping_the_session_of_a_worker_of_heartbeats_gives_nothing_up<H: Harness>() {
    let world = World::<H>::new();
    let process = through_a_process(&world).await;
    let worker_id = process.worker_id.clone();
    world.enqueue(job()).await;
    let lease = process.claim(1).await.remove(0);
    let store = process.drop_session();
    assert_eq!(world.look_for(seconds(5)).await, Reclaimed::default());
    store.record(worker_id.clone(), [ended(&lease).completed()].into()).await.expect("outcomes can be written");
    assert_eq!(world.status(lease.id).await, Status::Completed);
    store.retire(worker_id.clone()).await.expect("it can retire");
    assert!(world.store.workers().await.expect("workers can be read").is_empty());
}

fn claim_of(lease: &Lease) -> (JobId, ClaimNumber) {
    (lease.id, lease.claim_number)
}

async fn held<H: Harness>(world: &World<H>, worker_id: &WorkerId, known: Vec<(JobId, ClaimNumber)>) -> Vec<Lease> {
    world.store.held_leases(worker_id.clone(), known).await.expect("it is registered")
}

pub async fn a_worker_is_told_what_it_holds_beyond_what_it_knows<H: Harness>() {
    let mut world = World::<H>::new();
    let worker_id = world.register(worker().by_heartbeats()).await;
    world.enqueue_all(vec![job(); 2]).await;
    let urgent = world.enqueue(job().priority(Priority::HIGH)).await;
    let leases = world.claim(&worker_id, 3).await;
    let known = |known: &[usize]| known.iter().map(|place| claim_of(&leases[*place])).collect::<Vec<_>>();
    assert_eq!(held(&world, &worker_id, known(&[0, 1, 2])).await, []);
    assert_eq!(held(&world, &worker_id, known(&[])).await, leases, "urgent ones first: {urgent}");
    assert_eq!(ids(&held(&world, &worker_id, known(&[0])).await), [leases[1].id, leases[2].id]);
    let mut other_claim = known(&[0, 1, 2]);
    other_claim[2].1.0 += 1;
    assert_eq!(ids(&held(&world, &worker_id, other_claim).await), [leases[2].id]);
    // Nothing of it is in the memory of a process.
    world.restart();
    assert_eq!(ids(&held(&world, &worker_id, known(&[1, 2])).await), [leases[0].id]);
    world.complete(&worker_id, &leases[0]).await;
    assert_eq!(held(&world, &worker_id, known(&[1, 2])).await, []);
    let nobody = world.store.held_leases(WorkerId::random(), Vec::new()).await;
    assert!(matches!(nobody, Err(StoreError::WorkerGone { .. })), "{nobody:?}");
}
