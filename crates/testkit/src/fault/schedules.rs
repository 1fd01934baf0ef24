use longshore_core::{
    AddTicks, AppliedSchedules, ApplySchedules, ChangeSchedule, JobId, ScheduleRecord, Schedules, SchedulesRequest,
    SettleSchedules, SettledSchedules, StoreFuture, TickPage, TicksRequest,
};

use super::{FaultStore, Operation};

impl<S: Schedules> Schedules for FaultStore<S> {
    fn apply_schedules(&self, apply: ApplySchedules) -> StoreFuture<'_, AppliedSchedules> {
        self.meet(Operation::Schedule, move |inner| inner.apply_schedules(apply))
    }

    fn change_schedule(&self, change: ChangeSchedule) -> StoreFuture<'_, bool> {
        self.meet(Operation::Schedule, move |inner| inner.change_schedule(change))
    }

    fn schedules(&self, request: SchedulesRequest) -> StoreFuture<'_, Vec<ScheduleRecord>> {
        self.meet(Operation::Read, move |inner| inner.schedules(request))
    }

    fn ticks(&self, request: TicksRequest) -> StoreFuture<'_, TickPage> {
        self.meet(Operation::Read, move |inner| inner.ticks(request))
    }

    fn settle_schedules(&self, settle: SettleSchedules) -> StoreFuture<'_, SettledSchedules> {
        self.meet(Operation::Settle, move |inner| inner.settle_schedules(settle))
    }

    fn add_ticks(&self, add: AddTicks) -> StoreFuture<'_, Option<Vec<Option<JobId>>>> {
        self.meet(Operation::Schedule, move |inner| inner.add_ticks(add))
    }
}
