//! Whether the queue's tables are the ones that this program supports, and how to create them.

use std::path::Path;

use longshore_migrate::{MigrateError, Migrator, RunRequest, report::RunReport, survey::Survey};
use longshore_migrate_sqlite::{Access, SqliteTarget, verified};
pub use longshore_schema::SchemaProblem;
use longshore_schema::judge;
use rusqlite::Connection;

use crate::migrations;

/// Checks whether the `longshore` tables on `connection` are exactly the ones that this program supports.
///
/// Only reads. If nothing has changed since the last migration or repair, it compares one hash.
/// Otherwise it replays the migrations and compares everything.
pub fn check(connection: &Connection) -> Result<(), SchemaProblem> {
    let remembered = verified::is_remembered(connection, migrations::when_verified());
    if remembered.map_err(|source| SchemaProblem::Unreadable { source })? {
        return Ok(());
    }
    check_thoroughly(connection)
}

/// [`check`] without the remembered hash.
pub fn check_thoroughly(connection: &Connection) -> Result<(), SchemaProblem> {
    let mut target = SqliteTarget::on(connection);
    let survey =
        Survey::take(&mut target, &[migrations::longshore()]).map_err(|source| SchemaProblem::Unreadable { source })?;
    judge(&survey)
}

/// Creates the database file at `path` if there is none, and applies every migration of `longshore`.
pub fn latest_up(path: impl AsRef<Path>) -> Result<RunReport, MigrateError> {
    let target = SqliteTarget::open(path, Access::Write)?;
    Migrator::new(Box::new(target), vec![migrations::longshore()]).up(&RunRequest::default())
}

/// Applies every migration of `longshore`, with ledger rows, on a connection without an open transaction. For tests and
/// for databases in memory.
pub fn install(connection: &mut Connection) -> Result<RunReport, MigrateError> {
    let target = SqliteTarget::on(connection);
    Migrator::new(Box::new(target), vec![migrations::longshore()]).up(&RunRequest::default())
}

/// A text that changes whenever anything that [`check`] reads changes. It is not a verdict.
pub(crate) fn mark(connection: &Connection) -> rusqlite::Result<String> {
    verified::mark(connection, migrations::when_verified())
}

#[cfg(test)]
mod tests {
    use longshore_core::SchemaVerdict;

    use super::*;

    fn is_remembered(connection: &Connection) -> bool {
        verified::is_remembered(connection, migrations::when_verified()).unwrap()
    }

    fn installed() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        install(&mut connection).unwrap();
        connection
    }

    #[test]
    fn a_fresh_installation_is_understood_by_hash_and_by_replay() {
        let connection = installed();
        assert!(is_remembered(&connection));
        check(&connection).unwrap();
        check_thoroughly(&connection).unwrap();
    }

    #[test]
    fn the_listed_tables_and_views_are_those_that_the_migrations_make() {
        let connection = installed();
        let mut target = SqliteTarget::on(&connection);
        let survey = Survey::take(&mut target, &[migrations::longshore()]).unwrap();
        let last = survey.chain.last();
        assert_eq!(last.tables().collect::<Vec<_>>(), migrations::TABLES);
        assert_eq!(last.views().collect::<Vec<_>>(), migrations::VIEWS);
    }

    #[test]
    fn an_empty_database_was_never_migrated() {
        let connection = Connection::open_in_memory().unwrap();
        let problem = check(&connection).unwrap_err();
        assert!(matches!(problem, SchemaProblem::NeverMigrated), "{problem}");
        assert_eq!(problem.verdict(), SchemaVerdict::NeverMigrated);
    }

    #[test]
    fn a_dropped_column_is_noticed_although_the_ledger_is_content() {
        let connection = installed();
        connection.execute_batch("ALTER TABLE job_queue DROP COLUMN failure_type").unwrap();
        let problem = check(&connection).unwrap_err();
        assert!(problem.to_string().contains("failure_type"), "{problem}");
        assert_eq!(problem.verdict(), SchemaVerdict::Disagrees);
    }

    /// The triggers of limits read it, so another one would put jobs into wrong lanes.
    #[test]
    fn a_replaced_view_is_noticed_although_the_ledger_is_content() {
        let connection = installed();
        let replace = "DROP VIEW job_lane_keys; CREATE VIEW job_lane_keys AS SELECT id AS job_id FROM job_queue";
        connection.execute_batch(replace).unwrap();
        let problem = check(&connection).unwrap_err();
        assert!(problem.to_string().contains("job_lane_keys"), "{problem}");
        assert_eq!(problem.verdict(), SchemaVerdict::Disagrees);
    }

    #[test]
    fn an_older_schema_is_refused_although_it_is_in_order() {
        let connection = Connection::open_in_memory().unwrap();
        let mut migrator = Migrator::new(Box::new(SqliteTarget::on(&connection)), vec![migrations::longshore()]);
        let to = migrator.resolve("longshore:2").unwrap();
        let goal = longshore_migrate::Goal { to: Some(to), steps: None };
        migrator.up(&RunRequest { goal, ..RunRequest::default() }).unwrap();
        drop(migrator);
        let problem = check(&connection).unwrap_err();
        assert!(matches!(problem, SchemaProblem::Pending { .. }), "{problem}");
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let connection = installed();
        let newer =
            "INSERT INTO longshore_migrations (source, migration_number, migration_name) VALUES ('longshore', 99, 'x')";
        connection.execute_batch(newer).unwrap();
        let problem = check(&connection).unwrap_err();
        assert!(matches!(problem, SchemaProblem::Newer { .. }), "{problem}");
        assert_eq!(problem.verdict(), SchemaVerdict::Newer);
    }

    #[test]
    fn a_changed_checksum_is_a_broken_history() {
        let connection = installed();
        let changed =
            "UPDATE longshore_migrations SET checksum = 'sha256-lf:00 sha256-words:00' WHERE migration_number = 4";
        connection.execute_batch(changed).unwrap();
        let problem = check(&connection).unwrap_err();
        assert_eq!(problem.verdict(), SchemaVerdict::HistoryBroken, "{problem}");
    }

    #[test]
    fn tables_of_the_application_do_not_matter() {
        let connection = installed();
        connection.execute_batch("CREATE TABLE tracks (id INTEGER PRIMARY KEY)").unwrap();
        assert!(is_remembered(&connection));
    }
}
