//! A database is checked, created or migrated as the caller permits before it is opened.

use std::sync::Arc;

use longshore_core::StoreError;
use longshore_migrate::target::TargetError;
use longshore_migrate::{MigrateError, Migrator};
use longshore_migrate_postgres::Access;
use longshore_schema::{OpenError, Origin, Prepare};

use super::{SchemaProblem, check, latest_up, target};
use crate::migrations;
use crate::options::PostgresOptions;

/// The store error for these options.
pub fn into_store_error(error: OpenError, options: &PostgresOptions) -> StoreError {
    error.into_store_error(|source| explain(source, options))
}

pub(super) fn explain(error: TargetError, options: &PostgresOptions) -> StoreError {
    match error {
        TargetError::Outside(cause) => cause.into(),
        TargetError::Statement { source, .. } | TargetError::Catalog { source } => {
            StoreError::Backend { database: options.name().into(), doing: "reading its schema", source }
        }
        other => {
            let database: Arc<str> = options.name().into();
            StoreError::Backend { database, doing: "reading its schema", source: Box::new(other) }
        }
    }
}

/// Prepares the database as `prepare` permits. The database itself must exist.
///
/// The queue's tables are created in one transaction. If several processes do that at once, only one creates them.
pub(crate) fn make_ready(options: &PostgresOptions, prepare: Prepare) -> Result<Origin, OpenError> {
    match (check(options), prepare) {
        (Ok(()), _) => Ok(Origin::Found),
        (Err(problem @ SchemaProblem::NeverMigrated), Prepare::Nothing) => Err(problem.into()),
        (Err(problem @ SchemaProblem::NeverMigrated), Prepare::New) if !is_empty(options)? => Err(problem.into()),
        (Err(SchemaProblem::NeverMigrated), _) => {
            latest_up(options)?;
            Ok(Origin::Created)
        }
        // Migrations would report a newer schema too, but not which program supports it.
        (Err(SchemaProblem::Pending { .. }), Prepare::Latest) => {
            latest_up(options)?;
            Ok(Origin::Found)
        }
        (Err(problem), _) => Err(problem.into()),
    }
}

/// Whether the application has no table in this database.
fn is_empty(options: &PostgresOptions) -> Result<bool, MigrateError> {
    let target = target(options, Access::Inspect)?;
    let status = Migrator::new(Box::new(target), vec![migrations::longshore(&options.schema)]).status()?;
    Ok(status.foreign.is_empty() && status.foreign_ledgers.is_empty() && status.differences.is_empty())
}
