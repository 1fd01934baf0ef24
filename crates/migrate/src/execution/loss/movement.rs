//! Reads one statement for what it does to names and which table it fills.

use std::collections::BTreeSet;

use crate::files::script::{Dialect, Token, TokenKind};

/// `INSERT INTO table … SELECT …`, or `CREATE TABLE table AS SELECT …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) table: String,
    /// The columns that it writes; `None` for all of them.
    pub(super) columns: Option<BTreeSet<String>>,
    /// Every name between SELECT and FROM; `None` where a star is there.
    pub(super) selected: Option<BTreeSet<String>>,
}

/// What one statement does to names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// A table takes another name.
    RenamesTable {
        /// Before.
        from: String,
        /// After.
        to: String,
    },
    /// A column takes another name.
    RenamesColumn {
        /// The table.
        table: String,
        /// Before.
        from: String,
        /// After.
        to: String,
    },
    /// A column goes.
    DropsColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A table goes.
    DropsTable(String),
    /// A view goes, and with it its triggers.
    DropsView(String),
    /// An index or a trigger goes.
    DropsPart(String),
    /// A table, an index, a trigger or a view is made.
    Makes(String),
    /// Every row of a table goes.
    Empties(String),
}

/// The words of one statement.
pub(super) struct Words<'a>(Vec<Token<'a>>, Dialect);

impl<'a> Words<'a> {
    pub(super) fn of(dialect: Dialect, statement: &'a str) -> Self {
        Self(dialect.words(statement), dialect)
    }

    fn folded(&self, token: &Token<'_>) -> String {
        self.1.name(token)
    }

    /// Whether the statement names that, in quotes or not.
    pub(super) fn names(&self, name: &str) -> bool {
        self.0.iter().any(|token| token.name().eq_ignore_ascii_case(name))
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.0.get(at).is_some_and(|token| token.is(word))
    }

    fn name(&self, at: usize) -> Option<String> {
        self.0.get(at).filter(|token| is_name(token)).map(|token| self.folded(token))
    }

    /// The name at `at`, which may begin with that of its database or schema, and the place behind it. A schema is part
    /// of the name unless it is the usual one.
    fn qualified(&self, at: usize) -> Option<(String, usize)> {
        let at = if self.1 == Dialect::Postgres && self.is(at, "only") { at + 1 } else { at };
        if self.0.get(at + 1).is_none_or(|token| token.text != ".") {
            return Some((self.name(at)?, at + 1));
        }
        let (schema, name) = (self.name(at)?, self.name(at + 2)?);
        let is_usual = self.1 == Dialect::Sqlite || schema == "public";
        Some((if is_usual { name } else { format!("{schema}.{name}") }, at + 3))
    }

    /// The place behind `IF [NOT] EXISTS`, where that stands at `at`.
    fn behind_exists(&self, at: usize) -> usize {
        let at = if self.1 == Dialect::Postgres && self.is(at, "concurrently") { at + 1 } else { at };
        match (self.is(at, "if"), self.is(at + 1, "not")) {
            (true, true) => at + 3,
            (true, false) => at + 2,
            _ => at,
        }
    }

    pub(super) fn movement(&self) -> Option<Move> {
        if self.is(0, "alter") && self.is(1, "table") {
            return self.alteration();
        }
        if self.is(0, "create") {
            let at = (1..5).find(|at| ["table", "index", "trigger", "view"].iter().any(|kind| self.is(*at, kind)))?;
            return self.qualified(self.behind_exists(at + 1)).map(|(name, _)| Move::Makes(name));
        }
        if self.is(0, "drop") {
            let (name, _) = self.qualified(self.behind_exists(2))?;
            return match self.0[1].text.to_ascii_lowercase().as_str() {
                "table" => Some(Move::DropsTable(name)),
                "view" => Some(Move::DropsView(name)),
                "index" | "trigger" => Some(Move::DropsPart(name)),
                _ => None,
            };
        }
        if self.is(0, "delete") && self.is(1, "from") && !self.0.iter().any(|token| token.is("where")) {
            return self.qualified(2).map(|(name, _)| Move::Empties(name));
        }
        if self.is(0, "truncate") {
            return self.qualified(if self.is(1, "table") { 2 } else { 1 }).map(|(name, _)| Move::Empties(name));
        }
        None
    }

    fn alteration(&self) -> Option<Move> {
        let (table, at) = self.qualified(self.behind_exists(2))?;
        if self.is(at, "rename") && self.is(at + 1, "to") {
            return Some(Move::RenamesTable { from: table, to: self.name(at + 2)? });
        }
        if self.is(at, "rename") {
            let at = if self.is(at + 1, "column") && !self.is(at + 2, "to") { at + 2 } else { at + 1 };
            return Some(Move::RenamesColumn { table, from: self.name(at)?, to: self.name(at + 2)? });
        }
        if self.is(at, "drop") {
            if self.is(at + 1, "constraint") && self.1 == Dialect::Postgres {
                return None;
            }
            let at = if self.is(at + 1, "column") && self.0.len() > at + 2 { at + 2 } else { at + 1 };
            return Some(Move::DropsColumn { table, column: self.name(self.behind_exists(at))? });
        }
        None
    }

