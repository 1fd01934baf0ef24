use std::sync::Arc;
use std::time::Duration;

use longshore_core::{AttemptEnd, Clock, JobId, RetryPolicy, Suspects, WorkerId, decide};
use rusqlite::OptionalExtension;

use crate::database::column;
use crate::database::fault::{Fault, spoils_connection};
use crate::jobs::outcomes::attempt_end::{AttemptEnded, Ending};
use crate::workers::held_job::{HeldJob, Loss, Proof};
use crate::workers::liveness::started::StartedTable;
use crate::writing::session::WriteTx;
use crate::writing::work::{Passing, Work};

/// How many jobs one transaction takes from a lost worker.
pub(crate) const STEP_ROWS: u32 = 500;
/// How long a step may wait for the write lock and still end a lease. A worker that waits for the same lock must have
/// had a chance to come first.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// One bounded step: some jobs of one lost worker, and its row when no job is left.
pub(crate) struct TakeOverStep {
    pub(crate) worker_id: WorkerId,
    pub(crate) heartbeat_number: Option<i64>,
    pub(crate) loss: Loss,
    pub(crate) started: Arc<StartedTable>,
    pub(crate) suspects: Suspects,
    pub(crate) after: JobId,
    pub(crate) asked_at: Duration,
    pub(crate) clock: Arc<dyn Clock>,
}

#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) jobs: u64,
    /// Where the next step starts, if there is one.
    pub(crate) next: Option<JobId>,
    pub(crate) end: End,
}

/// The result for the worker.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum End {
    /// It lives after all, or another process takes its jobs.
    #[default]
    Elsewhere,
    /// This step had to wait for the database, and the worker may have waited longer.
    Late,
    /// It holds no more jobs, and its row is removed.
    Gone,
    /// One of its jobs cannot be taken.
    Stuck,
}

impl Work for TakeOverStep {
    type Answer = Taken;
    const DOING: &'static str = "taking jobs from a dead worker";
    const PASSING: Passing = Passing::WhileDraining;

    fn rows(&self) -> usize {
        STEP_ROWS as usize
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Taken, Fault> {
        if self.heartbeat_number_now(tx)? != self.heartbeat_number {
            return Ok(Taken::default());
        }
        if self.is_late() {
            return Ok(Taken { end: End::Late, ..Taken::default() });
        }
        let mut ending = Ending::begin(tx)?;
        let jobs = HeldJob::read(tx.connection, &self.worker_id, self.after, STEP_ROWS)?;
        let mut taken = Taken::default();
        for job in &jobs {
            taken.jobs += u64::from(self.take_apart(tx, &mut ending, job)?);
        }
        ending.finish(tx)?;
        if jobs.len() == STEP_ROWS as usize {
            taken.next = jobs.last().map(|job| job.id);
            return Ok(taken);
        }
        tx.held.forget(&self.worker_id);
        let removed = tx
            .connection
            .prepare_cached(include_str!("../../sql/workers/delete_worker.sql"))?
            .execute([self.worker_id.as_str()])?;
        taken.end = if removed == 1 || self.heartbeat_number.is_none() { End::Gone } else { End::Stuck };
        Ok(taken)
    }
}

impl TakeOverStep {
    /// Only a lease can end by mistake while the database is locked. A death stays a death.
    fn is_late(&self) -> bool {
        self.loss == Loss::Lapsed && self.clock.monotonic().saturating_sub(self.asked_at) > WAIT_MAX
    }

    fn heartbeat_number_now(&self, tx: &WriteTx<'_, '_>) -> rusqlite::Result<Option<i64>> {
        tx.connection
            .prepare_cached(include_str!("../../sql/workers/select_heartbeat_number.sql"))?
            .query_row([self.worker_id.as_str()], |row| column::integer(row, 0))
            .optional()
    }

    /// Takes one job in its own savepoint: a row that cannot be changed never stops the others.
    fn take_apart<'c>(&self, tx: &mut WriteTx<'_, 'c>, ending: &mut Ending<'c>, job: &HeldJob) -> Result<bool, Fault> {
        tx.connection.prepare_cached("SAVEPOINT row")?.execute([])?;
        let mut others = std::mem::take(&mut tx.counts);
        let taken = self.take(tx, ending, job);
        match taken {
            Ok(is_taken) => {
                others.merge(std::mem::take(&mut tx.counts));
                tx.counts = others;
                tx.connection.prepare_cached("RELEASE row")?.execute([])?;
                Ok(is_taken)
            }
            Err(Fault::Sql(error)) if !spoils_connection(&error) && !tx.connection.is_autocommit() => {
                crate::database::quiet::error!(job_id = job.id.0, worker_id = %self.worker_id, %error, "cannot be taken from its worker");
                tx.counts = others;
                tx.connection.prepare_cached("ROLLBACK TO row")?.execute([])?;
                tx.connection.prepare_cached("RELEASE row")?.execute([])?;
                Ok(false)
            }
            Err(fault) => Err(fault),
        }
    }

    fn take<'c>(&self, tx: &mut WriteTx<'_, 'c>, ending: &mut Ending<'c>, job: &HeldJob) -> Result<bool, Fault> {
        let begun = job.begun(&self.started);
        let end = match (begun.map(|begun| begun.proof), self.loss) {
            (None, _) => AttemptEnd::Interrupted,
            (Some(_), Loss::Lapsed) => AttemptEnd::Lapsed,
            (Some(Proof::BeganAlone), Loss::Died) => AttemptEnd::Crashed(Suspects::One),
            (Some(Proof::OfItsWorker), Loss::Died) => AttemptEnd::Crashed(self.suspects),
            (Some(Proof::None), Loss::Died) => AttemptEnd::Crashed(Suspects::Several),
        };
        // Neither end has a delay, so neither the policy nor the random number matters.
        let outcome = decide(&job.budgets, end, &RetryPolicy::default(), tx.now, 0.0);
        let ended = AttemptEnded {
            worker_id: &self.worker_id,
            id: job.id,
            claim_number: job.lease.claim_number,
            attempt: job.attempt(),
            started_at: begun.map(|begun| begun.at),
            finished_at: tx.now,
            outcome: &outcome,
            slow_down: None,
        };
        ending.write_or_give_up(tx, &ended, &job.lease)
    }
}
