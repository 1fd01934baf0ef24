use std::error::Error as StdError;
use std::sync::Arc;

use longshore_cause::OutsideCause;
use thiserror::Error;

use crate::{InvalidJob, JobId, WorkerId};

/// What a store could not do. After any of these the database is as it was before the call.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file, the disk, the server or another program stands in the way of every request.
    #[error(transparent)]
    Outside(#[from] OutsideCause),
    /// The schema is not the one that this program understands.
    #[error("{message}")]
    Schema {
        /// What is wrong, in words.
        message: String,
        /// Which disagreement it is.
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
    /// The worker is not registered: its lease ended and its jobs were given to others, or somebody removed its row.
    /// Register again, under the same identity.
    #[error("{worker_id} is not registered any more")]
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

/// How the schema disagrees with what the program understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaVerdict {
    /// The queue's tables were never made.
    NeverMigrated,
    /// The program brings migrations that are not applied.
    Older,
    /// The ledger has migrations that the program does not know.
    Newer,
    /// The table of jobs was made by another program, and can be taken over.
    OfAnotherProgram,
    /// The tables are not what the ledger says.
    Disagrees,
    /// The ledger's history is broken: a migration is changed, missing, duplicate or out of order.
    HistoryBroken,
}

impl SchemaVerdict {
    /// A stable word for scripts.
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

    /// What to do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::NeverMigrated | Self::Older => "apply the queue's pending migrations",
            Self::Newer => "run the version that migrated this database, or a newer one",
            Self::OfAnotherProgram => "take the table over",
            Self::Disagrees => "repair the schema, or mark in the ledger what is there",
            Self::HistoryBroken => "bring the files of the migrations and the ledger into agreement",
        }
    }
}

impl StoreError {
    /// A stable word for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Outside(cause) => cause.code(),
            Self::Schema { verdict, .. } => verdict.code(),
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
    pub const fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Outside(cause) => cause.hint(),
            Self::Schema { verdict, .. } => verdict.hint(),
            Self::SchemaChanged { .. } => {
                "look at the status of the migrations; a worker goes on by itself as soon as the schema is understood again"
            }
            Self::Panicked { .. } => "this is a mistake in the program: report it with the backtrace on standard error",
            Self::UnknownParent { .. } => "enqueue the parent first, and name the id that it was given",
            _ => return None,
        })
    }

    /// Whether the same call can succeed later without anybody changing it: the cause is outside and passes.
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Outside(cause) => cause.is_passing(),
            Self::Backend { .. } | Self::SchemaChanged { .. } => true,
            _ => false,
        }
    }
}
