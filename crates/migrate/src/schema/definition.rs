//! What is true of one object, in parts that can be compared and named one by one.

use serde::Serialize;

use super::difference::DifferenceKind;
use super::object::ObjectKind;

/// One comparable part of an object. A backend fills in those that it knows, in canonical text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Facet {
    /// Column: the declared type.
    Type,
    /// Column: `NOT NULL`, with its conflict clause.
    Nullability,
    /// Column: the default expression.
    Default,
    /// Column: the generation expression and where it is kept.
    Generated,
    /// Column: the collation, unless it is the backend's usual one.
    Collation,
    /// Table: the order of the columns. Never stored; it follows from their positions.
    ColumnOrder,
    /// Table: the columns of the primary key.
    PrimaryKey,
    /// Table: ids are never given twice.
    Autoincrement,
    /// Table: types are enforced.
    Strict,
    /// Table: rows are kept by primary key.
    WithoutRowid,
    /// Table: the module of a virtual table with its arguments.
    Module,
    /// Unique constraint: what happens on conflict, unless it is the usual abort.
    Conflict,
    /// Foreign key: what it refers to, its actions and when it is checked.
    References,
    /// Index: the terms with collation and direction.
    IndexColumns,
    /// Index: it refuses duplicates.
    IndexUnique,
    /// Index: the predicate of a partial index.
    IndexPredicate,
    /// Trigger: BEFORE, AFTER or INSTEAD OF.
    Timing,
    /// Trigger: the event, with the columns of UPDATE OF.
    Event,
    /// Trigger: the WHEN condition.
    When,
    /// Trigger: the statements.
    Body,
    /// View: the column names that it declares.
    ViewColumns,
    /// View: the query.
    Query,
    /// Column: it counts by itself, with the settings of its sequence.
    Identity,
    /// Column: how long values are kept, unless as its type has it.
    Storage,
    /// Table, index or view: settings behind WITH.
    Options,
    /// Table: UNLOGGED.
    Persistence,
    /// Table: how its rows are divided among partitions.
    PartitionBy,
    /// Table: of which table it is a partition, and which rows it has.
    PartitionOf,
    /// Table: from which tables it inherits.
    Inherits,
    /// Table: whether policies act, also for its owner.
    RowSecurity,
    /// Table: what replication writes of an old row, unless the primary key.
    ReplicaIdentity,
    /// Constraint or index: NOT VALID or INVALID.
    Validity,
    /// Constraint: what it is apart from its name and its columns.
    Terms,
    /// Index: its access method, unless btree.
    Method,
    /// Sequence: type, start, step and bounds.
    Values,
    /// Sequence: the column with which it goes.
    OwnedBy,
    /// Type: its labels, its attributes or its range.
    Shape,
    /// Function: the whole of it.
    Routine,
    /// Policy: command, roles and conditions.
    Policy,
    /// Trigger, rule or key that triggers enforce: when it fires, unless always on the origin.
    Enabled,
    /// Rule, statistics: the statement that makes it.
    Statement,
    /// Any: its comment.
    Comment,
}

impl Facet {
    /// The kind of difference that it makes when it differs.
    #[must_use]
    pub fn difference(self) -> DifferenceKind {
        match self {
            Self::Type => DifferenceKind::Type,
            Self::Nullability => DifferenceKind::Nullability,
            Self::Default => DifferenceKind::Default,
            Self::Generated => DifferenceKind::Generated,
            Self::Collation => DifferenceKind::Collation,
            Self::ColumnOrder => DifferenceKind::ColumnOrder,
            Self::PrimaryKey => DifferenceKind::PrimaryKey,
            Self::Autoincrement => DifferenceKind::Autoincrement,
            Self::Strict => DifferenceKind::Strict,
            Self::WithoutRowid => DifferenceKind::WithoutRowid,
            Self::Module => DifferenceKind::VirtualTable,
            Self::Conflict => DifferenceKind::Unique,
            Self::References => DifferenceKind::ForeignKey,
            Self::IndexColumns => DifferenceKind::IndexColumns,
            Self::IndexUnique => DifferenceKind::IndexUnique,
            Self::IndexPredicate => DifferenceKind::IndexPredicate,
            Self::Timing | Self::Event | Self::When | Self::Body => DifferenceKind::TriggerChanged,
            Self::ViewColumns | Self::Query => DifferenceKind::ViewChanged,
            Self::Identity => DifferenceKind::Identity,
            Self::Storage => DifferenceKind::Storage,
            Self::Options => DifferenceKind::Options,
            Self::Persistence => DifferenceKind::Persistence,
            Self::PartitionBy => DifferenceKind::PartitionKey,
            Self::PartitionOf => DifferenceKind::Partition,
            Self::Inherits => DifferenceKind::Inherits,
            Self::RowSecurity => DifferenceKind::RowSecurity,
            Self::ReplicaIdentity => DifferenceKind::ReplicaIdentity,
            Self::Validity => DifferenceKind::Validity,
            Self::Terms => DifferenceKind::Terms,
            Self::Method => DifferenceKind::IndexMethod,
            Self::Values | Self::OwnedBy => DifferenceKind::SequenceChanged,
            Self::Shape => DifferenceKind::TypeChanged,
            Self::Routine => DifferenceKind::FunctionChanged,
            Self::Policy => DifferenceKind::PolicyChanged,
            Self::Enabled => DifferenceKind::EnabledChanged,
            Self::Statement => DifferenceKind::StatementChanged,
            Self::Comment => DifferenceKind::Comment,
        }
    }

