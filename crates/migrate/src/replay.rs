//! Runs migrations on a scratch database, one at a time, to learn what each one makes.

use longshore_cause::OutsideCause;

use crate::{
    migration::{Body, CodeError, Direction, Migration, MigrationId},
    schema::{Footprint, Schema},
    script::Statement,
    target::{Definition, Progress, Session, Target, TargetError},
};

/// What a row of migrations makes of an empty database.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    links: Vec<Link>,
    broken: Option<Broken>,
}

/// One migration of a chain with what it left behind.
#[derive(Debug, Clone)]
pub struct Link {
    /// The migration.
    pub id: MigrationId,
    /// What it adds, changes and drops.
    pub footprint: Footprint,
    /// The schema after it.
    pub after: Schema,
    /// The statements that make that schema.
    pub definitions: Vec<Definition>,
}

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
        let mut chain = Self::default();
        let mut before = Schema::default();
        for migration in migrations {
            if let Err(error) = run(scratch.as_mut(), migration, Direction::Up) {
                chain.broken = Some(Broken::new(&migration.id, &error));
                break;
            }
            let after = scratch.observe()?;
            let footprint = Footprint::between(&before, &after);
            chain.links.push(Link {
                id: migration.id.clone(),
                footprint,
                after: after.clone(),
                definitions: scratch.definitions()?,
            });
            before = after;
        }
        Ok(chain)
    }

    /// The migrations that ran, in order.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The migration that did not run, if one did not.
    pub fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    /// The link of a migration.
    pub fn link(&self, id: &MigrationId) -> Option<&Link> {
        self.links.iter().find(|link| link.id == *id)
    }

    /// The schema before a migration.
    pub fn before(&self, id: &MigrationId) -> Schema {
        let at = self.links.iter().position(|link| link.id == *id).unwrap_or(0);
        self.after(at)
    }

    /// The schema after the first `count` migrations.
    pub fn after(&self, count: usize) -> Schema {
        count.checked_sub(1).and_then(|at| self.links.get(at)).map(|link| link.after.clone()).unwrap_or_default()
    }

    /// The schema after all of them.
    pub fn last(&self) -> Schema {
        self.after(self.links.len())
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
