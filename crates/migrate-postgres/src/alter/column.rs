//! Columns: what ALTER TABLE says of one.

use std::collections::BTreeSet;

use longshore_migrate::{
    alterer::Moment,
    report::RepairAction,
    schema::{Definition, DifferenceKind, Facet, ObjectName},
};

use super::{
    edges::Ground,
    order::Stage,
    rows,
    work::{Reach, Work},
};
use crate::catalog::quoted;

/// What PostgreSQL 18 knows of a column that has rows without a value.
const NOT_VALID: &str = "NOT NULL NOT VALID";

/// A column with what is expected and found of it.
struct Column<'o> {
    object: &'o ObjectName,
    table: String,
    name: String,
}

impl<'o> Column<'o> {
    fn of(work: &Work<'_>, object: &'o ObjectName) -> Self {
        Self { object, table: work.sql(object.owner()), name: quoted(&object.name) }
    }

    fn alter(&self, work: &mut Work<'_>, what: &str) {
        work.say(Stage::Column, self.object, format!("ALTER TABLE {} ALTER COLUMN {} {what}", self.table, self.name));
    }
}

pub(super) fn alter(work: &mut Work<'_>, object: &ObjectName, kinds: &BTreeSet<DifferenceKind>) {
    use DifferenceKind as K;
    if is_carried_by_parent(work, object) {
        return;
    }
    let (expected, found) = (definition(work, object), work.alterer.observed.definition(object).cloned());
    let Some(expected) = expected else { return };
    let Some(found) = found else { return add(work, object, &expected) };
    if kinds.contains(&K::Generated) && expected.facet(Facet::Generated).is_some() {
        return remake(work, object);
    }
    let column = Column::of(work, object);
    let changes_type = kinds.contains(&K::Type) || kinds.contains(&K::Collation);
    if changes_type && work.is_large(object.owner()) && rewrites(&expected, &found) {
        return;
    }
    if kinds.contains(&K::Generated) {
        // Its values stay.
        column.alter(work, "DROP EXPRESSION");
    }
    let is_identity_new = kinds.contains(&K::Identity) && found.facet(Facet::Identity).is_none();
    let has_default = found.facet(Facet::Default).is_some();
    if has_default && (changes_type || is_identity_new) {
        column.alter(work, "DROP DEFAULT");
    }
    if changes_type {
        change_type(work, &column, &expected, &found);
    }
    if kinds.contains(&K::Nullability) {
        change_nullability(work, &column, &expected);
    }
    if kinds.contains(&K::Identity) {
        change_identity(work, &column, &expected, &found);
    }
    if kinds.contains(&K::Default) || has_default && changes_type {
        match expected.facet(Facet::Default) {
            Some(default) => column.alter(work, &format!("SET DEFAULT {default}")),
            None if !(changes_type || is_identity_new) => column.alter(work, "DROP DEFAULT"),
            None => {}
        }
    }
    if kinds.contains(&K::Options) {
        let compression = expected.facet(Facet::Options).and_then(|text| text.strip_prefix("compression="));
        column.alter(work, &format!("SET COMPRESSION {}", compression.unwrap_or("default")));
    }
    if kinds.contains(&K::Storage) {
        let storage = expected.facet(Facet::Storage).unwrap_or_else(|| usual_storage(&expected));
        column.alter(work, &format!("SET STORAGE {storage}"));
    }
}

fn definition(work: &Work<'_>, object: &ObjectName) -> Option<Definition> {
    work.request.expected.definition(object).or_else(|| work.alterer.observed.definition(object)).cloned()
}

/// What is said to a table is said to its partitions and children.
fn is_carried_by_parent(work: &Work<'_>, object: &ObjectName) -> bool {
    let table = work.alterer.observed.definition(&ObjectName::table(object.owner()));
    let Some(table) = table else { return false };
    let parents = [Facet::PartitionOf, Facet::Inherits].into_iter().find_map(|facet| table.facet(facet));
    let Some(parents) = parents else { return false };
    let differing = work.request.differences.iter();
    let same = differing.filter(|one| one.object.kind == object.kind && one.object.name == object.name);
    same.filter(|one| one.object != *object).any(|one| {
        let base = work.alterer.names.split(one.object.owner()).1;
        parents.split([' ', ',']).any(|parent| parent.rsplit('.').next() == Some(&quoted(base)))
    })
}

