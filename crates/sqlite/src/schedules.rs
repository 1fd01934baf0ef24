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

use crate::store::SqliteStore;
use add_ticks::Add;
use apply::{Apply, applied};
use change::Change;
use settle::{IsDue, Settle, look};

impl Schedules for SqliteStore {
    fn apply_schedules(&self, request: ApplySchedules) -> StoreFuture<'_, AppliedSchedules> {
        Box::pin(async move {
            let look = request.clone();
            let read = move |tx: &crate::database::readers::ReadTx<'_>| Ok(applied(tx.connection, &look)?);
            let would = self.parts.readers.run("comparing schedules", read).await?;
            if request.dry_run || !would.has_changes() {
                return Ok(would);
            }
            self.parts.writer.run(Apply { request }).await
        })
    }

    fn change_schedule(&self, request: ChangeSchedule) -> StoreFuture<'_, bool> {
        Box::pin(self.parts.writer.run(Change { request }))
    }

    fn schedules(&self, request: SchedulesRequest) -> StoreFuture<'_, Vec<ScheduleRecord>> {
        Box::pin(self.parts.readers.run("listing schedules", move |tx| Ok(records::schedules(tx, &request)?)))
    }

    fn ticks(&self, request: TicksRequest) -> StoreFuture<'_, TickPage> {
        Box::pin(self.parts.readers.run("listing ticks", move |tx| Ok(ticks::ticks(tx.connection, &request)?)))
    }

    fn settle_schedules(&self, request: SettleSchedules) -> StoreFuture<'_, SettledSchedules> {
        Box::pin(async move {
            let read = self.parts.readers.run("looking for due schedules", |tx| Ok(look(tx.connection, tx.now)?));
            match read.await? {
                Ok(next_due) => Ok(SettledSchedules { next_due, ..SettledSchedules::default() }),
                Err(IsDue) => self.parts.writer.run(Settle { request }).await,
            }
        })
    }

    fn add_ticks(&self, request: AddTicks) -> StoreFuture<'_, Option<Vec<Option<JobId>>>> {
        Box::pin(self.parts.writer.run(Add { request }))
    }
}
