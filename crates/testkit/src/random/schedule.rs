use std::sync::Arc;

use longshore_core::{
    AddTicks, ApplySchedules, ChangeSchedule, Missed, Overlap, PlanTicks, PlannedTick, ScheduleChange,
    ScheduleDefinition, ScheduleSource, ScheduledJob, SchedulesRequest, SettleSchedules, TickKind, TickOutcome,
    TicksRequest, Timestamp, Timing,
};

use super::draw;
use super::run::Run;
use crate::EveryPlanner;
use crate::suite::Harness;

const NAMES: [&str; 4] = ["daily", "hourly", "nightly", "weekly"];

impl<H: Harness> Run<H> {
    /// One operation on schedules.
    pub(super) async fn schedule(&mut self) {
        match self.random.u32(..10) {
            0..=1 => self.apply_schedules().await,
            2..=6 => self.settle_schedules().await,
            7 => self.change_schedule().await,
            8 => self.add_ticks().await,
            _ => self.look_at_ticks().await,
        }
        self.expect_what_is_there().await;
    }

    async fn apply_schedules(&mut self) {
        let number = self.random.usize(..3);
        let apply = ApplySchedules {
            definitions: (0..number).map(|_| self.draw_definition()).collect(),
            source: *draw::pick(&mut self.random, &ScheduleSource::ALL),
            prune: draw::is_lucky(&mut self.random, 0.2),
            dry_run: draw::is_lucky(&mut self.random, 0.2),
            planner: planner(),
            decided_by: "a process that begins".to_owned(),
        };
        let what = format!("{apply:?}");
        self.trail.both(&self.main, &what, |store| store.apply_schedules(apply.clone())).await;
    }

    fn draw_definition(&mut self) -> ScheduleDefinition {
        let random = &mut self.random;
        let every_ms = 1000 * *draw::pick(random, &[1, 2, 5, 30]);
        let name = *draw::pick(random, &NAMES);
        let timing = Timing::Every { every_ms, time_zone: "UTC".to_owned() };
        let mut job = ScheduledJob::new(*draw::pick(random, &draw::JOB_TYPES), draw::data(random));
        job.queue = Some((*draw::pick(random, &draw::QUEUES)).to_owned());
        ScheduleDefinition {
            missed: *draw::pick(random, &[Missed::Skip, Missed::Latest, Missed::Latest]),
            overlap: *draw::pick(random, &[Overlap::Allow, Overlap::Skip, Overlap::After, Overlap::Replace]),
            paused: draw::is_lucky(random, 0.15),
            ..ScheduleDefinition::new(name, timing, job)
        }
    }

    /// By the main process or by that of a worker: every process may settle.
    async fn settle_schedules(&mut self) {
        let decided_by = format!("scheduler {}", self.random.u32(..9));
        let settle = SettleSchedules { planner: planner(), decided_by, limit: self.random.u32(1..5) };
        let place = if self.random.bool() { self.some_actor() } else { None };
        let pair = place.map_or(&self.main, |place| &self.actors[place].pair);
        let what = format!("{settle:?}");
        self.trail.both(pair, &what, |store| store.settle_schedules(settle.clone())).await;
    }

    async fn change_schedule(&mut self) {
        let reason = format!("reason {}", self.random.u32(..3));
        let changes = [
            ScheduleChange::Pause { reason },
            ScheduleChange::Resume { catch_up: true },
            ScheduleChange::Resume { catch_up: false },
            ScheduleChange::Remove,
        ];
        let change = ChangeSchedule {
            name: (*draw::pick(&mut self.random, &NAMES)).to_owned(),
            change: draw::pick(&mut self.random, &changes).clone(),
            planner: planner(),
            decided_by: "an operator".to_owned(),
        };
        let what = format!("{change:?}");
        self.trail.both(&self.main, &what, |store| store.change_schedule(change.clone())).await;
    }

    async fn add_ticks(&mut self) {
        let (definition, number) = (self.draw_definition(), self.random.usize(..4));
        let kind = *draw::pick(&mut self.random, &[TickKind::Manual, TickKind::Backfill]);
        let ticks = (0..number).map(|_| self.draw_tick(&definition, kind)).collect();
        let (planner, decided_by) = (planner(), "an operator".to_owned());
        let add = AddTicks { schedule: definition.name, ticks, planner, decided_by };
        let what = format!("{add:?}");
        self.trail.both(&self.main, &what, |store| store.add_ticks(add.clone())).await;
    }

    /// Often at the instant of a tick that is there, or in a run of skipped ones.
    fn draw_tick(&mut self, definition: &ScheduleDefinition, kind: TickKind) -> PlannedTick {
        let back = draw::milliseconds(&mut self.random, 0..20_000);
        let now = self.now().before(back);
        let due_at = planner().next_after(definition, now).unwrap_or(Timestamp::MAX);
        let tick = EveryPlanner::default().by_hand(definition, due_at, kind);
        if draw::is_lucky(&mut self.random, 0.2) { tick.missed("it is not wanted") } else { tick }
    }

    async fn look_at_ticks(&mut self) {
        let outcomes = TickOutcome::ALL.into_iter().filter(|_| self.random.bool()).collect();
        let request = TicksRequest {
            schedule: (*draw::pick(&mut self.random, &NAMES)).to_owned(),
            outcomes: self.random.bool().then_some(outcomes),
            before: self.random.bool().then(|| self.clock_before()),
            limit: self.random.u32(1..9),
        };
        self.trail.both(&self.main, &format!("{request:?}"), |store| store.ticks(request.clone())).await;
    }

    fn clock_before(&mut self) -> Timestamp {
        let back = draw::milliseconds(&mut self.random, 0..60_000);
        self.now().before(back)
    }

    /// Compares every schedule and every tick.
    pub(super) async fn compare_schedules(&self) {
        let all = SchedulesRequest { names: None, after: None, limit: 1000 };
        self.trail.both_calmly(&self.main, |store| store.schedules(all.clone())).await;
        for name in NAMES {
            let request = TicksRequest { schedule: name.to_owned(), outcomes: None, before: None, limit: 1000 };
            self.trail.both_calmly(&self.main, |store| store.ticks(request.clone())).await;
        }
    }
}

fn planner() -> Arc<EveryPlanner> {
    Arc::new(EveryPlanner::default())
}
