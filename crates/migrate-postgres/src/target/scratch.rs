//! A place on the same server on which migrations are tried: scratch schemas in one transaction that is never committed.
//!
//! Nothing of it can outlive its connection, however the process ends, nobody else sees it, and it needs no right but
//! CREATE on the database. A database of its own would need CREATEDB, would take a copy of files for each look, and
//! would stay behind after a kill. There are no savepoints: a transaction with many of them slows down every reader of
//! the server. So after an error the transaction begins again with the statements that have run ([`Scratch::again`]).

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use longshore_migrate::{
    files::script::{Dialect, Statement},
    schema::Schema,
    target::{Definition, Progress, Rebuild, SchemaChanges, Session, StatementError, TargetError, Value},
};

use super::{
    rewrite::{Form, dropped_schemas, is_row_work, made_schema, on_scratch, path, target_schema},
    transaction::sets,
    values,
};
use crate::{
    catalog::{CatalogReader, Names, Reach, queries, quoted},
    failure::Failures,
    options::PostgresTargetOptions,
    wire::{Fault, Param, Query, Wire},
};

/// How long the work of one statement on rows may take.
const ROW_WORK_MS: u32 = 2000;
/// How long it waits for a lock: it must not make anybody wait behind it.
const LOCK_MS: u32 = 500;

/// What every scratch transaction sets.
const SETTINGS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

/// A state to which a scratch can return.
pub(super) struct Mark {
    statements: usize,
    names: Names,
}

/// The real schemas in which migrations work, as replays have found them.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownSchemas(Arc<Mutex<BTreeSet<String>>>);

