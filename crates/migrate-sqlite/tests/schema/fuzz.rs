//! Random texts for the comparison: broken ones must not break it, and reworded ones must not change it.
//!
//! The test suite runs a short, seeded course; the example `fuzz_schema` runs it for as long as it is told.

use std::ops::Range;

use fastrand::Rng;
use longshore_migrate::schema::{Facet, ObjectKind, Schema, differences};
use longshore_migrate_sqlite::catalog::{self, canonical_sql};
use rusqlite::Connection;

/// What a course has done.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) texts: u64,
    /// How many broken texts SQLite took for a statement, so that the schema was read as well.
    pub(crate) accepted: u64,
    pub(crate) rewordings: u64,
}

/// A seeded course over the statements of a script.
pub(crate) struct Fuzz {
    rng: Rng,
    script: String,
    /// The statements of the script.
    corpus: Vec<String>,
    /// Other texts to break.
    more: Vec<String>,
    expected: Schema,
    pub(crate) figures: Figures,
}

#[rustfmt::skip]
const WORDS: [&str; 56] = [
    "(", ")", "((", "))", ",", ";", ".", "'", "''", "\"", "`", "[", "]", "--", "/*", "*/", "-", "+", "~", "NOT", "IS",
    "IN", "LIKE", "ESCAPE", "BETWEEN", "AND", "OR", "COLLATE", "CASE", "WHEN", "THEN", "ELSE", "END", "CAST", "AS",
    "NULL", "ISNULL", "NOTNULL", "CHECK", "DEFAULT", "GENERATED", "REFERENCES", "x'", "0x", "1e", "9e999", "->>", "||",
    "\u{0}", "é", "\u{feff}", "?1", "$a", "BEGIN", "SELECT", "x",
];

impl Fuzz {
    /// A course over a script that makes a schema without virtual tables, whose arguments are no SQL.
    pub(crate) fn new(seed: u64, script: &str, more: &[&str]) -> Self {
        let made = made(script);
        let corpus = statements(&made);
        let more = more.iter().map(|text| (*text).to_owned()).collect();
        let expected = catalog::read(&made).unwrap();
        Self {
            rng: Rng::with_seed(seed),
            script: script.to_owned(),
            corpus,
            more,
            expected,
            figures: Figures::default(),
        }
    }

    /// Breaks one text and sees that it is written without panic, and what was written as well.
    pub(crate) fn break_one(&mut self) {
        let texts = self.corpus.iter().chain(&self.more);
        let mut text = self.rng.choice(texts.collect::<Vec<_>>()).unwrap().clone();
        for _ in 0..self.rng.usize(1..6) {
            text = self.broken(&text);
        }
        let _ = canonical_sql(&canonical_sql(&text));
        self.figures.texts += 1;
    }

    /// Breaks one statement of the script and, if SQLite takes it, reads the schema, which what SQLite keeps must
    /// make again.
    pub(crate) fn break_one_in_sqlite(&mut self) {
        let place = self.rng.usize(..self.corpus.len());
        let text = self.broken(&self.corpus[place].clone());
        self.figures.texts += 1;
        let connection = Connection::open_in_memory().unwrap();
        let is_statement = text.trim_start().to_ascii_uppercase().starts_with("CREATE");
        for before in &self.corpus[..place] {
            connection.execute(before, []).unwrap();
        }
        if !is_statement || connection.execute(&text, []).is_err() {
            return;
        }
        self.figures.accepted += 1;
        let read = catalog::read(&connection).unwrap_or_else(|error| panic!("{error} in {text:?}"));
        let again = made(&(statements(&connection).join(";\n") + ";"));
        assert_eq!(catalog::read(&again).unwrap(), read, "of {text:?}");
        for written in expressions(&read) {
            assert_eq!(canonical_sql(written), *written, "of {text:?}");
        }
    }

    /// Rewords the whole script without changing what it means, and sees that nothing differs.
    pub(crate) fn reword(&mut self) {
        let text = reworded(&mut self.rng, &self.script);
        let comparison = differences(&self.expected, &catalog::read(&made(&text)).unwrap());
        assert_eq!(comparison.differences, [], "of {text}");
        self.figures.rewordings += 1;
    }

    fn broken(&mut self, text: &str) -> String {
        let range = self.range(text);
        let word = self.rng.choice(WORDS).unwrap();
        match self.rng.u8(..8) {
            0 => format!("{}{}", &text[..range.start], &text[range.end..]),
            1 => format!("{}{}{}", &text[..range.end], &text[range.clone()], &text[range.end..]),
            2 => format!("{}{word}{}", &text[..range.start], &text[range.start..]),
            3 => format!("{} {word} {}", &text[..range.start], &text[range.end..]),
            4 => text[..range.end].to_owned(),
            5 => self.nested(text, &range),
            6 => format!("{}({}){}", &text[..range.start], &text[range.clone()], &text[range.end..]),
            _ => {
                let other = self.rng.choice(&self.corpus).unwrap().clone();
                let part = self.range(&other);
                format!("{}{}{}", &text[..range.start], &other[part], &text[range.end..])
            }
        }
    }

