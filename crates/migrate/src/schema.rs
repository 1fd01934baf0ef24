//! The meaning of a schema: what the tables are, apart from how they were written.
//!
//! A backend reads its catalog into a [`Schema`] with every text in canonical form; here two schemas are compared
//! ([`differences`]) and one migration's work is told from another's ([`Footprint`]). Nothing here knows a database.

mod definition;
mod difference;
mod footprint;
mod later;
mod object;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest, Sha256};

pub use definition::{Definition, Facet};
pub use difference::{Comparison, Difference, DifferenceKind, differences};
pub use footprint::{Change, Footprint, Presence};
pub(crate) use later::Later;
pub use object::{ObjectKind, ObjectName};

/// How the names of the objects begin that a database has only while its queue moves to another one, and of the table
/// that remembers the move. They are no part of the schema that is compared.
pub const MOVE_PREFIX: &str = "longshore_move";

/// Every object of a database, by name. Two are equal if they mean the same.
///
/// A clone costs nothing until one of the two is changed, so that a migration more is not a schema more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    objects: Arc<BTreeMap<ObjectName, Arc<Definition>>>,
}

impl Schema {
    /// A schema without objects.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object, or replaces the one of that name.
    pub fn insert(&mut self, name: ObjectName, definition: Definition) {
        self.put(name, Arc::new(definition));
    }

    /// [`Schema::insert`] of a definition that others have, too.
    pub(crate) fn put(&mut self, name: ObjectName, definition: Arc<Definition>) {
        Arc::make_mut(&mut self.objects).insert(name, definition);
    }

    /// Removes an object.
    pub(crate) fn remove(&mut self, name: &ObjectName) {
        Arc::make_mut(&mut self.objects).remove(name);
    }

    /// Replaces the table or view of that name, with all that belongs to it, by what `now` has of it.
    pub fn replace_owner(&mut self, owner: &str, now: &Self) {
        let gone: Vec<ObjectName> = self.of_owner(owner).map(|(name, _)| name.clone()).collect();
        let objects = Arc::make_mut(&mut self.objects);
        for name in gone {
            objects.remove(&name);
        }
        objects.extend(now.of_owner(owner).map(|(name, definition)| (name.clone(), Arc::clone(definition))));
    }

    /// The part of the schema that those tables and views are, with all that belongs to them.
    #[must_use]
    pub fn only<'names>(&self, owners: impl IntoIterator<Item = &'names str>) -> Self {
        let owned = owners.into_iter().flat_map(|owner| self.of_owner(owner));
        Self { objects: Arc::new(owned.map(|(name, definition)| (name.clone(), Arc::clone(definition))).collect()) }
    }

    /// The schema without what a move has put up: see [`MOVE_PREFIX`].
    #[must_use]
    pub fn without_move(mut self) -> Self {
        let is_of_move = |name: &ObjectName| {
            let base = |name: &str| name.rsplit('.').next().is_some_and(|base| base.starts_with(MOVE_PREFIX));
            base(&name.name) || base(name.owner())
        };
        if self.objects.keys().any(is_of_move) {
            Arc::make_mut(&mut self.objects).retain(|name, _| !is_of_move(name));
        }
        self
    }

    /// What belongs to a table or view, itself first. They are together, because a name is ordered by its owner.
    pub(crate) fn of_owner(&self, owner: &str) -> impl Iterator<Item = (&ObjectName, &Arc<Definition>)> {
        let from_it = self.objects.range(ObjectName::table(owner)..);
        from_it.take_while(move |(name, _)| name.owner() == owner)
    }

    /// How many objects a table or view is, itself included.
    pub(crate) fn size_of(&self, owner: &str) -> usize {
        self.of_owner(owner).count()
    }

    /// Every object with its definition: a table before what belongs to it, tables by name.
    pub fn objects(&self) -> impl Iterator<Item = (&ObjectName, &Definition)> {
        self.objects.iter().map(|(name, definition)| (name, &**definition))
    }

    /// What is true of an object, or `None` if there is none of that name.
    #[must_use]
    pub fn definition(&self, name: &ObjectName) -> Option<&Definition> {
        self.objects.get(name).map(|definition| &**definition)
    }

    /// [`Schema::definition`], to be shared.
    pub(crate) fn shared(&self, name: &ObjectName) -> Option<&Arc<Definition>> {
        self.objects.get(name)
    }

    /// Whether there is an object of that name.
    #[must_use]
    pub fn contains(&self, name: &ObjectName) -> bool {
        self.objects.contains_key(name)
    }

    /// Whether there is no object at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The names of the tables.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.named(ObjectKind::Table)
    }

    /// The names of the views.
    pub fn views(&self) -> impl Iterator<Item = &str> {
        self.named(ObjectKind::View)
    }

    /// The columns of a table in their order; empty if there is no such table.
    #[must_use]
    pub fn columns(&self, table: &str) -> Vec<&str> {
        let mut columns: Vec<(usize, &str)> = self
            .of_owner(table)
            .filter(|(name, _)| name.kind == ObjectKind::Column)
            .map(|(name, definition)| (definition.position, name.name.as_str()))
            .collect();
        columns.sort_unstable();
        columns.into_iter().map(|(_, name)| name).collect()
    }

    /// The same schema without some objects. A table or a view takes along what belongs to it.
    #[must_use]
    pub fn without<'names>(&self, names: impl IntoIterator<Item = &'names ObjectName>) -> Self {
        let gone: BTreeSet<&ObjectName> = names.into_iter().collect();
        if gone.is_empty() {
            return self.clone();
        }
        let owners: BTreeSet<&str> =
            gone.iter().filter(|name| name.table.is_none()).map(|name| ObjectName::owner(name)).collect();
        let mut rest = self.clone();
        Arc::make_mut(&mut rest.objects).retain(|name, _| !gone.contains(name) && !owners.contains(name.owner()));
        rest
    }

    /// A short text that is equal for equal schemas and differs for others: SHA-256 in hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut digest = Sha256::new();
        for (name, definition) in self.objects() {
            digest.update(name.to_string());
            digest.update(definition.position.to_le_bytes());
            for (facet, text) in definition.facets() {
                digest.update(format!("\0{facet:?}\0{text}"));
            }
            digest.update("\n");
        }
        digest.finalize().iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
            hex
        })
    }

    fn named(&self, kind: ObjectKind) -> impl Iterator<Item = &str> {
        self.objects.keys().filter(move |name| name.kind == kind).map(|name| name.name.as_str())
    }
}
