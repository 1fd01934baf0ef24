mod reading;
mod settling;

use std::collections::{BTreeMap, BTreeSet};

use longshore_core::{
    AddTicks, AppliedSchedules, ApplySchedules, ChangeSchedule, Enqueued, JobId, ScheduleChange, ScheduleDefinition,
    ScheduleFit, ScheduleRecord, ScheduleRow, Schedules, SchedulesRequest, SettleSchedules, SettledSchedules, Settling,
    StoreError, StoreFuture, Tick, TickAddition, TickKind, TickOutcome, TickPage, TicksRequest, Timestamp, ValidJob,
};

use crate::memory::MemoryStore;
use crate::memory::moving::Passing;
use crate::memory::state::State;
use settling::Settler;

/// The schedules and their ticks.
#[derive(Clone, Debug, Default)]
pub(super) struct Calendar {
    pub(super) rows: BTreeMap<String, ScheduleRow>,
    pub(super) ticks: BTreeMap<(String, Timestamp), Tick>,
    /// How often a schedule was changed so that it may be due at another instant. For the hints alone.
    pub(super) changes: u64,
}

impl Calendar {
    /// What arrives takes the place of what an earlier move left behind.
    pub(super) fn replace(&mut self, rows: Vec<ScheduleRow>, ticks: Vec<Tick>) {
        self.rows = rows.into_iter().map(|row| (row.name.clone(), row)).collect();
        self.ticks = BTreeMap::new();
        ticks.into_iter().for_each(|tick| self.insert(tick));
    }

    fn insert(&mut self, tick: Tick) {
        let replaced = self.ticks.insert((tick.schedule.clone(), tick.due_at), tick);
        assert!(replaced.is_none(), "a tick is unique by schedule and instant: {replaced:?}");
    }
}

impl State {
    fn apply_schedules(&mut self, apply: &ApplySchedules, now: Timestamp) -> AppliedSchedules {
        let mut applied = AppliedSchedules::default();
        let by_name: BTreeMap<&str, &ScheduleDefinition> =
            apply.definitions.iter().map(|definition| (definition.name.as_str(), definition)).collect();
        for definition in by_name.values() {
            applied.add(&definition.name, self.apply_one(apply, definition, now));
        }
        if apply.prune {
            let given: BTreeSet<&str> = by_name.keys().copied().collect();
            let all = self.calendar.rows.values().filter(|row| row.source == apply.source);
            applied.removed = all.map(|row| row.name.clone()).filter(|name| !given.contains(name.as_str())).collect();
            applied.removed.iter().for_each(|name| drop(self.calendar.rows.remove(name)));
        }
        if applied.has_changes() {
            self.calendar.changes += 1;
        }
        applied
    }

    fn apply_one(&mut self, apply: &ApplySchedules, definition: &ScheduleDefinition, now: Timestamp) -> ScheduleFit {
        let ApplySchedules { source, planner, decided_by, .. } = apply;
        let Some(mut row) = self.calendar.rows.get(&definition.name).cloned() else {
            let row = ScheduleRow::begin(definition, *source, &**planner, now);
            self.calendar.rows.insert(row.name.clone(), row);
            return ScheduleFit::New;
        };
        let fit = row.fit(definition, *source);
        if fit == ScheduleFit::Same {
            return fit;
        }
        if let (Some(settling), Ok(own)) = (row.settling_before(definition, fit), row.parsed()) {
            Settler { planner: &**planner, decided_by, settling }.settle(self, &mut row, own, now);
        }
        row.define(definition, *source, &**planner, now);
        self.calendar.rows.insert(row.name.clone(), row);
        fit
    }

