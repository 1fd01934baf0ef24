use std::sync::Arc;

use longshore_core::{
    Console, JobId, Overlap, Schedules, SettleSchedules, SettledSchedules, Status, Store, TickKind, TickOutcome,
};

use super::{apply, every, next_multiple, outcomes, record, settle, settle_on, ticks_of, wait_until};
use crate::suite::world::{data, seconds};
use crate::suite::{Harness, World, ids};
use crate::{EveryPlanner, job};

async fn overlapping<H: Harness>(world: &World<H>, overlap: Overlap) -> JobId {
    let mut definition = every("a", 60);
    definition.overlap = overlap;
    apply(world, vec![definition]).await;
    wait_until(world, next_multiple(world.now(), 60));
    settle(world).await.ticks[0].job_id.expect("it makes a job")
}

pub async fn a_due_tick_makes_its_job_once<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let mut definition = every("a", 60);
    definition.job.job_data = data(r#"{"kind":"daily"}"#);
    definition.job.queue = Some("reports".to_owned());
    apply(&world, vec![definition]).await;
    let due_at = next_multiple(world.now(), 60);
    wait_until(&world, due_at);
    let settled = settle(&world).await;
    let id = settled.ticks[0].job_id.expect("it makes a job");
    assert_eq!((settled.ticks.len(), settled.has_more, settled.next_due), (1, false, Some(seconds(60))));
    assert!(settle(&world).await.ticks.is_empty());
    let tick = ticks_of(&world, "a").await.remove(0);
    assert_eq!((tick.due_at, tick.until_at, tick.ticks, tick.kind), (due_at, None, 1, TickKind::Scheduled));
    assert_eq!((tick.outcome, tick.job_id, tick.decided_at), (TickOutcome::Enqueued, Some(id), world.now()));
    assert_eq!((tick.decided_by.as_str(), tick.why.as_str()), ("a scheduler", "it was due"));
    let made = world.job(id).await;
    assert_eq!((made.queue.as_str(), made.job_data.as_str()), ("reports", r#"{"kind":"daily"}"#));
    assert!(made.metadata.expect("it has metadata").as_str().contains(r#""schedule":"a""#));
    assert_eq!(world.depths("reports").await.get(&Status::Pending), Some(&1));
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [id]);
}

pub async fn a_tick_is_not_settled_before_its_instant<H: Harness>() {
    let world = World::<H>::new();
    apply(&world, vec![every("a", 60)]).await;
    let due_at = next_multiple(world.now(), 60);
    world.clock.advance(due_at.since(world.now()) - std::time::Duration::from_millis(1));
    let settled = settle(&world).await;
    assert!(settled.ticks.is_empty());
    assert_eq!(settled.next_due, Some(std::time::Duration::from_millis(1)));
}

pub async fn of_a_downtime_only_the_latest_tick_makes_a_job_and_the_others_are_one_row<H: Harness>() {
    let world = World::<H>::new();
    apply(&world, vec![every("a", 1)]).await;
    world.clock.advance(seconds(21 * 86_400));
    let settled = settle(&world).await;
    assert_eq!(outcomes(&world, "a").await, [(TickOutcome::Coalesced, 21 * 86_400 - 1), (TickOutcome::Enqueued, 1)]);
    assert_eq!(settled.warnings, [("a".to_owned(), "many ticks were not settled".to_owned())]);
    assert_eq!(world.count().await, 1);
}

pub async fn a_clock_that_jumps_back_settles_nothing_twice<H: Harness>() {
    let world = World::<H>::new();
    apply(&world, vec![every("a", 60)]).await;
    wait_until(&world, next_multiple(world.now(), 60));
    settle(&world).await;
    world.clock.jump_backwards(seconds(90));
    assert!(settle(&world).await.ticks.is_empty());
    wait_until(&world, next_multiple(world.now(), 60));
    assert!(settle(&world).await.ticks.is_empty());
    world.clock.advance(seconds(120));
    assert_eq!(settle(&world).await.ticks.len(), 1);
    assert_eq!(world.count().await, 2);
}

pub async fn every_process_may_settle_and_each_tick_is_decided_once<H: Harness>() {
    let world = World::<H>::new();
    apply(&world, (0..20).map(|number| every(&format!("s{number}"), 10)).collect()).await;
    wait_until(&world, next_multiple(world.now(), 10));
    let (one, two) = (world.open(), world.open());
    for _ in 0..3 {
        let (first, second, third) =
            tokio::join!(settle_on::<H>(&one, 7), settle_on::<H>(&two, 7), settle_on::<H>(&world.store, 7));
        drop((first, second, third));
    }
    while settle(&world).await.has_more {}
    assert_eq!(world.count().await, 20);
    for number in 0..20 {
        assert_eq!(outcomes(&world, &format!("s{number}")).await, [(TickOutcome::Enqueued, 1)]);
    }
}

pub async fn many_due_schedules_are_settled_in_bounded_steps_oldest_first<H: Harness>() {
    let world = World::<H>::new();
    apply(&world, vec![every("c", 10), every("b", 20), every("a", 20)]).await;
    wait_until(&world, next_multiple(world.now(), 20));
    let mut order = Vec::new();
    for has_more in [true, true] {
        let settled = settle_on::<H>(&world.store, 1).await;
        assert_eq!(settled.has_more, has_more);
        order.extend(settled.ticks.into_iter().filter(|tick| tick.job_id.is_some()).map(|tick| tick.schedule));
    }
    order.extend(settle(&world).await.ticks.into_iter().map(|tick| tick.schedule));
    order.dedup();
    assert_eq!(order.len(), 3, "{order:?}");
    assert_eq!(
        order[1..],
        *["a", "b"].map(str::to_owned).iter().filter(|name| order[0] != **name).cloned().collect::<Vec<_>>()
    );
}

pub async fn the_open_job_is_told_until_it_ends<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let id = overlapping(&world, Overlap::Skip).await;
    assert_eq!(record(&world, "a").await.expect("it is there").open_job, Some(id));
    world.clock.advance(seconds(60));
    assert_eq!(settle(&world).await.ticks[0].tick.outcome, TickOutcome::SkippedOverlap);
    let lease = world.claim_one(&worker_id).await;
    assert_eq!(record(&world, "a").await.expect("it is there").open_job, Some(id));
    world.complete(&worker_id, &lease).await;
    assert_eq!(record(&world, "a").await.expect("it is there").open_job, None);
    world.clock.advance(seconds(60));
    assert_eq!(settle(&world).await.ticks[0].tick.outcome, TickOutcome::Enqueued);
}

pub async fn a_deleted_job_is_not_open<H: Harness>() {
    let world = World::<H>::new();
    let id = overlapping(&world, Overlap::Skip).await;
    world.act(id, longshore_core::Action::Delete).await;
    assert_eq!(record(&world, "a").await.expect("it is there").open_job, None);
    world.clock.advance(seconds(60));
    assert_eq!(settle(&world).await.ticks[0].tick.outcome, TickOutcome::Enqueued);
}

pub async fn a_tick_that_waits_makes_its_job_when_the_last_one_has_ended<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    overlapping(&world, Overlap::After).await;
    let waiting_at = next_multiple(world.now(), 60);
    wait_until(&world, waiting_at);
    let settled = settle(&world).await;
    assert!(settled.ticks.is_empty(), "{settled:?}");
    assert_eq!(settled.next_due, Some(SettledSchedules::WAITING_LOOK));
    assert_eq!(settle(&world).await.next_due, Some(SettledSchedules::WAITING_LOOK));
    let lease = world.claim_one(&worker_id).await;
    world.complete(&worker_id, &lease).await;
    let settled = settle(&world).await;
    let ticks: Vec<_> = settled.ticks.iter().map(|tick| (tick.tick.due_at, tick.job_id.is_some())).collect();
    assert_eq!(ticks, [(waiting_at, true)]);
    assert_eq!(settled.next_due, Some(seconds(60)));
}

pub async fn it_is_kept_since_when_a_tick_waits_and_whether_a_gap_was_before_it<H: Harness>() {
    for late in [0, 17] {
        let world = World::<H>::new();
        let worker_id = world.worker().await;
        overlapping(&world, Overlap::After).await;
        wait_until(&world, next_multiple(world.now(), 60));
        world.clock.advance(seconds(late));
        let since = world.now();
        settle(&world).await;
        world.clock.advance(seconds(5));
        let lease = world.claim_one(&worker_id).await;
        world.complete(&worker_id, &lease).await;
        let tick = settle(&world).await.ticks.remove(0).tick;
        assert_eq!(tick.why, format!("it waited since {since}, after a gap: {}", late > 0));
    }
}

pub async fn several_ticks_wait_and_run_one_after_another<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    overlapping(&world, Overlap::After).await;
    for _ in 0..3 {
        world.clock.advance(seconds(60));
        settle(&world).await;
    }
    let mut last = None;
    for _ in 0..3 {
        let lease = world.claim_one(&worker_id).await;
        assert!(world.claim(&worker_id, 9).await.is_empty(), "one at a time");
        world.complete(&worker_id, &lease).await;
        last = Some(lease.id).max(last);
        settle(&world).await;
    }
    assert!(world.claim(&worker_id, 9).await.is_empty());
    let outcomes = outcomes(&world, "a").await;
    let ran = outcomes.iter().filter(|(outcome, _)| *outcome == TickOutcome::Enqueued).count();
    assert_eq!((ran, outcomes.len()), (3, 4), "{outcomes:?}");
}

