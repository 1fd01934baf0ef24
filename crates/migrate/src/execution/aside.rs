//! Puts what hangs on a table out of the way of its rebuild, and back again.

use std::collections::BTreeSet;

use crate::{
    execution::loss::Moves,
    execution::replay::RunError,
    files::migration::{Direction, Migration},
    files::script::{IntendedLoss, Script, Token, TokenKind, tokens},
    schema::{ObjectKind, ObjectName, Schema},
    target::{Definition, Session, TargetError},
};

/// Views, triggers and indexes that a rebuild keeps. A view or a trigger over a table that is being replaced stops the
/// rename, and an index goes with the old table; afterwards each is there again.
#[derive(Debug)]
pub(crate) struct Aside {
    parts: Vec<Part>,
    before: Schema,
}

#[derive(Debug)]
struct Part {
    definition: Definition,
    /// A migration made it, so that it may go with a column that a later one takes away.
    is_made: bool,
    /// It is over a table that goes and could be used before, so it must be usable afterwards.
    worked: bool,
}

/// Which parts of the schema are in the way of a migration.
struct Way<'m> {
    /// What a file says; `None` for code, whose words nobody reads.
    words: Option<(Moves, &'m Script)>,
    intended: Vec<IntendedLoss>,
    /// Tables that are dropped, under each of their names, and views that are put aside because of them.
    gone: BTreeSet<String>,
}

impl<'m> Way<'m> {
    fn of(migration: &'m Migration, direction: Direction) -> Self {
        let words = migration.script(direction).map(|script| (Moves::of(script), script));
        let gone = words.iter().flat_map(|(moves, _)| moves.dropped_tables()).collect();
        Self { words, intended: migration.intended_losses(direction), gone }
    }

    /// The migration looks after it by itself: it drops, makes or reads it by name, or lets it go.
    fn leaves(&self, object: &ObjectName) -> bool {
        let Some((moves, script)) = &self.words else {
            return false;
        };
        moves.drops(&object.name)
            || moves.makes(&object.name)
            || self.intended.iter().any(|one| one.column.is_none() && one.name == object.name)
            || object.kind == ObjectKind::View && reads(script, &object.name)
    }

    /// Whether it is over a table that goes. SQLite reads every view and trigger when a table is renamed, and stops at
    /// such a one.
    fn is_blocked_by(&self, definition: &Definition) -> bool {
        if definition.object.kind == ObjectKind::Index {
            return self.gone.contains(definition.object.owner());
        }
        tokens(&definition.sql).iter().any(|token| self.gone.contains(&token.name().to_lowercase()))
    }
}

impl Aside {
    /// Drops views and triggers, and remembers them with the indexes. `is_made` says what migrations made.
    pub(crate) fn put(
        session: &mut dyn Session,
        migration: &Migration,
        direction: Direction,
        is_made: &dyn Fn(&ObjectName) -> bool,
    ) -> Result<Self, TargetError> {
        let before = session.observe()?;
        let mut way = Way::of(migration, direction);
        let mut left = session.definitions()?;
        left.retain(|Definition { object, .. }| {
            let is_movable = matches!(object.kind, ObjectKind::View | ObjectKind::Trigger | ObjectKind::Index);
            is_movable && !way.leaves(object)
        });
        let mut parts: Vec<Part> = Vec::new();
        let mut trials = Trials::default();
        // A view over a view that is put aside is in the way as well. One that no migration made may be broken
        // already, so it is put aside in any case.
        loop {
            let is_aside = |definition: &Definition| way.is_blocked_by(definition) || !is_made(&definition.object);
            let (found, rest): (Vec<Definition>, Vec<Definition>) = left.into_iter().partition(is_aside);
            if found.is_empty() {
                break;
            }
            let views = found.iter().map(|part| &part.object).filter(|it| it.kind == ObjectKind::View);
            let views: Vec<String> = views.map(|view| view.name.clone()).collect();
            for definition in found {
                let worked = way.is_blocked_by(&definition) && trials.run(session, &definition, &before).is_ok();
                parts.push(Part { is_made: is_made(&definition.object), definition, worked });
            }
            way.gone.extend(views);
            left = rest;
        }
        // Triggers first: those on a view go with it.
        let mut drops: Vec<&ObjectName> = parts.iter().map(|part| &part.definition.object).collect();
        drops.retain(|object| object.kind != ObjectKind::Index);
        drops.sort_by_key(|object| object.kind == ObjectKind::View);
        for object in drops {
            session.execute(&format!("DROP {} {}", object.kind.word(), quoted(&object.name)))?;
        }
        Ok(Self { parts, before })
    }

