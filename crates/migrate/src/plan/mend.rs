//! Turns differences into statements that mend them without losing data.

use std::collections::{BTreeMap, BTreeSet};

use super::repair::Planned;
use crate::{
    execution::replay::Chain,
    files::migration::MigrationId,
    files::script::Statement,
    report::RepairAction,
    schema::{Difference, DifferenceKind, ObjectKind, ObjectName, Schema},
    survey::Survey,
    target::Rebuild,
};

/// What mends are cut from, beside what the chain knows: the statements of the files.
#[derive(Debug, Clone, Default)]
pub struct Materials {
    /// The statements of each migration of the chain; empty for code.
    pub statements: Vec<Vec<Statement>>,
}

/// The materials at one version.
#[derive(Debug)]
pub struct Stock<'a> {
    definitions: BTreeMap<ObjectName, String>,
    statements: Vec<&'a Statement>,
    version: usize,
}

impl Materials {
    /// After the migration at that place of the chain.
    pub(super) fn at(&self, version: usize, chain: &Chain) -> Stock<'_> {
        Stock {
            definitions: chain.definitions(version + 1),
            statements: self.statements.iter().take(version + 1).flatten().collect(),
            version,
        }
    }
}

/// Steps for those of `differences` that can be mended without loss. What no migration made is left alone: the final
/// comparison tells of it, and a person decides.
pub fn mends(differences: &[Difference], expected: &Schema, survey: &Survey, stock: &Stock<'_>) -> Vec<Planned> {
    let rebuilt: BTreeSet<&str> =
        differences.iter().filter(|one| wants_rebuild(one, stock)).map(|one| one.object.owner()).collect();
    let mut steps: Vec<Planned> = Vec::new();
    for table in &rebuilt {
        steps.extend(rebuild(table, differences, survey, stock));
    }
    let is_left = |one: &&Difference| one.object.kind != ObjectKind::Column || !rebuilt.contains(one.object.owner());
    let mut left: Vec<&Difference> = differences.iter().filter(is_left).collect();
    // Tables before columns before what is made of them; columns in the order of their table.
    left.sort_by_key(|one| (rank(one), position(expected, &one.object)));
    for difference in left {
        steps.extend(mend(difference, expected, survey, stock));
    }
    steps
}

fn rank(difference: &Difference) -> u8 {
    match difference.object.kind {
        ObjectKind::Table => 0,
        ObjectKind::Column => 1,
        ObjectKind::Index => 2,
        ObjectKind::View => 3,
        _ => 4,
    }
}

fn position(expected: &Schema, object: &ObjectName) -> usize {
    let columns = expected.columns(object.owner());
    columns.iter().position(|column| *column == object.name).unwrap_or_default()
}

fn wants_rebuild(difference: &Difference, stock: &Stock<'_>) -> bool {
    use DifferenceKind as K;
    match difference.kind {
        K::ColumnMissing => add_column(&difference.object, stock).is_none(),
        K::Type
        | K::Nullability
        | K::Default
        | K::Generated
        | K::Collation
        | K::ColumnOrder
        | K::PrimaryKey
        | K::Unique
        | K::ForeignKey
        | K::Check
        | K::Strict
        | K::WithoutRowid
        | K::Autoincrement => true,
        _ => false,
    }
}

fn rebuild(table: &str, differences: &[Difference], survey: &Survey, stock: &Stock<'_>) -> Option<Planned> {
    let is_extra = |one: &Difference| one.kind == DifferenceKind::ColumnExtra && one.object.owner() == table;
    if differences.iter().any(is_extra) {
        return None;
    }
    let object = ObjectName::table(table);
    let shape = stock.definitions.get(&object)?.clone();
    let of_table: Vec<String> =
        differences.iter().filter(|one| one.object.owner() == table).take(3).map(ToString::to_string).collect();
    let why =
        format!("{object} has not the shape that its migrations give it ({}); its rows are kept", of_table.join("; "));
    let mut planned = Planned::new(RepairAction::RebuildTable, owner(survey, &object, stock)?, why).sql(shape.clone());
    planned.rebuild = Some(Rebuild { table: table.to_owned(), shape, values: Vec::new() });
    Some(planned)
}

