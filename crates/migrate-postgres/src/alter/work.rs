//! One plan while it is made.

use std::collections::{BTreeMap, BTreeSet};

use longshore_migrate::{
    alterer::{AlterRequest, Alteration, Moment, RowCondition},
    report::RepairAction,
    schema::{Difference, DifferenceKind, ObjectKind, ObjectName},
};

use super::{
    PostgresAlterer, column, constraint,
    edges::{Ground, Stander},
    order::{Stage, stage, views_in_order},
    part, table, types,
};
use crate::catalog::{names_any, quoted};

/// Up to this size a statement may go through a table while it keeps others waiting: some tens of milliseconds.
const QUICK_BYTES: i64 = 8 << 20;

/// Whether statements that keep others waiting for long are planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Quick,
    None,
}

/// What of the things on a column has to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Everything that would go with it.
    Everything,
    /// What the server does not carry over by itself when the type changes.
    Type,
}

pub(super) struct Work<'a> {
    pub(super) alterer: &'a PostgresAlterer,
    pub(super) request: &'a AlterRequest<'a>,
    pub(super) limit: Limit,
    /// The statements that make what is expected, keys included.
    expected: BTreeMap<ObjectName, String>,
    /// The object whose difference is being removed.
    pub(super) because: ObjectName,
    drops: BTreeMap<ObjectName, ObjectName>,
    makes: BTreeMap<ObjectName, ObjectName>,
    pub(super) remade_columns: BTreeSet<(String, String)>,
    queue: Vec<(Stage, Alteration)>,
}

impl<'a> Work<'a> {
    pub(super) fn new(alterer: &'a PostgresAlterer, request: &'a AlterRequest<'a>, limit: Limit) -> Self {
        let definitions = request.definitions.iter();
        let definition = |(object, sql): (&ObjectName, &String)| longshore_migrate::target::Definition {
            object: object.clone(),
            sql: sql.clone(),
        };
        let expected = definitions.map(definition).flat_map(constraint::with_key);
        Self {
            alterer,
            request,
            limit,
            expected: expected.map(|made| (made.object, made.sql)).collect(),
            because: ObjectName::table(""),
            drops: BTreeMap::new(),
            makes: BTreeMap::new(),
            remade_columns: BTreeSet::new(),
            queue: Vec::new(),
        }
    }

    /// The whole plan, in the order in which it runs.
    pub(super) fn plan(mut self) -> Vec<Alteration> {
        let mut kinds: BTreeMap<ObjectName, Vec<&Difference>> = BTreeMap::new();
        for difference in self.request.differences {
            kinds.entry(difference.object.clone()).or_default().push(difference);
        }
        for (object, differences) in kinds {
            self.because = object.clone();
            self.remove(&object, &differences);
        }
        self.queue_drops();
        self.queue_makes();
        self.queue.sort_by_key(|(stage, _)| *stage);
        self.queue.into_iter().map(|(_, alteration)| alteration).collect()
    }

    fn remove(&mut self, object: &ObjectName, differences: &[&Difference]) {
        let kinds: BTreeSet<DifferenceKind> = differences.iter().map(|one| one.kind).collect();
        let is_extra = differences.iter().any(|one| one.expected.is_none());
        match object.kind {
            _ if is_extra => part::extra(self, object),
            ObjectKind::Column => column::alter(self, object, &kinds),
            ObjectKind::Table => table::alter(self, object, &kinds),
            kind if kind.is_constraint() => constraint::alter(self, object, &kinds),
            ObjectKind::Sequence
            | ObjectKind::Type
            | ObjectKind::Domain
            | ObjectKind::Function
            | ObjectKind::Namespace => types::alter(self, object, &kinds),
            _ => part::alter(self, object, &kinds),
        }
        if kinds.contains(&DifferenceKind::Comment) && !self.makes.contains_key(object) {
            part::comment(self, object);
        }
    }

    /// The schema with its dot, where one has to be named, and the name.
    pub(super) fn place(&self, owner: &str) -> (String, String) {
        let (schema, base) = self.alterer.names.split(owner);
        (schema, quoted(base))
    }

    /// A table, a view, a type or a sequence as SQL.
    pub(super) fn sql(&self, owner: &str) -> String {
        let (schema, base) = self.place(owner);
        schema + &base
    }

