//! What one migration does to a schema, and whether a database shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::definition::{Definition, Facet};
use super::difference::{self, Difference};
use super::later::Later;
use super::object::ObjectName;
use super::{ObjectKind, Schema};

/// One facet of one object that a migration sets to something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The object, which is there before and after.
    pub object: ObjectName,
    /// The part of it that changes.
    pub facet: Facet,
    /// Its text before; `None` if it did not have it.
    pub before: Option<String>,
    /// Its text after; `None` if it has it no more.
    pub after: Option<String>,
}

impl Change {
    /// What the facet says before, after and in a real schema. An order counts only as far as its columns are
    /// there, so that later migrations may add and drop others.
    fn texts(&self, found: &Definition, observed: &Schema) -> [Option<String>; 3] {
        if self.facet != Facet::ColumnOrder {
            let found = found.facet(self.facet).map(str::to_owned);
            return [self.before.clone(), self.after.clone(), found];
        }
        let there = observed.columns(self.object.owner());
        let order = |text: &Option<String>| -> Vec<String> {
            let named = text.iter().flat_map(|text| text.split(", "));
            named.filter(|one| there.contains(one)).map(str::to_owned).collect()
        };
        let (before, after) = (order(&self.before), order(&self.after));
        let found = there.iter().map(|one| (*one).to_owned());
        let found = found.filter(|one| after.contains(one)).collect();
        [before, after, found].map(|order: Vec<String>| Some(order.join(", ")))
    }
}

/// The objects that a migration adds, changes and drops, down to columns and constraints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// What is there only afterwards.
    pub adds: BTreeMap<ObjectName, Arc<Definition>>,
    /// What is there before and after, and differs.
    pub changes: Vec<Change>,
    /// What is there only before.
    pub drops: BTreeSet<ObjectName>,
    // What later migrations add to the tables of this one, so that it does not count against it.
    later: BTreeSet<ObjectName>,
}

/// How much of a footprint a database shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Presence {
    /// All of it: the migration ran, or somebody did the same by hand.
    Present,
    /// None of it: the migration did not run.
    Absent,
    /// Some of it.
    #[non_exhaustive]
    Partial {
        /// What it adds or changes that is there.
        present: Vec<ObjectName>,
        /// What it adds or changes that is not.
        missing: Vec<ObjectName>,
        /// What it drops that is there still.
        lingering: Vec<ObjectName>,
    },
    /// Something of that name is there, and is neither what was before nor what comes after.
    Conflicting(Vec<Difference>),
    /// The footprint is empty, so that the schema cannot tell: the migration touches data alone, or later ones
    /// undid everything that it did.
    Invisible,
}

impl Footprint {
    /// What leads from one schema to another.
    #[must_use]
    pub fn between(before: &Schema, after: &Schema) -> Self {
        let mut footprint = Self::default();
        for (name, definition) in after.objects() {
            match before.definition(name) {
                Some(old) => footprint.changes.extend(changes(name, old, definition)),
                None => footprint.adds.extend(after.shared(name).map(|shared| (name.clone(), Arc::clone(shared)))),
            }
        }
        footprint.changes.extend(after.tables().filter_map(|table| reordered(before, after, table)));
        let gone = before.objects().filter(|(name, _)| !after.contains(name));
        footprint.drops = gone.map(|(name, _)| name.clone()).collect();
        footprint
    }

