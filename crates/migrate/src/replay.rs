//! Runs migrations on a scratch database, one at a time, to learn what each one makes.

mod chain;

use longshore_cause::OutsideCause;

pub use chain::{Chain, Link};

use chain::Growing;

use crate::{
    migration::{Body, CodeError, Direction, Migration, MigrationId},
    script::Statement,
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
}

impl RunError {
    /// What the database said, where it said something.
    pub fn target_error(&self) -> Option<&TargetError> {
        match self {
            Self::Statement { source, .. } => Some(source),
            Self::Code { source } => source.downcast_ref(),
            Self::NoDown => None,
        }
    }

    /// The cause outside of the migration; the error itself where there is none.
    pub(crate) fn into_outside_cause(self) -> Result<OutsideCause, Self> {
        match self {
            Self::Statement { source: TargetError::Outside(cause), .. } => Ok(cause),
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
            if let Err(error) = run(scratch.as_mut(), migration, Direction::Up) {
                return Ok(growing.broken(Broken::new(&migration.id, &error)));
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
        Self { id: id.clone(), line, message: error.to_string() }
    }
}

/// Runs one direction of a migration on `session` in whatever transaction it is in.
pub fn run(session: &mut dyn Session, migration: &Migration, direction: Direction) -> Result<(), RunError> {
    if let Body::Code(code) = &migration.body {
        let result = match direction {
            Direction::Up => code.up(session),
            Direction::Down => code.down(session),
        };
        return result.map_err(|source| RunError::Code { source });
    }
    let script = migration.script(direction).ok_or(RunError::NoDown)?;
    for (at, statement) in script.statements().iter().enumerate() {
        session.report(&Progress::Statement {
            id: migration.id.clone(),
            statement: at + 1,
            text: statement.in_short(),
        });
        session
            .execute(&statement.text)
            .map_err(|source| RunError::Statement { statement: statement.clone(), source })?;
    }
    Ok(())
}
