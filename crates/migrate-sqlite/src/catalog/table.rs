//! Reads one table: from the pragmas what they tell, from the stored text what they do not.

use longshore_migrate::schema::{Definition, Facet, ObjectKind, ObjectName, Schema};
use rusqlite::Connection;

use super::canonical::{Names, canonical};
use super::foreign_key;
use super::index::{self, Index, Origin};
use super::literal;
use super::table_text::TableText;
use super::token::{self, Token, tokens};

/// A table as `PRAGMA table_list` and `sqlite_schema` tell of it.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) sql: String,
    pub(super) is_without_rowid: bool,
    pub(super) is_strict: bool,
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

impl Table {
    /// Adds the table and all that belongs to it, but not its triggers.
    pub(super) fn read_into(&self, connection: &Connection, schema: &mut Schema) -> rusqlite::Result<()> {
        let tokens = tokens(&self.sql);
        let text = TableText::read(&tokens);
        let columns = columns(connection, &self.name)?;
        let indexes = index::of_table(connection, &self.name)?;
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
        for (name, definition) in foreign_key::of_table(connection, &self.name, &text.deferred)? {
            schema.insert(self.part(ObjectKind::ForeignKey, &name), definition);
        }
        for (name, definition) in indexes.iter().filter_map(|one| self.index(one, &text, &names)) {
            schema.insert(name, definition);
        }
        Ok(())
    }

    fn key(&self) -> String {
        self.name.to_ascii_lowercase()
    }

    fn part(&self, kind: ObjectKind, name: &str) -> ObjectName {
        ObjectName::on(kind, self.key(), name)
    }

    fn names(&self, columns: &[Column]) -> Names {
        let own = ["rowid", "oid", "_rowid_"].map(str::to_owned);
        columns.iter().map(Column::key).chain(own).chain([self.key()]).collect()
    }

    fn definition(&self, text: &TableText<'_, '_>, key: &PrimaryKey) -> Definition {
        let words = |is_so: bool, words: &str| is_so.then(|| words.to_owned());
        Definition::new()
            .with_optional(Facet::PrimaryKey, key.text.clone())
            .with_optional(Facet::Autoincrement, words(text.is_autoincrement, "AUTOINCREMENT"))
            .with_optional(Facet::Strict, words(self.is_strict, "STRICT"))
            .with_optional(Facet::WithoutRowid, words(self.is_without_rowid, "WITHOUT ROWID"))
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
            is_rowid: index.is_none() && !self.is_without_rowid,
        }
    }

    // The index of the primary key has been told with the table.
    fn index(&self, index: &Index, text: &TableText<'_, '_>, names: &Names) -> Option<(ObjectName, Definition)> {
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
    fn definition(&self, text: &TableText<'_, '_>, names: &Names, key: &PrimaryKey) -> Definition {
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
        [Token::Word(word)] if !super::keyword::is_reserved(&word.to_ascii_lowercase()) => literal::text(word),
        [Token::Name(word) | Token::Doubtful(word)] => literal::text(word),
        tokens => canonical(tokens, Some(&Names::new())),
    };
    (text != "NULL").then_some(text)
}
