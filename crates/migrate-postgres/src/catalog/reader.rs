use std::collections::{BTreeMap, BTreeSet};

use longshore_migrate::{
    schema::{ObjectKind, Schema},
    target::{Definition, SchemaChanges},
};
use tokio_postgres::Row;

use super::{Names, Reach, column, constraint, owner::Owners, part, routine, sequence, table, table::Draft};
use crate::wire::{Param, Query};

/// A row by the names of its columns. A NULL where none can be is an empty text, so that no catalog makes it panic.
pub(crate) struct Fields<'r>(&'r Row);

impl<'r> Fields<'r> {
    pub(super) fn text(&self, column: &str) -> &'r str {
        self.optional(column).unwrap_or_default()
    }

    pub(super) fn optional(&self, column: &str) -> Option<&'r str> {
        self.0.try_get::<_, Option<&str>>(column).ok().flatten()
    }

    pub(super) fn truth(&self, column: &str) -> bool {
        self.0.try_get::<_, Option<bool>>(column).ok().flatten().unwrap_or_default()
    }
}

const RELATIONS: &str = include_str!("sql/tables.sql");
const COLUMNS: &str = include_str!("sql/columns.sql");
const TYPES: &str = include_str!("sql/types.sql");
const CONSTRAINTS: &str = include_str!("sql/constraints.sql");
const INDEXES: &str = include_str!("sql/indexes.sql");
const TRIGGERS: &str = include_str!("sql/triggers.sql");
const POLICIES: &str = include_str!("sql/policies.sql");
const RULES: &str = include_str!("sql/rules.sql");
const STATISTICS: &str = include_str!("sql/statistics.sql");
const SEQUENCES: &str = include_str!("sql/sequences.sql");
const FUNCTIONS: &str = include_str!("sql/functions.sql");
const SCHEMAS: &str = include_str!("sql/schemas.sql");

/// The queries of one look, for one round trip: of the owners of those names, or of all.
pub(crate) fn queries(schemas: &[String], bases: Option<&BTreeSet<String>>) -> Vec<Query> {
    let of_names =
        [RELATIONS, COLUMNS, TYPES, CONSTRAINTS, INDEXES, TRIGGERS, POLICIES, RULES, STATISTICS, SEQUENCES, FUNCTIONS];
    let schemas = Param::Texts(Some(schemas.to_vec()));
    let names = Param::Texts(bases.map(|bases| bases.iter().cloned().collect()));
    let mut found: Vec<Query> =
        of_names.iter().map(|sql| Query::of_catalog(sql, vec![schemas.clone(), names.clone()])).collect();
    found.push(Query::of_catalog(SCHEMAS, vec![schemas]));
    found
}

/// Keeps what was read, so that the next look costs what has changed.
#[derive(Debug, Default)]
pub(crate) struct CatalogReader {
    owners: Owners,
    /// What is not as it was at the last call of [`CatalogReader::changes`].
    changed: BTreeSet<String>,
    has_read: bool,
    has_children: bool,
}

impl CatalogReader {
    /// The names of the owners that have to be read again; `None` for everything.
    pub(crate) fn to_read(&self, reach: &Reach) -> Option<BTreeSet<String>> {
        let Reach::Names(names) = reach else { return None };
        // What a parent is given its children have, too.
        if !self.has_read || self.has_children && !names.is_empty() {
            return None;
        }
        let mut bases = names.clone();
        for owner in self.owners.0.values() {
            if names.iter().any(|name| owner.has_part(name)) {
                bases.insert(owner.base.clone());
            }
        }
        Some(bases)
    }