    /// How a sentence says that an object does not have it.
    #[must_use]
    pub fn absence(self) -> &'static str {
        match self {
            Self::Type => "no type",
            Self::Nullability => "NULL allowed",
            Self::Default => "no default",
            Self::Generated => "not generated",
            Self::Collation => "the usual collation",
            Self::ColumnOrder => "no columns",
            Self::PrimaryKey => "no primary key",
            Self::Autoincrement => "no AUTOINCREMENT",
            Self::Strict => "not STRICT",
            Self::WithoutRowid => "with rowid",
            Self::Module => "an ordinary table",
            Self::Conflict => "abort on conflict",
            Self::References => "no reference",
            Self::IndexColumns | Self::ViewColumns => "no column list",
            Self::IndexUnique => "not UNIQUE",
            Self::IndexPredicate => "no WHERE: every row",
            Self::Timing => "no timing",
            Self::Event => "no event",
            Self::When => "no WHEN: every row",
            Self::Body => "no statements",
            Self::Query => "no query",
            Self::Identity => "no identity",
            Self::Storage => "the usual storage",
            Self::Options => "no options",
            Self::Persistence => "logged",
            Self::PartitionBy => "not partitioned",
            Self::PartitionOf => "no partition",
            Self::Inherits => "inherits nothing",
            Self::RowSecurity => "no row-level security",
            Self::ReplicaIdentity => "the usual replica identity",
            Self::Validity => "valid",
            Self::Terms => "no terms",
            Self::Method => "btree",
            Self::Values => "no values",
            Self::OwnedBy => "owned by no column",
            Self::Shape => "no shape",
            Self::Routine => "no body",
            Self::Policy => "no conditions",
            Self::Enabled => "enabled",
            Self::Statement => "no statement",
            Self::Comment => "no comment",
        }
    }
}

/// What is true of one object: its facets, and for a column its place among the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// Sorted by facet; there are few.
    facets: Vec<(Facet, Box<str>)>,
    pub(super) position: usize,
}

impl Definition {
    /// A definition that says nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with a facet set. The text is canonical: equal meaning, equal text.
    #[must_use]
    pub fn with(mut self, facet: Facet, text: impl Into<String>) -> Self {
        self.set(facet, Some(text.into()));
        self
    }

    /// The same with a facet set if there is a text, and left out otherwise.
    #[must_use]
    pub fn with_optional(mut self, facet: Facet, text: Option<String>) -> Self {
        if text.is_some() {
            self.set(facet, text);
        }
        self
    }

    /// Sets a facet, or takes it away.
    pub(super) fn set(&mut self, facet: Facet, text: Option<String>) {
        let place = self.facets.binary_search_by_key(&facet, |(facet, _)| *facet);
        match (place, text) {
            (Ok(at), Some(text)) => self.facets[at].1 = text.into(),
            (Ok(at), None) => _ = self.facets.remove(at),
            (Err(at), Some(text)) => self.facets.insert(at, (facet, text.into())),
            (Err(_), None) => {}
        }
    }

    /// The same column at a place, counted from 0 in the order of the table.
    #[must_use]
    pub fn at(mut self, position: usize) -> Self {
        self.position = position;
        self
    }

    /// The text of a facet, if it has it.
    #[must_use]
    pub fn facet(&self, facet: Facet) -> Option<&str> {
        let at = self.facets.binary_search_by_key(&facet, |(facet, _)| *facet).ok()?;
        Some(&self.facets[at].1)
    }

    /// Every facet with its text.
    pub fn facets(&self) -> impl Iterator<Item = (Facet, &str)> {
        self.facets.iter().map(|(facet, text)| (*facet, &**text))
    }

    /// The whole definition in readable SQL words.
    #[must_use]
    pub fn describe(&self, kind: ObjectKind) -> String {
        let words: Vec<String> = self.facets().map(|(facet, text)| words(facet, text)).collect();
        if words.is_empty() { format!("the {}", kind.word()) } else { words.join(" ") }
    }
}

/// A facet as SQL has it.
pub(super) fn words(facet: Facet, text: &str) -> String {
    match facet {
        Facet::Default => format!("DEFAULT {}", default(text)),
        Facet::Collation => format!("COLLATE {text}"),
        Facet::PrimaryKey => format!("PRIMARY KEY ({text})"),
        Facet::Module | Facet::Method => format!("USING {text}"),
        Facet::IndexColumns | Facet::ViewColumns => format!("({text})"),
        Facet::IndexPredicate => format!("WHERE {text}"),
        Facet::When => format!("WHEN {text}"),
        Facet::Body => format!("BEGIN {text} END"),
        Facet::Query => format!("AS {text}"),
        Facet::Comment => format!("COMMENT {text}"),
        Facet::Options => format!("WITH ({text})"),
        Facet::OwnedBy => format!("OWNED BY {text}"),
        Facet::PartitionBy => format!("PARTITION BY {text}"),
        Facet::Inherits => format!("INHERITS ({text})"),
        _ => text.to_owned(),
    }
}

// A literal stands bare; an expression needs parentheses to be SQL again.
fn default(text: &str) -> String {
    let is_bare = !text.contains('(') && (!text.contains(' ') || text.starts_with('\''));
    if is_bare { text.to_owned() } else { format!("({text})") }
}
