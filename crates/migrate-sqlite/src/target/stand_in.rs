//! Stand-ins for the application's own functions and collations, which a runner does not have.
//!
//! `ALTER TABLE … RENAME` reads every object of the schema again, so an index with a collation of the application, on a
//! table that has nothing to do with it, would stop it. A stand-in lets it be read and never lets it work: the function
//! gives an error, and what a collation has compared is not committed.

use std::{
    cell::RefCell,
    cmp::Ordering,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering as Memory},
    },
};

use longshore_migrate::{
    files::script::{Dialect, Statement},
    target::TargetError,
};
use rusqlite::{Connection, Error, functions::FunctionFlags};

/// More of them than this are not the application's habit, but an endless loop.
const STAND_INS_MAX: usize = 256;

/// Those of one connection, until the transaction ends.
#[derive(Debug, Default)]
pub(super) struct StandIns {
    functions: RefCell<Vec<String>>,
    collations: RefCell<Vec<String>>,
    has_compared: Arc<AtomicBool>,
}

impl StandIns {
    /// Runs one statement, with stand-ins for what the schema names and the statement itself does not.
    pub(super) fn run(
        &self,
        connection: &Connection,
        statement: &str,
        run: &dyn Fn() -> rusqlite::Result<u64>,
    ) -> rusqlite::Result<u64> {
        loop {
            let error = match run() {
                Ok(changed) => return Ok(changed),
                Err(error) => error,
            };
            // What runs outside a transaction cannot be undone.
            if connection.is_autocommit() || !self.stand_in(connection, statement, &error)? {
                return Err(error);
            }
        }
    }

    /// An error where a stand-in has decided an order.
    pub(super) fn refuse_comparison(&self, database: &str) -> Result<(), TargetError> {
        if !self.has_compared.load(Memory::Relaxed) {
            return Ok(());
        }
        let what = "a collation that the application registers, by which rows had to be ordered; let the application \
                    run this migration";
        Err(TargetError::Unsupported { database: database.to_owned(), what })
    }

    /// Takes them away, so that nobody mistakes one for the application's.
    pub(super) fn remove(&self, connection: &Connection) {
        // One that stays can do no more than it could before.
        for name in self.functions.borrow_mut().drain(..) {
            let _ = connection.remove_function(name.as_str(), -1);
        }
        for name in self.collations.borrow_mut().drain(..) {
            let _ = connection.remove_collation(name.as_str());
        }
        self.has_compared.store(false, Memory::Relaxed);
    }

    fn stand_in(&self, connection: &Connection, statement: &str, error: &Error) -> rusqlite::Result<bool> {
        let message = message(error);
        let missing = |what: &str| {
            let name = message.split(what).nth(1)?.split([',', ';']).next()?.trim().trim_end_matches("()").to_owned();
            let words = Statement::alone(Dialect::Sqlite, statement);
            let is_own = words.words().iter().any(|word| word.name().eq_ignore_ascii_case(&name));
            (!name.is_empty() && !is_own).then_some(name)
        };
        if self.functions.borrow().len() + self.collations.borrow().len() >= STAND_INS_MAX {
            return Ok(false);
        }
        if let Some(name) = missing("no such collation sequence: ") {
            return self.add(&self.collations, name, |name| {
                let has_compared = Arc::clone(&self.has_compared);
                connection.create_collation(name, move |a: &str, b: &str| -> Ordering {
                    has_compared.store(true, Memory::Relaxed);
                    a.cmp(b)
                })
            });
        }
        if let Some(name) = missing("no such function: ").or_else(|| missing("unknown function: ")) {
            return self.add(&self.functions, name, |name| {
                let flags =
                    FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
                let words = format!("{name} is a function of the application, which is not available here");
                connection.create_scalar_function(name, -1, flags, move |_| -> rusqlite::Result<i64> {
                    Err(Error::UserFunctionError(words.clone().into()))
                })
            });
        }
        Ok(false)
    }

    fn add(
        &self,
        names: &RefCell<Vec<String>>,
        name: String,
        register: impl FnOnce(&str) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<bool> {
        if names.borrow().contains(&name) {
            return Ok(false);
        }
        register(&name)?;
        names.borrow_mut().push(name);
        Ok(true)
    }
}

/// What SQLite said, without the statement.
pub(super) fn message(error: &Error) -> String {
    match error {
        Error::SqlInputError { msg, .. } => msg.clone(),
        Error::SqliteFailure(_, Some(message)) => message.clone(),
        error => error.to_string(),
    }
}
