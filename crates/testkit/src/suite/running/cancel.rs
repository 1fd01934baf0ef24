use longshore_core::{Action, AttemptOutcome, Refusal, Status, Store, StoreError, WorkerId};

use crate::suite::world::seconds;
use crate::suite::{Harness, World};
use crate::{ended, heartbeat, job, worker};

pub async fn cancelling_a_waiting_job_ends_it<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let id = world.enqueue(job()).await;
    world.clock.advance(seconds(1));
    let actioned = world.act(id, Action::Cancel).await;
    assert_eq!((actioned.touched, actioned.refused.len()), (1, 0));
    let cancelled = world.detail(id).await;
    assert_eq!((cancelled.job.status, cancelled.job.completed_at), (Status::Cancelled, Some(world.now())));
    assert!(cancelled.attempts.is_empty());
    assert!(world.claim(&worker_id, 9).await.is_empty());
}

pub async fn cancelling_ends_a_job_that_waits_for_its_instant_its_retry_or_its_parent<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&lease).retrying(seconds(5))).await;
    let delayed = world.enqueue(job().delay(seconds(5))).await;
    let blocked = world.enqueue(job().parent(delayed)).await;
    for id in [blocked, lease.id, delayed] {
        assert_eq!(world.act(id, Action::Cancel).await.touched, 1);
        let cancelled = world.job(id).await;
        assert_eq!((cancelled.status, cancelled.next_retry_at), (Status::Cancelled, None));
    }
    world.clock.advance(seconds(10));
    let claimed = world.claimed(&worker_id, 9).await;
    assert_eq!((claimed.leases.len(), claimed.next_due), (0, None));
}

pub async fn cancelling_a_running_job_asks_it_to_stop<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.clock.advance(seconds(1));
    assert_eq!(world.act(lease.id, Action::Cancel).await.touched, 1);
    let asked = world.job(lease.id).await;
    assert_eq!((asked.status, asked.cancel_requested_at), (Status::Running, Some(world.now())));
    let held = vec![(lease.id, lease.claim_number)];
    let extended = world.store.extend(heartbeat(&worker_id, held)).await.expect("it lives");
    assert_eq!(extended.cancel_requested, [lease.id]);
    world.finish(&worker_id, ended(&lease).cancelled()).await;
    let cancelled = world.detail(lease.id).await;
    assert_eq!(cancelled.job.status, Status::Cancelled);
    assert_eq!(cancelled.attempts[0].outcome, AttemptOutcome::Cancelled);
}

pub async fn a_job_that_is_asked_to_stop_may_still_complete<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.act(lease.id, Action::Cancel).await;
    world.complete(&worker_id, &lease).await;
    assert_eq!(world.status(lease.id).await, Status::Completed);
}

pub async fn a_job_that_is_asked_to_stop_does_not_run_again<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let failing = world.running(&worker_id, job()).await;
    let child = world.enqueue(job().parent(failing.id)).await;
    world.act(failing.id, Action::Cancel).await;
    world.finish(&worker_id, ended(&failing).retrying(seconds(1))).await;
    let putting_off = world.running(&worker_id, job()).await;
    world.act(putting_off.id, Action::Cancel).await;
    world.finish(&worker_id, ended(&putting_off).deferred(seconds(1))).await;
    for id in [failing.id, putting_off.id] {
        assert_eq!(world.status(id).await, Status::Cancelled);
    }
    assert_eq!(world.status(child).await, Status::DeadLetter);
    world.clock.advance(seconds(5));
    assert!(world.claim(&worker_id, 9).await.is_empty());
}

pub async fn asking_twice_to_stop_keeps_the_first_instant<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.act(lease.id, Action::Cancel).await;
    let first = world.now();
    world.clock.advance(seconds(1));
    assert_eq!(world.act(lease.id, Action::Cancel).await.refused, []);
    assert_eq!(world.job(lease.id).await.cancel_requested_at, Some(first));
}

pub async fn a_job_that_has_ended_cannot_be_cancelled<H: Harness>() {
    let world = World::<H>::new();
    for (status, id) in world.one_in_each_state().await {
        if !status.is_ended() {
            continue;
        }
        let before = world.detail(id).await;
        let actioned = world.act(id, Action::Cancel).await;
        assert_eq!((actioned.touched, actioned.refused), (0, vec![Refusal::WrongStatus { id, status }]));
        assert_eq!(world.detail(id).await, before);
    }
}

pub async fn a_worker_can_ask_which_of_its_jobs_are_to_end<H: Harness>() {
    let world = World::<H>::new();
    let (worker_id, other) = (world.worker().await, world.worker().await);
    let asked = |worker_id: &WorkerId| world.store.cancel_requests(worker_id.clone());
    world.enqueue_all(vec![job(); 3]).await;
    let leases = world.claim(&worker_id, 2).await;
    let elsewhere = world.claim_one(&other).await;
    assert_eq!(asked(&worker_id).await.expect("it can be asked"), []);
    world.act(leases[1].id, Action::Cancel).await;
    world.act(elsewhere.id, Action::Cancel).await;
    // It is reported until the attempt has ended.
    for _ in 0..2 {
        let expected = [(leases[1].id, leases[1].claim_number)];
        assert_eq!(asked(&worker_id).await.expect("it can be asked"), expected);
    }
    world.finish(&worker_id, ended(&leases[1]).cancelled()).await;
    assert_eq!(asked(&worker_id).await.expect("it can be asked"), []);
    assert_eq!(asked(&other).await.expect("it can be asked"), [(elsewhere.id, elsewhere.claim_number)]);
}

pub async fn asking_what_is_to_end_extends_no_lease<H: Harness>() {
    let world = World::<H>::new();
    let process = world.process_of(worker().lease(seconds(10))).await;
    let worker_id = process.worker_id.clone();
    world.enqueue(job()).await;
    let lease = process.begin_one().await;
    for _ in 0..2 {
        assert_eq!(world.look_for(seconds(6)).await.jobs, 0);
        process.store.cancel_requests(worker_id.clone()).await.expect("it is registered");
    }
    assert_eq!(world.look_for(seconds(9)).await.workers, std::slice::from_ref(&worker_id));
    let answer = world.store.cancel_requests(worker_id).await;
    assert!(matches!(answer, Err(StoreError::WorkerGone { .. })), "{answer:?}");
    assert_eq!(world.status(lease.id).await, Status::Pending);
}
