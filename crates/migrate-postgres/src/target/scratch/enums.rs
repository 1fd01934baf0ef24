//! Values that one migration adds to an enum and a later one uses.
//!
//! Before PostgreSQL 17 a transaction cannot use a value that it has added to an enum, and a scratch is one transaction.
//! It can use those with which it has made the enum. So when a use is refused, the journal runs again with the added
//! values in the statement that makes their enum, each at its place among the others.

use std::{collections::BTreeSet, ops::Range};

use longshore_migrate::files::script::{Dialect, Token, TokenKind, tokens_in};

/// The server's code for the use of a value that is not committed.
pub(super) const UNSAFE_VALUE: &str = "55P04";

/// The statements with the added values where their enums are made. What cannot be followed stays as it is.
pub(super) fn with_values_at_first(journal: &[String]) -> Vec<String> {
    let mut enums: Vec<Enum> = Vec::new();
    let mut done = BTreeSet::new();
    for (at, sql) in journal.iter().enumerate() {
        let Some((path, change)) = change(sql) else { continue };
        if let Change::Makes(values) = change {
            enums.push(Enum { made_at: at, path, values, has_grown: false });
            continue;
        }
        let Some(found) = find(&enums, &path) else { continue };
        // A block asks for the value or catches the error by itself, so it stays.
        if enums[found].apply(change) && !is_block(sql) {
            done.insert(at);
        }
    }
    let kept = journal.iter().enumerate().filter(|(at, _)| !done.contains(at));
    let written = kept.map(|(at, sql)| {
        let grown = enums.iter().find(|one| one.made_at == at && one.has_grown);
        grown.map_or_else(|| sql.clone(), |one| made_with(sql, &one.values))
    });
    written.collect()
}

/// The name of a type, with its schema where the statement has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Path {
    schema: Option<String>,
    name: String,
}

/// An enum as far as the journal has been read.
struct Enum {
    /// The place of the statement that makes it.
    made_at: usize,
    path: Path,
    /// Every name that each value has had, the present one last.
    values: Vec<Vec<String>>,
    has_grown: bool,
}

