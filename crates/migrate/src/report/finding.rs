//! Something that is not as it should be, in words, with what fixes it.

use std::{fmt, path::PathBuf};

use serde::Serialize;

use crate::import::Format;

/// What sort of thing a finding is about; the JSON name is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// A file that is not a migration that we read; the message names the format it seems to be in.
    UnrecognisedFile,
    /// A migration without any statement.
    EmptyMigration,
    /// A script that cannot be cut into statements, or with a directive or a transaction that it may not have.
    UnreadableScript,
    /// Two migrations of one source with one number.
    DuplicateNumber,
    /// A down without its up, or an up and a down that do not share a name.
    UnpairedFile,
    /// The file differs from what was applied.
    ChangedMigration,
    /// Applied according to the ledger, but there is no file.
    MissingMigration,
    /// Not applied, while a later one of its source is.
    OutOfOrder,
    /// The migrations do not run on an empty database.
    BrokenReplay,
    /// A down that does not run, or does not undo its up, on an empty database.
    BrokenDown,
    /// The schema does not show what the ledger says.
    SchemaDisagrees,
    /// A migration outside a transaction has run in part.
    Interrupted,
    /// Something is there that no migration made.
    HandMade,
    /// Statements that change data, of a migration of which nobody knows whether it ran.
    DataWork,
    /// Marked without being shown by the schema.
    Unverified,
    /// Part of another program's table carries a meaning: it is kept or dropped as a person says.
    KeepOrDrop,
    /// Part of another program's table carries a meaning and cannot be kept.
    MeaningLost,
    /// Values are in the wrong columns.
    MisplacedValues,
    /// Rows were copied into another order of the columns, so that their values can be read by position.
    CopiedByPosition,
    /// White space or comments of a file changed after it was applied.
    CosmeticChange,
    /// Sequential numbers leave one out.
    NumberGap,
    /// No down.
    MissingDown,
    /// Loses data when it runs.
    Destructive,
    /// Holds a lock for long on a big table.
    Locking,
    /// A pragma that does nothing where it stands, so that the migration does not do what it says.
    IdlePragma,
    /// A pragma that the runner's own settings make superfluous.
    SuperfluousPragma,
}

impl FindingKind {
    /// Whether nothing may run before this is fixed.
    pub fn breaks_history(self) -> bool {
        use FindingKind as K;
        matches!(
            self,
            K::UnrecognisedFile
                | K::EmptyMigration
                | K::UnreadableScript
                | K::DuplicateNumber
                | K::UnpairedFile
                | K::ChangedMigration
                | K::MissingMigration
                | K::OutOfOrder
                | K::BrokenReplay
                | K::IdlePragma
        )
    }

    /// Whether the schema and the ledger disagree.
    pub fn disagrees(self) -> bool {
        matches!(self, Self::SchemaDisagrees | Self::HandMade)
    }
}

/// One finding. `message` is one sentence without a full stop; `hint` is what to type or to rename.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What sort of thing.
    pub kind: FindingKind,
    /// The file, the migration id or the object.
    pub subject: String,
    /// What is wrong with it.
    pub message: String,
    /// What fixes it.
    pub hint: Option<String>,
    /// The same for a program that makes a command of it.
    #[serde(skip)]
    pub remedy: Option<Remedy>,
}

/// What fixes a finding, where a command does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// Import the directory.
    Import {
        /// From this format.
        format: Format,
        /// The directory, where the source is one.
        directory: Option<PathBuf>,
    },
    /// Rename one file; nothing has the new name.
    Rename {
        /// The file.
        from: PathBuf,
        /// Its new name.
        to: PathBuf,
    },
}

impl Finding {
    /// A finding without a hint.
    pub fn new(kind: FindingKind, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, subject: subject.into(), message: message.into(), hint: None, remedy: None }
    }

    /// The same with what fixes it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with the command that fixes it.
    #[must_use]
    pub(crate) fn remedy(mut self, remedy: Option<Remedy>) -> Self {
        self.remedy = remedy;
        self
    }

    /// The same, with the files that the remedy names in `directory`.
    pub(crate) fn found_in(mut self, directory: &std::path::Path) -> Self {
        match &mut self.remedy {
            Some(Remedy::Import { directory: place, .. }) => *place = Some(directory.to_owned()),
            Some(Remedy::Rename { from, to }) => {
                *from = directory.join(&from);
                *to = directory.join(&to);
            }
            None => {}
        }
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.message)
    }
}
