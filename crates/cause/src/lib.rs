//! Why a database cannot be used: the causes outside the program, listed once.
//!
//! The queue and the migrations meet the same file, disk, lock and server, and neither may know the other. So both
//! carry an [`OutsideCause`], with one code and one sentence for each cause. This crate does no I/O and knows no
//! command line: exit codes, and hints that name a flag or a command, belong to the program that prints them.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A cause outside the request: any other request to the same database would have met it, too.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutsideCause {
    /// Another program held the write lock for longer than was waited.
    #[error("{database} is locked: another program {}", held_for(*.waited))]
    Busy {
        /// Which database.
        database: Arc<str>,
        /// How long was waited; zero where that is not known.
        waited: Duration,
    },
    /// Another migration runner held its lock for longer than was waited.
    #[error("another migration runner holds {}", lock.display())]
    RunnerBusy {
        /// The lock file.
        lock: PathBuf,
    },
    /// The disk, a quota or the database's size limit is reached.
    #[error("no space is left for {database}")]
    Full {
        /// Which database, or which file beside it.
        database: Arc<str>,
    },
    /// The file, its folder or the connection may not be written.
    #[error("{database} cannot be written: it or its folder is read-only")]
    ReadOnly {
        /// Which database.
        database: Arc<str>,
    },
    /// The file system is mounted read-only.
    #[error("{database} is on a file system that is mounted read-only")]
    ReadOnlyMount {
        /// Which database.
        database: Arc<str>,
    },
    /// A file beside the database may not be written.
    #[error(
        "{} cannot be written: {source}; give it the owner of the database, as root: \
         chown -R --reference=DATABASE DATABASE-workers",
        path.display()
    )]
    Forbidden {
        /// What could not be written.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The content is damaged.
    #[error("{database} is damaged: {source}")]
    Damaged {
        /// Which database.
        database: Arc<str>,
        /// What the database says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file holds something else.
    #[error("{database} is not a database")]
    NotADatabase {
        /// Which file.
        database: Arc<str>,
    },
    /// It is not even a file.
    #[error("{database} is {kind}, not a database file")]
    NotAFile {
        /// Which path.
        database: Arc<str>,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// There is no such database, and this call does not make one.
    #[error("there is no database {database}")]
    Missing {
        /// Which database.
        database: Arc<str>,
    },
    /// The file would have to be made in a folder that is not there.
    #[error("there is no folder {} for the database", folder.display())]
    NoFolder {
        /// Which folder.
        folder: PathBuf,
    },
    /// The file or the server does not answer.
    #[error("{database} cannot be opened: {source}")]
    Unreachable {
        /// Which database.
        database: Arc<str>,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The process or the machine has no file descriptor left.
    #[error("{database} cannot be opened: too many files are open in this process or on this machine")]
    TooManyFiles {
        /// Which database.
        database: Arc<str>,
    },
    /// The disk, the file system or the memory failed while the database used it.
    #[error("{database} cannot be read or written: {source}")]
    Device {
        /// Which database.
        database: Arc<str>,
        /// What the database says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Its path does not lead to the open file any more: it was moved, replaced or deleted. Open it anew.
    #[error("the file {database} was moved, replaced or deleted while it was open")]
    Moved {
        /// Which database.
        database: Arc<str>,
    },
    /// The file has a second name. A program that opens it by that name uses another write-ahead log and other locks,
    /// so either would destroy what the other writes.
    #[error("{database} has {links} names (hard links): two programs that use different names destroy its content")]
    HardLinked {
        /// Which database.
        database: Arc<str>,
        /// How many names it has.
        links: u64,
    },
    /// The write-ahead log was deleted or replaced while the database was open. Open it anew.
    #[error("the write-ahead log of {database} was deleted or replaced while it was open")]
    LogGone {
        /// Which database.
        database: Arc<str>,
    },
}

impl OutsideCause {
    /// The cause behind an error of the operating system about `database` or a file beside it; none where the error
    /// says nothing of the kind.
    pub fn of_io(database: Arc<str>, error: &io::Error) -> Option<Self> {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Some(Self::ReadOnly { database }),
            io::ErrorKind::ReadOnlyFilesystem => Some(Self::ReadOnlyMount { database }),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(Self::Full { database }),
            _ if is_want_of_files(error) => Some(Self::TooManyFiles { database }),
            _ => None,
        }
    }

    /// A stable word for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "database_locked",
            Self::RunnerBusy { .. } => "locked",
            Self::Full { .. } => "disk_full",
            Self::ReadOnly { .. } => "database_read_only",
            Self::ReadOnlyMount { .. } => "mounted_read_only",
            Self::Forbidden { .. } => "permission_denied",
            Self::Damaged { .. } => "database_damaged",
            Self::NotADatabase { .. } | Self::NotAFile { .. } => "not_a_database",
            Self::Missing { .. } => "database_missing",
            Self::NoFolder { .. } => "invalid_database",
            Self::Unreachable { .. } => "database_unreachable",
            Self::TooManyFiles { .. } => "too_many_open_files",
            Self::Device { .. } => "database_failed",
            Self::Moved { .. } => "database_moved",
            Self::HardLinked { .. } => "database_hard_linked",
            Self::LogGone { .. } => "database_log_gone",
        }
    }

    /// What to do about it, whatever program met it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "try again when the other program has committed; nothing was lost",
            Self::RunnerBusy { .. } => "try again when the other migration has ended",
            Self::Full { .. } => "free some space; nothing was lost",
            Self::ReadOnly { .. } => "check the owner and the permissions of the file and of its folder",
            Self::ReadOnlyMount { .. } => "mount it for writing, then start again",
            Self::Forbidden { .. } => {
                "whoever may write the database must be able to write that folder and the files in it"
            }
            Self::Damaged { .. } => "restore a backup, or rescue what is left with \"sqlite3 FILE .recover\"",
            Self::NotADatabase { .. } | Self::NotAFile { .. } | Self::Missing { .. } => {
                "check the path of the database"
            }
            Self::NoFolder { .. } => "create the folder, or check the path of the database",
            Self::Unreachable { .. } => "check that every folder of its path exists and may be read",
            Self::TooManyFiles { .. } => "raise the limit (\"ulimit -n\") or run fewer jobs at once",
            Self::Device { .. } => "check the disk and the system's log; nothing of the failed request was kept",
            Self::Moved { .. } => {
                "stop every program that uses the database before you replace or move its file, then start them again"
            }
            Self::HardLinked { .. } => {
                "remove the other name (\"find FOLDER -samefile FILE\" lists them), or make a copy with \"sqlite3 FILE .backup\""
            }
            Self::LogGone { .. } => {
                "never delete FILE-wal or FILE-shm while a program uses the database; check its content, then start again"
            }
        }
    }

    /// Whether the same request can succeed later without anybody changing it.
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. }
                | Self::RunnerBusy { .. }
                | Self::Full { .. }
                | Self::ReadOnly { .. }
                | Self::Unreachable { .. }
                | Self::TooManyFiles { .. }
                | Self::Device { .. }
        )
    }

    /// Whether somebody else holds a lock.
    pub const fn is_lock(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::RunnerBusy { .. })
    }
}

