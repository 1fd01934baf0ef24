use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::Broken;
use crate::{
    files::migration::{Migration, MigrationId},
    schema::{Definition as Meaning, Footprint, ObjectName, Schema},
    target::{Definition, SchemaChanges},
};

/// What a row of migrations makes of an empty database.
///
/// Each link holds only what its migration changes, so that ten thousand of them are not ten thousand schemas.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    links: Vec<Link>,
    broken: Option<Broken>,
    places: HashMap<MigrationId, usize>,
    last: Schema,
    touching: OnceLock<HashMap<ObjectName, Vec<usize>>>,
    visited: Visited,
}

/// One migration of a chain with what it left behind.
#[derive(Debug, Clone)]
pub struct Link {
    /// The migration.
    pub id: MigrationId,
    /// What it adds, changes and drops.
    pub footprint: Footprint,
    /// What is there before and after and is not the same, its place included.
    moved: Vec<(ObjectName, Arc<Meaning>)>,
    /// The statements of what it adds or changes.
    definitions: Vec<Definition>,
}

/// The version that was asked for last: whoever walks along the chain pays for each step only.
#[derive(Debug, Default)]
struct Visited(Mutex<(usize, Schema)>);

impl Clone for Visited {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Chain {
    /// The migrations that ran, in order.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The migration that did not run, if one did not.
    pub fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    /// The place of a migration among [`Chain::links`].
    pub fn place(&self, id: &MigrationId) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// The link of a migration.
    pub fn link(&self, id: &MigrationId) -> Option<&Link> {
        self.links.get(self.place(id)?)
    }

    /// The places of the migrations that add, change or drop an object, in order.
    pub fn touching(&self, object: &ObjectName) -> &[usize] {
        let touching = self.touching.get_or_init(|| {
            let mut touching: HashMap<ObjectName, Vec<usize>> = HashMap::new();
            for (place, link) in self.links.iter().enumerate() {
                for object in link.footprint.objects() {
                    touching.entry(object.clone()).or_default().push(place);
                }
            }
            touching
        });
        touching.get(object).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether these migrations are the first of the chain, so that it knows what they make.
    pub fn begins_with(&self, migrations: &[&Migration]) -> bool {
        let same = migrations.iter().zip(&self.links).all(|(migration, link)| migration.id == link.id);
        same && migrations.len() <= self.links.len()
    }

    /// The schema before a migration.
    pub fn before(&self, id: &MigrationId) -> Schema {
        self.after(self.place(id).unwrap_or(0))
    }

    /// The schema after a migration; an empty one where the chain does not reach it.
    pub fn with(&self, id: &MigrationId) -> Schema {
        self.place(id).map_or_else(Schema::new, |place| self.after(place + 1))
    }

    /// The schema after the first `count` migrations.
    pub fn after(&self, count: usize) -> Schema {
        if count >= self.links.len() {
            return self.last.clone();
        }
        let mut visited = self.visited.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (place, schema) = &mut *visited;
        if *place > count {
            (*place, *schema) = (0, Schema::new());
        }
        for link in &self.links[*place..count] {
            link.apply_to(schema);
        }
        *place = count;
        schema.clone()
    }

    /// The schema after all of them.
    pub fn last(&self) -> Schema {
        self.last.clone()
    }

    /// The statement of every object after the first `count` migrations.
    pub fn definitions(&self, count: usize) -> BTreeMap<ObjectName, String> {
        let mut definitions = BTreeMap::new();
        self.carry_definitions(&mut definitions, 0, count);
        definitions
    }

    /// Brings the statements of every object after the first `from` migrations to those after the first `to`.
    pub(crate) fn carry_definitions(&self, definitions: &mut BTreeMap<ObjectName, String>, from: usize, to: usize) {
        for link in self.links.iter().take(to).skip(from) {
            for gone in &link.footprint.drops {
                definitions.remove(gone);
            }
            definitions.extend(link.definitions.iter().map(|made| (made.object.clone(), made.sql.clone())));
        }
    }
}

impl Link {
    /// Brings the schema before the migration to what it is after it.
    pub(crate) fn apply_to(&self, schema: &mut Schema) {
        for gone in &self.footprint.drops {
            schema.remove(gone);
        }
        let moved = self.moved.iter().map(|(name, meaning)| (name, meaning));
        for (name, meaning) in self.footprint.adds.iter().chain(moved) {
            schema.put(name.clone(), Arc::clone(meaning));
        }
    }

    /// The tables and views that it makes, changes or drops, or of which it changes a part.
    pub(crate) fn owners(&self) -> BTreeSet<&str> {
        let moved = self.moved.iter().map(|(name, _)| name);
        self.footprint.objects().into_iter().chain(moved).map(ObjectName::owner).collect()
    }
}

/// A chain to which links are added.
#[derive(Default)]
pub(super) struct Growing {
    chain: Chain,
    definitions: BTreeMap<ObjectName, String>,
}

impl Growing {
    pub(super) fn add(&mut self, id: &MigrationId, changes: SchemaChanges) {
        let SchemaChanges { owners, schema: now, definitions } = changes;
        let before = self.chain.last.only(owners.iter().map(String::as_str));
        let footprint = Footprint::between(&before, &now);
        let is_moved = |name: &&ObjectName| {
            let old = before.definition(name);
            old.is_some() && old != now.definition(name)
        };
        let shared = |name: &ObjectName| Some((name.clone(), Arc::clone(now.shared(name)?)));
        let moved = now.objects().map(|(name, _)| name).filter(is_moved).filter_map(shared).collect();
        for gone in &footprint.drops {
            self.definitions.remove(gone);
        }
        let definitions = self.reworded(definitions);
        for owner in &owners {
            self.chain.last.replace_owner(owner, &now);
        }
        self.chain.places.entry(id.clone()).or_insert(self.chain.links.len());
        self.chain.links.push(Link { id: id.clone(), footprint, moved, definitions });
    }

    /// Those that are not as they were.
    fn reworded(&mut self, mut definitions: Vec<Definition>) -> Vec<Definition> {
        definitions.retain(|definition| self.definitions.get(&definition.object) != Some(&definition.sql));
        let known = definitions.iter().map(|definition| (definition.object.clone(), definition.sql.clone()));
        self.definitions.extend(known);
        definitions
    }

    pub(super) fn whole(self) -> Chain {
        self.chain
    }

    pub(super) fn broken(mut self, broken: Broken) -> Chain {
        self.chain.broken = Some(broken);
        self.chain
    }
}
