use longshore_core::{
    Console, Inbox, JobId, Lease, NewJob, Priority, QueueChange, QueueLimit, QueueScope, Reclaimed, Recorded, Status,
    Store, WorkerId,
};

use crate::suite::world::{data, seconds};
use crate::suite::{Harness, World, ids};
use crate::{claim, ended, job, worker};

/// A worker of the world's own process that found nothing and offers this many slots.
async fn idle<H: Harness>(world: &World<H>, slots: u32) -> (WorkerId, Box<dyn Inbox>) {
    let worker_id = world.worker().await;
    let mut inbox = world.store.inbox(&worker_id);
    claim_nothing(world, &worker_id, &mut inbox, QueueScope::All, slots).await;
    (worker_id, inbox)
}

/// The worker offers slots and claims; there must be nothing to claim.
async fn claim_nothing<H: Harness>(
    world: &World<H>,
    worker_id: &WorkerId,
    inbox: &mut Box<dyn Inbox>,
    scope: QueueScope,
    slots: u32,
) {
    inbox.offer(scope.clone(), slots);
    let request = longshore_core::ClaimRequest { scope, ..claim(worker_id, slots) };
    let claimed = world.store.claim(request).await.expect("the worker may claim");
    assert!(claimed.leases.is_empty(), "nothing is there yet: {claimed:?}");
}

fn taken(inbox: &mut Box<dyn Inbox>) -> Vec<JobId> {
    ids(&inbox.take())
}

async fn one(inbox: &mut Box<dyn Inbox>) -> Lease {
    inbox.arrived().await;
    let mut leases = inbox.take();
    assert_eq!(leases.len(), 1, "{leases:?}");
    leases.remove(0)
}

pub async fn a_job_that_an_idle_worker_would_run_at_once_is_made_with_its_lease<H: Harness>() {
    let world = World::<H>::new();
    let (worker_id, mut inbox) = idle(&world, 1).await;
    let given = NewJob { job_data: data("[7]"), max_crashes: 4, max_deferrals: 6, ..job() };
    let given = given.queue("q").priority(Priority::HIGH).timeout(seconds(3)).max_retries(2).metadata(data("1"));
    let id = world.enqueue(given.clone().unique_key("k")).await;
    let lease = one(&mut inbox).await;
    assert_eq!((lease.id, lease.claim_number.0, lease.attempt()), (id, 1, 1));
    assert_eq!((lease.job_type, lease.job_data, lease.queue), (given.job_type, given.job_data, given.queue));
    assert_eq!((lease.priority, lease.timeout, lease.metadata), (given.priority, given.timeout, given.metadata));
    let budgets = lease.budgets;
    assert_eq!((budgets.max_retries, budgets.max_crashes, budgets.max_deferrals), (Some(2), 4, 6));
    assert_eq!((budgets.retry_count, budgets.crash_count, budgets.deferral_count), (0, 0, 0));
    let found = world.job(id).await;
    assert_eq!((found.status, found.worker_id, found.claim_number.0), (Status::Running, Some(worker_id), 1));
    assert_eq!((found.started_at, found.created_at, lease.ready_at), (Some(world.now()), world.now(), world.now()));
}

pub async fn such_a_job_ends_and_is_counted_like_any_other<H: Harness>() {
    let world = World::<H>::new();
    let (worker_id, mut inbox) = idle(&world, 1).await;
    let id = world.enqueue(job().queue("q")).await;
    let lease = one(&mut inbox).await;
    let depths = |stats: longshore_core::Stats| {
        stats.queues.into_iter().find(|queue| queue.queue == "q").unwrap_or_else(|| panic!("the queue is there")).jobs
    };
    let running = depths(world.store.stats(1).await.expect("stats can be read"));
    assert_eq!((running.get(&Status::Running), running.get(&Status::Pending).copied().unwrap_or(0)), (Some(&1), 0));
    world.complete(&worker_id, &lease).await;
    assert_eq!(world.status(id).await, Status::Completed);
    let ended = depths(world.store.stats(1).await.expect("stats can be read"));
    assert_eq!((ended.get(&Status::Completed), ended.get(&Status::Running).copied().unwrap_or(0)), (Some(&1), 0));
}

