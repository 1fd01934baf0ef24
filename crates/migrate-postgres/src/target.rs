//! PostgreSQL as a target of migrations.

mod backup;
mod ledger;
mod lock;
mod loss_check;
mod rehearsal;
mod rewrite;
mod scratch;
mod transaction;
mod values;
mod verified;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, Weak},
    time::Duration,
};

use longshore_migrate::{
    alterer::Alterer,
    files::script::Dialect,
    ledger::{Event, Ledger, Record, SharedRow},
    schema::Schema,
    target::{
        Checkpoint, Definition, ForeignKeys, Progress, ProgressListener, Rebuild, RunnerLock, SchemaChanges, Session,
        Target, TargetCopy, TargetError, Value, VerifiedSource,
    },
    {Direction, Loss, LossCheck, MigrationId},
};
use tokio_postgres::SimpleQueryMessage;

use crate::{
    alter::{EDGES, FACTS, PostgresAlterer},
    catalog::{CatalogReader, Names, queries, quoted},
    failure::Failures,
    options::{Access, PostgresTargetOptions},
    wire::{Fault, Param, Query, Wire},
};

use loss_check::Watch;
use scratch::{KnownSchemas, Scratch};

/// One PostgreSQL database, opened for migrations. Everything it does goes over one connection, which has a thread of
/// its own; a replay and the runner lock have a connection each beside it.
pub struct PostgresTarget {
    options: PostgresTargetOptions,
    failures: Failures,
    wire: Arc<Wire>,
    /// The schema of the application, the first of `search_path` that is there.
    current: String,
    /// As the connection has it by default.
    search_path: String,
    known: KnownSchemas,
    reader: CatalogReader,
    is_open: bool,
    /// Whether a statement has set something that outlives its transaction.
    has_settings: bool,
    /// What the open transaction can lose.
    watch: Option<Watch>,
    /// Tables that an earlier attempt wrote to without having counted them.
    uncounted: BTreeSet<u32>,
    /// How long to wait before the transaction that has just failed is tried again.
    retry: Option<Retry>,
    lock: Option<Weak<Wire>>,
    listener: Option<ProgressListener>,
}

/// Why a transaction is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    /// Something else held a lock.
    Locked,
    /// It wrote to tables that were not counted before.
    Uncounted,
}

impl PostgresTarget {
    /// Connects. The database must be there; the queue's schema need not.
    pub fn open(options: PostgresTargetOptions) -> Result<Self, TargetError> {
        let failures = Failures { database: options.name(), lock_timeout: options.lock_timeout };
        let opened = match options.kept() {
            Some(kept) => kept.take(&options),
            None => Wire::open(&options).map(Arc::new),
        };
        let wire = opened.map_err(|fault| failures.told("connecting", fault))?;
        let mut target = Self {
            failures,
            wire,
            current: String::new(),
            search_path: String::new(),
            known: KnownSchemas::default(),
            reader: CatalogReader::default(),
            is_open: false,
            has_settings: false,
            watch: None,
            uncounted: BTreeSet::new(),
            retry: None,
            lock: None,
            listener: None,
            options,
        };
        target.find_place()?;
        Ok(target)
    }

    fn find_place(&mut self) -> Result<(), TargetError> {
        // Whoever dies in a long statement must not leave it running with its locks.
        let watchful = if self.options.is_pooled { "false" } else { "true" };
        let query = format!(
            "SELECT current_setting('search_path'), current_schema()::text,
                 (SELECT set_config(name, '2s', false) FROM pg_catalog.pg_settings
                  WHERE {watchful} AND name = 'client_connection_check_interval')"
        );
        let rows = self.ask("reading search_path", Query::new(query, Vec::new()))?;
        let text = |at: usize| rows.first().and_then(|row| row.try_get::<_, Option<String>>(at).ok().flatten());
        self.search_path = text(0).unwrap_or_default();
        // Without a schema to make tables in, the first statement that wants to will say so.
        self.current = text(1).unwrap_or_else(|| "public".to_owned());
        Ok(())
    }

    fn ask(&self, doing: &str, query: Query) -> Result<Vec<tokio_postgres::Row>, TargetError> {
        self.wire.query(query).map_err(|fault| self.told(doing, fault))
    }

    fn told(&self, statement: &str, fault: Fault) -> TargetError {
        self.failures.told(statement, fault)
    }

    /// The same for a statement of a transaction that can be tried again.
    fn met(&mut self, statement: &str, fault: Fault) -> TargetError {
        if matches!(fault.code(), "55P03" | "40001" | "40P01") {
            self.retry = Some(Retry::Locked);
        }
        self.told(statement, fault)
    }

    fn names(&self) -> Names {
        let mut names = Names::new(&self.current, &self.options.schema);
        for schema in self.known.all() {
            names.add(&schema);
        }
        names
    }

