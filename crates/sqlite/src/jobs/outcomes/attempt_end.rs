use std::time::Duration;

use longshore_core::{
    AttemptOutcome, ClaimNumber, DeadLetterReason, Failure, JobId, Outcome, Overdue, Status, Timestamp, WorkerId,
};
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, Params, ToSql, params};

use crate::database::fault::Fault;
use crate::jobs::family::Family;
use crate::jobs::stuck::unless_refused;
use crate::limits::ended::{Freed, slow_down};
use crate::upkeep::counts::Minute;
use crate::workers::held::HeldLease;
use crate::writing::session::WriteTx;

/// The end of one attempt, and the state change of its job.
#[derive(Debug)]
pub(crate) struct AttemptEnded<'a> {
    pub(crate) worker_id: &'a WorkerId,
    pub(crate) id: JobId,
    pub(crate) claim_number: ClaimNumber,
    pub(crate) attempt: u32,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Timestamp,
    pub(crate) outcome: &'a Outcome,
    /// For how long its handler was asked to slow down.
    pub(crate) slow_down: Option<Duration>,
}

/// The statement for the most common end, prepared once for a whole batch.
pub(crate) struct Ending<'c> {
    connection: &'c Connection,
    completed: CachedStatement<'c>,
    pub(crate) family: Family,
    freed: Freed,
}

impl<'c> Ending<'c> {
    pub(crate) fn begin(tx: &WriteTx<'_, 'c>) -> rusqlite::Result<Self> {
        let connection = tx.connection;
        let completed = connection.prepare_cached(include_str!("../../sql/outcomes/record_completed.sql"))?;
        Ok(Self { connection, completed, family: Family::read(connection)?, freed: Freed::default() })
    }

    /// Makes the move under the fence, writes the attempt's row, counts it, and moves the children. `false` when
    /// the job is no longer this attempt's, or stands in another queue than `lease` says: nothing was written. A row
    /// that the database refuses is an error; part of it may be written then.
    pub(crate) fn write(
        &mut self,
        tx: &mut WriteTx<'_, 'c>,
        ended: &AttemptEnded<'_>,
        lease: &HeldLease,
    ) -> Result<bool, Fault> {
        if !self.move_if_held(ended, lease)? {
            return Ok(false);
        }
        self.follow(tx, ended, lease)?;
        Ok(true)
    }

    /// The same where nobody is there to hear of a refusal: a job whose move a constraint refuses is given up.
    pub(crate) fn write_or_give_up(
        &mut self,
        tx: &mut WriteTx<'_, 'c>,
        ended: &AttemptEnded<'_>,
        lease: &HeldLease,
    ) -> Result<bool, Fault> {
        let moved = self.move_if_held(ended, lease);
        match unless_refused(tx, ended.id, moved)? {
            Some(true) => self.follow(tx, ended, lease)?,
            Some(false) => return Ok(false),
            // Another program put a value into the row with which no move is possible.
            None => {}
        }
        Ok(true)
    }

    /// Wakes those who wait for the places that the jobs of the batch had.
    pub(crate) fn finish(self, tx: &mut WriteTx<'_, 'c>) -> Result<(), Fault> {
        self.freed.tell(tx)
    }

    /// What follows from the move of a job.
    fn follow(&mut self, tx: &mut WriteTx<'_, 'c>, ended: &AttemptEnded<'_>, lease: &HeldLease) -> Result<(), Fault> {
        let to = ended.outcome.status();
        self.freed.add(tx, ended.id, &lease.queue)?;
        if let Some(span) = ended.slow_down {
            slow_down(tx, ended.id, ended.finished_at, span)?;
        }
        tx.counts.moved(&lease.queue, Status::Running, to);
        tx.counts.ended(&lease.queue, ended.finished_at, minute_of(ended, lease));
        if let Some(row) = AttemptRow::of(ended.outcome) {
            row.insert(self.connection, ended)?;
        }
        if to.is_ended() {
            self.family.tell_children(tx, ended.id, to, ended.finished_at)?;
        } else if self.cancel_if_asked(ended)? {
            tx.counts.moved(&lease.queue, to, Status::Cancelled);
            self.family.tell_children(tx, ended.id, Status::Cancelled, ended.finished_at)?;
        } else {
            tx.wake_for(None, &lease.queue);
        }
        Ok(())
    }

