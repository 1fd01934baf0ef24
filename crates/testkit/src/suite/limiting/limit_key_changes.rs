//! A change of what the key of a type is, while its jobs wait, run or have ended.

use std::time::Duration;

use longshore_core::{
    Action, Console, JobEdit, LimitRule, LimitScope, LimitSelection, Limiting, NewJob, Selection, WorkerId,
};

use super::{concurrency, of_type, rows, set, settle, unset};
use crate::suite::world::{data, ids, seconds};
use crate::suite::{Harness, World};
use crate::{ended, job};

/// More than a claim sorts at once, in any backend that sorts some with each claim.
const MANY: usize = 600;

/// One job of a key at once.
fn one_of_each(pointer: &str) -> LimitRule {
    let key = Some(pointer.parse().expect("the test's own pointer is valid"));
    LimitRule { key, key_concurrency: Some(1), ..LimitRule::default() }
}

/// Jobs with different values in `/k`, and the same in `/z`.
fn job_of(number: usize) -> NewJob {
    NewJob { job_data: data(&format!(r#"{{"k":"k{number}","z":"Z"}}"#)), ..job() }
}

/// The listed keys, and how many jobs of them run.
async fn running_by_key<H: Harness>(world: &World<H>) -> Vec<(String, u64)>
where
    H::Store: Limiting,
{
    let rows = rows(world, LimitSelection::Of(of_type())).await.into_iter();
    let keys = rows.filter(|row| row.scope == LimitScope::Key);
    keys.map(|row| (row.key.unwrap_or_default(), row.running)).collect()
}

/// Runs all that waits, and counts it. No two run at once.
async fn run_one_by_one<H: Harness>(world: &World<H>, worker_id: &WorkerId) -> usize {
    let mut count = 0;
    for _ in 0..20 {
        let leases = world.claim(worker_id, 9).await;
        assert!(leases.len() <= 1, "{:?} run at once", ids(&leases));
        for lease in &leases {
            world.complete(worker_id, lease).await;
        }
        count += leases.len();
        settle(world).await;
    }
    count
}

pub async fn jobs_that_are_retried_after_a_change_of_the_key_stand_under_the_new_one<H: Harness>()
where
    H::Store: Limiting,
{
    for is_settled in [false, true] {
        let world = World::<H>::new();
        let worker_id = world.worker().await;
        set(&world, of_type(), one_of_each("/k")).await;
        let made = world.enqueue_all((0..4).map(job_of).collect()).await;
        let all = || Selection::Jobs(made.iter().map(|enqueued| enqueued.id).collect());
        assert_eq!(world.act_on(all(), Action::Cancel).await.touched, 4);
        set(&world, of_type(), one_of_each("/z")).await;
        if is_settled {
            settle(&world).await;
        }
        assert_eq!(world.act_on(all(), Action::Retry).await.touched, 4);
        assert_eq!(run_one_by_one(&world, &worker_id).await, 4);
    }
}

pub async fn attempts_that_end_after_a_change_of_the_key_give_their_jobs_back_under_the_new_one<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    set(&world, of_type(), one_of_each("/k")).await;
    world.enqueue_all((0..4).map(job_of).collect()).await;
    let leases = world.claim(&worker_id, 9).await;
    assert_eq!(leases.len(), 4);
    set(&world, of_type(), one_of_each("/z")).await;
    assert_eq!(running_by_key(&world).await, [("Z".to_owned(), 4)]);
    world.finish(&worker_id, ended(&leases[0]).retrying(seconds(5))).await;
    world.finish(&worker_id, ended(&leases[1]).deferred(seconds(5))).await;
    world.finish(&worker_id, ended(&leases[2]).returned()).await;
    world.finish(&worker_id, ended(&leases[3]).retrying(seconds(5))).await;
    world.clock.advance(seconds(5));
    assert_eq!(run_one_by_one(&world, &worker_id).await, 4);
}

pub async fn a_job_that_runs_at_a_change_of_the_key_counts_under_the_new_one<H: Harness>()
where
    H::Store: Limiting,
{
    let between = [None, Some(concurrency(9)), Some(one_of_each("/other"))];
    for between in between {
        let world = World::<H>::new();
        let worker_id = world.worker().await;
        set(&world, of_type(), one_of_each("/k")).await;
        let running = world.running(&worker_id, job_of(1)).await;
        match between.clone() {
            Some(rule) => set(&world, of_type(), rule).await,
            None => unset(&world, of_type()).await,
        };
        set(&world, of_type(), one_of_each("/z")).await;
        assert_eq!(running_by_key(&world).await, [("Z".to_owned(), 1)], "{between:?}");
        world.enqueue(job_of(2)).await;
        assert_eq!(world.claim(&worker_id, 9).await, [], "{between:?}");
        settle(&world).await;
        assert_eq!(world.claim(&worker_id, 9).await, [], "{between:?}");
        world.complete(&worker_id, &running).await;
        assert_eq!(run_one_by_one(&world, &worker_id).await, 1, "{between:?}");
    }
}

pub async fn many_jobs_that_wait_at_a_change_of_the_key_never_exceed_the_limit<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    set(&world, of_type(), one_of_each("/k")).await;
    world.enqueue_all((0..MANY).map(|number| job_of(number % 400)).collect()).await;
    set(&world, of_type(), one_of_each("/z")).await;
    let mut started = 0;
    for _ in 0..30 {
        let leases = world.claim(&worker_id, 3).await;
        assert!(leases.len() <= 1, "{:?} run at once after {started}", ids(&leases));
        for lease in &leases {
            world.complete(&worker_id, lease).await;
        }
        started += leases.len();
    }
    assert!(started > 20, "{started}");
}

/// Nothing else tells the worker that the next claim gets further.
pub async fn a_claim_that_gets_nothing_because_it_sorts_asks_to_be_repeated<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    set(&world, of_type(), one_of_each("/k")).await;
    world.running(&worker_id, job_of(0)).await;
    world.enqueue_all((1..MANY).map(job_of).collect()).await;
    let other = world.enqueue(NewJob { job_data: data(r#"{"k":"other","z":"Y"}"#), ..job() }).await;
    set(&world, of_type(), one_of_each("/z")).await;
    for _ in 0..50 {
        let claimed = world.claimed(&worker_id, 9).await;
        if !claimed.leases.is_empty() {
            assert_eq!(ids(&claimed.leases), [other]);
            return;
        }
        let soon = claimed.next_due.expect("it asks for another claim");
        assert!(soon < Duration::from_secs(1), "{soon:?}");
        world.clock.advance(soon);
    }
    panic!("the job of another key does not start");
}

pub async fn whatever_happens_to_a_waiting_job_after_a_change_of_the_key_it_stands_under_the_new_one<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    set(&world, of_type(), one_of_each("/k")).await;
    let parent = world.running(&worker_id, job_of(0)).await;
    world.enqueue(job_of(1).parent(parent.id)).await;
    world.enqueue(job_of(2).delay(seconds(60))).await;
    let edited = world.enqueue(job_of(3)).await;
    let moved = world.enqueue(job_of(4)).await;
    let deleted = world.enqueue(job_of(5)).await;
    world.enqueue(NewJob { job_data: data(r#"{"k":"k6","z":"other"}"#), ..job() }.limit_key("Z")).await;
    set(&world, of_type(), one_of_each("/z")).await;
    let edit = JobEdit { job_data: Some(data(r#"{"k":"k7","z":"Z"}"#)), ..JobEdit::default() };
    world.store.edit(edited, edit).await.expect("it can be edited");
    let edit = JobEdit { queue: Some("other".to_owned()), ..JobEdit::default() };
    world.store.edit(moved, edit).await.expect("it can be moved");
    world.act(deleted, Action::Delete).await;
    assert_eq!(world.claim(&worker_id, 9).await, []);
    world.complete(&worker_id, &parent).await;
    world.clock.advance(seconds(60));
    assert_eq!(run_one_by_one(&world, &worker_id).await, 5);
}

pub async fn what_the_rate_of_a_key_has_spent_outlives_a_change_of_the_key<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let hourly = |pointer: &str| {
        let key_rate = Some("1/1h".parse().expect("the test's own rate is valid"));
        LimitRule { key_rate, ..one_of_each(pointer) }
    };
    let of_both = || NewJob { job_data: data(r#"{"k":"same","z":"same"}"#), ..job() };
    set(&world, of_type(), hourly("/k")).await;
    let lease = world.running(&worker_id, of_both()).await;
    world.complete(&worker_id, &lease).await;
    set(&world, of_type(), hourly("/z")).await;
    settle(&world).await;
    world.enqueue(of_both()).await;
    assert_eq!(world.claim(&worker_id, 9).await, []);
    world.clock.advance(seconds(3600));
    assert_eq!(run_one_by_one(&world, &worker_id).await, 1);
}

pub async fn a_job_that_ended_under_a_limit_runs_when_it_is_retried_without_one<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    set(&world, of_type(), one_of_each("/k")).await;
    let id = world.enqueue(job_of(1)).await;
    world.act(id, Action::Cancel).await;
    unset(&world, of_type()).await;
    settle(&world).await;
    world.clock.advance(seconds(2 * 3600));
    settle(&world).await;
    world.act(id, Action::Retry).await;
    assert_eq!(world.claim_one(&worker_id).await.id, id);
}
