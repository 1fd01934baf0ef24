use longshore_core::{Action, ClaimRequest, JobId, Limiting, QueueLimit, QueueScope, Status, Store};

use super::{apply, claim_limited, concurrency, of_queue, of_type, row, set, settle};
use crate::suite::world::{ids, seconds};
use crate::suite::{Harness, PlainInsert, World};
use crate::{claim, ended, job, worker};

pub async fn no_more_jobs_of_a_type_run_than_its_limit<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), concurrency(2)).await;
    let jobs = world.enqueue_all(vec![job(); 5]).await;
    let leases = world.claim(&worker_id, 9).await;
    assert_eq!(ids(&leases), [jobs[0].id, jobs[1].id]);
    assert_eq!(world.claim(&worker_id, 9).await, []);
    world.complete(&worker_id, &leases[1]).await;
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [jobs[2].id]);
    let row = row(&world, of_type()).await;
    assert_eq!((row.running, row.waiting), (2, 2));
}

pub async fn no_more_jobs_of_a_queue_run_than_its_limit_whatever_their_types<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.register(worker().job_types(["a", "b"]).lease(seconds(86_400))).await;
    apply(&world, of_queue("q"), concurrency(3)).await;
    for number in 0..8 {
        let mut job = job().queue("q");
        job.job_type = if number % 2 == 0 { "a" } else { "b" }.to_owned();
        world.enqueue(job).await;
    }
    let request = || {
        let job_types = ["a", "b"].map(str::to_owned);
        ClaimRequest { job_types: job_types.to_vec().into(), ..claim(&worker_id, 9) }
    };
    let first = world.store.claim(request()).await.expect("the worker may claim").leases;
    assert_eq!(first.len(), 3);
    assert_eq!(world.store.claim(request()).await.expect("the worker may claim").leases, []);
    world.complete(&worker_id, &first[0]).await;
    assert_eq!(world.store.claim(request()).await.expect("the worker may claim").leases.len(), 1);
    assert_eq!(row(&world, of_queue("q")).await.running, 3);
}

pub async fn other_queues_and_types_are_not_kept_by_a_limit<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_queue("q"), concurrency(1)).await;
    let limited = world.enqueue_all(vec![job().queue("q"); 3]).await;
    let free = world.enqueue_all(vec![job().queue("r"); 3]).await;
    let leases = world.claim(&worker_id, 9).await;
    let expected: Vec<JobId> = limited.iter().take(1).chain(&free).map(|enqueued| enqueued.id).collect();
    assert_eq!(ids(&leases), expected);
}

pub async fn a_limit_holds_over_all_workers_and_processes<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    apply(&world, of_type(), concurrency(3)).await;
    world.enqueue_all(vec![job(); 9]).await;
    let (one, two) = (world.process().await, world.process().await);
    let begun = one.claim(2).await;
    assert_eq!(begun.len(), 2);
    assert_eq!(two.claim(9).await.len(), 1);
    assert_eq!((one.claim(9).await.len(), two.claim(9).await.len()), (0, 0));
}

pub async fn claims_at_the_same_moment_keep_the_limit<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    apply(&world, of_type(), concurrency(4)).await;
    world.enqueue_all(vec![job(); 20]).await;
    let mut processes = Vec::new();
    for _ in 0..4 {
        processes.push(world.process().await);
    }
    let [one, two, three, four] = processes.as_slice() else { unreachable!("there are four") };
    let claimed = tokio::join!(one.claim(3), two.claim(3), three.claim(3), four.claim(3));
    assert_eq!(claimed.0.len() + claimed.1.len() + claimed.2.len() + claimed.3.len(), 4);
    assert_eq!(row(&world, of_type()).await.running, 4);
}

pub async fn whatever_ends_an_attempt_frees_its_place<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), concurrency(1)).await;
    world.enqueue_all(vec![job(); 9]).await;
    for number in 0..7 {
        let lease = world.claim_one(&worker_id).await;
        assert_eq!(world.claim(&worker_id, 9).await, [], "{number}");
        let end = ended(&lease);
        let record = match number {
            0 => end.completed(),
            1 => end.retrying(seconds(3600)),
            2 => end.dead_letter(),
            3 => end.cancelled(),
            4 => end.deferred(seconds(3600)),
            5 => end.refused(),
            _ => end.returned(),
        };
        world.finish(&worker_id, record).await;
        assert_eq!(row(&world, of_type()).await.running, 0, "{number}");
    }
    assert_eq!(world.claim(&worker_id, 9).await.len(), 1);
}

pub async fn the_death_of_a_worker_frees_its_places<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), concurrency(2)).await;
    world.enqueue_all(vec![job(); 4]).await;
    let process = world.process().await;
    assert_eq!(process.claim(9).await.len(), 2);
    assert_eq!(world.claim(&worker_id, 9).await, []);
    world.kill(process);
    world.reclaim().await;
    assert_eq!(world.claim(&worker_id, 9).await.len(), 2);
}

pub async fn a_worker_that_retires_frees_its_places<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), concurrency(2)).await;
    world.enqueue_all(vec![job(); 4]).await;
    let process = world.process().await;
    assert_eq!(process.claim(9).await.len(), 2);
    process.store.retire(process.worker_id.clone()).await.expect("it can retire");
    assert_eq!(world.claim(&worker_id, 9).await.len(), 2);
}

pub async fn a_claim_holds_no_more_limited_jobs_than_its_worker_starts<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_queue("q"), concurrency(50)).await;
    let limited = world.enqueue_all(vec![job().queue("q"); 6]).await;
    let free = world.enqueue_all(vec![job(); 3]).await;
    let claimed = claim_limited(&world, &worker_id, 9, 2).await;
    assert_eq!(claimed, [limited[0].id, limited[1].id, free[0].id, free[1].id, free[2].id]);
    assert_eq!(claim_limited(&world, &worker_id, 9, 0).await, []);
    set(&world, of_type(), concurrency(50)).await;
    settle(&world).await;
    assert_eq!(claim_limited(&world, &worker_id, 9, 0).await, []);
    assert_eq!(claim_limited(&world, &worker_id, 9, 3).await.len(), 3);
}

