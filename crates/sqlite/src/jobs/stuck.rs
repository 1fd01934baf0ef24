use longshore_core::{DeadLetterReason, JobId, Maintenance, Status, StuckCause, Timestamp, UnusableRow};
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::jobs::family::{Family, unblock};
use crate::jobs::type_settings::place;
use crate::upkeep::counts::{Minute, add_depth_of};
use crate::writing::session::{WriteTx, is_of_a_row};
use crate::writing::work::{Passing, Work};

/// How many ancestors are visited in the search for a cycle.
const ANCESTORS_MAX: usize = 10_000;

/// How many jobs that wait for the settings of their type are read in the search for those that cannot get them.
const AWAITING_MAX: u32 = 1000;

/// Jobs whose rows contain values that no claim can use. Another program wrote them.
pub(crate) fn stuck_rows(connection: &Connection, limit: u32) -> rusqlite::Result<Vec<JobId>> {
    ids_of(connection, include_str!("../sql/jobs/select_stuck.sql"), params![limit])
}

/// Waiting jobs without a queue that do not get one with the settings of their type. Another program wrote them.
pub(crate) fn unplaced_rows(connection: &Connection, limit: u32) -> rusqlite::Result<Vec<JobId>> {
    let mut ids = ids_of(connection, include_str!("../sql/jobs/select_unplaced.sql"), params![limit])?;
    ids.extend(ids_of(connection, include_str!("../sql/jobs/select_unfit.sql"), params![limit, AWAITING_MAX])?);
    Ok(ids)
}

fn ids_of(connection: &Connection, sql: &str, params: &[&dyn ToSql]) -> rusqlite::Result<Vec<JobId>> {
    connection.prepare_cached(sql)?.query_map(params, |row| column::id(row, 0))?.collect()
}

/// A blocked job, and where the walk over blocked jobs continues after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocked {
    pub(crate) id: JobId,
    pub(crate) parent: JobId,
    /// Why it cannot continue. `None` if it can.
    pub(crate) cause: Option<BlockedCause>,
    /// When a person retried it, if anybody did.
    ready_at: Option<Timestamp>,
}

impl Blocked {
    /// Whether it must be fixed now.
    pub(crate) fn is_stuck(&self, now: Timestamp) -> bool {
        self.cause.is_some_and(|cause| cause.is_over(self.ready_at, now))
    }
}

/// Why a blocked job cannot continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockedCause {
    /// Its parent has completed, but the job was not unblocked.
    ParentCompleted,
    /// It will never run by itself.
    Hopeless(StuckCause),
}

impl BlockedCause {
    /// A job that was retried without its parent gets time, because the parent may be retried next.
    fn is_over(self, ready_at: Option<Timestamp>, now: Timestamp) -> bool {
        !matches!(self, Self::Hopeless(StuckCause::ParentEnded { .. }))
            || ready_at.is_none_or(|at| now.since(at) >= Maintenance::PATIENCE)
    }
}

/// A page of blocked jobs, ordered by parent.
pub(crate) fn blocked_page(connection: &Connection, after: (i64, i64), limit: u32) -> rusqlite::Result<Vec<Blocked>> {
    let mut statement = connection.prepare_cached(include_str!("../sql/jobs/select_blocked_page.sql"))?;
    let mut rows = statement.query(params![after.0, after.1, limit])?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, parent) = (column::id(row, 0)?, JobId(column::integer(row, 1)?));
        let cause = cause_of(connection, id, parent, column::optional_status(row, 2)?)?;
        page.push(Blocked { id, parent, cause, ready_at: column::optional_timestamp(row, 3)? });
    }
    Ok(page)
}

fn cause_of(
    connection: &Connection,
    id: JobId,
    parent: JobId,
    status: Option<Status>,
) -> rusqlite::Result<Option<BlockedCause>> {
    Ok(match status {
        None => Some(BlockedCause::Hopeless(StuckCause::ParentMissing)),
        Some(Status::Completed) => Some(BlockedCause::ParentCompleted),
        Some(status) if status.is_ended() => Some(BlockedCause::Hopeless(StuckCause::ParentEnded { parent, status })),
        // In every cycle, at least one job waits for a job that is not older than itself.
        Some(Status::Blocked) if parent >= id && waits_for_itself(connection, id, parent)? => {
            Some(BlockedCause::Hopeless(StuckCause::WaitsForItself))
        }
        Some(_) => None,
    })
}

