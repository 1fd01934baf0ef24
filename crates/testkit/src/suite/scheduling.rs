pub mod schedule_changes;
pub mod schedules;
pub mod settle;
pub mod ticks;

use std::sync::Arc;

use longshore_core::{
    AddTicks, AppliedSchedules, ApplySchedules, ChangeSchedule, JobData, JobId, Overlap, PlannedTick, ScheduleChange,
    ScheduleDefinition, ScheduleRecord, ScheduleSource, ScheduledJob, Schedules, SchedulesRequest, SettleSchedules,
    SettledSchedules, Tick, TickOutcome, TicksRequest, Timestamp, Timing,
};

use crate::EveryPlanner;
use crate::suite::{Harness, World};

/// A schedule that makes a job every so many seconds.
pub(super) fn every(name: &str, seconds: u64) -> ScheduleDefinition {
    let timing = Timing::Every { every_ms: seconds * 1000, time_zone: "UTC".to_owned() };
    let job = ScheduledJob::new("work", JobData::default());
    ScheduleDefinition { overlap: Overlap::Allow, ..ScheduleDefinition::new(name, timing, job) }
}

pub(super) fn application(definitions: Vec<ScheduleDefinition>) -> ApplySchedules {
    ApplySchedules {
        definitions,
        source: ScheduleSource::Config,
        prune: false,
        dry_run: false,
        planner: Arc::new(EveryPlanner::default()),
        decided_by: "the test".to_owned(),
    }
}

pub(super) async fn apply<H: Harness>(world: &World<H>, definitions: Vec<ScheduleDefinition>) -> AppliedSchedules {
    world.store.apply_schedules(application(definitions)).await.expect("schedules can be applied")
}

pub(super) async fn settle<H: Harness>(world: &World<H>) -> SettledSchedules {
    settle_on::<H>(&world.store, 100).await
}

pub(super) async fn settle_on<H: Harness>(store: &H::Store, limit: u32) -> SettledSchedules {
    let planner = Arc::new(EveryPlanner::default());
    let settle = SettleSchedules { planner, decided_by: "a scheduler".to_owned(), limit };
    store.settle_schedules(settle).await.expect("schedules can be settled")
}

pub(super) async fn change<H: Harness>(world: &World<H>, name: &str, change: ScheduleChange) -> bool {
    let change = ChangeSchedule {
        name: name.to_owned(),
        change,
        planner: Arc::new(EveryPlanner::default()),
        decided_by: "an operator".to_owned(),
    };
    world.store.change_schedule(change).await.expect("schedules can be changed")
}

pub(super) fn pause(reason: &str) -> ScheduleChange {
    ScheduleChange::Pause { reason: reason.to_owned() }
}

pub(super) async fn record<H: Harness>(world: &World<H>, name: &str) -> Option<ScheduleRecord> {
    let request = SchedulesRequest { names: Some(vec![name.to_owned()]), after: None, limit: 10 };
    world.store.schedules(request).await.expect("schedules can be listed").pop()
}

/// The ticks of a schedule, oldest first.
pub(super) async fn ticks_of<H: Harness>(world: &World<H>, name: &str) -> Vec<Tick> {
    let request = TicksRequest { schedule: name.to_owned(), outcomes: None, before: None, limit: 1000 };
    let mut ticks = world.store.ticks(request).await.expect("ticks can be listed").ticks;
    ticks.reverse();
    ticks
}

pub(super) async fn outcomes<H: Harness>(world: &World<H>, name: &str) -> Vec<(TickOutcome, u64)> {
    ticks_of(world, name).await.iter().map(|tick| (tick.outcome, tick.ticks)).collect()
}

pub(super) fn addition(name: &str, ticks: Vec<PlannedTick>) -> AddTicks {
    let planner = Arc::new(EveryPlanner::default());
    AddTicks { schedule: name.to_owned(), ticks, planner, decided_by: "an operator".to_owned() }
}

pub(super) async fn add<H: Harness>(
    world: &World<H>,
    name: &str,
    ticks: Vec<PlannedTick>,
) -> Option<Vec<Option<JobId>>> {
    world.store.add_ticks(addition(name, ticks)).await.expect("ticks can be added")
}

/// The first instant after now that is a multiple of so many seconds.
pub(super) fn next_multiple(now: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_ms((now.as_ms().div_euclid(seconds * 1000) + 1) * seconds * 1000)
}

/// Time passes until this instant.
pub(super) fn wait_until<H: Harness>(world: &World<H>, instant: Timestamp) {
    world.clock.advance(instant.since(world.now()));
}
