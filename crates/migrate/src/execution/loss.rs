//! What data a migration loses: foretold from its words and counted in its transaction.

mod foretold;
mod movement;
mod moves;

use std::{collections::BTreeSet, fmt};

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::{
    files::script::IntendedLoss,
    schema::{ObjectKind, ObjectName, Schema},
};

pub(crate) use foretold::{emptied_tables, foretold, made_tables};
pub use movement::Move;
pub use moves::Moves;

/// Whether data may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DataLoss {
    /// Refuse what no file declares; everything is rolled back.
    #[default]
    Refuse,
    /// The explicit word was given.
    Allow,
}

/// What is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LossKind {
    /// Rows of a table.
    Rows,
    /// Values of a column, to NULL, to its default or with the column.
    Values,
    /// The place of an AUTOINCREMENT counter, so that an id could be given twice.
    Counter,
    /// An index or a trigger that went with its table and was not made again.
    Definition,
}

/// Something that there was more of before than after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// The table, the column, the index or the trigger.
    pub object: ObjectName,
    /// What of it.
    pub kind: LossKind,
    /// How many rows or values there were; for a counter, where it stood.
    pub before: u64,
    /// How many there are; for a counter, where it stands.
    pub after: u64,
}

impl Loss {
    /// Rows of a table.
    pub fn rows(table: impl Into<String>, before: u64, after: u64) -> Self {
        Self { object: ObjectName::table(table), kind: LossKind::Rows, before, after }
    }

    /// Values of a column.
    pub fn values(table: impl Into<String>, column: impl Into<String>, before: u64, after: u64) -> Self {
        let object = ObjectName::on(ObjectKind::Column, table, column);
        Self { object, kind: LossKind::Values, before, after }
    }

    /// How many are gone.
    pub fn lost(&self) -> u64 {
        self.before.saturating_sub(self.after)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, kind, before, after } = self;
        let noun = match kind {
            LossKind::Rows => "row",
            LossKind::Values => "value",
            LossKind::Counter => return write!(f, "{object} (its AUTOINCREMENT counter, from {before} to {after})"),
            LossKind::Definition => return write!(f, "{object} (not made again)"),
        };
        let plural = if *before == 1 { "" } else { "s" };
        if *after == 0 {
            return write!(f, "{object} ({before} {noun}{plural})");
        }
        write!(f, "{object} ({} of {before} {noun}{plural})", self.lost())
    }
}

impl Serialize for Loss {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Loss", 6)?;
        fields.serialize_field("object", &self.object)?;
        fields.serialize_field("table", self.object.owner())?;
        fields.serialize_field("kind", &self.kind)?;
        fields.serialize_field("before", &self.before)?;
        fields.serialize_field("after", &self.after)?;
        fields.serialize_field("lost", &self.lost())?;
        fields.end()
    }
}

/// How one transaction is watched for losses.
#[derive(Debug, Clone, Default)]
pub struct LossCheck {
    /// Whether anything is counted at all.
    pub data_loss: DataLoss,
    /// What may be lost; it is not counted.
    pub intended: Vec<IntendedLoss>,
    /// What the whole script moves, where only a part of it runs in this transaction; else empty.
    pub moves: Moves,
    /// Tables that earlier statements of the script made for themselves, where only a part of it runs.
    pub made: BTreeSet<String>,
    /// What migrations made. Without one of its indexes or triggers an empty table is as the script wants it; one that
    /// somebody else made is missed in any case.
    pub known: Schema,
    /// Whether an AUTOINCREMENT counter of a replaced table is set to where it stood.
    pub keep_counters: bool,
    /// Whether the migration declares that it reaches other files.
    pub other_files: bool,
}

/// Those of `losses` that nobody intends, the rows of a table standing for what belongs to it.
pub(crate) fn unasked(mut losses: Vec<Loss>, intended: &[IntendedLoss]) -> Vec<Loss> {
    losses.retain(|loss| !intended.iter().any(|one| one.covers(&loss.object)));
    let gone: BTreeSet<String> =
        losses.iter().filter(|loss| loss.kind == LossKind::Rows).map(|loss| loss.object.name.clone()).collect();
    losses.retain(|loss| loss.kind == LossKind::Rows || !gone.contains(loss.object.owner()));
    losses.sort();
    losses
}
