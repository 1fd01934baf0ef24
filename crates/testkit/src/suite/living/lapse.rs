use std::time::Duration;

use longshore_core::{
    Action, AttemptOutcome, ClaimNumber, Console, Extended, FailureType, Lease, NewJob, Reclaimed, Recorded, Status,
    Store, StoreError,
};

use crate::suite::world::seconds;
use crate::suite::{Harness, Process, World};
use crate::{claim, ended, heartbeat, job, worker};

/// A process with one worker whose lease is ten seconds. Another process observes it.
async fn lapsing<H: Harness>(world: &World<H>) -> Process<H> {
    world.process_of(worker().lease(seconds(10))).await
}

/// A worker that lost its job because it did not extend its lease.
struct Lapsed<H: Harness> {
    world: World<H>,
    process: Process<H>,
    lost: Lease,
}

async fn lapsed<H: Harness>(job: NewJob) -> Lapsed<H> {
    let world = World::<H>::new();
    let process = lapsing(&world).await;
    world.enqueue(job).await;
    let lost = process.begin_one().await;
    assert_eq!(world.look_for(seconds(25)).await.jobs, 1);
    Lapsed { world, process, lost }
}

async fn extend<H: Harness>(process: &Process<H>, held: &[&Lease]) -> Result<Extended, StoreError> {
    let held = held.iter().map(|lease| (lease.id, lease.claim_number)).collect();
    process.store.extend(heartbeat(&process.worker_id, held)).await
}

pub async fn a_worker_that_does_not_extend_its_lease_loses_its_jobs<H: Harness>() {
    let world = World::<H>::new();
    let process = lapsing(&world).await;
    world.enqueue(job()).await;
    let lease = process.begin_one().await;
    assert_eq!(world.look_for(seconds(9)).await, Reclaimed::default());
    let reclaimed = world.look_for(seconds(16)).await;
    assert_eq!(reclaimed, Reclaimed { workers: vec![process.worker_id.clone()], jobs: 1, ..Reclaimed::default() });
    assert_eq!(world.status(lease.id).await, Status::Pending);
    let late = process.store.record(process.worker_id.clone(), [ended(&lease).completed()].into()).await;
    assert_eq!(late.expect("outcomes can be written"), [Recorded::Fenced]);
}

pub async fn a_lease_ends_though_each_look_takes_its_time<H: Harness>() {
    for (lease, look_ms) in [(1, 50), (3, 300), (10, 50), (12, 5), (12, 1500), (30, 2500)] {
        let world = World::<H>::new();
        let process = world.process_of(worker().lease(seconds(lease))).await;
        world.enqueue(job()).await;
        process.begin_one().await;
        let mut waited = Duration::ZERO;
        loop {
            let reclaimed = world.store.reclaim().await.expect("it can be looked for dead workers");
            if reclaimed.jobs == 1 {
                break;
            }
            let pause = reclaimed.next + Duration::from_millis(look_ms);
            world.clock.advance(pause);
            waited += pause;
            assert!(waited < seconds(lease + 20), "a lease of {lease} s with looks of {look_ms} ms has no end");
        }
        assert!(waited >= seconds(lease), "a lease of {lease} s ended after {waited:?}");
    }
}

pub async fn a_worker_learns_that_its_lease_had_ended<H: Harness>() {
    // The database is removed with its world.
    let Lapsed { world: _world, process, lost } = lapsed::<H>(job()).await;
    let answer = extend(&process, &[&lost]).await;
    assert!(matches!(answer, Err(StoreError::WorkerGone { .. })), "{answer:?}");
    let answer = process.store.claim(claim(&process.worker_id, 1)).await;
    assert!(matches!(answer, Err(StoreError::WorkerGone { .. })), "{answer:?}");
}

pub async fn a_process_never_ends_the_lease_of_its_own_worker<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.register(worker().lease(seconds(10))).await;
    let lease = world.running(&worker_id, job()).await;
    assert_eq!(world.look_for(seconds(60)).await, Reclaimed::default());
    world.clock.advance(seconds(86_400));
    assert_eq!(world.reclaim().await, Reclaimed::default());
    world.complete(&worker_id, &lease).await;
}

pub async fn a_heartbeat_that_comes_late_succeeds_while_its_worker_is_registered<H: Harness>() {
    let world = World::<H>::new();
    let process = lapsing(&world).await;
    world.enqueue_all(vec![job(); 2]).await;
    let lease = process.begin_one().await;
    world.clock.advance(seconds(3600));
    assert_eq!(extend(&process, &[&lease]).await.expect("it is registered"), Extended::default());
    world.clock.advance(seconds(3600));
    assert_eq!(process.claim(1).await.len(), 1);
    world.complete(&process.worker_id, &lease).await;
}

/// The observer may have been frozen too, together with the worker.
pub async fn a_lease_does_not_end_while_nobody_looks<H: Harness>() {
    let world = World::<H>::new();
    let process = lapsing(&world).await;
    world.enqueue(job()).await;
    let lease = process.begin_one().await;
    for _ in 0..3 {
        assert_eq!(world.reclaim().await, Reclaimed::default());
        world.clock.advance(seconds(3600));
    }
    assert_eq!(world.reclaim().await, Reclaimed::default());
    assert_eq!(extend(&process, &[&lease]).await.expect("it is registered"), Extended::default());
    world.complete(&process.worker_id, &lease).await;
}

