use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::{InvalidJob, JobId, WorkerId};

/// What a store could not do. After any of these the database is as it was before the call.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another program held the write lock for longer than this store waits. Trying again is safe.
    #[error("{database} is locked: another program has held it for {}", humantime::format_duration(*.waited))]
    Busy {
        /// Which database.
        database: Arc<str>,
        /// How long was waited.
        waited: Duration,
    },
    /// The disk or the database's size limit is reached. Trying again is safe.
    #[error("no space is left for {database}")]
    Full {
        /// Which database.
        database: Arc<str>,
    },
    /// The file, its folder or the connection may not be written.
    #[error("{database} cannot be written: it or its folder is read-only")]
    ReadOnly {
        /// Which database.
        database: Arc<str>,
    },
    /// The file is damaged.
    #[error("{database} is damaged: {source}")]
    Damaged {
        /// Which database.
        database: Arc<str>,
        /// What the database says.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The file is something else.
    #[error("{database} is not a database")]
    NotADatabase {
        /// Which file.
        database: Arc<str>,
    },
    /// There is no such database, and this call does not make one.
    #[error("there is no database {database}")]
    Missing {
        /// Which database.
        database: Arc<str>,
    },
    /// It is there and cannot be opened.
    #[error("{database} cannot be opened: {source}")]
    Unreachable {
        /// Which database.
        database: Arc<str>,
        /// Why.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Its path does not lead to the open file any more: it was moved, replaced or deleted. Open the store anew.
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
    /// The write-ahead log was deleted or replaced while the database was open. Open the store anew.
    #[error("the write-ahead log of {database} was deleted or replaced while it was open")]
    LogGone {
        /// Which database.
        database: Arc<str>,
    },
    /// The file system is mounted read-only.
    #[error("{database} is on a file system that is mounted read-only")]
    ReadOnlyMount {
        /// Which database.
        database: Arc<str>,
    },
    /// A worker may not write where the workers of this database show that they live.
    #[error(
        "{path} cannot be written: {source}; run \"chown -R --reference={database} {folder}\" as root",
        path = path.display(),
        folder = folder.display()
    )]
    Forbidden {
        /// Which database.
        database: Arc<str>,
        /// What could not be written.
        path: PathBuf,
        /// The folder that everybody who works on the database must be able to write.
        folder: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The process or the machine has no file descriptor left. Trying again is safe.
    #[error("{database} cannot be opened: too many files are open in this process or on this machine")]
    TooManyFiles {
        /// Which database.
        database: Arc<str>,
    },
    /// The schema is not the one that this program understands.
    #[error("{message}")]
    Schema {
        /// What is wrong, in words.
        message: String,
        /// The command that mends it.
        hint: String,
        /// Whether the ledger's own history is broken rather than the schema different.
        verdict: SchemaVerdict,
    },
    /// A migration ran since this store was opened, and the schema is not what this program understands. The same
    /// call succeeds when it is that again.
    #[error("the schema of {database} was changed while it was in use")]
    SchemaChanged {
        /// Which database.
        database: Arc<str>,
    },
    /// The job is not acceptable.
    #[error(transparent)]
    InvalidJob(#[from] InvalidJob),
    /// The parent does not exist.
    #[error("there is no job {parent} to be the parent")]
    UnknownParent {
        /// The parent that was named.
        parent: JobId,
    },
    /// The worker's lease ended and its jobs were given to others. Register anew.
    #[error("the lease of {worker_id} has ended")]
    WorkerGone {
        /// The worker.
        worker_id: WorkerId,
    },
    /// The caller's stream of jobs broke off; nothing was enqueued.
    #[error("{source}")]
    Aborted {
        /// What the stream said.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The store was closed.
    #[error("the connection to {database} was closed")]
    Closed {
        /// Which database.
        database: Arc<str>,
    },
    /// The store's own code panicked, which is a mistake in it. The database is as it was before the call.
    #[error("the store of {database} panicked while {doing}: {message}")]
    Panicked {
        /// Which database.
        database: Arc<str>,
        /// What was being done.
        doing: &'static str,
        /// What the panic said.
        message: String,
    },
    /// Anything else that the database said.
    #[error("{database} failed while {doing}: {source}")]
    Backend {
        /// Which database.
        database: Arc<str>,
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// Which of the two disagreements a schema error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaVerdict {
    /// The schema is older, newer or other than the program understands.
    Disagrees,
    /// The ledger's history is broken: a migration is changed, missing, duplicate or out of order.
    HistoryBroken,
}

impl StoreError {
    /// A stable word for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "database_locked",
            Self::Full { .. } => "disk_full",
            Self::ReadOnly { .. } => "database_read_only",
            Self::Damaged { .. } => "database_damaged",
            Self::NotADatabase { .. } => "not_a_database",
            Self::Missing { .. } => "database_missing",
            Self::Unreachable { .. } => "database_unreachable",
            Self::Moved { .. } => "database_moved",
            Self::HardLinked { .. } => "database_hard_linked",
            Self::LogGone { .. } => "database_log_gone",
            Self::ReadOnlyMount { .. } => "mounted_read_only",
            Self::Forbidden { .. } => "permission_denied",
            Self::TooManyFiles { .. } => "too_many_open_files",
            Self::Schema { verdict: SchemaVerdict::Disagrees, .. } => "schema_disagrees",
            Self::Schema { verdict: SchemaVerdict::HistoryBroken, .. } => "history_broken",
            Self::SchemaChanged { .. } => "schema_changed",
            Self::InvalidJob(_) => "invalid_job",
            Self::UnknownParent { .. } => "unknown_parent",
            Self::WorkerGone { .. } => "worker_gone",
            Self::Aborted { .. } => "invalid_input",
            Self::Closed { .. } => "closed",
            Self::Panicked { .. } => "store_panicked",
            Self::Backend { .. } => "database_failed",
        }
    }

    /// What to do next, where there is something to say.
    pub fn hint(&self) -> Option<&str> {
        Some(match self {
            Self::Busy { .. } => "try again when the other program has committed; nothing was lost",
            Self::Full { .. } => "free some space; nothing was lost, and work resumes by itself",
            Self::ReadOnly { .. } => "check the owner and the permissions of the file and of its folder",
            Self::Damaged { .. } => "restore a backup, or rescue what is left with \"sqlite3 FILE .recover\"",
            Self::NotADatabase { .. } => "check the path given with --database",
            Self::Missing { .. } => "check the path given with --database, or create it with \"longshore migrate up\"",
            Self::Unreachable { .. } => "check that the folder exists and may be read",
            Self::Moved { .. } => {
                "stop every program that uses the database before you replace or move its file, then start them again"
            }
            Self::HardLinked { .. } => {
                "remove the other name (\"find FOLDER -samefile FILE\" lists them), or make a copy with \"sqlite3 FILE .backup\""
            }
            Self::LogGone { .. } => {
                "never delete FILE-wal or FILE-shm while a program uses the database; check it with \"longshore doctor\", then start again"
            }
            Self::ReadOnlyMount { .. } => "mount it for writing, then start again",
            Self::Forbidden { .. } => {
                "whoever may write the database must be able to write that folder and the files in it"
            }
            Self::TooManyFiles { .. } => {
                "raise the limit (\"ulimit -n\") or run fewer jobs at once; nothing was changed"
            }
            Self::Schema { hint, .. } => hint,
            Self::SchemaChanged { .. } => {
                "look at \"longshore migrate status\"; a worker goes on by itself as soon as the schema is understood again"
            }
            Self::Panicked { .. } => "this is a mistake in the program: report it with the backtrace on standard error",
            Self::UnknownParent { .. } => "enqueue the parent first, and name the id that it was given",
            _ => return None,
        })
    }

    /// Whether the same call can succeed later without anybody changing it: the cause is outside and passes.
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. }
                | Self::Full { .. }
                | Self::ReadOnly { .. }
                | Self::TooManyFiles { .. }
                | Self::Backend { .. }
                | Self::SchemaChanged { .. }
        )
    }
}