fn waits_for_itself(connection: &Connection, id: JobId, parent: JobId) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(include_str!("../sql/jobs/select_blocked_job.sql"))?;
    let mut ancestor = parent;
    for _ in 0..ANCESTORS_MAX {
        if ancestor == id {
            return Ok(true);
        }
        let next = statement.query_row([ancestor.0], |row| column::optional_integer(row, 1)).optional()?;
        let Some(Some(next)) = next else { return Ok(false) };
        ancestor = JobId(next);
    }
    Ok(false)
}

/// Fixes jobs that cannot continue, each in its own savepoint, and returns their number.
pub(crate) struct Settle {
    pub(crate) ids: Vec<JobId>,
}

impl Work for Settle {
    type Answer = u64;
    const DOING: &'static str = "fixing jobs that cannot continue";
    const PASSING: Passing = Passing::WhileDraining;

    fn rows(&self) -> usize {
        self.ids.len()
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<u64, Fault> {
        let mut settled = 0;
        for id in &self.ids {
            match tx.apart(|tx| settle(tx, *id))? {
                Ok(is_settled) => settled += u64::from(is_settled),
                Err(error) => {
                    crate::database::quiet::warning!(job_id = id.0, %error, "a value in the row prevents every change");
                    match tx.apart(|tx| bury_unusable(tx, *id, UnusableRow::Constraint))? {
                        Ok(()) => settled += 1,
                        Err(error) => crate::database::quiet::error!(job_id = id.0, %error, "cannot be fixed"),
                    }
                }
            }
        }
        Ok(settled)
    }
}

fn settle(tx: &mut WriteTx<'_, '_>, id: JobId) -> Result<bool, Fault> {
    let blocked = tx
        .connection
        .prepare_cached(include_str!("../sql/jobs/select_blocked_job.sql"))?
        .query_row([id.0], |row| {
            let ready_at = column::optional_timestamp(row, 3)?;
            Ok((column::text(row, 0)?, column::optional_integer(row, 1)?, column::optional_status(row, 2)?, ready_at))
        })
        .optional()?;
    match blocked {
        Some((queue, Some(parent), status, ready_at)) => {
            let parent = JobId(parent);
            let cause = cause_of(tx.connection, id, parent, status)?;
            settle_blocked(tx, id, &queue, parent, cause.filter(|cause| cause.is_over(ready_at, tx.now)))
        }
        _ => settle_row(tx, id),
    }
}

fn settle_blocked(
    tx: &mut WriteTx<'_, '_>,
    id: JobId,
    queue: &str,
    parent: JobId,
    cause: Option<BlockedCause>,
) -> Result<bool, Fault> {
    let reason = match cause {
        None => return Ok(false),
        Some(BlockedCause::ParentCompleted) => {
            crate::database::quiet::warning!(
                job_id = id.0,
                parent = parent.0,
                "waited for a job that had already completed"
            );
            unblock(tx, id, None, queue, tx.now)?;
            return Ok(true);
        }
        Some(BlockedCause::Hopeless(StuckCause::ParentEnded { parent, status })) => {
            DeadLetterReason::ParentEnded { parent, status }
        }
        Some(BlockedCause::Hopeless(StuckCause::WaitsForItself)) => DeadLetterReason::WaitsForItself,
        Some(BlockedCause::Hopeless(_)) => DeadLetterReason::ParentDeleted { parent },
    };
    crate::database::quiet::warning!(job_id = id.0, %reason, "given up");
    bury(tx, id, reason)?;
    Ok(true)
}

/// What a row needs, as far as it can be read.
enum Repair {
    /// Nothing.
    Nothing,
    /// It may run, from this time on if given.
    Release(Option<Timestamp>),
    /// It has ended, but has no end time.
    Date,
    /// It waits, but has no queue.
    Place,
    Bury(UnusableRow),
}

fn settle_row(tx: &mut WriteTx<'_, '_>, id: JobId) -> Result<bool, Fault> {
    let repair = tx
        .connection
        .prepare_cached(include_str!("../sql/jobs/select_stuck_job.sql"))?
        .query_row([id.0], |row| Ok((repair_of(row)?, column::text(row, 1)?, column::status(row, 0)?)))
        .optional()?;
    let Some((repair, queue, status)) = repair else { return Ok(false) };
    match repair {
        Repair::Nothing => return Ok(false),
        Repair::Release(run_at) => {
            tx.connection.prepare_cached(include_str!("../sql/jobs/release_stuck_job.sql"))?.execute(params![
                id.0,
                tx.now.as_ms(),
                run_at.map(Timestamp::as_ms)
            ])?;
            tx.counts.moved(&queue, status, Status::Pending);
            tx.wake_for(None, &queue);
        }
        Repair::Date => {
            let sql = include_str!("../sql/jobs/date_ended_job.sql");
            tx.connection.prepare_cached(sql)?.execute(params![id.0, tx.now.as_ms()])?;
        }
        Repair::Place => place(tx, id)?,
        Repair::Bury(what) => bury_unusable(tx, id, what)?,
    }
    crate::database::quiet::warning!(job_id = id.0, was = %status, "another program left a row that could not continue");
    Ok(true)
}

fn repair_of(row: &Row<'_>) -> rusqlite::Result<Repair> {
    let is = |index: usize, kind: Type| Ok::<_, rusqlite::Error>(row.get_ref(index)?.data_type() == kind);
    let Ok(status) = column::text(row, 0)?.parse::<Status>() else { return Ok(Repair::Bury(UnusableRow::Status)) };
    let has_claim_number = match row.get_ref(2)? {
        ValueRef::Integer(number) => status == Status::Running || (0..i64::MAX).contains(&number),
        _ => false,
    };
    let has_instant = is(3, Type::Integer)?;
    Ok(match status {
        Status::Pending | Status::Running | Status::Retrying if !has_claim_number => {
            Repair::Bury(UnusableRow::ClaimNumber)
        }
        Status::Pending if !has_instant && !is(3, Type::Null)? => Repair::Release(None),
        Status::Retrying if !has_instant => Repair::Release(column::optional_timestamp(row, 5)?),
        Status::Running if !is_worker(row.get_ref(4)?) => Repair::Release(None),
        Status::Completed | Status::Cancelled if !is(6, Type::Integer)? => Repair::Date,
        Status::Blocked if !is(7, Type::Integer)? => Repair::Bury(UnusableRow::Constraint),
        Status::Pending | Status::Retrying | Status::Blocked if row.get(8)? => Repair::Place,
        _ => Repair::Nothing,
    })
}

/// Whether the value can be a worker id.
fn is_worker(name: ValueRef<'_>) -> bool {
    matches!(name, ValueRef::Text(bytes) if std::str::from_utf8(bytes).is_ok_and(|name| !name.is_empty()))
}

/// Makes a job with an unusable row a dead letter, in whatever state it is, and all jobs that wait for it.
pub(crate) fn bury_unusable(tx: &mut WriteTx<'_, '_>, id: JobId, what: UnusableRow) -> Result<(), Fault> {
    bury(tx, id, DeadLetterReason::UnusableRow(what))
}

fn bury(tx: &mut WriteTx<'_, '_>, id: JobId, reason: DeadLetterReason) -> Result<(), Fault> {
    let now = tx.now;
    let stood = tx
        .connection
        .prepare_cached(include_str!("../sql/jobs/select_stuck_job.sql"))?
        .query_row([id.0], |row| Ok((column::text(row, 0)?, column::text(row, 1)?)))
        .optional()?;
    let Some((word, queue)) = stood else { return Ok(()) };
    tx.connection.prepare_cached(include_str!("../sql/jobs/bury_unusable_job.sql"))?.execute(params![
        id.0,
        now.as_ms(),
        reason.to_string()
    ])?;
    // The triggers counted the job under the unknown word.
    add_depth_of(tx.connection, &queue, &word, -1)?;
    tx.counts.entered(&queue, Status::DeadLetter);
    tx.counts.ended(&queue, now, Minute { failed: 1, ..Minute::default() });
    Family::read(tx.connection)?.tell_children(tx, id, Status::DeadLetter, now)
}

/// The result of a statement on one row. `None` if a constraint rejected it, so that only this row is given up. SQLite
/// has undone the statement.
pub(crate) fn unless_refused<T>(
    tx: &mut WriteTx<'_, '_>,
    id: JobId,
    done: rusqlite::Result<T>,
) -> Result<Option<T>, Fault> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if is_of_a_row(&error) && !tx.connection.is_autocommit() => {
            crate::database::quiet::error!(job_id = id.0, %error, "a constraint rejects every change of the row; the job is given up");
            bury_unusable(tx, id, UnusableRow::Constraint)?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
