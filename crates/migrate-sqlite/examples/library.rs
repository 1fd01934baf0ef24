//! An application with migrations and without a queue: `cargo run -p longshore-migrate-sqlite --example library`.
//!
//! It brings its files in the binary, brings its database up to date, notices what somebody changed by hand, repairs
//! it, and goes one step back. A directory of files is `Source::directory("app", "migrations")` instead.

#![allow(clippy::print_stdout, reason = "an example shows what it has done")]

use std::error::Error;
use std::path::Path;

use longshore_migrate::{Agreement, DataLoss, Goal, Migrator, RepairMode, RepairRequest, RunRequest, Source};
use longshore_migrate_sqlite::rusqlite::Connection;
use longshore_migrate_sqlite::{Access, SqliteTarget};

const FILES: &[(&str, &str)] = &[
    ("001_songs.up.sql", "CREATE TABLE songs (id INTEGER PRIMARY KEY, title TEXT NOT NULL);"),
    ("001_songs.down.sql", "DROP TABLE songs;"),
    ("002_song_years.up.sql", "ALTER TABLE songs ADD COLUMN year INTEGER;\nCREATE INDEX songs_year ON songs (year);"),
    ("002_song_years.down.sql", "DROP INDEX songs_year;\nALTER TABLE songs DROP COLUMN year;"),
];

fn migrator(path: &Path, access: Access) -> Result<Migrator<'static>, Box<dyn Error>> {
    let target = SqliteTarget::open(path, access)?;
    Ok(Migrator::new(Box::new(target), vec![Source::embedded("app", FILES)]))
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("library.db");

    for migration in migrator(&path, Access::Write)?.up(&RunRequest::default())?.migrations {
        println!("applied {} {}", migration.id, migration.name);
    }
    assert!(migrator(&path, Access::Inspect)?.verify()?.ok);

    Connection::open(&path)?.execute_batch("DROP INDEX songs_year")?;
    let status = migrator(&path, Access::Inspect)?.status()?;
    assert_eq!(status.agreement(), Agreement::SchemaDisagrees);
    for difference in &status.differences {
        println!("{} is not as its migration made it", difference.object);
    }

    let mode = RepairMode::Apply { reason: "somebody dropped an index".to_owned() };
    migrator(&path, Access::Write)?.repair(&RepairRequest { mode })?;
    assert!(migrator(&path, Access::Inspect)?.verify()?.ok);
    println!("repaired");

    let one_step =
        RunRequest { goal: Goal { to: None, steps: Some(1) }, data_loss: DataLoss::Allow, ..RunRequest::default() };
    for migration in migrator(&path, Access::Write)?.down(&one_step)?.migrations {
        println!("undone {}", migration.id);
    }
    Ok(())
}
