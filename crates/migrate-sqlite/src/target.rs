//! SQLite as a target of migrations.

mod authorizer;
mod backup;
mod bulk;
mod ledger;
mod lock;
mod loss_check;
mod progress;
mod rebuild;
mod row_trial;
mod scratch;
mod stand_in;
mod transaction;

use std::{
    cell::RefCell,
    collections::BTreeSet,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use longshore_migrate::{
    files::script::{Dialect, Statement, Token, tokens},
    schema::Schema,
    target::{
        Checkpoint, Definition, ForeignKeys, Progress, ProgressListener, Rebuild, RowTrial, RunnerLock, SchemaChanges,
        Session, StatementError, Target, TargetCopy, TargetError, TriedRows, Value, VerifiedSource,
    },
    {Direction, Loss, LossCheck, MigrationId, ledger as own},
};
use longshore_sqlite_file::{Answered, FileAccess, check_folder, check_kind, check_left_log};
use rusqlite::{
    Connection, ErrorCode, OpenFlags,
    hooks::{AuthContext, Authorization},
    types::ValueRef,
};

use crate::{
    catalog::{CatalogError, CatalogReader, Ledgers, Reach},
    verified,
};

use authorizer::Confinement;
use bulk::{Budget, Bulk, Within, makes_rows};
pub(crate) use ledger::form;
use loss_check::Watch;

/// How long a statement waits for another program's write before it gives up.
const BUSY_WAIT: Duration = Duration::from_secs(30);

/// Databases of more bytes are copied without their rows.
const COPIED_BYTES_MAX: i64 = 64 * 1024 * 1024;

/// What a target is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To look: nothing is created, and every write is an error.
    Inspect,
    /// To write: the file is created if there is none.
    Write,
}

/// One SQLite database, opened for migrations.
pub struct SqliteTarget<'c> {
    connection: Handle<'c>,
    name: String,
    file: Option<PathBuf>,
    /// What `begin` found and `commit` has to put back.
    open: Option<transaction::Open>,
    scope: Scope,
    progress: Option<progress::Meter>,
    reader: CatalogReader,
    /// What statements of ours can have changed since `reader` read the catalog.
    reach: Reach,
    /// The schema version at which nothing else has changed since then.
    read_at: Option<i64>,
    /// What the open transaction can lose, from `begin_loss_check` to `end_loss_check`.
    watch: RefCell<Option<Watch>>,
    stand_ins: stand_in::StandIns,
    /// How much work on rows is left to it, where it is a database in memory that opens no file.
    scratch: Option<Arc<Budget>>,
    /// What the scratch databases of this target found to be too much.
    bulk: Bulk,
}

/// What a transaction of the runner is on its connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// A transaction.
    Transaction,
    /// A savepoint in a transaction that the connection's owner commits.
    Savepoint,
}

enum Handle<'c> {
    Owned(Box<Connection>),
    Shared(&'c Connection),
}

impl Handle<'_> {
    fn get(&self) -> &Connection {
        match self {
            Self::Owned(connection) => connection,
            Self::Shared(connection) => connection,
        }
    }
}

impl SqliteTarget<'static> {
    /// Opens the file at `path`. With [`Access::Inspect`] a file that is not there is an empty database.
    pub fn open(path: impl AsRef<Path>, access: Access) -> Result<Self, TargetError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let context = FileAccess { database: name.as_str().into(), busy_timeout: BUSY_WAIT };
        let wrap = |error: rusqlite::Error| failed(&context, "opening it", error);
        let is_there = is_there(path, &context)?;
        let connection = match access {
            Access::Inspect if !is_there => Connection::open_in_memory().map_err(wrap)?,
            // Not read-only: after a crash somebody has to roll the journal back before anything can be read.
            Access::Inspect => Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(wrap)?,
            Access::Write => {
                let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
                Connection::open_with_flags(path, flags).map_err(wrap)?
            }
        };
        connection.busy_timeout(BUSY_WAIT).map_err(wrap)?;
        if access == Access::Inspect {
            connection.pragma_update(None, "query_only", true).map_err(wrap)?;
        }
        Ok(Self { file: Some(path.to_owned()), ..Self::over(Handle::Owned(Box::new(connection)), name) })
    }
}

