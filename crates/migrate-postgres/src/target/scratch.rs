//! A place on the same server on which migrations are tried: scratch schemas in one transaction that is never committed.
//!
//! Nothing of it can outlive its connection, however the process ends, nobody else sees it, and it needs no right but
//! CREATE on the database. A database of its own would need CREATEDB, would take a copy of files for each look, and
//! would stay behind after a kill. There are no savepoints: a transaction with many of them slows down every reader of
//! the server. So after an error the transaction begins again with the statements that have run ([`Scratch::again`]).

mod enums;
mod place;
mod running;
mod session;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use longshore_migrate::target::{StatementError, TargetError};

use enums::{UNSAFE_VALUE, with_values_at_first};

use crate::{
    catalog::{CatalogReader, Names, Reach},
    failure::Failures,
    options::PostgresTargetOptions,
    wire::{Fault, Wire},
};

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
    /// How much of it a runner would have committed, apart from what `commits_each` says.
    committed: usize,
    /// Whether a runner would commit after each statement.
    commits_each: bool,
    /// How much of it runs with the values of enums at first, see [`enums`].
    values_at_first: usize,
    has_row_work: bool,
    /// Whether a statement has spoken of constraints that wait for the commit.
    may_defer: bool,
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
            committed: 0,
            commits_each: true,
            values_at_first: 0,
            has_row_work: false,
            may_defer: false,
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

    /// Runs a statement and remembers it.
    fn run(&mut self, sql: String) -> Result<(), TargetError> {
        let ran = self.wire.batch(sql.clone());
        match ran {
            Ok(()) => {
                self.journal.push(sql);
                Ok(())
            }
            Err(fault) if self.makes_values_usable(&fault) => self.run(sql),
            Err(fault) => {
                let error = self.told(&sql, fault);
                self.again()?;
                Err(error)
            }
        }
    }

    /// Begins the transaction again so that a value of an enum can be used, if that is what the statement lacks and a
    /// runner would have committed it by then. Whether it is worth trying once more.
    fn makes_values_usable(&mut self, fault: &Fault) -> bool {
        let until = if self.commits_each { self.journal.len() } else { self.committed.min(self.journal.len()) };
        if fault.code() != UNSAFE_VALUE || self.values_at_first >= until {
            return false;
        }
        let before = std::mem::replace(&mut self.values_at_first, until);
        let is_again = self.again().is_ok();
        if !is_again {
            self.values_at_first = before;
        }
        is_again
    }

    /// A runner would commit here.
    pub(super) fn would_commit(&mut self) {
        self.committed = self.journal.len();
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
        self.values_at_first = self.values_at_first.min(self.journal.len());
        let (first, rest) = self.journal.split_at(self.values_at_first);
        let mut statements = with_values_at_first(first);
        statements.extend_from_slice(rest);
        for answer in self.wire.row(statements) {
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
}

/// A name that nothing else has: two looks may run at once, and each sees only its own.
fn prefix() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    format!("longshore_scratch_{:x}{now:x}", std::process::id())
}
