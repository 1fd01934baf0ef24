use longshore_core::{Overlap, ScheduleSource, Schedules, SchedulesRequest, TickOutcome};

use super::{application, apply, change, every, next_multiple, outcomes, pause, record, settle, ticks_of, wait_until};
use crate::suite::world::seconds;
use crate::suite::{Harness, World};

pub async fn a_new_schedule_starts_now_and_has_no_tick_in_the_past<H: Harness>() {
    let world = World::<H>::new();
    let applied = apply(&world, vec![every("a", 60)]).await;
    assert_eq!(applied.added, ["a"]);
    let schedule = record(&world, "a").await.expect("it is there");
    assert_eq!(schedule.settled_until, world.now());
    assert_eq!(schedule.next_due_at, Some(next_multiple(world.now(), 60)));
    assert_eq!((schedule.revision, schedule.source), (1, ScheduleSource::Config));
    let settled = settle(&world).await;
    assert!(settled.ticks.is_empty(), "{settled:?}");
    assert_eq!(settled.next_due, Some(next_multiple(world.now(), 60).since(world.now())));
}

pub async fn applying_the_same_again_changes_nothing<H: Harness>() {
    let world = World::<H>::new();
    apply(&world, vec![every("a", 60), every("b", 60)]).await;
    let before = record(&world, "a").await;
    world.clock.advance(seconds(100));
    let applied = apply(&world, vec![every("b", 60), every("a", 60)]).await;
    assert_eq!(applied.unchanged, ["a", "b"]);
    assert!(applied.added.is_empty() && applied.changed.is_empty() && applied.removed.is_empty(), "{applied:?}");
    let after = record(&world, "a")
        .await
        .map(|record| longshore_core::ScheduleRecord { now: before.as_ref().unwrap_or(&record).now, ..record });
    assert_eq!(after, before);
}

pub async fn a_changed_definition_has_a_new_revision_and_keeps_what_is_settled<H: Harness>() {
    let world = World::<H>::new();
    apply(&world, vec![every("a", 60)]).await;
    let begun = world.now();
    world.clock.advance(seconds(150));
    let mut edited = every("a", 60);
    edited.overlap = Overlap::Skip;
    assert_eq!(apply(&world, vec![edited.clone()]).await.changed, ["a"]);
    let schedule = record(&world, "a").await.expect("it is there");
    assert_eq!((schedule.revision, schedule.settled_until), (2, begun));
    assert_eq!(schedule.definition, Ok(edited));
    // What is due is still settled, by the new definition.
    settle(&world).await;
    assert_eq!(outcomes(&world, "a").await.last(), Some(&(TickOutcome::Enqueued, 1)));
}

pub async fn a_changed_timing_starts_now_and_what_was_due_is_missed<H: Harness>() {
    let world = World::<H>::new();
    apply(&world, vec![every("a", 60)]).await;
    wait_until(&world, next_multiple(world.now(), 60));
    world.clock.advance(seconds(120));
    apply(&world, vec![every("a", 7)]).await;
    let schedule = record(&world, "a").await.expect("it is there");
    assert_eq!(schedule.settled_until, world.now());
    assert_eq!(schedule.next_due_at, Some(next_multiple(world.now(), 7)));
    assert_eq!(outcomes(&world, "a").await, [(TickOutcome::Coalesced, 2), (TickOutcome::Missed, 1)]);
    assert_eq!(world.count().await, 0);
    assert!(settle(&world).await.ticks.is_empty());
}

pub async fn pruning_removes_only_schedules_of_the_same_source<H: Harness>() {
    let world = World::<H>::new();
    let by_hand = longshore_core::ApplySchedules { source: ScheduleSource::Manual, ..application(vec![every("m", 9)]) };
    world.store.apply_schedules(by_hand).await.expect("schedules can be applied");
    apply(&world, vec![every("a", 60), every("b", 60)]).await;
    let prune = longshore_core::ApplySchedules { prune: true, ..application(vec![every("b", 60)]) };
    assert_eq!(world.store.apply_schedules(prune).await.expect("it can be applied").removed, ["a"]);
    let all = SchedulesRequest { names: None, after: None, limit: 10 };
    let names: Vec<String> =
        world.store.schedules(all).await.expect("they can be listed").into_iter().map(|record| record.name).collect();
    assert_eq!(names, ["b", "m"]);
}

