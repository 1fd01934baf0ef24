//! The one writing transaction of a runner, with foreign keys as it wants them.

use std::{collections::BTreeSet, fmt};

use longshore_migrate::target::{ForeignKeys, TargetError};
use rusqlite::Connection;

use super::{Scope, SqliteTarget};

/// What is put back when the transaction ends.
pub(super) struct Open {
    had_keys: bool,
    keys: ForeignKeys,
    /// Rows that referred to nothing already; `None` where SQLite could not tell, then the commit does not ask.
    orphans: Option<BTreeSet<Orphan>>,
}

/// The statements that bound a transaction.
struct Words {
    begin: &'static str,
    commit: &'static str,
    roll_back: &'static [&'static str],
}

/// A row that refers to a row that is not there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Orphan {
    table: String,
    rowid: Option<i64>,
    parent: String,
    key: i64,
}

impl fmt::Display for Orphan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, rowid, parent, key } = self;
        write!(f, "{table} → {parent} (row {}, key {key})", rowid.unwrap_or_default())
    }
}

impl SqliteTarget<'_> {
    // The pragma does nothing inside a transaction, so it is before BEGIN.
    pub(super) fn begin_transaction(&mut self, keys: ForeignKeys) -> Result<(), TargetError> {
        let had_keys = self.keys_act();
        if keys != ForeignKeys::AsSet {
            self.set_keys(keys == ForeignKeys::Enforced)?;
        }
        if let Err(error) = self.run(self.words().begin) {
            self.set_keys(had_keys)?;
            return Err(error);
        }
        let orphans = (keys == ForeignKeys::Suspended).then(|| orphans(self.connection()).ok()).flatten();
        self.open = Some(Open { had_keys, keys, orphans });
        // A caller that got an error has no transaction to roll back.
        self.distrust_others().inspect_err(|_| self.roll_back_transaction())
    }

    pub(super) fn commit_transaction(&mut self) -> Result<(), TargetError> {
        if let Some(Open { keys: ForeignKeys::Suspended, orphans: Some(before), .. }) = &self.open {
            let now = orphans(self.connection()).map_err(|error| self.failed("PRAGMA foreign_key_check", error))?;
            let new: Vec<&Orphan> = now.difference(before).collect();
            if let Some(first) = new.first() {
                let first = format!("{} → {}", first.table, first.parent);
                return Err(TargetError::ForeignKeys { violations: new.len(), first });
            }
        }
        self.stand_ins.refuse_comparison(&self.name)?;
        let version = self.schema_version()?;
        self.run(self.words().commit)?;
        self.read_at = Some(version);
        self.end_transaction();
        Ok(())
    }

    pub(super) fn roll_back_transaction(&mut self) {
        _ = self.stop_watching();
        self.read_at = None;
        if !self.connection().is_autocommit() {
            // Should even this fail, closing the connection rolls back.
            for statement in self.words().roll_back {
                let _ = self.run(statement);
            }
        }
        self.end_transaction();
    }

    fn words(&self) -> Words {
        match self.scope {
            Scope::Transaction => Words { begin: "BEGIN IMMEDIATE", commit: "COMMIT", roll_back: &["ROLLBACK"] },
            Scope::Savepoint => Words {
                begin: "SAVEPOINT migration",
                commit: "RELEASE migration",
                roll_back: &["ROLLBACK TO migration", "RELEASE migration"],
            },
        }
    }

    fn end_transaction(&mut self) {
        self.stand_ins.remove(self.connection());
        if let Some(open) = self.open.take() {
            // A pragma that sets a flag has nothing to fail on; the next `begin` sets it anyhow.
            let _ = self.set_keys(open.had_keys);
        }
    }

    pub(super) fn keys_act(&self) -> bool {
        self.connection().pragma_query_value(None, "foreign_keys", |row| row.get(0)).unwrap_or(true)
    }

    pub(super) fn set_keys(&self, act: bool) -> Result<(), TargetError> {
        let set = self.connection().pragma_update(None, "foreign_keys", act);
        set.map_err(|error| self.failed("PRAGMA foreign_keys", error))
    }
}

pub(super) fn orphans(connection: &Connection) -> rusqlite::Result<BTreeSet<Orphan>> {
    let mut prepared = connection.prepare("PRAGMA foreign_key_check")?;
    let found = prepared.query_map([], |row| {
        Ok(Orphan { table: row.get(0)?, rowid: row.get(1)?, parent: row.get(2)?, key: row.get(3)? })
    })?;
    found.collect()
}
