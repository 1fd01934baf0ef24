//! Reads one table: from the pragmas what they tell, from the stored text what they do not.

use std::collections::BTreeSet;

use longshore_migrate::schema::{Definition, Facet, ObjectKind, ObjectName, Schema};
use rusqlite::Connection;

use super::foreign_key::{self, ForeignKeys};
use super::index::{self, Index, IndexTexts, Origin};
use super::table_text::TableText;
use super::text::canonical::{Names, canonical};
use super::text::literal;
use super::text::token::{self, Token, tokens};

/// A table as `sqlite_schema` has it.
///
/// `PRAGMA table_list` would tell more, but it looks at every table, and to count the columns of each view it expands
/// those that the view is made of: with views in views that never ends.
pub(super) struct Table<'a> {
    pub(super) name: &'a str,
    pub(super) sql: &'a str,
    /// None where it has no index, not even one that stands for a constraint.
    pub(super) index_texts: Option<IndexTexts<'a>>,
    /// Whether something of a name is an ordinary table.
    pub(super) is_table: &'a dyn Fn(&str) -> bool,
}

struct Column {
    name: String,
    type_name: String,
    is_not_null: bool,
    default: Option<String>,
    /// Its place in the primary key, counted from 1; 0 if it has none.
    key_place: i64,
    hidden: i64,
}

/// `hidden` of a column that is neither generated nor of a virtual table.
const ORDINARY: i64 = 0;
/// `hidden` of a generated column that is stored; a virtual one has 2.
const STORED: i64 = 3;

impl Table<'_> {
    /// Adds the table and all that belongs to it, but not its triggers. Gives the tables whose primary keys are part of
    /// what this one means.
    pub(super) fn read_into(&self, connection: &Connection, schema: &mut Schema) -> rusqlite::Result<BTreeSet<String>> {
        let tokens = tokens(self.sql);
        let text = TableText::read(&tokens);
        let columns = columns(connection, self.name)?;
        let indexes = match &self.index_texts {
            Some(texts) => index::of_table(connection, self.name, texts)?,
            // The rows of this one are in the index of its key, which the catalog does not list.
            None if text.is_without_rowid => index::of_table(connection, self.name, &IndexTexts::new())?,
            None => Vec::new(),
        };
        let names = self.names(&columns);
        let key = self.primary_key(&columns, &indexes, &text);

        schema.insert(ObjectName::table(self.key()), self.definition(&text, &key));
        for (place, column) in columns.iter().enumerate() {
            let definition = column.definition(&text, &names, &key);
            schema.insert(self.part(ObjectKind::Column, &column.key()), definition.at(place));
        }
        for check in &text.checks {
            schema.insert(self.part(ObjectKind::Check, &canonical(check, Some(&names))), Definition::new());
        }
        let keys = match tokens.iter().any(|token| token.is_word("references")) {
            true => foreign_key::of_table(connection, self.name, &text.deferred, self.is_table)?,
            false => ForeignKeys::default(),
        };
        for (name, definition) in keys.named {
            schema.insert(self.part(ObjectKind::ForeignKey, &name), definition);
        }
        for (name, definition) in indexes.iter().filter_map(|one| self.index(one, &text, &names)) {
            schema.insert(name, definition);
        }
        Ok(keys.parents_by_key)
    }

    fn key(&self) -> String {
        self.name.to_ascii_lowercase()
    }

    fn part(&self, kind: ObjectKind, name: &str) -> ObjectName {
        ObjectName::on(kind, self.key(), name)
    }

    fn names(&self, columns: &[Column]) -> Names<'static> {
        let own = ["rowid", "oid", "_rowid_"].map(str::to_owned);
        columns.iter().map(Column::key).chain(own).chain([self.key()]).collect()
    }

    fn definition(&self, text: &TableText<'_, '_>, key: &PrimaryKey) -> Definition {
        let words = |is_so: bool, words: &str| is_so.then(|| words.to_owned());
        Definition::new()
            .with_optional(Facet::PrimaryKey, key.text.clone())
            .with_optional(Facet::Autoincrement, words(text.is_autoincrement, "AUTOINCREMENT"))
            .with_optional(Facet::Strict, words(text.is_strict, "STRICT"))
            .with_optional(Facet::WithoutRowid, words(text.is_without_rowid, "WITHOUT ROWID"))
    }

    // A key that has no index of its own, in a table with rowids, is the rowid.
    fn primary_key(&self, columns: &[Column], indexes: &[Index], text: &TableText<'_, '_>) -> PrimaryKey {
        let index = indexes.iter().find(|index| index.origin == Origin::PrimaryKey);
        let terms = match index {
            Some(index) => terms(index, text),
            None => columns.iter().filter(|column| column.key_place > 0).map(Column::written).collect(),
        };
        let conflict = text.primary_key_conflict.as_ref().map(|conflict| format!(" {conflict}")).unwrap_or_default();
        PrimaryKey {
            text: (!terms.is_empty()).then(|| terms.join(", ") + &conflict),
            is_rowid: index.is_none() && !text.is_without_rowid,
        }
    }

    // The index of the primary key has been told with the table.
    fn index(&self, index: &Index, text: &TableText<'_, '_>, names: &Names<'_>) -> Option<(ObjectName, Definition)> {
        match index.origin {
            Origin::PrimaryKey => None,
            Origin::Unique => {
                let columns: Vec<String> = index.terms.iter().filter_map(|term| term.column.clone()).collect();
                let conflict = text.unique_conflicts.get(&columns).cloned();
                let name = self.part(ObjectKind::Unique, &terms(index, text).join(", "));
                Some((name, Definition::new().with_optional(Facet::Conflict, conflict)))
            }
            Origin::Statement => {
                let name = self.part(ObjectKind::Index, &index.name.to_ascii_lowercase());
                Some((name, index.definition(names, |column| collation(column, text))))
            }
        }
    }
}

