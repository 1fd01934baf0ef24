//! Schedules: their rows, their ticks, and the transaction that settles both with the jobs.

mod add_ticks;
mod apply;
mod change;
mod records;
pub(crate) mod schedule_row;
mod settle;
mod settlement;
pub(crate) mod tick_pruning;
pub(crate) mod ticks;

use longshore_core::{
    AddTicks, AppliedSchedules, ApplySchedules, ChangeSchedule, JobId, ScheduleRecord, Schedules, SchedulesRequest,
    SettleSchedules, SettledSchedules, StoreFuture, TickPage, TicksRequest,
};

use crate::store::PostgresStore;

impl Schedules for PostgresStore {
    fn apply_schedules(&self, request: ApplySchedules) -> StoreFuture<'_, AppliedSchedules> {
        self.run("applying schedules", move |parts| apply::apply(parts, request))
    }

    fn change_schedule(&self, request: ChangeSchedule) -> StoreFuture<'_, bool> {
        self.run_by_hand("changing a schedule", move |parts| change::change(parts, request))
    }

    fn schedules(&self, request: SchedulesRequest) -> StoreFuture<'_, Vec<ScheduleRecord>> {
        self.run("listing schedules", move |parts| records::schedules(parts, request))
    }

    fn ticks(&self, request: TicksRequest) -> StoreFuture<'_, TickPage> {
        self.run("listing ticks", move |parts| ticks::ticks(parts, request))
    }

    fn settle_schedules(&self, request: SettleSchedules) -> StoreFuture<'_, SettledSchedules> {
        self.run("settling schedules", move |parts| settle::settle(parts, request))
    }

    fn add_ticks(&self, request: AddTicks) -> StoreFuture<'_, Option<Vec<Option<JobId>>>> {
        self.run_by_hand("adding ticks to a schedule", move |parts| add_ticks::add(parts, request))
    }
}
