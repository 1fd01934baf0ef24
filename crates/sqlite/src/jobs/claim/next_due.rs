use std::time::Duration;

use longshore_core::{ClaimRequest, Timestamp};
use rusqlite::{Connection, params};

use crate::database::column;
use crate::database::column::{Columns, RawName};
use crate::jobs::claim::lanes::{Scope, is_paused};
use crate::limits::claim_bounds::earlier;

/// How many jobs of other workers one claim reads that become due before its own. It reads the whole row of each.
const LOOKED_AT_MAX: u32 = 64;
const LOOKED_AT_BYTES_MAX: u64 = 1024 * 1024;

/// When jobs become due.
///
/// The index contains only the times; the type and queue of a job are in its row. A claim reads a limited number of
/// them from the front. If none is its own, it returns the last time that it has read. Then a claim promotes the jobs
/// before it, and the next one reads further.
#[derive(Debug)]
pub(super) struct NextDue {
    /// When any job becomes due.
    pub(super) of_any: Option<Timestamp>,
    /// When a job becomes due that the request could take.
    of_own: Option<Timestamp>,
}

impl NextDue {
    pub(super) fn read(connection: &Connection, request: &ClaimRequest) -> rusqlite::Result<Self> {
        let mut due = Self { of_any: None, of_own: None };
        let mut statement = connection.prepare_cached(include_str!("../../sql/claim/select_next_due.sql"))?;
        let mut rows = statement.query(params![LOOKED_AT_MAX])?;
        let (mut looker, mut others, mut bytes) = (None, 0, 0);
        while let Some(row) = rows.next()? {
            let looker = looker.get_or_insert_with(|| Looker::new(connection, request));
            let mut columns = Columns::of(row);
            let instant = columns.read(column::timestamp)?;
            due.of_any.get_or_insert(instant);
            let is_own = looker.is_own(&columns.read(column::raw_name)?, &columns.read(column::raw_name)?)?;
            bytes += columns.read(column::size)?;
            others += 1;
            if is_own || others >= LOOKED_AT_MAX || bytes > LOOKED_AT_BYTES_MAX {
                due.of_own = Some(instant);
                break;
            }
        }
        Ok(due)
    }

    /// A limit of the request opens at this instant.
    pub(super) fn meet(&mut self, opening: Option<Timestamp>) {
        self.of_any = earlier(self.of_any, opening);
        self.of_own = earlier(self.of_own, opening);
    }

    /// How long it is from `now` until a job of its own may be due.
    pub(super) fn from(&self, now: Timestamp) -> Option<Duration> {
        self.of_own.map(|instant| instant.since(now))
    }
}

/// Checks whether the request could take the jobs that become due.
struct Looker<'r, 'c> {
    connection: &'c Connection,
    scope: Scope<'r>,
    /// The last queue that was checked, and whether it is paused. Jobs of one queue often follow each other.
    asked: Option<(String, bool)>,
}

impl<'r, 'c> Looker<'r, 'c> {
    fn new(connection: &'c Connection, request: &'r ClaimRequest) -> Self {
        Self { connection, scope: Scope::of(request), asked: None }
    }

    fn is_own(&mut self, job_type: &RawName, queue: &RawName) -> rusqlite::Result<bool> {
        // Nobody can claim a job with a name that is not UTF-8.
        let (Some(job_type), Some(queue)) = (job_type.as_str(), queue.as_str()) else { return Ok(false) };
        Ok(self.scope.takes(job_type, queue) && !self.is_paused(queue)?)
    }

    fn is_paused(&mut self, queue: &str) -> rusqlite::Result<bool> {
        if let Some((asked, is_paused)) = &self.asked
            && asked == queue
        {
            return Ok(*is_paused);
        }
        let is_paused = is_paused(self.connection, queue)?;
        self.asked = Some((queue.to_owned(), is_paused));
        Ok(is_paused)
    }
}
