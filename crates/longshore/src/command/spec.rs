use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use longshore_core::RetryPolicy;
use serde::Deserialize;
use thiserror::Error;

/// A program and the rules for running it.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct CommandSpec {
    /// The program and its arguments. No shell reads them. A name without a slash is looked up in `PATH`; a
    /// relative path begins at `directory`.
    pub run: Vec<String>,
    /// Variables that are set beside those of the worker; the worker's own `LONGSHORE_…` ones win.
    pub env: BTreeMap<String, String>,
    /// Where it runs; without one where the worker does.
    pub directory: Option<PathBuf>,
    /// The time limit of an attempt whose job has none of its own.
    pub timeout: Option<Duration>,
    /// How long it has between SIGTERM and SIGKILL; none is the worker's own grace period.
    pub grace: Option<Duration>,
    /// What it is told when the worker shuts down.
    pub on_shutdown: OnShutdown,
    /// How long to wait before the next attempt.
    pub retry: RetryPolicy,
}

/// What a program is told when its worker shuts down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnShutdown {
    /// Nothing, until the worker's grace period is nearly over: the last tenth of it, at least one second, at most
    /// five, and never more than half of it. Then SIGTERM, and SIGKILL at its end. Where the type has a `grace` of
    /// its own, that is what lies between the two signals.
    #[default]
    Wait,
    /// SIGTERM at once, and SIGKILL after the type's grace.
    Terminate,
}

/// When a program that waits at a shutdown gets which signal, from the request on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShutdownPlan {
    pub(super) terminate_after: Duration,
    pub(super) kill_after: Duration,
}

impl ShutdownPlan {
    /// The plan for a worker with that grace period and a type with its own, if it has one.
    pub(super) fn new(workers_grace: Duration, own_grace: Option<Duration>) -> Self {
        let usual = (workers_grace / 10).clamp(LAST_PART_MIN, LAST_PART_MAX).min(workers_grace / 2);
        let last_part = own_grace.unwrap_or(usual);
        Self { terminate_after: workers_grace.saturating_sub(last_part), kill_after: workers_grace.max(last_part) }
    }
}

const LAST_PART_MIN: Duration = Duration::from_secs(1);
const LAST_PART_MAX: Duration = Duration::from_secs(5);

/// A command that could never be started.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidCommand {
    /// There is no program.
    #[error("`run` is empty: it names the program and then its arguments, such as [\"sh\", \"-c\", \"date\"]")]
    EmptyRun,
    /// A word has a NUL, which no program can be given.
    #[error("`{what}` holds a NUL character, which no program can be given")]
    Nul {
        /// Which setting.
        what: &'static str,
    },
    /// A variable's name is empty or has an equals sign.
    #[error("\"{name}\" in `env` is no name of an environment variable")]
    VariableName {
        /// The name.
        name: String,
    },
}

impl CommandSpec {
    /// A program with its arguments, and everything else at its default.
    pub fn new<S: Into<String>>(run: impl IntoIterator<Item = S>) -> Self {
        Self { run: run.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Whether it could be started at all; whether the program is there shows only then.
    pub fn validate(&self) -> Result<(), InvalidCommand> {
        if self.run.first().is_none_or(String::is_empty) {
            return Err(InvalidCommand::EmptyRun);
        }
        if self.run.iter().any(|word| word.contains('\0')) {
            return Err(InvalidCommand::Nul { what: "run" });
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
        assert_eq!(CommandSpec::default().validate(), Err(InvalidCommand::EmptyRun));
        assert_eq!(CommandSpec::new([""]).validate(), Err(InvalidCommand::EmptyRun));
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
