//! Statements of a repair that run by themselves, before or after its transaction.

use super::recorded;
use crate::{
    alterer::Moment,
    error::MigrateError,
    ledger::{EventKind, RowChange},
    migrator::{Migrator, Pen},
    plan::Planned,
    survey::Survey,
    target::ForeignKeys,
};

impl Migrator<'_> {
    /// Runs them in order, each done and recorded before the next one, and gives their number. A repair that is broken
    /// off among them leaves whole statements behind; the next one goes on from there.
    pub(super) fn carry_out_alone(
        &mut self,
        plan: &[Planned],
        moment: Moment,
        pen: &Pen,
    ) -> Result<usize, MigrateError> {
        let mut count = 0;
        for planned in plan.iter().filter(|planned| planned.moment() == moment) {
            let (Some(id), Some(sql)) = (&planned.step.id, &planned.step.sql) else { continue };
            let migration = self.migration(id)?;
            self.report_step(planned, id, count);
            let is_bare = self.target.is_outside_transactions(sql);
            if is_bare {
                self.target.execute(sql)?;
            }
            self.in_transaction_again(ForeignKeys::Enforced, |migrator| {
                if !is_bare {
                    migrator.target.execute(sql)?;
                }
                let record = recorded(planned, &migration, pen, EventKind::Repaired, RowChange::None);
                // Before the transaction there may be no ledger to write to.
                if moment == Moment::After { Ok(migrator.target.record(&record)?) } else { Ok(()) }
            })?;
            count += 1;
        }
        Ok(count)
    }

    /// The same transaction again where it waited in vain for a lock.
    pub(super) fn in_transaction_again(
        &mut self,
        keys: ForeignKeys,
        work: impl Fn(&mut Self) -> Result<(), MigrateError>,
    ) -> Result<(), MigrateError> {
        let mut attempt = 0;
        loop {
            let error = match self.in_transaction(keys, &work) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let pause = error.target_error().and_then(|error| self.target.retry_after(error, attempt));
            let Some(pause) = pause else { return Err(error) };
            std::thread::sleep(pause);
            attempt += 1;
        }
    }

    /// What still differs when every statement has run.
    pub(super) fn refuse_left_over(&mut self, survey: &Survey, plan: &[Planned]) -> Result<(), MigrateError> {
        let observed = self.target.observe()?;
        let left = self.left_over(survey, plan, &observed);
        let reasons = self.reasons(survey, plan, &left)?;
        if reasons.is_empty() { Ok(()) } else { Err(MigrateError::NoRepair { reasons }) }
    }
}
