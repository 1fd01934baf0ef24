use super::{Statement, Token, tokens_in};

/// In whose words a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// SQLite's.
    #[default]
    Sqlite,
    /// PostgreSQL's.
    Postgres,
}

impl Dialect {
    /// The words of a statement: no white space, no comments.
    pub fn words(self, statement: &str) -> Vec<Token<'_>> {
        tokens_in(self, statement).into_iter().filter(Token::has_meaning).collect()
    }

    /// The name that a token spells, as the database compares names.
    pub fn name(self, token: &Token<'_>) -> String {
        let is_as_written = self == Self::Postgres && token.text.starts_with('"');
        if is_as_written { token.name() } else { token.name().to_lowercase() }
    }

    /// What a session is told so that it takes a function whose body names what is not there.
    pub fn without_looking_into_bodies(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SET check_function_bodies = off"),
        }
    }

    /// Whether a statement refuses to run in any transaction.
    pub fn is_outside_transactions(self, statement: &str) -> bool {
        let words = self.words(statement);
        match self {
            Self::Sqlite => is_any(words.first(), &["vacuum", "pragma", "attach", "detach"]),
            Self::Postgres => is_outside_on_postgres(&words),
        }
    }

    /// Whether a statement sets something for its connection alone, so that a run that continues must say it again.
    pub fn is_setting(self, statement: &str) -> bool {
        let words = self.words(statement);
        match self {
            Self::Sqlite => is_any(words.first(), &["pragma", "attach", "detach"]),
            Self::Postgres => is_any(words.first(), &["set", "reset"]),
        }
    }
}

fn is_outside_on_postgres(words: &[Token<'_>]) -> bool {
    let is = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is(word));
    let is_concurrent = words.iter().any(|token| token.is("concurrently"));
    let has_index = is(1, "index") || is(1, "unique") && is(2, "index");
    if is(0, "vacuum") || is(0, "alter") && is(1, "system") || is(0, "cluster") && words.len() <= 2 {
        return true;
    }
    if (is(0, "create") || is(0, "drop")) && (is(1, "database") || is(1, "tablespace")) {
        return true;
    }
    // Of a materialized view CONCURRENTLY runs in a transaction.
    let detaches = is(0, "alter") && words.iter().any(|token| token.is("detach"));
    let reindexes = is(0, "reindex") && (is_concurrent || is(1, "database") || is(1, "system") || is(1, "schema"));
    reindexes || is_concurrent && ((is(0, "create") || is(0, "drop")) && has_index || detaches)
}

/// A command of psql, or a COPY whose rows come from the client.
pub(super) fn is_client_command(statement: &Statement) -> bool {
    let words = statement.words();
    let is_copy = words.first().is_some_and(|word| word.is("copy"));
    let streams =
        |pair: &[Token<'_>]| (pair[0].is("from") || pair[0].is("to")) && (pair[1].is("stdin") || pair[1].is("stdout"));
    words.first().is_some_and(|word| word.text == "\\") || is_copy && words.windows(2).any(streams)
}

fn is_any(word: Option<&Token<'_>>, of: &[&str]) -> bool {
    word.is_some_and(|word| of.iter().any(|one| word.is(one)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_refuses_these_in_a_transaction() {
        let is_bare = |text| Dialect::Postgres.is_outside_transactions(text);
        for text in [
            "create unique index CONCURRENTLY if not exists i on a (b)",
            "DROP INDEX CONCURRENTLY i",
            "REINDEX (VERBOSE) TABLE CONCURRENTLY a",
            "VACUUM (ANALYZE) a",
            "ALTER TABLE a DETACH PARTITION b CONCURRENTLY",
            "CREATE DATABASE b",
            "ALTER SYSTEM SET work_mem = '1MB'",
        ] {
            assert!(is_bare(text), "{text}");
        }
        for text in [
            "CREATE INDEX i ON a (b)",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
            "ALTER TYPE mood ADD VALUE 'calm'",
            "REINDEX TABLE a",
            "SELECT 1 AS concurrently",
        ] {
            assert!(!is_bare(text), "{text}");
        }
    }

    #[test]
    fn a_name_in_quotes_keeps_its_case_on_postgres() {
        let name = |dialect: Dialect, text| dialect.name(&dialect.words(text)[0]);
        assert_eq!(name(Dialect::Postgres, "\"User\""), "User");
        assert_eq!(name(Dialect::Postgres, "User"), "user");
        assert_eq!(name(Dialect::Sqlite, "\"User\""), "user");
    }
}
