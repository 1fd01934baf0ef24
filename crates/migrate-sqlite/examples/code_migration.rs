//! A migration in Rust: `cargo run -p longshore-migrate-sqlite --example code_migration`.
//!
//! It replaces a table that others refer to, which SQLite cannot do with ALTER TABLE. `Session::rebuild` does it
//! rightly: no cascade fires, indexes, triggers and views come back, and every foreign key is checked before the
//! commit.

#![allow(clippy::print_stdout, reason = "an example shows what it has done")]

use std::error::Error;
use std::sync::Arc;

use longshore_migrate::target::{Rebuild, Session};
use longshore_migrate::{Bounds, CodeError, CodeMigration, Migrator, RunRequest, Source};
use longshore_migrate_sqlite::{Access, SqliteTarget};
use rusqlite::Connection;

struct CreateLibrary;

impl CodeMigration for CreateLibrary {
    fn number(&self) -> i64 {
        1
    }

    fn name(&self) -> &str {
        "create_library"
    }

    fn up(&self, session: &mut dyn Session) -> Result<(), CodeError> {
        session.execute("CREATE TABLE songs (id INTEGER PRIMARY KEY, title TEXT)")?;
        session.execute(
            "CREATE TABLE plays (id INTEGER PRIMARY KEY, song_id INTEGER REFERENCES songs (id) ON DELETE CASCADE)",
        )?;
        Ok(())
    }

    fn down(&self, session: &mut dyn Session) -> Result<(), CodeError> {
        session.execute("DROP TABLE plays")?;
        session.execute("DROP TABLE songs")?;
        Ok(())
    }
}

struct RequireTitles;

impl CodeMigration for RequireTitles {
    fn number(&self) -> i64 {
        2
    }

    fn name(&self) -> &str {
        "require_titles"
    }

    fn bounds(&self) -> Bounds {
        Bounds::Rebuild
    }

    fn up(&self, session: &mut dyn Session) -> Result<(), CodeError> {
        session.rebuild(&Rebuild {
            table: "songs".to_owned(),
            shape: "CREATE TABLE songs (id INTEGER PRIMARY KEY, title TEXT NOT NULL CHECK (title <> ''))".to_owned(),
            // Every other column is copied as it is.
            values: vec![("title".to_owned(), "coalesce(title, 'untitled')".to_owned())],
        })?;
        Ok(())
    }

    fn down(&self, session: &mut dyn Session) -> Result<(), CodeError> {
        session.rebuild(&Rebuild {
            table: "songs".to_owned(),
            shape: "CREATE TABLE songs (id INTEGER PRIMARY KEY, title TEXT)".to_owned(),
            values: Vec::new(),
        })?;
        Ok(())
    }
}

fn migrator(
    path: &std::path::Path,
    migrations: Vec<Arc<dyn CodeMigration>>,
) -> Result<Migrator<'static>, Box<dyn Error>> {
    let target = SqliteTarget::open(path, Access::Write)?;
    Ok(Migrator::new(Box::new(target), vec![Source::code("app", migrations)]))
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("library.db");
    migrator(&path, vec![Arc::new(CreateLibrary)])?.up(&RunRequest::default())?;
    Connection::open(&path)?.execute_batch(
        "INSERT INTO songs (title) VALUES ('first'), (NULL); INSERT INTO plays (song_id) VALUES (1), (2), (2)",
    )?;

    let mut latest = migrator(&path, vec![Arc::new(CreateLibrary), Arc::new(RequireTitles)])?;
    for migration in latest.up(&RunRequest::default())?.migrations {
        println!("applied {} {}", migration.id, migration.name);
    }
    assert!(latest.verify()?.ok);

    let count = |query| Connection::open(&path)?.query_row(query, [], |row| row.get::<_, i64>(0));
    assert_eq!(count("SELECT count(*) FROM plays")?, 3, "no cascade has fired");
    assert_eq!(count("SELECT count(*) FROM songs WHERE title = 'untitled'")?, 1);
    Ok(())
}