    /// The table of an UPDATE, and the columns that it sets to NULL by that very word.
    pub(super) fn nulled(&self) -> Option<(String, BTreeSet<String>)> {
        let at = if self.is(1, "or") { 3 } else { 1 };
        let (table, at) = self.qualified(at).filter(|_| self.is(0, "update"))?;
        let set = (at..self.0.len()).find(|at| self.is(*at, "set"))?;
        let mut depth = 0_i32;
        let mut assignment: Vec<&Token<'_>> = Vec::new();
        let mut found = BTreeSet::new();
        for token in self.0[set + 1..].iter().chain([&END]) {
            let ends = ["where", "from", "returning", "order", "limit"].iter().any(|word| token.is(word));
            if depth == 0 && (ends || token.text == "," || token.text == END.text) {
                if let [column, equals, null] = assignment[..]
                    && equals.text == "="
                    && null.is("null")
                {
                    found.insert(self.folded(column));
                }
                assignment.clear();
                if token.text != "," {
                    break;
                }
                continue;
            }
            match token.text {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            assignment.push(token);
        }
        (!found.is_empty()).then_some((table, found))
    }

    pub(super) fn index(&self) -> Option<(String, Vec<String>)> {
        let at = (1..3).find(|at| self.is(0, "create") && self.is(*at, "index"))?;
        let (_, on) = self.qualified(self.behind_exists(at + 1))?;
        let table = self.name(on + 1).filter(|_| self.is(on, "on"))?;
        let mut depth = 0_i32;
        let mut is_first = true;
        let mut terms = Vec::new();
        for token in &self.0[on + 2..] {
            match token.text {
                "(" => depth += 1,
                ")" => depth -= 1,
                "," if depth == 1 => is_first = true,
                _ if is_first && depth == 1 => {
                    terms.push(self.folded(token));
                    is_first = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        Some((table, terms))
    }

    pub(super) fn copy(&self) -> Option<Copy> {
        let is_create = self.is(0, "create");
        let head = if is_create {
            self.0.iter().position(|token| token.is("table"))
        } else {
            self.0.iter().position(|token| token.is("into"))
        };
        let (table, mut at) = self.qualified(self.behind_exists(head? + 1))?;
        if !is_create && self.is(at, "as") {
            at += 2;
        }
        let columns = if is_create { None } else { self.listed(at) };
        let from = |at: &usize| self.is(*at, "select");
        let select = (at..self.0.len()).find(from);
        if is_create && select.is_none() {
            return None;
        }
        Some(Copy { table, columns, selected: select.map_or(Some(BTreeSet::new()), |at| self.selected(at)) })
    }

    /// The names in the brackets at `at`; `None` where none are there.
    fn listed(&self, at: usize) -> Option<BTreeSet<String>> {
        if self.0.get(at)?.text != "(" || self.is(at + 1, "select") || self.is(at + 1, "with") {
            return None;
        }
        let inside = self.0[at + 1..].iter().take_while(|token| token.text != ")");
        Some(inside.filter(|token| is_name(token)).map(|token| self.folded(token)).collect())
    }

    /// The names between SELECT at `at` and its FROM.
    fn selected(&self, at: usize) -> Option<BTreeSet<String>> {
        let mut depth = 0_i32;
        let mut found = BTreeSet::new();
        let mut before = ",";
        for token in &self.0[at + 1..] {
            match token.text {
                "(" => depth += 1,
                ")" => depth -= 1,
                // Not a product: a star behind a comma, a dot or SELECT itself.
                "*" if depth == 0 && [",", "."].contains(&before) => return None,
                _ if depth == 0 && token.is("from") => break,
                _ if is_name(token) => _ = found.insert(self.folded(token)),
                _ => {}
            }
            before = token.text;
        }
        Some(found)
    }
}

/// Behind the last word of a statement.
const END: Token<'static> = Token { kind: TokenKind::Symbol, text: ";" };

fn is_name(token: &Token<'_>) -> bool {
    matches!(token.kind, TokenKind::Word | TokenKind::Quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_an_update_sets_to_null_by_that_word_is_read() {
        let nulled = |text: &str| {
            Words::of(Dialect::Sqlite, text)
                .nulled()
                .map(|(table, columns)| (table, columns.into_iter().collect::<Vec<_>>().join(" ")))
        };
        let of = |table: &str, columns: &str| Some((table.to_owned(), columns.to_owned()));
        assert_eq!(nulled("UPDATE OR FAIL main.\"A\" AS x SET b = NULL, c = 1, D=null WHERE e = NULL"), of("a", "b d"));
        assert_eq!(nulled("UPDATE a SET b = (SELECT x = NULL FROM c), d = NULL"), of("a", "d"));
        for text in ["UPDATE a SET b = nullif(b, 1)", "UPDATE a SET b = NULL + 1", "UPDATE a SET (b, c) = (NULL, NULL)"]
        {
            assert_eq!(nulled(text), None, "{text}");
        }
    }

    #[test]
    fn names_are_read_in_every_spelling() {
        let movement = |text: &str| Words::of(Dialect::Sqlite, text).movement().unwrap();
        let column =
            |from: &str| Move::RenamesColumn { table: "a b".to_owned(), from: from.to_owned(), to: "c".to_owned() };
        assert_eq!(movement("ALTER TABLE main.[A b] RENAME COLUMN x TO c"), column("x"));
        assert_eq!(movement("ALTER TABLE 'a b' RENAME column TO c"), column("column"));
        let dropped = Move::DropsColumn { table: "a".to_owned(), column: "b".to_owned() };
        assert_eq!(movement("ALTER TABLE a DROP b"), dropped);
        assert_eq!(movement("CREATE UNIQUE INDEX IF NOT EXISTS i ON a (b)"), Move::Makes("i".to_owned()));
        assert_eq!(movement("CREATE TEMP TABLE t (a)"), Move::Makes("t".to_owned()));
        assert_eq!(movement("DROP TRIGGER IF EXISTS main.t"), Move::DropsPart("t".to_owned()));
        assert_eq!(movement("/* x */ DELETE FROM a -- y"), Move::Empties("a".to_owned()));
        assert_eq!(Words::of(Dialect::Sqlite, "DELETE FROM a WHERE 1").movement(), None);
    }
}
