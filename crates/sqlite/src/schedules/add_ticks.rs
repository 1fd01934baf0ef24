use longshore_core::{AddTicks, JobId, PlannedTick, ScheduleRow, Tick, TickAddition, TickKind};

use super::settlement::make;
use super::{schedule_row, ticks};
use crate::database::fault::Fault;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;

/// Adds ticks by hand.
pub(super) struct Add {
    pub(super) request: AddTicks,
}

impl Work for Add {
    type Answer = Option<Vec<Option<JobId>>>;
    const DOING: &'static str = "adding ticks to a schedule";

    fn rows(&self) -> usize {
        self.request.ticks.len()
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Self::Answer, Fault> {
        let AddTicks { schedule, ticks: added, planner, .. } = &self.request;
        let Some(mut row) = schedule_row::read(tx.connection, schedule)? else { return Ok(None) };
        let span = added.iter().map(|tick| tick.due_at).min().zip(added.iter().map(|tick| tick.due_at).max());
        let Some((first, last)) = span else { return Ok(Some(Vec::new())) };
        let mut there = ticks::ticks_over(tx.connection, schedule, &(first..=last))?;
        let span = TickAddition::span(&(first..=last), &there);
        if span != (first..=last) {
            there = ticks::ticks_over(tx.connection, schedule, &span)?;
        }
        let addition = TickAddition::of(added, &there, &row, &**planner);
        addition.dropped.iter().try_for_each(|due_at| ticks::delete_tick(tx.connection, schedule, *due_at))?;
        addition.rewritten.iter().try_for_each(|run| ticks::insert(tx.connection, run))?;
        let mut jobs = Vec::with_capacity(added.len());
        for (tick, is_added) in added.iter().zip(&addition.added) {
            jobs.push(if *is_added { self.add(tx, &mut row, tick)? } else { None });
        }
        schedule_row::write_position(tx.connection, &row)?;
        Ok(Some(jobs))
    }
}

impl Add {
    fn add(&self, tx: &mut WriteTx<'_, '_>, row: &mut ScheduleRow, tick: &PlannedTick) -> Result<Option<JobId>, Fault> {
        let mut tick = tick.clone();
        let mut job_id = None;
        if let Some(job) = &tick.job {
            let made = make(tx, job)?;
            job_id = Some(made.id);
            if made.is_duplicate {
                tick = tick.joined(made.id);
            }
        }
        if tick.kind != TickKind::Backfill {
            row.last_job_id = job_id.or(row.last_job_id);
        }
        ticks::insert(tx.connection, &Tick::decided(&row.name, &tick, job_id, &self.request.decided_by, tx.now))?;
        Ok(job_id)
    }
}
