//! One migration, from a pair of files or from code.

use std::{error::Error, fmt, sync::Arc};

use serde::{Serialize, Serializer};

use crate::{
    execution::loss::{Loss, Moves},
    files::checksum::Checksum,
    files::script::{Bounds, IntendedLoss, Script},
    target::Session,
};

/// `SOURCE:NUMBER`, the name of a migration everywhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MigrationId {
    /// The source, `longshore` or `app` unless a program has its own.
    pub source: String,
    /// Sequential or a timestamp; never negative.
    pub number: i64,
}

impl MigrationId {
    /// The id of `number` in `source`.
    pub fn new(source: impl Into<String>, number: i64) -> Self {
        Self { source: source.into(), number }
    }
}

impl fmt::Display for MigrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source, self.number)
    }
}

impl Serialize for MigrationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What went wrong in a code migration, in its own type.
pub type CodeError = Box<dyn Error + Send + Sync>;

/// A migration written in Rust: the class format, with the down beside the up.
///
/// `up` and `down` run in the migration's transaction. They are also replayed on an empty scratch database to learn
/// what they make, so they must not depend on rows and must do nothing but through the session.
pub trait CodeMigration: Send + Sync {
    /// Its number among the migrations of its source.
    fn number(&self) -> i64;

    /// Its name in `snake_case`.
    fn name(&self) -> &str;

    /// Applies it.
    fn up(&self, session: &mut dyn Session) -> Result<(), CodeError>;

    /// Undoes it. Without this method the migration cannot be rolled back.
    fn down(&self, session: &mut dyn Session) -> Result<(), CodeError>;

    /// Whether `down` undoes it.
    fn is_reversible(&self) -> bool {
        true
    }

    /// What that direction loses on purpose, as `-- longshore: loses NAME` says it in a file.
    fn intended_losses(&self, _direction: Direction) -> Vec<IntendedLoss> {
        Vec::new()
    }

    /// [`Bounds::Rebuild`] where [`Session::rebuild`] is called. [`Bounds::Statements`] is for files alone.
    fn bounds(&self) -> Bounds {
        Bounds::Transaction
    }
}

/// Where the statements come from.
#[derive(Clone)]
pub enum Body {
    /// A pair of files.
    Sql {
        /// The up, never empty.
        up: Script,
        /// The down, where there is one.
        down: Option<Script>,
    },
    /// A Rust type.
    Code(Arc<dyn CodeMigration>),
}

/// One migration of one source.
#[derive(Debug, Clone)]
pub struct Migration {
    /// Its id.
    pub id: MigrationId,
    /// The name in its file name.
    pub name: String,
    /// Its file name, or its type's own name for code.
    pub origin: String,
    /// What it does.
    pub body: Body,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sql { .. } => "Sql",
            Self::Code(_) => "Code",
        })
    }
}

/// Up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Apply.
    Up,
    /// Roll back.
    Down,
}

impl Migration {
    /// The checksum of the up; code has none, because its text is not available.
    pub fn checksum(&self) -> Option<Checksum> {
        match &self.body {
            Body::Sql { up, .. } => Some(Checksum::of_in(up.dialect(), up.text())),
            Body::Code(_) => None,
        }
    }

    /// The script of that direction; none for code and for a missing down.
    pub fn script(&self, direction: Direction) -> Option<&Script> {
        match (&self.body, direction) {
            (Body::Sql { up, .. }, Direction::Up) => Some(up),
            (Body::Sql { down, .. }, Direction::Down) => down.as_ref(),
            (Body::Code(_), _) => None,
        }
    }

    /// How that direction is bounded by transactions.
    pub fn bounds(&self, direction: Direction) -> Bounds {
        match &self.body {
            Body::Sql { .. } => self.script(direction).map(Script::bounds).unwrap_or_default(),
            Body::Code(code) => code.bounds(),
        }
    }

    /// What that direction loses on purpose.
    pub fn intended_losses(&self, direction: Direction) -> Vec<IntendedLoss> {
        match &self.body {
            Body::Sql { .. } => {
                self.script(direction).map(|script| script.intended_losses().to_vec()).unwrap_or_default()
            }
            Body::Code(code) => code.intended_losses(direction),
        }
    }

    /// Whether those losses may come of foreign keys that act while it replaces a table.
    pub(crate) fn wants_rebuild(&self, direction: Direction, losses: &[Loss]) -> bool {
        let Some(script) = self.script(direction).filter(|script| script.bounds() != Bounds::Rebuild) else {
            return false;
        };
        let moves = Moves::of(script);
        let replaced: Vec<String> =
            moves.dropped_tables().into_iter().filter(|table| moves.stand_in(table).is_some()).collect();
        let is_other = |loss: &Loss| !replaced.iter().any(|table| table == loss.object.owner());
        !replaced.is_empty() && losses.iter().any(is_other)
    }

    /// Whether it can be rolled back.
    pub fn has_down(&self) -> bool {
        match &self.body {
            Body::Sql { down, .. } => down.is_some(),
            Body::Code(code) => code.is_reversible(),
        }
    }
}
