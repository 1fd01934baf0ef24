use std::collections::BTreeSet;
use std::time::Duration;

use longshore_core::{Changes, JobId, Known, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::limits::change::move_schema_version;
use crate::limits::limit_set::TypeLimit;
use crate::writing::session::WriteTx;

/// How many queues of a type are named to those who wait for it. Beyond that, everybody looks.
const QUEUES_MAX: usize = 4;

/// Where a job stands among the limits.
struct Standing {
    job_type: String,
    /// Its key, if it stands in the lane of one.
    key: Option<String>,
}

impl Standing {
    fn read(connection: &Connection, id: JobId) -> rusqlite::Result<Option<Self>> {
        connection
            .prepare_cached(include_str!("../sql/limits/select_place.sql"))?
            .query_row([id.0], |row| {
                Ok(Self {
                    job_type: column::text(row, 0)?,
                    key: column::optional_text(row, 1)?.filter(|key| !key.is_empty()),
                })
            })
            .optional()
    }
}

/// The types of which running jobs have left their places.
#[derive(Debug, Default)]
pub(crate) struct Freed {
    /// Their numbers.
    types: BTreeSet<i64>,
}

impl Freed {
    /// A running job has left its place.
    pub(crate) fn add(&mut self, tx: &mut WriteTx<'_, '_>, id: JobId, queue: &str) -> Result<(), Fault> {
        let set = tx.limits.set();
        if set.is_empty() {
            return Ok(());
        }
        if set.of_queue(queue).is_some() {
            tx.wake_for(None, queue);
        }
        let sql = include_str!("../sql/limits/select_lane.sql");
        let lane = tx.connection.prepare_cached(sql)?.query_row([id.0], |row| column::optional_integer(row, 0));
        self.types.extend(lane.optional()?.flatten().map(TypeLimit::number_of));
        Ok(())
    }

    /// Wakes those who wait for the places. After all of them are free: each may have opened a lane in another queue.
    pub(crate) fn tell(self, tx: &mut WriteTx<'_, '_>) -> Result<(), Fault> {
        let set = tx.limits.set();
        for number in self.types {
            let Some(limit) = set.types().find(|limit| limit.number == number) else { continue };
            tell_of(tx, &limit.job_type)?;
        }
        Ok(())
    }
}

fn tell_of(tx: &mut WriteTx<'_, '_>, job_type: &str) -> Result<(), Fault> {
    let mut from = String::new();
    for _ in 0..QUEUES_MAX {
        let Some(open) = next_open_queue(tx.connection, job_type, &from)? else { return Ok(()) };
        tx.wake_for(Some(job_type), &open);
        from = open + "\0";
    }
    tx.wake_all();
    Ok(())
}

fn next_open_queue(connection: &Connection, job_type: &str, from: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached(include_str!("../sql/limits/select_next_open_queue.sql"))?
        .query_row([job_type, from], |row| column::text(row, 0))
        .optional()
}

/// The handler of a job was asked to slow down: its key, or its type if it has none, is closed until then.
pub(crate) fn slow_down(tx: &mut WriteTx<'_, '_>, id: JobId, at: Timestamp, span: Duration) -> Result<(), Fault> {
    let until = at.after(span);
    let Some(standing) = Standing::read(tx.connection, id)?.filter(|_| until > tx.now) else { return Ok(()) };
    if let Some(key) = standing.key {
        let sql = include_str!("../sql/limits/close_key.sql");
        tx.connection.prepare_cached(sql)?.execute(params![standing.job_type, key, until.as_ms()])?;
        return Ok(());
    }
    let sql = include_str!("../sql/limits/close_type.sql");
    tx.connection.prepare_cached(sql)?.execute(params![standing.job_type, until.as_ms()])?;
    if tx.limits.set().of_type(&standing.job_type).is_none() {
        // Now there is something to compare with, for every store.
        move_schema_version(tx.connection)?;
        tx.limits.refresh_within(tx.connection)?;
    }
    tx.offers.borrow_mut().end();
    Ok(())
}

impl WriteTx<'_, '_> {
    /// After the commit any worker may find something.
    pub(crate) fn wake_all(&mut self) {
        self.wakes = true;
        self.changes.borrow_mut().merge(Changes { jobs: Known::Any, ..Changes::default() });
    }
}
