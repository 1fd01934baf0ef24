//! What a database must be able to do so that migrations run on it. SQLite and PostgreSQL implement it.

use std::{collections::BTreeSet, error::Error, io, path::PathBuf, sync::Arc, time::Duration};

use longshore_cause::OutsideCause;

use crate::{
    alterer::Alterer,
    execution::loss::{Loss, LossCheck},
    files::migration::{Direction, MigrationId},
    files::script::Dialect,
    ledger::{Event, Ledger, Record, SharedRow},
    schema::{ObjectName, Schema},
};

/// A value that a query gives.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The file, the disk, the server or another program prevents every statement.
    #[error(transparent)]
    Outside(#[from] OutsideCause),
    /// A statement failed.
    #[error("`{statement}` failed: {source}")]
    Statement {
        /// The statement in one line, or the one line of it that is wrong.
        statement: String,
        /// What the driver said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A statement that a migration must not run: it would reach past the database.
    #[error(
        "`{statement}` is not permitted in a migration: it opens another file, loads a library or writes the schema \
         table itself"
    )]
    NotPermitted {
        /// The statement in one line.
        statement: String,
    },
    /// A statement is too much work for a rehearsal and was broken off, with its transaction. It has no rows the next
    /// time.
    #[error("`{statement}` is too much work for a rehearsal")]
    TooMuch {
        /// The statement in one line.
        statement: String,
    },
    /// The catalog cannot be read as a schema.
    #[error("the schema cannot be read: {source}")]
    Catalog {
        /// What the reader said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Rows refer to rows that are not there.
    #[error("{violations} rows refer to rows that are not there, first in {first}")]
    ForeignKeys {
        /// How many rows.
        violations: usize,
        /// `table → parent` of the first one.
        first: String,
    },
    /// A file beside the database cannot be made, read or deleted.
    #[error("{} cannot be used: {source}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Tables are too large to be copied aside.
    #[error("{tables} hold {mebibytes} MiB, which is too much to copy before a rollback")]
    TooLarge {
        /// Their names.
        tables: String,
        /// How much.
        mebibytes: i64,
    },
    /// The target cannot do this at all.
    #[error("{database} does not offer {what}")]
    Unsupported {
        /// The database.
        database: String,
        /// What was asked.
        what: &'static str,
    },
}

/// What a database said of a statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StatementError {
    /// In its own words, without the statement.
    pub message: String,
    /// The line of the statement in which it is, from 0.
    pub line: usize,
}

impl TargetError {
    /// The line of the statement in which the error is, from 0.
    pub fn line(&self) -> usize {
        match self {
            Self::Statement { source, .. } => source.downcast_ref::<StatementError>().map_or(0, |error| error.line),
            _ => 0,
        }
    }

    /// The cause that lies outside of the statement that met it, where it does: any other would have met it, too.
    pub fn outside_cause(&self) -> Option<&OutsideCause> {
        match self {
            Self::Outside(cause) => Some(cause),
            _ => None,
        }
    }

    /// A stable word for scripts.
    pub fn code(&self) -> &'static str {
        self.outside_cause().map_or("database", OutsideCause::code)
    }
}

/// The new shape of a table, to be put in place of the old one with its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuild {
    /// The table.
    pub table: String,
    /// `CREATE TABLE` of the new shape under the same name.
    pub shape: String,
    /// `(column, expression over the old columns)` where a column is not simply copied. Columns that both shapes have
    /// and that are not named here keep their value; columns that are new take their default.
    pub values: Vec<(String, String)>,
}

/// What is tried with the rows of a table before it is done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowTrial {
    /// The table.
    pub table: String,
    /// `CREATE TABLE` of its new shape under the same name; `None` where it keeps the one that it has.
    pub shape: Option<String>,
    /// Unique indexes over it.
    pub indexes: Vec<String>,
}

/// What a trial found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TriedRows {
    /// Values that would become others, by column, and rows that would be gone.
    pub changed: Vec<Loss>,
    /// How many rows do not fit, each time with what is wrong, in words behind their number and their table.
    pub refused: Vec<(u64, String)>,
}

/// One object with the statement that makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub object: ObjectName,
    /// The statement, without a semicolon.
    pub sql: String,
}

/// What has changed in a schema: some tables and views, each with all that belongs to it now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaChanges {
    /// The tables and views; one that is gone has no object in `schema`.
    pub owners: BTreeSet<String>,
    /// What they are now, and nothing else.
    pub schema: Schema,
    /// The statements that make them.
    pub definitions: Vec<Definition>,
}

/// A connection on which statements run. What a code migration gets.
pub trait Session {
    /// Runs one statement and gives the number of rows that it changed.
    fn execute(&mut self, statement: &str) -> Result<u64, TargetError>;

    /// Runs one query and gives every row. For small answers.
    fn query(&mut self, statement: &str) -> Result<Vec<Vec<Value>>, TargetError>;