    /// Whether it adds, changes and drops nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.adds.is_empty() && self.changes.is_empty() && self.drops.is_empty()
    }

    /// Every object that it adds, changes or drops, each once.
    #[must_use]
    pub fn objects(&self) -> BTreeSet<&ObjectName> {
        let changed = self.changes.iter().map(|change| &change.object);
        self.adds.keys().chain(changed).chain(&self.drops).collect()
    }

    /// What is worth naming of it: the tables that it makes as a whole, and what it adds to others.
    #[must_use]
    pub fn main_objects(&self) -> Vec<&ObjectName> {
        let is_whole = |name: &ObjectName| name.table.is_none();
        let made_whole: BTreeSet<&str> =
            self.adds.keys().filter(|name| is_whole(name)).map(ObjectName::owner).collect();
        let is_main =
            |name: &&ObjectName| is_whole(name) || !made_whole.contains(name.owner()) && !name.kind.is_constraint();
        let added: Vec<&ObjectName> = self.adds.keys().filter(is_main).collect();
        if !added.is_empty() {
            return added;
        }
        self.objects().into_iter().collect()
    }

    /// Whether it adds, changes or drops that object.
    #[must_use]
    pub fn touches(&self, name: &ObjectName) -> bool {
        self.adds.contains_key(name)
            || self.drops.contains(name)
            || self.changes.iter().any(|change| change.object == *name)
    }

    /// What is left to see of this footprint once a later migration has run as well: objects that it dropped are
    /// gone, facets that it changed have its value. Empty if everything was superseded.
    #[must_use]
    pub fn then(&self, later: &Self) -> Self {
        let mut one = Later::default();
        one.put_before(later);
        let mut rest = self.after(&one);
        rest.later.extend(later.adds.keys().cloned());
        rest
    }

    /// [`Footprint::then`] for all later migrations at once. What they add to the tables of this one is asked of
    /// `later` by [`Footprint::presence_before`].
    pub(crate) fn after(&self, later: &Later<'_>) -> Self {
        let mut rest = self.clone();
        rest.adds.retain(|name, _| !later.drops(name));
        rest.changes.retain(|change| !later.drops(&change.object));
        rest.drops.retain(|name| !later.adds(name));
        for (name, definition) in &mut rest.adds {
            // The order of an added table's columns is no facet of its definition.
            for (facet, text) in later.facets(name).filter(|(facet, _)| *facet != Facet::ColumnOrder) {
                Arc::make_mut(definition).set(facet, text.map(str::to_owned));
            }
        }
        rest.changes.retain_mut(|change| later.supersede(change));
        rest
    }

    /// Looks for it in a real schema. Columns, indexes and triggers that others added do not count against it;
    /// a constraint that nobody is known to have added to a table of its own does.
    ///
    /// What it drops is evidence only if it does nothing else: that an object is not there does not show that
    /// it ever was.
    #[must_use]
    pub fn presence(&self, observed: &Schema) -> Presence {
        self.presence_before(observed, &Later::default())
    }

    /// [`Footprint::presence`] where later migrations may have added constraints to the same tables.
    pub(crate) fn presence_before(&self, observed: &Schema, later: &Later<'_>) -> Presence {
        if self.is_empty() {
            return Presence::Invisible;
        }
        let mut sighting = Sighting::default();
        self.look_for_adds(observed, later, &mut sighting);
        self.look_for_changes(observed, &mut sighting);
        sighting.conflicts = difference::paired(sighting.conflicts);
        let (lingering, gone): (Vec<_>, Vec<_>) = self.drops.iter().cloned().partition(|name| observed.contains(name));
        if self.adds.is_empty() && self.changes.is_empty() {
            sighting.present = gone;
        }
        sighting.verdict(lingering)
    }

    fn look_for_adds(&self, observed: &Schema, later: &Later<'_>, sighting: &mut Sighting) {
        for (name, definition) in &self.adds {
            match observed.definition(name) {
                Some(found) => sighting.compare(name, definition, found),
                None if self.is_part_of_missing_table(name, observed) => {}
                None => sighting.missing.push(name.clone()),
            }
        }
        let tables = self.adds.keys().filter(|name| name.kind == ObjectKind::Table);
        for (name, definition) in tables.flat_map(|table| observed.of_owner(table.owner())) {
            if self.is_stray_constraint(name) && !later.adds(name) {
                sighting.conflicts.push(difference::extra(name, definition));
            }
        }
        self.replaced_constraints(sighting);
    }

    fn look_for_changes(&self, observed: &Schema, sighting: &mut Sighting) {
        for change in &self.changes {
            let Some(definition) = observed.definition(&change.object) else {
                sighting.missing.push(change.object.clone());
                continue;
            };
            let [before, after, found] = change.texts(definition, observed);
            if found == after {
                sighting.present.push(change.object.clone());
            } else if found == before {
                sighting.missing.push(change.object.clone());
            } else {
                let texts = (after.as_deref(), found.as_deref());
                let conflict = difference::facet_differs(&change.object, change.facet, texts);
                sighting.conflicts.push(conflict);
            }
        }
    }

    // A table that is missing as a whole is named once, not with each of its parts.
    fn is_part_of_missing_table(&self, name: &ObjectName, observed: &Schema) -> bool {
        let owner = ObjectName::table(name.owner());
        name.table.is_some() && self.adds.contains_key(&owner) && !observed.contains(&owner)
    }

    fn is_stray_constraint(&self, name: &ObjectName) -> bool {
        name.kind.is_constraint()
            && self.adds.contains_key(&ObjectName::table(name.owner()))
            && !self.adds.contains_key(name)
            && !self.later.contains(name)
    }

    // Beside a stray constraint of the same sort, one that is missing was replaced rather than never made.
    fn replaced_constraints(&self, sighting: &mut Sighting) {
        let stray: BTreeSet<(ObjectKind, String)> =
            sighting.conflicts.iter().map(|one| (one.object.kind, one.object.owner().to_owned())).collect();
        let is_replaced =
            |name: &ObjectName| name.kind.is_constraint() && stray.contains(&(name.kind, name.owner().to_owned()));
        let replaced: Vec<ObjectName> = sighting.missing.extract_if(.., |name| is_replaced(name)).collect();
        for name in replaced {
            sighting.conflicts.push(difference::missing(&name, &self.adds[&name]));
        }
    }
}

#[derive(Default)]
struct Sighting {
    present: Vec<ObjectName>,
    missing: Vec<ObjectName>,
    conflicts: Vec<Difference>,
}

