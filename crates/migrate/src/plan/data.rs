//! Statements that change data and leave nothing in the schema by which it could be seen.

use std::collections::BTreeSet;

use crate::files::script::{Statement, Token};

/// Those of `statements` that insert, update or delete rows that are there afterwards.
///
/// Rows that are copied into a table which the same migration makes and then renames are no such work: the new shape
/// of the table shows that it ran.
pub fn data_statements(statements: &[Statement]) -> Vec<&Statement> {
    let passing: BTreeSet<String> = statements.iter().filter_map(renamed_or_dropped).collect();
    let made: BTreeSet<String> = statements.iter().filter_map(made).collect();
    let leaves_trace = |table: &String| made.contains(table) && passing.contains(table) || table == "sqlite_sequence";
    statements.iter().filter(|statement| changed(statement).is_some_and(|table| !leaves_trace(&table))).collect()
}

/// The table whose rows the statement changes.
fn changed(statement: &Statement) -> Option<String> {
    let words = statement.words();
    let verb = verb(&words)?;
    let mut rest = words[verb + 1..].iter();
    // INSERT OR IGNORE INTO, UPDATE OR FAIL, DELETE FROM, REPLACE INTO
    let mut next = rest.next()?;
    if next.is("or") {
        rest.next();
        next = rest.next()?;
    }
    if next.is("into") || next.is("from") {
        next = rest.next()?;
    }
    match (rest.next(), rest.next()) {
        (Some(dot), Some(table)) if dot.text == "." => Some(table.name().to_lowercase()),
        _ => Some(next.name().to_lowercase()),
    }
}

/// Where INSERT, UPDATE, DELETE or REPLACE stands: first, or behind the tables of a WITH.
fn verb(words: &[Token<'_>]) -> Option<usize> {
    let is_verb = |word: &Token<'_>| ["insert", "update", "delete", "replace"].iter().any(|verb| word.is(verb));
    if !words.first()?.is("with") {
        return is_verb(words.first()?).then_some(0);
    }
    let mut depth = 0_usize;
    for (at, word) in words.iter().enumerate() {
        match word.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ if depth == 0 && is_verb(word) => return Some(at),
            _ if depth == 0 && word.is("select") => return None,
            _ => {}
        }
    }
    None
}

fn made(statement: &Statement) -> Option<String> {
    let words = statement.words();
    let at = words.iter().position(|word| word.is("table"))?;
    if !words.first()?.is("create") || at > 2 {
        return None;
    }
    name_at(&words, if words.get(at + 1)?.is("if") { at + 4 } else { at + 1 })
}

fn renamed_or_dropped(statement: &Statement) -> Option<String> {
    let words = statement.words();
    let (first, second) = (words.first()?, words.get(1)?);
    if !second.is("table") {
        return None;
    }
    if first.is("drop") {
        return name_at(&words, if words.get(2)?.is("if") { 4 } else { 2 });
    }
    let renames = words.windows(2).any(|pair| pair[0].is("rename") && pair[1].is("to"));
    if first.is("alter") && renames { name_at(&words, 2) } else { None }
}

fn name_at(words: &[Token<'_>], at: usize) -> Option<String> {
    let is_qualified = words.get(at + 1).is_some_and(|word| word.text == ".");
    words.get(if is_qualified { at + 2 } else { at }).map(|word| word.name().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::script::Script;

    fn lines(text: &str) -> Vec<usize> {
        let script = Script::parse(text).unwrap();
        data_statements(script.statements()).iter().map(|statement| statement.line).collect()
    }

    #[test]
    fn every_way_to_change_rows_is_seen() {
        let text = "CREATE TABLE a (b);\nINSERT OR IGNORE INTO a VALUES (1);\nUPDATE main.c SET d = 1;\n\
             WITH n AS (SELECT 1) DELETE FROM c;\nREPLACE INTO \"C\" VALUES (1);\nSELECT 1;\n\
             CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM a; END;\nWITH n AS (SELECT 1) SELECT * FROM n;";
        assert_eq!(lines(text), [2, 3, 4, 5]);
    }

    #[test]
    fn a_copy_into_a_table_that_takes_the_old_ones_name_leaves_its_trace() {
        let text = "CREATE TABLE a_new (b);\nINSERT INTO a_new SELECT b FROM a;\nDROP TABLE a;\n\
             ALTER TABLE a_new RENAME TO a;\nDELETE FROM sqlite_sequence WHERE name = 'a_new';\nUPDATE a SET b = 1;";
        assert_eq!(lines(text), [6]);
    }
}
