//! Counts what a migration's transaction can lose, before and after.
//!
//! SQLite's authorizer names every table and column that a statement can write, those behind triggers and foreign keys
//! too, while the statement is compiled. So each is counted just before the first statement that could change it, and
//! nothing else is counted at all. Begin reading at [`Watch::run`].

mod compare;
mod count;
mod reached;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use longshore_migrate::{DataLoss, LossCheck, Move, Moves, schema::ObjectName};
use rusqlite::{Connection, hooks::AuthContext};

use super::authorizer::Confinement;
use crate::catalog::Ledgers;
use count::Counts;
use reached::Reached;

/// What is known of one transaction. Tables are keyed by the name that they had when it began, in lower case.
pub(super) struct Watch {
    check: LossCheck,
    /// Filled while a statement is compiled; `None` on a connection whose hooks are its owner's.
    reached: Option<Arc<Mutex<Reached>>>,
    moves: Moves,
    counts: BTreeMap<String, Counts>,
    /// The name that each table has now, where it is not the one that it had: `(now, then)`.
    names: BTreeMap<String, String>,
    /// Tables that this transaction made, by the name they have now.
    made: BTreeSet<String>,
    counters: BTreeMap<String, i64>,
    /// Indexes and triggers of tables and views that were dropped.
    parts: Vec<compare::Part>,
}

/// The columns that one UPDATE sets to NULL, with what they hold before it.
struct Asked {
    table: String,
    then: String,
    columns: BTreeMap<String, count::Values>,
}