/// What a statement does to an enum. Values are as SQL writes them, in quotes.
enum Change {
    Makes(Vec<Vec<String>>),
    Adds { value: String, beside: Option<(Side, String)> },
    RenamesValue { from: String, to: String },
    Renames(String),
    Moves(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

impl Enum {
    /// Whether it now has a value that the statement adds.
    fn apply(&mut self, change: Change) -> bool {
        match change {
            Change::Adds { value, beside } => return self.add(value, beside),
            Change::RenamesValue { from, to } => {
                if let Some(names) = self.values.iter_mut().find(|names| names.last() == Some(&from)) {
                    names.push(to);
                }
            }
            Change::Renames(name) => self.path.name = name,
            Change::Moves(schema) => self.path.schema = Some(schema),
            Change::Makes(_) => {}
        }
        false
    }

    fn add(&mut self, value: String, beside: Option<(Side, String)>) -> bool {
        // A name that another value had earlier would be there twice at first.
        if self.values.iter().any(|names| names.contains(&value)) {
            return false;
        }
        let place = match beside {
            None => self.values.len(),
            Some((side, other)) => {
                let Some(at) = self.values.iter().position(|names| names.last() == Some(&other)) else { return false };
                if side == Side::After { at + 1 } else { at }
            }
        };
        self.values.insert(place, vec![value]);
        self.has_grown = true;
        true
    }
}

/// The last enum of that name. Where two of several schemas could be meant, none.
fn find(enums: &[Enum], path: &Path) -> Option<usize> {
    let could_be = |other: &Path| {
        let may_agree = other.schema == path.schema || other.schema.is_none() || path.schema.is_none();
        may_agree && other.name == path.name
    };
    let last = enums.iter().rposition(|one| could_be(&one.path))?;
    let is_clear = enums.iter().filter(|one| could_be(&one.path)).all(|one| one.path == enums[last].path);
    is_clear.then_some(last)
}

fn change(sql: &str) -> Option<(Path, Change)> {
    let words = Dialect::Postgres.words(&sql[code(sql)]);
    let is = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is(word));
    let at = (0..words.len()).find(|at| (is(*at, "create") || is(*at, "alter")) && is(*at + 1, "type"))?;
    let (path, next) = path(&words, at + 2)?;
    let change = if is(at, "create") {
        if !(is(next, "as") && is(next + 1, "enum")) {
            return None;
        }
        let listed = words.iter().skip(next + 3).take_while(|token| token.text != ")");
        Change::Makes(listed.filter(|token| is_text(token)).map(|token| vec![token.text.to_owned()]).collect())
    } else if is(next, "add") && is(next + 1, "value") {
        let value_at = if is(next + 2, "if") { next + 5 } else { next + 2 };
        let side = match words.get(value_at + 1) {
            Some(word) if word.is("before") => Some(Side::Before),
            Some(word) if word.is("after") => Some(Side::After),
            _ => None,
        };
        let beside = match side {
            Some(side) => Some((side, text(&words, value_at + 2)?)),
            None => None,
        };
        Change::Adds { value: text(&words, value_at)?, beside }
    } else if is(next, "rename") && is(next + 1, "value") {
        Change::RenamesValue { from: text(&words, next + 2)?, to: text(&words, next + 4)? }
    } else if is(next, "rename") && is(next + 1, "to") {
        Change::Renames(Dialect::Postgres.name(words.get(next + 2)?))
    } else if is(next, "set") && is(next + 1, "schema") {
        Change::Moves(Dialect::Postgres.name(words.get(next + 2)?))
    } else {
        return None;
    };
    Some((path, change))
}

/// The name at that place, and the place behind it.
fn path(words: &[Token<'_>], at: usize) -> Option<(Path, usize)> {
    let first = Dialect::Postgres.name(words.get(at)?);
    if words.get(at + 1).is_some_and(|word| word.text == ".") {
        let name = Dialect::Postgres.name(words.get(at + 2)?);
        return Some((Path { schema: Some(first), name }, at + 3));
    }
    Some((Path { schema: None, name: first }, at + 1))
}

fn is_text(token: &Token<'_>) -> bool {
    token.kind == TokenKind::Quoted && token.text.starts_with('\'')
}

fn text(words: &[Token<'_>], at: usize) -> Option<String> {
    words.get(at).filter(|token| is_text(token)).map(|token| token.text.to_owned())
}

fn is_block(sql: &str) -> bool {
    Dialect::Postgres.words(sql).first().is_some_and(|word| word.is("do"))
}

/// Where the code of a statement is: in the body of a block, or everywhere.
fn code(sql: &str) -> Range<usize> {
    if !is_block(sql) {
        return 0..sql.len();
    }
    let mut from = 0;
    for token in tokens_in(Dialect::Postgres, sql) {
        if token.kind == TokenKind::Quoted && token.text.starts_with('$') {
            let tag = token.text[1..].find('$').map_or(0, |at| at + 2);
            return from + tag..from + token.text.len() - tag;
        }
        from += token.text.len();
    }
    0..sql.len()
}

/// The statement that makes an enum, with these values at first.
fn made_with(sql: &str, values: &[Vec<String>]) -> String {
    let code = code(sql);
    let mut end = code.start;
    let mut tokens = Vec::new();
    for token in tokens_in(Dialect::Postgres, &sql[code]) {
        end += token.text.len();
        if token.has_meaning() {
            tokens.push((end, token));
        }
    }
    let open = tokens.windows(2).find(|pair| pair[0].1.is("enum") && pair[1].1.text == "(").map(|pair| pair[1].0);
    let Some(open) = open else { return sql.to_owned() };
    let close = tokens.iter().find(|(end, token)| *end > open && token.text == ")").map(|(end, _)| end - 1);
    let Some(close) = close else { return sql.to_owned() };
    let listed: Vec<&str> = values.iter().filter_map(|names| names.first()).map(String::as_str).collect();
    format!("{}{}{}", &sql[..open], listed.join(", "), &sql[close..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brought(journal: &[&str]) -> Vec<String> {
        with_values_at_first(&journal.iter().map(|sql| (*sql).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn an_added_value_is_there_from_the_first_at_its_place() {
        let journal = [
            "CREATE TYPE s_0x.mood AS ENUM ('sad', 'it)s')",
            "CREATE TABLE o (m mood)",
            "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'happy'",
            "ALTER TYPE s_0x.mood RENAME VALUE 'sad' TO 'low'",
            "ALTER TYPE \"mood\" ADD VALUE 'ok' AFTER 'low'",
            "ALTER TYPE mood RENAME TO state",
            "ALTER TYPE state ADD VALUE 'none' BEFORE 'low'",
        ];
        let expected = [
            "CREATE TYPE s_0x.mood AS ENUM ('none', 'sad', 'ok', 'it)s', 'happy')",
            "CREATE TABLE o (m mood)",
            "ALTER TYPE s_0x.mood RENAME VALUE 'sad' TO 'low'",
            "ALTER TYPE mood RENAME TO state",
        ];
        assert_eq!(brought(&journal), expected);
    }

    #[test]
    fn a_block_that_makes_an_enum_makes_it_with_the_value_and_one_that_adds_it_stays() {
        let block = "DO $$ BEGIN ALTER TYPE a ADD VALUE 'z'; EXCEPTION WHEN duplicate_object THEN NULL; END $$";
        let journal = [
            "DO $x$ BEGIN CREATE TYPE a AS ENUM ('x'); EXCEPTION WHEN duplicate_object THEN NULL; END $x$",
            "ALTER TYPE a ADD VALUE 'y'",
            block,
        ];
        let made =
            "DO $x$ BEGIN CREATE TYPE a AS ENUM ('x', 'y', 'z'); EXCEPTION WHEN duplicate_object THEN NULL; END $x$";
        assert_eq!(brought(&journal), [made, block]);
    }

    #[test]
    fn what_cannot_be_followed_stays() {
        for journal in [
            &["ALTER TYPE of_another ADD VALUE 'x'"][..],
            &["CREATE TYPE a AS ENUM ('x')", "ALTER TYPE a RENAME VALUE 'x' TO 'y'", "ALTER TYPE a ADD VALUE 'x'"],
            &["CREATE TYPE s.a AS ENUM ('x')", "CREATE TYPE t.a AS ENUM ('x')", "ALTER TYPE a ADD VALUE 'y'"],
            &["CREATE TYPE a AS (x int)", "ALTER TYPE a ADD ATTRIBUTE y int"],
        ] {
            assert_eq!(brought(journal), journal);
        }
    }
}