pub async fn without_a_free_slot_a_job_waits<H: Harness>() {
    let world = World::<H>::new();
    let (worker_id, mut inbox) = idle(&world, 2).await;
    let [a, b, c] = [world.enqueue(job()).await, world.enqueue(job()).await, world.enqueue(job()).await];
    assert_eq!(taken(&mut inbox), [a, b]);
    assert_eq!(world.status(c).await, Status::Pending);
    inbox.offer(QueueScope::All, 1);
    assert_eq!(ids(&world.claim(&worker_id, 1).await), [c]);
    let d = world.enqueue(job()).await;
    assert_eq!(
        (taken(&mut inbox), world.status(d).await),
        (vec![], Status::Pending),
        "the claim used up what it offered"
    );
}

pub async fn two_idle_workers_get_one_job_each_and_the_third_waits<H: Harness>() {
    let world = World::<H>::new();
    let ((_, mut first), (_, mut second)) = (idle(&world, 1).await, idle(&world, 1).await);
    let [a, b, c] = [world.enqueue(job()).await, world.enqueue(job()).await, world.enqueue(job()).await];
    let mut got = [taken(&mut first), taken(&mut second)];
    got.sort();
    assert_eq!(got, [vec![a], vec![b]]);
    assert_eq!(world.status(c).await, Status::Pending);
}

pub async fn what_waits_already_comes_before_a_new_job<H: Harness>() {
    let world = World::<H>::new();
    let (worker_id, mut inbox) = idle(&world, 1).await;
    let other = world.open();
    let waiting = other.enqueue(vec![job()]).await.expect("the job is acceptable")[0].id;
    let high = world.enqueue(job().priority(Priority::HIGH)).await;
    let late = world.enqueue(job()).await;
    assert_eq!(taken(&mut inbox), []);
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [high, waiting, late]);
}

pub async fn what_comes_due_or_is_given_back_comes_before_a_new_job<H: Harness>() {
    let world = World::<H>::new();
    let due = world.enqueue(job().delay(seconds(5))).await;
    let (worker_id, mut inbox) = idle(&world, 1).await;
    world.clock.advance(seconds(5));
    let late = world.enqueue(job()).await;
    assert_eq!(taken(&mut inbox), []);
    let leases = world.claim(&worker_id, 9).await;
    assert_eq!(ids(&leases), [due, late]);
    claim_nothing(&world, &worker_id, &mut inbox, QueueScope::All, 1).await;
    world.finish(&worker_id, ended(&leases[0]).returned()).await;
    let last = world.enqueue(job()).await;
    assert_eq!(taken(&mut inbox), []);
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [due, last]);
}

pub async fn a_job_that_something_holds_back_is_never_made_with_a_lease<H: Harness>() {
    let world = World::<H>::new();
    let (worker_id, mut inbox) = idle(&world, 9).await;
    let parent = world.enqueue(job()).await;
    assert_eq!(taken(&mut inbox), [parent]);
    world.store.change_queue("paused".to_owned(), QueueChange::Pause).await.expect("it can be paused");
    claim_nothing(&world, &worker_id, &mut inbox, QueueScope::All, 9).await;
    let held_back = [
        (job().parent(parent), Status::Blocked),
        (job().delay(seconds(1)), Status::Pending),
        (job().queue("paused"), Status::Pending),
        (NewJob { job_type: "unheard of".to_owned(), ..job() }, Status::Pending),
    ];
    for (job, status) in held_back {
        let id = world.enqueue(job).await;
        assert_eq!((taken(&mut inbox), world.status(id).await), (vec![], status));
        claim_nothing(&world, &worker_id, &mut inbox, QueueScope::All, 9).await;
    }
}

