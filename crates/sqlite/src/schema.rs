//! Whether the queue's tables are the ones that this program supports, and how to create them.

use std::path::Path;

use longshore_core::{SchemaVerdict, StoreError};
use longshore_migrate::{
    files::source::{APP, LONGSHORE},
    ledger::{Form, Row},
    report::RunReport,
    schema::{Difference, DifferenceKind},
    survey::Survey,
    target::TargetError,
    {MigrateError, MigrationId, Migrator, RunRequest},
};
use longshore_migrate_sqlite::{Access, SqliteTarget, verified};
use rusqlite::Connection;

use crate::{database::fault::ErrorContext, migrations};

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

    /// Converts to a store error about the database of `context`.
    pub(crate) fn into_store_error(self, context: &ErrorContext) -> StoreError {
        match self {
            Self::Unreadable { source } => context.explain_target(source, "reading its schema"),
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

fn judge(survey: &Survey) -> Result<(), SchemaProblem> {
    let own = || survey.standings.iter().filter(|standing| standing.id.source == LONGSHORE);
    let unknown: Vec<MigrationId> = own()
        .filter(|standing| standing.is_applied() && !standing.has_file)
        .map(|standing| standing.id.clone())
        .collect();
    if !unknown.is_empty() {
        return Err(SchemaProblem::Newer { unknown });
    }
    if let Some(takeover) = survey.takeover.as_ref().filter(|takeover| takeover.is_needed) {
        return Err(SchemaProblem::OfAnotherProgram { message: takeover.found.first().cloned().unwrap_or_default() });
    }
    let is_own = |subject: &str| subject.starts_with(LONGSHORE);
    if let Some(finding) = survey.broken().into_iter().find(|finding| is_own(&finding.subject)) {
        return Err(SchemaProblem::HistoryBroken { message: finding.to_string() });
    }
    // Two kinds of disagreement: a migration is applied but not in the ledger, or an object differs.
    if let Some(standing) = own().find(|standing| !standing.is_applied() && !standing.agrees()) {
        let problem = standing.problem.clone().unwrap_or_default();
        return Err(SchemaProblem::Disagrees { message: format!("{}: {problem}", standing.id) });
    }
    let has_app = survey.ledger.rows.iter().any(|row| row.is_applied() && row.id().source == APP);
    let has_others = has_app || survey.ledger.theirs.iter().any(Row::is_applied);
    let counts = |difference: &&Difference| !has_others || !is_addition(difference);
    if let Some(difference) = survey.comparison.differences.iter().find(counts) {
        return Err(SchemaProblem::Disagrees { message: difference.to_string() });
    }
    let pending: Vec<MigrationId> =
        own().filter(|standing| standing.is_pending()).map(|standing| standing.id.clone()).collect();
    if pending.is_empty() {
        return Ok(());
    }
    if own().all(|standing| !standing.is_applied()) && survey.ledger.form == Form::Missing {
        return Err(SchemaProblem::NeverMigrated);
    }
    Err(SchemaProblem::Pending { pending })
}

/// The user's own migrations, or those of another manager, may add to our tables. This source alone cannot tell their
/// additions from other changes. So if there are such migrations, only `verify`, which knows them, judges additions.
fn is_addition(difference: &Difference) -> bool {
    matches!(difference.kind, DifferenceKind::ColumnExtra | DifferenceKind::IndexExtra | DifferenceKind::TriggerExtra)
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
    fn the_listed_tables_are_those_that_the_migrations_make() {
        let connection = installed();
        let mut target = SqliteTarget::on(&connection);
        let survey = Survey::take(&mut target, &[migrations::longshore()]).unwrap();
        let last = survey.chain.last();
        assert_eq!(last.tables().collect::<Vec<_>>(), migrations::TABLES);
    }

    #[test]
    fn what_a_newer_program_applied_is_named_in_a_whole_sentence() {
        let newer = SchemaProblem::Newer { unknown: vec![MigrationId { source: "longshore".to_owned(), number: 9 }] };
        assert!(newer.to_string().ends_with("it does not know longshore:9"), "{newer}");
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
