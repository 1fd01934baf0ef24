use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use longshore_core::OutsideCause;
use longshore_sqlite_file::{has_moved, is_mounted_read_only, link_count};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::fault::ErrorContext;

/// The file that a store was opened on, and whether its path still leads to it.
///
/// A connection goes on writing to a file that was moved or replaced, and to a log that was deleted; nobody would find
/// there what it acknowledged. Every look is a stat, because closing a descriptor of ours on the file would drop
/// SQLite's locks.
#[derive(Debug)]
pub(crate) struct DatabaseFile {
    path: PathBuf,
    log: PathBuf,
    file_identity: Identity,
    /// None until the log was seen; SQLite makes it with the first read.
    log_identity: Mutex<Option<Identity>>,
    change: OnceLock<FileChange>,
}

/// What happened to the file. The store that met it does nothing more.
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

/// What the operating system knows a file by. There is none on Windows, where an open file can be neither moved nor
/// deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    #[cfg(unix)]
    fn of(found: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: found.dev(), inode: found.ino() }
    }

    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Self {
        Self { device: 0, inode: 0 }
    }
}

impl DatabaseFile {
    /// The file at `path`, a canonical one, that `connection` has read already.
    pub(crate) fn of(path: &Path, connection: &Connection, context: &ErrorContext) -> Result<Self, OutsideCause> {
        let moved = |_| OutsideCause::Moved { database: context.database.clone() };
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let file = Self {
            path: path.to_owned(),
            log: log.into(),
            file_identity: Identity::of(&fs::metadata(path).map_err(moved)?),
            log_identity: Mutex::new(None),
            change: OnceLock::new(),
        };
        file.check_thoroughly(connection).map_err(|change| change.error(context))?;
        Ok(file)
    }

    /// What was found to have happened, if anything was.
    pub(crate) fn change(&self) -> Option<FileChange> {
        self.change.get().copied()
    }

    /// Two stats, cheap enough for every transaction.
    pub(crate) fn check(&self) -> Result<(), FileChange> {
        self.keep(self.change().map_or_else(|| self.look(), Err))
    }

    /// Asks SQLite and the file system as well.
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

    /// The last connection of this store was closed, so the log may rightly be another one since.
    pub(crate) fn note_log_reopened(&self) {
        *self.log_identity.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Saves what was committed, before `connection` is closed for good: it moves out of the log into the file that it
    /// belongs to, and nothing is left that would be taken for the log of a file that now has this name.
    pub(crate) fn part(&self, connection: &Connection) {
        if self.has_foreign_log() {
            // Somebody else writes by a log of their own; what is in ours would overwrite theirs.
            let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            return;
        }
        let emptied = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
        if !matches!(emptied, Ok(false)) {
            crate::quiet::warning!(database = %self.path.display(), "the write-ahead log could not be emptied");
        }
    }

    fn keep(&self, looked: Result<(), FileChange>) -> Result<(), FileChange> {
        if let Err(change) = looked {
            let _ = self.change.set(change);
        }
        looked
    }

    fn look(&self) -> Result<(), FileChange> {
        let Ok(found) = fs::metadata(&self.path) else { return Err(FileChange::Moved) };
        if Identity::of(&found) != self.file_identity {
            return Err(FileChange::Moved);
        }
        let links = link_count(&found);
        if links > 1 {
            return Err(FileChange::HardLinked { links });
        }
        let found = fs::metadata(&self.log).ok().map(|found| Identity::of(&found));
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
        let found = fs::metadata(&self.log).ok().map(|found| Identity::of(&found));
        found.is_some() && found != known
    }
}