impl KnownSchemas {
    fn add(&self, schema: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(schema.to_owned());
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// Scratch schemas for the real ones.
pub(super) struct Scratch {
    wire: Wire,
    failures: Failures,
    names: Names,
    /// What every stand-in begins with.
    prefix: String,
    /// The schemas of the database in which names are looked for after the stand-in of the current one.
    rest_of_path: Vec<String>,
    /// Real schemas among them that have stand-ins: their tables must not be met.
    guarded: Vec<String>,
    /// What has run since the transaction began.
    journal: Vec<String>,
    has_row_work: bool,
    has_settings: bool,
    /// How many stand-ins were made.
    count: usize,
    known: KnownSchemas,
    reader: CatalogReader,
    reach: Reach,
}

impl Scratch {
    pub(super) fn open(
        options: &PostgresTargetOptions,
        failures: &Failures,
        current: &str,
        known: &KnownSchemas,
    ) -> Result<Self, TargetError> {
        let wire = Wire::open(options).map_err(|fault| failures.told("connecting", fault))?;
        let mut scratch = Self {
            wire,
            failures: failures.clone(),
            names: Names::none(current, &options.schema),
            prefix: prefix(),
            rest_of_path: Vec::new(),
            guarded: Vec::new(),
            journal: Vec::new(),
            has_row_work: false,
            has_settings: false,
            count: 0,
            known: known.clone(),
            reader: CatalogReader::default(),
            reach: Reach::Everything,
        };
        scratch.begin()?;
        scratch.read_path(current)?;
        scratch.stand_in(current)?;
        scratch.stand_in(&options.schema)?;
        scratch.set_path()?;
        Ok(scratch)
    }

    fn begin(&self) -> Result<(), TargetError> {
        let begin =
            format!("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = {LOCK_MS}; {SETTINGS}");
        self.wire.batch(begin.clone()).map_err(|fault| self.failures.told(&begin, fault))
    }

    /// The rest of the search_path, and where extensions have their types and functions.
    fn read_path(&mut self, current: &str) -> Result<(), TargetError> {
        let query = "SELECT nspname::text FROM (
                SELECT 1 AS rank, place, nspname
                FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (nspname, place)
                UNION ALL
                SELECT 2, 0, n.nspname
                FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
            ) AS every WHERE nspname <> 'pg_catalog' ORDER BY rank, place, nspname";
        let extended = "SELECT DISTINCT n.nspname::text AS nspname
            FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace";
        let asked = self.wire.queries(vec![Query::new(query, Vec::new()), Query::new(extended, Vec::new())]);
        let answers = asked.map_err(|fault| self.failures.told("reading search_path", fault))?;
        let schemas = |at: usize| answers[at].iter().filter_map(|row| row.try_get::<_, String>(0).ok());
        let extended: Vec<String> = schemas(1).collect();
        for schema in schemas(0) {
            let is_own = schema == current || schema == self.names.queue();
            if is_own && !extended.contains(&schema) || self.rest_of_path.contains(&schema) {
                continue;
            }
            if is_own {
                self.guarded.push(schema.clone());
            }
            self.rest_of_path.push(schema);
        }
        Ok(())
    }

    fn set_path(&mut self) -> Result<(), TargetError> {
        let current = self.names.in_database(self.names.current()).map(str::to_owned);
        let schemas: Vec<String> = current.into_iter().chain(self.rest_of_path.clone()).collect();
        self.run(format!("SET LOCAL search_path TO {}", path(&schemas)))
    }

    /// Makes the stand-in of a real schema.
    fn stand_in(&mut self, real: &str) -> Result<(), TargetError> {
        if self.names.in_database(real).is_some() {
            return Ok(());
        }
        let name = format!("{}_{}x", self.prefix, self.count);
        self.count += 1;
        self.run(format!("CREATE SCHEMA {}", quoted(&name)))?;
        self.names.stand_in(&name, real);
        self.known.add(real);
        self.reach = Reach::Everything;
        Ok(())
    }

    /// A schema that is in the database although no migration made it: what migrations make in it is theirs.
    fn stand_in_for_target(&mut self, statement: &str) -> Result<(), TargetError> {
        let Some(schema) = target_schema(statement) else { return Ok(()) };
        let is_system = schema.starts_with("pg_") || schema == "information_schema";
        if is_system || self.names.in_database(&schema).is_some() || self.names.schemas().contains(&schema) {
            return Ok(());
        }
        let query = Query::new("SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1", vec![Param::text(&schema)]);
        let found = self.wire.query(query).map_err(|fault| self.failures.told("reading schemas", fault))?;
        if found.is_empty() { Ok(()) } else { self.stand_in(&schema) }
    }

    /// Runs a statement and remembers it.
    fn run(&mut self, sql: String) -> Result<(), TargetError> {
        let ran = self.wire.batch(sql.clone());
        match ran {
            Ok(()) => {
                self.journal.push(sql);
                Ok(())
            }
            Err(fault) => {
                let error = self.told(&sql, fault);
                self.again()?;
                Err(error)
            }
        }
    }

    /// An error in real names, and a lock of somebody else as what it is.
    fn told(&self, sql: &str, fault: Fault) -> TargetError {
        match self.failures.told(sql, fault) {
            TargetError::Statement { statement, source } => {
                let line = source.downcast_ref::<StatementError>().map_or(0, |error| error.line);
                let message = self.names.text(&source.to_string());
                let source = StatementError { message, line };
                TargetError::Statement { statement: self.names.text(&statement), source: Box::new(source) }
            }
            error => error,
        }
    }

    /// Begins the transaction again and runs what has run.
    pub(super) fn again(&mut self) -> Result<(), TargetError> {
        let again = "doing again what has run";
        self.wire.batch("ROLLBACK").map_err(|fault| self.failures.told(again, fault))?;
        self.begin()?;
        for answer in self.wire.row(self.journal.clone()) {
            answer.map_err(|fault| self.failures.told(again, fault))?;
        }
        self.reach = Reach::Everything;
        Ok(())
    }

    /// A place in the journal to which [`Scratch::back_to`] returns.
    pub(super) fn mark(&self) -> Mark {
        Mark { statements: self.journal.len(), names: self.names.clone() }
    }

    pub(super) fn back_to(&mut self, mark: Mark) -> Result<(), TargetError> {
        self.journal.truncate(mark.statements);
        self.names = mark.names;
        self.again()
    }

    /// What a migration has set ends with it, as it does for a runner.
    pub(super) fn reset_settings(&mut self) -> Result<(), TargetError> {
        if !std::mem::take(&mut self.has_settings) {
            return Ok(());
        }
        self.run(format!("RESET ALL; SET LOCAL lock_timeout = {LOCK_MS}; {SETTINGS}"))?;
        self.set_path()
    }

    /// Checks what a commit would check: what waits for it would forbid to alter its table.
    pub(super) fn check_constraints(&mut self) -> Result<(), TargetError> {
        if !std::mem::take(&mut self.has_row_work) {
            return Ok(());
        }
        let query = Query::new(
            "SELECT string_agg(quote_ident(n.nspname) || '.' || quote_ident(k.conname), ', ')
             FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
             WHERE k.condeferred AND n.nspname = ANY ($1)",
            vec![Param::Texts(Some(self.names.schemas()))],
        );
        let found = self.wire.query(query).map_err(|fault| self.failures.told("reading constraints", fault))?;
        let Some(deferred) = found.first().and_then(|row| row.try_get::<_, Option<String>>(0).ok().flatten()) else {
            return Ok(());
        };
        self.run("SET CONSTRAINTS ALL IMMEDIATE".to_owned())?;
        self.run(format!("SET CONSTRAINTS {deferred} DEFERRED"))
    }

    fn run_form(&mut self, form: Form, statement: &str) -> Result<u64, TargetError> {
        match form {
            Form::Skip => Ok(0),
            Form::Run(sql) if is_row_work(&sql) => self.run_rows(sql, statement),
            Form::Run(sql) => self.run(sql).map(|()| 0),
            Form::RunUnlessThere(sql) => {
                let tag = "$longshore$";
                let sql = format!(
                    "DO {tag} BEGIN EXECUTE '{}'; EXCEPTION WHEN duplicate_object THEN NULL; END {tag}",
                    sql.replace('\'', "''")
                );
                self.run(sql).map(|()| 0)
            }
        }
    }

    /// Work on rows goes on for a limited time; beyond it the statement has no rows.
    fn run_rows(&mut self, sql: String, statement: &str) -> Result<u64, TargetError> {
        self.has_row_work = true;
        let answers = self.wire.row(vec![
            format!("SET LOCAL statement_timeout = {ROW_WORK_MS}"),
            sql.clone(),
            "SET LOCAL statement_timeout = 0".to_owned(),
        ]);
        let Some(fault) = answers.into_iter().find_map(Result::err) else {
            self.journal.push(sql);
            return Ok(0);
        };
        let is_too_much = fault.code() == "57014";
        let error = self.told(&sql, fault);
        self.again()?;
        if !is_too_much {
            return Err(error);
        }
        // A table that is made of a query is there all the same, only empty.
        let words = Dialect::Postgres.words(statement);
        if words.first().is_some_and(|word| word.is("create")) {
            return self.run(format!("{} WITH NO DATA", sql.trim_end_matches(';'))).map(|()| 0);
        }
        Ok(0)
    }

    /// A name that no migration has made must not be found among the real tables.
    fn refuse_real_tables(&mut self, statement: &str) -> Result<(), TargetError> {
        if self.guarded.is_empty() {
            return Ok(());
        }
        let query = Query::new(
            "SELECT n.nspname::text, c.relname::text
             FROM pg_catalog.pg_locks l
             JOIN pg_catalog.pg_class c ON c.oid = l.relation
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND n.nspname = ANY ($1)
                 AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
                 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
             LIMIT 1",
            vec![Param::Texts(Some(self.guarded.clone()))],
        );
        let found = self.wire.query(query).map_err(|fault| self.failures.told(statement, fault))?;
        let Some(row) = found.first() else { return Ok(()) };
        let name: String = row.try_get(1).unwrap_or_default();
        self.journal.pop();
        self.again()?;
        let message = format!("relation \"{name}\" does not exist in what the migrations before it make");
        let statement = Statement::alone(Dialect::Postgres, statement).in_short();
        Err(TargetError::Statement { statement, source: Box::new(StatementError { message, line: 0 }) })
    }

    fn read(&mut self) -> Result<(), TargetError> {
        let reach = std::mem::take(&mut self.reach);
        if reach == Reach::default() {
            return Ok(());
        }
        let bases = self.reader.to_read(&reach);
        let mut asked = vec![super::hide_path()];
        asked.extend(queries(&self.names.schemas(), bases.as_ref()));
        asked.push(super::show_path());
        let answers = self.wire.queries(asked).map_err(|fault| super::unreadable(&self.failures, fault))?;
        self.reader.take(&self.names, bases.as_ref(), &answers[1..answers.len() - 1]);
        Ok(())
    }
}

impl Session for Scratch {
    fn execute(&mut self, statement: &str) -> Result<u64, TargetError> {
        let made = made_schema(statement);
        if let Some(schema) = &made {
            // With its own name it would be the real one.
            let is_there = self.names.in_database(schema).is_some();
            let says_so = Dialect::Postgres.words(statement).get(2).is_some_and(|word| word.is("if"));
            if is_there && !says_so {
                let message = format!("schema \"{schema}\" already exists");
                let statement = Statement::alone(Dialect::Postgres, statement).in_short();
                let source = Box::new(StatementError { message, line: 0 });
                return Err(TargetError::Statement { statement, source });
            }
            self.stand_in(schema)?;
            return Ok(0);
        }
        self.stand_in_for_target(statement)?;
        self.reach.extend(Reach::of(statement));
        self.has_settings |= sets(statement);
        let form = on_scratch(statement, &self.names);
        let done = self.run_form(form, statement)?;
        for schema in dropped_schemas(statement) {
            self.names.remove(&schema);
        }
        self.refuse_real_tables(statement)?;
        Ok(done)
    }