    fn nested(&mut self, text: &str, range: &Range<usize>) -> String {
        let depth = if self.rng.u8(..50) == 0 { 20_000 } else { self.rng.usize(1..300) };
        let (open, close) =
            self.rng.choice([("(", ")"), ("NOT ", ""), ("- ", ""), ("CASE ", " END"), ("f(", ")")]).unwrap();
        let (open, close) = (open.repeat(depth), close.repeat(depth));
        format!("{}{open}{}{close}{}", &text[..range.start], &text[range.clone()], &text[range.end..])
    }

    // A short stretch between two characters.
    fn range(&mut self, text: &str) -> Range<usize> {
        let start = self.rng.usize(..=text.len());
        let end = (start + self.rng.usize(..40)).min(text.len());
        floor(text, start)..floor(text, end)
    }
}

/// Everything in a schema that is SQL in canonical form.
pub(crate) fn expressions(schema: &Schema) -> Vec<&str> {
    let written =
        |facet| matches!(facet, Facet::Default | Facet::IndexPredicate | Facet::When | Facet::Body | Facet::Query);
    let facets = schema.objects().flat_map(|(_, definition)| definition.facets());
    let checks = schema.objects().filter(|(name, _)| name.kind == ObjectKind::Check);
    let facets = facets.filter(|(facet, _)| written(*facet)).map(|(_, text)| text);
    facets.chain(checks.map(|(name, _)| name.name.as_str())).collect()
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn made(script: &str) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(script).unwrap_or_else(|error| panic!("{error} in {script}"));
    connection
}

fn statements(connection: &Connection) -> Vec<String> {
    let mut statement = connection
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid")
        .unwrap();
    let statements = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    statements.map(Result::unwrap).collect()
}

// The pieces of a text: quoted stretches whole, words, blanks with comments, and single marks. Written apart from
// the tokenizer that it tests.
fn pieces(script: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = script;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' | '`' => rest[1..].find(first).unwrap() + 2,
            '-' if rest.starts_with("--") => rest.find('\n').unwrap(),
            'x' if rest.starts_with("x'") => rest[2..].find('\'').unwrap() + 3,
            one if one.is_ascii_alphanumeric() || one == '_' => {
                rest.find(|one: char| !one.is_ascii_alphanumeric() && !matches!(one, '_' | '.')).unwrap_or(rest.len())
            }
            one if one.is_whitespace() => rest.find(|one: char| !one.is_whitespace()).unwrap_or(rest.len()),
            '<' | '>' if rest[1..].starts_with(['=', '>']) => 2,
            '|' => 2,
            one => one.len_utf8(),
        };
        pieces.push(&rest[..length]);
        rest = &rest[length..];
    }
    pieces
}

/// Names of the script that may be quoted wherever they stand.
#[rustfmt::skip]
const NAMES: [&str; 18] = [
    "accounts", "email", "balance", "score", "avatar", "country", "readings", "sensor", "unit", "orders", "account_id",
    "parent_id", "tags", "tag", "label", "orders_open", "open_orders", "order_id",
];

fn reworded(rng: &mut Rng, script: &str) -> String {
    let mut text = String::new();
    for piece in pieces(script) {
        match piece {
            "<>" if rng.bool() => text.push_str("!="),
            "=" if rng.bool() => text.push_str("=="),
            comment if comment.starts_with("--") => text.extend([comment, "\n"]),
            blank if blank.trim().is_empty() => text.push_str(rng.choice(BLANKS).unwrap()),
            name if NAMES.contains(&name) => text.push_str(&quoted(rng, name)),
            word if word.starts_with(|one: char| one.is_ascii_alphabetic()) && !word.contains('\'') => {
                text.extend(
                    word.chars().map(
                        |one| {
                            if rng.bool() { one.to_ascii_uppercase() } else { one.to_ascii_lowercase() }
                        },
                    ),
                );
            }
            mark @ ("(" | ")" | "," | ";") => {
                text.push_str(rng.choice(["", " ", "\n", "/*(*/"]).unwrap());
                text.push_str(mark);
                text.push_str(rng.choice(["", " ", "\t", "--)\n"]).unwrap());
            }
            other => text.push_str(other),
        }
    }
    text
}

const BLANKS: [&str; 7] = [" ", "  ", "\n", "\t", "\r\n", " /* a ' comment */ ", " -- and \" another\n"];

fn quoted(rng: &mut Rng, name: &str) -> String {
    let name = if rng.bool() { name.to_ascii_uppercase() } else { name.to_owned() };
    match rng.u8(..4) {
        0 => format!("\"{name}\""),
        1 => format!("[{name}]"),
        2 => format!("`{name}`"),
        _ => name,
    }
}