    fn cancel_if_asked(&self, ended: &AttemptEnded<'_>) -> rusqlite::Result<bool> {
        let sql = include_str!("../../sql/outcomes/cancel_asked_job.sql");
        Ok(run(self.connection, sql, params![ended.id.0, ended.finished_at.as_ms()])? == 1)
    }

    /// An error of a row that is not this attempt's any more says nothing.
    fn move_if_held(&mut self, ended: &AttemptEnded<'_>, lease: &HeldLease) -> rusqlite::Result<bool> {
        match self.move_job(ended, lease) {
            Err(_) if !is_held(self.connection, ended)? => Ok(false),
            moved => moved,
        }
    }

    fn move_job(&mut self, ended: &AttemptEnded<'_>, lease: &HeldLease) -> rusqlite::Result<bool> {
        let fence = Fence {
            id: ended.id.0,
            worker_id: ended.worker_id.as_str(),
            claim_number: ended.claim_number.0,
            queue: &lease.queue,
            started_at: ended.started_at.map(Timestamp::as_ms),
        };
        let at = ended.finished_at.as_ms();
        let changed = match ended.outcome {
            Outcome::Completed { result } => {
                let result = result.as_ref().map(longshore_core::JobData::as_str);
                let Fence { id, worker_id, claim_number, queue, started_at } = fence;
                self.completed.execute(params![id, worker_id, claim_number, queue, started_at, at, result])?
            }
            Outcome::Cancelled => {
                self.execute(include_str!("../../sql/outcomes/record_cancelled.sql"), &fence, &[&at])?
            }
            Outcome::Expired { at: expiry, failure } => self.expire(&fence, at, *expiry, failure.as_ref())?,
            Outcome::Returned => {
                self.execute(include_str!("../../sql/outcomes/record_returned.sql"), &fence, &[&at])?
            }
            Outcome::Lapsed { .. } => {
                self.execute(include_str!("../../sql/outcomes/record_lapsed.sql"), &fence, &[&at])?
            }
            Outcome::Deferred { delay } => {
                let run_at = ended.finished_at.after(*delay).as_ms();
                self.execute(include_str!("../../sql/outcomes/record_deferred.sql"), &fence, &[&run_at])?
            }
            Outcome::Retrying { delay, failure } => {
                let retry_at = ended.finished_at.after(*delay).as_ms();
                self.execute_failed(include_str!("../../sql/outcomes/record_retrying.sql"), &fence, retry_at, failure)?
            }
            Outcome::Crashed { failure } => {
                self.execute_failed(include_str!("../../sql/outcomes/record_crashed.sql"), &fence, at, failure)?
            }
            Outcome::DeadLetter { reason, failure } => self.bury(&fence, at, *reason, failure)?,
        };
        Ok(changed == 1)
    }

    fn execute_failed(&self, sql: &str, fence: &Fence<'_>, at: i64, failure: &Failure) -> rusqlite::Result<usize> {
        let failure_type = failure.failure_type.as_str();
        self.execute(sql, fence, &[&at, &failure_type, &failure.message, &failure.traceback])
    }

    fn expire(
        &self,
        fence: &Fence<'_>,
        at: i64,
        expiry: Timestamp,
        failure: Option<&Failure>,
    ) -> rusqlite::Result<usize> {
        let words = Overdue::Expired(expiry).reason().to_string();
        let failure_type = failure.map(|failure| failure.failure_type.as_str());
        let message = failure.map(|failure| failure.message.as_str());
        let traceback = failure.and_then(|failure| failure.traceback.as_deref());
        let sql = include_str!("../../sql/outcomes/record_expired.sql");
        self.execute(sql, fence, &[&at, &words, &failure_type, &message, &traceback])
    }

