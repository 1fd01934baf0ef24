//! What is true of a table as a whole.

use std::collections::BTreeSet;

use longshore_migrate::schema::{Definition, DifferenceKind, Facet, ObjectName};

use super::{constraint, order::Stage, part::options, work::Work};

pub(super) fn alter(work: &mut Work<'_>, object: &ObjectName, kinds: &BTreeSet<DifferenceKind>) {
    use DifferenceKind as K;
    if kinds.contains(&K::TableMissing) {
        return work.make_whole(object);
    }
    let expected = work.request.expected.definition(object).cloned();
    let found = work.alterer.observed.definition(object).cloned();
    let (Some(expected), Some(found)) = (expected, found) else { return };
    let table = work.sql(&object.name);
    let say =
        |work: &mut Work<'_>, what: &str| work.say(Stage::Settings, object, format!("ALTER TABLE {table} {what}"));
    if kinds.contains(&K::Partition) && !move_partition(work, object, &expected, &found) {
        return;
    }
    if kinds.contains(&K::Inherits) {
        inherit(work, object, &expected, &found);
    }
    if kinds.contains(&K::Persistence) && !work.is_large(&object.name) {
        say(work, if expected.facet(Facet::Persistence).is_some() { "SET UNLOGGED" } else { "SET LOGGED" });
    }
    if kinds.contains(&K::Options) {
        for what in options(expected.facet(Facet::Options), found.facet(Facet::Options)) {
            say(work, &what);
        }
    }
    if kinds.contains(&K::RowSecurity) {
        row_security(&expected, &found).iter().for_each(|what| say(work, what));
    }
    if kinds.contains(&K::ReplicaIdentity) {
        let identity = match expected.facet(Facet::ReplicaIdentity) {
            Some(index) if index.starts_with("INDEX ") => format!("USING {index}"),
            Some(identity) => identity.to_owned(),
            None => "DEFAULT".to_owned(),
        };
        say(work, &format!("REPLICA IDENTITY {identity}"));
    }
    if kinds.contains(&K::PrimaryKey) || kinds.contains(&K::Terms) {
        remake_key(work, object);
    }
}

fn remake_key(work: &mut Work<'_>, object: &ObjectName) {
    let key = constraint::key_of(&object.name);
    let is_there = work.alterer.made(&key).is_some();
    let is_wanted = work.expected(&key).is_some();
    if is_there && work.is_large(&object.name) && is_wanted {
        return;
    }
    if is_there && is_wanted {
        work.put_object_aside(&key);
    } else if is_there {
        constraint::drop_only(work, &key);
    }
    if is_wanted {
        work.make(&key);
    }
}

/// A partition that is elsewhere, or has other bounds. What else differs of one that stands by itself comes right with
/// it: its keys and indexes become those of the whole.
fn move_partition(work: &mut Work<'_>, object: &ObjectName, expected: &Definition, found: &Definition) -> bool {
    let table = work.sql(&object.name);
    let parent = |definition: &Definition| {
        let text = definition.facet(Facet::PartitionOf)?;
        let at = text.find(" FOR VALUES ").or_else(|| text.find(" DEFAULT"))?;
        Some((text[..at].to_owned(), text[at + 1..].to_owned()))
    };
    if let Some((old, _)) = parent(found) {
        work.say(Stage::Settings, object, format!("ALTER TABLE {old} DETACH PARTITION {table}"));
    }
    let Some((new, bound)) = parent(expected) else { return true };
    work.say(Stage::Settings, object, format!("ALTER TABLE {new} ATTACH PARTITION {table} {bound}"));
    false
}

fn inherit(work: &mut Work<'_>, object: &ObjectName, expected: &Definition, found: &Definition) {
    let parents = |definition: &Definition| -> BTreeSet<String> {
        let text = definition.facet(Facet::Inherits).unwrap_or_default();
        text.split(", ").filter(|parent| !parent.is_empty()).map(str::to_owned).collect()
    };
    let (expected, found) = (parents(expected), parents(found));
    let table = work.sql(&object.name);
    for gone in found.difference(&expected) {
        work.say(Stage::Settings, object, format!("ALTER TABLE {table} NO INHERIT {gone}"));
    }
    for new in expected.difference(&found) {
        work.say(Stage::Settings, object, format!("ALTER TABLE {table} INHERIT {new}"));
    }
}

fn row_security(expected: &Definition, found: &Definition) -> Vec<&'static str> {
    let has = |definition: &Definition, word: &str| {
        definition.facet(Facet::RowSecurity).is_some_and(|text| text.contains(word))
    };
    let mut said = Vec::new();
    match (has(expected, "ENABLED"), has(found, "ENABLED")) {
        (true, false) => said.push("ENABLE ROW LEVEL SECURITY"),
        (false, true) => said.push("DISABLE ROW LEVEL SECURITY"),
        _ => {}
    }
    match (has(expected, "FORCED"), has(found, "FORCED")) {
        (true, false) => said.push("FORCE ROW LEVEL SECURITY"),
        (false, true) => said.push("NO FORCE ROW LEVEL SECURITY"),
        _ => {}
    }
    said
}
