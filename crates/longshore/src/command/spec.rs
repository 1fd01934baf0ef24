use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use longshore_core::{Priority, RetryPolicy};
use serde::Deserialize;
use thiserror::Error;

/// A program and how to run it.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct CommandSpec {
    /// The program and its arguments. No shell is involved. A name without a slash is looked up in `PATH`; a relative
    /// path starts at `directory`.
    pub run: Vec<String>,
    /// Variables in addition to the worker's. The worker's own `LONGSHORE_…` variables take precedence.
    pub env: BTreeMap<String, String>,
    /// The working directory. `None` means the worker's.
    pub directory: Option<PathBuf>,
    /// The timeout of an attempt whose job sets none.
    pub timeout: Option<Duration>,
    /// The time between SIGTERM and SIGKILL. `None` means the worker's grace period.
    pub grace: Option<Duration>,
    /// What happens to a running program when the worker shuts down.
    pub on_shutdown: OnShutdown,
    /// How often a failed job is retried, and how long it waits before each retry.
    pub retry: RetryPolicy,
    /// The queue of its jobs, if plain SQL inserts one without.
    pub queue: Option<String>,
    /// The priority of its jobs, if plain SQL inserts one without.
    pub priority: Option<Priority>,
}

/// What happens to a running program when its worker shuts down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnShutdown {
    /// Nothing, until shortly before the end of the worker's grace period: a tenth of it, at least one second, at most
    /// five, and at most half of it. Then SIGTERM, and SIGKILL at its end. If the type has its own `grace`, that is the
    /// time between the two signals.
    #[default]
    Wait,
    /// SIGTERM at once, and SIGKILL after the type's grace.
    Terminate,
}

/// When a program that waits at a shutdown gets each signal, counted from the shutdown request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShutdownPlan {
    pub(crate) terminate_after: Duration,
    pub(crate) kill_after: Duration,
}

impl ShutdownPlan {
    /// The plan for the worker's grace period and, if given, the type's own.
    pub(crate) fn new(workers_grace: Duration, own_grace: Option<Duration>) -> Self {
        let usual = (workers_grace / 10).clamp(LAST_PART_MIN, LAST_PART_MAX).min(workers_grace / 2);
        let last_part = own_grace.unwrap_or(usual);
        Self { terminate_after: workers_grace.saturating_sub(last_part), kill_after: workers_grace.max(last_part) }
    }
}

const LAST_PART_MIN: Duration = Duration::from_secs(1);
const LAST_PART_MAX: Duration = Duration::from_secs(5);

/// Why a command could never start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidCommand {
    /// The program is missing.
    #[error("`{key}` is empty: give the program and its arguments, such as [\"sh\", \"-c\", \"date\"]")]
    Empty {
        /// The setting.
        key: &'static str,
    },
    /// A word contains a NUL character, which cannot be passed to a program.
    #[error("`{what}` contains a NUL character, which cannot be passed to a program")]
    Nul {
        /// The setting.
        what: &'static str,
    },
    /// The name of a variable is empty or contains an equals sign.
    #[error("\"{name}\" in `env` is not a valid name of an environment variable")]
    VariableName {
        /// The name.
        name: String,
    },
}

impl CommandSpec {
    /// A program with its arguments; everything else has its default.
    pub fn new<S: Into<String>>(run: impl IntoIterator<Item = S>) -> Self {
        Self { run: run.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Checks whether it could be started. Does not check that the program exists.
    pub fn validate(&self) -> Result<(), InvalidCommand> {
        self.validate_as("run")
    }

    /// The same for a program that stands under another key.
    pub(crate) fn validate_as(&self, key: &'static str) -> Result<(), InvalidCommand> {
        if self.run.first().is_none_or(String::is_empty) {
            return Err(InvalidCommand::Empty { key });
        }
        if self.run.iter().any(|word| word.contains('\0')) {
            return Err(InvalidCommand::Nul { what: key });
        }
        if let Some(name) = self.env.keys().find(|name| name.is_empty() || name.contains(['=', '\0'])) {
            return Err(InvalidCommand::VariableName { name: name.escape_default().to_string() });
        }
        if self.env.values().any(|value| value.contains('\0')) {
            return Err(InvalidCommand::Nul { what: "env" });
        }
        if self.directory.as_ref().is_some_and(|path| path.as_os_str().as_encoded_bytes().contains(&0)) {
            return Err(InvalidCommand::Nul { what: "directory" });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_never_be_started_is_refused_before_it_is_tried() {
        let with_env = |name: &str, value: &str| CommandSpec {
            env: BTreeMap::from([(name.to_owned(), value.to_owned())]),
            ..CommandSpec::new(["true"])
        };
        assert_eq!(CommandSpec::new(["true"]).validate(), Ok(()));
        assert_eq!(CommandSpec::default().validate(), Err(InvalidCommand::Empty { key: "run" }));
        assert_eq!(CommandSpec::new([""]).validate(), Err(InvalidCommand::Empty { key: "run" }));
        assert_eq!(CommandSpec::new(["a", "b\0"]).validate(), Err(InvalidCommand::Nul { what: "run" }));
        assert_eq!(with_env("A", "\0").validate(), Err(InvalidCommand::Nul { what: "env" }));
        for name in ["", "A=B"] {
            assert!(matches!(with_env(name, "c").validate(), Err(InvalidCommand::VariableName { .. })), "{name}");
        }
    }

    #[test]
    fn a_program_that_waits_has_nearly_the_whole_grace_period_and_the_rest_for_stopping() {
        let ms = Duration::from_millis;
        let table = [
            // worker's, own, SIGTERM, SIGKILL
            (30_000, None, 27_000, 30_000),
            (10_000, None, 9_000, 10_000),
            (4_000, None, 3_000, 4_000),
            (1_000, None, 500, 1_000),
            (0, None, 0, 0),
            (3_600_000, None, 3_595_000, 3_600_000),
            (30_000, Some(10_000), 20_000, 30_000),
            (30_000, Some(60_000), 0, 60_000),
        ];
        for (workers, own, terminate, kill) in table {
            let plan = ShutdownPlan::new(ms(workers), own.map(ms));
            assert_eq!((plan.terminate_after, plan.kill_after), (ms(terminate), ms(kill)), "{workers} {own:?}");
        }
    }
}
