use longshore_core::{EnqueueStream, Priority, Status, Store, Timestamp};

use super::world::{job_at, seconds};
use super::{Harness, World, ids};
use crate::job;

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
    assert_eq!((ids(&claimed.leases), claimed.next_due), (vec![now], Some(Timestamp::MAX)));
    assert_eq!(world.status(never).await, Status::Pending);
}

pub async fn a_claim_tells_when_the_next_job_becomes_due<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    for delay in [30, 10, 20] {
        world.enqueue(job().delay(seconds(delay))).await;
    }
    let claimed = world.claimed(&worker_id, 9).await;
    assert_eq!(claimed.next_due, Some(world.now().after(seconds(10))));
    world.clock.advance(seconds(10));
    let claimed = world.claimed(&worker_id, 9).await;
    assert_eq!((claimed.leases.len(), claimed.next_due), (1, Some(world.now().after(seconds(10)))));
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
    let jobs: EnqueueStream = Box::new((0..5000).map(|_| Ok(job().delay(seconds(1)))));
    world.store.enqueue_stream(jobs).await.expect("the stream is fine");
    world.clock.advance(seconds(1));
    let mut claimed = 0;
    // A claim may promote a bounded number only; then it says that more is due.
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
    // A claim of nothing still promotes what is due.
    world.claim(&worker_id, 0).await;
    world.clock.jump_backwards(seconds(86_400));
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [ready, delayed]);
}
