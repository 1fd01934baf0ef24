use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use longshore_core::OutsideCause;
use longshore_sqlite_file::{FileIdentity, beside, has_moved, is_mount_point, is_mounted_read_only};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::database::fault::ErrorContext;

/// The file that a store was opened on, and whether its path still leads to it.
///
/// A connection keeps writing to a file that was moved or replaced, or to a log that was deleted. Nobody would find
/// there what it acknowledged. If the index of the log was deleted, another program makes a new one. Then neither sees
/// the locks of the other, and both write to the same place in the log. Every check is a stat, because closing a
/// descriptor of ours on the file would drop SQLite's locks.
#[derive(Debug)]
pub(crate) struct DatabaseFile {
    path: PathBuf,
    file_identity: FileIdentity,
    log: FileBeside,
    index: FileBeside,
    change: OnceLock<FileChange>,
}

/// What happened to the file. A store that finds a change does nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileChange {
    Moved,
    HardLinked { links: u64 },
    LogGone,
    IndexGone,
    ReadOnlyMount,
    MountedFile,
}

impl FileChange {
    pub(crate) fn error(self, context: &ErrorContext) -> OutsideCause {
        let database = context.database.clone();
        match self {
            Self::Moved => OutsideCause::Moved { database },
            Self::HardLinked { links } => OutsideCause::HardLinked { database, links },
            Self::LogGone | Self::IndexGone => OutsideCause::LogGone { database },
            Self::ReadOnlyMount => OutsideCause::ReadOnlyMount { database },
            Self::MountedFile => OutsideCause::MountedFile { database },
        }
    }
}

impl DatabaseFile {
    /// The file at the canonical `path`, which `connection` has already read.
    pub(crate) fn of(path: &Path, connection: &Connection, context: &ErrorContext) -> Result<Self, OutsideCause> {
        let moved = |_| OutsideCause::Moved { database: context.database.clone() };
        let file = Self {
            path: path.to_owned(),
            file_identity: FileIdentity::at(path).map_err(moved)?.0,
            log: FileBeside::log_of(path),
            index: FileBeside::index_of(path),
            change: OnceLock::new(),
        };
        file.check_thoroughly(connection).map_err(|change| change.error(context))?;
        Ok(file)
    }

    /// The change that was found, if any.
    pub(crate) fn change(&self) -> Option<FileChange> {
        self.change.get().copied()
    }

    /// Three stats: cheap enough for every transaction.
    pub(crate) fn check(&self) -> Result<(), FileChange> {
        self.check_with(|| {
            self.compare()?;
            if self.index.is_same() { Ok(()) } else { Err(FileChange::IndexGone) }
        })
    }

    /// Two stats. The index matters before a commit, so that nothing of another program is overwritten in the log. What
    /// is in the log afterwards is found without it.
    pub(crate) fn check_after_commit(&self) -> Result<(), FileChange> {
        self.check_with(|| self.compare())
    }

    fn check_with(&self, look: impl FnOnce() -> Result<(), FileChange>) -> Result<(), FileChange> {
        self.keep(self.change().map_or_else(look, Err))
    }

    /// Also asks SQLite and the file system.
    pub(crate) fn check_thoroughly(&self, connection: &Connection) -> Result<(), FileChange> {
        self.check()?;
        if has_moved(connection) {
            return self.keep(Err(FileChange::Moved));
        }
        if is_mounted_read_only(&self.path) {
            return self.keep(Err(FileChange::ReadOnlyMount));
        }
        if is_mount_point(&self.path) {
            return self.keep(Err(FileChange::MountedFile));
        }
        Ok(())
    }

    /// The writer is about to close its connection. If it is the last one, SQLite deletes the log and the index, and the
    /// next connection makes new ones.
    pub(crate) fn note_log_closing(&self) {
        self.log.expect(Expected::Any);
        self.index.expect(Expected::Any);
    }

    /// The writer has a connection again, which keeps the log and the index where they are.
    pub(crate) fn note_log_reopened(&self) {
        self.log.expect(Expected::NotSeen);
        self.index.expect(Expected::NotSeen);
    }

