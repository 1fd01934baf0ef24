use longshore_core::{
    ScheduleRecord, ScheduleRow, SchedulesRequest, Status, Tick, TickPage, TickRetention, TicksOfRecord, TicksRequest,
    Timestamp,
};

use crate::memory::state::State;

impl State {
    pub(super) fn schedule_records(&self, request: &SchedulesRequest, now: Timestamp) -> Vec<ScheduleRecord> {
        let SchedulesRequest { names, after, limit } = request;
        let is_meant = |row: &&ScheduleRow| {
            names.as_ref().is_none_or(|names| names.contains(&row.name))
                && after.as_ref().is_none_or(|after| row.name > *after)
        };
        let rows = self.calendar.rows.values().filter(is_meant).take((*limit).clamp(1, 1000) as usize);
        rows.map(|row| ScheduleRecord::of(row.clone(), self.of_record(row), now)).collect()
    }

    fn of_record(&self, row: &ScheduleRow) -> TicksOfRecord {
        TicksOfRecord {
            last: self.ticks_of(&row.name).next_back().cloned(),
            open_job: self.open_job(row),
            last_completed: self.last_completed(&row.name),
        }
    }

    fn last_completed(&self, name: &str) -> Option<(Timestamp, Timestamp)> {
        let with_job = self.ticks_of(name).rev().filter_map(|tick| Some((tick, tick.job_id?)));
        with_job.take(ScheduleRecord::COMPLETED_AMONG as usize).find_map(|(tick, id)| match self.rows.get(&id) {
            None => Some((tick.decided_at, tick.due_at)),
            Some(row) if row.job.status == Status::Completed => {
                Some((row.job.completed_at.unwrap_or(tick.decided_at), tick.due_at))
            }
            Some(_) => None,
        })
    }

    pub(super) fn tick_page(&self, request: &TicksRequest) -> TickPage {
        let TicksRequest { schedule, outcomes, before, limit } = request;
        let limit = (*limit).clamp(1, 1000);
        let is_meant = |tick: &&Tick| {
            outcomes.as_ref().is_none_or(|outcomes| outcomes.contains(&tick.outcome))
                && before.is_none_or(|before| tick.due_at < before)
        };
        TickPage::of(self.ticks_of(schedule).rev().filter(is_meant).take(limit as usize + 1).cloned().collect(), limit)
    }

    /// The ticks of a schedule, oldest first.
    pub(super) fn ticks_of(&self, schedule: &str) -> impl DoubleEndedIterator<Item = &Tick> {
        self.calendar.ticks.values().filter(move |tick| tick.schedule == schedule)
    }

    /// The newest ticks of each schedule, by schedule.
    pub(in crate::memory) fn moved_ticks(&self) -> Vec<Tick> {
        let mut names: Vec<&String> = self.calendar.ticks.keys().map(|(name, _)| name).collect();
        names.dedup();
        let newest = |name: &String| self.ticks_of(name).rev().take(TickRetention::MOVED as usize).cloned().collect();
        names.into_iter().flat_map(|name| -> Vec<Tick> { newest(name) }).collect()
    }

    /// Removes old ticks of all schedules.
    pub(in crate::memory) fn prune_ticks(&mut self, now: Timestamp) {
        let mut names: Vec<String> = self.calendar.ticks.keys().map(|(name, _)| name.clone()).collect();
        names.dedup();
        for name in names {
            let newest = |number: u32| self.ticks_of(&name).rev().nth(number as usize - 1).map(|tick| tick.due_at);
            let Some(always) = newest(TickRetention::ALWAYS) else { continue };
            let kept_from = TickRetention::kept_from(always, newest(TickRetention::AT_MOST), now);
            self.calendar.ticks.retain(|(of, due_at), _| *of != name || *due_at >= kept_from);
        }
    }
}
