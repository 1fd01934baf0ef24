//! Judges each migration by its footprint, given the version of each source that the real schema resembles most.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{Recorded, Standing};
use crate::{
    execution::replay::{Chain, Link},
    files::checksum::{Change, Checksum},
    files::migration::{Migration, MigrationId},
    files::source::{APP, Source},
    ledger::{Ledger, Row, Witness},
    schema::{Later, ObjectName, Presence, Schema, differences},
};

pub(super) fn standings(sources: &[Source], ledger: &Ledger, chain: &Chain, observed: &Schema) -> Vec<Standing> {
    let reached: HashSet<&MigrationId> =
        sources.iter().flat_map(|source| reached(source, ledger, chain, observed)).collect();
    let mut sight = Sight::take(chain, observed, &reached);
    let rows = ledger.by_id();
    let mut standings: Vec<Standing> = Vec::new();
    for source in sources {
        let mut own: BTreeMap<i64, Standing> = BTreeMap::new();
        for migration in source.migrations() {
            let standing = standing(migration, rows.get(&migration.id).copied(), &mut sight);
            own.entry(migration.id.number).or_insert(standing);
        }
        for row in ledger.rows.iter().filter(|row| row.id().source == source.name()) {
            own.entry(row.number).or_insert_with(|| without_file(row));
        }
        standings.extend(own.into_values());
    }
    // What a directory that is not available has applied is named, and no more.
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
    let rows = ledger.by_id();
    let is_applied = |id: &MigrationId| rows.get(id).is_some_and(|row| row.is_applied());
    let recorded = own.iter().rposition(|(_, link)| is_applied(&link.id)).map_or(0, |at| at + 1);
    let mut distances = Distances::measure(&own, chain.after(*first), observed);
    let mut fits = vec![(distances.total, recorded != 0, 0)];
    for (at, (_, link)) in own.iter().enumerate() {
        distances.go_on(link, observed);
        fits.push((distances.total, recorded != at + 1, at + 1));
    }
    let version = fits.into_iter().min().map_or(0, |(_, _, version)| version);
    own[..version].iter().map(|(_, link)| &link.id).collect()
}

/// How far the real schema is from one version: how many of the source's own objects are not as expected.
///
/// Each table and each view is measured by itself, so that the next version costs what its migration changes.
struct Distances<'a> {
    touched: HashSet<&'a ObjectName>,
    expected: Schema,
    of_owner: HashMap<&'a str, usize>,
    total: usize,
}

impl<'a> Distances<'a> {
    fn measure(own: &[(usize, &'a Link)], expected: Schema, observed: &Schema) -> Self {
        let touched: HashSet<&ObjectName> = own.iter().flat_map(|(_, link)| link.footprint.objects()).collect();
        let owners: BTreeSet<&str> = touched.iter().map(|name| name.owner()).collect();
        let mut distances = Self { touched, expected, of_owner: HashMap::new(), total: 0 };
        owners.into_iter().for_each(|owner| distances.measure_owner(owner, observed));
        distances
    }

    /// Goes on to the version after `link`.
    fn go_on(&mut self, link: &'a Link, observed: &Schema) {
        link.apply_to(&mut self.expected);
        link.owners().into_iter().for_each(|owner| self.measure_owner(owner, observed));
    }

    /// A whole table counts with all that belongs to it.
    fn measure_owner(&mut self, owner: &'a str, observed: &Schema) {
        let (expected, found) = (self.expected.only([owner]), observed.only([owner]));
        let comparison = differences(&expected, &found);
        let differing = comparison.differences.iter().filter(|difference| self.touched.contains(&difference.object));
        let differing = differing.map(|difference| match (&difference.object.table, &difference.found) {
            (None, None) => expected.size_of(owner),
            _ => 1,
        });
        let foreign = comparison.foreign.iter().filter(|name| self.touched.contains(name));
        let distance = differing.sum::<usize>() + foreign.map(|_| found.size_of(owner)).sum::<usize>();
        self.total += distance;
        self.total -= self.of_owner.insert(owner, distance).unwrap_or_default();
    }
}

/// What the real schema shows of each migration.
struct Sight<'a> {
    presences: HashMap<&'a MigrationId, Presence>,
    reached: &'a HashSet<&'a MigrationId>,
    /// What migrations that are reached make: it is expected, even if a later one makes it again.
    made: HashSet<&'a ObjectName>,
    chain: &'a Chain,
    observed: &'a Schema,
}

impl<'a> Sight<'a> {
    /// From the last migration to the first, so that each one meets all that the later ones do at once.
    fn take(chain: &'a Chain, observed: &'a Schema, reached: &'a HashSet<&'a MigrationId>) -> Self {
        let mut later = Later::default();
        let mut presences = HashMap::new();
        let mut made = HashSet::new();
        for link in chain.links().iter().rev() {
            if !reached.contains(&link.id) {
                presences.insert(&link.id, link.footprint.presence(observed));
                continue;
            }
            presences.insert(&link.id, link.footprint.after(&later).presence_before(observed, &later));
            later.put_before(&link.footprint);
            made.extend(link.footprint.adds.keys());
        }
        Self { presences, reached, made, chain, observed }
    }

    fn already_there(&self, id: &MigrationId) -> Vec<ObjectName> {
        let Some(link) = self.chain.link(id).filter(|_| !self.reached.contains(id)) else {
            return Vec::new();
        };
        let is_there = |name: &&ObjectName| self.observed.contains(name) && !self.made.contains(name);
        link.footprint.adds.keys().filter(is_there).cloned().collect()
    }
}

fn standing(migration: &Migration, row: Option<&Row>, sight: &mut Sight<'_>) -> Standing {
    let presence = sight.presences.remove(&migration.id);
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
        is_interrupted: false,
        down_done: None,
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
        is_interrupted: false,
        down_done: None,
        problem: None,
    }
}

fn recorded(row: &Row) -> Recorded {
    if row.is_applied() { Recorded::Applied } else { Recorded::RolledBack }
}

fn change(migration: &Migration, row: Option<&Row>) -> Change {
    let recorded: Option<&Checksum> = row.filter(|row| row.is_applied()).and_then(|row| row.checksum.as_ref());
    let Some(then) = recorded else { return Change::None };
    migration.checksum().map_or(Change::None, |now| now.change_since(then))
}
