use std::collections::{BTreeMap, BTreeSet};

use longshore_migrate::schema::{ObjectKind, ObjectName};
use tokio_postgres::Row;

use crate::catalog::Names;

/// What stands on what, of the whole database.
pub(crate) const QUERY: &str = include_str!("edges.sql");

/// Something on which other things stand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ground {
    /// A table or a view as a whole.
    Relation(String),
    Column(String, String),
    /// A constraint by its own name.
    Constraint(String, String),
    Function(String),
}

/// Something that stands on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stander {
    Object(ObjectName),
    /// A constraint by its own name.
    Constraint(String, String),
    Generated(String, String),
    Default(String, String),
}

#[derive(Debug, Default)]
pub(super) struct Edges(BTreeMap<Ground, BTreeSet<Stander>>);

impl Edges {
    pub(super) fn read(rows: &[Row], names: &Names) -> Self {
        let mut edges = Self::default();
        for row in rows {
            let text = |column: &str| row.try_get::<_, String>(column).unwrap_or_default();
            let on_owner = names.object(&text("on_schema"), &text("on_owner"));
            let ground = match text("on_kind").as_str() {
                "relation" => Ground::Relation(on_owner),
                "column" => Ground::Column(on_owner, text("on_name")),
                "constraint" => Ground::Constraint(on_owner, text("on_name")),
                _ => Ground::Function(on_owner),
            };
            let (owner, name) = (names.object(&text("schema"), &text("owner")), text("name"));
            let on = |kind| Stander::Object(ObjectName::on(kind, owner.clone(), name.clone()));
            let alone = |kind| Stander::Object(ObjectName::alone(kind, owner.clone()));
            let stander = match text("kind").as_str() {
                "view" => alone(ObjectKind::View),
                "materialized view" => alone(ObjectKind::MaterializedView),
                "rule" => on(ObjectKind::Rule),
                "trigger" => on(ObjectKind::Trigger),
                "policy" => on(ObjectKind::Policy),
                "index" => on(ObjectKind::Index),
                "statistics" => on(ObjectKind::Statistics),
                "function" => alone(ObjectKind::Function),
                "constraint" => Stander::Constraint(owner, name),
                "generated" => Stander::Generated(owner, name),
                _ => Stander::Default(owner, name),
            };
            edges.0.entry(ground).or_default().insert(stander);
        }
        edges
    }

    pub(super) fn on(&self, ground: &Ground) -> impl Iterator<Item = &Stander> {
        self.0.get(ground).into_iter().flatten()
    }

    /// A relation and its columns, as far as something stands on them.
    pub(super) fn grounds_of(&self, owner: &str) -> Vec<Ground> {
        let is_of = |ground: &&Ground| match ground {
            Ground::Relation(name) | Ground::Column(name, _) => name == owner,
            Ground::Constraint(..) | Ground::Function(_) => false,
        };
        self.0.keys().filter(is_of).cloned().collect()
    }
}