    /// A table of the queue's schema as SQL.
    fn own(&self, table: &str) -> String {
        format!("{}.{table}", quoted(&self.options.schema))
    }

    /// A table of the application's schema as SQL.
    fn shared(&self, table: &str) -> String {
        format!("{}.{}", quoted(&self.current), quoted(table))
    }

    fn read(&mut self) -> Result<(), TargetError> {
        let names = self.names();
        let mut asked = Vec::new();
        if !self.is_open {
            asked.push(Query::new("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", Vec::new()));
        }
        asked.push(hide_path());
        let before = asked.len();
        asked.extend(queries(&names.schemas(), None));
        let behind = asked.len();
        asked.push(if self.is_open { show_path() } else { Query::new("COMMIT", Vec::new()) });
        let answers = self.wire.queries(asked).map_err(|fault| unreadable(&self.failures, fault))?;
        self.reader.take(&names, None, &answers[before..behind]);
        Ok(())
    }

    /// What was read, without the fence of a move: nobody should drop it.
    fn without_move(&self) -> (Schema, Vec<Definition>) {
        let all = self.reader.schema();
        let kept = all.clone().without_move();
        let mut made = self.reader.definitions();
        made.retain(|one| kept.contains(&one.object) || !all.contains(&one.object));
        (kept, made)
    }

    fn run(&mut self, statement: &str) -> Result<u64, TargetError> {
        let answers = self.wire.simple(statement).map_err(|fault| self.met(statement, fault))?;
        Ok(changed_rows(&answers))
    }

    /// A statement outside of any transaction. It waits for locks as long as it takes: it has none that others wait for.
    fn run_bare(&mut self, statement: &str) -> Result<u64, TargetError> {
        transaction::clear_the_way(self, statement)?;
        let waits = if self.options.is_pooled { Vec::new() } else { transaction::settings(&self.wire) };
        for name in &waits {
            self.run(&format!("SET {name} = 0"))?;
        }
        let ran = self.run(statement);
        for name in &waits {
            self.run(&format!("RESET {name}"))?;
        }
        ran.or_else(|error| if transaction::is_there(self, statement)? { Ok(0) } else { Err(error) })
    }
}

impl Drop for PostgresTarget {
    fn drop(&mut self) {
        if let Some(kept) = self.options.kept().filter(|_| !self.is_open) {
            kept.put(Arc::clone(&self.wire));
        }
    }
}

/// Names are written out in full when nothing is on the path.
fn hide_path() -> Query {
    let sql = "SELECT set_config('longshore.search_path', current_setting('search_path'), true),
        set_config('search_path', '', true)";
    Query::new(sql, Vec::new())
}

fn show_path() -> Query {
    Query::new("SELECT set_config('search_path', current_setting('longshore.search_path'), true)", Vec::new())
}

fn changed_rows(answers: &[SimpleQueryMessage]) -> u64 {
    let counts = answers.iter().map(|answer| match answer {
        SimpleQueryMessage::CommandComplete(count) => *count,
        _ => 0,
    });
    counts.sum()
}

/// What a catalog that cannot be read means.
fn unreadable(failures: &Failures, fault: Fault) -> TargetError {
    match failures.told("reading the catalog", fault) {
        TargetError::Statement { source, .. } => TargetError::Catalog { source },
        error => error,
    }
}

fn no_rebuild(database: &str) -> TargetError {
    TargetError::Unsupported {
        database: database.to_owned(),
        what: "a rebuild of a table: PostgreSQL changes it in place, with ALTER TABLE",
    }
}

impl Session for PostgresTarget {
    fn execute(&mut self, statement: &str) -> Result<u64, TargetError> {
        self.has_settings |= transaction::sets(statement);
        if !self.is_open && Dialect::Postgres.is_outside_transactions(statement) {
            return self.run_bare(statement);
        }
        self.count_before(statement)?;
        self.run(statement)
    }

    fn query(&mut self, statement: &str) -> Result<Vec<Vec<Value>>, TargetError> {
        self.count_before(statement)?;
        values::rows(&self.wire, statement).map_err(|fault| self.met(statement, fault))
    }

    fn rebuild(&mut self, _rebuild: &Rebuild) -> Result<u64, TargetError> {
        Err(no_rebuild(&self.failures.database))
    }

    fn observe(&mut self) -> Result<Schema, TargetError> {
        self.read()?;
        Ok(self.reader.schema().without_move())
    }

    fn changes(&mut self) -> Result<SchemaChanges, TargetError> {
        self.read()?;
        Ok(self.reader.changes())
    }

    fn definitions(&mut self) -> Result<Vec<Definition>, TargetError> {
        self.read()?;
        Ok(self.without_move().1)
    }

    fn report(&mut self, progress: &Progress) {
        if let Some(listener) = &self.listener {
            listener(progress);
        }
    }
}

