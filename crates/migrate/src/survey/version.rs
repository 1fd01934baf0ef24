//! Judges each migration by its footprint, given the version of each source that the real schema resembles most.

use std::collections::{BTreeMap, BTreeSet};

use super::{Recorded, Standing};
use crate::{
    checksum::{Change, Checksum},
    ledger::{Ledger, Row, Witness},
    migration::{Migration, MigrationId},
    replay::{Chain, Link},
    schema::{Footprint, ObjectName, Presence, Schema, differences},
    source::{APP, Source},
};

pub(super) fn standings(sources: &[Source], ledger: &Ledger, chain: &Chain, observed: &Schema) -> Vec<Standing> {
    let reached: BTreeSet<&MigrationId> =
        sources.iter().flat_map(|source| reached(source, ledger, chain, observed)).collect();
    let mut standings: Vec<Standing> = Vec::new();
    for source in sources {
        let mut own: BTreeMap<i64, Standing> = BTreeMap::new();
        for migration in source.migrations() {
            let standing =
                standing(migration, ledger.row(&migration.id), &Sight { chain, observed, reached: &reached });
            own.entry(migration.id.number).or_insert(standing);
        }
        for row in ledger.rows.iter().filter(|row| row.id().source == source.name()) {
            own.entry(row.number).or_insert_with(|| without_file(row));
        }
        standings.extend(own.into_values());
    }
    // What a directory that is not at hand has applied is named, and no more.
    let is_known = |row: &&Row| row.id().source == APP || sources.iter().any(|it| it.name() == row.id().source);
    standings.extend(ledger.rows.iter().filter(|row| !is_known(row)).map(without_file));
    standings
}

/// The migrations up to the version that fits best. Where several fit alike the one that the ledger records wins, then
/// the oldest, because a migration that leaves no trace is better run than believed.
fn reached<'a>(source: &Source, ledger: &Ledger, chain: &'a Chain, observed: &Schema) -> Vec<&'a MigrationId> {
    let own: Vec<(usize, &Link)> =
        chain.links().iter().enumerate().filter(|(_, link)| link.id.source == source.name()).collect();
    let Some((first, _)) = own.first() else {
        return Vec::new();
    };
    let touched: BTreeSet<&ObjectName> = own.iter().flat_map(|(_, link)| link.footprint.objects()).collect();
    let recorded = own.iter().rposition(|(_, link)| ledger.is_applied(&link.id)).map_or(0, |at| at + 1);
    let fits = (0..=own.len()).map(|version| {
        let distance = distance(&chain.after(first + version), observed, &touched);
        (distance, version != recorded, version)
    });
    let version = fits.min().map_or(0, |(_, _, version)| version);
    own[..version].iter().map(|(_, link)| &link.id).collect()
}

/// How many of the source's own objects are not as expected; a whole table counts with all that belongs to it.
fn distance(expected: &Schema, observed: &Schema, touched: &BTreeSet<&ObjectName>) -> usize {
    let comparison = differences(expected, observed);
    let parts = |schema: &Schema, owner: &str| schema.objects().filter(|(name, _)| name.owner() == owner).count();
    let differing = comparison.differences.iter().filter(|difference| touched.contains(&difference.object));
    let differing = differing.map(|difference| match (&difference.object.table, &difference.found) {
        (None, None) => parts(expected, difference.object.owner()),
        _ => 1,
    });
    let foreign = comparison.foreign.iter().filter(|name| touched.contains(name));
    differing.sum::<usize>() + foreign.map(|name| parts(observed, name.owner())).sum::<usize>()
}

struct Sight<'a> {
    chain: &'a Chain,
    observed: &'a Schema,
    reached: &'a BTreeSet<&'a MigrationId>,
}

impl Sight<'_> {
    /// What is left to see of a footprint, given the later migrations that are reached too.
    fn footprint(&self, id: &MigrationId) -> Option<Footprint> {
        let at = self.chain.links().iter().position(|link| link.id == *id)?;
        let own = self.chain.links()[at].footprint.clone();
        if !self.reached.contains(id) {
            return Some(own);
        }
        let later = self.chain.links()[at + 1..].iter().filter(|link| self.reached.contains(&link.id));
        Some(later.fold(own, |footprint, link| footprint.then(&link.footprint)))
    }

    fn already_there(&self, id: &MigrationId) -> Vec<ObjectName> {
        let Some(link) = self.chain.link(id).filter(|_| !self.reached.contains(id)) else {
            return Vec::new();
        };
        let is_there = |name: &&ObjectName| self.observed.contains(name) && !self.is_made_by_others(name, id);
        link.footprint.adds.keys().filter(is_there).cloned().collect()
    }

    // What a migration that is reached makes is there by right, even if a later one makes it again.
    fn is_made_by_others(&self, name: &ObjectName, id: &MigrationId) -> bool {
        let mut others = self.chain.links().iter().filter(|link| link.id != *id && self.reached.contains(&link.id));
        others.any(|link| link.footprint.adds.contains_key(name))
    }
}

fn standing(migration: &Migration, row: Option<&Row>, sight: &Sight<'_>) -> Standing {
    let presence = sight.footprint(&migration.id).map(|footprint| footprint.presence(sight.observed));
    Standing {
        id: migration.id.clone(),
        name: migration.name.clone(),
        has_file: true,
        recorded: row.map_or(Recorded::Never, recorded),
        change: change(migration, row),
        witness: row.map_or(Witness::Shown, |row| row.witness),
        is_reached: sight.reached.contains(&migration.id) && !matches!(presence, Some(Presence::Absent)),
        already_there: sight.already_there(&migration.id),
        presence,
        statements_done: 0,
        problem: None,
    }
}

fn without_file(row: &Row) -> Standing {
    Standing {
        id: row.id(),
        name: row.name.clone(),
        has_file: false,
        recorded: recorded(row),
        change: Change::None,
        witness: row.witness,
        presence: None,
        is_reached: false,
        already_there: Vec::new(),
        statements_done: 0,
        problem: None,
    }
}

fn recorded(row: &Row) -> Recorded {
    if row.is_applied() { Recorded::Applied } else { Recorded::RolledBack }
}

fn change(migration: &Migration, row: Option<&Row>) -> Change {
    let recorded: Option<&Checksum> = row.filter(|row| row.is_applied()).and_then(|row| row.checksum.as_ref());
    match (migration.checksum(), recorded) {
        (Some(now), Some(then)) => now.change_since(then),
        _ => Change::None,
    }
}
