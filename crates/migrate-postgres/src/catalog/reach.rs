use std::collections::BTreeSet;

use longshore_migrate::files::script::{Dialect, Token, TokenKind};

/// What statements can have changed in the schema, by their words. Too much costs time, too little is a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// What has one of those names, or owns what has.
    Names(BTreeSet<String>),
    Everything,
}

impl Default for Reach {
    fn default() -> Self {
        Self::Names(BTreeSet::new())
    }
}

impl Reach {
    pub(crate) fn of(statement: &str) -> Self {
        let words = Dialect::Postgres.words(statement);
        let is = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is(word));
        let has = |word: &str| words.iter().any(|token| token.is(word));
        let rows = ["insert", "update", "delete", "merge", "copy", "truncate", "set", "reset", "lock", "analyze"];
        let others = ["grant", "revoke", "notify", "listen", "refresh", "vacuum", "reindex", "cluster", "explain"];
        if rows.iter().chain(&others).any(|word| is(0, word)) {
            return Self::default();
        }
        if !["create", "alter", "drop", "comment"].iter().any(|word| is(0, word)) {
            return Self::Everything;
        }
        // What else such a statement changes has no name in it.
        let is_wide = has("cascade") || has("rename") || is(1, "schema") || is(1, "extension");
        if is_wide || is(0, "alter") && has("schema") || is(0, "drop") && is(1, "owned") {
            return Self::Everything;
        }
        let is_name = |token: &&Token<'_>| {
            token.kind == TokenKind::Word || token.kind == TokenKind::Quoted && token.text.starts_with('"')
        };
        Self::Names(words.iter().filter(is_name).map(|token| Dialect::Postgres.name(token)).collect())
    }

    pub(crate) fn extend(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Names(names), Self::Names(more)) => names.extend(more),
            (_, Self::Everything) => *self = Self::Everything,
            (Self::Everything, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_reaches_what_it_names_and_some_reach_everything() {
        let Reach::Names(names) = Reach::of("CREATE INDEX i ON app.\"User\" (lower(b))") else { panic!() };
        assert!(["i", "User", "b"].iter().all(|name| names.contains(*name)));
        assert_eq!(Reach::of("INSERT INTO a VALUES (1)"), Reach::default());
        for text in ["DO $$ BEGIN END $$", "SELECT f()", "DROP TABLE a CASCADE", "ALTER TABLE a RENAME TO b"] {
            assert_eq!(Reach::of(text), Reach::Everything, "{text}");
        }
    }
}
