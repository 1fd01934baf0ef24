//! Losses that are certain before anything runs: what the replay shows to be gone for good, and what the words of the
//! script drop or empty for good. The rest is counted in the transaction.

use std::collections::BTreeSet;

use super::{
    Loss, Move, Moves,
    moves::{movement, movements},
};
use crate::{
    files::migration::{Direction, Migration},
    files::script::{Bounds, Script, Statement},
    schema::{Footprint, ObjectKind, ObjectName, Schema},
    target::{Target, TargetError},
};

/// What one direction of a migration would lose on this database, as far as that can be told before it runs.
///
/// `footprint` is that of the up. `expected` is the schema as the ledger has it: columns beyond it do not survive a
/// table rebuild that does not know them.
pub(crate) fn foretold(
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
        let moves = Moves::of(script);
        candidates.retain(|object| !is_moved(object, &moves, &observed));
        candidates.extend(emptied_tables(script).into_iter().map(ObjectName::table));
    }
    if migration.bounds(direction) == Bounds::Rebuild {
        candidates.extend(unknown_columns(footprint, expected, &observed));
    }
    let mut found = Vec::new();
    for object in candidates.into_iter().filter(|object| observed.contains(object)) {
        let loss = match object.kind {
            ObjectKind::Column => {
                let count = target.count(object.owner(), Some(&object.name))?;
                Loss::values(object.owner(), &object.name, count, 0)
            }
            ObjectKind::Table => Loss::rows(&object.name, target.count(&object.name, None)?, 0),
            _ => continue,
        };
        found.extend((loss.before > 0).then_some(loss));
    }
    Ok(found)
}

/// Whether the script gives it another name, or copies the column into one of another name. What becomes of it then
/// is counted.
fn is_moved(object: &ObjectName, moves: &Moves, observed: &Schema) -> bool {
    let table = object.owner();
    if moves.renames_table(table) {
        return true;
    }
    let is_carried = || moves.stand_in(table).is_some() && moves.carries(table, &object.name);
    match object.kind {
        ObjectKind::Column => observed.contains(object) && (moves.renames_column(table, &object.name) || is_carried()),
        _ => false,
    }
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

/// Tables that a script drops or empties for good, by its words. A table that is dropped so that another can take its
/// name, or that is filled again, is counted when it has run; a table that the script made itself held nothing.
pub(crate) fn emptied_tables(script: &Script) -> Vec<String> {
    let moves = Moves::of(script);
    let mut found = Vec::new();
    let mut made: BTreeSet<String> = BTreeSet::new();
    for movement in movements(script) {
        match movement {
            Move::Makes(name) => _ = made.insert(name),
            // A table that was renamed away was copied before; one that is made again under its name may be filled.
            Move::DropsTable(table) | Move::Empties(table)
                if !made.contains(&table) && moves.stand_in(&table).is_none() && !moves.fills(&table) =>
            {
                found.push(table);
            }
            _ => {}
        }
    }
    found
}

/// The tables that a script makes: nobody uses them before the commit.
pub(crate) fn made_tables(script: &Script) -> Vec<String> {
    let is_table = |statement: &&Statement| statement.words().iter().take(4).any(|word| word.is("table"));
    let made = script.statements().iter().filter(is_table).filter_map(movement);
    made.filter_map(|movement| if let Move::Makes(name) = movement { Some(name) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emptied(text: &str) -> Vec<String> {
        emptied_tables(&Script::parse(text).unwrap())
    }

    #[test]
    fn a_table_that_is_replaced_or_filled_again_is_not_known_to_be_lost() {
        for text in [
            "CREATE TABLE a_new (b); INSERT INTO a_new SELECT b FROM a; DROP TABLE a; ALTER TABLE a_new RENAME TO a;",
            "ALTER TABLE a RENAME TO a_old; CREATE TABLE a (b); INSERT INTO a SELECT b FROM a_old; DROP TABLE a_old;",
            "CREATE TEMP TABLE kept AS SELECT * FROM a; DELETE FROM a; INSERT INTO a SELECT * FROM kept; DROP TABLE kept;",
            "DELETE FROM a WHERE b = 1",
            "CREATE TABLE a (b); DROP TABLE a;",
        ] {
            assert_eq!(emptied(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_dropped_or_emptied_table_is_lost() {
        assert_eq!(emptied("DROP TABLE IF EXISTS \"A\""), ["a"]);
        assert_eq!(emptied("DELETE FROM main.a;"), ["a"]);
        assert_eq!(emptied("DROP TABLE a; CREATE TABLE a (b);"), ["a"]);
    }
}