    /// Makes again whatever is not there now. What does not fit any more undoes the migration, except for an index that
    /// a migration created on a column that is gone: it goes with its column.
    pub(crate) fn put_back(mut self, session: &mut dyn Session) -> Result<(), RunError> {
        let after = session.observe()?;
        // A table that was renamed took its indexes along, under their own names.
        let is_there = |part: &Part| {
            let ObjectName { kind, name, .. } = &part.definition.object;
            after.objects().any(|(object, _)| object.kind == *kind && object.name == *name)
        };
        self.parts.retain(|part| !is_there(part) && !self.before.is_released(part, &after));
        let rank = |part: &Part| match part.definition.object.kind {
            ObjectKind::Index => 0,
            ObjectKind::View => 1,
            _ => 2,
        };
        self.parts.sort_by_key(rank);
        for Part { definition, .. } in &self.parts {
            session.execute(&definition.sql).map_err(|source| not_kept(definition, source))?;
        }
        let mut trials = Trials::default();
        for Part { definition, .. } in self.parts.iter().filter(|part| part.worked) {
            trials.run(session, definition, &after).map_err(|source| not_kept(definition, source))?;
        }
        Ok(())
    }
}

fn not_kept(definition: &Definition, source: TargetError) -> RunError {
    RunError::NotKept { object: definition.object.clone(), source }
}

impl Schema {
    /// Whether a part goes with what it stood on: with its whole table, or, for an index of ours, with a column.
    fn is_released(&self, part: &Part, after: &Self) -> bool {
        let object = &part.definition.object;
        let owner = object.owner();
        if object.kind == ObjectKind::View {
            return false;
        }
        if !after.contains(&ObjectName::table(owner)) && !after.contains(&ObjectName::view(owner)) {
            // A view that was put aside with its triggers comes back before them.
            return !self.contains(&ObjectName::view(owner));
        }
        let left = after.columns(owner);
        let gone: Vec<&str> = self.columns(owner).into_iter().filter(|column| !left.contains(column)).collect();
        let names = |token: &Token<'_>| gone.contains(&token.name().to_lowercase().as_str());
        object.kind == ObjectKind::Index && part.is_made && tokens(&part.definition.sql).iter().any(names)
    }
}

/// Has the database compile what uses a view or fires a trigger, because it takes both with any names in them.
#[derive(Default)]
struct Trials {
    /// All triggers of one event of a table are compiled by one statement.
    passed: BTreeSet<String>,
}

impl Trials {
    fn run(&mut self, session: &mut dyn Session, part: &Definition, schema: &Schema) -> Result<(), TargetError> {
        let Some(use_of_it) = using(part, schema) else { return Ok(()) };
        if !self.passed.contains(&use_of_it) {
            // The plan is a few rows; the program of a statement that fires many triggers is thousands.
            session.query(&format!("EXPLAIN QUERY PLAN {use_of_it}"))?;
            self.passed.insert(use_of_it);
        }
        Ok(())
    }
}

/// A statement that uses a view or fires a trigger.
fn using(definition: &Definition, schema: &Schema) -> Option<String> {
    let ObjectName { kind, name, .. } = &definition.object;
    let owner = quoted(definition.object.owner());
    match kind {
        ObjectKind::View => Some(format!("SELECT 1 FROM {}", quoted(name))),
        ObjectKind::Trigger => match event(&definition.sql) {
            Event::Insert => Some(format!("INSERT INTO {owner} DEFAULT VALUES")),
            Event::Delete => Some(format!("DELETE FROM {owner}")),
            Event::Update(column) => {
                let first = || schema.columns(definition.object.owner()).first().map(|name| (*name).to_owned());
                let column = quoted(&column.or_else(first)?);
                Some(format!("UPDATE {owner} SET {column} = {column}"))
            }
        },
        _ => None,
    }
}

enum Event {
    Insert,
    Delete,
    /// Perhaps of one column.
    Update(Option<String>),
}

fn event(trigger: &str) -> Event {
    let words: Vec<Token<'_>> = tokens(trigger).into_iter().filter(Token::has_meaning).collect();
    for (at, word) in words.iter().enumerate().skip(2) {
        if word.is("insert") {
            return Event::Insert;
        }
        if word.is("delete") {
            return Event::Delete;
        }
        if word.is("update") {
            let is_of = words.get(at + 1).is_some_and(|word| word.is("of"));
            return Event::Update(is_of.then(|| words.get(at + 2).map(Token::name)).flatten());
        }
    }
    Event::Update(None)
}

/// Whether a statement of the script reads that view.
fn reads(script: &Script, view: &str) -> bool {
    let is_reading = |word: &Token<'_>| ["from", "join", "into", "update"].iter().any(|one| word.is(one));
    script.statements().iter().any(|statement| {
        let words = statement.words();
        words.windows(2).any(|pair| {
            let is_name = matches!(pair[1].kind, TokenKind::Word | TokenKind::Quoted);
            is_reading(&pair[0]) && is_name && pair[1].name().eq_ignore_ascii_case(view)
        })
    })
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
