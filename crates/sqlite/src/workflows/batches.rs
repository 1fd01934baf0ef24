use longshore_core::{
    Action, BatchChange, BatchCounts, BatchId, BatchJob, BatchJobPage, BatchJobsRequest, BatchRecord, BatchRole,
    BatchesRequest, ChangeBatch, ChangedBatch, JobData, JobId, NewSignal, Status,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::database::column;
use crate::database::column::Columns;
use crate::database::fault::Fault;
use crate::jobs::actions::action::change_jobs;
use crate::workflows::dependencies::first_dependencies;
use crate::workflows::followups::note_target;
use crate::workflows::members::judge;
use crate::workflows::wait::Target;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;

/// How many members one step of a change visits.
const STEP_MAX: usize = 500;

/// One batch.
pub(crate) fn batch(connection: &Connection, id: BatchId) -> rusqlite::Result<Option<BatchRecord>> {
    connection.prepare_cached(include_str!("../sql/workflows/select_batch.sql"))?.query_row([id.0], record).optional()
}

fn record(row: &Row<'_>) -> rusqlite::Result<BatchRecord> {
    let mut columns = Columns::of(row);
    let (id, name) = (BatchId(columns.read(column::integer)?), columns.read(column::text)?);
    let created_at = columns.read(column::timestamp)?;
    let closed_at = columns.read(column::optional_timestamp)?;
    let ended_at = columns.read(column::optional_timestamp)?;
    let counts = BatchCounts {
        members: columns.read(column::size)?,
        completed: columns.read(column::size)?,
        cancelled: columns.read(column::size)?,
        dead_letter: columns.read(column::size)?,
    };
    let status = counts.status(closed_at.is_some());
    Ok(BatchRecord {
        id,
        name,
        status,
        created_at,
        closed_at,
        ended_at,
        counts,
        callbacks: columns.read(column::size)?,
    })
}

/// A page of batches, newest first.
pub(crate) fn batches(connection: &Connection, request: &BatchesRequest) -> rusqlite::Result<Vec<BatchRecord>> {
    let mut statement = connection.prepare_cached(include_str!("../sql/workflows/select_batches_page.sql"))?;
    let mut rows = statement.query([request.before.map_or(i64::MAX, |before| before.0)])?;
    let mut page = Vec::new();
    while page.len() < request.limit as usize
        && let Some(row) = rows.next()?
    {
        let record = record(row)?;
        if request.statuses.as_ref().is_none_or(|statuses| statuses.contains(&record.status)) {
            page.push(record);
        }
    }
    Ok(page)
}

/// A page of the jobs of a batch.
pub(crate) fn batch_jobs(connection: &Connection, request: &BatchJobsRequest) -> rusqlite::Result<BatchJobPage> {
    let limit = request.limit as usize;
    let mut page = BatchJobPage::default();
    let mut last = request.after;
    let mut statement = connection.prepare_cached(include_str!("../sql/workflows/select_batch_jobs.sql"))?;
    let mut rows = statement.query([request.id.0, last.map_or(0, |after| after.0)])?;
    let mut looked = 0;
    while let Some(row) = rows.next()? {
        if page.jobs.len() == limit || looked == BatchJobPage::LOOKED_MAX {
            page.next = last;
            break;
        }
        looked += 1;
        let (id, status) = (column::id(row, 0)?, column::status(row, 4)?);
        last = Some(id);
        if request.statuses.as_ref().is_none_or(|statuses| statuses.contains(&status)) {
            page.jobs.push(BatchJob {
                id,
                reference: column::optional_text(row, 1)?,
                // A CHECK constraint allows only known words.
                role: BatchRole::from_stored(&column::text(row, 2)?).unwrap_or(BatchRole::Member),
                job_type: column::text(row, 3)?,
                status,
                dependencies: first_dependencies(connection, id, BatchJob::DEPENDENCIES_MAX as usize)?,
            });
        }
    }
    Ok(page)
}

/// One step of a change.
pub(super) struct Change {
    pub(super) request: ChangeBatch,
}

impl Work for Change {
    type Answer = Option<ChangedBatch>;
    const DOING: &'static str = "changing a batch";

    fn rows(&self) -> usize {
        STEP_MAX
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Option<ChangedBatch>, Fault> {
        let ChangeBatch { id, change, after } = self.request;
        if batch(tx.connection, id)?.is_none() {
            return Ok(None);
        }
        let (action, sql, start) = match change {
            BatchChange::Close => {
                let sql = include_str!("../sql/workflows/close_batch.sql");
                tx.connection.prepare_cached(sql)?.execute(params![id.0, tx.now.as_ms()])?;
                judge(tx, id)?;
                return Ok(Some(ChangedBatch::default()));
            }
            BatchChange::Cancel => (Action::Cancel, include_str!("../sql/workflows/select_members_down.sql"), i64::MAX),
            BatchChange::Retry => (Action::Retry, include_str!("../sql/workflows/select_members_up.sql"), 0),
        };
        let members = page(tx.connection, sql, id, after.map_or(start, |after| after.0))?;
        let next = members.last().filter(|_| members.len() == STEP_MAX).map(|(id, _)| *id);
        let is_meant = |status: Option<Status>| match change {
            BatchChange::Retry => matches!(status, Some(Status::DeadLetter | Status::Cancelled)),
            _ => status.is_some_and(|status| !status.is_ended()),
        };
        let ids = members.into_iter().filter(|(_, status)| is_meant(*status)).map(|(id, _)| id).collect();
        let actioned = change_jobs(tx, ids, action)?;
        Ok(Some(ChangedBatch { actioned, next }))
    }
}

fn page(connection: &Connection, sql: &str, id: BatchId, after: i64) -> rusqlite::Result<Vec<(JobId, Option<Status>)>> {
    connection
        .prepare_cached(sql)?
        .query_map(params![id.0, after, STEP_MAX as i64], |row| {
            Ok((column::id(row, 0)?, column::optional_status(row, 1)?))
        })?
        .collect()
}

/// Sends a signal.
pub(super) struct Send {
    pub(super) signal: NewSignal,
}

impl Work for Send {
    type Answer = Option<bool>;
    const DOING: &'static str = "sending a signal";

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Option<bool>, Fault> {
        let NewSignal { batch: id, name, data } = &self.signal;
        if batch(tx.connection, *id)?.is_none() {
            return Ok(None);
        }
        let values = params![id.0, name, data.as_ref().map(JobData::as_str), tx.now.as_ms()];
        let sent = tx.connection.prepare_cached(include_str!("../sql/workflows/insert_signal.sql"))?.execute(values)?;
        if sent == 1 {
            note_target(tx, &Target::Signal(*id, name.clone()))?;
        }
        Ok(Some(sent == 1))
    }
}
