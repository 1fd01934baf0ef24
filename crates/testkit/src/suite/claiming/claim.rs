use std::collections::BTreeSet;
use std::sync::Arc;

use longshore_core::{ClaimRequest, Console, Lease, NewJob, Priority, QueueScope, Status, Store, StoreError, WorkerId};

use crate::suite::world::{data, seconds};
use crate::suite::{Harness, World, ids};
use crate::{claim, ended, job, worker};

fn of_type(job_type: &str) -> NewJob {
    NewJob { job_type: job_type.to_owned(), ..job() }
}

fn claim_types<const N: usize>(worker_id: &WorkerId, job_types: [&str; N]) -> ClaimRequest {
    let job_types: Arc<[String]> = job_types.iter().map(ToString::to_string).collect();
    ClaimRequest { job_types, ..claim(worker_id, 9) }
}

pub async fn higher_priorities_come_first_and_equal_ones_by_id<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let mut given = Vec::new();
    for priority in [5, -3, 20, 5, i32::MIN, 20, i32::MAX] {
        given.push((priority, world.enqueue(job().priority(Priority(priority))).await));
    }
    given.sort_by_key(|(priority, id)| (std::cmp::Reverse(*priority), *id));
    let expected: Vec<_> = given.into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids(&world.claim(&worker_id, 9).await), expected);
}

pub async fn a_claim_takes_no_more_than_its_limit<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let enqueued = world.enqueue_all(vec![job(); 5]).await;
    let first = world.claim(&worker_id, 3).await;
    assert_eq!(ids(&first), enqueued[..3].iter().map(|job| job.id).collect::<Vec<_>>());
    assert!(world.claim(&worker_id, 0).await.is_empty());
    assert_eq!(world.claim(&worker_id, 9).await.len(), 2);
    assert!(world.claim(&worker_id, 9).await.is_empty());
}

pub async fn a_lease_carries_what_its_job_was_given<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let given = NewJob { job_data: data("[7]"), max_crashes: 4, max_deferrals: 6, ..job() };
    let given = given.queue("q").priority(Priority::HIGH).timeout(seconds(3)).max_retries(2).metadata(data("1"));
    let id = world.enqueue(given.clone()).await;
    world.clock.advance(seconds(1));
    let lease = world.claim_one(&worker_id).await;
    assert_eq!((lease.id, lease.claim_number.0, lease.attempt()), (id, 1, 1));
    assert_eq!((lease.job_type, lease.job_data, lease.queue), (given.job_type, given.job_data, given.queue));
    assert_eq!((lease.priority, lease.timeout, lease.metadata), (given.priority, given.timeout, given.metadata));
    assert_eq!(world.now().since(lease.ready_at), seconds(1));
    let budgets = lease.budgets;
    assert_eq!((budgets.max_retries, budgets.max_crashes, budgets.max_deferrals), (2, 4, 6));
    assert_eq!((budgets.retry_count, budgets.crash_count, budgets.deferral_count), (0, 0, 0));
}

pub async fn a_claimed_job_tells_who_runs_it_since_when<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.register(worker().concurrency(7)).await;
    let lease = world.running(&worker_id, job()).await;
    let found = world.job(lease.id).await;
    assert_eq!((found.status, found.worker_id.as_ref()), (Status::Running, Some(&worker_id)));
    assert_eq!((found.started_at, found.claim_number), (Some(world.now()), lease.claim_number));
    let workers = world.store.workers().await.expect("workers can be read");
    assert_eq!(workers.len(), 1);
    assert_eq!((&workers[0].worker_id, workers[0].concurrency, workers[0].is_alive), (&worker_id, 7, true));
    assert_eq!(workers[0].running.iter().map(|running| running.id).collect::<Vec<_>>(), [lease.id]);
}

pub async fn two_workers_never_get_the_same_job<H: Harness>() {
    let world = World::<H>::new();
    let (first, second) = (world.worker().await, world.process().await);
    world.enqueue_all(vec![job(); 10]).await;
    let mut claimed = BTreeSet::new();
    for _ in 0..3 {
        claimed.extend(ids(&world.claim(&first, 2).await));
        assert!(ids(&second.claim(2).await).into_iter().all(|id| claimed.insert(id)));
    }
    assert_eq!(claimed.len(), 10);
}

pub async fn claims_at_the_same_moment_are_disjoint<H: Harness>() {
    let world = World::<H>::new();
    let processes = [world.process().await, world.process().await, world.process().await];
    world.enqueue_all(vec![job(); 60]).await;
    let claims = processes.each_ref().map(|process| process.store.claim(claim(&process.worker_id, 15)));
    let [first, second, third] = claims;
    let answers = tokio::join!(first, second, third);
    let leases: Vec<Lease> =
        [answers.0, answers.1, answers.2].into_iter().flat_map(|answer| answer.expect("it may claim").leases).collect();
    assert_eq!(leases.len(), 45);
    assert_eq!(ids(&leases).into_iter().collect::<BTreeSet<_>>().len(), 45);
}

pub async fn jobs_of_an_unknown_type_stay_where_they_are<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let unknown = world.enqueue(of_type("other").priority(Priority::CRITICAL)).await;
    let known = world.enqueue(job()).await;
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [known]);
    assert_eq!(world.status(unknown).await, Status::Pending);
    assert_eq!(world.job(unknown).await.claim_number.0, 0);
}

pub async fn a_claim_of_several_types_merges_them_in_order<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let a = world.enqueue(of_type("a")).await;
    let b = world.enqueue(of_type("b")).await;
    let high = world.enqueue(of_type("b").priority(Priority::HIGH)).await;
    let last = world.enqueue(of_type("a")).await;
    world.enqueue(of_type("c")).await;
    let claimed = world.store.claim(claim_types(&worker_id, ["a", "b", "unheard of"])).await.expect("it may claim");
    assert_eq!(ids(&claimed.leases), [high, a, b, last]);
}

pub async fn a_worker_without_types_gets_nothing<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue(job()).await;
    let claimed = world.store.claim(claim_types(&worker_id, [])).await.expect("it may claim");
    assert!(claimed.leases.is_empty());
}

pub async fn the_claims_of_a_job_are_numbered_and_the_number_only_grows<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue(job()).await;
    for number in 1..=4 {
        let lease = world.claim_one(&worker_id).await;
        assert_eq!((lease.claim_number.0, lease.attempt()), (number, 1));
        world.finish(&worker_id, ended(&lease).returned()).await;
    }
}

pub async fn a_worker_that_nobody_knows_cannot_claim<H: Harness>() {
    let world = World::<H>::new();
    let id = world.enqueue(job()).await;
    let stranger = WorkerId::random();
    let answer = world.store.claim(claim(&stranger, 9)).await;
    assert!(matches!(answer, Err(StoreError::WorkerGone { worker_id }) if worker_id == stranger));
    assert_eq!(world.status(id).await, Status::Pending);
}

pub async fn a_retired_worker_cannot_claim<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.store.retire(worker_id.clone()).await.expect("it can retire");
    world.enqueue(job()).await;
    let answer = world.store.claim(claim(&worker_id, 9)).await;
    assert!(matches!(answer, Err(StoreError::WorkerGone { .. })), "{answer:?}");
}

pub async fn a_claim_from_no_queue_gets_nothing<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue(job()).await;
    let request = ClaimRequest { scope: QueueScope::Only(Vec::new()), ..claim(&worker_id, 9) };
    assert_eq!(world.store.claim(request).await.expect("the worker may claim").leases, []);
    assert_eq!(world.claim(&worker_id, 9).await.len(), 1);
}