    /// Replaces a table by a new shape: rows are copied, indexes and triggers made again. The migration's bounds must
    /// be [`crate::Bounds::Rebuild`], or the cascade of the dropped table would empty its children.
    fn rebuild(&mut self, rebuild: &Rebuild) -> Result<u64, TargetError>;

    /// The schema as it is now, in this transaction.
    fn observe(&mut self) -> Result<Schema, TargetError>;

    /// What has changed since the last call on this session; everything at the first. It costs what has changed, not
    /// what there is.
    fn changes(&mut self) -> Result<SchemaChanges, TargetError>;

    /// Every object with its statement: tables, then indexes, views and triggers, each by name; without the ledger.
    fn definitions(&mut self) -> Result<Vec<Definition>, TargetError>;

    /// Tells whoever watches how far the work is.
    fn report(&mut self, progress: &Progress);

    /// Says whether a runner would commit after each of the next statements. Only a scratch has to know: it commits
    /// nothing, and some statements need what others have committed.
    fn commits_each_statement(&mut self, _each: bool) {}
}

/// Whether foreign keys act during a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignKeys {
    /// As the application knows them.
    Enforced,
    /// Not at all until the commit, which checks every one.
    Suspended,
    /// As the migration has set them by its own pragma, outside a transaction.
    AsSet,
}

/// Held by the one runner; dropping it lets the next one in, and so does the death of the process.
pub trait RunnerLock: Send {}

/// One checkpoint of a migration that runs outside a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The migration.
    pub id: MigrationId,
    /// Up or down.
    pub direction: Direction,
    /// The statement's place, from 0.
    pub statement: usize,
    /// SHA-256 of the statement, so that an edited file is not continued in the middle; [`Checkpoint::BEGUN`] while it
    /// runs.
    pub checksum: String,
}

impl Checkpoint {
    /// The checksum of a statement that has begun outside of any transaction.
    pub const BEGUN: &'static str = "begun";

    /// A statement that begins.
    pub fn begun(id: &MigrationId, direction: Direction, statement: usize) -> Self {
        Self { id: id.clone(), direction, statement, checksum: Self::BEGUN.to_owned() }
    }

    /// Whether the statement has only begun.
    pub fn is_begun(&self) -> bool {
        self.checksum == Self::BEGUN
    }
}

/// A source whose every migration is applied, and whose objects are as its migrations make them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSource {
    /// The source's name.
    pub name: String,
    /// [`Source::digest`](crate::Source::digest).
    pub digest: String,
    /// The tables and the views that its migrations make.
    pub tables: Vec<String>,
}

/// A copy of a database, on which a plan is tried.
pub struct TargetCopy {
    /// The copy.
    pub target: Box<dyn Target>,
    /// Whether it has every row. Of a large database only the schema and the ledgers are copied.
    pub has_rows: bool,
}

/// A database with a ledger. Reading methods never write; writing ones are called between `begin` and `commit`.
pub trait Target: Session {
    /// The database in words that a user recognises, without credentials.
    fn name(&self) -> String;

    /// The ledger in any form; a missing one is empty.
    fn ledger(&mut self) -> Result<Ledger, TargetError>;

    /// Every recorded event, oldest first; those that an old ledger implies are made up from its rows by the caller.
    fn history(&mut self) -> Result<Vec<Event>, TargetError>;

    /// An empty database of the same kind that goes away by itself.
    fn scratch(&self) -> Result<Box<dyn Session>, TargetError>;

    /// An empty database of the same kind that goes away by itself, with transactions and foreign keys as this has
    /// them. What is too much work there is broken off: [`TargetError::TooMuch`].
    fn rehearsal(&self) -> Result<Box<dyn Target>, TargetError>;

    /// A copy in memory that goes away by itself, on which a plan is tried.
    fn copy(&self) -> Result<TargetCopy, TargetError>;

    /// Waits for the runner lock. [`OutsideCause::RunnerBusy`] after `wait`.
    fn lock(&mut self, wait: Duration) -> Result<Box<dyn RunnerLock>, TargetError>;

    /// Begins the one writing transaction. [`OutsideCause::Busy`] when another program holds it for too long.
    fn begin(&mut self, keys: ForeignKeys) -> Result<(), TargetError>;

    /// Commits. With suspended keys every one is checked first, and the error leaves the transaction open.
    fn commit(&mut self) -> Result<(), TargetError>;

    /// Gives the transaction up. Never fails: what cannot be rolled back is rolled back by the next to open it.
    fn roll_back(&mut self);

    /// Makes the ledgers' tables, or splits a combined one; `ledger` is attributed. What another manager reads stays.
    fn prepare_ledger(&mut self, ledger: &Ledger) -> Result<(), TargetError>;

    /// Writes what a record changes and appends its event.
    fn record(&mut self, record: &Record) -> Result<(), TargetError>;

