//! Which tables a rollback can take rows or values from.

use std::collections::BTreeSet;

use crate::{
    files::migration::{Direction, Migration},
    files::script::{Script, Statement},
    schema::{Facet, ObjectKind, ObjectName, Schema},
    survey::Survey,
};

/// The tables that are there and that the downs drop, narrow or write to, also by way of foreign keys.
pub(crate) fn at_stake(migrations: &[Migration], survey: &Survey) -> BTreeSet<String> {
    let tables: BTreeSet<&str> = survey.observed.tables().collect();
    let mut found = BTreeSet::new();
    for migration in migrations {
        let objects = survey.chain.link(&migration.id).map(|link| link.footprint.objects()).unwrap_or_default();
        let holds_data = |kind| matches!(kind, ObjectKind::Table | ObjectKind::Column);
        let made = objects.into_iter().filter(|object| holds_data(object.kind)).map(ObjectName::owner);
        found.extend(made.filter(|table| tables.contains(table)).map(str::to_owned));
        let statements = migration.script(Direction::Down).map(Script::statements).unwrap_or_default();
        found.extend(statements.iter().flat_map(|statement| written(statement, &tables)));
    }
    let mut reached = found.clone();
    while !reached.is_empty() {
        reached = reached.iter().flat_map(|table| children(table, &survey.observed)).collect();
        reached.retain(|table| found.insert(table.clone()));
    }
    found
}

/// Every table that a statement which may change rows names.
fn written(statement: &Statement, tables: &BTreeSet<&str>) -> Vec<String> {
    let words = statement.words();
    let harmless = ["create", "comment", "grant", "revoke", "set", "reset", "pragma"];
    if words.first().is_none_or(|word| harmless.iter().any(|one| word.is(one))) {
        return Vec::new();
    }
    let names: BTreeSet<String> = words.iter().map(|word| statement.dialect.name(word)).collect();
    let base = |table: &str| table.rsplit('.').next().unwrap_or(table).to_owned();
    tables
        .iter()
        .filter(|table| names.contains(**table) || names.contains(&base(table)))
        .map(|it| (*it).to_owned())
        .collect()
}

/// The tables whose rows go, or lose a value, with rows of that one.
fn children(parent: &str, schema: &Schema) -> Vec<String> {
    let keys = schema.objects().filter(|(object, _)| object.kind == ObjectKind::ForeignKey);
    let base = parent.rsplit('.').next().unwrap_or(parent);
    let follows = |text: &str| {
        let (table, actions) = text.split_once('(').unwrap_or((text, ""));
        let name = table.rsplit([' ', '.']).next().unwrap_or_default().trim_matches('"');
        name == base && actions.contains("ON DELETE ")
    };
    keys.filter(|(_, key)| key.facet(Facet::References).is_some_and(follows))
        .map(|(object, _)| object.owner().to_owned())
        .collect()
}