    fn query(&mut self, statement: &str) -> Result<Vec<Vec<Value>>, TargetError> {
        self.reach.extend(Reach::of(statement));
        let Form::Run(sql) = on_scratch(statement, &self.names) else { return Ok(Vec::new()) };
        let asked = values::rows(&self.wire, &sql);
        match asked {
            Ok(rows) => {
                self.journal.push(sql);
                Ok(rows)
            }
            Err(fault) => {
                let error = self.told(&sql, fault);
                self.again()?;
                Err(error)
            }
        }
    }

    fn rebuild(&mut self, _rebuild: &Rebuild) -> Result<u64, TargetError> {
        Err(super::no_rebuild(&self.failures.database))
    }

    fn observe(&mut self) -> Result<Schema, TargetError> {
        self.read()?;
        Ok(self.reader.schema())
    }

    fn changes(&mut self) -> Result<SchemaChanges, TargetError> {
        self.check_constraints()?;
        self.reset_settings()?;
        self.read()?;
        Ok(self.reader.changes())
    }

    fn definitions(&mut self) -> Result<Vec<Definition>, TargetError> {
        self.read()?;
        Ok(self.reader.definitions())
    }

    fn report(&mut self, _progress: &Progress) {}
}

/// A name that nothing else has: two looks may run at once, and each sees only its own.
fn prefix() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    format!("longshore_scratch_{:x}{now:x}", std::process::id())
}