pub async fn a_repeated_claim_takes_no_second_place<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), concurrency(3)).await;
    world.enqueue_all(vec![job(); 5]).await;
    let request = claim(&worker_id, 2);
    let first = world.store.claim(request.clone()).await.expect("the worker may claim").leases;
    let again = world.store.claim(request).await.expect("the worker may claim").leases;
    assert_eq!(first, again);
    assert_eq!(world.claim(&worker_id, 9).await.len(), 1);
}

pub async fn jobs_that_run_already_count_under_a_new_limit<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue_all(vec![job().queue("q"); 6]).await;
    let running = world.claim(&worker_id, 2).await;
    set(&world, of_type(), concurrency(2)).await;
    assert_eq!(row(&world, of_type()).await.running, 2);
    assert_eq!(world.claim(&worker_id, 9).await, []);
    set(&world, of_queue("q"), concurrency(1)).await;
    world.complete(&worker_id, &running[0]).await;
    assert_eq!(world.claim(&worker_id, 9).await, []);
    world.complete(&worker_id, &running[1]).await;
    assert_eq!(world.claim(&worker_id, 9).await.len(), 1);
}

pub async fn a_lower_limit_ends_nothing_that_runs<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    set(&world, of_type(), concurrency(3)).await;
    world.enqueue_all(vec![job(); 6]).await;
    let running = world.claim(&worker_id, 9).await;
    set(&world, of_type(), concurrency(1)).await;
    for lease in &running[..2] {
        world.complete(&worker_id, lease).await;
        assert_eq!(world.claim(&worker_id, 9).await, []);
    }
    world.complete(&worker_id, &running[2]).await;
    assert_eq!(world.claim(&worker_id, 9).await.len(), 1);
}

pub async fn a_plain_insert_is_limited_too<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), concurrency(2)).await;
    let plain = PlainInsert { job_type: "work".to_owned(), priority: Some(9), ..PlainInsert::default() };
    world.enqueue(job()).await;
    let ids_of_plain = [world.insert_plainly(&plain), world.insert_plainly(&plain), world.insert_plainly(&plain)];
    assert_eq!(ids(&world.claim(&worker_id, 9).await), ids_of_plain[..2]);
}

pub async fn a_paused_queue_gives_no_limited_job<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), concurrency(2)).await;
    let paused = world.enqueue(job().queue("q")).await;
    let free = world.enqueue(job().queue("r")).await;
    let pause = longshore_core::QueueChange::Pause;
    longshore_core::Console::change_queue(&world.store, "q".to_owned(), pause).await.expect("it can be paused");
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [free]);
    let resume = longshore_core::QueueChange::Resume;
    longshore_core::Console::change_queue(&world.store, "q".to_owned(), resume).await.expect("it can be resumed");
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [paused]);
}

pub async fn a_claim_from_named_queues_takes_limited_jobs_within_its_limit_for_each<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), concurrency(5)).await;
    for queue in ["q", "r", "s"] {
        world.enqueue_all(vec![job().queue(queue); 4]).await;
    }
    let only = |queue: &str, limit| QueueLimit { queue: queue.to_owned(), limit };
    let scope = QueueScope::Only(vec![only("r", 2), only("s", 9)]);
    let request = ClaimRequest { scope, ..claim(&worker_id, 9) };
    let leases = world.store.claim(request).await.expect("the worker may claim").leases;
    let of = |queue: &str| leases.iter().filter(|lease| lease.queue == queue).count();
    assert_eq!((of("q"), of("r"), of("s")), (0, 2, 3));
}

pub async fn limited_and_other_types_are_merged_by_priority_and_age<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.register(worker().job_types(["work", "free"]).lease(seconds(86_400))).await;
    apply(&world, of_type(), concurrency(10)).await;
    let mut expected = Vec::new();
    for number in 0..6 {
        let mut job = job();
        job.job_type = if number % 2 == 0 { "work" } else { "free" }.to_owned();
        expected.push(world.enqueue(job).await);
    }
    let urgent = world.enqueue(job().priority(longshore_core::Priority::HIGH)).await;
    expected.insert(0, urgent);
    let job_types = ["work", "free"].map(str::to_owned).to_vec().into();
    let request = ClaimRequest { job_types, ..claim(&worker_id, 9) };
    assert_eq!(ids(&world.store.claim(request).await.expect("the worker may claim").leases), expected);
}

pub async fn a_dead_letter_that_is_retried_is_limited_again<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let dead = world.dead_letter(&worker_id, job()).await;
    apply(&world, of_type(), concurrency(1)).await;
    let other = world.enqueue(job()).await;
    world.act(dead, Action::Retry).await;
    assert_eq!(world.status(dead).await, Status::Pending);
    settle(&world).await;
    let first = world.claim_one(&worker_id).await;
    assert_eq!((first.id, world.claim(&worker_id, 9).await), (dead, Vec::new()));
    world.complete(&worker_id, &first).await;
    assert_eq!(world.claim_one(&worker_id).await.id, other);
}

pub async fn a_limited_job_whose_expiry_has_passed_takes_no_place<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), concurrency(1)).await;
    let expired = world.enqueue(job().expires_in(seconds(5))).await;
    let other = world.enqueue(job()).await;
    world.clock.advance(seconds(6));
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [other]);
    assert_eq!(world.status(expired).await, Status::Cancelled);
}
