//! Reads what only has a text: triggers, views and virtual tables.

use std::collections::BTreeSet;

use longshore_migrate::schema::{Definition, Facet};

use super::text::canonical::{Names, canonical};
use super::text::cursor::{Cursor, comma_separated};
use super::text::token::{Token, tokens, written};

/// What the stored text of a trigger means.
pub(super) fn trigger(sql: &str, names: &Names<'_>) -> Definition {
    let tokens = tokens(sql);
    let names = with_own_names(names, &tokens);
    let mut cursor = Cursor::new(&tokens);
    cursor.skip_to(&["trigger"]);
    cursor.next();
    cursor.take(&["if", "not", "exists"]);
    let name = cursor.next();
    // In `schema.name` the name is after the dot.
    if name.is_some() && cursor.peek().is_some_and(|token| token.is_mark(".")) {
        cursor.next();
        cursor.next();
    }
    let timing = timing(&mut cursor);
    let event = event(&mut cursor);
    cursor.skip_to(&["when", "begin"]);
    let condition = cursor.take(&["when"]).then(|| until(&mut cursor, "begin"));
    cursor.take(&["begin"]);
    let body = without_end(cursor.rest());
    Definition::new()
        .with(Facet::Timing, timing)
        .with(Facet::Event, event)
        .with_optional(Facet::When, condition.map(|condition| canonical(condition, Some(&names))))
        .with(Facet::Body, canonical(body, Some(&names)))
}

/// What the stored text of a view means.
pub(super) fn view(sql: &str, names: &Names<'_>) -> Definition {
    let tokens = tokens(sql);
    let names = with_own_names(names, &tokens);
    let mut cursor = Cursor::new(&tokens);
    while cursor.peek().is_some_and(|token| !token.is_mark("(") && !token.is_word("as")) {
        cursor.next();
    }
    let columns = cursor.take_group().map(|columns| {
        let names = comma_separated(columns).into_iter().filter_map(|column| column.first());
        names.map(|name| written(&name.name())).collect::<Vec<_>>().join(", ")
    });
    cursor.skip_to(&["as"]);
    cursor.next();
    Definition::new()
        .with_optional(Facet::ViewColumns, columns)
        .with(Facet::Query, canonical(without_semicolon(cursor.rest()), Some(&names)))
}

/// The module of a virtual table with its arguments.
pub(super) fn virtual_table(sql: &str) -> Definition {
    let tokens = tokens(sql);
    let mut cursor = Cursor::new(&tokens);
    cursor.skip_to(&["using"]);
    cursor.next();
    Definition::new().with(Facet::Module, canonical(without_semicolon(cursor.rest()), None))
}

fn timing(cursor: &mut Cursor<'_, '_>) -> &'static str {
    if cursor.take(&["after"]) {
        return "AFTER";
    }
    if cursor.take(&["instead", "of"]) {
        return "INSTEAD OF";
    }
    cursor.take(&["before"]);
    "BEFORE"
}

// The columns of UPDATE OF are a set.
fn event(cursor: &mut Cursor<'_, '_>) -> String {
    let event = cursor.next_name().to_ascii_uppercase();
    if !cursor.take(&["of"]) {
        return event;
    }
    let mut columns: Vec<String> =
        comma_separated(until(cursor, "on")).into_iter().map(|column| canonical(column, None)).collect();
    columns.sort_unstable();
    format!("{event} OF {}", columns.join(", "))
}

// CASE has an END but no BEGIN, so the first BEGIN outside parentheses opens the statements.
fn until<'text, 'sql>(cursor: &mut Cursor<'text, 'sql>, word: &str) -> &'text [Token<'sql>] {
    let before = cursor.rest();
    cursor.skip_to(&[word]);
    &before[..before.len() - cursor.rest().len()]
}

fn without_end<'text, 'sql>(tokens: &'text [Token<'sql>]) -> &'text [Token<'sql>] {
    let tokens = without_semicolon(tokens);
    match tokens.split_last() {
        Some((last, rest)) if last.is_word("end") => rest,
        _ => tokens,
    }
}

fn without_semicolon<'text, 'sql>(tokens: &'text [Token<'sql>]) -> &'text [Token<'sql>] {
    let length = tokens.iter().rposition(|token| !token.is_mark(";")).map_or(0, |last| last + 1);
    &tokens[..length]
}

// What the text itself names without doubt, as an alias, can be meant in double quotes elsewhere in it.
fn with_own_names<'a>(names: &Names<'a>, tokens: &[Token<'_>]) -> Names<'a> {
    let own = tokens.iter().filter(|token| matches!(token, Token::Word(_) | Token::Name(_)));
    names.with(own.map(Token::name))
}

/// The texts in double quotes, which are names only where something has that name.
pub(super) fn doubtful_words(sql: &str) -> BTreeSet<String> {
    let doubtful = tokens(sql).into_iter().filter(|token| matches!(token, Token::Doubtful(_)));
    doubtful.map(|token| token.name()).collect()
}

/// The module of a virtual table in lower case; none for another table.
pub(super) fn module(sql: &str) -> Option<String> {
    let tokens = tokens(sql);
    let mut cursor = Cursor::new(&tokens);
    if !cursor.take(&["create", "virtual"]) {
        return None;
    }
    cursor.skip_to(&["using"]);
    cursor.next();
    Some(cursor.next_name())
}