    /// Whether going through its rows takes longer than others should wait.
    pub(super) fn is_large(&self, owner: &str) -> bool {
        let bytes = self.alterer.facts.get(owner).map_or(0, |fact| fact.bytes);
        self.limit == Limit::Quick && bytes > QUICK_BYTES
    }

    pub(super) fn is_partitioned(&self, owner: &str) -> bool {
        self.alterer.facts.get(owner).is_some_and(|fact| fact.is_partitioned)
    }

    /// Whether the repair makes the type of that name.
    pub(super) fn is_missing_type(&self, of_type: &str) -> bool {
        let base = of_type.trim_end_matches("[]").rsplit('.').next().unwrap_or_default();
        let missing = self
            .request
            .differences
            .iter()
            .filter(|one| matches!(one.kind, DifferenceKind::TypeMissing | DifferenceKind::DomainMissing));
        missing.map(|one| self.place(&one.object.name).1).any(|name| name == base)
    }

    /// The statement that makes an object as it should be; where no migration makes it, as it is.
    pub(super) fn statement(&self, object: &ObjectName) -> Option<String> {
        self.expected.get(object).cloned().or_else(|| self.alterer.made(object).map(str::to_owned))
    }

    pub(super) fn expected(&self, object: &ObjectName) -> Option<&str> {
        self.expected.get(object).map(String::as_str)
    }

    /// Everything of an owner that migrations make, itself first.
    pub(super) fn make_whole(&mut self, owner: &ObjectName) {
        let parts = self.expected.keys().filter(|part| part.table.as_deref() == Some(owner.owner()));
        let parts: Vec<ObjectName> = parts.filter(|part| self.request.expected.contains(part)).cloned().collect();
        for part in std::iter::once(owner.clone()).chain(parts) {
            self.make(&part);
        }
    }

    pub(super) fn make(&mut self, object: &ObjectName) {
        self.makes.entry(object.clone()).or_insert_with(|| self.because.clone());
    }

    /// Drops what is there, and says whether that was new.
    pub(super) fn drop(&mut self, object: &ObjectName) -> bool {
        let is_new = !self.drops.contains_key(object) && self.alterer.made(object).is_some();
        if is_new {
            self.drops.insert(object.clone(), self.because.clone());
        }
        is_new
    }

    pub(super) fn say(&mut self, stage: Stage, object: &ObjectName, sql: String) {
        let conditions = Vec::new();
        self.queue(stage, RepairAction::Alter, object, sql, conditions);
    }

    pub(super) fn say_if(&mut self, stage: Stage, object: &ObjectName, sql: String, conditions: Vec<RowCondition>) {
        self.queue(stage, RepairAction::Alter, object, sql, conditions);
    }

    pub(super) fn queue(
        &mut self,
        stage: Stage,
        action: RepairAction,
        object: &ObjectName,
        sql: String,
        conditions: Vec<RowCondition>,
    ) {
        let because = self.because.clone();
        let object = object.clone();
        let moment = Moment::Together;
        self.queue.push((stage, Alteration { action, object, because, sql, moment, why: None, conditions }));
    }

    /// Adds conditions to the statement that was said last.
    pub(super) fn condition_last(&mut self, conditions: Vec<RowCondition>) {
        if let Some((_, alteration)) = self.queue.last_mut() {
            alteration.conditions.extend(conditions);
        }
    }

    /// A statement by itself.
    pub(super) fn say_alone(&mut self, moment: Moment, object: &ObjectName, sql: String, why: &str) {
        let stage = if moment == Moment::Before { Stage::Aside } else { Stage::Validation };
        self.say(stage, object, sql);
        if let Some((_, alteration)) = self.queue.last_mut() {
            alteration.moment = moment;
            alteration.why = Some(why.to_owned());
        }
    }

    /// Puts aside what stands on something, and what stands on that.
    pub(super) fn put_aside(&mut self, ground: &Ground, reach: Reach) {
        let standers: Vec<Stander> = self.alterer.edges.on(ground).cloned().collect();
        for stander in standers {
            match stander {
                Stander::Object(object) => {
                    let is_carried = matches!(object.kind, ObjectKind::Index | ObjectKind::Statistics);
                    if !(reach == Reach::Type && is_carried) {
                        self.put_object_aside(&object);
                    }
                }
                Stander::Constraint(owner, name) if reach == Reach::Everything => {
                    if let Some(object) = constraint::named(self.alterer, &owner, &name) {
                        self.put_object_aside(&object);
                    }
                }
                Stander::Generated(table, column) if *ground != Ground::Column(table.clone(), column.clone()) => {
                    column::remake(self, &ObjectName::on(ObjectKind::Column, table, column));
                }
                Stander::Default(table, column) if matches!(ground, Ground::Function(_)) => {
                    column::put_default_aside(self, &ObjectName::on(ObjectKind::Column, table, column));
                }
                Stander::Constraint(..) | Stander::Generated(..) | Stander::Default(..) => {}
            }
        }
    }

