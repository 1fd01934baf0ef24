use std::collections::{BTreeMap, BTreeSet};

use super::definition::Facet;
use super::footprint::{Change, Footprint};
use super::object::ObjectName;

/// What all the migrations after one do together, by object, so that each of many footprints is compared with them at
/// once. It is made from the last migration to the first.
#[derive(Debug, Default)]
pub(crate) struct Later<'a> {
    objects: BTreeMap<&'a ObjectName, Fate<'a>>,
}

/// What becomes of one object.
#[derive(Debug, Default)]
struct Fate<'a> {
    is_added: bool,
    is_dropped: bool,
    facets: BTreeMap<Facet, Texts<'a>>,
}

/// What is set in place of one facet.
#[derive(Debug)]
struct Texts<'a> {
    last: Option<&'a str>,
    every: BTreeSet<Option<&'a str>>,
}

impl<'a> Later<'a> {
    /// Adds the migration that runs before all those that are in it.
    pub(crate) fn put_before(&mut self, footprint: &'a Footprint) {
        for name in footprint.adds.keys() {
            self.objects.entry(name).or_default().is_added = true;
        }
        for name in &footprint.drops {
            self.objects.entry(name).or_default().is_dropped = true;
        }
        for change in &footprint.changes {
            let text = change.after.as_deref();
            let fate = self.objects.entry(&change.object).or_default();
            let texts = fate.facets.entry(change.facet).or_insert(Texts { last: text, every: BTreeSet::new() });
            texts.every.insert(text);
        }
    }

    pub(super) fn adds(&self, name: &ObjectName) -> bool {
        self.objects.get(name).is_some_and(|fate| fate.is_added)
    }

    pub(super) fn drops(&self, name: &ObjectName) -> bool {
        self.objects.get(name).is_some_and(|fate| fate.is_dropped)
    }

    /// The facets of an object that are set again, with what they are in the end.
    pub(super) fn facets(&self, name: &ObjectName) -> impl Iterator<Item = (Facet, Option<&'a str>)> {
        let facets = self.objects.get(name).into_iter().flat_map(|fate| &fate.facets);
        facets.map(|(facet, texts)| (*facet, texts.last))
    }

    /// Puts what an earlier change comes to in the end into it. Whether anything of it is left to see: a later
    /// migration may have taken it back.
    pub(super) fn supersede(&self, change: &mut Change) -> bool {
        let fate = self.objects.get(&change.object);
        let Some(texts) = fate.and_then(|fate| fate.facets.get(&change.facet)) else {
            return change.before != change.after;
        };
        change.after = texts.last.map(str::to_owned);
        !texts.every.contains(&change.before.as_deref())
    }
}