/// Whether there is a file. What is in the way of one is an error, or it would be taken for an empty database.
fn is_there(path: &Path, context: &FileAccess) -> Result<bool, TargetError> {
    check_left_log(path)?;
    match std::fs::metadata(path) {
        Ok(found) => {
            check_kind(path, &found, &context.database)?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            check_folder(path)?;
            Ok(false)
        }
        Err(error) => Err(context.unreachable(error).into()),
    }
}

/// Waits until no runner is at work on the file at `path`, and leaves nothing behind.
/// [`OutsideCause::RunnerBusy`](longshore_migrate::OutsideCause) when one still is after so long as a runner would wait
/// for another.
pub fn wait_for_runner(path: impl AsRef<Path>) -> Result<(), TargetError> {
    lock::wait_for_it(path.as_ref(), BUSY_WAIT)
}

/// Keeps other runners out of the database at `path` until the lock is dropped.
pub fn lock_runners(path: &Path) -> Result<Box<dyn RunnerLock>, TargetError> {
    lock::take(Some(path), BUSY_WAIT)
}

impl<'c> SqliteTarget<'c> {
    /// Migrations on a connection that somebody else owns and on which no transaction is open. Without a runner lock
    /// between processes: SQLite's own write lock is what excludes others.
    pub fn on(connection: &'c Connection) -> Self {
        let file = connection.path().filter(|path| !path.is_empty()).map(PathBuf::from);
        let name = file.as_ref().map_or_else(|| ":memory:".to_owned(), |file| file.display().to_string());
        Self::over(Handle::Shared(connection), name)
    }

    /// Migrations in the transaction that is open on a connection to the database at `path`: all of them take effect
    /// when its owner commits, or none. Its owner has switched foreign keys off before, and holds the runner lock.
    pub fn within(connection: &'c Connection, path: &Path) -> Self {
        let name = path.display().to_string();
        Self { scope: Scope::Savepoint, ..Self::over(Handle::Shared(connection), name) }
    }

    /// With transactions of its own, on a connection about which nothing else is known.
    fn over(connection: Handle<'c>, name: String) -> Self {
        Self {
            connection,
            name,
            file: None,
            open: None,
            scope: Scope::Transaction,
            progress: None,
            reader: CatalogReader::default(),
            reach: Reach::Everything,
            read_at: None,
            watch: RefCell::default(),
            stand_ins: stand_in::StandIns::default(),
            scratch: None,
            bulk: Bulk::default(),
        }
    }

    fn context(&self) -> FileAccess {
        let busy_timeout = match self.connection {
            Handle::Owned(_) => BUSY_WAIT,
            // Its owner knows.
            Handle::Shared(_) => Duration::ZERO,
        };
        FileAccess { database: self.name.as_str().into(), busy_timeout }
    }

    fn connection(&self) -> &Connection {
        self.connection.get()
    }

    fn run(&self, statement: &str) -> Result<u64, TargetError> {
        self.run_watched(statement).map_err(|error| self.failed(statement, error))
    }

    /// Runs one statement; what it can lose is counted first where a watch is on.
    fn run_watched(&self, statement: &str) -> rusqlite::Result<u64> {
        let connection = self.connection();
        self.stand_ins.run(connection, statement, &|| match self.watch.borrow_mut().as_mut() {
            Some(watch) => watch.run(connection, statement, |prepared| to_the_end(connection, prepared)),
            None => run(connection, statement),
        })
    }

    /// A statement that is broken off takes its transaction with it, which has to begin again.
    fn execute_on_scratch(
        &self,
        budget: &Budget,
        statement: &str,
        words: &[Token<'_>],
        has_rows: bool,
    ) -> Result<u64, TargetError> {
        if scratch::is_plain_vacuum(words) {
            return Ok(0);
        }
        if !has_rows {
            return self.run(statement);
        }
        let run = || self.run_watched(statement);
        match bulk::within(budget, &self.bulk, self.connection(), statement, run) {
            Within::Ended(result) => result.map_err(|error| self.failed(statement, error)),
            Within::BrokenOff => {
                Err(TargetError::TooMuch { statement: Statement::alone(Dialect::Sqlite, statement).in_short() })
            }
        }
    }

    fn stop_watching(&mut self) -> Option<Watch> {
        let watch = self.watch.take();
        if let (Some(_), Handle::Owned(connection)) = (&watch, &mut self.connection) {
            // Nothing is left to refuse, and a hook that cannot be taken off goes with the connection. A scratch
            // database stays without a way to any file.
            let _ = if self.scratch.is_some() {
                scratch::confine(connection)
            } else {
                connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).answered()
            };
        }
        watch
    }

