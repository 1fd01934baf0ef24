use longshore_core::{JobId, Overdue, Timestamp, UniqueWhile};
use rusqlite::{Connection, params};

use crate::database::column;
use crate::database::column::Columns;
use crate::jobs::overdue::{WaitingJob, time_bounds};

/// The separator between the key and the id of a job that gave up its key. An enqueued key contains no control
/// character.
const PASSED_ON: char = '\u{1f}';

/// What a new job finds under its unique key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meeting {
    /// The key is free.
    Free,
    /// The job with the key is running, and the new one may wait behind it after it has taken the key.
    Behind(JobId),
    /// A job that counts as a duplicate.
    Duplicate(WaitingJob),
}

/// The same, with the waiting jobs of that key whose expiry or deadline has passed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Met {
    pub(crate) meeting: Meeting,
    pub(crate) overdue: Vec<(WaitingJob, Overdue)>,
}

impl Met {
    /// No job has the key.
    pub(crate) const NOBODY: Self = Self { meeting: Meeting::Free, overdue: Vec::new() };

    pub(crate) fn of(
        connection: &Connection,
        key: &str,
        unique_while: UniqueWhile,
        now: Timestamp,
    ) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare_cached(include_str!("../sql/jobs/select_unique_key_holders.sql"))?;
        let mut rows = statement.query([key])?;
        let mut met = Self::NOBODY;
        while let Some(row) = rows.next()? {
            let mut columns = Columns::of(row);
            let (id, status) = (columns.read(column::id)?, columns.read(column::status)?);
            let queue = columns.read(column::text)?.into();
            let holds_key: bool = columns.read(|row, index| row.get(index))?;
            let holder = WaitingJob { id, status, queue, time: time_bounds(&mut columns)? };
            if let Some(overdue) = holder.overdue_at(now) {
                met.overdue.push((holder, overdue));
            } else if unique_while.covers(holder.status) {
                return Ok(Self { meeting: Meeting::Duplicate(holder), ..met });
            } else if holds_key {
                met.meeting = Meeting::Behind(holder.id);
            }
        }
        Ok(met)
    }
}

/// Another job that has not ended and has the unique key, or had it and passed it on.
pub(crate) fn other_holder(connection: &Connection, key: &str, id: JobId) -> rusqlite::Result<Option<JobId>> {
    connection
        .prepare_cached(include_str!("../sql/jobs/select_unique_key_holders.sql"))?
        .query_map([key], |row| column::id(row, 0))?
        .find(|found| !matches!(found, Ok(found) if *found == id))
        .transpose()
}

/// Takes the key from a running job. Returns whether the job still had it.
pub(crate) fn pass_on(connection: &Connection, id: JobId, key: &str) -> rusqlite::Result<bool> {
    let passed =
        connection.prepare_cached(include_str!("../sql/jobs/pass_unique_key.sql"))?.execute(params![id.0, key])?;
    Ok(passed == 1)
}

/// The key of a job as it is stored.
pub(crate) fn stored(key: &str, id: JobId, has_passed_on: bool) -> String {
    if has_passed_on { format!("{key}{PASSED_ON}{id}") } else { key.to_owned() }
}

/// The key with which a job was enqueued, whether it passed it on or not.
pub(crate) fn given(stored: String, id: JobId) -> String {
    match stored.rsplit_once(PASSED_ON) {
        Some((key, passed_by)) if passed_by == id.to_string() => key.to_owned(),
        _ => stored,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_passed_on_is_told_as_it_was_given() {
        let given = |stored: &str| given(stored.to_owned(), JobId(12));
        assert_eq!(given("key"), "key");
        assert_eq!(given("key\u{1f}12"), "key");
        assert_eq!(given("key\u{1f}1"), "key\u{1f}1", "another program may write any text");
        assert_eq!(given("\u{1f}12\u{1f}12"), "\u{1f}12");
    }
}
