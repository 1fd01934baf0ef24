//! Where two schemas do not mean the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::Schema;
use super::definition::{self, Definition, Facet};
use super::object::{ObjectKind, ObjectName};

/// What sort of difference it is. Scripts read these words; renaming one breaks them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DifferenceKind {
    /// A table is not there.
    TableMissing,
    /// A column is not there.
    ColumnMissing,
    /// A table of ours has a column that no migration made.
    ColumnExtra,
    /// A column is declared with another type.
    Type,
    /// A column allows NULL, or refuses it, against what is expected.
    Nullability,
    /// A column has another default.
    Default,
    /// A column is generated otherwise, or only on one side.
    Generated,
    /// A column is compared by another collation.
    Collation,
    /// The columns that both have are in another order.
    ColumnOrder,
    /// The primary key is another.
    PrimaryKey,
    /// A UNIQUE constraint is missing, extra or another.
    Unique,
    /// A foreign key is missing, extra or another.
    ForeignKey,
    /// A CHECK constraint is missing, extra or another.
    Check,
    /// An index is not there.
    IndexMissing,
    /// A table of ours has an index that no migration made.
    IndexExtra,
    /// An index has other terms, directions or collations.
    IndexColumns,
    /// An index is UNIQUE on one side only.
    IndexUnique,
    /// An index covers other rows.
    IndexPredicate,
    /// A trigger is not there.
    TriggerMissing,
    /// A table of ours has a trigger that no migration made.
    TriggerExtra,
    /// A trigger fires at another time or does something else.
    TriggerChanged,
    /// A view is not there.
    ViewMissing,
    /// A view shows something else.
    ViewChanged,
    /// A table enforces types on one side only.
    Strict,
    /// A table is WITHOUT ROWID on one side only.
    WithoutRowid,
    /// A table gives ids once only on one side only.
    Autoincrement,
    /// A virtual table has another module or other arguments.
    VirtualTable,
    /// A column counts by itself on one side only, or otherwise.
    Identity,
    /// A column keeps long values otherwise.
    Storage,
    /// Settings behind WITH differ.
    Options,
    /// A table is UNLOGGED on one side only.
    Persistence,
    /// Rows are divided among partitions otherwise.
    PartitionKey,
    /// A partition has other rows, or belongs to another table.
    Partition,
    /// A table inherits from others.
    Inherits,
    /// Policies act on one side only.
    RowSecurity,
    /// Replication writes something else of old rows.
    ReplicaIdentity,
    /// A constraint is NOT VALID, or an index INVALID.
    Validity,
    /// A constraint has other terms.
    Terms,
    /// An EXCLUDE constraint is missing, extra or another.
    Exclusion,
    /// An index has another access method.
    IndexMethod,
    /// A sequence is not there.
    SequenceMissing,
    /// A sequence counts otherwise.
    SequenceChanged,
    /// A type is not there.
    TypeMissing,
    /// A type has other labels or attributes.
    TypeChanged,
    /// A domain is not there.
    DomainMissing,
    /// A function is not there.
    FunctionMissing,
    /// A function does something else.
    FunctionChanged,
    /// A policy is not there.
    PolicyMissing,
    /// A table of ours has a policy that no migration made.
    PolicyExtra,
    /// A policy lets other rows through.
    PolicyChanged,
    /// A trigger or a rule fires on one side only.
    EnabledChanged,
    /// A rule is not there.
    RuleMissing,
    /// A table of ours has a rule that no migration made.
    RuleExtra,
    /// Extended statistics are not there.
    StatisticsMissing,
    /// A table of ours has statistics that no migration made.
    StatisticsExtra,
    /// A column of ours has a sequence that no migration made.
    SequenceExtra,
    /// A rule or statistics are another.
    StatementChanged,
    /// A schema is not there.
    NamespaceMissing,
    /// A comment is another.
    Comment,
}

/// One difference, with what was expected and what was found in readable SQL words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What sort it is.
    pub kind: DifferenceKind,
    /// The object that differs.
    pub object: ObjectName,
    /// What the migrations make of it; `None` if they make no such object.
    pub expected: Option<String>,
    /// What is there; `None` if there is no such object.
    pub found: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => {
                write!(f, "{}: expected {expected}, found {found}", self.object)
            }
            (Some(expected), None) => write!(f, "{} is missing: expected {expected}", self.object),
            (None, Some(found)) => write!(f, "{} is there and no migration made it: {found}", self.object),
            (None, None) => write!(f, "{} differs", self.object),
        }
    }
}