pub async fn a_queue_that_was_paused_meanwhile_gives_nothing<H: Harness>() {
    let world = World::<H>::new();
    let (_, mut inbox) = idle(&world, 9).await;
    world.store.change_queue("q".to_owned(), QueueChange::Pause).await.expect("it can be paused");
    let first = world.enqueue(job().queue("q")).await;
    let (_, mut other) = idle(&world, 9).await;
    world.open().change_queue("r".to_owned(), QueueChange::Pause).await.expect("it can be paused");
    let second = world.enqueue(job().queue("r")).await;
    assert_eq!((taken(&mut inbox), taken(&mut other)), (vec![], vec![]));
    assert_eq!((world.status(first).await, world.status(second).await), (Status::Pending, Status::Pending));
}

pub async fn a_worker_gets_jobs_of_its_queues_alone_and_no_more_than_it_offered_for_each<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let mut inbox = world.store.inbox(&worker_id);
    let scope = || QueueScope::Only(vec![QueueLimit { queue: "q".to_owned(), limit: 1 }]);
    claim_nothing(&world, &worker_id, &mut inbox, scope(), 9).await;
    let first = world.enqueue(job().queue("q")).await;
    let second = world.enqueue(job().queue("q")).await;
    assert_eq!(taken(&mut inbox), [first]);
    assert_eq!(world.status(second).await, Status::Pending);
    let request = longshore_core::ClaimRequest { scope: scope(), ..claim(&worker_id, 9) };
    inbox.offer(scope(), 9);
    assert_eq!(ids(&world.store.claim(request).await.expect("it may claim").leases), [second]);
    claim_nothing(&world, &worker_id, &mut inbox, scope(), 9).await;
    let other = world.enqueue(job().queue("other")).await;
    assert_eq!((taken(&mut inbox), world.status(other).await), (vec![], Status::Pending));
}

pub async fn a_duplicate_is_given_to_nobody<H: Harness>() {
    let world = World::<H>::new();
    let (_, mut inbox) = idle(&world, 2).await;
    let id = world.enqueue(job().unique_key("k")).await;
    let again = world.enqueue_all(vec![job().unique_key("k")]).await;
    assert_eq!((again[0].id, again[0].is_duplicate), (id, true));
    assert_eq!(taken(&mut inbox), [id]);
}

pub async fn a_job_that_the_database_does_not_let_run_is_made_without_a_lease<H: Harness>() {
    let world = World::<H>::new();
    let (worker_id, mut inbox) = idle(&world, 2).await;
    let first = world.enqueue(job()).await;
    // A store may need another id for the second try.
    for id in [first.0 + 1, first.0 + 2] {
        world.refuse(JobId(id), &[Status::Running]);
        let made = world.enqueue(job()).await;
        assert_ne!(world.status(made).await, Status::DeadLetter);
    }
    assert_eq!(taken(&mut inbox)[0], first);
    world.claim(&worker_id, 9).await;
}

pub async fn several_jobs_of_one_request_wait_for_a_claim<H: Harness>() {
    let world = World::<H>::new();
    let (worker_id, mut inbox) = idle(&world, 2).await;
    let enqueued = world.enqueue_all(vec![job(), job().priority(Priority::HIGH)]).await;
    assert_eq!(taken(&mut inbox), []);
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [enqueued[1].id, enqueued[0].id]);
}

pub async fn only_a_worker_of_the_same_process_gets_a_new_job<H: Harness>() {
    let world = World::<H>::new();
    let (_, mut inbox) = idle(&world, 1).await;
    let enqueued = world.open().enqueue(vec![job()]).await.expect("the job is acceptable");
    assert_eq!(taken(&mut inbox), []);
    assert_eq!(world.status(enqueued[0].id).await, Status::Pending);
}

