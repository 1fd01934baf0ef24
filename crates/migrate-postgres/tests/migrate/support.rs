//! Databases and migrators for the tests.

use std::time::Duration;

use longshore_migrate::{
    Author, Goal, Marking, MigrateError, MigrationId, Migrator, RunRequest, Source, Verification,
    files::script::Dialect,
};
use longshore_migrate_postgres::{PostgresTarget, PostgresTargetOptions};
use longshore_testkit_postgres::{Cluster, TestDatabase};

pub(crate) fn database() -> TestDatabase {
    Cluster::shared().database()
}

pub(crate) fn options(database: &TestDatabase) -> PostgresTargetOptions {
    PostgresTargetOptions::new(database.config())
}

pub(crate) fn source(files: &[(&str, &str)]) -> Source {
    Source::embedded_in(Dialect::Postgres, "app", files)
}

pub(crate) fn migrator(database: &TestDatabase, files: &[(&str, &str)]) -> Migrator<'static> {
    migrator_with(options(database), vec![source(files)])
}

pub(crate) fn migrator_with(options: PostgresTargetOptions, sources: Vec<Source>) -> Migrator<'static> {
    let target = PostgresTarget::open(options).unwrap();
    let author = Author { who: Some("ann".to_owned()), host: Some("dock".to_owned()) };
    Migrator::new(Box::new(target), sources).author(author).lock_wait(Duration::from_secs(60))
}

pub(crate) fn up(migrator: &mut Migrator<'_>) -> Vec<i64> {
    let report = migrator.up(&RunRequest::default()).unwrap_or_else(|error| panic!("{error}"));
    report.migrations.iter().map(|migration| migration.id.number).collect()
}

pub(crate) fn refused(result: Result<impl std::fmt::Debug, MigrateError>) -> (String, String) {
    let error = result.unwrap_err();
    (error.code().to_owned(), error.to_string())
}

pub(crate) fn app(number: i64) -> MigrationId {
    MigrationId::new("app", number)
}

pub(crate) fn steps(steps: usize) -> RunRequest {
    RunRequest { goal: Goal { steps: Some(steps), to: None }, ..RunRequest::default() }
}

pub(crate) fn marking(number: i64) -> Marking {
    Marking { id: app(number), reason: "it is there".to_owned(), verification: Verification::Required }
}

/// The rows as texts with bars between their values.
pub(crate) fn rows(database: &TestDatabase, sql: &str) -> Vec<String> {
    let text = |value: Option<String>| value.unwrap_or_else(|| "NULL".to_owned());
    let rows = database.sql(sql).into_iter();
    rows.map(|row| row.into_iter().map(text).collect::<Vec<_>>().join("|")).collect()
}