    fn change_schedule(&mut self, request: &ChangeSchedule, now: Timestamp) -> Result<bool, StoreError> {
        let ChangeSchedule { name, change, planner, decided_by } = request;
        let Some(mut row) = self.calendar.rows.get(name).cloned() else { return Ok(false) };
        if *change == ScheduleChange::Remove {
            self.calendar.rows.remove(name);
            self.calendar.changes += 1;
            return Ok(true);
        }
        if row.settles_before(change) {
            let unknown = |reason| StoreError::UnknownDefinition { schedule: name.clone(), reason };
            let definition = row.parsed().map_err(unknown)?;
            let settler = Settler { planner: &**planner, decided_by, settling: Settling::Planned };
            settler.settle(self, &mut row, definition, now);
        }
        if let Some(from) = row.reopened_from(change) {
            let is_of_pause = |tick: &Tick| {
                tick.schedule == *name
                    && tick.due_at >= from
                    && tick.kind == TickKind::Scheduled
                    && tick.outcome == TickOutcome::SkippedPaused
            };
            self.calendar.ticks.retain(|_, tick| !is_of_pause(tick));
        }
        if row.change(change, now) {
            self.calendar.rows.insert(name.clone(), row);
            self.calendar.changes += 1;
        }
        Ok(true)
    }

    fn add_ticks(&mut self, add: &AddTicks, now: Timestamp) -> Result<Option<Vec<Option<JobId>>>, StoreError> {
        let AddTicks { schedule, ticks, planner, decided_by } = add;
        let Some(mut row) = self.calendar.rows.get(schedule).cloned() else { return Ok(None) };
        let there: Vec<Tick> = self.ticks_of(schedule).cloned().collect();
        let addition = TickAddition::of(ticks, &there, &row, &**planner);
        for due_at in addition.dropped {
            self.calendar.ticks.remove(&(schedule.clone(), due_at));
        }
        addition.rewritten.into_iter().for_each(|run| self.calendar.insert(run));
        let mut jobs = Vec::new();
        for (tick, is_added) in ticks.iter().zip(addition.added) {
            if !is_added {
                jobs.push(None);
                continue;
            }
            let made = tick.job.clone().map(|job| self.make_by_hand(job, now)).transpose()?;
            let job_id = made.as_ref().map(|made| made.id);
            let joined = made.filter(|made| made.is_duplicate).map(|made| tick.clone().joined(made.id));
            if tick.kind != TickKind::Backfill {
                row.last_job_id = job_id.or(row.last_job_id);
            }
            let tick = joined.as_ref().unwrap_or(tick);
            self.calendar.insert(Tick::decided(schedule, tick, job_id, decided_by, now));
            jobs.push(job_id);
        }
        self.calendar.rows.insert(schedule.clone(), row);
        Ok(Some(jobs))
    }
}

impl State {
    fn make_by_hand(&mut self, job: ValidJob, now: Timestamp) -> Result<Enqueued, StoreError> {
        match self.refused_types.get(&job.job_type) {
            None => self.enqueue_one(job, now),
            Some(message) => Err(StoreError::Backend {
                database: "the model".into(),
                doing: "adding ticks to a schedule",
                source: message.clone().into(),
            }),
        }
    }
}

impl Schedules for MemoryStore {
    fn apply_schedules(&self, request: ApplySchedules) -> StoreFuture<'_, AppliedSchedules> {
        self.loudly(move |state, moment| {
            let mut draft = state.clone();
            let applied = draft.apply_schedules(&request, moment.now);
            if !request.dry_run && applied.has_changes() {
                state.pass(Passing::Never)?;
                *state = draft;
            }
            Ok(applied)
        })
    }

    fn change_schedule(&self, request: ChangeSchedule) -> StoreFuture<'_, bool> {
        self.loudly(move |state, moment| {
            state.pass(Passing::Never)?;
            state.change_schedule(&request, moment.now)
        })
    }

    fn schedules(&self, request: SchedulesRequest) -> StoreFuture<'_, Vec<ScheduleRecord>> {
        self.quietly(move |state, moment| Ok(state.schedule_records(&request, moment.now)))
    }

    fn ticks(&self, request: TicksRequest) -> StoreFuture<'_, TickPage> {
        self.quietly(move |state, _| Ok(state.tick_page(&request)))
    }

    fn settle_schedules(&self, request: SettleSchedules) -> StoreFuture<'_, SettledSchedules> {
        self.loudly(move |state, moment| state.settle_schedules(&request, moment.now))
    }

    fn add_ticks(&self, request: AddTicks) -> StoreFuture<'_, Option<Vec<Option<JobId>>>> {
        self.loudly(move |state, moment| {
            state.pass(Passing::Never)?;
            // All of them or none.
            let mut draft = state.clone();
            let added = draft.add_ticks(&request, moment.now)?;
            *state = draft;
            Ok(added)
        })
    }
}