struct PrimaryKey {
    text: Option<String>,
    is_rowid: bool,
}

impl PrimaryKey {
    fn is_rowid(&self, column: &Column) -> bool {
        self.is_rowid && column.key_place > 0
    }
}

impl Column {
    fn key(&self) -> String {
        self.name.to_ascii_lowercase()
    }

    fn written(&self) -> String {
        token::written(&self.name)
    }

    // SQLite cuts GENERATED ALWAYS from the end of the type, but not where a comment stands between the words.
    fn type_name(&self) -> Option<String> {
        let text = canonical(&tokens(&self.type_name), None).to_ascii_uppercase();
        if self.hidden == ORDINARY {
            return (!text.is_empty()).then_some(text);
        }
        let words = text.split(' ').filter(|word| !["GENERATED", "ALWAYS"].contains(word));
        let text = words.collect::<Vec<_>>().join(" ");
        (!text.is_empty()).then_some(text)
    }

    // The rowid is never NULL, whether or not the text says so.
    fn definition(&self, text: &TableText<'_, '_>, names: &Names<'_>, key: &PrimaryKey) -> Definition {
        let words = text.columns.get(&self.key());
        let conflict = words.and_then(|words| words.not_null_conflict.as_deref()).unwrap_or_default();
        let is_not_null = self.is_not_null && !key.is_rowid(self);
        let generated = words.and_then(|words| words.generated).map(|expression| {
            let place = if self.hidden == STORED { "STORED" } else { "VIRTUAL" };
            format!("GENERATED ALWAYS AS ({}) {place}", canonical(expression, Some(names)))
        });
        let collation = collation(&self.key(), text);
        Definition::new()
            .with_optional(Facet::Type, self.type_name())
            .with_optional(
                Facet::Nullability,
                is_not_null.then(|| format!("NOT NULL {conflict}").trim_end().to_owned()),
            )
            .with_optional(Facet::Default, self.default.as_deref().and_then(default))
            .with_optional(Facet::Generated, generated)
            .with_optional(Facet::Collation, (collation != USUAL_COLLATION).then_some(collation))
    }
}

const USUAL_COLLATION: &str = "binary";

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Column>> {
    let mut statement = connection.prepare_cached(
        "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main') ORDER BY cid",
    )?;
    let columns = statement.query_map([table], |row| {
        Ok(Column {
            name: row.get(0)?,
            type_name: row.get(1)?,
            is_not_null: row.get(2)?,
            default: row.get(3)?,
            key_place: row.get(4)?,
            hidden: row.get(5)?,
        })
    })?;
    columns.collect()
}

fn terms(index: &Index, text: &TableText<'_, '_>) -> Vec<String> {
    let written = |term: &index::Term| term.written(&collation(term.column.as_deref().unwrap_or_default(), text));
    index.terms.iter().map(written).collect()
}

fn collation(column: &str, text: &TableText<'_, '_>) -> String {
    let declared = text.columns.get(column).and_then(|words| words.collation.clone());
    declared.unwrap_or_else(|| USUAL_COLLATION.to_owned())
}

// `DEFAULT word` is a string to SQLite, with quotes or without; NULL is what there is without a default.
fn default(written: &str) -> Option<String> {
    let tokens = tokens(written);
    let text = match tokens.as_slice() {
        [Token::Word(word)] if word.eq_ignore_ascii_case("true") => "1".to_owned(),
        [Token::Word(word)] if word.eq_ignore_ascii_case("false") => "0".to_owned(),
        [Token::Word(word)] if !super::text::keyword::is_reserved(&word.to_ascii_lowercase()) => literal::text(word),
        [Token::Name(word) | Token::Doubtful(word)] => literal::text(word),
        tokens => canonical(tokens, Some(&Names::default())),
    };
    (text != "NULL").then_some(text)
}
