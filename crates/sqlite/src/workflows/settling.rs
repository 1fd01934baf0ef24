use longshore_core::{
    AwaitedState, DeadLetterReason, DependencySettled, DependencyState, JobId, Status, settle_dependency,
};
use rusqlite::{OptionalExtension, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::jobs::family::{Family, bury_children, unblock};
use crate::jobs::stuck::unless_refused;
use crate::upkeep::counts::Minute;
use crate::workflows::followups::note_job;
use crate::workflows::wait::Wait;
use crate::writing::session::WriteTx;

/// Whether the timeout of a wait has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timeout {
    Passed,
    Open,
}

/// Settles one wait as far as what is awaited allows. Returns whether it did.
pub(super) fn settle(
    tx: &mut WriteTx<'_, '_>,
    wait: &Wait,
    awaited: AwaitedState,
    timeout: Timeout,
) -> Result<bool, Fault> {
    if wait.state != DependencyState::Waiting {
        return Ok(false);
    }
    let is_missed = wait.target.is_signal() && awaited == AwaitedState::Open && timeout == Timeout::Passed;
    let awaited = if is_missed { AwaitedState::Failed } else { awaited };
    // A job that was retried before what it waits for waits a while for that.
    let has_patience = !wait.target.is_signal() && wait.timeout_at.is_some() && timeout == Timeout::Open;
    match settle_dependency(wait.needs, wait.otherwise, awaited) {
        DependencySettled::GivenUp(_) if has_patience => Ok(false),
        DependencySettled::Waits => {
            let is_retried = !wait.target.is_signal() && wait.timeout_at.is_some();
            if is_retried || timeout == Timeout::Passed {
                // The retry that it waited for has come; and what has passed would be looked at for ever.
                wait.update(tx.connection, DependencyState::Waiting, None)?;
            }
            Ok(false)
        }
        DependencySettled::GivenUp(status) => {
            wait.update(tx.connection, DependencyState::Failed, None)?;
            let reason = wait.target.reason(tx.connection)?;
            give_up(tx, wait.job_id, status, &reason)?;
            Ok(true)
        }
        DependencySettled::Over(state) => {
            wait.update(tx.connection, state, None)?;
            release_if_free(tx, wait.job_id)?;
            Ok(true)
        }
    }
}

/// A job with dependencies.
struct WaitingJob {
    status: Status,
    queue: String,
    job_type: String,
    is_held_back: bool,
}

fn read(tx: &WriteTx<'_, '_>, id: JobId) -> rusqlite::Result<Option<WaitingJob>> {
    tx.connection
        .prepare_cached(include_str!("../sql/workflows/select_waiting_job.sql"))?
        .query_row([id.0], |row| {
            Ok(WaitingJob {
                status: column::status(row, 0)?,
                queue: column::text(row, 1)?,
                job_type: column::text(row, 2)?,
                is_held_back: row.get(3)?,
            })
        })
        .optional()
}

/// Lets a job run that waits for nothing any more.
pub(super) fn release_if_free(tx: &mut WriteTx<'_, '_>, id: JobId) -> Result<(), Fault> {
    let Some(job) = read(tx, id)?.filter(|job| job.status == Status::Blocked && !job.is_held_back) else {
        return Ok(());
    };
    let now = tx.now;
    unblock(tx, id, Some(&job.job_type), &job.queue, now)
}

fn give_up(tx: &mut WriteTx<'_, '_>, id: JobId, status: Status, reason: &str) -> Result<(), Fault> {
    let Some(job) = read(tx, id)?.filter(|job| job.status == Status::Blocked) else { return Ok(()) };
    let now = tx.now;
    let values = params![id.0, status.as_str(), now.as_ms(), reason];
    let done = tx.connection.prepare_cached(include_str!("../sql/workflows/give_up_job.sql"))?.execute(values);
    if unless_refused(tx, id, done)? != Some(1) {
        return Ok(());
    }
    tx.counts.moved(&job.queue, Status::Blocked, status);
    let minute = match status {
        Status::Cancelled => Minute { cancelled: 1, ..Minute::default() },
        _ => Minute { failed: 1, ..Minute::default() },
    };
    tx.counts.ended(&job.queue, now, minute);
    tx.wake_watchers();
    note_job(tx, id)?;
    if Family::read(tx.connection)?.has_children() {
        bury_children(tx, id, DeadLetterReason::ParentEnded { parent: id, status }, now)?;
    }
    Ok(())
}
