//! Compares what there is with what there was.

use longshore_migrate::{
    DataLoss, Loss, LossKind,
    schema::{ObjectKind, ObjectName},
};
use rusqlite::Connection;

use super::{
    Watch,
    count::{self, Counts, Values},
};

/// An index or a trigger of a table or a view that is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    kind: ObjectKind,
    name: String,
    /// Under the name that it had before.
    owner: String,
    /// What an index orders by; an expression has no name.
    columns: Vec<Option<String>>,
}

/// Where a table of before is now.
struct Place {
    table: String,
    /// It is another table in its place, so that what was copied is all that it holds.
    is_replaced: bool,
    /// It takes its place only later in the script.
    is_stand_in: bool,
}

/// The indexes and triggers of a table or a view, which was called `then` before; those that a constraint makes belong
/// to its shape.
pub(super) fn parts(connection: &Connection, owner: &str, then: &str) -> rusqlite::Result<Vec<Part>> {
    let query = "SELECT type, lower(name) FROM sqlite_schema
        WHERE tbl_name = ?1 COLLATE NOCASE AND type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY name";
    let mut prepared = connection.prepare_cached(query)?;
    let found = prepared.query_map([owner], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut parts = Vec::new();
    for row in found {
        let (kind, name) = row?;
        let kind = if kind == "index" { ObjectKind::Index } else { ObjectKind::Trigger };
        let columns = index_columns(connection, &name)?;
        parts.push(Part { kind, name, owner: then.to_owned(), columns });
    }
    Ok(parts)
}

fn index_columns(connection: &Connection, index: &str) -> rusqlite::Result<Vec<Option<String>>> {
    let query = "SELECT lower(name) FROM pragma_index_xinfo(?1) WHERE key = 1 ORDER BY seqno";
    let mut prepared = connection.prepare_cached(query)?;
    let found = prepared.query_map([index], |row| row.get(0))?;
    found.collect()
}

impl Watch {
    /// Everything that there is less of; counters of replaced tables are set again first, where that was asked for.
    pub(in crate::target) fn compare(&self, connection: &Connection) -> rusqlite::Result<Vec<Loss>> {
        let mut losses = self.counters_lost(connection)?;
        if self.check.data_loss == DataLoss::Allow {
            return Ok(Vec::new());
        }
        for (then, counts) in &self.counts {
            losses.extend(self.table_losses(connection, then, counts)?);
        }
        for part in &self.parts {
            losses.extend(self.part_loss(connection, part)?);
        }
        losses.dedup();
        Ok(losses)
    }

    fn place(&self, connection: &Connection, then: &str) -> rusqlite::Result<Option<Place>> {
        if let Some((now, _)) = self.names.iter().find(|(_, name)| *name == then) {
            return Ok(Some(Place { table: now.clone(), is_replaced: false, is_stand_in: false }));
        }
        // Another table of before may have taken the name, which is not this one.
        if !self.names.contains_key(then) && count::stored(connection, then)?.is_some() {
            let is_replaced = self.made.contains(then);
            return Ok(Some(Place { table: then.to_owned(), is_replaced, is_stand_in: false }));
        }
        let Some(stand_in) = self.check.moves.stand_in(then) else {
            return Ok(None);
        };
        let is_there = count::stored(connection, stand_in)?.is_some();
        let place = Place { table: stand_in.to_owned(), is_replaced: true, is_stand_in: true };
        Ok(is_there.then_some(place))
    }

    fn table_losses(&self, connection: &Connection, then: &str, counts: &Counts) -> rusqlite::Result<Vec<Loss>> {
        let before = counts.rows.unwrap_or_default();
        if before == 0 {
            return Ok(Vec::new());
        }
        let Some(place) = self.place(connection, then)? else {
            return Ok(vec![Loss::rows(then, before, 0)]);
        };
        let after = count::rows(connection, &place.table)?;
        if after < before {
            return Ok(vec![Loss::rows(then, before, after)]);
        }
        self.value_losses(connection, then, counts, &place)
    }

    fn value_losses(
        &self,
        connection: &Connection,
        then: &str,
        counts: &Counts,
        place: &Place,
    ) -> rusqlite::Result<Vec<Loss>> {
        let now = count::again(connection, &place.table, &counts.columns)?;
        let mut losses = Vec::new();
        for (column, before) in &counts.columns {
            let gone = match now.get(column) {
                Some(after) => {
                    // Rows that were replaced where they stood have only what the statement wrote.
                    let is_refilled = counts.is_whole && self.moves.fills(&place.table);
                    let is_left_out = place.is_replaced || is_refilled;
                    values_gone(before, after, is_left_out && !self.moves.writes(&place.table, column))
                }
                None => self.column_gone(connection, column, before, counts, place)?,
            };
            if gone > 0 {
                let total = before.not_null.max(gone);
                losses.push(Loss::values(then, &before.name, total, total - gone));
            }
        }
        Ok(losses)
    }

    /// A copy may have carried the values into a column of another name, which then holds as many.
    fn column_gone(
        &self,
        connection: &Connection,
        column: &str,
        before: &Values,
        counts: &Counts,
        place: &Place,
    ) -> rusqlite::Result<u64> {
        if place.is_replaced && self.moves.carries(&place.table, column) {
            let others = count::others(connection, &place.table, &counts.columns)?;
            if others.iter().any(|values| *values >= before.not_null) {
                return Ok(0);
            }
        }
        Ok(before.not_null)
    }

    fn counters_lost(&self, connection: &Connection) -> rusqlite::Result<Vec<Loss>> {
        let mut losses = Vec::new();
        let now = count::counters(connection)?;
        for (then, before) in self.counters.iter().filter(|(_, before)| **before > 0) {
            let Some(place) = self.place(connection, then)? else { continue };
            let after = now.get(&place.table).copied().unwrap_or(0).max(0);
            if after >= *before || !count::is_autoincrement(connection, &place.table)? {
                continue;
            }
            if self.check.keep_counters {
                set_counter(connection, &place.table, *before)?;
                continue;
            }
            // The script may still set it before the table takes its place.
            if !(place.is_stand_in && self.moves.sets_counters()) {
                let [before, after] = [*before, after].map(|stand| u64::try_from(stand).unwrap_or_default());
                losses.push(Loss { object: ObjectName::table(then), kind: LossKind::Counter, before, after });
            }
        }
        Ok(losses)
    }

    fn part_loss(&self, connection: &Connection, part: &Part) -> rusqlite::Result<Option<Loss>> {
        let is_index = part.kind == ObjectKind::Index;
        let is_asked = self.moves.drops(&part.name)
            || self.moves.makes(&part.name)
            || is_index && self.moves.indexes(&part.owner, &part.columns);
        if is_asked || is_there(connection, part.kind, &part.name)? {
            return Ok(None);
        }
        let then = &part.owner;
        if !self.is_owner_left(connection, part, then)? {
            return Ok(None);
        }
        let object = ObjectName::on(part.kind, then, &part.name);
        let is_view = self.place(connection, then)?.is_none();
        // Without rows the table is as the migrations want it; what they did not make is not theirs to drop.
        let had_rows = self.counts.get(then).and_then(|counts| counts.rows).unwrap_or_default() > 0;
        let is_missed = is_view || had_rows || !self.check.known.contains(&object);
        Ok(is_missed.then_some(Loss { object, kind: LossKind::Definition, before: 1, after: 0 }))
    }

    /// Whether the table or view is there again, and for an index the columns, with no other index over them.
    fn is_owner_left(&self, connection: &Connection, part: &Part, then: &str) -> rusqlite::Result<bool> {
        let Some(place) = self.place(connection, then)? else {
            let view = "SELECT 1 FROM sqlite_schema WHERE type = 'view' AND name = ?1 COLLATE NOCASE";
            // Or a later statement of the script makes it.
            return Ok(self.check.moves.makes(then) || connection.prepare_cached(view)?.exists([then])?);
        };
        if part.kind == ObjectKind::Trigger {
            return Ok(true);
        }
        let left = count::column_names(connection, &place.table)?;
        if part.columns.iter().flatten().any(|column| !left.contains(column)) {
            return Ok(false);
        }
        let mut prepared = connection.prepare_cached("SELECT name FROM pragma_index_list(?1)")?;
        let indexes: Vec<String> =
            prepared.query_map([&place.table], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        for index in indexes {
            if !part.columns.contains(&None) && index_columns(connection, &index)? == part.columns {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// An empty text that becomes NULL is no loss, and neither is a value that a statement sets to the default.
fn values_gone(before: &Values, after: &Values, is_left_out: bool) -> u64 {
    let to_null = before.not_null.saturating_sub(after.not_null);
    let to_nothing = to_null.min(before.not_empty.saturating_sub(after.not_empty));
    if is_left_out || before.is_reset_by_key {
        return to_nothing.max(before.set.saturating_sub(after.set));
    }
    to_nothing
}

fn is_there(connection: &Connection, kind: ObjectKind, name: &str) -> rusqlite::Result<bool> {
    let query = "SELECT 1 FROM sqlite_schema WHERE type = ?1 AND name = ?2 COLLATE NOCASE";
    connection.prepare_cached(query)?.exists([kind.word(), name])
}

fn set_counter(connection: &Connection, table: &str, stand: i64) -> rusqlite::Result<()> {
    let update = "UPDATE sqlite_sequence SET seq = ?2 WHERE name = ?1 COLLATE NOCASE";
    if connection.prepare(update)?.execute((table, stand))? == 0 {
        let insert = "INSERT INTO sqlite_sequence (name, seq)
            SELECT name, ?2 FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
        connection.prepare(insert)?.execute((table, stand))?;
    }
    Ok(())
}
