use longshore_core::{ClaimRequest, Claimed, Lease, Status, Store, StoreError};

use crate::suite::world::seconds;
use crate::suite::{Harness, World, ids};
use crate::{claim, ended, job, request_id, worker};

async fn ask<H: Harness>(world: &World<H>, request: &ClaimRequest) -> Claimed {
    world.store.claim(request.clone()).await.expect("the worker may claim")
}

pub async fn a_claim_that_is_repeated_gives_the_same_leases_and_no_others<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue_all(vec![job(); 5]).await;
    let request = claim(&worker_id, 3);
    let first = ask(&world, &request).await;
    assert_eq!(first.leases.len(), 3);
    world.enqueue(job().priority(longshore_core::Priority::CRITICAL)).await;
    for _ in 0..2 {
        assert_eq!(ask(&world, &request).await.leases, first.leases);
    }
    for lease in &first.leases {
        world.complete(&worker_id, lease).await;
    }
}

pub async fn a_claim_that_is_repeated_gives_its_leases_when_nothing_else_waits<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue_all(vec![job(); 2]).await;
    let request = claim(&worker_id, 8);
    let first = ask(&world, &request).await;
    assert_eq!(ask(&world, &request).await, first);
}

pub async fn a_claim_that_is_repeated_gives_only_what_has_not_ended<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue_all(vec![job(); 4]).await;
    let request = claim(&worker_id, 3);
    let leases: Vec<Lease> = ask(&world, &request).await.leases;
    world.complete(&worker_id, &leases[1]).await;
    assert_eq!(ids(&ask(&world, &request).await.leases), [leases[0].id, leases[2].id]);
    for lease in [&leases[0], &leases[2]] {
        world.complete(&worker_id, lease).await;
    }
    assert!(ask(&world, &request).await.leases.is_empty(), "it gives nothing that it did not give before");
}

pub async fn a_claim_that_is_repeated_does_not_give_a_lease_of_a_later_claim<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue(job()).await;
    let request = claim(&worker_id, 1);
    let lease = ask(&world, &request).await.leases.remove(0);
    world.finish(&worker_id, ended(&lease).returned()).await;
    assert!(ask(&world, &request).await.leases.is_empty());
    let again = world.claim_one(&worker_id).await;
    assert_eq!(again.claim_number.0, lease.claim_number.0 + 1);
}

pub async fn a_claim_with_a_new_id_claims_anew<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue_all(vec![job(); 4]).await;
    let first = world.claim(&worker_id, 2).await;
    let second = world.claim(&worker_id, 2).await;
    assert!(ids(&second).iter().all(|id| !ids(&first).contains(id)));
    assert_eq!(second.len(), 2);
}

pub async fn a_claim_that_gave_nothing_claims_when_it_is_repeated<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let request = claim(&worker_id, 2);
    assert!(ask(&world, &request).await.leases.is_empty());
    let id = world.enqueue(job()).await;
    assert_eq!(ids(&ask(&world, &request).await.leases), [id]);
}

pub async fn the_claims_of_two_workers_under_one_id_are_two_claims<H: Harness>() {
    let world = World::<H>::new();
    let (first, second) = (world.worker().await, world.worker().await);
    world.enqueue_all(vec![job(); 4]).await;
    let request_id = request_id();
    let of = |worker_id| ClaimRequest { request_id, ..claim(worker_id, 2) };
    let (mine, yours) = (ask(&world, &of(&first)).await.leases, ask(&world, &of(&second)).await.leases);
    assert!(ids(&mine).iter().all(|id| !ids(&yours).contains(id)));
    assert_eq!((mine.len(), yours.len()), (2, 2));
    assert_eq!(ask(&world, &of(&first)).await.leases, mine);
}

pub async fn a_claim_that_is_repeated_after_the_lease_has_ended_gives_nothing_stale<H: Harness>() {
    let world = World::<H>::new();
    let process = world.process_of(worker().lease(seconds(10))).await;
    let id = world.enqueue(job()).await;
    let request = claim(&process.worker_id, 1);
    process.store.claim(request.clone()).await.expect("the worker may claim");
    assert_eq!(world.look_for(seconds(25)).await.jobs, 1);
    let answer = process.store.claim(request.clone()).await;
    assert!(matches!(answer, Err(StoreError::WorkerGone { .. })), "{answer:?}");
    assert_eq!(world.status(id).await, Status::Pending);
    let successor = world.worker().await;
    let request = ClaimRequest { worker_id: successor.clone(), ..request };
    assert_eq!(ids(&ask(&world, &request).await.leases), [id]);
    assert_eq!(ids(&ask(&world, &request).await.leases), [id]);
}
