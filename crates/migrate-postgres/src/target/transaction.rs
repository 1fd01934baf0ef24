//! The one writing transaction of a runner, and the statements that refuse to run in one.

use std::time::Duration;

use longshore_migrate::{
    OutsideCause,
    files::script::Dialect,
    target::{ForeignKeys, TargetError},
};

use super::{PostgresTarget, Retry};
use crate::{
    catalog::quoted,
    wire::{LASTING, Param, Query, Wire},
};

/// The pauses before a transaction that could not get a lock is tried again; the last one repeats.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(3)];
/// How often a transaction begins again because it wrote to what was not counted: each time more is.
const COUNTS_MAX: u32 = 20;

impl PostgresTarget {
    pub(super) fn begin_transaction(&mut self, keys: ForeignKeys) -> Result<(), TargetError> {
        self.refuse_to_write()?;
        self.refuse_without_lock()?;
        if keys != ForeignKeys::AsSet {
            self.reset_settings()?;
        }
        self.retry = None;
        let timeout = self.options.lock_timeout.as_millis().max(1);
        let mut begin = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = {timeout}; \
             SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
        );
        if keys != ForeignKeys::AsSet && !self.search_path.is_empty() {
            begin.push_str(&format!("; SET LOCAL search_path TO {}", self.search_path));
        }
        self.wire.batch(begin.clone()).map_err(|fault| self.told(&begin, fault))?;
        self.is_open = true;
        Ok(())
    }

    pub(super) fn commit_transaction(&mut self) -> Result<(), TargetError> {
        self.refuse_without_lock()?;
        // COMMIT of a transaction that has failed rolls it back without an error.
        let answers = self.wire.row(vec!["SELECT 1".to_owned(), "COMMIT".to_owned()]);
        for answer in answers {
            if let Err(fault) = answer {
                return Err(self.met("COMMIT", fault));
            }
        }
        self.is_open = false;
        self.uncounted.clear();
        Ok(())
    }

    pub(super) fn roll_back_transaction(&mut self) {
        self.watch = None;
        if self.is_open {
            // Should even this fail, the connection is gone, and its transaction with it.
            let _ = self.wire.batch("ROLLBACK");
        }
        self.is_open = false;
    }

    /// Takes back what a migration has set for its connection, its role included.
    pub(super) fn reset_settings(&mut self) -> Result<(), TargetError> {
        if !self.has_settings || self.is_open {
            return Ok(());
        }
        let lasting = if self.options.is_pooled { "" } else { LASTING };
        self.wire.batch(format!("RESET ROLE; RESET ALL; {lasting}")).map_err(|fault| self.told("RESET ALL", fault))?;
        self.has_settings = false;
        Ok(())
    }

    /// Another runner may have begun when the lock's session is gone.
    fn refuse_without_lock(&mut self) -> Result<(), TargetError> {
        let Some(lock) = self.lock.as_ref().and_then(std::sync::Weak::upgrade) else { return Ok(()) };
        if lock.is_alive() {
            return Ok(());
        }
        Err(self.failures.unreachable("the session that held the migration lock has ended".into()))
    }

    pub(super) fn pause_before(&mut self, attempt: u32) -> Option<Duration> {
        match self.retry.take()? {
            Retry::Uncounted => (attempt < COUNTS_MAX).then_some(Duration::ZERO),
            Retry::Locked => {
                let at = usize::try_from(attempt).unwrap_or(usize::MAX).min(PAUSES.len() - 1);
                (attempt + 1 < self.options.lock_attempts).then_some(PAUSES[at])
            }
        }
    }
}

/// Whether a statement sets what outlives its transaction.
pub(super) fn sets(statement: &str) -> bool {
    let words = Dialect::Postgres.words(statement);
    let is_set = words.first().is_some_and(|word| word.is("set") || word.is("reset"));
    is_set || words.iter().any(|word| word.is("set_config"))
}

/// The time limits that the role or the database has.
pub(super) fn settings(wire: &Wire) -> Vec<String> {
    let query = "SELECT name FROM pg_catalog.pg_settings
        WHERE name IN ('lock_timeout', 'statement_timeout') AND setting <> '0'";
    let found = wire.query(Query::new(query, Vec::new())).unwrap_or_default();
    found.iter().filter_map(|row| row.try_get(0).ok()).collect()
}

/// `CREATE INDEX CONCURRENTLY name ON table`.
struct Built {
    name: String,
    schema: Option<String>,
    table: String,
}

impl Built {
    fn by(statement: &str) -> Option<Self> {
        let words = Dialect::Postgres.words(statement);
        let is = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is(word));
        let at = words.iter().position(|word| word.is("concurrently"))?;
        if !is(0, "create") || is(at + 1, "on") {
            return None;
        }
        let name_at = if is(at + 1, "if") { at + 4 } else { at + 1 };
        let table_at = if is(name_at + 2, "only") { name_at + 3 } else { name_at + 2 };
        let name = |at: usize| words.get(at).map(|word| Dialect::Postgres.name(word));
        let is_qualified = words.get(table_at + 1).is_some_and(|word| word.text == ".");
        let (schema, table) =
            if is_qualified { (name(table_at), name(table_at + 2)?) } else { (None, name(table_at)?) };
        Some(Self { name: name(name_at)?, schema, table })
    }

    /// Its schema, whether it is valid, and whether somebody is building it.
    fn look(&self, target: &PostgresTarget) -> Result<Option<(String, bool, bool)>, TargetError> {
        let query = Query::new(
            "SELECT n.nspname::text, i.indisvalid AND i.indisready,
                 EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = c.oid)
             FROM pg_catalog.pg_class c
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
             JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
             WHERE c.relname = $1 AND t.relname = $2
                 AND CASE WHEN $3::text IS NULL THEN pg_catalog.pg_table_is_visible(t.oid) ELSE n.nspname = $3 END",
            vec![Param::text(&self.name), Param::text(&self.table), Param::Text(self.schema.clone())],
        );
        let found = target.ask("looking for the index", query)?;
        let Some(row) = found.first() else { return Ok(None) };
        let truth = |at: usize| row.try_get::<_, bool>(at).unwrap_or_default();
        Ok(Some((row.try_get(0).unwrap_or_default(), truth(1), truth(2))))
    }
}

/// An index whose build was broken off is there and INVALID: it costs every write and serves no query, and the next
/// build would find its name taken. So it goes first.
pub(super) fn clear_the_way(target: &mut PostgresTarget, statement: &str) -> Result<(), TargetError> {
    let Some(built) = Built::by(statement) else { return Ok(()) };
    match built.look(target)? {
        Some((_, false, true)) => {
            let database = target.failures.database.clone();
            Err(OutsideCause::Busy { database, waited: Duration::ZERO }.into())
        }
        Some((schema, false, false)) => {
            let name = format!("{}.{}", quoted(&schema), quoted(&built.name));
            target.run(&format!("DROP INDEX CONCURRENTLY IF EXISTS {name}")).map(|_| ())
        }
        _ => Ok(()),
    }
}

/// Whether an index that could not be built is there and whole: its build ended, but its runner did not hear of it. One
/// that somebody else has made is refused before anything runs.
pub(super) fn is_there(target: &PostgresTarget, statement: &str) -> Result<bool, TargetError> {
    let Some(built) = Built::by(statement) else { return Ok(false) };
    Ok(built.look(target)?.is_some_and(|(_, is_valid, _)| is_valid))
}
