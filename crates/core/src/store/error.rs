use std::error::Error as StdError;
use std::sync::Arc;

use longshore_cause::OutsideCause;
use thiserror::Error;

use crate::{BatchId, InvalidJob, InvalidLimit, InvalidWorkflow, JobId, WorkerId};

/// Why a store call failed. After any of these errors, the database is unchanged by the call.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A problem of the file, the disk, the server or another program. It affects every request.
    #[error(transparent)]
    Outside(#[from] OutsideCause),
    /// The schema is not one that this program supports.
    #[error("{message}")]
    Schema {
        /// What is wrong, in words.
        message: String,
        /// How it disagrees.
        verdict: SchemaVerdict,
    },
    /// A migration ran since this store was opened, and the schema is not one that this program supports. The call
    /// succeeds again once the schema is supported.
    #[error("the schema of {database} was changed while it was in use")]
    SchemaChanged {
        /// The database.
        database: Arc<str>,
    },
    /// The queue is moving to another database or from one, or has moved away: see [`Moving`](crate::Moving).
    #[error("{message}")]
    Moving {
        /// What happens, and where the other database is.
        message: Arc<str>,
        /// Whether the queue is in the other database now. Else the same call succeeds again, here or there, once the
        /// move has ended.
        is_final: bool,
    },
    /// The job is invalid.
    #[error(transparent)]
    InvalidJob(#[from] InvalidJob),
    /// The limit is invalid.
    #[error(transparent)]
    InvalidLimit(#[from] InvalidLimit),
    /// The workflow is invalid.
    #[error(transparent)]
    InvalidWorkflow(#[from] InvalidWorkflow),
    /// A job of a workflow waits for a job that does not exist.
    #[error("there is no job {job} to wait for")]
    UnknownDependency {
        /// The job that was given.
        job: JobId,
    },
    /// The batch does not exist.
    #[error("there is no batch {batch}")]
    UnknownBatch {
        /// The batch that was given.
        batch: BatchId,
    },
    /// The batch is closed, and the jobs are not added by one of its members that runs.
    #[error("batch {batch} is closed: only its running members can add jobs")]
    BatchClosed {
        /// The batch that was given.
        batch: BatchId,
    },
    /// The parent does not exist.
    #[error("there is no job {parent} to be the parent")]
    UnknownParent {
        /// The parent that was given.
        parent: JobId,
    },
    /// The parent is in another database than the queue of the job, and no transaction covers both.
    #[error("job {parent} is in database {parent_database} and cannot be the parent of a job in database {database}")]
    ParentElsewhere {
        /// The parent that was given.
        parent: JobId,
        /// The database of the parent.
        parent_database: Arc<str>,
        /// The database of the job's queue.
        database: Arc<str>,
    },
    /// The job that another one waits for is in another database than that one, and no transaction covers both.
    #[error("job {job} is in database {job_database}, and a job in database {database} cannot wait for it")]
    DependencyElsewhere {
        /// The job that was given.
        job: JobId,
        /// Its database.
        job_database: Arc<str>,
        /// The database of the job that would wait.
        database: Arc<str>,
    },
    /// The jobs of one call belong to several databases, and no transaction covers them all.
    #[error("the jobs of one call belong to the databases {first} and {second}, and no transaction covers both")]
    SeveralDatabases {
        /// The database of the first job.
        first: Arc<str>,
        /// The first other one.
        second: Arc<str>,
    },
    /// The worker is not registered: its lease ended and its jobs were given to others, or its row was removed.
    /// Register again with the same identity.
    #[error("worker {worker_id} is no longer registered")]
    WorkerGone {
        /// The worker.
        worker_id: WorkerId,
    },
    /// The caller's stream of jobs failed. Nothing was enqueued.
    #[error("{source}")]
    Aborted {
        /// The error of the stream.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// An error of one of several databases.
    #[error("database {name}: {source}")]
    InDatabase {
        /// The name of the database in the configuration.
        name: Arc<str>,
        /// Its error.
        source: Arc<StoreError>,
    },
    /// A newer version of this program has written the definition of the schedule, so this one cannot decide about its
    /// ticks.
    #[error("the definition of schedule {schedule} is not understood: {reason}")]
    UnknownDefinition {
        /// The schedule.
        schedule: String,
        /// What is not understood.
        reason: String,
    },
    /// The store was closed.
    #[error("the connection to {database} was closed")]
    Closed {
        /// The database.
        database: Arc<str>,
    },
    /// The store's own code panicked, which is a bug. The database is unchanged by the call.
    #[error("the store of {database} panicked while {doing}: {message}")]
    Panicked {
        /// The database.
        database: Arc<str>,
        /// The operation.
        doing: &'static str,
        /// The message of the panic.
        message: String,
    },
    /// Any other error of the database.
    #[error("{database} failed while {doing}: {source}")]
    Backend {
        /// The database.
        database: Arc<str>,
        /// The operation.
        doing: &'static str,
        /// The error of the database.
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// How the schema differs from the one that the program supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaVerdict {
    /// The queue's tables were never created.
    NeverMigrated,
    /// The program contains migrations that are not applied.
    Older,
    /// The ledger contains migrations that the program does not know.
    Newer,
    /// Another program created the table of jobs; it can be adopted.
    OfAnotherProgram,
    /// The tables do not match the ledger.
    Disagrees,
    /// The history is broken: a migration is changed, missing, duplicate or out of order.
    HistoryBroken,
}

impl SchemaVerdict {
    /// A stable code for scripts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NeverMigrated => "never_migrated",
            Self::Older => "schema_older",
            Self::Newer => "schema_newer",
            Self::OfAnotherProgram => "needs_adoption",
            Self::Disagrees => "schema_disagrees",
            Self::HistoryBroken => "history_broken",
        }
    }

    /// What the user can do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::NeverMigrated | Self::Older => "apply the queue's pending migrations",
            Self::Newer => "run the version that migrated this database, or a newer one",
            Self::OfAnotherProgram => "adopt the table",
            Self::Disagrees => "repair the schema, or mark the existing objects in the ledger",
            Self::HistoryBroken => "make the migration files and the ledger agree",
        }
    }
}

impl StoreError {
    /// A stable code for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InDatabase { source, .. } => source.code(),
            Self::Outside(cause) => cause.code(),
            Self::Schema { verdict, .. } => verdict.code(),
            Self::SchemaChanged { .. } => "schema_changed",
            Self::Moving { is_final: true, .. } => "queue_moved",
            Self::Moving { is_final: false, .. } => "queue_moving",
            Self::InvalidJob(_) => "invalid_job",
            Self::InvalidLimit(_) => "invalid_limit",
            Self::UnknownParent { .. } => "unknown_parent",
            Self::InvalidWorkflow(_) => "invalid_workflow",
            Self::UnknownDependency { .. } => "unknown_dependency",
            Self::UnknownBatch { .. } => "unknown_batch",
            Self::BatchClosed { .. } => "batch_closed",
            Self::UnknownDefinition { .. } => "unknown_definition",
            Self::ParentElsewhere { .. } => "parent_elsewhere",
            Self::DependencyElsewhere { .. } => "dependency_elsewhere",
            Self::SeveralDatabases { .. } => "several_databases",
            Self::WorkerGone { .. } => "worker_gone",
            Self::Aborted { .. } => "invalid_input",
            Self::Closed { .. } => "closed",
            Self::Panicked { .. } => "store_panicked",
            Self::Backend { .. } => "database_failed",
        }
    }

    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::InDatabase { source, .. } => return source.hint(),
            Self::Outside(cause) => cause.hint(),
            Self::Schema { verdict, .. } => verdict.hint(),
            Self::SchemaChanged { .. } => {
                "see \"longshore migrate status\"; a worker continues by itself as soon as the schema is supported again"
            }
            Self::Moving { is_final: true, .. } => "use that database instead",
            Self::Moving { is_final: false, .. } => "wait until the move has ended; a worker waits by itself",
            Self::Panicked { .. } => "this is a bug: report it with the backtrace on standard error",
            Self::UnknownParent { .. } => "enqueue the parent first, and use the id that it gets",
            Self::UnknownDependency { .. } => "enqueue that job first, and use the id that it gets",
            Self::BatchClosed { .. } => "make a batch that stays open, or let a running member add the jobs",
            Self::UnknownDefinition { .. } => {
                "use the version of Longshore that has written it, or apply the schedule again"
            }
            Self::ParentElsewhere { .. } | Self::DependencyElsewhere { .. } => {
                "put both into queues of one database, or let the first one enqueue the other one"
            }
            Self::SeveralDatabases { .. } => "enqueue the jobs of each database in a call of their own",
            _ => return None,
        })
    }

    /// Whether the same call can succeed later without any action of the user.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::InDatabase { source, .. } => source.is_passing(),
            Self::Outside(cause) => cause.is_passing(),
            Self::Backend { .. } | Self::SchemaChanged { .. } | Self::Moving { is_final: false, .. } => true,
            _ => false,
        }
    }
}
