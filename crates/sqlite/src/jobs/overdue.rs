use longshore_core::{JobId, Overdue, Status, TimeBounds, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::column;
use crate::database::column::Columns;
use crate::database::fault::Fault;
use crate::jobs::family::Family;
use crate::jobs::stuck::unless_refused;
use crate::upkeep::counts::{Minute, add_minute};
use crate::writing::session::WriteTx;
use crate::writing::work::{Passing, Work};

/// The jobs whose expiry or deadline has passed and that are not running: waiting jobs, and ended jobs that are not yet
/// marked.
pub(crate) fn overdue_page(connection: &Connection, now: Timestamp, limit: u32) -> rusqlite::Result<Vec<JobId>> {
    connection
        .prepare_cached(include_str!("../sql/jobs/select_overdue.sql"))?
        .query_map(params![now.as_ms(), limit], |row| column::id(row, 0))?
        .collect()
}

/// Ends the waiting ones of these jobs, and marks the ended ones so that they are not found again. Returns how many it
/// ended.
pub(crate) struct EndOverdue {
    pub(crate) ids: Vec<JobId>,
}

impl Work for EndOverdue {
    type Answer = u64;
    const DOING: &'static str = "ending jobs whose time is over";
    const PASSING: Passing = Passing::WhileDraining;

    fn rows(&self) -> usize {
        self.ids.len()
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<u64, Fault> {
        let family = Family::read(tx.connection)?;
        let mut ended = 0;
        for id in &self.ids {
            // Ending one job may end a later one too, so each is read only when it is its turn.
            if let Some(waiting) = WaitingJob::read(tx.connection, *id)?
                && let Some(overdue) = waiting.overdue_at(tx.now)
            {
                ended += u64::from(end_waiting(tx, family, &waiting, overdue)?);
            }
        }
        let ids = column::ids(self.ids.iter().copied());
        let sql = include_str!("../sql/jobs/mark_overdue_seen.sql");
        tx.connection.prepare_cached(sql)?.execute(params![ids, tx.now.as_ms()])?;
        Ok(ended)
    }
}

/// What must be known about a job to end it before it runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WaitingJob {
    pub(crate) id: JobId,
    pub(crate) status: Status,
    pub(crate) queue: Box<str>,
    pub(crate) time: TimeBounds,
}

impl WaitingJob {
    fn read(connection: &Connection, id: JobId) -> rusqlite::Result<Option<Self>> {
        connection
            .prepare_cached(include_str!("../sql/jobs/select_overdue_job.sql"))?
            .query_row([id.0], |row| {
                let mut columns = Columns::of(row);
                Ok(Self {
                    id,
                    status: columns.read(column::status)?,
                    queue: columns.read(column::text)?.into(),
                    time: time_bounds(&mut columns)?,
                })
            })
            .optional()
    }

    /// The limit that has passed, if the job is waiting.
    pub(crate) fn overdue_at(&self, now: Timestamp) -> Option<Overdue> {
        let waits = matches!(self.status, Status::Pending | Status::Retrying | Status::Blocked);
        self.time.overdue_at(now).filter(|_| waits)
    }
}

/// The expiry, and in the next column the deadline.
pub(crate) fn time_bounds(columns: &mut Columns<'_, '_>) -> rusqlite::Result<TimeBounds> {
    Ok(TimeBounds {
        expires_at: columns.read(column::optional_timestamp)?,
        deadline_at: columns.read(column::optional_timestamp)?,
    })
}

/// Ends a waiting job, and updates the counts and its children. Returns `false` if it was no longer waiting.
pub(crate) fn end_waiting(
    tx: &mut WriteTx<'_, '_>,
    family: Family,
    job: &WaitingJob,
    overdue: Overdue,
) -> Result<bool, Fault> {
    let (now, to) = (tx.now, overdue.status());
    let done = write_end(tx.connection, job.id, overdue, now);
    if unless_refused(tx, job.id, done)? != Some(true) {
        return Ok(false);
    }
    tx.counts.moved(&job.queue, job.status, to);
    tx.counts.ended(&job.queue, now, minute_of(overdue));
    tx.wake_watchers();
    family.tell_children(tx, job.id, to, now)?;
    Ok(true)
}

/// [`end_waiting`] on a connection with triggers on, which update the counts and the children.
pub(crate) fn end_waiting_in(
    connection: &Connection,
    job: &WaitingJob,
    overdue: Overdue,
    now: Timestamp,
) -> rusqlite::Result<()> {
    if write_end(connection, job.id, overdue, now)? {
        add_minute(connection, &job.queue, now.minute(), minute_of(overdue))?;
    }
    Ok(())
}

fn write_end(connection: &Connection, id: JobId, overdue: Overdue, now: Timestamp) -> rusqlite::Result<bool> {
    let values = params![id.0, overdue.status().as_str(), now.as_ms(), overdue.reason().to_string()];
    Ok(connection.prepare_cached(include_str!("../sql/jobs/end_overdue_job.sql"))?.execute(values)? == 1)
}

fn minute_of(overdue: Overdue) -> Minute {
    match overdue {
        Overdue::Expired(_) => Minute { cancelled: 1, ..Minute::default() },
        Overdue::DeadlinePassed(_) => Minute { failed: 1, ..Minute::default() },
    }
}
