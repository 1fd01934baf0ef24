//! Why a database cannot be used: the causes outside the program.
//!
//! The queue and the migrations use the same file, disk, lock and server, and neither crate depends on the other. Both
//! return an [`OutsideCause`], so each cause has one code and one sentence. This crate does no I/O and knows no command
//! line: exit codes, and hints that name a flag or a command, belong to the program that prints them.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A cause outside the request. Any other request to the same database would fail in the same way.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutsideCause {
    /// Another program held the write lock for the whole timeout.
    #[error("{database} is locked: another program {}", held_for(*.waited))]
    Busy {
        /// The database.
        database: Arc<str>,
        /// How long the caller waited; zero if unknown.
        waited: Duration,
    },
    /// Another migration runner held its lock for the whole timeout.
    #[error("another migration runner holds {}", lock.display())]
    RunnerBusy {
        /// The lock file.
        lock: PathBuf,
    },
    /// The disk, a quota or the size limit of the database is full.
    #[error("there is no space left for {database}")]
    Full {
        /// The database, or a file beside it.
        database: Arc<str>,
    },
    /// The file, its folder or the connection is read-only.
    #[error("{database} cannot be written: it or its folder is read-only")]
    ReadOnly {
        /// The database.
        database: Arc<str>,
    },
    /// The file system is mounted read-only.
    #[error("{database} is on a file system that is mounted read-only")]
    ReadOnlyMount {
        /// The database.
        database: Arc<str>,
    },
    /// A file beside the database cannot be written.
    #[error(
        "{} cannot be written: {source}; give it the owner of the database, as root: \
         chown -R --reference=DATABASE DATABASE-workers",
        path.display()
    )]
    Forbidden {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Something else has the name of a folder that the queue needs beside the database.
    #[error("{} is not a folder, and workers need a folder of that name", path.display())]
    NotAFolder {
        /// What has the name of the folder.
        path: PathBuf,
    },
    /// A file of the database has the greatest size that this process may write.
    #[error("a file of {database} cannot grow: it has reached the limit on file sizes (RLIMIT_FSIZE)")]
    FileTooLarge {
        /// The database, or a file beside it.
        database: Arc<str>,
    },
    /// The content of the database is damaged.
    #[error("{database} is damaged: {source}")]
    Damaged {
        /// The database.
        database: Arc<str>,
        /// The error of the database.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file is not a database.
    #[error("{database} is not a database")]
    NotADatabase {
        /// The path.
        database: Arc<str>,
    },
    /// The path is not a regular file.
    #[error("{database} is {kind}, not a database file")]
    NotAFile {
        /// The path.
        database: Arc<str>,
        /// What the path is, with an article.
        kind: &'static str,
    },
    /// The database does not exist, and this call does not create it.
    #[error("there is no database {database}")]
    Missing {
        /// The path.
        database: Arc<str>,
    },
    /// The folder in which the file would be created does not exist.
    #[error("there is no folder {} for the database", folder.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// The file cannot be opened, or the server does not answer.
    #[error("{database} cannot be opened: {source}")]
    Unreachable {
        /// The database.
        database: Arc<str>,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A server cannot be reached, or the connection to it was lost.
    #[error("{database} cannot be reached: {source}")]
    ServerUnreachable {
        /// The server and the database, without credentials.
        database: Arc<str>,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server is starting, recovering or shutting down, or an administrator ended the session.
    #[error("{database} does not serve at the moment: {source}")]
    ServerStopping {
        /// The server and the database, without credentials.
        database: Arc<str>,
        /// What the server said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server has no such database.
    #[error("the server has no database {database}")]
    MissingOnServer {
        /// The server and the database, without credentials.
        database: Arc<str>,
    },
    /// No encrypted connection came about: a certificate, a key or a mode does not fit.
    #[error("no encrypted connection to {database}: {source}")]
    Tls {
        /// The server and the database, without credentials.
        database: Arc<str>,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The process or the machine has no free file descriptor.
    #[error("{database} cannot be opened: too many files are open in this process or on this machine")]
    TooManyFiles {
        /// The database.
        database: Arc<str>,
    },
    /// The user, the container or the machine has as many threads and processes as it may have.
    #[error("no more threads or processes may be started (limit RLIMIT_NPROC, or the pids limit of the container)")]
    TooManyThreads,
    /// The disk, the file system or the memory failed while the database used it.
    #[error("{database} cannot be read or written: {source}")]
    Device {
        /// The database.
        database: Arc<str>,
        /// The error of the database.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The path no longer leads to the open file: it was moved, replaced or deleted. Open the database again.
    #[error("the file {database} was moved, replaced or deleted while it was open")]
    Moved {
        /// The database.
        database: Arc<str>,
    },
    /// The file has more than one name (a hard link). A program that opens it by another name uses another write-ahead
    /// log and other locks, and the two programs would destroy each other's data.
    #[error("{database} has {links} names (hard links): two programs that use different names destroy its content")]
    HardLinked {
        /// The database.
        database: Arc<str>,
        /// The number of names.
        links: u64,
    },
    /// The file alone is mounted at its path. Where it was mounted from, a program uses another write-ahead log and
    /// other locks, and the two programs would destroy each other's data.
    #[error("{database} is mounted as a single file, but SQLite keeps its log beside it: mount its folder instead")]
    MountedFile {
        /// The database.
        database: Arc<str>,
    },
    /// A write-ahead log or a rollback journal is there without its database. Opening the path would delete it.
    #[error("{} belongs to a database that was moved or deleted, and may hold data that is only there", log.display())]
    LogLeft {
        /// The log.
        log: PathBuf,
    },
    /// The server takes no writes: a standby, or a server or a role that was set to read-only.
    #[error("{database} takes no writes: the server is a standby, or is set to read-only")]
    ReadOnlyServer {
        /// The database.
        database: Arc<str>,
    },
    /// The role may not do what was asked.
    #[error("{database} does not allow it: {source}")]
    Denied {
        /// The database.
        database: Arc<str>,
        /// What the server said, which names the object.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server refused the user or its password.
    #[error("{database} refused the login: {source}")]
    LoginRefused {
        /// The database.
        database: Arc<str>,
        /// What the server said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Every connection that the server allows is in use.
    #[error("{database} has no free connection")]
    TooManyConnections {
        /// The database.
        database: Arc<str>,
    },
    /// Another transaction was in the way for longer than a limit allows, or at the same rows at the same time.
    #[error("another transaction is in the way in {database}: {source}")]
    Conflict {
        /// The database.
        database: Arc<str>,
        /// What the server said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server cancelled a statement: it took longer than a limit allows, or an administrator asked for it.
    #[error("{database} cancelled a statement: {source}")]
    StatementCancelled {
        /// The database.
        database: Arc<str>,
        /// What the server said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The write-ahead log (`-wal`) or its index (`-shm`) was deleted or replaced while the database was open. Open the
    /// database again when no program has the old one open.
    #[error("the write-ahead log of {database} (-wal), or its index (-shm), was deleted or replaced while it was open")]
    LogGone {
        /// The database.
        database: Arc<str>,
    },
}

impl OutsideCause {
    /// The cause behind an I/O error on `database` or a file beside it. `None` if the error has no cause listed here.
    pub fn of_io(database: Arc<str>, error: &io::Error) -> Option<Self> {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Some(Self::ReadOnly { database }),
            io::ErrorKind::ReadOnlyFilesystem => Some(Self::ReadOnlyMount { database }),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(Self::Full { database }),
            io::ErrorKind::FileTooLarge => Some(Self::FileTooLarge { database }),
            _ if is_want_of_files(error) => Some(Self::TooManyFiles { database }),
            _ => None,
        }
    }

    /// A stable code for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Busy { .. } | Self::Conflict { .. } => "database_locked",
            Self::StatementCancelled { .. } => "statement_cancelled",
            Self::RunnerBusy { .. } => "locked",
            Self::Full { .. } => "disk_full",
            Self::ReadOnly { .. } | Self::ReadOnlyServer { .. } => "database_read_only",
            Self::ReadOnlyMount { .. } => "mounted_read_only",
            Self::Forbidden { .. } | Self::Denied { .. } => "permission_denied",
            Self::LoginRefused { .. } => "login_refused",
            Self::TooManyConnections { .. } => "too_many_connections",
            Self::NotAFolder { .. } => "not_a_folder",
            Self::FileTooLarge { .. } => "file_too_large",
            Self::Damaged { .. } => "database_damaged",
            Self::NotADatabase { .. } | Self::NotAFile { .. } => "not_a_database",
            Self::Missing { .. } | Self::MissingOnServer { .. } => "database_missing",
            Self::NoFolder { .. } => "invalid_database",
            Self::Unreachable { .. } | Self::ServerUnreachable { .. } => "database_unreachable",
            Self::ServerStopping { .. } => "server_stopping",
            Self::Tls { .. } => "tls_failed",
            Self::TooManyFiles { .. } => "too_many_open_files",
            Self::TooManyThreads => "too_many_threads",
            Self::Device { .. } => "database_failed",
            Self::Moved { .. } => "database_moved",
            Self::HardLinked { .. } => "database_hard_linked",
            Self::LogGone { .. } => "database_log_gone",
            Self::MountedFile { .. } => "database_file_mounted",
            Self::LogLeft { .. } => "database_log_left",
        }
    }

    /// What the user can do about it, in any program.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "try again when the other program has committed; nothing was lost",
            Self::Conflict { .. } => {
                "try again when the other transaction has ended; nothing was lost. pg_stat_activity shows who waits for whom"
            }
            Self::StatementCancelled { .. } => {
                "try again; if it takes too long, look in pg_stat_activity for what it waits for, or raise statement_timeout \
                of the role"
            }
            Self::RunnerBusy { .. } => "try again when the other migration has ended",
            Self::Full { .. } => "free some space; nothing was lost",
            Self::ReadOnly { .. } => "check the owner and the permissions of the file and of its folder",
            Self::ReadOnlyServer { .. } => {
                "connect to the primary (or name all servers in the URL), and check default_transaction_read_only of the role \
                and of the database"
            }
            Self::Denied { .. } => {
                "have the owner of the object GRANT what is missing, or connect as that owner. The commands of migrate need \
                CREATE on the database"
            }
            Self::LoginRefused { .. } => {
                "check the user, the password (URL, PGPASSWORD or ~/.pgpass) and pg_hba.conf of the server"
            }
            Self::TooManyConnections { .. } => "close connections, or raise max_connections or the limit of the role",
            Self::ReadOnlyMount { .. } => {
                "mount it for writing, then start again. SQLite also needs this to read, for the files beside the \
                database; to look at it only, copy it to a folder that can be written"
            }
            Self::Forbidden { .. } => {
                "every user who writes to the database needs write permission for that folder and the files in it"
            }
            Self::NotAFolder { .. } => "move it away and start again; a worker makes the folder",
            Self::FileTooLarge { .. } => "raise the limit (\"ulimit -f\"); the failed request changed nothing",
            Self::Damaged { .. } => "restore a backup, or recover what is readable with \"sqlite3 FILE .recover\"",
            Self::NotADatabase { .. } | Self::NotAFile { .. } | Self::Missing { .. } => {
                "check the path of the database"
            }
            Self::NoFolder { .. } => "create the folder, or check the path of the database",
            Self::Unreachable { .. } => "check that every folder in its path exists and is readable",
            Self::ServerUnreachable { .. } => {
                "check that the server runs, and the host and the port; workers go on when it is back"
            }
            Self::ServerStopping { .. } => "try again when the server is up; nothing was lost",
            Self::MissingOnServer { .. } => "create it with CREATE DATABASE, or check its name in the URL",
            Self::Tls { .. } => "check sslmode, sslrootcert, sslcert and sslkey, and the host name in the URL",
            Self::TooManyFiles { .. } => "raise the limit (\"ulimit -n\") or run fewer jobs at once",
            Self::TooManyThreads => {
                "raise the limit (\"ulimit -u\", or \"ulimit -v\" for the memory of their stacks, TasksMax of systemd, the \
                pids limit of the container), or run fewer jobs at once"
            }
            Self::Device { .. } => "check the disk and the system log; the failed request changed nothing",
            Self::Moved { .. } => {
                "stop every program that uses the database before you replace or move its file, then start them again"
            }
            Self::HardLinked { .. } => {
                "remove the other name (\"find FOLDER -samefile FILE\" lists them), or make a copy with \"sqlite3 \
                FILE .backup\""
            }
            Self::MountedFile { .. } => {
                "stop every program that uses the file, then mount the folder that contains it, in each container"
            }
            Self::LogLeft { .. } => {
                "move the database back, or move the log beside it, under the name of the database with the same \
                ending; delete the log only if its content is not needed"
            }
            Self::LogGone { .. } => {
                "never delete FILE-wal or FILE-shm while a program uses the database; check its content, then start \
                again"
            }
        }
    }

    /// Whether the same request can succeed later without any action of the user.
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. }
                | Self::RunnerBusy { .. }
                | Self::Full { .. }
                | Self::ReadOnly { .. }
                | Self::ReadOnlyServer { .. }
                | Self::TooManyConnections { .. }
                | Self::Conflict { .. }
                | Self::StatementCancelled { .. }
                | Self::LoginRefused { .. }
                | Self::Unreachable { .. }
                | Self::ServerUnreachable { .. }
                | Self::ServerStopping { .. }
                | Self::TooManyFiles { .. }
                | Self::TooManyThreads
                | Self::FileTooLarge { .. }
                | Self::Device { .. }
        )
    }

    /// Whether another program holds a lock.
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

/// Whether the error means that no file descriptor is free.
pub fn is_want_of_files(error: &io::Error) -> bool {
    cfg!(unix) && error.raw_os_error().is_some_and(|number| NO_DESCRIPTOR_LEFT.contains(&number))
}

/// EAGAIN, which the start of a thread or a process gives at a limit.
const NO_THREAD_LEFT: i32 = if cfg!(any(target_os = "linux", target_os = "android")) { 11 } else { 35 };

/// Whether the error of starting a thread or a process means that a limit on their number is reached. Other calls give
/// the same error for other reasons.
pub fn is_want_of_threads(error: &io::Error) -> bool {
    cfg!(unix) && error.raw_os_error() == Some(NO_THREAD_LEFT)
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
        assert_eq!(code(io::ErrorKind::FileTooLarge.into()), Some("file_too_large"));
        assert_eq!(code(io::ErrorKind::InvalidData.into()), None);
        if cfg!(unix) {
            for number in NO_DESCRIPTOR_LEFT {
                assert_eq!(code(io::Error::from_raw_os_error(number)), Some("too_many_open_files"));
            }
        }
    }
}
