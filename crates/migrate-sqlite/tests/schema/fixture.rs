//! Databases to compare: the queue's own migrations with an application's schema beside them.

use longshore_migrate::schema::Schema;
use longshore_migrate_sqlite::catalog;
use rusqlite::Connection;

/// The queue's migrations in their order.
pub(crate) const MIGRATIONS: [&str; 6] = [
    include_str!("../../../sqlite/migrations/001_create_job_queue.up.sql"),
    include_str!("../../../sqlite/migrations/002_enhance_job_queue_error_handling.up.sql"),
    include_str!("../../../sqlite/migrations/003_rebuild_job_queue_for_claims.up.sql"),
    include_str!("../../../sqlite/migrations/004_add_logs_counts_and_workers.up.sql"),
    include_str!("../../../sqlite/migrations/005_keep_workers_apart.up.sql"),
    include_str!("../../../sqlite/migrations/006_bound_jobs_in_time.up.sql"),
];

pub(crate) const APP: &str = include_str!("../data/app.sql");
pub(crate) const INCIDENT: &str = include_str!("../data/incident.sql");

/// A change to a database, or to the text that makes one.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    /// Statements run on the migrated database.
    Run(&'static str),
    /// The stored text is made again with the first text, which is there once, replaced by the second.
    Text(&'static str, &'static str),
}

pub(crate) fn database(scripts: &[&str]) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF;").unwrap();
    for script in scripts {
        connection.execute_batch(script).unwrap_or_else(|error| panic!("{error} in {script}"));
    }
    connection
}

pub(crate) fn schema(scripts: &[&str]) -> Schema {
    catalog::read(&database(scripts)).unwrap()
}

/// All migrations and the application's schema.
pub(crate) fn migrated() -> Connection {
    database(&[&MIGRATIONS.concat(), APP])
}

/// The migrated schema with one change.
pub(crate) fn changed(change: Change) -> Schema {
    let migrated = migrated();
    match change {
        Change::Run(sql) => {
            migrated.execute_batch(sql).unwrap_or_else(|error| panic!("{error} in {sql}"));
            catalog::read(&migrated).unwrap()
        }
        Change::Text(from, to) => {
            let text = stored_text(&migrated);
            assert_eq!(text.matches(from).count(), 1, "{from:?} is to be there once");
            schema(&[&text.replace(from, to)])
        }
    }
}

/// Every statement that SQLite keeps, in the order of making.
pub(crate) fn stored_text(connection: &Connection) -> String {
    let mut statement = connection
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'notes_%' ORDER BY rowid")
        .unwrap();
    let statements = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    statements.map(|sql| sql.unwrap() + ";\n").collect()
}