pub async fn one_heartbeat_in_time_ends_every_doubt<H: Harness>() {
    let world = World::<H>::new();
    let process = lapsing(&world).await;
    world.enqueue(job()).await;
    let lease = process.begin_one().await;
    for _ in 0..5 {
        assert_eq!(world.look_for(seconds(11)).await, Reclaimed::default());
        assert_eq!(extend(&process, &[&lease]).await.expect("it is registered"), Extended::default());
    }
}

pub async fn an_attempt_whose_lease_ended_is_told_as_given_back<H: Harness>() {
    let Lapsed { world, process, lost } = lapsed::<H>(job()).await;
    let found = world.detail(lost.id).await;
    assert_eq!((found.job.status, found.job.crash_count, found.job.retry_count), (Status::Pending, 0, 0));
    assert_eq!(found.attempts.len(), 1);
    let attempt = &found.attempts[0];
    assert_eq!((attempt.outcome, attempt.worker_id.as_ref()), (AttemptOutcome::Returned, Some(&process.worker_id)));
    assert_eq!(attempt.failure_type, Some(FailureType::WorkerError));
    assert_eq!(attempt.error_message.as_deref(), Some("its worker did not extend its lease"));
}

pub async fn a_worker_that_comes_back_gets_its_own_job_unspent<H: Harness>() {
    let Lapsed { world, process, lost } = lapsed::<H>(NewJob { max_crashes: 3, ..job() }).await;
    for claim_number in 2..7 {
        process.register_again().await;
        let lease = process.begin_one().await;
        assert_eq!((lease.id, lease.claim_number), (lost.id, ClaimNumber(claim_number)));
        assert_eq!(lease.budgets.crash_count, 0);
        assert_eq!(world.look_for(seconds(25)).await.jobs, 1);
    }
    process.register_again().await;
    let lease = process.begin_one().await;
    world.complete(&process.worker_id, &lease).await;
    assert_eq!(world.job(lost.id).await.crash_count, 0);
}

pub async fn the_claim_of_another_worker_spends_the_crash<H: Harness>() {
    let Lapsed { world, lost, .. } = lapsed::<H>(job()).await;
    let successor = world.worker().await;
    let lease = world.claim_one(&successor).await;
    assert_eq!((lease.id, lease.budgets.crash_count), (lost.id, 1));
    assert_eq!(world.job(lost.id).await.crash_count, 1);
    world.finish(&successor, ended(&lease).returned()).await;
    // Spent only once: the next claim does not take over a job.
    let third = world.worker().await;
    assert_eq!(world.claim_one(&third).await.budgets.crash_count, 1);
}

pub async fn among_many_jobs_only_those_that_lapsed_spend_a_crash<H: Harness>() {
    let Lapsed { world, lost, .. } = lapsed::<H>(job()).await;
    world.enqueue_all(vec![job(); 9]).await;
    let successor = world.worker().await;
    let leases = world.claim(&successor, 10).await;
    assert_eq!(leases.len(), 10);
    for lease in leases {
        assert_eq!(lease.budgets.crash_count, u32::from(lease.id == lost.id), "{lease:?}");
        assert_eq!(world.job(lease.id).await.crash_count, lease.budgets.crash_count);
    }
}

pub async fn a_job_that_had_not_begun_when_its_lease_ended_spends_nothing<H: Harness>() {
    let world = World::<H>::new();
    let process = lapsing(&world).await;
    let id = world.enqueue(job()).await;
    process.claim(1).await;
    assert_eq!(world.look_for(seconds(25)).await.jobs, 1);
    let successor = world.worker().await;
    assert_eq!(world.claim_one(&successor).await.budgets.crash_count, 0);
    assert_eq!(world.job(id).await.crash_count, 0);
}

pub async fn a_job_that_every_worker_loses_in_turn_is_given_up<H: Harness>() {
    let Lapsed { world, lost, .. } = lapsed::<H>(NewJob { max_crashes: 2, ..job() }).await;
    for crash_count in 1..=2 {
        assert_eq!(world.status(lost.id).await, Status::Pending);
        let successor = lapsing(&world).await;
        assert_eq!(successor.begin_one().await.budgets.crash_count, crash_count);
        assert_eq!(world.look_for(seconds(25)).await.jobs, 1);
    }
    let found = world.detail(lost.id).await;
    assert_eq!((found.job.status, found.job.crash_count), (Status::DeadLetter, 2));
    assert!(found.job.dead_letter_reason.is_some());
    assert_eq!(found.attempts.len(), 3);
}

pub async fn a_job_that_is_retried_by_hand_owes_nothing_for_its_lapse<H: Harness>() {
    let Lapsed { world, lost, .. } = lapsed::<H>(job()).await;
    world.act(lost.id, Action::Cancel).await;
    world.act(lost.id, Action::Retry).await;
    let successor = world.worker().await;
    assert_eq!(world.claim_one(&successor).await.budgets.crash_count, 0);
}

pub async fn a_worker_that_is_registered_again_keeps_what_it_holds<H: Harness>() {
    let world = World::<H>::new();
    let process = world.process().await;
    world.enqueue_all(vec![job(); 2]).await;
    let begun = process.begin_one().await;
    let claimed = process.claim(1).await.remove(0);
    process.register_again().await;
    assert_eq!(extend(&process, &[&begun, &claimed]).await.expect("it is registered"), Extended::default());
    assert_eq!(world.store.workers().await.expect("workers can be read").len(), 1);
    world.kill(process);
    assert_eq!(world.reclaim().await.jobs, 2);
    assert_eq!((world.job(begun.id).await.crash_count, world.job(claimed.id).await.crash_count), (1, 0));
}
