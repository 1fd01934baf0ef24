use longshore_core::{SchemaVerdict, StoreError};
use longshore_migrate::{MigrateError, target::TargetError};
use thiserror::Error;

use crate::SchemaProblem;

/// What may be done to a database before it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepare {
    /// Nothing. It must exist, with the schema of this version.
    Nothing,
    /// A missing file, or a database without any table, becomes a queue. Nothing can be lost.
    New,
    /// Like [`Prepare::New`], and an application's database gets the queue's tables beside its own.
    Beside,
    /// Like [`Prepare::Beside`], and an older schema is migrated.
    Latest,
}

/// Whether an open database existed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It existed.
    Found,
    /// This call created it.
    Created,
}

/// Why a database was not opened. Nothing stays open. Only an interrupted migration, whose completed steps stay, can
/// have changed anything.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The schema is not that of this version.
    #[error(transparent)]
    Schema(#[from] SchemaProblem),
    /// A migration failed.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OpenError {
    /// Converts to a store error. `explain` says in the store's words why the database could not be read.
    pub fn into_store_error(self, explain: impl FnOnce(TargetError) -> StoreError) -> StoreError {
        let error = match self {
            Self::Store(error) => return error,
            Self::Schema(problem) => return problem.into_store_error(explain),
            Self::Migrate(error) => error,
        };
        let verdict = match &error {
            MigrateError::HistoryBroken { .. } => SchemaVerdict::HistoryBroken,
            MigrateError::NeedsAdoption { .. } => SchemaVerdict::OfAnotherProgram,
            _ => SchemaVerdict::Disagrees,
        };
        match error.into_outside_cause() {
            Ok(cause) => cause.into(),
            Err(error) => StoreError::Schema { message: error.to_string(), verdict },
        }
    }
}
