use std::time::Duration;

use longshore_core::{Hint, Interest, ScheduleChange, Store, TickOutcome};

use super::{apply, change, every, next_multiple, outcomes, pause, record, settle, ticks_of, wait_until};
use crate::suite::world::{PATIENCE, seconds};
use crate::suite::{Harness, World};

pub async fn ticks_of_a_pause_are_skipped_and_say_why<H: Harness>() {
    let world = World::<H>::new();
    apply(&world, vec![every("a", 60)]).await;
    assert!(change(&world, "a", pause("the disk is full")).await);
    let schedule = record(&world, "a").await.expect("it is there");
    assert_eq!((schedule.paused_at, schedule.pause_reason.as_deref()), (Some(world.now()), Some("the disk is full")));
    wait_until(&world, next_multiple(world.now(), 60));
    settle(&world).await;
    let tick = ticks_of(&world, "a").await.remove(0);
    assert_eq!((tick.outcome, tick.job_id, tick.why.as_str()), (TickOutcome::SkippedPaused, None, "the disk is full"));
    assert_eq!(world.count().await, 0);
}

pub async fn a_second_pause_keeps_the_first_instant_and_has_the_new_reason<H: Harness>() {
    let world = World::<H>::new();
    apply(&world, vec![every("a", 60)]).await;
    change(&world, "a", pause("one")).await;
    let paused_at = world.now();
    world.clock.advance(seconds(9));
    assert!(change(&world, "a", pause("two")).await);
    let schedule = record(&world, "a").await.expect("it is there");
    assert_eq!((schedule.paused_at, schedule.pause_reason.as_deref()), (Some(paused_at), Some("two")));
}

pub async fn a_resumed_schedule_leaves_the_ticks_of_the_pause_skipped<H: Harness>() {
    let world = World::<H>::new();
    apply(&world, vec![every("a", 60)]).await;
    change(&world, "a", pause("later")).await;
    wait_until(&world, next_multiple(world.now(), 60));
    settle(&world).await;
    // Nobody settles these before the pause ends.
    world.clock.advance(seconds(180));
    assert!(change(&world, "a", ScheduleChange::Resume { catch_up: false }).await);
    assert_eq!(outcomes(&world, "a").await, [(TickOutcome::SkippedPaused, 1), (TickOutcome::SkippedPaused, 3)]);
    assert_eq!(ticks_of(&world, "a").await[1].decided_by, "an operator");
    let schedule = record(&world, "a").await.expect("it is there");
    assert_eq!((schedule.paused_at, schedule.pause_reason), (None, None));
    assert_eq!(schedule.next_due_at, Some(next_multiple(world.now(), 60)));
    assert!(settle(&world).await.ticks.is_empty());
    world.clock.advance(seconds(60));
    assert_eq!(settle(&world).await.ticks[0].tick.outcome, TickOutcome::Enqueued);
}

pub async fn a_resume_that_catches_up_decides_the_pause_as_a_downtime<H: Harness>() {
    let world = World::<H>::new();
    apply(&world, vec![every("a", 60)]).await;
    wait_until(&world, next_multiple(world.now(), 60));
    settle(&world).await;
    world.clock.advance(seconds(1));
    change(&world, "a", pause("later")).await;
    for _ in 0..3 {
        world.clock.advance(seconds(60));
        settle(&world).await;
    }
    assert_eq!(outcomes(&world, "a").await.len(), 4);
    assert!(change(&world, "a", ScheduleChange::Resume { catch_up: true }).await);
    let settled = settle(&world).await;
    assert_eq!(settled.ticks.len(), 2, "{settled:?}");
    let enqueued = (TickOutcome::Enqueued, 1);
    assert_eq!(outcomes(&world, "a").await, [enqueued, (TickOutcome::Coalesced, 2), enqueued]);
    assert_eq!(world.count().await, 2);
}

pub async fn resuming_what_is_not_paused_changes_nothing<H: Harness>() {
    let world = World::<H>::new();
    apply(&world, vec![every("a", 60)]).await;
    let before = record(&world, "a").await;
    assert!(change(&world, "a", ScheduleChange::Resume { catch_up: true }).await);
    assert!(change(&world, "a", ScheduleChange::Resume { catch_up: false }).await);
    assert_eq!(record(&world, "a").await, before);
}

pub async fn a_removed_schedule_keeps_its_ticks_and_jobs<H: Harness>() {
    let world = World::<H>::new();
    apply(&world, vec![every("a", 60)]).await;
    wait_until(&world, next_multiple(world.now(), 60));
    settle(&world).await;
    assert!(change(&world, "a", ScheduleChange::Remove).await);
    assert_eq!(record(&world, "a").await, None);
    assert_eq!(ticks_of(&world, "a").await.len(), 1);
    assert_eq!(world.count().await, 1);
    world.clock.advance(seconds(600));
    assert!(settle(&world).await.ticks.is_empty());
    // One of the same name is a new one.
    assert_eq!(apply(&world, vec![every("a", 60)]).await.added, ["a"]);
    assert_eq!(record(&world, "a").await.expect("it is there").settled_until, world.now());
}

pub async fn whoever_changes_a_schedule_that_nobody_knows_is_told<H: Harness>() {
    let world = World::<H>::new();
    for unknown in [pause("no"), ScheduleChange::Resume { catch_up: true }, ScheduleChange::Remove] {
        assert!(!change(&world, "a", unknown).await);
    }
    assert_eq!(super::add(&world, "a", Vec::new()).await, None);
}

pub async fn a_change_of_a_schedule_wakes_schedulers_in_every_process<H: Harness>() {
    let world = World::<H>::new();
    world.has_looked().await;
    let other = world.open();
    let (mut here, mut there) = (world.store.wakeups(Interest::Schedules), other.wakeups(Interest::Schedules));
    let hint = async |wakeups: &mut Box<dyn longshore_core::Wakeups>| {
        tokio::time::timeout(PATIENCE, wakeups.changed()).await.expect("it is woken")
    };
    apply(&world, vec![every("a", 60)]).await;
    assert_eq!((hint(&mut here).await, hint(&mut there).await), (Hint::Anything, Hint::Anything));
    change(&world, "a", pause("no")).await;
    assert_eq!((hint(&mut here).await, hint(&mut there).await), (Hint::Anything, Hint::Anything));
    // Their own steps wake none of this process.
    drop(there);
    let mut here = world.store.wakeups(Interest::Schedules);
    wait_until(&world, next_multiple(world.now(), 60));
    settle(&world).await;
    world.enqueue(crate::job()).await;
    let quiet = tokio::time::timeout(Duration::from_millis(50), here.changed()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}
