//! What only the stored text of a table says, and no pragma: CHECK, COLLATE, generation expressions, conflict
//! clauses, deferred foreign keys, AUTOINCREMENT.

use std::collections::BTreeMap;

use super::text::cursor::{Cursor, comma_separated};
use super::text::token::Token;

/// What the words of a `CREATE TABLE` say beyond the pragmas, whether inline or on the level of the table.
#[derive(Default)]
pub(super) struct TableText<'text, 'sql> {
    /// By the name of the column.
    pub(super) columns: BTreeMap<String, ColumnText<'text, 'sql>>,
    pub(super) checks: Vec<&'text [Token<'sql>]>,
    /// The conflict clauses of UNIQUE constraints, by their columns.
    pub(super) unique_conflicts: BTreeMap<Vec<String>, String>,
    pub(super) primary_key_conflict: Option<String>,
    /// For each foreign key in the order of the text, whether it is checked only at the commit.
    pub(super) deferred: Vec<bool>,
    pub(super) is_autoincrement: bool,
    pub(super) is_strict: bool,
    pub(super) is_without_rowid: bool,
}

/// What the words of one column say beyond the pragmas.
#[derive(Default)]
pub(super) struct ColumnText<'text, 'sql> {
    pub(super) collation: Option<String>,
    pub(super) generated: Option<&'text [Token<'sql>]>,
    pub(super) not_null_conflict: Option<String>,
}

/// Where the type of a column ends.
const COLUMN_CONSTRAINTS: [&str; 11] =
    ["constraint", "primary", "not", "null", "unique", "check", "default", "collate", "references", "generated", "as"];

impl<'text, 'sql> TableText<'text, 'sql> {
    /// Reads the tokens of a stored `CREATE TABLE`. What it does not know it steps over.
    pub(super) fn read(tokens: &'text [Token<'sql>]) -> Self {
        let mut text =
            Self { is_autoincrement: tokens.iter().any(|one| one.is_word("autoincrement")), ..Self::default() };
        let mut cursor = Cursor::new(tokens);
        while cursor.peek().is_some_and(|token| !token.is_mark("(")) {
            cursor.next();
        }
        for item in comma_separated(cursor.take_group().unwrap_or_default()) {
            text.item(Cursor::new(item));
        }
        text.is_strict = cursor.rest().iter().any(|option| option.is_word("strict"));
        text.is_without_rowid = cursor.rest().iter().any(|option| option.is_word("without"));
        text
    }

    fn item(&mut self, mut cursor: Cursor<'text, 'sql>) {
        let is_constraint = ["constraint", "primary", "unique", "check", "foreign"];
        if !cursor.peek().is_some_and(|first| is_constraint.iter().any(|word| first.is_word(word))) {
            let name = cursor.next_name();
            cursor.skip_to(&COLUMN_CONSTRAINTS);
            return self.column(&name, cursor);
        }
        // SQLite lets the commas between the constraints of a table be left out.
        while cursor.peek().is_some() {
            self.table_constraint(&mut cursor);
        }
    }

    fn column(&mut self, name: &str, mut cursor: Cursor<'text, 'sql>) {
        let mut column = ColumnText::default();
        while cursor.peek().is_some() {
            self.column_constraint(name, &mut column, &mut cursor);
        }
        self.columns.insert(name.to_owned(), column);
    }

    fn column_constraint(
        &mut self,
        name: &str,
        column: &mut ColumnText<'text, 'sql>,
        cursor: &mut Cursor<'text, 'sql>,
    ) {
        if cursor.take(&["not", "null"]) {
            column.not_null_conflict = conflict(cursor);
        } else if cursor.take(&["collate"]) {
            column.collation = Some(cursor.next_name());
        } else if cursor.take(&["as"]) {
            column.generated = cursor.take_group();
        } else if cursor.take(&["default"]) {
            skip_default(cursor);
        } else if cursor.take(&["primary", "key"]) {
            let _ = cursor.take(&["asc"]) || cursor.take(&["desc"]);
            self.primary_key_conflict = conflict(cursor);
        } else if cursor.take(&["unique"]) {
            self.unique(vec![name.to_owned()], cursor);
        } else {
            self.shared_constraint(cursor);
        }
    }

    fn table_constraint(&mut self, cursor: &mut Cursor<'text, 'sql>) {
        if cursor.take(&["primary", "key"]) {
            cursor.take_group();
            self.primary_key_conflict = conflict(cursor);
        } else if cursor.take(&["unique"]) {
            let terms = comma_separated(cursor.take_group().unwrap_or_default());
            let columns = terms.iter().filter_map(|term| term.first()).map(Token::name).collect();
            self.unique(columns, cursor);
        } else if cursor.take(&["foreign", "key"]) {
            cursor.take_group();
        } else {
            self.shared_constraint(cursor);
        }
    }

    // What reads the same in a column and in a table.
    fn shared_constraint(&mut self, cursor: &mut Cursor<'text, 'sql>) {
        if cursor.take(&["constraint"]) {
            cursor.next();
        } else if cursor.take(&["check"]) {
            self.checks.extend(cursor.take_group());
        } else if cursor.take(&["references"]) {
            self.deferred.push(false);
            cursor.next();
            cursor.take_group();
        } else if cursor.take(&["not", "deferrable"]) {
            let _ = cursor.take(&["initially", "deferred"]);
        } else if cursor.take(&["deferrable", "initially", "deferred"]) {
            // SQLite takes the clause for the foreign key that is before it.
            if let Some(last) = self.deferred.last_mut() {
                *last = true;
            }
        } else {
            cursor.next();
        }
    }

    fn unique(&mut self, columns: Vec<String>, cursor: &mut Cursor<'text, 'sql>) {
        if let Some(conflict) = conflict(cursor) {
            self.unique_conflicts.insert(columns, conflict);
        }
    }
}

// Aborting is what happens without the clause.
fn conflict(cursor: &mut Cursor<'_, '_>) -> Option<String> {
    if !cursor.take(&["on", "conflict"]) {
        return None;
    }
    let resolution = cursor.next_name().to_ascii_uppercase();
    (resolution != "ABORT").then(|| format!("ON CONFLICT {resolution}"))
}

fn skip_default(cursor: &mut Cursor<'_, '_>) {
    if cursor.take_group().is_some() {
        return;
    }
    if cursor.next().is_some_and(|token| token.is_mark("-") || token.is_mark("+")) {
        cursor.next();
    }
}
