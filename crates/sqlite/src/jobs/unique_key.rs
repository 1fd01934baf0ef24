use longshore_core::{JobId, Status, UniqueWhile};
use rusqlite::{Connection, params};

use crate::column;

/// Between the key and the id of a job that passed its key on; no key that is enqueued holds a control character.
const PASSED_ON: char = '\u{1f}';

/// A job that has not ended and has a unique key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) id: JobId,
    pub(crate) status: Status,
    pub(crate) queue: String,
}

/// What a new job meets under its unique key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meeting {
    /// Nobody has the key.
    Free,
    /// The job that holds the key runs, and the new one may wait behind it, once it was given the key.
    Behind(JobId),
    /// A job that counts as a duplicate.
    Duplicate(Holder),
}

impl Meeting {
    pub(crate) fn of(connection: &Connection, key: &str, unique_while: UniqueWhile) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare_cached(include_str!("../sql/select_unique_key_holders.sql"))?;
        let mut rows = statement.query([key])?;
        let mut behind = None;
        while let Some(row) = rows.next()? {
            let holder =
                Holder { id: column::id(row, 0)?, status: column::status(row, 1)?, queue: column::text(row, 2)? };
            if unique_while.covers(holder.status) {
                return Ok(Self::Duplicate(holder));
            }
            if row.get(3)? {
                behind = Some(holder.id);
            }
        }
        Ok(behind.map_or(Self::Free, Self::Behind))
    }
}

/// A job other than this one that has not ended and has the unique key, passed on or not.
pub(crate) fn other_holder(connection: &Connection, key: &str, id: JobId) -> rusqlite::Result<Option<JobId>> {
    connection
        .prepare_cached(include_str!("../sql/select_unique_key_holders.sql"))?
        .query_map([key], |row| column::id(row, 0))?
        .find(|found| !matches!(found, Ok(found) if *found == id))
        .transpose()
}

/// Takes the key from a running job; whether it still held it.
pub(crate) fn pass_on(connection: &Connection, id: JobId, key: &str) -> rusqlite::Result<bool> {
    let passed = connection.prepare_cached(include_str!("../sql/pass_unique_key.sql"))?.execute(params![id.0, key])?;
    Ok(passed == 1)
}

/// The key that a job was enqueued with, whether it passed it on or not.
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
        assert_eq!(given("key\u{1f}1"), "key\u{1f}1", "another program may write what it likes");
        assert_eq!(given("\u{1f}12\u{1f}12"), "\u{1f}12");
    }
}