fn held_for(waited: Duration) -> String {
    if waited.is_zero() {
        return "holds it".to_owned();
    }
    format!("has held it for {}", humantime::format_duration(waited))
}

/// ENFILE and EMFILE have the same numbers on every Unix.
const NO_DESCRIPTOR_LEFT: [i32; 2] = [23, 24];

/// Whether the process or the machine has no file descriptor left.
pub fn is_want_of_files(error: &io::Error) -> bool {
    cfg!(unix) && error.raw_os_error().is_some_and(|number| NO_DESCRIPTOR_LEFT.contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_system_names_its_cause_and_any_other_names_none() {
        let code = |error: io::Error| OutsideCause::of_io("a.db".into(), &error).map(|cause| cause.code());
        assert_eq!(code(io::ErrorKind::PermissionDenied.into()), Some("database_read_only"));
        assert_eq!(code(io::ErrorKind::ReadOnlyFilesystem.into()), Some("mounted_read_only"));
        assert_eq!(code(io::ErrorKind::StorageFull.into()), Some("disk_full"));
        assert_eq!(code(io::ErrorKind::QuotaExceeded.into()), Some("disk_full"));
        assert_eq!(code(io::ErrorKind::InvalidData.into()), None);
        if cfg!(unix) {
            for number in NO_DESCRIPTOR_LEFT {
                assert_eq!(code(io::Error::from_raw_os_error(number)), Some("too_many_open_files"));
            }
        }
    }
}