impl Target for PostgresTarget {
    fn name(&self) -> String {
        self.failures.database.to_string()
    }

    fn ledger(&mut self) -> Result<Ledger, TargetError> {
        self.read_ledger()
    }

    fn history(&mut self) -> Result<Vec<Event>, TargetError> {
        self.read_history()
    }

    fn scratch(&self) -> Result<Box<dyn Session>, TargetError> {
        let scratch = Scratch::open(&self.options, &self.failures, &self.current, &self.known)?;
        Ok(Box::new(scratch))
    }

    fn rehearsal(&self) -> Result<Box<dyn Target>, TargetError> {
        let scratch = Scratch::open(&self.options, &self.failures, &self.current, &self.known)?;
        Ok(Box::new(rehearsal::Rehearsal::on(scratch, Arc::clone(&self.failures.database))))
    }

    fn copy(&self) -> Result<TargetCopy, TargetError> {
        let what = "a copy of itself";
        Err(TargetError::Unsupported { database: self.failures.database.to_string(), what })
    }

    fn lock(&mut self, wait: Duration) -> Result<Box<dyn RunnerLock>, TargetError> {
        let (lock, wire) = lock::take(&self.options, &self.failures, wait)?;
        self.lock = Some(wire);
        Ok(lock)
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

    fn prepare_ledger(&mut self, ledger: &Ledger) -> Result<(), TargetError> {
        self.make_ledger(ledger)
    }

    fn record(&mut self, record: &Record) -> Result<(), TargetError> {
        self.write_record(record)
    }

    fn set_shared_row(&mut self, number: i64, row: Option<&SharedRow>) -> Result<(), TargetError> {
        self.write_shared_row(number, row)
    }

    fn forget(&mut self, source: &str) -> Result<(), TargetError> {
        let sql = format!("DELETE FROM {} WHERE source = $1", self.own(longshore_migrate::ledger::OWN_TABLE));
        self.ask("writing the ledger", Query::new(sql, vec![Param::text(source)])).map(|_| ())
    }

    fn checkpoints(&mut self, id: &MigrationId, direction: Direction) -> Result<Vec<Checkpoint>, TargetError> {
        self.read_checkpoints(id, direction)
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), TargetError> {
        self.write_checkpoint(checkpoint)
    }

    fn clear_checkpoints(&mut self, id: &MigrationId) -> Result<(), TargetError> {
        self.delete_checkpoints(id)
    }

    fn are_keys_enforced(&mut self) -> Result<bool, TargetError> {
        Ok(true)
    }

    fn enforce_keys(&mut self, _enforced: bool) -> Result<(), TargetError> {
        // Foreign keys always act. What the file of a migration has set ends with it.
        self.reset_settings()
    }

    fn orphans(&mut self) -> Result<BTreeSet<String>, TargetError> {
        Ok(BTreeSet::new())
    }

    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn retry_after(&mut self, _error: &TargetError, attempt: u32) -> Option<Duration> {
        self.pause_before(attempt)
    }

    fn leaves_halves(&self) -> bool {
        true
    }

    fn is_outside_transactions(&self, statement: &str) -> bool {
        Dialect::Postgres.is_outside_transactions(statement)
    }

    fn count(&mut self, table: &str, column: Option<&str>) -> Result<u64, TargetError> {
        self.count_rows(table, column)
    }

    fn begin_loss_check(&mut self, check: LossCheck) -> Result<(), TargetError> {
        self.begin_watch(check)
    }

    fn end_loss_check(&mut self) -> Result<Vec<Loss>, TargetError> {
        self.end_watch()
    }

    fn alterer(&mut self) -> Result<Option<Box<dyn Alterer>>, TargetError> {
        self.read()?;
        let names = self.names();
        let schemas = Param::Texts(Some(names.schemas()));
        let asked = vec![Query::new(EDGES, Vec::new()), Query::new(FACTS, vec![schemas])];
        let answers = self.wire.queries(asked).map_err(|fault| unreadable(&self.failures, fault))?;
        let (schema, made) = self.without_move();
        Ok(Some(Box::new(PostgresAlterer::new(schema, made, names, &answers[0], &answers[1]))))
    }

    fn back_up(&mut self, tables: &BTreeSet<String>) -> Result<Option<PathBuf>, TargetError> {
        self.copy_aside(tables)
    }

    fn remember_verified(&mut self, source: &VerifiedSource) -> Result<(), TargetError> {
        self.remember(source)
    }

    fn watch(&mut self, listener: ProgressListener) {
        self.listener = Some(listener);
    }
}

impl PostgresTarget {
    /// Whether [`Access::Write`] was asked for.
    fn refuse_to_write(&self) -> Result<(), TargetError> {
        if self.options.access == Access::Write {
            return Ok(());
        }
        let what = "a write: it was opened to look";
        Err(TargetError::Unsupported { database: self.failures.database.to_string(), what })
    }
}
