use longshore_core::{
    ChangeSchedule, Checksum, MovePhase, Moving, Overlap, ScheduleChange, Schedules, SettleSchedules, StoreError,
};

use crate::suite::scheduling::{
    application, apply, change, every, next_multiple, pause, record, settle, ticks_of, wait_until,
};
use crate::suite::world::{data, seconds};
use crate::suite::{Harness, World};

pub async fn schedules_and_their_ticks_move_too<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let (mut waits, mut removed) = (every("waits", 60), every("removed", 60));
    waits.overlap = Overlap::After;
    removed.job.job_data = data(r#"{"text":"\"'\\"}"#);
    apply(&world, vec![waits, removed, every("paused", 60)]).await;
    change(&world, "paused", pause("it's \"late\"")).await;
    for _ in 0..3 {
        wait_until(&world, next_multiple(world.now(), 60));
        settle(&world).await;
    }
    change(&world, "removed", ScheduleChange::Remove).await;
    let there = world.moved_house(true).await;
    for name in ["waits", "paused", "removed"] {
        assert_eq!(record(&there, name).await, record(&world, name).await, "{name}");
        let ticks = ticks_of(&there, name).await;
        assert!(!ticks.is_empty());
        assert_eq!(ticks, ticks_of(&world, name).await, "{name}");
    }
    let checksum = |settings: &longshore_core::MovedSettings| {
        let mut checksum = Checksum::default();
        checksum.add_settings(settings);
        checksum.finish()
    };
    let here = world.store.moved_settings().await.expect("settings can be read");
    let other = there.store.moved_settings().await.expect("settings can be read");
    assert_eq!(checksum(&other), checksum(&here));
    // It goes on where it was.
    there.clock.advance(seconds(60));
    assert_eq!(settle(&there).await.ticks.len(), 2, "one is paused, and of the other one enough ticks wait");
    assert!(record(&there, "waits").await.expect("it is there").open_job.is_some());
}

pub async fn nothing_is_settled_while_the_queue_moves<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    apply(&world, vec![every("a", 60)]).await;
    wait_until(&world, next_multiple(world.now(), 60));
    world.set_phase(MovePhase::Frozen).await;
    let planner = || std::sync::Arc::new(crate::EveryPlanner::default());
    let request = SettleSchedules { planner: planner(), decided_by: "a scheduler".to_owned(), limit: 9 };
    let settled = world.store.settle_schedules(request).await;
    assert!(matches!(settled, Err(StoreError::Moving { .. })), "{settled:?}");
    let applied = world.store.apply_schedules(application(vec![every("b", 60)])).await;
    assert!(matches!(applied, Err(StoreError::Moving { .. })), "{applied:?}");
    let remove = ChangeSchedule {
        name: "a".to_owned(),
        change: ScheduleChange::Remove,
        planner: planner(),
        decided_by: "an operator".to_owned(),
    };
    let removed = world.store.change_schedule(remove).await;
    assert!(matches!(removed, Err(StoreError::Moving { .. })), "{removed:?}");
    assert!(ticks_of(&world, "a").await.is_empty());
    assert!(record(&world, "a").await.is_some(), "it is still read");
}