pub async fn a_dry_run_says_what_would_change_and_writes_nothing<H: Harness>() {
    let world = World::<H>::new();
    apply(&world, vec![every("a", 60), every("b", 60)]).await;
    let mut dry = application(vec![every("a", 30), every("c", 60)]);
    (dry.prune, dry.dry_run) = (true, true);
    let applied = world.store.apply_schedules(dry).await.expect("it can be compared");
    assert_eq!(
        (applied.added, applied.changed, applied.removed),
        (vec!["c".into()], vec!["a".into()], vec!["b".into()])
    );
    assert_eq!(record(&world, "a").await.expect("it is there").definition, Ok(every("a", 60)));
    assert!(record(&world, "b").await.is_some() && record(&world, "c").await.is_none());
}

pub async fn schedules_are_listed_by_name_in_pages<H: Harness>() {
    let world = World::<H>::new();
    apply(&world, ["c", "a", "e", "b", "d"].map(|name| every(name, 60)).to_vec()).await;
    let page = async |names: Option<Vec<String>>, after: Option<&str>, limit| {
        let request = SchedulesRequest { names, after: after.map(str::to_owned), limit };
        let records = world.store.schedules(request).await.expect("they can be listed");
        records.into_iter().map(|record| record.name).collect::<Vec<_>>().join("")
    };
    assert_eq!(page(None, None, 2).await, "ab");
    assert_eq!(page(None, Some("b"), 2).await, "cd");
    assert_eq!(page(None, Some("d"), 2).await, "e");
    assert_eq!(page(Some(vec!["e".into(), "x".into(), "b".into(), "e".into()]), None, 9).await, "be");
    assert_eq!(page(Some(Vec::new()), None, 9).await, "");
}

pub async fn a_definition_of_a_newer_version_is_passed_over_and_named<H: Harness>() {
    let world = World::<H>::new();
    apply(&world, vec![every("a", 60), every("b", 60), every("c", 60)]).await;
    world.write_newer_definition("a");
    wait_until(&world, next_multiple(world.now(), 60));
    let settled = super::settle_on::<H>(&world.store, 1).await;
    let names: Vec<&str> = settled.ticks.iter().map(|tick| tick.schedule.as_str()).collect();
    assert_eq!(names, ["b"], "{settled:?}");
    assert!(settled.has_more);
    let settled = settle(&world).await;
    assert_eq!((settled.ticks.len(), settled.has_more), (1, false), "{settled:?}");
    assert_eq!(settled.next_due, Some(seconds(60)), "one that cannot be settled is not due at once again");
    let (name, reason) = settled.unsettled.first().expect("it is named");
    assert_eq!(name, "a");
    assert!(reason.contains("of_a_newer_version"), "{reason}");
    assert!(record(&world, "a").await.expect("it is listed").definition.is_err());
    assert!(change(&world, "a", pause("it is broken")).await, "it can still be paused");
    // Applied again, it is what this version understands.
    apply(&world, vec![every("a", 60)]).await;
    assert_eq!(record(&world, "a").await.expect("it is there").definition, Ok(every("a", 60)));
    assert!(ticks_of(&world, "a").await.is_empty());
}

pub async fn a_definition_that_says_so_is_paused_until_it_says_otherwise<H: Harness>() {
    let world = World::<H>::new();
    let mut paused = every("a", 60);
    paused.paused = true;
    apply(&world, vec![paused.clone()]).await;
    assert_eq!(record(&world, "a").await.expect("it is there").paused_at, Some(world.now()));
    wait_until(&world, next_multiple(world.now(), 60));
    settle(&world).await;
    world.clock.advance(seconds(120));
    // What is due is decided before the pause ends.
    apply(&world, vec![every("a", 60)]).await;
    assert_eq!(outcomes(&world, "a").await, [(TickOutcome::SkippedPaused, 1), (TickOutcome::SkippedPaused, 2)]);
    let schedule = record(&world, "a").await.expect("it is there");
    assert_eq!((schedule.paused_at, schedule.pause_reason), (None, None));
    world.clock.advance(seconds(60));
    assert_eq!(settle(&world).await.ticks.len(), 1);
}

pub async fn a_pause_of_an_operator_stays_whatever_is_applied<H: Harness>() {
    let world = World::<H>::new();
    apply(&world, vec![every("a", 60)]).await;
    change(&world, "a", pause("the disk is full")).await;
    let paused_at = world.now();
    world.clock.advance(seconds(1));
    let mut paused = every("a", 60);
    paused.paused = true;
    apply(&world, vec![paused]).await;
    apply(&world, vec![every("a", 30)]).await;
    let schedule = record(&world, "a").await.expect("it is there");
    assert_eq!(schedule.paused_at, Some(paused_at));
    assert_eq!(schedule.pause_reason.as_deref(), Some("the disk is full"));
}