pub async fn a_worker_that_was_retired_or_has_lost_its_lease_gets_no_new_job<H: Harness>() {
    let world = World::<H>::new();
    let (retired, mut first) = idle(&world, 1).await;
    world.store.retire(retired).await.expect("it can retire");
    let second_id = world.register(worker().lease(seconds(30))).await;
    let mut second = world.store.inbox(&second_id);
    claim_nothing(&world, &second_id, &mut second, QueueScope::All, 1).await;
    // Another process observes that the lease is not extended.
    world.look_from(&world.open(), seconds(45)).await;
    let id = world.enqueue(job()).await;
    assert_eq!((taken(&mut first), taken(&mut second)), (vec![], vec![]));
    assert_eq!(world.status(id).await, Status::Pending);
}

pub async fn a_late_outcome_of_a_job_that_was_made_with_a_lease_is_fenced_off<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.register(worker().lease(seconds(30))).await;
    let mut inbox = world.store.inbox(&worker_id);
    claim_nothing(&world, &worker_id, &mut inbox, QueueScope::All, 1).await;
    let id = world.enqueue(job()).await;
    let lease = one(&mut inbox).await;
    world.store.retire(worker_id.clone()).await.expect("it can retire");
    assert_eq!(world.record(&worker_id, ended(&lease).completed()).await, Recorded::Fenced);
    let other = world.worker().await;
    let again = world.claim_one(&other).await;
    assert_eq!((again.id, again.claim_number.0, again.attempt()), (id, 2, 1));
    assert_eq!(world.record(&worker_id, ended(&lease).completed()).await, Recorded::Fenced);
    world.complete(&other, &again).await;
}

pub async fn a_job_whose_worker_dies_before_it_begins_is_given_back_unspent<H: Harness>() {
    let world = World::<H>::new();
    let process = world.process().await;
    let mut inbox = process.store.inbox(&process.worker_id);
    inbox.offer(QueueScope::All, 2);
    assert!(process.claim(2).await.is_empty());
    let mut made = Vec::new();
    for _ in 0..2 {
        made.push(process.store.enqueue(vec![job()]).await.expect("the job is acceptable")[0].id);
    }
    let leases = inbox.take();
    assert_eq!(ids(&leases), made);
    process.begin(0, &leases[0]).await;
    let dead = process.worker_id.clone();
    world.kill(process);
    assert_eq!(world.reclaim().await, Reclaimed { workers: vec![dead], jobs: 2, ..Reclaimed::default() });
    let crashes = [world.job(made[0]).await.crash_count, world.job(made[1]).await.crash_count];
    assert_eq!(crashes, [1, 0], "only what had begun can have brought the worker down");
    assert_eq!(world.status(made[1]).await, Status::Pending);
}

pub async fn what_nobody_takes_from_an_inbox_is_given_back<H: Harness>() {
    let world = World::<H>::new();
    let (worker_id, inbox) = idle(&world, 1).await;
    let id = world.enqueue(job()).await;
    assert_eq!(world.status(id).await, Status::Running);
    drop(inbox);
    // The claim comes after the work that the drop has requested.
    let again = world.claim_one(&worker_id).await;
    assert_eq!((again.id, again.claim_number.0, again.attempt()), (id, 2, 1));
    let next = world.enqueue(job()).await;
    assert_eq!(world.status(next).await, Status::Pending, "a closed inbox gets nothing");
}

pub async fn a_claim_asks_for_less_by_what_is_in_the_inbox_already<H: Harness>() {
    let world = World::<H>::new();
    let (worker_id, mut inbox) = idle(&world, 2).await;
    let first = world.enqueue(job()).await;
    let others = world.enqueue_all(vec![job(), job()]).await;
    inbox.offer(QueueScope::All, 2);
    assert_eq!(ids(&world.claim(&worker_id, 2).await), [others[0].id]);
    assert_eq!(taken(&mut inbox), [first]);
}
