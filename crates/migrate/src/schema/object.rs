//! The names of the things that a schema is made of.

use std::cmp::Ordering;
use std::fmt;

use serde::{Serialize, Serializer};

/// What sort of thing an [`ObjectName`] names. The order is the order in which differences are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ObjectKind {
    /// A table, with what is true of it as a whole: its primary key, STRICT, WITHOUT ROWID.
    Table,
    /// A view.
    View,
    /// A column of a table.
    Column,
    /// A UNIQUE constraint, named by its columns.
    Unique,
    /// A foreign key, named by its own columns.
    ForeignKey,
    /// A CHECK constraint, named by its expression.
    Check,
    /// An index that its own statement made.
    Index,
    /// A trigger on a table or a view.
    Trigger,
    /// A view that keeps its rows.
    MaterializedView,
    /// A sequence, of its own or of a column.
    Sequence,
    /// A type: an enum with its labels, a composite, a range.
    Type,
    /// A domain, with its constraints.
    Domain,
    /// A function or a procedure, named with the types of its arguments.
    Function,
    /// An EXCLUDE constraint, named by its terms.
    Exclusion,
    /// A row-level security policy of a table.
    Policy,
    /// A rule of a table or a view.
    Rule,
    /// Extended statistics of a table.
    Statistics,
    /// A schema that migrations made, beside the one that they work in.
    Namespace,
}

impl ObjectKind {
    /// The word for it in sentences.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::Column => "column",
            Self::Unique => "unique",
            Self::ForeignKey => "foreign key",
            Self::Check => "check",
            Self::Index => "index",
            Self::Trigger => "trigger",
            Self::MaterializedView => "materialized view",
            Self::Sequence => "sequence",
            Self::Type => "type",
            Self::Domain => "domain",
            Self::Function => "function",
            Self::Exclusion => "exclusion",
            Self::Policy => "policy",
            Self::Rule => "rule",
            Self::Statistics => "statistics",
            Self::Namespace => "schema",
        }
    }

    /// Whether it is a constraint, which has no statement of its own but is in that of its table.
    #[must_use]
    pub fn is_constraint(self) -> bool {
        matches!(self, Self::Unique | Self::ForeignKey | Self::Check | Self::Exclusion)
    }
}

/// The name of one object. Names are those that the backend compares by: lower case on SQLite.
///
/// Shown as `table job_queue`, `column job_queue.failure_type`, `index idx_job_queue_status on job_queue`,
/// `foreign key job_queue (parent_job_id)`; serialised as that text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectName {
    /// What it names.
    pub kind: ObjectKind,
    /// The table (or, for a trigger, perhaps the view) that it belongs to; `None` for tables and views themselves.
    pub table: Option<String>,
    /// Its own name; for a constraint, what it constrains.
    pub name: String,
}

impl ObjectName {
    /// Names a table.
    pub fn table(name: impl Into<String>) -> Self {
        Self { kind: ObjectKind::Table, table: None, name: name.into() }
    }

    /// Names a view.
    pub fn view(name: impl Into<String>) -> Self {
        Self { kind: ObjectKind::View, table: None, name: name.into() }
    }

    /// Names something that belongs to nothing: a type, a function, a sequence of its own.
    pub fn alone(kind: ObjectKind, name: impl Into<String>) -> Self {
        Self { kind, table: None, name: name.into() }
    }

    /// Names something that belongs to a table: a column, a constraint, an index or a trigger.
    pub fn on(kind: ObjectKind, table: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind, table: Some(table.into()), name: name.into() }
    }

    /// The table or view that it is or belongs to.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.table.as_deref().unwrap_or(&self.name)
    }

    // A table is before what belongs to it, so that lists read from the whole to its parts.
    fn order(&self) -> (&str, bool, ObjectKind, &str) {
        (self.owner(), self.table.is_some(), self.kind, &self.name)
    }
}

impl Ord for ObjectName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for ObjectName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, name) = (self.kind.word(), &self.name);
        let Some(table) = &self.table else {
            return write!(f, "{word} {name}");
        };
        match self.kind {
            ObjectKind::Column => write!(f, "{word} {table}.{name}"),
            ObjectKind::Index
            | ObjectKind::Trigger
            | ObjectKind::Sequence
            | ObjectKind::Policy
            | ObjectKind::Rule
            | ObjectKind::Statistics => write!(f, "{word} {name} on {table}"),
            _ => write!(f, "{word} {table} ({name})"),
        }
    }
}

impl Serialize for ObjectName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