    /// Every change of the schema changes its version. If it differs from that of the last reading, all of
    /// it is read again.
    fn distrust_others(&mut self) -> Result<(), TargetError> {
        let now = self.schema_version()?;
        if self.read_at != Some(now) {
            self.read_anew()?;
            self.read_at = Some(now);
        }
        Ok(())
    }

    fn read_anew(&mut self) -> Result<(), TargetError> {
        self.reach = Reach::Everything;
        let ledgers = self.ledgers()?;
        self.reader.expect(ledgers);
        Ok(())
    }

    /// An application may have a table of its own under a name that an earlier version used.
    fn ledgers(&self) -> Result<Ledgers, TargetError> {
        let form = form(self.connection()).map_err(|error| self.failed("reading the ledger", error))?;
        Ok(if form == own::Form::Combined { Ledgers::Combined } else { Ledgers::Apart })
    }

    fn schema_version(&self) -> Result<i64, TargetError> {
        let version = self.connection().pragma_query_value(None, "schema_version", |row| row.get(0));
        version.map_err(|error| self.failed("PRAGMA schema_version", error))
    }

    pub(crate) fn failed(&self, statement: &str, error: rusqlite::Error) -> TargetError {
        failed(&self.context(), statement, error)
    }
}

/// Runs one statement to its end, whether or not it gives rows.
fn run(connection: &Connection, statement: &str) -> rusqlite::Result<u64> {
    to_the_end(connection, &mut connection.prepare(statement)?)
}

fn to_the_end(connection: &Connection, prepared: &mut rusqlite::Statement<'_>) -> rusqlite::Result<u64> {
    let before = connection.total_changes();
    let mut rows = prepared.query([])?;
    while rows.next()?.is_some() {}
    Ok(connection.total_changes().saturating_sub(before))
}

fn rows(connection: &Connection, query: &str) -> rusqlite::Result<Vec<Vec<Value>>> {
    all_rows(&mut connection.prepare(query)?)
}

fn all_rows(prepared: &mut rusqlite::Statement<'_>) -> rusqlite::Result<Vec<Vec<Value>>> {
    let columns = prepared.column_count();
    let found = prepared.query_map([], |row| (0..columns).map(|at| Ok(value(row.get_ref(at)?))).collect())?;
    found.collect()
}