    /// Writes the row of a number in the ledger that another manager reads, or takes it away.
    fn set_shared_row(&mut self, number: i64, row: Option<&SharedRow>) -> Result<(), TargetError>;

    /// Forgets what a source has applied; its history stays.
    fn forget(&mut self, source: &str) -> Result<(), TargetError>;

    /// What an interrupted run outside a transaction has done.
    fn checkpoints(&mut self, id: &MigrationId, direction: Direction) -> Result<Vec<Checkpoint>, TargetError>;

    /// Adds a checkpoint.
    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), TargetError>;

    /// Forgets the checkpoints of a migration.
    fn clear_checkpoints(&mut self, id: &MigrationId) -> Result<(), TargetError>;

    /// Whether foreign keys act outside of a transaction with settings of its own.
    fn are_keys_enforced(&mut self) -> Result<bool, TargetError>;

    /// Sets whether they do. Outside of any transaction.
    fn enforce_keys(&mut self, enforced: bool) -> Result<(), TargetError>;

    /// Rows that refer to rows that are not there, each as `table → parent` with what tells it from the others.
    fn orphans(&mut self) -> Result<BTreeSet<String>, TargetError>;

    /// In whose words its statements are.
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    /// How long to wait before a transaction that met this error is tried again; `None` where it is not. `attempt` is
    /// how often it was tried before, from 0.
    fn retry_after(&mut self, _error: &TargetError, _attempt: u32) -> Option<Duration> {
        None
    }

    /// Whether a statement outside a transaction can be broken off in its middle, so that a part of it stays.
    fn leaves_halves(&self) -> bool {
        false
    }

    /// Whether a statement refuses to run in any transaction (VACUUM, say).
    fn is_outside_transactions(&self, statement: &str) -> bool;

    /// How many rows a table or, with a column, values that are not NULL it has; 0 if it is not there.
    fn count(&mut self, table: &str, column: Option<&str>) -> Result<u64, TargetError>;

    /// What the rows of a table mean for its new shape or for unique indexes over it, tried on a private copy; nothing
    /// where there is no such table. A database that changes its tables in place counts by [`Target::alterer`] instead.
    fn try_rows(&mut self, _trial: &RowTrial) -> Result<TriedRows, TargetError> {
        Ok(TriedRows::default())
    }

    /// From now on every read sees one state of the database, until [`Target::end_look`]; `false` where that is so in
    /// any case or cannot be had, and then nothing is to be ended.
    fn begin_look(&mut self) -> Result<bool, TargetError> {
        Ok(false)
    }

    /// Ends what [`Target::begin_look`] began.
    fn end_look(&mut self) {}

    /// From now on whatever a statement of this transaction writes is counted before it runs: the rows and the values
    /// of each table that it can reach, also through keys and triggers. What reaches past the database is refused.
    fn begin_loss_check(&mut self, check: LossCheck) -> Result<(), TargetError>;

    /// Counts the same again, and gives what there is less of. Ends the check, as a roll-back does.
    fn end_loss_check(&mut self) -> Result<Vec<Loss>, TargetError>;

    /// Who plans how its tables are changed in place; `None` for a database whose tables are rebuilt.
    fn alterer(&mut self) -> Result<Option<Box<dyn Alterer>>, TargetError> {
        Ok(None)
    }

    /// Copies aside what a command can lose, keeps the last few copies, and says where: the whole database where that
    /// is a file, of a server those tables that hold rows. `None` where there is nothing to copy.
    /// [`TargetError::TooLarge`] where a copy would take too long.
    fn back_up(&mut self, tables: &BTreeSet<String>) -> Result<Option<PathBuf>, TargetError>;

    /// Remembers that a source was found in order, so that the next look is cheap. Between `begin` and `commit`.
    fn remember_verified(&mut self, source: &VerifiedSource) -> Result<(), TargetError>;

    /// Sets who hears of progress.
    fn watch(&mut self, progress: ProgressListener);
}

/// How far the runner is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// A migration begins.
    Begun {
        /// The migration.
        id: MigrationId,
        /// Its name.
        name: String,
        /// Up or down.
        direction: Direction,
        /// How many statements it has; 0 for code.
        statements: usize,
    },
    /// A statement begins.
    Statement {
        /// The migration.
        id: MigrationId,
        /// From 1.
        statement: usize,
        /// The statement in one line.
        text: String,
    },
    /// Rows of the running statement or rebuild.
    Rows {
        /// Done so far.
        done: u64,
        /// Of how many, where that is known.
        total: Option<u64>,
    },
    /// A migration is committed.
    Done {
        /// The migration.
        id: MigrationId,
        /// Milliseconds.
        duration_ms: u64,
    },
}

/// Who hears of progress; called on the runner's thread between and during statements, so it must be quick.
pub type ProgressListener = Arc<dyn Fn(&Progress) + Send + Sync>;
