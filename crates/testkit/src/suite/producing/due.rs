use longshore_core::{
    ClaimRequest, Console, NewJob, Priority, QueueChange, QueueLimit, QueueScope, Status, Store, Timestamp, stream_of,
};

use crate::suite::world::{job_at, seconds};
use crate::suite::{Harness, World, ids};
use crate::{claim, job};

pub async fn a_delayed_job_is_claimed_when_it_is_due_and_not_before<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let id = world.enqueue(job().delay(seconds(10))).await;
    world.clock.advance(seconds(9));
    assert!(world.claim(&worker_id, 9).await.is_empty());
    world.clock.advance(seconds(1));
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [id]);
}

pub async fn a_job_at_an_instant_is_claimed_from_then_on<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let instant = world.now().after(seconds(10));
    let id = world.enqueue(job().run_at(instant)).await;
    assert_eq!(world.job(id).await.run_at, instant);
    assert!(world.claim(&worker_id, 9).await.is_empty());
    world.clock.advance(seconds(10));
    assert_eq!(world.claim_one(&worker_id).await.ready_at, instant);
}

pub async fn a_job_at_a_past_instant_may_run_at_once<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let long_ago = world.enqueue(job_at(Timestamp::from_ms(0))).await;
    let now = world.enqueue(job_at(world.now())).await;
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [long_ago, now]);
}

pub async fn a_job_at_the_end_of_time_waits_and_harms_nothing<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let never = world.enqueue(job().run_at(Timestamp::MAX)).await;
    let now = world.enqueue(job()).await;
    let claimed = world.claimed(&worker_id, 9).await;
    assert_eq!((ids(&claimed.leases), claimed.next_due), (vec![now], Some(Timestamp::MAX.since(world.now()))));
    assert_eq!(world.status(never).await, Status::Pending);
}

pub async fn a_claim_tells_when_the_next_job_becomes_due<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    for delay in [30, 10, 20] {
        world.enqueue(job().delay(seconds(delay))).await;
    }
    let claimed = world.claimed(&worker_id, 9).await;
    assert_eq!((claimed.next_due, claimed.now), (Some(seconds(10)), world.now()));
    world.clock.advance(seconds(10));
    let claimed = world.claimed(&worker_id, 9).await;
    assert_eq!((claimed.leases.len(), claimed.next_due), (1, Some(seconds(10))));
}

pub async fn nothing_becomes_due_where_nothing_waits_for_its_instant<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue(job()).await;
    assert_eq!(world.claimed(&worker_id, 9).await.next_due, None);
}

pub async fn a_due_job_takes_its_place_by_priority_and_id<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let due = world.enqueue(job().delay(seconds(1))).await;
    let due_and_high = world.enqueue(job().priority(Priority::HIGH).delay(seconds(2))).await;
    let ready = world.enqueue(job()).await;
    let ready_and_high = world.enqueue(job().priority(Priority::HIGH)).await;
    world.clock.advance(seconds(2));
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [due_and_high, ready_and_high, due, ready]);
}

pub async fn of_many_jobs_that_become_due_at_once_none_is_left_behind<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = (0..5000).map(|_| Ok(job().delay(seconds(1))));
    world.store.enqueue_stream(stream_of(jobs)).await.expect("the stream is fine");
    world.clock.advance(seconds(1));
    let mut claimed = 0;
    // A claim may promote only a limited number. Then it reports that more is due.
    for _ in 0..100 {
        let answer = world.claimed(&worker_id, 1000).await;
        claimed += answer.leases.len();
        if answer.leases.is_empty() && answer.next_due.is_none() {
            break;
        }
    }
    assert_eq!(claimed, 5000);
}

pub async fn a_clock_that_jumps_forwards_loses_no_job<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let delayed = world.enqueue(job().delay(seconds(3600))).await;
    world.clock.jump_forwards(seconds(86_400));
    let ready = world.enqueue(job()).await;
    world.clock.jump_backwards(seconds(86_400));
    // The job that was enqueued while the clock was wrong may run now, not tomorrow.
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [ready]);
    world.clock.advance(seconds(3600));
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [delayed]);
}

pub async fn a_clock_that_jumps_backwards_holds_no_ready_job_back<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let ready = world.enqueue(job()).await;
    let delayed = world.enqueue(job().delay(seconds(1))).await;
    world.clock.advance(seconds(1));
    // A claim of zero jobs still promotes due jobs.
    world.claim(&worker_id, 0).await;
    world.clock.jump_backwards(seconds(86_400));
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [ready, delayed]);
}

pub async fn a_claim_hears_nothing_of_what_becomes_due_for_others<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let of_queue = async |queue: &str| {
        let scope = QueueScope::Only(vec![QueueLimit { queue: queue.to_owned(), limit: 5 }]);
        let request = ClaimRequest { scope, ..claim(&worker_id, 5) };
        world.store.claim(request).await.expect("the worker may claim").next_due
    };
    let foreign_type = NewJob { job_type: "foreign".to_owned(), ..job() };
    world.enqueue(foreign_type.clone().delay(seconds(5))).await;
    assert_eq!(world.claimed(&worker_id, 5).await.next_due, None);
    world.enqueue(job().queue("b").delay(seconds(10))).await;
    world.enqueue(job().queue("a").delay(seconds(20))).await;
    world.enqueue(foreign_type.queue("a").delay(seconds(15))).await;
    assert_eq!(world.claimed(&worker_id, 5).await.next_due, Some(seconds(10)));
    assert_eq!(of_queue("a").await, Some(seconds(20)));
    assert_eq!(of_queue("b").await, Some(seconds(10)));
    assert_eq!(of_queue("c").await, None);
    world.clock.advance(seconds(5));
    assert_eq!(of_queue("a").await, Some(seconds(15)));
}

pub async fn a_claim_hears_nothing_of_what_becomes_due_in_a_paused_queue<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue(job().queue("paused").delay(seconds(5))).await;
    world.enqueue(job().delay(seconds(10))).await;
    world.store.change_queue("paused".to_owned(), QueueChange::Pause).await.expect("queues can be paused");
    assert_eq!(world.claimed(&worker_id, 5).await.next_due, Some(seconds(10)));
    world.store.change_queue("paused".to_owned(), QueueChange::Resume).await.expect("queues can be resumed");
    assert_eq!(world.claimed(&worker_id, 5).await.next_due, Some(seconds(5)));
}

/// A store may look through a bounded number of them and name the instant up to which it has looked.
pub async fn behind_many_jobs_of_others_that_become_due_first_no_job_is_forgotten<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let foreign = (1..=1000).map(|second| NewJob { job_type: "foreign".to_owned(), ..job() }.delay(seconds(second)));
    world.store.enqueue_stream(stream_of(foreign.map(Ok))).await.expect("the stream is fine");
    let due = world.now().after(seconds(1000));
    let own = world.enqueue(job().delay(seconds(1000))).await;
    for _ in 0..100 {
        let claimed = world.claimed(&worker_id, 5).await;
        if !claimed.leases.is_empty() {
            assert_eq!((ids(&claimed.leases), world.now()), (vec![own], due));
            return;
        }
        world.clock.advance(claimed.next_due.expect("a job waits for its instant"));
    }
    panic!("the worker is woken by the jobs of others");
}
