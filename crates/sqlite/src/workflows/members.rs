use longshore_core::{BatchId, BatchRole, JobId, Status, counted_status};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::workflows::batches;
use crate::workflows::followups::{note_revival, note_target};
use crate::workflows::wait::Target;
use crate::writing::session::WriteTx;

/// A row of `job_members`.
pub(super) struct Member {
    pub(super) batch: Option<BatchId>,
    pub(super) role: BatchRole,
    pub(super) reference: Option<String>,
    counted: Option<Status>,
}

impl Member {
    pub(super) fn read(connection: &Connection, id: JobId) -> rusqlite::Result<Option<Self>> {
        connection
            .prepare_cached(include_str!("../sql/workflows/select_member.sql"))?
            .query_row([id.0], |row| {
                Ok(Self {
                    batch: column::optional_integer(row, 0)?.map(BatchId),
                    // A CHECK constraint allows only known words.
                    role: BatchRole::from_stored(&column::text(row, 1)?).unwrap_or(BatchRole::Member),
                    reference: column::optional_text(row, 2)?,
                    counted: column::optional_status(row, 3)?,
                })
            })
            .optional()
    }
}

/// Counts a member as it stands now; none if it was deleted. Returns whether its batch was judged or opened again.
pub(super) fn count_member(tx: &mut WriteTx<'_, '_>, id: JobId, status: Option<Status>) -> Result<bool, Fault> {
    let Some(member) = Member::read(tx.connection, id)? else { return Ok(false) };
    let counted = counted_status(member.counted, status);
    if status.is_none() {
        tx.connection.prepare_cached(include_str!("../sql/workflows/delete_member.sql"))?.execute([id.0])?;
    }
    if counted == member.counted {
        return Ok(false);
    }
    if status.is_some() {
        let values = params![id.0, counted.map(Status::as_str)];
        tx.connection.prepare_cached(include_str!("../sql/workflows/update_counted.sql"))?.execute(values)?;
    }
    let Some(batch) = member.batch.filter(|_| member.role == BatchRole::Member) else { return Ok(false) };
    let change = |status: Status| i64::from(counted == Some(status)) - i64::from(member.counted == Some(status));
    tx.connection.prepare_cached(include_str!("../sql/workflows/count_in_batch.sql"))?.execute(params![
        batch.0,
        change(Status::Completed),
        change(Status::Cancelled),
        change(Status::DeadLetter)
    ])?;
    judge(tx, batch)
}

/// Judges a batch whose members have ended, or opens it again. Returns whether it did.
pub(super) fn judge(tx: &mut WriteTx<'_, '_>, id: BatchId) -> Result<bool, Fault> {
    let Some(batch) = batches::batch(tx.connection, id)? else { return Ok(false) };
    let ended_at = match (batch.ended_at, batch.status.is_ended()) {
        (None, true) => Some(tx.now.as_ms()),
        (Some(_), false) => None,
        _ => return Ok(false),
    };
    tx.connection.prepare_cached(include_str!("../sql/workflows/judge_batch.sql"))?.execute(params![id.0, ended_at])?;
    tx.wake_watchers();
    // Also when it is open again: who waited for its retry waits without a limit from now on.
    note_target(tx, &Target::Batch(id))?;
    if ended_at.is_none() {
        note_revival(tx, &Target::Batch(id))?;
    }
    Ok(true)
}
