use std::num::NonZero;
use std::time::Duration;

use thiserror::Error;

use crate::command::{CommandSpec, InvalidCommand};

/// A program that stays, and when it is replaced by a fresh one.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgramSpec {
    /// The program, and the rules for its attempts.
    pub command: CommandSpec,
    /// After how many jobs it is replaced. `None` means never.
    pub max_jobs: Option<NonZero<u32>>,
    /// It is replaced if it uses more resident memory than this after a job. `None` means never. Only on Linux.
    pub max_rss_bytes: Option<u64>,
    /// How long it may take until it is ready for its first job.
    pub start_timeout: Duration,
}

/// Why a program could never run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidProgram {
    /// It could never be started.
    #[error(transparent)]
    Command(#[from] InvalidCommand),
    /// It would never be ready in time.
    #[error("`start_timeout` is too short: the program needs some time until it is ready")]
    StartTimeout,
}

impl ProgramSpec {
    /// How long a program may take until it is ready, if nothing else is set.
    pub const START_TIMEOUT: Duration = Duration::from_secs(30);

    /// A program with its arguments; everything else has its default.
    pub fn new<S: Into<String>>(serve: impl IntoIterator<Item = S>) -> Self {
        let command = CommandSpec::new(serve);
        Self { command, max_jobs: None, max_rss_bytes: None, start_timeout: Self::START_TIMEOUT }
    }

    /// Checks whether it could be started. Does not check that the program exists.
    pub fn validate(&self) -> Result<(), InvalidProgram> {
        self.command.validate_as("serve")?;
        if self.start_timeout.is_zero() { Err(InvalidProgram::StartTimeout) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_never_run_is_refused_before_it_is_tried() {
        assert_eq!(ProgramSpec::new(["true"]).validate(), Ok(()));
        let nothing = ProgramSpec::new(Vec::<String>::new()).validate().unwrap_err();
        assert!(nothing.to_string().starts_with("`serve` is empty"), "{nothing}");
        let hasty = ProgramSpec { start_timeout: Duration::ZERO, ..ProgramSpec::new(["true"]) };
        assert_eq!(hasty.validate(), Err(InvalidProgram::StartTimeout));
    }
}