    /// Saves committed data before `connection` is closed for good: copies it from the log to the file that it belongs
    /// to. Afterwards the log is empty, so it cannot be taken for the log of a new file with this name.
    pub(crate) fn part(&self, connection: &Connection) {
        if self.log.is_another() || (self.log.is_there() && !self.index.is_same()) {
            // Another program writes with another log, and copying ours would overwrite its data. Or it writes to our
            // log with another index, and emptying the log would delete its data. That log keeps ours.
            let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            return;
        }
        let emptied = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
        if !matches!(emptied, Ok(false)) {
            crate::database::quiet::warning!(database = %self.path.display(), "the write-ahead log could not be emptied");
        }
    }

    fn keep(&self, looked: Result<(), FileChange>) -> Result<(), FileChange> {
        if let Err(change) = looked {
            let _ = self.change.set(change);
        }
        looked
    }

    fn compare(&self) -> Result<(), FileChange> {
        let Ok((identity, links)) = FileIdentity::at(&self.path) else { return Err(FileChange::Moved) };
        if identity != self.file_identity {
            return Err(FileChange::Moved);
        }
        if links > 1 {
            return Err(FileChange::HardLinked { links });
        }
        if self.log.is_same() { Ok(()) } else { Err(FileChange::LogGone) }
    }
}

/// A file that SQLite keeps beside the database while it is open.
#[derive(Debug)]
struct FileBeside {
    path: PathBuf,
    expected: Mutex<Expected>,
}

/// Which file may be beside the database.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// The next one that is seen. SQLite creates it with the first read.
    NotSeen,
    /// The one that was seen first.
    Seen(FileIdentity),
    /// Another one as well, or none, while the writer has no connection.
    Any,
}

impl FileBeside {
    fn log_of(database: &Path) -> Self {
        Self::named(beside(database, "-wal"))
    }

    fn index_of(database: &Path) -> Self {
        Self::named(beside(database, "-shm"))
    }

    fn named(path: PathBuf) -> Self {
        Self { path, expected: Mutex::new(Expected::NotSeen) }
    }

    /// Whether it is the one that was seen first.
    fn is_same(&self) -> bool {
        // Another thread may change what is expected. So what is found is compared with what is expected at that time.
        let mut expected = self.expected();
        let found = self.found();
        match (*expected, found) {
            (Expected::Any, _) | (Expected::NotSeen, None) => true,
            (Expected::NotSeen, Some(identity)) => {
                *expected = Expected::Seen(identity);
                true
            }
            (Expected::Seen(first), found) => found == Some(first),
        }
    }

    fn is_there(&self) -> bool {
        self.found().is_some()
    }

    /// Whether another one has its name.
    fn is_another(&self) -> bool {
        let expected = self.expected();
        match (*expected, self.found()) {
            (Expected::Seen(first), Some(found)) => found != first,
            (Expected::NotSeen, found) => found.is_some(),
            (Expected::Any, _) | (_, None) => false,
        }
    }

    fn expect(&self, expected: Expected) {
        *self.expected() = expected;
    }

    fn expected(&self) -> MutexGuard<'_, Expected> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn found(&self) -> Option<FileIdentity> {
        FileIdentity::at(&self.path).ok().map(|(identity, _)| identity)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn log() -> (tempfile::TempDir, FileBeside) {
        let folder = tempfile::tempdir().unwrap();
        let log = FileBeside::log_of(&folder.path().join("a.db"));
        (folder, log)
    }

    #[test]
    fn a_log_that_was_seen_and_is_gone_or_another_is_not_the_same() {
        let (_folder, log) = log();
        assert!(log.is_same());
        fs::write(&log.path, "").unwrap();
        assert!(log.is_same());

        fs::rename(&log.path, log.path.with_extension("kept")).unwrap();
        assert!(!log.is_same());
        fs::write(&log.path, "").unwrap();
        assert!(!log.is_same());
    }

    #[test]
    fn while_the_writer_has_no_connection_the_log_may_go_and_come() {
        let (_folder, log) = log();
        fs::write(&log.path, "").unwrap();
        assert!(log.is_same());

        log.expect(Expected::Any);
        assert!(log.is_same());
        fs::rename(&log.path, log.path.with_extension("kept")).unwrap();
        assert!(log.is_same());
        fs::write(&log.path, "").unwrap();

        log.expect(Expected::NotSeen);
        assert!(log.is_same());
        fs::remove_file(&log.path).unwrap();
        assert!(!log.is_same());
    }
}
