//! What one statement can write, as SQLite names it while it compiles the statement.

use std::collections::{BTreeMap, BTreeSet};

use longshore_migrate::files::script::{Token, tokens};
use rusqlite::hooks::{AuthAction, AuthContext};

/// Tables of the main database that a statement can write, by name in lower case: its own, those of the triggers that
/// it can fire, and those of foreign keys.
#[derive(Debug, Default)]
pub(super) struct Reached {
    pub(super) writes: BTreeMap<String, Write>,
}

/// How a table is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Write {
    /// Rows are added; those that a conflict replaces are deleted, which SQLite does not say.
    pub(super) inserts: bool,
    /// Rows can go, and with them every value.
    pub(super) deletes: bool,
    /// Columns that get another value.
    pub(super) columns: BTreeSet<String>,
}

impl Write {
    pub(super) fn whole() -> Self {
        Self { deletes: true, ..Self::default() }
    }

    pub(super) fn of_column(column: &str) -> Self {
        Self { columns: BTreeSet::from([column.to_owned()]), ..Self::default() }
    }
}

impl Reached {
    pub(super) fn note(&mut self, context: &AuthContext<'_>) {
        if context.database_name.is_some_and(|database| database != "main") {
            return;
        }
        match context.action {
            AuthAction::Insert { table_name } => self.table(table_name, |write| write.inserts = true),
            AuthAction::Delete { table_name }
            | AuthAction::DropTable { table_name }
            | AuthAction::DropVtable { table_name, .. } => self.table(table_name, |write| write.deletes = true),
            AuthAction::Update { table_name, column_name } => {
                self.table(table_name, |write| _ = write.columns.insert(column_name.to_lowercase()));
            }
            _ => {}
        }
    }

    fn table(&mut self, name: &str, note: impl FnOnce(&mut Write)) {
        if !name.to_ascii_lowercase().starts_with("sqlite_") {
            note(self.writes.entry(name.to_lowercase()).or_default());
        }
    }
}

/// Whether a statement deletes the rows that it is in conflict with.
pub(super) fn replaces(statement: &str) -> bool {
    let words: Vec<Token<'_>> = tokens(statement).into_iter().filter(Token::has_meaning).collect();
    let or_replace = |pair: &[Token<'_>]| pair[0].is("or") && pair[1].is("replace");
    let replace_into = |pair: &[Token<'_>]| pair[0].is("replace") && pair[1].is("into");
    words.windows(2).any(|pair| or_replace(pair) || replace_into(pair))
}
