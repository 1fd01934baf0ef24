//! Types, domains, sequences and functions.

use std::collections::BTreeSet;

use longshore_migrate::{
    alterer::Moment,
    files::script::{Dialect, TokenKind},
    schema::{DifferenceKind, Facet, ObjectKind, ObjectName},
};

use super::{
    edges::Ground,
    order::Stage,
    part::name,
    work::{Reach, Work},
};

pub(super) fn alter(work: &mut Work<'_>, object: &ObjectName, kinds: &BTreeSet<DifferenceKind>) {
    let is_there = work.alterer.observed.contains(object);
    match object.kind {
        ObjectKind::Sequence => sequence(work, object, is_there, kinds),
        ObjectKind::Function if is_there => function(work, object, kinds),
        ObjectKind::Type if is_there => shape(work, object, kinds),
        ObjectKind::Domain if is_there => domain(work, object, kinds),
        _ if is_there || renamed(work, object).is_some() => {}
        _ => work.make_whole(object),
    }
}

/// A type that no migration made and that is the same but for its name: columns have it, so only a person knows.
pub(super) fn renamed(work: &Work<'_>, object: &ObjectName) -> Option<String> {
    let expected = work.request.expected.definition(object)?;
    let observed = work.alterer.observed.objects();
    let mut same = observed.filter(|(other, definition)| {
        let is_type = matches!(object.kind, ObjectKind::Type | ObjectKind::Domain) && other.kind == object.kind;
        is_type && *definition == expected && !work.request.expected.contains(other)
    });
    let (other, _) = same.next()?;
    let word = object.kind.word().to_uppercase();
    Some(format!("ALTER {word} {} RENAME TO {}", work.sql(&other.name), work.place(&object.name).1))
}

fn facet(work: &Work<'_>, object: &ObjectName, facet: Facet) -> (Option<String>, Option<String>) {
    let text = |definition: Option<&longshore_migrate::schema::Definition>| {
        definition.and_then(|it| it.facet(facet)).map(str::to_owned)
    };
    (text(work.request.expected.definition(object)), text(work.alterer.observed.definition(object)))
}

fn sequence(work: &mut Work<'_>, object: &ObjectName, is_there: bool, kinds: &BTreeSet<DifferenceKind>) {
    let sql = name(work, object);
    let (owned_by, _) = facet(work, object, Facet::OwnedBy);
    if !is_there {
        // It may stand by itself, where only its column has let it go.
        let is_alone = work.alterer.made.iter().any(|made| {
            let is_own = made.object.kind == ObjectKind::Sequence && made.object.table.is_none();
            is_own && work.sql(&made.object.name) == sql
        });
        if !is_alone {
            work.make(object);
        }
        let Some(column) = owned_by else { return };
        let table = work.sql(object.owner());
        work.say(Stage::Settings, object, format!("ALTER SEQUENCE {sql} OWNED BY {table}.{column}"));
        if !is_alone {
            let literal = sql.replace('\'', "''");
            let set = format!(
                "SELECT pg_catalog.setval('{literal}', max({column})) FROM {table} HAVING max({column}) >= \
                 (SELECT last_value FROM {sql})"
            );
            work.say(Stage::Settings, object, set);
        }
        return;
    }
    if !kinds.contains(&DifferenceKind::SequenceChanged) && !kinds.contains(&DifferenceKind::Persistence) {
        return;
    }
    let (values, found) = facet(work, object, Facet::Values);
    if values != found
        && let Some(values) = values
    {
        let cycle = if values.ends_with(" CYCLE") { "" } else { " NO CYCLE" };
        work.say(Stage::Sequence, object, format!("ALTER SEQUENCE {sql} {values}{cycle}"));
    }
    let (_, found_owner) = facet(work, object, Facet::OwnedBy);
    if owned_by != found_owner {
        let column = owned_by.map(|column| format!("{}.{column}", work.sql(object.owner())));
        let owner = column.unwrap_or_else(|| "NONE".to_owned());
        work.say(Stage::Settings, object, format!("ALTER SEQUENCE {sql} OWNED BY {owner}"));
    }
    if kinds.contains(&DifferenceKind::Persistence) {
        let (expected, _) = facet(work, object, Facet::Persistence);
        let how = if expected.is_some() { "UNLOGGED" } else { "LOGGED" };
        work.say(Stage::Sequence, object, format!("ALTER SEQUENCE {sql} SET {how}"));
    }
}

/// CREATE OR REPLACE keeps what stands on the function, as long as its names and its result stay.
fn function(work: &mut Work<'_>, object: &ObjectName, kinds: &BTreeSet<DifferenceKind>) {
    if !kinds.contains(&DifferenceKind::FunctionChanged) {
        return;
    }
    let head = |sql: &str| sql.split("\n LANGUAGE ").next().map(str::to_owned);
    let (expected, found) = (work.expected(object).and_then(head), work.alterer.made(object).and_then(head));
    let is_aggregate = work.expected(object).is_some_and(|sql| sql.starts_with("CREATE OR REPLACE AGGREGATE"));
    if expected != found && !is_aggregate {
        work.drop(object);
        work.put_aside(&Ground::Function(object.name.clone()), Reach::Everything);
    }
    work.make(object);
}

/// The texts in the brackets of an enum, as they are written.
fn labels(shape: &str) -> Option<Vec<String>> {
    let rest = shape.strip_prefix("ENUM ")?;
    let words = Dialect::Postgres.words(rest);
    Some(words.iter().filter(|word| word.kind == TokenKind::Quoted).map(|word| word.text.to_owned()).collect())
}