    /// Drops an object with everything that stands on it; all of it is made again.
    pub(super) fn put_object_aside(&mut self, object: &ObjectName) {
        if !self.drop(object) {
            return;
        }
        self.make(object);
        match object.kind {
            ObjectKind::View | ObjectKind::MaterializedView => {
                let parts = self.alterer.made.iter().map(|made| &made.object);
                let parts: Vec<ObjectName> =
                    parts.filter(|part| part.table.as_deref() == Some(&object.name)).cloned().collect();
                parts.iter().for_each(|part| self.make(part));
                let grounds = self.alterer.edges.grounds_of(&object.name);
                grounds.iter().for_each(|ground| self.put_aside(ground, Reach::Everything));
            }
            ObjectKind::Function => self.put_aside(&Ground::Function(object.name.clone()), Reach::Everything),
            kind if kind.is_constraint() => {
                if let Some(name) = self.alterer.made(object).and_then(constraint::name_in) {
                    let ground = Ground::Constraint(object.owner().to_owned(), name);
                    self.put_aside(&ground, Reach::Everything);
                }
            }
            _ => {}
        }
    }

    /// What was made last goes first.
    fn queue_drops(&mut self) {
        let drops = std::mem::take(&mut self.drops);
        let alterer = self.alterer;
        for made in alterer.made.iter().rev() {
            let Some(because) = drops.get(&made.object) else { continue };
            self.because = because.clone();
            let sql = part::drop_statement(self, &made.object, &made.sql);
            let why = if *because == made.object {
                None
            } else {
                Some(format!("{} stands in the way and is made again", made.object))
            };
            self.queue(Stage::Aside, RepairAction::Replace, &made.object, sql, Vec::new());
            if let Some((_, alteration)) = self.queue.last_mut() {
                alteration.why = why;
            }
        }
    }

    fn queue_makes(&mut self) {
        let makes = std::mem::take(&mut self.makes);
        let statements = makes.keys().filter_map(|object| Some((object.clone(), self.statement(object)?)));
        let named = |kinds: &[ObjectKind]| -> Vec<String> {
            let objects = makes.keys().filter(|object| kinds.contains(&object.kind));
            objects.map(|object| self.alterer.names.split(&object.name).1.to_owned()).collect()
        };
        let table_names = named(&[ObjectKind::Table]);
        let view_names = named(&[ObjectKind::View, ObjectKind::MaterializedView]);
        let (views, others): (Vec<_>, Vec<_>) =
            statements.partition(|(object, _)| matches!(object.kind, ObjectKind::View | ObjectKind::MaterializedView));
        for (object, sql) in others.into_iter().chain(views_in_order(views)) {
            self.because = makes[&object].clone();
            let is_there = self.alterer.made(&object).is_some();
            let action = if is_there { RepairAction::Replace } else { RepairAction::Add };
            if object.kind.is_constraint() {
                constraint::add(self, &object, &sql);
            } else if object.kind == ObjectKind::Function && names_any(&sql, &view_names) {
                self.queue(Stage::LateFunction, action, &object, sql, Vec::new());
            } else if object.kind == ObjectKind::Function && names_any(&sql, &table_names) {
                self.queue(Stage::ReadingFunction, action, &object, sql, Vec::new());
            } else if object.kind != ObjectKind::Index || !part::build_alone(self, &object, &sql) {
                let is_index = object.kind == ObjectKind::Index;
                let conditions = if is_index { part::conditions(self, &object) } else { Vec::new() };
                self.queue(stage(&object, &sql), action, &object, sql, conditions);
                part::give_rights_back(self, &object);
            }
        }
        // A partition is made behind its table.
        let is_partition = |sql: &str| sql.contains(" PARTITION OF ") || sql.contains(" INHERITS (");
        self.queue.sort_by_key(|(stage, one)| (*stage, *stage == Stage::Table && is_partition(&one.sql)));
    }
}