pub async fn a_tick_that_replaces_cancels_the_waiting_job<H: Harness>() {
    let world = World::<H>::new();
    let first = overlapping(&world, Overlap::Replace).await;
    world.clock.advance(seconds(60));
    let second = settle(&world).await.ticks[0].job_id.expect("it makes a job");
    assert_eq!(world.status(first).await, Status::Cancelled);
    assert_eq!(world.status(second).await, Status::Pending);
    assert_eq!(world.depths("default").await.get(&Status::Cancelled), Some(&1));
    assert_eq!(record(&world, "a").await.expect("it is there").open_job, Some(second));
}

pub async fn a_tick_that_replaces_asks_the_running_job_to_stop<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    overlapping(&world, Overlap::Replace).await;
    let lease = world.claim_one(&worker_id).await;
    world.clock.advance(seconds(60));
    settle(&world).await;
    let asked = world.store.cancel_requests(worker_id).await.expect("they can be read");
    assert_eq!(asked, [(lease.id, lease.claim_number)]);
}

pub async fn a_job_that_the_database_refuses_stalls_neither_its_schedule_nor_others<H: Harness>() {
    let world = World::<H>::new();
    let mut refused = every("a", 60);
    refused.job.job_type = "refused".to_owned();
    apply(&world, vec![refused, every("b", 60)]).await;
    world.refuse_type("refused");
    wait_until(&world, next_multiple(world.now(), 60));
    let settled = settle(&world).await;
    assert_eq!((settled.ticks.len(), settled.has_more), (2, false), "{settled:?}");
    let tick = ticks_of(&world, "a").await.remove(0);
    assert_eq!((tick.outcome, tick.job_id), (TickOutcome::Missed, None));
    assert!(tick.why.starts_with("the database refused the job: "), "{}", tick.why);
    assert_eq!(outcomes(&world, "b").await, [(TickOutcome::Enqueued, 1)]);
    assert_eq!(world.count().await, 1);
    assert_eq!(settled.next_due, Some(seconds(60)));
    assert_eq!(settle(&world).await.ticks, []);
}