/// What [`differences`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Every difference, those of one table together.
    pub differences: Vec<Difference>,
    /// Whole tables and views that the expected schema does not know. They are named and never touched.
    pub foreign: Vec<ObjectName>,
}

impl Comparison {
    /// Whether nothing differs. Foreign tables do not count.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Compares what the migrations make with what is there.
///
/// A table that is missing is one difference, not one for each of its columns. Objects that `expected` lacks are
/// differences on tables and views that it has, and silent on foreign ones.
#[must_use]
pub fn differences(expected: &Schema, observed: &Schema) -> Comparison {
    let shared = shared_owners(expected, observed);
    let mut found: Vec<Difference> = Vec::new();
    for (name, definition) in expected.objects() {
        match observed.definition(name) {
            Some(other) => found.extend(facets(name, definition, other)),
            None if name.table.is_none() => found.push(owner_missing(expected, name)),
            None if shared.contains(name.owner()) => found.push(missing(name, definition)),
            None => {}
        }
    }
    let extras = observed
        .objects()
        .filter(|(name, _)| name.table.is_some() && shared.contains(name.owner()) && !expected.contains(name));
    found.extend(extras.map(|(name, definition)| extra(name, definition)));
    found.extend(shared.iter().filter_map(|table| column_order(expected, observed, table)));
    let mut differences = paired(found);
    differences.sort_by(|a, b| (&a.object, a.kind).cmp(&(&b.object, b.kind)));
    Comparison { differences, foreign: foreign(expected, observed) }
}

/// The differences between two definitions of one object, facet by facet.
pub(super) fn facets(name: &ObjectName, expected: &Definition, found: &Definition) -> Vec<Difference> {
    let every: BTreeSet<Facet> = expected.facets().chain(found.facets()).map(|(facet, _)| facet).collect();
    every
        .into_iter()
        .filter(|facet| expected.facet(*facet) != found.facet(*facet))
        .map(|facet| facet_differs(name, facet, (expected.facet(facet), found.facet(facet))))
        .collect()
}

/// A facet that is `(expected, found)`; what is absent is said in words.
pub(super) fn facet_differs(name: &ObjectName, facet: Facet, texts: (Option<&str>, Option<&str>)) -> Difference {
    let words = |text: Option<&str>| {
        Some(text.map_or_else(|| facet.absence().to_owned(), |text| definition::words(facet, text)))
    };
    Difference { kind: facet.difference(), object: name.clone(), expected: words(texts.0), found: words(texts.1) }
}

/// An object that is there although it was not expected.
pub(super) fn extra(name: &ObjectName, definition: &Definition) -> Difference {
    let kind = match name.kind {
        ObjectKind::Column => DifferenceKind::ColumnExtra,
        ObjectKind::Index => DifferenceKind::IndexExtra,
        ObjectKind::Trigger => DifferenceKind::TriggerExtra,
        ObjectKind::Policy => DifferenceKind::PolicyExtra,
        ObjectKind::Rule => DifferenceKind::RuleExtra,
        ObjectKind::Statistics => DifferenceKind::StatisticsExtra,
        ObjectKind::Sequence => DifferenceKind::SequenceExtra,
        other => kind_of_missing(other),
    };
    Difference { kind, object: name.clone(), expected: None, found: Some(description(name, definition)) }
}

/// The order of the columns that both have, where it is not the same.
pub(super) fn column_order(expected: &Schema, observed: &Schema, table: &str) -> Option<Difference> {
    let (left, right) = (expected.columns(table), observed.columns(table));
    let left_shared: Vec<&str> = left.iter().filter(|column| right.contains(column)).copied().collect();
    let right_shared: Vec<&str> = right.iter().filter(|column| left.contains(column)).copied().collect();
    (left_shared != right_shared).then(|| Difference {
        kind: DifferenceKind::ColumnOrder,
        object: ObjectName::table(table),
        expected: Some(left_shared.join(", ")),
        found: Some(right_shared.join(", ")),
    })
}

/// Joins a constraint that is missing with one that is extra on the same table: it is one that changed.
pub(super) fn paired(found: Vec<Difference>) -> Vec<Difference> {
    let (extras, mut rest): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|one| one.object.kind.is_constraint() && one.expected.is_none());
    let mut of_table: BTreeMap<(String, ObjectKind), Vec<Difference>> = BTreeMap::new();
    for one in extras {
        of_table.entry((one.object.owner().to_owned(), one.object.kind)).or_default().push(one);
    }
    for one in rest.iter_mut().filter(|one| one.object.kind.is_constraint() && one.found.is_none()) {
        let Some(extras) = of_table.get_mut(&(one.object.owner().to_owned(), one.object.kind)) else { continue };
        if let Some(index) = likest(one, extras) {
            one.found = extras.remove(index).found;
        }
    }
    rest.extend(of_table.into_values().flatten());
    rest
}

