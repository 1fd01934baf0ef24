//! What of one migration is still to be done where part of it is there.

use crate::{
    execution::replay::Link,
    files::script::{Script, Statement, Token},
    schema::{ObjectKind, ObjectName, Schema},
};

/// The script without the statements of [`already_there`].
pub fn not_there_yet(script: &Script, link: &Link, observed: &Schema) -> Script {
    script.without(&already_there(script, link, observed))
}

/// The places, from 0, of the statements whose whole effect the schema shows: an object that is there just as the
/// migration makes it, or one that it drops and that is gone. Statements that change data are never among them.
///
/// A migration that replaces tables has none, because its parts mean nothing alone.
pub fn already_there(script: &Script, link: &Link, observed: &Schema) -> Vec<usize> {
    let replaces = script.statements().iter().any(|statement| {
        let words = statement.words();
        let is = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is(word));
        is(0, "drop") && is(1, "table") || words.windows(2).any(|pair| pair[0].is("rename") && pair[1].is("to"))
    });
    if replaces {
        return Vec::new();
    }
    let statements = script.statements().iter().enumerate();
    statements.filter(|(_, statement)| is_done(statement, link, observed)).map(|(at, _)| at).collect()
}

fn is_done(statement: &Statement, link: &Link, observed: &Schema) -> bool {
    match effect(&statement.words()) {
        Some(Effect::Makes(kind, name)) => {
            let is_it = |object: &&ObjectName| object.kind == kind && object.name == name;
            let Some(object) = link.footprint.adds.keys().find(is_it) else { return false };
            is_as_made(object, link, observed)
        }
        Some(Effect::Adds(table, name)) => {
            is_as_made(&ObjectName::on(ObjectKind::Column, &table, name), link, observed)
        }
        Some(Effect::Drops(kind, name)) => {
            let is_it = |object: &&ObjectName| object.kind == kind && object.name == name;
            link.footprint.drops.iter().find(is_it).is_some_and(|object| !observed.contains(object))
        }
        Some(Effect::DropsColumn(table, name)) => {
            let object = ObjectName::on(ObjectKind::Column, &table, name);
            link.footprint.drops.contains(&object) && !observed.contains(&object)
        }
        None => false,
    }
}

fn is_as_made(object: &ObjectName, link: &Link, observed: &Schema) -> bool {
    let made = link.footprint.adds.get(object);
    made.is_some_and(|made| observed.definition(object).is_some_and(|found| found.facets().eq(made.facets())))
}

enum Effect {
    Makes(ObjectKind, String),
    Adds(String, String),
    Drops(ObjectKind, String),
    DropsColumn(String, String),
}

fn effect(words: &[Token<'_>]) -> Option<Effect> {
    let first = words.first()?;
    if first.is("alter") && words.get(1)?.is("table") {
        let table = words.get(2)?.name().to_lowercase();
        let at = if words.get(4)?.is("column") { 5 } else { 4 };
        let column = words.get(at)?.name().to_lowercase();
        return match words.get(3)? {
            word if word.is("add") => Some(Effect::Adds(table, column)),
            word if word.is("drop") => Some(Effect::DropsColumn(table, column)),
            _ => None,
        };
    }
    let (at, kind) = words.iter().enumerate().take(3).find_map(|(at, word)| Some((at, kind(word)?)))?;
    let at = if words.get(at + 1)?.is("concurrently") { at + 1 } else { at };
    let at = if words.get(at + 1)?.is("if") {
        at + 1 + words[at + 1..].iter().position(|word| word.is("exists"))?
    } else {
        at
    };
    let is_qualified = words.get(at + 2).is_some_and(|word| word.text == ".");
    let name = words.get(if is_qualified { at + 3 } else { at + 1 })?.name().to_lowercase();
    if first.is("create") {
        return Some(Effect::Makes(kind, name));
    }
    first.is("drop").then_some(Effect::Drops(kind, name))
}

fn kind(word: &Token<'_>) -> Option<ObjectKind> {
    let kinds = [
        ("table", ObjectKind::Table),
        ("index", ObjectKind::Index),
        ("view", ObjectKind::View),
        ("trigger", ObjectKind::Trigger),
    ];
    kinds.into_iter().find(|(name, _)| word.is(name)).map(|(_, kind)| kind)
}