pub async fn a_tick_whose_job_has_a_taken_key_says_which_job_has_it<H: Harness>() {
    let world = World::<H>::new();
    let holder = world.enqueue(job().unique_key("the key")).await;
    apply(&world, vec![every("a", 60)]).await;
    wait_until(&world, next_multiple(world.now(), 60));
    let planner = Arc::new(EveryPlanner { unique_key: Some("the key".to_owned()) });
    let settle = SettleSchedules { planner, decided_by: "a scheduler".to_owned(), limit: 10 };
    let settled = world.store.settle_schedules(settle).await.expect("it can be settled");
    assert_eq!(settled.ticks[0].job_id, Some(holder));
    let tick = ticks_of(&world, "a").await.remove(0);
    assert_eq!(tick.job_id, Some(holder));
    assert!(tick.why.contains(&format!("job {holder} with the same unique key")), "{}", tick.why);
    assert_eq!(world.count().await, 1);
}

pub async fn the_last_completed_run_is_told<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    overlapping(&world, Overlap::Allow).await;
    let first_due = world.now();
    assert_eq!(record(&world, "a").await.expect("it is there").last_completed, None);
    let lease = world.claim_one(&worker_id).await;
    world.clock.advance(seconds(5));
    world.complete(&worker_id, &lease).await;
    let completed_at = world.job(lease.id).await.completed_at.expect("it has completed");
    wait_until(&world, next_multiple(world.now(), 60));
    settle(&world).await;
    let schedule = record(&world, "a").await.expect("it is there");
    assert_eq!(schedule.last_completed, Some((completed_at, first_due)));
    assert_eq!(schedule.last.expect("there is one").due_at, world.now());
    // A job that is gone has ended well, as far as anybody knows.
    world.act(lease.id, longshore_core::Action::Delete).await;
    assert_eq!(record(&world, "a").await.expect("it is there").last_completed, Some((first_due, first_due)));
}

pub async fn an_acknowledged_step_survives_the_death_of_its_process<H: Harness>() {
    let mut world = World::<H>::new();
    apply(&world, vec![every("a", 60)]).await;
    wait_until(&world, next_multiple(world.now(), 60));
    let id = settle(&world).await.ticks[0].job_id.expect("it makes a job");
    world.restart();
    assert_eq!(ticks_of(&world, "a").await[0].job_id, Some(id));
    assert_eq!(world.status(id).await, Status::Pending);
    assert!(settle(&world).await.ticks.is_empty());
    assert_eq!(world.store.count(longshore_core::Filter::all().into()).await.expect("jobs can be counted"), 1);
}