fn mend(difference: &Difference, expected: &Schema, survey: &Survey, stock: &Stock<'_>) -> Vec<Planned> {
    use DifferenceKind as K;
    let object = &difference.object;
    let Some(id) = owner(survey, object, stock) else {
        return Vec::new();
    };
    let step = |action, sql: String| Planned::new(action, id, difference.to_string()).sql(sql);
    let made = stock.definitions.get(object).cloned();
    match difference.kind {
        K::TableMissing => {
            whole_table(object, expected, stock).into_iter().map(|sql| step(RepairAction::Add, sql)).collect()
        }
        K::ColumnMissing => add_column(object, stock).into_iter().map(|sql| step(RepairAction::Add, sql)).collect(),
        K::IndexMissing | K::TriggerMissing | K::ViewMissing => {
            made.into_iter().map(|sql| step(RepairAction::Add, sql)).collect()
        }
        K::IndexColumns | K::IndexUnique | K::IndexPredicate | K::TriggerChanged | K::ViewChanged => made
            .into_iter()
            .flat_map(|sql| [step(RepairAction::Replace, drop_statement(object)), step(RepairAction::Replace, sql)])
            .collect(),
        // Ours by name, left behind where its migration drops it: nothing but the object itself goes.
        K::IndexExtra | K::TriggerExtra if is_dropped_by_ours(survey, object) => {
            vec![step(RepairAction::Replace, drop_statement(object))]
        }
        _ => Vec::new(),
    }
}

/// Of the migrations up to the version that is mended: a later one that changes the object again has not run.
fn owner<'a>(survey: &'a Survey, object: &ObjectName, stock: &Stock<'_>) -> Option<&'a MigrationId> {
    let because = |object: &ObjectName| survey.because_until(stock.version + 1, object);
    because(object).or_else(|| because(&ObjectName::table(object.owner())))
}

fn is_dropped_by_ours(survey: &Survey, object: &ObjectName) -> bool {
    let links = survey.chain.links();
    survey.chain.touching(object).iter().any(|place| links[*place].footprint.drops.contains(object))
}

fn drop_statement(object: &ObjectName) -> String {
    let word = object.kind.word().to_uppercase();
    format!("DROP {word} {}", quoted(&object.name))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The table, the rows that its migration gives it, then its indexes and triggers.
fn whole_table(object: &ObjectName, expected: &Schema, stock: &Stock<'_>) -> Vec<String> {
    let Some(table) = stock.definitions.get(object) else {
        return Vec::new();
    };
    let rows = stock
        .statements
        .iter()
        .filter(|statement| fills(statement, &object.name))
        .map(|statement| statement.text.clone());
    let is_part = |name: &&ObjectName| name.table.as_deref() == Some(&object.name) && expected.contains(name);
    let parts = stock.definitions.iter().filter(|(name, _)| is_part(name)).map(|(_, sql)| sql.clone());
    std::iter::once(table.clone()).chain(rows).chain(parts).collect()
}

fn fills(statement: &Statement, table: &str) -> bool {
    let words = statement.words();
    let is = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is(word));
    is(0, "insert") && is(1, "into") && words.get(2).is_some_and(|token| token.name().eq_ignore_ascii_case(table))
}

/// The file's own `ALTER TABLE … ADD COLUMN` for a column, so that it comes out just as the migration makes it.
fn add_column(column: &ObjectName, stock: &Stock<'_>) -> Option<String> {
    let adds = |statement: &&&Statement| {
        let words = statement.words();
        let is = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is(word));
        let named = |at: usize, name: &str| words.get(at).is_some_and(|token| token.name().eq_ignore_ascii_case(name));
        let at = if is(4, "column") { 5 } else { 4 };
        is(0, "alter") && is(1, "table") && named(2, column.owner()) && is(3, "add") && named(at, &column.name)
    };
    stock.statements.iter().rev().find(adds).map(|statement| statement.text.clone())
}
