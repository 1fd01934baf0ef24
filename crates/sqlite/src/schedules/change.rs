use longshore_core::{ChangeSchedule, ScheduleChange, ScheduleRow, Settling, StoreError};
use rusqlite::params;

use super::schedule_row;
use super::settlement::Settlement;
use crate::database::fault::Fault;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;

/// Pauses, resumes or removes a schedule.
pub(super) struct Change {
    pub(super) request: ChangeSchedule,
}

impl Work for Change {
    type Answer = bool;
    const DOING: &'static str = "changing a schedule";

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<bool, Fault> {
        let ChangeSchedule { name, change, .. } = &self.request;
        let Some(mut row) = schedule_row::read(tx.connection, name)? else { return Ok(false) };
        if *change == ScheduleChange::Remove {
            schedule_row::delete(tx.connection, name)?;
            tx.wake_schedulers();
            return Ok(true);
        }
        if row.settles_before(change) {
            self.settle(tx, &mut row)?;
        }
        if let Some(from) = row.reopened_from(change) {
            let reopen = include_str!("../sql/schedules/delete_ticks_of_pause.sql");
            tx.connection.prepare_cached(reopen)?.execute(params![name, from.as_ms()])?;
        }
        if row.change(change, tx.now) {
            schedule_row::write(tx.connection, &row)?;
            tx.wake_schedulers();
        }
        Ok(true)
    }
}

impl Change {
    fn settle(&self, tx: &mut WriteTx<'_, '_>, row: &mut ScheduleRow) -> Result<(), Fault> {
        let ChangeSchedule { name, planner, decided_by, .. } = &self.request;
        let definition =
            row.parsed().map_err(|reason| StoreError::UnknownDefinition { schedule: name.clone(), reason })?;
        Settlement { planner: &**planner, decided_by, settling: Settling::Planned }.settle(tx, row, definition)?;
        Ok(())
    }
}
