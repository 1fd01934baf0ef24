use std::cell::RefCell;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use longshore_core::{Limits, Timestamp};
use rusqlite::{Connection, Statement};

use crate::counts::Counts;
use crate::held::HeldLeases;

/// The life of one writing connection.
pub(crate) struct Session<'c> {
    pub(crate) connection: &'c Connection,
    /// Statements for the runs of a claim: one claim reads several of them at once, so one cached statement
    /// would not do.
    pub(crate) runs: RefCell<Vec<Statement<'c>>>,
    schema: RefCell<SchemaMark>,
}

/// The schema at the time of the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SchemaMark {
    version: i64,
    fingerprint: u64,
}

impl<'c> Session<'c> {
    pub(crate) fn begin(connection: &'c Connection) -> rusqlite::Result<Self> {
        let schema = SchemaMark { version: schema_version(connection)?, fingerprint: fingerprint(connection)? };
        Ok(Self { connection, runs: RefCell::default(), schema: RefCell::new(schema) })
    }

    /// The fingerprint of the queue's own tables when this session began, to compare with that of another one.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.schema.borrow().fingerprint
    }

    /// Whether the queue's own tables are still those of the beginning. To be asked inside the transaction.
    ///
    /// The number grows also when the application makes a table of its own; only then are the tables compared.
    pub(crate) fn is_schema_unchanged(&self) -> rusqlite::Result<bool> {
        let mut mark = self.schema.borrow_mut();
        let version = schema_version(self.connection)?;
        if version == mark.version {
            return Ok(true);
        }
        if fingerprint(self.connection)? != mark.fingerprint {
            return Ok(false);
        }
        mark.version = version;
        Ok(true)
    }
}

fn schema_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA schema_version")?.query_row([], |row| row.get(0))
}

fn fingerprint(connection: &Connection) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached(include_str!("sql/schema_of_queue.sql"))?;
    let mut rows = statement.query([])?;
    let mut hasher = DefaultHasher::new();
    while let Some(row) = rows.next()? {
        row.get::<_, String>(0)?.hash(&mut hasher);
        row.get::<_, Option<String>>(1)?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// What a piece of work may touch inside the writer's transaction.
pub(crate) struct WriteTx<'t, 'c> {
    pub(crate) connection: &'c Connection,
    pub(crate) runs: &'t RefCell<Vec<Statement<'c>>>,
    pub(crate) held: &'t mut HeldLeases,
    /// Only what this piece changes; it is dropped when the piece is taken back.
    pub(crate) counts: Counts,
    /// The database's time, read once for each transaction.
    pub(crate) now: Timestamp,
    pub(crate) limits: Limits,
    /// Whether a worker may find something to do that it could not do before.
    pub(crate) wakes: bool,
}
