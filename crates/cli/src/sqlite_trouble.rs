use std::error::Error;

use rusqlite::ErrorCode;

/// A cause outside of us that SQLite names in words of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SqliteTrouble {
    /// A stable word for scripts, the same as a store's error has.
    pub(crate) code: &'static str,
    /// One sentence.
    pub(crate) message: &'static str,
    /// What to do next.
    pub(crate) hint: &'static str,
}

/// How many causes are looked through; a chain that is longer is a loop.
const CAUSES_MAX: usize = 32;

impl SqliteTrouble {
    /// The trouble at the bottom of an error, if it is one that the words of an application cannot cause.
    pub(crate) fn behind(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        for _ in 0..CAUSES_MAX {
            let cause = next?;
            if let Some(code) = cause.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code) {
                return Self::of(code);
            }
            next = cause.source();
        }
        None
    }

    const fn of(code: ErrorCode) -> Option<Self> {
        let (code, message, hint) = match code {
            ErrorCode::DatabaseCorrupt => (
                "database_damaged",
                "the database is damaged",
                "restore a backup, or rescue what is left with \"sqlite3 FILE .recover\"",
            ),
            ErrorCode::NotADatabase => {
                ("not_a_database", "the file is not a database", "check the path given with --database")
            }
            ErrorCode::ReadOnly => (
                "database_read_only",
                "the database cannot be written: it or its folder is read-only",
                "check the owner and the permissions of the file and of its folder",
            ),
            ErrorCode::DiskFull => {
                ("disk_full", "no space is left for the database", "free some space and run the command again")
            }
            ErrorCode::CannotOpen => (
                "database_unreachable",
                "the database cannot be opened",
                "check that its folder exists and may be read",
            ),
            _ => return None,
        };
        Some(Self { code, message, hint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn trouble_is_found_below_other_errors_and_ordinary_failures_are_left_alone() {
        let error = |code| rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        let coat = |code| anyhow::Error::new(error(code)).context("reading").context("looking");
        let found = |code| SqliteTrouble::behind(coat(code).as_ref()).map(|trouble| trouble.code);
        assert_eq!(found(rusqlite::ffi::SQLITE_CORRUPT), Some("database_damaged"));
        assert_eq!(found(rusqlite::ffi::SQLITE_CONSTRAINT), None);
        assert_eq!(SqliteTrouble::behind(&io::Error::other("no")), None);
    }
}