    /// Takes the answers of [`queries`].
    pub(crate) fn take(&mut self, names: &Names, bases: Option<&BTreeSet<String>>, answers: &[Vec<Row>]) {
        let found = build(names, answers);
        let is_read = |base: &String| bases.is_none_or(|bases| bases.contains(base));
        let mut now: BTreeMap<_, _> = std::mem::take(&mut self.owners.0);
        let before: Vec<String> =
            now.iter().filter(|(_, owner)| is_read(&owner.base)).map(|(name, _)| name.clone()).collect();
        for name in before.iter().filter(|name| !found.0.contains_key(*name)) {
            now.remove(name);
            self.changed.insert(name.clone());
        }
        for (name, owner) in found.0 {
            if now.get(&name) != Some(&owner) {
                self.changed.insert(name.clone());
                now.insert(name, owner);
            }
        }
        self.owners.0 = now;
        self.has_read = true;
        self.has_children |= self.owners.0.values().any(|owner| owner.is_child);
    }

    pub(crate) fn schema(&self) -> Schema {
        self.owners.schema()
    }

    pub(crate) fn definitions(&self) -> Vec<Definition> {
        let mut owners = self.owners.clone();
        owners.put_in_order();
        owners.definitions()
    }

    /// What has changed since the last call; everything at the first.
    pub(crate) fn changes(&mut self) -> SchemaChanges {
        self.owners.changes(std::mem::take(&mut self.changed))
    }
}

fn build(names: &Names, answers: &[Vec<Row>]) -> Owners {
    let mut owners = Owners::default();
    let mut drafts: BTreeMap<String, Draft> = BTreeMap::new();
    let rows = |at: usize| answers.get(at).into_iter().flatten().map(Fields);
    let fleeting: BTreeSet<(&str, &str)> =
        rows(0).filter(|row| row.truth("is_fleeting")).map(|row| (row.text("schema"), row.text("name"))).collect();
    // Neither of them is a part of the meaning.
    let is_left_out = |row: &Fields<'_>, column: &str| {
        let (schema, name) = (row.text("schema"), row.text(column));
        names.is_ledger(schema, name) || fleeting.contains(&(schema, name))
    };
    for row in rows(0).filter(|row| !is_left_out(row, "name")) {
        if let Some(draft) = table::relation(&row, names, &mut owners) {
            drafts.insert(draft.name.clone(), draft);
        }
    }
    let of_owner = |row: &Fields<'_>| names.object(row.text("schema"), row.text("owner"));
    for row in rows(1).filter(|row| !is_left_out(row, "owner")) {
        column::column(&row, names, &mut owners, drafts.get_mut(&of_owner(&row)));
    }
    for row in rows(2).filter(|row| !is_left_out(row, "name")) {
        routine::of_type(&row, names, &mut owners);
    }
    for row in rows(3).filter(|row| !is_left_out(row, "owner")) {
        constraint::constraint(&row, names, &mut owners, drafts.get_mut(&of_owner(&row)));
    }
    for row in rows(4).filter(|row| !is_left_out(row, "owner")) {
        part::index(&row, names, &mut owners);
    }
    let kinds = [(5, ObjectKind::Trigger), (7, ObjectKind::Rule), (8, ObjectKind::Statistics)];
    for (at, kind) in kinds {
        for row in rows(at).filter(|row| !is_left_out(row, "owner")) {
            part::part(kind, &row, names, &mut owners);
        }
    }
    for row in rows(6).filter(|row| !is_left_out(row, "owner")) {
        part::policy(&row, names, &mut owners);
    }
    let is_own_ledger = |row: &Fields<'_>| names.is_ledger(row.text("own_schema"), row.text("name"));
    for row in rows(9).filter(|row| !is_own_ledger(row) && !is_left_out(row, "owner")) {
        sequence::sequence(&row, names, &mut owners, drafts.get_mut(&of_owner(&row)));
    }
    for row in rows(10).filter(|row| !is_left_out(row, "base")) {
        routine::function(&row, names, &mut owners);
    }
    for row in rows(11) {
        routine::namespace(&row, names, &mut owners);
    }
    drafts.into_values().for_each(|draft| draft.finish(&mut owners));
    owners
}