fn shape(work: &mut Work<'_>, object: &ObjectName, kinds: &BTreeSet<DifferenceKind>) {
    if !kinds.contains(&DifferenceKind::TypeChanged) {
        return;
    }
    let (Some(expected), Some(found)) = facet(work, object, Facet::Shape) else { return };
    let sql = work.sql(&object.name);
    if let (Some(expected), Some(found)) = (labels(&expected), labels(&found)) {
        let Some(changes) = label_changes(&expected, &found) else { return };
        for change in changes {
            let statement = format!("ALTER TYPE {sql} {change}");
            // What is added in a transaction can be used only after it.
            let is_used = change.starts_with("ADD VALUE") && work.request.differences.len() > 1;
            if is_used {
                let why = "a new value can be used only after its transaction";
                work.say_alone(Moment::Before, object, statement, why);
            } else {
                work.say(Stage::Type, object, statement);
            }
        }
        return;
    }
    for change in attribute_changes(&expected, &found).unwrap_or_default() {
        work.say(Stage::Type, object, format!("ALTER TYPE {sql} {change}"));
    }
}

/// Values are added and get their names back; none can be taken away.
fn label_changes(expected: &[String], found: &[String]) -> Option<Vec<String>> {
    if expected.len() == found.len() {
        let pairs = expected.iter().zip(found).filter(|(new, old)| new != old);
        let renamed: Vec<(&String, &String)> = pairs.collect();
        let is_renamed = renamed.iter().all(|(new, old)| !found.contains(new) && !expected.contains(old));
        let change = |(new, old): (&String, &String)| format!("RENAME VALUE {old} TO {new}");
        return is_renamed.then(|| renamed.into_iter().map(change).collect());
    }
    let kept: Vec<&String> = expected.iter().filter(|label| found.contains(label)).collect();
    if kept.len() != found.len() || !kept.into_iter().eq(found) {
        return None;
    }
    let mut changes = Vec::new();
    for (at, label) in expected.iter().enumerate().filter(|(_, label)| !found.contains(label)) {
        let place = match at.checked_sub(1) {
            Some(before) => format!("AFTER {}", expected[before]),
            None => match found.first() {
                Some(first) => format!("BEFORE {first}"),
                None => String::new(),
            },
        };
        changes.push(format!("ADD VALUE {label} {place}").trim_end().to_owned());
    }
    Some(changes)
}

/// Attributes are added at the end or get their types back; what would take one away is left to a person.
fn attribute_changes(expected: &str, found: &str) -> Option<Vec<String>> {
    let list = |text: &str| Some(attributes(text.strip_prefix('(')?.strip_suffix(')')?));
    let (expected, found) = (list(expected)?, list(found)?);
    if expected.len() < found.len() {
        return None;
    }
    let mut changes = Vec::new();
    for (at, (name, of_type)) in expected.iter().enumerate() {
        match found.get(at) {
            Some((other, _)) if other != name => return None,
            Some((_, other)) if other != of_type => changes.push(format!("ALTER ATTRIBUTE {name} TYPE {of_type}")),
            Some(_) => {}
            None => changes.push(format!("ADD ATTRIBUTE {name} {of_type}")),
        }
    }
    Some(changes)
}

/// `street text, zip character varying(10)` as names and types.
fn attributes(text: &str) -> Vec<(String, String)> {
    let mut depth = 0_usize;
    let mut parts = vec![String::new()];
    for word in longshore_migrate::files::script::tokens_in(Dialect::Postgres, text) {
        match word.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push_str(word.text);
        }
    }
    let split =
        |part: &String| part.trim().split_once(' ').map(|(name, of_type)| (name.to_owned(), of_type.to_owned()));
    parts.iter().filter_map(split).collect()
}

fn domain(work: &mut Work<'_>, object: &ObjectName, kinds: &BTreeSet<DifferenceKind>) {
    let sql = work.sql(&object.name);
    if kinds.contains(&DifferenceKind::Default) {
        let what = match facet(work, object, Facet::Default).0 {
            Some(default) => format!("SET DEFAULT {default}"),
            None => "DROP DEFAULT".to_owned(),
        };
        work.say(Stage::Type, object, format!("ALTER DOMAIN {sql} {what}"));
    }
    if kinds.contains(&DifferenceKind::Nullability) {
        let is_not_null = facet(work, object, Facet::Nullability).0.is_some();
        let what = if is_not_null { "SET NOT NULL" } else { "DROP NOT NULL" };
        work.say(Stage::Constraint, object, format!("ALTER DOMAIN {sql} {what}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enumeration(labels: &[&str]) -> Vec<String> {
        labels.iter().map(|label| format!("'{label}'")).collect()
    }

    #[test]
    fn values_of_an_enum_are_added_in_their_place_or_renamed() {
        let expected = enumeration(&["a", "b", "c"]);
        let changes = |found: &[&str]| label_changes(&expected, &enumeration(found));
        assert_eq!(changes(&["b"]).unwrap(), ["ADD VALUE 'a' BEFORE 'b'", "ADD VALUE 'c' AFTER 'b'"]);
        assert_eq!(changes(&["a", "x", "c"]).unwrap(), ["RENAME VALUE 'x' TO 'b'"]);
        assert_eq!(changes(&["a", "b", "c", "d"]), None);
        assert_eq!(changes(&["b", "a", "c"]), None);
    }

    #[test]
    fn attributes_are_added_at_the_end_alone() {
        let expected = "(street text, zip character varying(10), n numeric(10,2))";
        assert_eq!(
            attribute_changes(expected, "(street text, zip text)").unwrap(),
            ["ALTER ATTRIBUTE zip TYPE character varying(10)", "ADD ATTRIBUTE n numeric(10,2)"]
        );
        assert_eq!(attribute_changes("(street text)", "(street text, city text)"), None);
    }
}
