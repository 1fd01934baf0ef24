//! What data a migration would lose, told before it runs.

use std::{collections::BTreeSet, fmt};

use serde::Serialize;

use crate::{
    migration::{Direction, Migration},
    schema::{Footprint, ObjectKind, ObjectName, Schema},
    script::{Bounds, Script, Statement},
    target::{Target, TargetError},
};

/// Whether data may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DataLoss {
    /// Refuse before anything runs.
    #[default]
    Refuse,
    /// The explicit word was given.
    Allow,
}

/// Rows of a table, or values of a column, that would be gone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Loss {
    /// The table or the column.
    pub object: ObjectName,
    /// How many rows or values it has now.
    pub count: u64,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.object.kind == ObjectKind::Column { "value" } else { "row" };
        let plural = if self.count == 1 { "" } else { "s" };
        write!(f, "{} ({} {noun}{plural})", self.object, self.count)
    }
}

/// What one direction of a migration would lose on this database.
///
/// `footprint` is that of the up. `expected` is the schema as the ledger has it: columns beyond it do not survive a
/// table rebuild that does not know them.
pub(crate) fn losses(
    target: &mut dyn Target,
    migration: &Migration,
    direction: Direction,
    footprint: &Footprint,
    expected: &Schema,
) -> Result<Vec<Loss>, TargetError> {
    let observed = target.observe()?;
    let mut candidates: BTreeSet<ObjectName> = match direction {
        Direction::Up => footprint.drops.clone(),
        Direction::Down => footprint.adds.keys().cloned().collect(),
    };
    if let Some(script) = migration.script(direction) {
        candidates.extend(emptied_tables(script).into_iter().map(ObjectName::table));
    }
    if migration.bounds(direction) == Bounds::Rebuild {
        candidates.extend(unknown_columns(footprint, expected, &observed));
    }
    let mut found = Vec::new();
    for object in candidates.into_iter().filter(|object| observed.contains(object)) {
        let column = (object.kind == ObjectKind::Column).then_some(object.name.as_str());
        if column.is_none() && object.kind != ObjectKind::Table {
            continue;
        }
        let count = target.count(object.owner(), column)?;
        if count > 0 {
            found.push(Loss { object, count });
        }
    }
    let tables: BTreeSet<String> =
        found.iter().filter(|loss| loss.object.table.is_none()).map(|loss| loss.object.name.clone()).collect();
    found.retain(|loss| loss.object.table.is_none() || !tables.contains(loss.object.owner()));
    Ok(found)
}

fn unknown_columns(footprint: &Footprint, expected: &Schema, observed: &Schema) -> Vec<ObjectName> {
    let touched: BTreeSet<&str> = footprint.objects().into_iter().map(ObjectName::owner).collect();
    observed
        .objects()
        .map(|(name, _)| name)
        .filter(|name| name.kind == ObjectKind::Column && touched.contains(name.owner()) && !expected.contains(name))
        .filter(|name| expected.contains(&ObjectName::table(name.owner())) && !footprint.adds.contains_key(*name))
        .cloned()
        .collect()
}

/// Tables that a script drops for good or empties, by its words. A table that is dropped so that another can take its
/// name was copied before; a table that the script made itself held nothing.
pub(crate) fn emptied_tables(script: &Script) -> Vec<String> {
    let verbs: Vec<Verb> = script.statements().iter().filter_map(verb).collect();
    let is_replaced = |table: &str| verbs.iter().any(|verb| matches!(verb, Verb::RenamesTo(name) if name == table));
    let is_made = |table: &str| verbs.iter().any(|verb| matches!(verb, Verb::Creates(name) if name == table));
    let mut found = Vec::new();
    for verb in &verbs {
        match verb {
            Verb::Drops(table) if !is_replaced(table) && !is_made(table) => {
                found.push(table.clone());
            }
            // A dropped table that the same script makes again under its name is emptied all the same.
            Verb::Drops(table) if is_made(table) && dropped_before_made(&verbs, table) => {
                found.push(table.clone());
            }
            Verb::Empties(table) if !is_made(table) => found.push(table.clone()),
            _ => {}
        }
    }
    found
}

enum Verb {
    Creates(String),
    Drops(String),
    Empties(String),
    RenamesTo(String),
}

fn dropped_before_made(verbs: &[Verb], table: &str) -> bool {
    let dropped = verbs.iter().position(|verb| matches!(verb, Verb::Drops(name) if name == table));
    let made = verbs.iter().position(|verb| matches!(verb, Verb::Creates(name) if name == table));
    dropped < made
}

fn verb(statement: &Statement) -> Option<Verb> {
    let words = statement.words();
    let is = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is(word));
    let name_after = |at: usize| {
        let schema_qualified = words.get(at + 1).is_some_and(|token| token.text == ".");
        words.get(if schema_qualified { at + 2 } else { at }).map(|token| token.name().to_lowercase())
    };
    if is(0, "create") && is(1, "table") {
        return name_after(if is(2, "if") { 5 } else { 2 }).map(Verb::Creates);
    }
    if is(0, "drop") && is(1, "table") {
        return name_after(if is(2, "if") { 4 } else { 2 }).map(Verb::Drops);
    }
    if is(0, "delete") && is(1, "from") && !words.iter().any(|token| token.is("where")) {
        return name_after(2).map(Verb::Empties);
    }
    if is(0, "truncate") {
        return name_after(if is(1, "table") { 2 } else { 1 }).map(Verb::Empties);
    }
    let to = words.windows(2).position(|pair| pair[0].is("rename") && pair[1].is("to"))?;
    name_after(to + 2).filter(|_| is(0, "alter")).map(Verb::RenamesTo)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emptied(text: &str) -> Vec<String> {
        emptied_tables(&Script::parse(text).unwrap())
    }

    #[test]
    fn a_rebuilt_table_is_not_lost() {
        let text =
            "CREATE TABLE a_new (b); INSERT INTO a_new SELECT b FROM a; DROP TABLE a; ALTER TABLE a_new RENAME TO a;";
        assert_eq!(emptied(text), Vec::<String>::new());
    }

    #[test]
    fn a_dropped_or_emptied_table_is_lost() {
        assert_eq!(emptied("DROP TABLE IF EXISTS \"A\""), ["a"]);
        assert_eq!(emptied("DELETE FROM main.a;"), ["a"]);
        assert_eq!(emptied("DROP TABLE a; CREATE TABLE a (b);"), ["a"]);
        assert_eq!(emptied("DELETE FROM a WHERE b = 1"), Vec::<String>::new());
        assert_eq!(emptied("CREATE TABLE a (b); DROP TABLE a;"), Vec::<String>::new());
    }
}
