use std::collections::BTreeSet;

use longshore_core::{
    PlanTicks, PlannedTick, ScheduleDefinition, ScheduleRow, SettledTick, Settling, Tick, TickPlan, Timestamp, ValidJob,
};
use rusqlite::Connection;

use super::{schedule_row, ticks};
use crate::database::fault::Fault;
use crate::jobs::actions::action::cancel_job;
use crate::jobs::enqueue::{INSERT_JOB, Inserting};
use crate::writing::session::WriteTx;

/// Decides about one schedule in the writer's transaction.
pub(super) struct Settlement<'a> {
    pub(super) planner: &'a dyn PlanTicks,
    pub(super) decided_by: &'a str,
    pub(super) settling: Settling,
}

/// What was decided about one schedule.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) ticks: Vec<SettledTick>,
    pub(super) warning: Option<String>,
}

impl Settlement<'_> {
    /// Writes ticks, jobs, a cancellation and the new position.
    pub(super) fn settle(
        &self,
        tx: &mut WriteTx<'_, '_>,
        row: &mut ScheduleRow,
        definition: ScheduleDefinition,
    ) -> Result<Settled, Fault> {
        let open_job = schedule_row::open_job(tx.connection, row)?;
        let due = row.due(definition, open_job);
        let plan = self.planner.plan(&due, tx.now).in_manner(self.settling);
        let there = within_runs(tx.connection, &row.name, &plan)?;
        let mut plan = plan.around(&there, &due.definition, self.planner);
        // Before the new jobs, so that a unique key of the cancelled one is free.
        if let Some(id) = open_job.filter(|_| plan.cancel_open_job) {
            cancel_job(tx, id)?;
        }
        let mut settled = Settled { warning: plan.warning.take(), ..Settled::default() };
        for tick in std::mem::take(&mut plan.ticks) {
            // A run that somebody has asked for at this very instant.
            if !ticks::has_tick(tx.connection, &row.name, tick.due_at)? {
                settled.ticks.push(self.decide(tx, &row.name, tick)?);
            }
        }
        row.settle(&plan, settled.ticks.iter().filter_map(|tick| tick.job_id).next_back());
        schedule_row::write_position(tx.connection, row)?;
        Ok(settled)
    }

    /// Writes one tick, with its job if the database accepts that.
    fn decide(&self, tx: &mut WriteTx<'_, '_>, schedule: &str, tick: PlannedTick) -> Result<SettledTick, Fault> {
        let (tick, job_id) = match tick.job.clone() {
            None => (tick, None),
            Some(job) => match tx.apart(|tx| make(tx, &job))? {
                Ok(made) if made.is_duplicate => (tick.joined(made.id), Some(made.id)),
                Ok(made) => (tick, Some(made.id)),
                Err(error) => (tick.refused(&error), None),
            },
        };
        ticks::insert(tx.connection, &Tick::decided(schedule, &tick, job_id, self.decided_by, tx.now))?;
        Ok(SettledTick { schedule: schedule.to_owned(), tick, job_id })
    }
}

/// The instants of the rows that are there already where the plan has a run.
fn within_runs(connection: &Connection, schedule: &str, plan: &TickPlan) -> rusqlite::Result<BTreeSet<Timestamp>> {
    let mut there = BTreeSet::new();
    for (first, last) in plan.runs() {
        there.extend(ticks::instants(connection, schedule, &(first..=last))?);
    }
    Ok(there)
}

/// Enqueues one job as every other one.
pub(super) fn make(tx: &mut WriteTx<'_, '_>, job: &ValidJob) -> Result<longshore_core::Enqueued, Fault> {
    let connection = tx.connection;
    let mut insert = connection.prepare_cached(INSERT_JOB)?;
    Inserting::begin(connection, &mut insert).write(tx, job)
}
