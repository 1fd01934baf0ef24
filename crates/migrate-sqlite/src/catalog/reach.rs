use std::collections::BTreeSet;

use longshore_migrate::files::script::{Token, tokens};

/// Which entries of a catalog statements can have changed. What they make is always new; this tells what else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Unknown.
    Everything,
    /// None: the statement changes rows, if anything.
    Rows,
    /// The objects of these names, and what belongs to them.
    Only(BTreeSet<String>),
}

impl Default for Reach {
    fn default() -> Self {
        Self::Only(BTreeSet::new())
    }
}

/// How statements begin that change rows, if anything.
const OF_ROWS: [&str; 9] = ["insert", "replace", "update", "delete", "with", "select", "values", "explain", "analyze"];

/// With `writable_schema` a statement may write the catalog itself.
const OF_CATALOG: [&str; 3] = ["sqlite_schema", "sqlite_master", "writable_schema"];

impl Reach {
    /// What one statement can change.
    pub(crate) fn of(statement: &str) -> Self {
        let words: Vec<Token<'_>> = tokens(statement).into_iter().filter(Token::has_meaning).collect();
        Self::of_words(statement, &words)
    }

    /// [`Reach::of`] for whoever has the words already.
    pub(crate) fn of_words(statement: &str, words: &[Token<'_>]) -> Self {
        let is = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is(word));
        let lower = statement.to_ascii_lowercase();
        if OF_CATALOG.iter().any(|name| lower.contains(name)) {
            return Self::Everything;
        }
        if OF_ROWS.iter().any(|word| is(0, word)) {
            return Self::Rows;
        }
        if is(0, "create") {
            return Self::default();
        }
        // A rename reaches whatever names the table, and so may a column that goes.
        if is(0, "alter") && is(1, "table") {
            let (name, after) = name_at(words, 2);
            return if is(after, "add") { Self::named(name) } else { Self::Everything };
        }
        if is(0, "drop") {
            return Self::named(name_at(words, if is(2, "if") { 4 } else { 2 }).0);
        }
        Self::Everything
    }

    pub(crate) fn extend(&mut self, other: Self) {
        match (&mut *self, other) {
            (_, Self::Rows) => {}
            (Self::Only(names), Self::Only(more)) => names.extend(more),
            (Self::Rows, more) => *self = more,
            _ => *self = Self::Everything,
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let names = match self {
            Self::Everything | Self::Rows => None,
            Self::Only(names) => Some(names),
        };
        names.into_iter().flatten().map(String::as_str)
    }

    fn named(name: Option<String>) -> Self {
        name.map_or(Self::Everything, |name| Self::Only(BTreeSet::from([name])))
    }
}

/// The name at that place, without the schema before it, and the place behind it.
fn name_at(words: &[Token<'_>], at: usize) -> (Option<String>, usize) {
    let is_qualified = words.get(at + 1).is_some_and(|token| token.text == ".");
    let at = if is_qualified { at + 2 } else { at };
    (words.get(at).map(|token| token.name().to_ascii_lowercase()), at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(statement: &str) -> Option<Vec<String>> {
        match Reach::of(statement) {
            Reach::Everything => None,
            Reach::Rows => Some(vec!["rows".to_owned()]),
            Reach::Only(names) => Some(names.into_iter().collect()),
        }
    }

    #[test]
    fn a_statement_reaches_what_it_names_and_what_is_unknown_reaches_everything() {
        let nothing: Option<Vec<String>> = Some(Vec::new());
        let named = |name: &str| Some(vec![name.to_owned()]);
        let table = [
            ("CREATE TABLE a (b)", nothing),
            ("WITH x AS (SELECT 1) INSERT INTO a SELECT * FROM x", named("rows")),
            ("ALTER TABLE main.\"A b\" ADD COLUMN c", named("a b")),
            ("ALTER TABLE a ADD c", named("a")),
            ("ALTER TABLE a DROP COLUMN c", None),
            ("ALTER TABLE a RENAME TO b", None),
            ("DROP TABLE IF EXISTS main.a", named("a")),
            ("DROP INDEX a", named("a")),
            ("PRAGMA writable_schema = ON", None),
            ("UPDATE sqlite_schema SET sql = ''", None),
            ("VACUUM", None),
        ];
        for (statement, expected) in table {
            assert_eq!(names(statement), expected, "{statement}");
        }
    }
}
