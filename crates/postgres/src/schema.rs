//! Whether the queue's tables are the ones that this program supports, and how to create them.

mod opening;
mod watch;

pub use opening::into_store_error;
pub(crate) use opening::make_ready;
pub(crate) use watch::{SchemaWatch, ledger};

use longshore_migrate::survey::Survey;
use longshore_migrate::{MigrateError, Migrator, RunRequest, report::RunReport};
use longshore_migrate_postgres::{Access, PostgresTarget, PostgresTargetOptions};
pub use longshore_schema::SchemaProblem;
use longshore_schema::judge;

use crate::migrations;
use crate::options::PostgresOptions;

/// Checks whether the `longshore` tables are exactly the ones that this program supports. Blocks until the server has
/// answered.
///
/// Only reads. If nothing has changed since the last migration or repair, it compares one hash. Otherwise it replays the
/// migrations and compares everything.
pub fn check(options: &PostgresOptions) -> Result<(), SchemaProblem> {
    let unreadable = |source| SchemaProblem::Unreadable { source };
    let mut target = target(options, Access::Inspect).map_err(unreadable)?;
    let schema = &*options.schema;
    if target.is_remembered(&migrations::when_verified(schema)).map_err(unreadable)? {
        return Ok(());
    }
    let survey = Survey::take(&mut target, &[migrations::longshore(schema)]).map_err(unreadable)?;
    judge(&survey)
}

/// Applies every migration of `longshore`. Blocks until the server has answered.
pub fn latest_up(options: &PostgresOptions) -> Result<RunReport, MigrateError> {
    let target = target(options, Access::Write)?;
    Migrator::new(Box::new(target), vec![migrations::longshore(&options.schema)]).up(&RunRequest::default())
}

/// The database of a store as a target of migrations.
pub(crate) fn target(
    options: &PostgresOptions,
    access: Access,
) -> Result<PostgresTarget, longshore_migrate::target::TargetError> {
    let url = options.url.clone();
    let target = PostgresTargetOptions::new(url).pooled(options.is_pooled);
    PostgresTarget::open(target.access(access))
}
