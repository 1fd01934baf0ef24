use std::collections::BTreeSet;
use std::time::Duration;

use longshore_core::{
    JobId, PlanTicks, PlannedTick, ScheduleDefinition, ScheduleRow, SettleSchedules, SettledSchedules, SettledTick,
    Settling, StoreError, Tick, Timestamp,
};

use crate::memory::moving::Passing;
use crate::memory::state::State;

/// Decides about one schedule.
pub(super) struct Settler<'a> {
    pub(super) planner: &'a dyn PlanTicks,
    pub(super) decided_by: &'a str,
    pub(super) settling: Settling,
}

impl Settler<'_> {
    /// Writes ticks, jobs, a cancellation and the new position; gives the ticks and the planner's warning.
    pub(super) fn settle(
        &self,
        state: &mut State,
        row: &mut ScheduleRow,
        definition: ScheduleDefinition,
        now: Timestamp,
    ) -> (Vec<SettledTick>, Option<String>) {
        let open_job = state.open_job(row);
        let due = row.due(definition, open_job);
        let there: BTreeSet<Timestamp> = state.ticks_of(&row.name).map(|tick| tick.due_at).collect();
        let plan = self.planner.plan(&due, now).in_manner(self.settling);
        let mut plan = plan.around(&there, &due.definition, self.planner);
        if let Some(id) = open_job.filter(|_| plan.cancel_open_job) {
            state.ask_to_cancel(id, now);
        }
        let mut settled = Vec::new();
        for tick in std::mem::take(&mut plan.ticks) {
            if !state.calendar.ticks.contains_key(&(row.name.clone(), tick.due_at)) {
                settled.push(self.decide(state, &row.name, tick, now));
            }
        }
        row.settle(&plan, settled.iter().filter_map(|tick| tick.job_id).next_back());
        state.calendar.rows.insert(row.name.clone(), row.clone());
        (settled, plan.warning)
    }

    fn decide(&self, state: &mut State, schedule: &str, tick: PlannedTick, now: Timestamp) -> SettledTick {
        let (tick, job_id) = match tick.job.clone() {
            None => (tick, None),
            Some(job) if state.refused_types.contains_key(&job.job_type) => {
                let reason = state.refused_types[&job.job_type].clone();
                (tick.refused(&reason), None)
            }
            Some(job) => match state.enqueue_one(job, now) {
                Ok(made) if made.is_duplicate => (tick.joined(made.id), Some(made.id)),
                Ok(made) => (tick, Some(made.id)),
                Err(error) => (tick.refused(&error), None),
            },
        };
        state.calendar.insert(Tick::decided(schedule, &tick, job_id, self.decided_by, now));
        SettledTick { schedule: schedule.to_owned(), tick, job_id }
    }
}

impl State {
    /// The job of its last tick, if that has not ended.
    pub(super) fn open_job(&self, row: &ScheduleRow) -> Option<JobId> {
        row.last_job_id.filter(|id| self.rows.get(id).is_some_and(|row| !row.job.status.is_ended()))
    }

    pub(super) fn settle_schedules(
        &mut self,
        request: &SettleSchedules,
        now: Timestamp,
    ) -> Result<SettledSchedules, StoreError> {
        let mut answer = SettledSchedules::default();
        if self.all_due(now).is_empty() {
            answer.next_due = self.next_tick(now);
            return Ok(answer);
        }
        self.pass(Passing::Never)?;
        let settler =
            Settler { planner: &*request.planner, decided_by: &request.decided_by, settling: Settling::Planned };
        let (limit, mut settled) = (request.limit.max(1) as usize, 0);
        let mut visited = BTreeSet::new();
        // What one settles may release another, whose tick waits for the same job.
        while settled < limit {
            let next = self.all_due(now).into_iter().find(|row| !visited.contains(&row.name));
            let Some(mut row) = next else { break };
            visited.insert(row.name.clone());
            let name = row.name.clone();
            let definition = match row.parsed() {
                Ok(definition) => definition,
                Err(reason) => {
                    answer.unsettled.push((name, format!("its definition is not understood: {reason}")));
                    continue;
                }
            };
            let (ticks, warning) = settler.settle(self, &mut row, definition, now);
            settled += 1;
            answer.has_more |= row.next_due_at.is_some_and(|at| at <= now);
            answer.ticks.extend(ticks);
            answer.warnings.extend(warning.map(|warning| (name, warning)));
        }
        answer.has_more |= settled >= limit;
        answer.next_due = self.next_tick(now);
        Ok(answer)
    }

    /// All that must be settled now: first those whose instant has come, then those whose ticks wait no longer.
    fn all_due(&self, now: Timestamp) -> Vec<ScheduleRow> {
        let is_due = |row: &&ScheduleRow| row.is_due(self.open_job(row), now);
        let mut due: Vec<ScheduleRow> = self.calendar.rows.values().filter(is_due).cloned().collect();
        due.sort_by_key(|row| {
            (row.next_due_at.filter(|at| *at <= now).map_or(i64::MAX, Timestamp::as_ms), row.name.clone())
        });
        due
    }

    fn next_tick(&self, now: Timestamp) -> Option<Duration> {
        let rows = || self.calendar.rows.values();
        let next = rows().filter_map(|row| row.next_due_at).filter(|at| *at > now).min();
        let waits = rows().any(|row| !row.waiting.is_empty());
        let look = waits.then_some(SettledSchedules::WAITING_LOOK);
        next.map(|at| at.since(now)).into_iter().chain(look).min()
    }
}