fn add(work: &mut Work<'_>, object: &ObjectName, expected: &Definition) {
    // Such a default is asked for each row, so the table is written anew.
    let rewrites = expected.facet(Facet::Generated).is_some_and(|text| text.ends_with("STORED"))
        || expected.facet(Facet::Identity).is_some()
        || expected.facet(Facet::Default).is_some_and(|default| default.contains('('));
    if rewrites && work.is_large(object.owner()) {
        return;
    }
    let column = Column::of(work, object);
    let is_filled =
        [Facet::Default, Facet::Identity, Facet::Generated].iter().any(|facet| expected.facet(*facet).is_some());
    let wants_rows = expected.facet(Facet::Nullability).is_some() && !is_filled;
    let conditions = if wants_rows { vec![rows::none(&column.table, &column.name)] } else { Vec::new() };
    let sql = format!("ALTER TABLE {} ADD COLUMN {}", column.table, written(&column.name, expected));
    let stage = if expected.facet(Facet::Generated).is_some() { Stage::Computed } else { Stage::NewColumn };
    work.queue(stage, RepairAction::Add, object, sql, conditions);
    if let Some(storage) = expected.facet(Facet::Storage) {
        let set = format!("ALTER TABLE {} ALTER COLUMN {} SET STORAGE {storage}", column.table, column.name);
        work.say(stage, object, set);
    }
    if expected.facet(Facet::Nullability) == Some(NOT_VALID) {
        work.say(stage, object, format!("ALTER TABLE {} ADD NOT NULL {} NOT VALID", column.table, column.name));
    }
    if expected.facet(Facet::Comment).is_some() {
        super::part::comment(work, object);
    }
}

