use longshore_core::{
    AddTicks, AppliedSchedules, ApplySchedules, ChangeSchedule, JobId, ScheduleRecord, Schedules, SchedulesRequest,
    SettleSchedules, SettledSchedules, StoreFuture, TickPage, TicksRequest,
};

use crate::combined_store::CombinedStore;

/// Schedules are in the first database, which has every queue that no other one names: a tick and its job are one
/// transaction.
const HOME: usize = 0;

impl Schedules for CombinedStore {
    fn apply_schedules(&self, apply: ApplySchedules) -> StoreFuture<'_, AppliedSchedules> {
        let call = |store: std::sync::Arc<dyn longshore_core::Backend>| -> StoreFuture<'static, _> {
            Box::pin(async move { store.apply_schedules(apply).await })
        };
        Box::pin(self.shared.members.ask_one(HOME, call))
    }

    fn change_schedule(&self, change: ChangeSchedule) -> StoreFuture<'_, bool> {
        let call = |store: std::sync::Arc<dyn longshore_core::Backend>| -> StoreFuture<'static, _> {
            Box::pin(async move { store.change_schedule(change).await })
        };
        Box::pin(self.shared.members.ask_one(HOME, call))
    }

    fn schedules(&self, request: SchedulesRequest) -> StoreFuture<'_, Vec<ScheduleRecord>> {
        let call = |store: std::sync::Arc<dyn longshore_core::Backend>| -> StoreFuture<'static, _> {
            Box::pin(async move { store.schedules(request).await })
        };
        Box::pin(self.shared.members.ask_one(HOME, call))
    }

    fn ticks(&self, request: TicksRequest) -> StoreFuture<'_, TickPage> {
        let call = |store: std::sync::Arc<dyn longshore_core::Backend>| -> StoreFuture<'static, _> {
            Box::pin(async move { store.ticks(request).await })
        };
        Box::pin(self.shared.members.ask_one(HOME, call))
    }

    fn settle_schedules(&self, settle: SettleSchedules) -> StoreFuture<'_, SettledSchedules> {
        let call = |store: std::sync::Arc<dyn longshore_core::Backend>| -> StoreFuture<'static, _> {
            Box::pin(async move { store.settle_schedules(settle).await })
        };
        Box::pin(self.shared.members.ask_one(HOME, call))
    }

    fn add_ticks(&self, add: AddTicks) -> StoreFuture<'_, Option<Vec<Option<JobId>>>> {
        let call = |store: std::sync::Arc<dyn longshore_core::Backend>| -> StoreFuture<'static, _> {
            Box::pin(async move { store.add_ticks(add).await })
        };
        Box::pin(self.shared.members.ask_one(HOME, call))
    }
}
