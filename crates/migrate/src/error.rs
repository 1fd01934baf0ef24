//! Why a command did not do what was asked.

use longshore_cause::OutsideCause;

use crate::{
    execution::loss::Loss,
    execution::replay::{RunError, names_what_stands_over_a_table},
    files::migration::{Direction, MigrationId},
    files::script::Bounds,
    files::source::SourceError,
    import::ImportError,
    report::finding::Finding,
    schema::{Difference, ObjectName},
    target::TargetError,
};

/// Why a migration command ended without doing all of what was asked. Each variant says what is true afterwards.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// Files, ledger or both are wrong; nothing ran.
    #[error("the history is broken: {}", first(findings))]
    HistoryBroken {
        /// Everything that is wrong, never empty.
        findings: Vec<Finding>,
    },
    /// What a pending migration makes is there already; nothing ran.
    #[error("{id} is not applied according to the ledger, but the schema has {} already", listed(objects))]
    AlreadyThere {
        /// The migration.
        id: MigrationId,
        /// What is there.
        objects: Vec<ObjectName>,
    },
    /// A table of somebody else has the name of one that a migration makes; nothing ran.
    #[error("{table} is there already and is not the one that {id} makes: it lacks {}", listed(lacks))]
    Occupied {
        /// The migration.
        id: MigrationId,
        /// The table.
        table: ObjectName,
        /// Columns that it would have.
        lacks: Vec<ObjectName>,
    },
    /// What an applied migration made is not there; nothing ran.
    #[error("{id} is applied according to the ledger, but {} missing", are(missing))]
    NotThere {
        /// The migration.
        id: MigrationId,
        /// What is missing of it, never empty.
        missing: Vec<ObjectName>,
        /// Up, or down where this very migration should be rolled back.
        direction: Direction,
    },
    /// Rows or values would be gone; its migration is as it was before, unless its file forbids a transaction.
    #[error(
        "{id} {} would lose data: {}{}",
        in_words(*direction),
        listed(losses),
        applied_before(done, *statements_done)
    )]
    DataLoss {
        /// The migration.
        id: MigrationId,
        /// Up or down.
        direction: Direction,
        /// What would be gone.
        losses: Vec<Loss>,
        /// Whether foreign keys act although the file replaces a table, so that `-- longshore: rebuild` may be all that
        /// it lacks.
        wants_rebuild: bool,
        /// Migrations of this run that are done and stay so.
        done: Vec<MigrationId>,
        /// Statements of a migration outside a transaction that are done and stay so.
        statements_done: usize,
    },
    /// Something that a rebuild keeps does not fit the new shape; its migration is as it was before.
    #[error("{id} cannot keep {object}, which does not fit what it makes: {error}")]
    NotKept {
        /// The migration.
        id: MigrationId,
        /// The view, the trigger or the index.
        object: ObjectName,
        /// What the database said.
        error: Box<TargetError>,
    },
    /// The schema does not show what should be marked as applied; nothing was written.
    #[error("the schema does not show {id}: {}", listed(missing))]
    NotShown {
        /// The migration.
        id: MigrationId,
        /// What is missing or differs, in words.
        missing: Vec<String>,
    },
    /// The schema still shows what should be marked as rolled back; nothing was written.
    #[error("the schema still shows {id}: {}", listed(present))]
    StillThere {
        /// The migration.
        id: MigrationId,
        /// What is there.
        present: Vec<ObjectName>,
        /// How many steps `down` takes until it, too, is rolled back.
        steps: usize,
    },
    /// It was rolled back and its files are gone, so it cannot be marked as applied; nothing was written.
    #[error("{id} has no file any more, so nothing can tell whether it is applied")]
    NoFile {
        /// The migration.
        id: MigrationId,
    },
    /// It is applied and its files are gone, so nothing shows whether it is rolled back; nothing was written.
    #[error("{id} has no file any more, so nothing can tell whether it is rolled back")]
    Uncheckable {
        /// The migration.
        id: MigrationId,
    },
    /// The ledger and the schema disagree in a way that no step without loss fixes; nothing was written.
    #[error("only a person can mend this: {}", first(reasons))]
    NoRepair {
        /// The obstacles, never empty.
        reasons: Vec<Finding>,
    },
    /// A table was made by another program and has to be taken over first; nothing ran.
    #[error("the table {table} was made by another program, and {what}")]
    NeedsAdoption {
        /// The table.
        table: String,
        /// What would be lost or left wrong.
        what: String,
    },
    /// Only a person can decide what becomes of a value or a meaning; nothing was written.
    #[error("the adoption needs a decision: {}", all(reasons))]
    NeedsDecision {
        /// What is to be decided, each with the choices; never empty.
        reasons: Vec<Finding>,
    },
    /// The adoption cannot be undone any more; nothing was written.
    #[error("the adoption cannot be undone: {}", listed(reasons))]
    NotReturned {
        /// Why, never empty.
        reasons: Vec<String>,
    },
    /// The repair ran and was undone, because the schema did not come out as expected.
    #[error("the repair was undone: afterwards {} still differed", listed(differences))]
    RepairUndone {
        /// What differed.
        differences: Vec<Difference>,
    },
    /// A statement failed; its migration is as it was before, unless its file forbids a transaction.
    #[error("{id} failed at {error}{}", applied_before(done, *statements_done))]
    Failed {
        /// The migration.
        id: MigrationId,
        /// Where and why.
        error: Box<RunError>,
        /// Migrations of this run that are done and stay so.
        done: Vec<MigrationId>,
        /// Statements of a migration outside a transaction that are done and stay so.
        statements_done: usize,
    },
    /// An up left something undone that it does on an empty database; it was rolled back, unless its file forbids a
    /// transaction.
    #[error("{id} ran without an error, but afterwards {} not as it makes them", listed(missing))]
    DidNotDo {
        /// The migration.
        id: MigrationId,
        /// What is missing or left over.
        missing: Vec<ObjectName>,
        /// How it ran: with [`Bounds::Statements`] its changes stay.
        bounds: Bounds,
    },
    /// A down left something of its up, or took something else along; it was rolled back, unless its file forbids a
    /// transaction.
    #[error("the down of {id} does not undo its up: {}", listed(remains))]
    DidNotUndo {
        /// The migration.
        id: MigrationId,
        /// What remains or is gone too much, in words.
        remains: Vec<String>,
        /// How it ran: with [`Bounds::Statements`] its changes stay.
        bounds: Bounds,
    },
    /// It cannot be rolled back; nothing ran.
    #[error("{id} has no down")]
    NoDown {
        /// The migration.
        id: MigrationId,
    },
    /// Another migration that stays needs it; nothing ran.
    #[error("{id} cannot be rolled back, because {} needs it", needed_by)]
    Needed {
        /// The migration.
        id: MigrationId,
        /// Who needs it.
        needed_by: MigrationId,
    },
    /// `up` was to end before what is applied already.
    #[error("{last} is applied already, which comes after {to}")]
    AlreadyPast {
        /// Where it was to end.
        to: MigrationId,
        /// The last one of its source that is applied.
        last: MigrationId,
    },
    /// No source has it.
    #[error("there is no migration {text}")]
    UnknownId {
        /// The id as typed.
        text: String,
    },
    /// More than one source has that number.
    #[error("{} are all called {text}", listed(ids))]
    AmbiguousId {
        /// The number as typed.
        text: String,
        /// Every migration of that number.
        ids: Vec<MigrationId>,
    },
    /// A change by hand needs a reason.
    #[error("a change by hand needs a reason")]
    NoReason,
    /// Nothing was imported.
    #[error("{error}")]
    Import {
        /// Why.
        #[from]
        error: ImportError,
    },
    /// There is no directory to put a new pair into.
    #[error("there is no directory of migrations")]
    NoDirectory,
    /// A source cannot be read at all.
    #[error("{error}")]
    Source {
        /// Why.
        #[from]
        error: SourceError,
    },
    /// The database did not do what was asked; nothing is half done.
    #[error("{error}")]
    Target {
        /// Why.
        #[from]
        error: TargetError,
    },
}