fn value(found: ValueRef<'_>) -> Value {
    match found {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

pub(crate) fn failed(context: &FileAccess, statement: &str, error: rusqlite::Error) -> TargetError {
    match context.outside_cause(error) {
        Ok(cause) => cause.into(),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::AuthorizationForStatementDenied) => {
            TargetError::NotPermitted { statement: Statement::alone(Dialect::Sqlite, statement).in_short() }
        }
        Err(error) => told(statement, &error),
    }
}

/// The error with the line of the statement in which it is, not with all of it.
fn told(statement: &str, error: &rusqlite::Error) -> TargetError {
    let offset = match error {
        rusqlite::Error::SqlInputError { offset, .. } => usize::try_from(*offset).ok(),
        _ => None,
    };
    let line = offset.and_then(|offset| statement.get(..offset)).map(|before| before.matches('\n').count());
    let shown = line.and_then(|line| statement.lines().nth(line)).unwrap_or(statement);
    let statement = Statement::alone(Dialect::Sqlite, shown).in_short();
    let source = StatementError { message: stand_in::message(error), line: line.unwrap_or_default() };
    TargetError::Statement { statement, source: Box::new(source) }
}

/// What a catalog that cannot be read means.
fn unreadable(context: &FileAccess, CatalogError::Sqlite(error): CatalogError) -> TargetError {
    match context.outside_cause(error) {
        Ok(cause) => cause.into(),
        Err(error) => TargetError::Catalog { source: Box::new(error) },
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Session for SqliteTarget<'_> {
    fn execute(&mut self, statement: &str) -> Result<u64, TargetError> {
        let words: Vec<Token<'_>> = tokens(statement).into_iter().filter(Token::has_meaning).collect();
        let reach = Reach::of_words(statement, &words);
        let has_rows = reach == Reach::Rows || makes_rows(statement, &words);
        self.reach.extend(reach);
        if let Some(budget) = &self.scratch {
            return self.execute_on_scratch(budget, statement, &words, has_rows);
        }
        if let Some(progress) = &self.progress {
            progress.begin(self.connection(), statement);
        }
        self.run(statement)
    }

    fn query(&mut self, statement: &str) -> Result<Vec<Vec<Value>>, TargetError> {
        self.reach.extend(Reach::of(statement));
        let connection = self.connection();
        let found = match self.watch.borrow_mut().as_mut() {
            // A migration may write by a query, with RETURNING.
            Some(watch) => watch.run(connection, statement, all_rows),
            None => rows(connection, statement),
        };
        found.map_err(|error| self.failed(statement, error))
    }

    fn rebuild(&mut self, rebuild: &Rebuild) -> Result<u64, TargetError> {
        self.reach = Reach::Everything;
        let report = |done, total| {
            if let Some(progress) = &self.progress {
                progress.tell(&Progress::Rows { done, total: Some(total) });
            }
        };
        rebuild::rebuild(self.connection(), rebuild, &report, &|statement| self.run_watched(statement))
            .map_err(|(statement, error)| self.failed(&statement, error))
    }

    fn observe(&mut self) -> Result<Schema, TargetError> {
        let is_open = self.open.is_some();
        if !is_open {
            self.distrust_others()?;
        }
        let reach = std::mem::replace(&mut self.reach, Reach::Rows);
        let observed = self.reader.read_what(self.connection.get(), &reach);
        if !is_open && self.read_at != Some(self.schema_version()?) {
            // Another program changed it in the meantime; what was read is still one state.
            self.read_at = None;
        }
        observed.map_err(|error| unreadable(&self.context(), error))
    }

    fn changes(&mut self) -> Result<SchemaChanges, TargetError> {
        self.observe()?;
        Ok(self.reader.changes())
    }

    fn definitions(&mut self) -> Result<Vec<Definition>, TargetError> {
        self.observe()?;
        Ok(self.reader.definitions())
    }

    fn report(&mut self, progress: &Progress) {
        if let Some(meter) = &self.progress {
            meter.tell(progress);
        }
    }
}

impl Target for SqliteTarget<'_> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn ledger(&mut self) -> Result<own::Ledger, TargetError> {
        ledger::read(self.connection()).map_err(|error| self.failed("reading the ledger", error))
    }

    fn history(&mut self) -> Result<Vec<own::Event>, TargetError> {
        ledger::history(self.connection()).map_err(|error| self.failed("reading the history", error))
    }

    fn scratch(&self) -> Result<Box<dyn Session>, TargetError> {
        scratch::Scratch::open(&self.bulk).map(|scratch| Box::new(scratch) as Box<dyn Session>)
    }

    fn rehearsal(&self) -> Result<Box<dyn Target>, TargetError> {
        let (connection, budget) = scratch::Scratch::open(&self.bulk)?.into_connection();
        let handle = Handle::Owned(Box::new(connection));
        let target = SqliteTarget::over(handle, "the scratch database".to_owned());
        Ok(Box::new(SqliteTarget { scratch: Some(budget), bulk: self.bulk.clone(), ..target }))
    }

    fn copy(&self) -> Result<TargetCopy, TargetError> {
        let copy = scratch::copy(self.connection(), COPIED_BYTES_MAX);
        let (connection, has_rows) = copy.map_err(|error| self.failed("copying it", error))?;
        let target = SqliteTarget::over(Handle::Owned(Box::new(connection)), self.name.clone());
        Ok(TargetCopy { target: Box::new(target), has_rows })
    }

    fn lock(&mut self, wait: Duration) -> Result<Box<dyn RunnerLock>, TargetError> {
        lock::take(self.file.as_deref(), wait)
    }

    fn begin(&mut self, keys: ForeignKeys) -> Result<(), TargetError> {
        self.begin_transaction(keys)
    }

    fn commit(&mut self) -> Result<(), TargetError> {
        self.commit_transaction()
    }

    fn roll_back(&mut self) {
        self.roll_back_transaction();
    }

    fn prepare_ledger(&mut self, found: &own::Ledger) -> Result<(), TargetError> {
        ledger::prepare(self.connection(), found).map_err(|error| self.failed("making the ledger", error))?;
        // Splitting gives names free that were a ledger's.
        if self.reader.ledgers() == Ledgers::Combined { self.read_anew() } else { Ok(()) }
    }

    fn record(&mut self, record: &own::Record) -> Result<(), TargetError> {
        ledger::record(self.connection(), record).map_err(|error| self.failed("writing the ledger", error))
    }

    fn checkpoints(&mut self, id: &MigrationId, direction: Direction) -> Result<Vec<Checkpoint>, TargetError> {
        ledger::checkpoints(self.connection(), id, direction)
            .map_err(|error| self.failed("reading the checkpoints", error))
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), TargetError> {
        ledger::add_checkpoint(self.connection(), checkpoint)
            .map_err(|error| self.failed("writing a checkpoint", error))
    }

    fn clear_checkpoints(&mut self, id: &MigrationId) -> Result<(), TargetError> {
        ledger::clear_checkpoints(self.connection(), id).map_err(|error| self.failed("deleting the checkpoints", error))
    }

    fn are_keys_enforced(&mut self) -> Result<bool, TargetError> {
        Ok(self.keys_act())
    }

    fn enforce_keys(&mut self, enforced: bool) -> Result<(), TargetError> {
        self.set_keys(enforced)
    }

    fn orphans(&mut self) -> Result<BTreeSet<String>, TargetError> {
        let found = transaction::orphans(self.connection());
        let found = found.map_err(|error| self.failed("PRAGMA foreign_key_check", error))?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    fn is_outside_transactions(&self, statement: &str) -> bool {
        let mut words = tokens(statement).into_iter().filter(Token::has_meaning);
        let first = words.next();
        first.is_some_and(|word| ["vacuum", "pragma", "attach", "detach"].iter().any(|bare| word.is(bare)))
    }

    fn count(&mut self, table: &str, column: Option<&str>) -> Result<u64, TargetError> {
        let counted = column.map_or_else(|| "*".to_owned(), quoted);
        let query = format!("SELECT count({counted}) FROM {}", quoted(table));
        let count = self.connection().query_row(&query, [], |row| row.get::<_, i64>(0));
        let count = count.map_err(|error| self.failed(&query, error))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    fn try_rows(&mut self, trial: &RowTrial) -> Result<TriedRows, TargetError> {
        row_trial::run(self.connection(), trial)
            .map_err(|error| self.failed(&format!("trying the rows of {}", trial.table), error))
    }

    fn begin_look(&mut self) -> Result<bool, TargetError> {
        // In a transaction of the runner or of the connection's owner every read sees one state already.
        if !self.connection().is_autocommit() {
            return Ok(false);
        }
        self.run("BEGIN").map(|_| true)
    }

    fn end_look(&mut self) {
        // It has only read, and closing the connection ends it, too.
        let _ = self.run("COMMIT");
    }

    fn begin_loss_check(&mut self, check: LossCheck) -> Result<(), TargetError> {
        let watch = match &mut self.connection {
            Handle::Owned(connection) if self.scratch.is_some() => Watch::on(connection, Confinement::Scratch, check),
            Handle::Owned(connection) => {
                let confinement = Confinement::Database { other_files: check.other_files };
                Watch::on(connection, confinement, check)
            }
            Handle::Shared(connection) => Watch::on_shared(connection, check),
        };
        let watch = watch.map_err(|error| self.failed("counting what can be lost", error))?;
        self.watch.replace(Some(watch));
        Ok(())
    }

    fn end_loss_check(&mut self) -> Result<Vec<Loss>, TargetError> {
        let Some(watch) = self.stop_watching() else {
            return Ok(Vec::new());
        };
        watch.compare(self.connection()).map_err(|error| self.failed("counting what is lost", error))
    }

    fn back_up(&mut self, _tables: &BTreeSet<String>) -> Result<Option<PathBuf>, TargetError> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        backup::make(self.connection(), file).map(Some)
    }

    fn set_shared_row(&mut self, number: i64, row: Option<&own::SharedRow>) -> Result<(), TargetError> {
        ledger::set_shared_row(self.connection(), number, row)
            .map_err(|error| self.failed("writing the application's ledger", error))
    }

    fn forget(&mut self, source: &str) -> Result<(), TargetError> {
        ledger::forget(self.connection(), source).map_err(|error| self.failed("writing the ledger", error))
    }

    fn remember_verified(&mut self, source: &VerifiedSource) -> Result<(), TargetError> {
        verified::remember(self.connection(), source)
            .map_err(|error| self.failed("remembering that the schema is in order", error))
    }

    fn watch(&mut self, listener: ProgressListener) {
        self.progress = Some(match &mut self.connection {
            Handle::Owned(connection) => progress::Meter::on(connection, listener),
            Handle::Shared(_) => progress::Meter::without_hooks(listener),
        });
    }
}
