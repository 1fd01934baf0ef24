//! Runs migrations on a scratch database, one at a time, to learn what each one makes.

mod chain;

use longshore_cause::OutsideCause;

pub use chain::{Chain, Link};

use chain::Growing;

use crate::{
    execution::aside::Aside,
    files::migration::{Body, CodeError, Direction, Migration, MigrationId},
    files::script::{Bounds, Statement},
    report::finding::{Finding, FindingKind},
    schema::ObjectName,
    target::{Progress, Session, Target, TargetError},
};

/// Where a chain does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The migration that failed.
    pub id: MigrationId,
    /// The line of its file, for a file.
    pub line: Option<usize>,
    /// What the database said.
    pub message: String,
    /// Whether `-- longshore: rebuild` is what its file lacks.
    pub wants_rebuild: bool,
}

/// Why a migration did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A statement of a file failed.
    #[error("line {}: {source}", statement.line + source.line())]
    Statement {
        /// The statement.
        statement: Statement,
        /// What the database said.
        source: TargetError,
    },
    /// A code migration gave an error.
    #[error("{source}")]
    Code {
        /// Its own error.
        source: CodeError,
    },
    /// There is no down.
    #[error("it has no down")]
    NoDown,
    /// A view, a trigger or an index that the rebuild keeps does not fit the new shape.
    #[error("{object} cannot be kept: {source}")]
    NotKept {
        /// What it is.
        object: ObjectName,
        /// What the database said.
        source: TargetError,
    },
    /// The database failed beside the statements.
    #[error(transparent)]
    Target(#[from] TargetError),
}

impl RunError {
    /// What the database said, where it said something.
    pub fn target_error(&self) -> Option<&TargetError> {
        match self {
            Self::Statement { source, .. } | Self::NotKept { source, .. } | Self::Target(source) => Some(source),
            Self::Code { source } => source.downcast_ref(),
            Self::NoDown => None,
        }
    }

    /// Whether `-- longshore: rebuild` is what the file lacks: a table that others refer to was dropped with foreign
    /// keys enabled, or a view or a trigger stands over a table whose name is taken away.
    pub(crate) fn wants_rebuild(&self) -> bool {
        let Self::Statement { statement, .. } = self else { return false };
        let drops = statement.words().first().is_some_and(|word| word.is("drop") || word.is("alter"));
        drops && names_what_stands_over_a_table(&self.to_string())
    }

    /// The cause outside of the migration; the error itself where there is none.
    pub(crate) fn into_outside_cause(self) -> Result<OutsideCause, Self> {
        match self {
            Self::Statement { source: TargetError::Outside(cause), .. }
            | Self::NotKept { source: TargetError::Outside(cause), .. }
            | Self::Target(TargetError::Outside(cause)) => Ok(cause),
            Self::Code { source } => match source.downcast::<TargetError>() {
                Ok(error) => match *error {
                    TargetError::Outside(cause) => Ok(cause),
                    error => Err(Self::Code { source: Box::new(error) }),
                },
                Err(source) => Err(Self::Code { source }),
            },
            error => Err(error),
        }
    }
}

impl Chain {
    /// Replays `migrations` in the order given; the first that fails ends the chain and is told by [`Chain::broken`].
    pub fn replay(target: &dyn Target, migrations: &[&Migration]) -> Result<Self, TargetError> {
        let mut scratch = target.scratch()?;
        let mut growing = Growing::default();
        for migration in migrations {
            // Only the migrations before it have created anything here.
            if let Err(error) = perform(scratch.as_mut(), migration, Direction::Up, Stage::Scratch, &|_| true) {
                // A lost connection says nothing of the file.
                return match error.into_outside_cause() {
                    Ok(cause) if !matches!(cause, OutsideCause::Denied { .. }) => Err(cause.into()),
                    Ok(cause) => {
                        let error = RunError::Target(cause.into());
                        Ok(growing.broken(Broken::new(&migration.id, &error)))
                    }
                    Err(error) => Ok(growing.broken(Broken::new(&migration.id, &error))),
                };
            }
            growing.add(&migration.id, scratch.changes()?);
        }
        Ok(growing.whole())
    }
}

impl Broken {
    fn new(id: &MigrationId, error: &RunError) -> Self {
        let line = match error {
            RunError::Statement { statement, source } => Some(statement.line + source.line()),
            _ => None,
        };
        Self { id: id.clone(), line, message: error.to_string(), wants_rebuild: error.wants_rebuild() }
    }

    /// The finding that every command reports for it.
    pub(crate) fn finding(&self) -> Finding {
        let message = format!("it does not run on an empty database: {}", self.message);
        let hint = if self.wants_rebuild { REBUILD } else { "correct the migration" };
        Finding::new(FindingKind::BrokenReplay, self.id.to_string(), message).hint(hint)
    }
}

/// The hint for a file that replaces a table without saying so.
pub(crate) const REBUILD: &str = "begin the file with the line `-- longshore: rebuild`";

/// Whether an error speaks of foreign keys, or of a view or a trigger over a table whose name is taken away.
pub(crate) fn names_what_stands_over_a_table(message: &str) -> bool {
    let texts = ["error in view ", "error in trigger ", "FOREIGN KEY constraint failed"];
    texts.iter().any(|text| message.contains(text))
}

/// Where a migration is performed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// On the real database.
    Database,
    /// On a scratch database, which has no rows and reaches no other file.
    Scratch,
}

/// Runs one direction of a migration in the transaction that `session` is in, if any. A runner, a replay and the trial
/// of a repair all go this way. A rebuild keeps the views, triggers and indexes that the migration does not name
/// itself; `is_made` says which of them migrations made.
pub fn perform(
    session: &mut dyn Session,
    migration: &Migration,
    direction: Direction,
    stage: Stage,
    is_made: &dyn Fn(&ObjectName) -> bool,
) -> Result<(), RunError> {
    let is_rebuild = migration.bounds(direction) == Bounds::Rebuild;
    if stage == Stage::Scratch {
        session.commits_each_statement(migration.bounds(direction) == Bounds::Statements);
    }
    let aside = if is_rebuild { Some(Aside::put(session, migration, direction, is_made)?) } else { None };
    run(session, migration, direction, stage)?;
    aside.map_or(Ok(()), |aside| aside.put_back(session))
}

fn run(session: &mut dyn Session, migration: &Migration, direction: Direction, stage: Stage) -> Result<(), RunError> {
    if let Body::Code(code) = &migration.body {
        let result = match direction {
            Direction::Up => code.up(session),
            Direction::Down => code.down(session),
        };
        return result.map_err(|source| RunError::Code { source });
    }
    let script = migration.script(direction).ok_or(RunError::NoDown)?;
    let statements: Vec<&Statement> = match stage {
        Stage::Database => script.statements().iter().collect(),
        Stage::Scratch => script.replayed(),
    };
    for (at, statement) in statements.into_iter().enumerate() {
        // Nothing listens on a scratch database, and shortening a statement takes as long as running a small one.
        if stage == Stage::Database {
            session.report(&Progress::Statement {
                id: migration.id.clone(),
                statement: at + 1,
                text: statement.in_short(),
            });
        }
        session
            .execute(&statement.text)
            .map_err(|source| RunError::Statement { statement: statement.clone(), source })?;
    }
    Ok(())
}