impl Sighting {
    fn compare(&mut self, name: &ObjectName, expected: &Definition, found: &Definition) {
        let differences = difference::facets(name, expected, found);
        if differences.is_empty() {
            self.present.push(name.clone());
        }
        self.conflicts.extend(differences);
    }

    fn verdict(mut self, lingering: Vec<ObjectName>) -> Presence {
        if !self.conflicts.is_empty() {
            return Presence::Conflicting(self.conflicts);
        }
        if self.missing.is_empty() && lingering.is_empty() {
            return Presence::Present;
        }
        if self.present.is_empty() {
            return Presence::Absent;
        }
        self.present.dedup();
        self.missing.dedup();
        Presence::Partial { present: self.present, missing: self.missing, lingering }
    }
}

fn changes(name: &ObjectName, before: &Definition, after: &Definition) -> Vec<Change> {
    let every: BTreeSet<Facet> = before.facets().chain(after.facets()).map(|(facet, _)| facet).collect();
    let text = |definition: &Definition, facet| definition.facet(facet).map(str::to_owned);
    every
        .into_iter()
        .filter(|facet| before.facet(*facet) != after.facet(*facet))
        .map(|facet| Change { object: name.clone(), facet, before: text(before, facet), after: text(after, facet) })
        .collect()
}

fn reordered(before: &Schema, after: &Schema, table: &str) -> Option<Change> {
    let order = difference::column_order(before, after, table)?;
    Some(Change { object: order.object, facet: Facet::ColumnOrder, before: order.expected, after: order.found })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(objects: &[(ObjectName, &str)]) -> Schema {
        let mut schema = Schema::new();
        for (place, (name, text)) in objects.iter().enumerate() {
            let definition = Definition::new().with(Facet::Type, *text).at(place);
            schema.insert(name.clone(), definition);
        }
        schema
    }

    fn table() -> (ObjectName, &'static str) {
        (ObjectName::table("job"), "")
    }

    fn column(name: &'static str, type_name: &'static str) -> (ObjectName, &'static str) {
        (ObjectName::on(ObjectKind::Column, "job", name), type_name)
    }

    #[test]
    fn a_drop_alone_is_present_when_the_object_is_gone() {
        let before = schema(&[table(), column("id", "INTEGER"), column("old", "TEXT")]);
        let after = schema(&[table(), column("id", "INTEGER")]);
        let footprint = Footprint::between(&before, &after);
        assert_eq!(footprint.presence(&before), Presence::Absent);
        assert_eq!(footprint.presence(&after), Presence::Present);
    }

    #[test]
    fn a_drop_beside_an_addition_is_no_evidence_that_it_ran() {
        let before = schema(&[table(), column("id", "INTEGER"), column("old", "TEXT")]);
        let after = schema(&[table(), column("id", "INTEGER"), column("new", "TEXT")]);
        let neither = schema(&[table(), column("id", "INTEGER")]);
        let footprint = Footprint::between(&before, &after);
        assert_eq!(footprint.presence(&neither), Presence::Absent);
    }

    #[test]
    fn what_lingers_beside_an_addition_makes_it_partial() {
        let before = schema(&[table(), column("old", "TEXT")]);
        let after = schema(&[table(), column("new", "TEXT")]);
        let both = schema(&[table(), column("old", "TEXT"), column("new", "TEXT")]);
        let presence = Footprint::between(&before, &after).presence(&both);
        assert!(matches!(presence, Presence::Partial { lingering, .. } if lingering.len() == 1));
    }

    #[test]
    fn a_third_value_of_what_it_changes_is_a_conflict() {
        let states = ["TEXT", "INTEGER", "REAL"].map(|text| schema(&[table(), column("at", text)]));
        let presence = Footprint::between(&states[0], &states[1]).presence(&states[2]);
        let Presence::Conflicting(differences) = presence else {
            panic!("expected a conflict, found {presence:?}");
        };
        assert_eq!(differences[0].to_string(), "column job.at: expected INTEGER, found REAL");
    }

    #[test]
    fn an_order_is_looked_for_among_the_columns_that_are_there() {
        let before = schema(&[table(), column("a", ""), column("b", ""), column("c", "")]);
        let after = schema(&[table(), column("c", ""), column("b", ""), column("a", "")]);
        let footprint = Footprint::between(&before, &after);
        let later = schema(&[table(), column("c", ""), column("x", ""), column("a", "")]);
        assert_eq!(footprint.presence(&before), Presence::Absent);
        assert_eq!(footprint.presence(&later), Presence::Present);
    }

    #[test]
    fn a_migration_that_later_ones_undid_is_invisible() {
        let without = schema(&[table(), column("id", "INTEGER")]);
        let with = schema(&[table(), column("id", "INTEGER"), column("tried", "TEXT")]);
        let seen = Footprint::between(&without, &with).then(&Footprint::between(&with, &without));
        assert_eq!(seen.presence(&without), Presence::Invisible);
        assert_eq!(Footprint::default().presence(&with), Presence::Invisible);
    }
}
