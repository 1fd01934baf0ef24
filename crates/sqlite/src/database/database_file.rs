use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use longshore_core::OutsideCause;
use longshore_sqlite_file::{FileIdentity, has_moved, is_mounted_read_only};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::database::fault::ErrorContext;

/// The file that a store was opened on, and whether its path still leads to it.
///
/// A connection keeps writing to a file that was moved or replaced, or to a log that was deleted. Nobody would find
/// there what it acknowledged. Every check is a stat, because closing a descriptor of ours on the file would drop
/// SQLite's locks.
#[derive(Debug)]
pub(crate) struct DatabaseFile {
    path: PathBuf,
    log: PathBuf,
    file_identity: FileIdentity,
    /// `None` until the log was seen. SQLite creates it with the first read.
    log_identity: Mutex<Option<FileIdentity>>,
    change: OnceLock<FileChange>,
}

/// What happened to the file. A store that finds a change does nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileChange {
    Moved,
    HardLinked { links: u64 },
    LogGone,
    ReadOnlyMount,
}

impl FileChange {
    pub(crate) fn error(self, context: &ErrorContext) -> OutsideCause {
        let database = context.database.clone();
        match self {
            Self::Moved => OutsideCause::Moved { database },
            Self::HardLinked { links } => OutsideCause::HardLinked { database, links },
            Self::LogGone => OutsideCause::LogGone { database },
            Self::ReadOnlyMount => OutsideCause::ReadOnlyMount { database },
        }
    }
}

impl DatabaseFile {
    /// The file at the canonical `path`, which `connection` has already read.
    pub(crate) fn of(path: &Path, connection: &Connection, context: &ErrorContext) -> Result<Self, OutsideCause> {
        let moved = |_| OutsideCause::Moved { database: context.database.clone() };
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let file = Self {
            path: path.to_owned(),
            log: log.into(),
            file_identity: FileIdentity::at(path).map_err(moved)?.0,
            log_identity: Mutex::new(None),
            change: OnceLock::new(),
        };
        file.check_thoroughly(connection).map_err(|change| change.error(context))?;
        Ok(file)
    }

    /// The change that was found, if any.
    pub(crate) fn change(&self) -> Option<FileChange> {
        self.change.get().copied()
    }

    /// Two stats: cheap enough for every transaction.
    pub(crate) fn check(&self) -> Result<(), FileChange> {
        self.keep(self.change().map_or_else(|| self.compare(), Err))
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
        Ok(())
    }

    /// The last connection of this store was closed, so a new log is legitimate.
    pub(crate) fn note_log_reopened(&self) {
        *self.log_identity.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Saves committed data before `connection` is closed for good: copies it from the log to the file that it belongs
    /// to. Afterwards the log is empty, so it cannot be taken for the log of a new file with this name.
    pub(crate) fn part(&self, connection: &Connection) {
        if self.has_foreign_log() {
            // Another program writes with another log. Copying our log would overwrite its data.
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
        let found = FileIdentity::at(&self.log).ok().map(|(identity, _)| identity);
        let mut known = self.log_identity.lock().unwrap_or_else(PoisonError::into_inner);
        match (*known, found) {
            (None, found) => *known = found,
            (Some(known), Some(found)) if known == found => {}
            (Some(_), _) => return Err(FileChange::LogGone),
        }
        Ok(())
    }

    fn has_foreign_log(&self) -> bool {
        let known = *self.log_identity.lock().unwrap_or_else(PoisonError::into_inner);
        let found = FileIdentity::at(&self.log).ok().map(|(identity, _)| identity);
        found.is_some() && found != known
    }
}