/// Which of the extra constraints on its table has the longest beginning in common with the one that is missing.
fn likest(missing: &Difference, extras: &[Difference]) -> Option<usize> {
    let same = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    extras
        .iter()
        .enumerate()
        .max_by_key(|(index, one)| (same(&one.object.name, &missing.object.name), usize::MAX - index))
        .map(|(index, _)| index)
}

fn shared_owners<'a>(expected: &'a Schema, observed: &Schema) -> BTreeSet<&'a str> {
    let owners = expected.objects().filter(|(name, _)| name.table.is_none() && observed.contains(name));
    owners.map(|(name, _)| name.owner()).collect()
}

fn foreign(expected: &Schema, observed: &Schema) -> Vec<ObjectName> {
    let owners = observed.objects().filter(|(name, _)| name.table.is_none() && !expected.contains(name));
    owners.map(|(name, _)| name.clone()).collect()
}

fn owner_missing(expected: &Schema, name: &ObjectName) -> Difference {
    let columns = expected.columns(&name.name).join(", ");
    let words = if columns.is_empty() { format!("the {}", name.kind.word()) } else { format!("({columns})") };
    Difference { kind: kind_of_missing(name.kind), object: name.clone(), expected: Some(words), found: None }
}

/// An object that is not there although it was expected.
pub(super) fn missing(name: &ObjectName, definition: &Definition) -> Difference {
    let expected = Some(description(name, definition));
    Difference { kind: kind_of_missing(name.kind), object: name.clone(), expected, found: None }
}

fn description(name: &ObjectName, definition: &Definition) -> String {
    match name.kind {
        ObjectKind::Check => format!("CHECK ({}) {}", name.name, facet_words(definition)).trim_end().to_owned(),
        ObjectKind::Unique => format!("UNIQUE ({}) {}", name.name, facet_words(definition)).trim_end().to_owned(),
        ObjectKind::ForeignKey => {
            format!("FOREIGN KEY ({}) {}", name.name, facet_words(definition))
        }
        ObjectKind::Exclusion => format!("EXCLUDE {}", name.name),
        kind => definition.describe(kind),
    }
}

fn facet_words(definition: &Definition) -> String {
    definition.facets().map(|(_, text)| text).collect::<Vec<_>>().join(" ")
}

fn kind_of_missing(kind: ObjectKind) -> DifferenceKind {
    match kind {
        ObjectKind::Table => DifferenceKind::TableMissing,
        ObjectKind::View | ObjectKind::MaterializedView => DifferenceKind::ViewMissing,
        ObjectKind::Column => DifferenceKind::ColumnMissing,
        ObjectKind::Unique => DifferenceKind::Unique,
        ObjectKind::ForeignKey => DifferenceKind::ForeignKey,
        ObjectKind::Check => DifferenceKind::Check,
        ObjectKind::Index => DifferenceKind::IndexMissing,
        ObjectKind::Trigger => DifferenceKind::TriggerMissing,
        ObjectKind::Sequence => DifferenceKind::SequenceMissing,
        ObjectKind::Type => DifferenceKind::TypeMissing,
        ObjectKind::Domain => DifferenceKind::DomainMissing,
        ObjectKind::Function => DifferenceKind::FunctionMissing,
        ObjectKind::Exclusion => DifferenceKind::Exclusion,
        ObjectKind::Policy => DifferenceKind::PolicyMissing,
        ObjectKind::Rule => DifferenceKind::RuleMissing,
        ObjectKind::Statistics => DifferenceKind::StatisticsMissing,
        ObjectKind::Namespace => DifferenceKind::NamespaceMissing,
    }
}