    fn bury(&self, fence: &Fence<'_>, at: i64, reason: DeadLetterReason, failure: &Failure) -> rusqlite::Result<usize> {
        // The crash that spends the budget is counted in the same change.
        let crash_count = match reason {
            DeadLetterReason::CrashesSpent { crashes } => Value::Integer(i64::from(crashes)),
            _ => Value::Null,
        };
        let failure_type = failure.failure_type.as_str();
        let sql = include_str!("../../sql/outcomes/record_dead_letter.sql");
        let words = reason.to_string();
        self.execute(sql, fence, &[&at, &words, &failure_type, &failure.message, &failure.traceback, &crash_count])
    }

    fn execute(&self, sql: &str, fence: &Fence<'_>, rest: &[&dyn ToSql]) -> rusqlite::Result<usize> {
        let fence: [&dyn ToSql; 5] =
            [&fence.id, &fence.worker_id, &fence.claim_number, &fence.queue, &fence.started_at];
        let all: Vec<&dyn ToSql> = fence.into_iter().chain(rest.iter().copied()).collect();
        run(self.connection, sql, all.as_slice())
    }
}

fn is_held(connection: &Connection, ended: &AttemptEnded<'_>) -> rusqlite::Result<bool> {
    connection.prepare_cached(include_str!("../../sql/claim/is_running.sql"))?.exists(params![
        ended.id.0,
        ended.worker_id.as_str(),
        ended.claim_number.0
    ])
}

/// What every write on a running job checks: the first parameters of its statement.
struct Fence<'a> {
    id: i64,
    worker_id: &'a str,
    claim_number: i64,
    queue: &'a str,
    started_at: Option<i64>,
}

fn run(connection: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
    connection.prepare_cached(sql)?.execute(params)
}

fn minute_of(ended: &AttemptEnded<'_>, lease: &HeldLease) -> Minute {
    let mut minute = Minute::of_attempt(lease.ready_at, ended.started_at, ended.finished_at);
    match ended.outcome {
        Outcome::Completed { .. } => minute.completed = 1,
        Outcome::DeadLetter { .. } => minute.failed = 1,
        Outcome::Retrying { .. } => minute.retried = 1,
        Outcome::Cancelled | Outcome::Expired { .. } => minute.cancelled = 1,
        Outcome::Deferred { .. } | Outcome::Returned | Outcome::Crashed { .. } | Outcome::Lapsed { .. } => {}
    }
    minute
}

/// The row of an attempt that did not simply succeed. A successful attempt has no row; the job's row describes it.
struct AttemptRow<'a> {
    outcome: AttemptOutcome,
    failure: Option<&'a Failure>,
}

impl<'a> AttemptRow<'a> {
    const fn of(outcome: &'a Outcome) -> Option<Self> {
        if matches!(outcome, Outcome::Completed { .. }) {
            return None;
        }
        Some(Self { outcome: outcome.of_attempt(), failure: outcome.failure() })
    }

    fn insert(&self, connection: &Connection, ended: &AttemptEnded<'_>) -> rusqlite::Result<()> {
        connection.prepare_cached(include_str!("../../sql/outcomes/insert_attempt.sql"))?.execute(params![
            ended.id.0,
            ended.claim_number.0,
            ended.attempt,
            ended.worker_id.as_str(),
            ended.started_at.map(Timestamp::as_ms),
            ended.finished_at.as_ms(),
            self.outcome.as_str(),
            self.failure.map(|failure| failure.failure_type.as_str()),
            self.failure.map(|failure| failure.message.as_str()),
            self.failure.and_then(|failure| failure.traceback.as_deref()),
        ])?;
        Ok(())
    }
}