impl MigrateError {
    /// A stable word for scripts.
    pub fn code(&self) -> &'static str {
        if let Some(error) = self.target_error() {
            return error.code();
        }
        match self {
            Self::HistoryBroken { .. } => "history_broken",
            Self::AlreadyThere { .. } => "already_there",
            Self::Occupied { .. } => "name_occupied",
            Self::NotThere { .. } => "not_there",
            Self::DataLoss { .. } => "data_loss",
            Self::NotKept { .. } => "not_kept",
            Self::NotShown { .. } => "not_shown",
            Self::StillThere { .. } => "still_there",
            Self::NoFile { .. } | Self::Uncheckable { .. } => "no_file",
            Self::NoRepair { .. } => "no_repair",
            Self::NeedsAdoption { .. } => "needs_adoption",
            Self::NeedsDecision { .. } => "needs_decision",
            Self::NotReturned { .. } => "not_returned",
            Self::RepairUndone { .. } => "repair_undone",
            Self::Failed { .. } => "migration_failed",
            Self::DidNotDo { .. } => "did_not_do",
            Self::DidNotUndo { .. } => "did_not_undo",
            Self::NoDown { .. } => "no_down",
            Self::Needed { .. } => "needed",
            Self::AlreadyPast { .. } => "already_past",
            Self::UnknownId { .. } => "unknown_migration",
            Self::AmbiguousId { .. } => "ambiguous_migration",
            Self::Import { error } => error.code(),
            Self::NoReason => "no_reason",
            Self::NoDirectory => "no_directory",
            Self::Source { .. } => "source_unreadable",
            Self::Target { .. } => "database",
        }
    }

    /// Whether `-- longshore: rebuild` in the first line is what the migration lacks: a table that others refer to was
    /// dropped with foreign keys enabled, or a view or a trigger stands over a table whose name is taken away.
    pub fn wants_rebuild(&self) -> bool {
        match self {
            Self::Failed { error, .. } => error.wants_rebuild(),
            // What was deferred is found at the commit.
            Self::Target { error: error @ TargetError::Statement { statement, .. } } => {
                statement.eq_ignore_ascii_case("commit") && names_what_stands_over_a_table(&error.to_string())
            }
            _ => false,
        }
    }

    /// The database's own error, if that and not a migration is the cause.
    pub fn target_error(&self) -> Option<&TargetError> {
        match self {
            Self::Target { error } => Some(error),
            Self::Failed { error, .. } => error.target_error().filter(|error| error.outside_cause().is_some()),
            _ => None,
        }
    }

    /// The cause outside of every migration, if there is one; else the error itself.
    pub fn into_outside_cause(self) -> Result<OutsideCause, Self> {
        match self {
            Self::Target { error: TargetError::Outside(cause) } => Ok(cause),
            Self::Failed { id, error, done, statements_done } => match error.into_outside_cause() {
                Ok(cause) => Ok(cause),
                Err(error) => Err(Self::Failed { id, error: Box::new(error), done, statements_done }),
            },
            error => Err(error),
        }
    }
}

fn in_words(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    }
}

fn first(findings: &[Finding]) -> String {
    let more = findings.len().saturating_sub(1);
    match findings.first() {
        Some(finding) if more > 0 => format!("{finding} (and {more} more)"),
        Some(finding) => finding.to_string(),
        None => "nothing is known".to_owned(),
    }
}

fn all(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn are(objects: &[ObjectName]) -> String {
    format!("{} {}", listed(objects), if objects.len() == 1 { "is" } else { "are" })
}

fn listed<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn applied_before(done: &[MigrationId], statements_done: usize) -> String {
    let mut text = String::new();
    match statements_done {
        0 => {}
        1 => text.push_str("; its first statement is done and stays so"),
        _ => text.push_str(&format!("; its first {statements_done} statements are done and stay so")),
    }
    if !done.is_empty() {
        text.push_str(&format!("; {} applied before it in this run and stay so", listed(done)));
    }
    text
}