/// The column as CREATE TABLE has it.
fn written(name: &str, expected: &Definition) -> String {
    let text = |facet| expected.facet(facet).map(str::to_owned);
    let parts = [
        Some(name.to_owned()),
        text(Facet::Type),
        text(Facet::Collation).map(|collation| format!("COLLATE {collation}")),
        text(Facet::Generated),
        text(Facet::Identity),
        text(Facet::Default).map(|default| format!("DEFAULT {default}")),
        text(Facet::Nullability).filter(|text| text != NOT_VALID),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Drops a generated column and makes it again, with what stands on it: its values are computed.
pub(super) fn remake(work: &mut Work<'_>, object: &ObjectName) {
    let place = (object.owner().to_owned(), object.name.clone());
    let expected = definition(work, object);
    let Some(expected) = expected.filter(|_| !work.remade_columns.contains(&place)) else { return };
    if work.is_large(object.owner()) {
        return;
    }
    work.remade_columns.insert(place);
    let column = Column::of(work, object);
    work.put_aside(&Ground::Column(object.owner().to_owned(), object.name.clone()), Reach::Everything);
    let is_computed = work.alterer.observed.definition(object).is_some_and(|it| it.facet(Facet::Generated).is_some());
    let expression = expected.facet(Facet::Generated).and_then(rows::expression);
    let conditions = match expression {
        // Values that somebody has written over are no longer those of the expression.
        Some(expression) if !is_computed => vec![rows::other_values(object, &column.table, expression)],
        _ => Vec::new(),
    };
    let sql = format!("ALTER TABLE {} DROP COLUMN {}", column.table, column.name);
    work.queue(Stage::Dropped, RepairAction::Replace, object, sql, conditions);
    add(work, object, &expected);
}

/// A default that calls a function which is made anew.
pub(super) fn put_default_aside(work: &mut Work<'_>, object: &ObjectName) {
    let column = Column::of(work, object);
    let sql = format!("ALTER TABLE {} ALTER COLUMN {} DROP DEFAULT", column.table, column.name);
    work.say(Stage::First, object, sql);
    let expected = definition(work, object);
    if let Some(default) = expected.as_ref().and_then(|expected| expected.facet(Facet::Default)) {
        column.alter(work, &format!("SET DEFAULT {default}"));
    }
}

fn change_type(work: &mut Work<'_>, column: &Column<'_>, expected: &Definition, found: &Definition) {
    let (to, from) = (expected.facet(Facet::Type).unwrap_or_default(), found.facet(Facet::Type).unwrap_or_default());
    work.put_aside(&Ground::Column(column.object.owner().to_owned(), column.object.name.clone()), Reach::Type);
    let collation = expected.facet(Facet::Collation).map(|collation| format!(" COLLATE {collation}"));
    let using = if to == from || rows::is_cast_by_itself(from, to) {
        String::new()
    } else {
        format!(" USING {}", rows::converted(&column.name, to))
    };
    // A type that is made in this very repair cannot be asked before; it takes every text as it is, or fails.
    let is_new = work.is_missing_type(to);
    let conditions =
        if to == from || is_new { Vec::new() } else { vec![rows::changed(column.object, &column.table, from, to)] };
    let sql = format!(
        "ALTER TABLE {} ALTER COLUMN {} TYPE {to}{}{using}",
        column.table,
        column.name,
        collation.unwrap_or_default()
    );
    let conditions = if found.facet(Facet::Generated).is_some() { Vec::new() } else { conditions };
    work.say_if(Stage::Column, column.object, sql, conditions);
}

/// Whether the server writes the table anew; a longer or unbounded text needs no new rows.
fn rewrites(expected: &Definition, found: &Definition) -> bool {
    let (to, from) = (expected.facet(Facet::Type).unwrap_or_default(), found.facet(Facet::Type).unwrap_or_default());
    !rows::is_wider_text(from, to)
}

fn change_nullability(work: &mut Work<'_>, column: &Column<'_>, expected: &Definition) {
    let Column { object, table, name } = column;
    match expected.facet(Facet::Nullability) {
        None => return column.alter(work, "DROP NOT NULL"),
        Some(NOT_VALID) => {
            let sql = format!("ALTER TABLE {table} ADD NOT NULL {name} NOT VALID");
            return work.say(Stage::Column, object, sql);
        }
        Some(_) => {}
    }
    let conditions = vec![rows::nulls(table, name)];
    let set = format!("ALTER TABLE {table} ALTER COLUMN {name} SET NOT NULL");
    if !work.is_large(object.owner()) {
        return work.say_if(Stage::Column, object, set, conditions);
    }
    // A valid constraint spares SET NOT NULL its own way through the rows.
    let constraint = quoted(&format!("longshore_{}_is_not_null", object.name));
    let sql = format!("ALTER TABLE {table} ADD CONSTRAINT {constraint} CHECK ({name} IS NOT NULL) NOT VALID");
    let why = "NOT NULL is validated first, so that nobody waits";
    work.say_alone(Moment::After, object, sql, why);
    work.condition_last(conditions);
    for sql in [
        format!("ALTER TABLE {table} VALIDATE CONSTRAINT {constraint}"),
        format!("ALTER TABLE {table} ALTER COLUMN {name} SET NOT NULL, DROP CONSTRAINT {constraint}"),
    ] {
        work.say_alone(Moment::After, object, sql, why);
    }
}

fn change_identity(work: &mut Work<'_>, column: &Column<'_>, expected: &Definition, found: &Definition) {
    let (expected, found) = (expected.facet(Facet::Identity), found.facet(Facet::Identity));
    match (expected, found) {
        (Some(expected), None) => {
            column.alter(work, &format!("ADD {expected}"));
            count_on(work, column, expected);
        }
        (None, _) => column.alter(work, "DROP IDENTITY"),
        (Some(expected), Some(_)) => column.alter(work, &set_identity(expected)),
    }
}

/// `SET GENERATED ALWAYS SET START WITH 1 SET …` of `GENERATED ALWAYS AS IDENTITY (START WITH 1 …)`.
fn set_identity(identity: &str) -> String {
    let (how, values) = identity.split_once(" AS IDENTITY (").unwrap_or((identity, ""));
    format!("SET {how} {}", set_values(values.trim_end_matches(')')))
}

fn set_values(values: &str) -> String {
    let mut text = values.to_owned();
    for word in ["START WITH", "INCREMENT BY", "MINVALUE", "MAXVALUE", "CACHE"] {
        text = text.replace(word, &format!("SET {word}"));
    }
    if values.ends_with(" CYCLE") { text.replace(" CYCLE", " SET CYCLE") } else { text + " SET NO CYCLE" }
}

/// A counter that is new goes on behind the numbers that are there.
fn count_on(work: &mut Work<'_>, column: &Column<'_>, identity: &str) {
    let after = |word: &str| identity.split(word).nth(1).and_then(|rest| rest.split_whitespace().next());
    let (Some(start), Some(step)) = (after("START WITH "), after("INCREMENT BY ")) else { return };
    let start = start.trim_end_matches(')');
    let (last, order) = if step.starts_with('-') { ("min", "<=") } else { ("max", ">=") };
    let Column { object, table, name } = column;
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let sql = format!(
        "SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence({}, {}), {last}({name})) FROM {table} \
         HAVING {last}({name}) {order} {start}",
        literal(table),
        literal(&object.name)
    );
    work.say(Stage::Settings, object, sql);
}

/// How the server keeps long values of a type.
fn usual_storage(expected: &Definition) -> &'static str {
    let of_type = expected.facet(Facet::Type).unwrap_or_default();
    let base = of_type.split('(').next().unwrap_or_default().trim();
    match base {
        "numeric" | "inet" | "cidr" => "MAIN",
        "smallint" | "integer" | "bigint" | "boolean" | "date" | "real" | "double precision" | "uuid" => "PLAIN",
        _ => "EXTENDED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_set_word_by_word() {
        let identity = "GENERATED ALWAYS AS IDENTITY (START WITH 10 INCREMENT BY 1 MINVALUE 1 MAXVALUE 9 CACHE 1)";
        assert_eq!(
            set_identity(identity),
            "SET GENERATED ALWAYS SET START WITH 10 SET INCREMENT BY 1 SET MINVALUE 1 SET MAXVALUE 9 SET CACHE 1 \
             SET NO CYCLE"
        );
        assert!(set_identity("GENERATED BY DEFAULT AS IDENTITY (START WITH 1 CYCLE)").ends_with("SET CYCLE"));
    }
}
