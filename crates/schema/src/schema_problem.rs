use longshore_core::{SchemaVerdict, StoreError};
use longshore_migrate::{MigrationId, target::TargetError};

/// Why a worker must not start on this database. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaProblem {
    /// The queue's migrations were never applied here.
    #[error("the queue's tables are not in this database")]
    NeverMigrated,
    /// This program contains migrations that are not applied yet.
    #[error("the queue's tables are older than this program: {} not applied", are(pending))]
    Pending {
        /// The pending migrations, in order.
        pending: Vec<MigrationId>,
    },
    /// The database is newer than this program.
    #[error("the queue's tables are newer than this program: it does not know {}", listed(unknown))]
    Newer {
        /// The migrations in the ledger that this program does not know.
        unknown: Vec<MigrationId>,
    },
    /// A migration was changed after it was applied, or is out of order.
    #[error("the history of the queue's migrations is broken: {message}")]
    HistoryBroken {
        /// The first problem.
        message: String,
    },
    /// Another program created the table of jobs; it can be adopted.
    #[error("the table job_queue was made by another program, and {message}")]
    OfAnotherProgram {
        /// The first difference.
        message: String,
    },
    /// The tables do not match the ledger.
    #[error("the queue's tables do not match the ledger: {message}")]
    Disagrees {
        /// The first problem.
        message: String,
    },
    /// The database cannot be read.
    #[error("the queue's tables cannot be read: {source}")]
    Unreadable {
        /// The error of the database.
        source: TargetError,
    },
}

impl SchemaProblem {
    /// A stable code for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { source } => source.code(),
            _ => self.verdict().code(),
        }
    }

    /// How the schema differs. An unreadable database counts as a difference.
    pub fn verdict(&self) -> SchemaVerdict {
        match self {
            Self::NeverMigrated => SchemaVerdict::NeverMigrated,
            Self::Pending { .. } => SchemaVerdict::Older,
            Self::Newer { .. } => SchemaVerdict::Newer,
            Self::HistoryBroken { .. } => SchemaVerdict::HistoryBroken,
            Self::OfAnotherProgram { .. } => SchemaVerdict::OfAnotherProgram,
            Self::Disagrees { .. } | Self::Unreadable { .. } => SchemaVerdict::Disagrees,
        }
    }

    /// Converts to a store error. `explain` says in the store's words why the database could not be read.
    pub fn into_store_error(self, explain: impl FnOnce(TargetError) -> StoreError) -> StoreError {
        match self {
            Self::Unreadable { source } => explain(source),
            problem => StoreError::Schema { message: problem.to_string(), verdict: problem.verdict() },
        }
    }
}

fn are(ids: &[MigrationId]) -> String {
    format!("{} {}", listed(ids), if ids.len() == 1 { "is" } else { "are" })
}

fn listed(ids: &[MigrationId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_program_applied_is_named_in_a_whole_sentence() {
        let newer = SchemaProblem::Newer { unknown: vec![MigrationId { source: "longshore".to_owned(), number: 9 }] };
        assert!(newer.to_string().ends_with("it does not know longshore:9"), "{newer}");
    }
}