impl Watch {
    /// Begins on a connection of the runner's own.
    pub(super) fn on(
        connection: &mut Connection,
        confinement: Confinement,
        check: LossCheck,
    ) -> rusqlite::Result<Self> {
        let reached = Arc::new(Mutex::new(Reached::default()));
        let noted = Arc::clone(&reached);
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            if let Ok(mut reached) = noted.lock() {
                reached.note(&context);
            }
            confinement.judge(&context.action)
        }))?;
        Self::new(connection, check, Some(reached))
    }

    /// Begins on a connection that somebody else owns. Without its hooks nobody can tell what a statement reaches, so
    /// every table is counted at once.
    pub(super) fn on_shared(connection: &Connection, check: LossCheck) -> rusqlite::Result<Self> {
        let mut watch = Self::new(connection, check, None)?;
        if watch.counts_anything() {
            let all =
                "SELECT lower(name) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
            let mut prepared = connection.prepare(all)?;
            let tables: Vec<String> = prepared.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            for table in tables.iter().filter(|table| !Ledgers::Apart.have(table)) {
                watch.count(connection, table, &reached::Write::whole())?;
                watch.keep_parts(connection, table)?;
            }
        }
        Ok(watch)
    }

    fn new(connection: &Connection, check: LossCheck, reached: Option<Arc<Mutex<Reached>>>) -> rusqlite::Result<Self> {
        let counters = if check.data_loss == DataLoss::Refuse || check.keep_counters {
            count::counters(connection)?
        } else {
            BTreeMap::new()
        };
        Ok(Self {
            moves: check.moves.clone(),
            made: check.made.clone(),
            check,
            reached,
            counts: BTreeMap::new(),
            names: BTreeMap::new(),
            counters,
            parts: Vec::new(),
        })
    }

    fn counts_anything(&self) -> bool {
        self.check.data_loss == DataLoss::Refuse
    }

    /// Compiles one statement, counts what it can write and nothing has written before, and then runs it with `run`.
    pub(super) fn run<T>(
        &mut self,
        connection: &Connection,
        statement: &str,
        run: impl FnOnce(&mut rusqlite::Statement<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.forget_reached();
        let mut prepared = connection.prepare(statement)?;
        let reached = self.take_reached();
        let movement = Moves::movement(statement);
        if prepared.is_explain() == 0 {
            self.prepare(connection, &reached, movement.as_ref(), statement)?;
        }
        let asked = self.asked_for(connection, statement)?;
        let result = run(&mut prepared)?;
        drop(prepared);
        if let Some(asked) = asked {
            self.no_loss(connection, &asked)?;
        }
        self.moves.note(statement);
        self.follow(movement);
        Ok(result)
    }

    /// What the columns hold that an UPDATE of the script itself sets to NULL.
    fn asked_for(&self, connection: &Connection, statement: &str) -> rusqlite::Result<Option<Asked>> {
        let Some((table, nulled)) = Moves::nulled(statement).filter(|_| self.counts_anything()) else {
            return Ok(None);
        };
        let Some(then) = self.then(&table) else { return Ok(None) };
        let counted = self.counts.get(&then).into_iter().flat_map(|counts| &counts.columns);
        let columns = counted.filter(|(name, _)| nulled.contains(*name));
        let columns = columns.map(|(name, values)| (name.clone(), values.clone())).collect();
        let columns = count::again(connection, &table, &columns)?;
        Ok((!columns.is_empty()).then_some(Asked { table, then, columns }))
    }

    /// The values that such an UPDATE took are not counted as there before. Those that went on its way, in triggers and
    /// through keys, are.
    fn no_loss(&mut self, connection: &Connection, asked: &Asked) -> rusqlite::Result<()> {
        let now = count::again(connection, &asked.table, &asked.columns)?;
        let Some(counts) = self.counts.get_mut(&asked.then) else { return Ok(()) };
        for (name, after) in &now {
            if let (Some(values), Some(before)) = (counts.columns.get_mut(name), asked.columns.get(name)) {
                values.take_away(before, after);
            }
        }
        Ok(())
    }

    fn forget_reached(&self) {
        _ = self.take_reached();
    }

    fn take_reached(&self) -> Reached {
        let reached =
            self.reached.as_ref().and_then(|reached| reached.lock().ok().map(|mut it| std::mem::take(&mut *it)));
        reached.unwrap_or_default()
    }

    fn prepare(
        &mut self,
        connection: &Connection,
        reached: &Reached,
        movement: Option<&Move>,
        statement: &str,
    ) -> rusqlite::Result<()> {
        if let Some(Move::Makes(name)) = movement
            && count::stored(connection, name)?.is_none()
        {
            self.made.insert(name.clone());
        }
        if !self.counts_anything() {
            return Ok(());
        }
        let replaces = reached::replaces(statement);
        for (table, write) in &reached.writes {
            let Some(then) = self.then(table).filter(|_| !Ledgers::Apart.have(table)) else { continue };
            let is_replacing = replaces || write.inserts && count::replaces_on_conflict(connection, table)?;
            let write = if is_replacing { reached::Write::whole() } else { write.clone() };
            self.count_as(connection, table, &then, &write)?;
        }
        match movement {
            Some(Move::DropsColumn { table, column }) => {
                if let Some(then) = self.then(table) {
                    self.count_as(connection, table, &then, &reached::Write::of_column(column))?;
                }
            }
            Some(Move::DropsTable(table)) if self.then(table).is_some() => self.keep_parts(connection, table)?,
            Some(Move::DropsView(view)) => self.keep_parts(connection, view)?,
            _ => {}
        }
        Ok(())
    }

    /// The name under which a table of before is known; `None` for one that this transaction made.
    fn then(&self, now: &str) -> Option<String> {
        if let Some(then) = self.names.get(now) {
            return Some(then.clone());
        }
        (!self.made.contains(now)).then(|| now.to_owned())
    }

    fn count(&mut self, connection: &Connection, table: &str, write: &reached::Write) -> rusqlite::Result<()> {
        self.count_as(connection, table, table, write)
    }

    fn count_as(
        &mut self,
        connection: &Connection,
        now: &str,
        then: &str,
        write: &reached::Write,
    ) -> rusqlite::Result<()> {
        let object = ObjectName::table(then);
        let is_intended = self.check.intended.iter().any(|one| one.covers(&object));
        if is_intended || !self.counts.contains_key(then) && !count::is_counted(connection, now)? {
            return Ok(());
        }
        let counts = self.counts.entry(then.to_owned()).or_default();
        counts.add(connection, now, write)
    }

    fn keep_parts(&mut self, connection: &Connection, owner: &str) -> rusqlite::Result<()> {
        let then = self.then(owner).unwrap_or_else(|| owner.to_owned());
        self.parts.extend(compare::parts(connection, owner, &then)?);
        Ok(())
    }

    /// Follows tables to their new names.
    fn follow(&mut self, movement: Option<Move>) {
        match movement {
            Some(Move::RenamesTable { from, to }) => {
                if self.made.remove(&from) {
                    self.made.insert(to);
                    return;
                }
                let then = self.names.remove(&from).unwrap_or(from);
                self.names.insert(to, then);
            }
            Some(Move::DropsTable(table)) => {
                self.made.remove(&table);
                self.names.remove(&table);
            }
            Some(Move::RenamesColumn { table, from, to }) => {
                if let Some(counts) = self.then(&table).and_then(|then| self.counts.get_mut(&then)) {
                    counts.rename(&from, &to);
                }
            }
            _ => {}
        }
    }
}
