use longshore_migrate::schema::{ObjectKind, ObjectName};
use longshore_migrate::target::Definition;
use rusqlite::Row;

/// One row of `sqlite_schema`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: EntryKind,
    /// As it is stored.
    pub(super) name: String,
    /// The table or view that it is or belongs to, in lower case.
    pub(super) owner: String,
    /// None for an index that stands for a constraint.
    pub(super) sql: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    Table,
    Index,
    View,
    Trigger,
}

impl EntryKind {
    fn of(word: &str) -> Self {
        match word {
            "table" => Self::Table,
            "index" => Self::Index,
            "view" => Self::View,
            _ => Self::Trigger,
        }
    }
}

impl Entry {
    /// Reads `rowid, type, name, tbl_name, sql`.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let owner: String = row.get(3)?;
        Ok(Self {
            kind: EntryKind::of(row.get_ref(1)?.as_str()?),
            name: row.get(2)?,
            owner: owner.to_ascii_lowercase(),
            sql: row.get(4)?,
        })
    }

    /// Whether the row says the same.
    pub(super) fn is(&self, row: &Row<'_>) -> rusqlite::Result<bool> {
        Ok(row.get_ref(4)?.as_str_or_null()? == self.sql.as_deref()
            && row.get_ref(2)?.as_str()? == self.name
            && row.get_ref(3)?.as_str()?.eq_ignore_ascii_case(&self.owner)
            && EntryKind::of(row.get_ref(1)?.as_str()?) == self.kind)
    }

    /// Its name as it is compared.
    pub(super) fn key(&self) -> String {
        self.name.to_ascii_lowercase()
    }

    pub(super) fn object(&self) -> ObjectName {
        match self.kind {
            EntryKind::Table => ObjectName::table(self.key()),
            EntryKind::View => ObjectName::view(self.key()),
            EntryKind::Index => ObjectName::on(ObjectKind::Index, &self.owner, self.key()),
            EntryKind::Trigger => ObjectName::on(ObjectKind::Trigger, &self.owner, self.key()),
        }
    }

    /// Whether words in double quotes in it may be names of others.
    pub(super) fn has_words(&self) -> bool {
        matches!(self.kind, EntryKind::View | EntryKind::Trigger)
    }

    /// The object with its statement; none for an index that stands for a constraint.
    pub(super) fn definition(&self) -> Option<Definition> {
        Some(Definition { object: self.object(), sql: self.sql.clone()? })
    }
}
