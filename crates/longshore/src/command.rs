//! Jobs that run a program, in any language.
//!
//! Each command runs under its own supervisor: a small process that is this same program, started again. It ends the
//! command and all its descendants when the attempt must stop, when the command has ended, and when the worker was
//! killed. So no child process is left behind. Start reading at [`CommandHandler`].

#[cfg(unix)]
pub(crate) mod alarm;
#[cfg(unix)]
pub(crate) mod checkpoint_saver;
pub(crate) mod claim_word;
#[cfg(unix)]
pub(crate) mod command_attempt;
#[cfg(unix)]
pub(crate) mod exit;
#[cfg(unix)]
pub(crate) mod lines;
#[cfg(unix)]
pub(crate) mod message;
#[cfg(unix)]
pub(crate) mod output_stream;
#[cfg(unix)]
mod passed_dependencies;
#[cfg(unix)]
pub(crate) mod refusal;
pub(crate) mod spec;
pub(crate) mod supervision;
#[cfg(unix)]
pub(crate) mod tail;
#[cfg(unix)]
mod transcript;

use std::sync::Arc;
use std::time::Duration;

use longshore_core::Limits;

#[doc(hidden)]
pub use claim_word::{CLAIM_VARIABLE, running_member};
pub use spec::{CommandSpec, InvalidCommand, OnShutdown};
#[cfg(unix)]
pub use supervision::supervisor::{supervise, supervise_if_asked};
pub use supervision::supervisor_program::{SupervisorProgram, UnsupervisedProgram};

use crate::{AttemptResult, BoxFuture, CurrentAttempt, Handler, HandlerPolicy, Overrun, ShutdownTime};

/// How much longer than the grace period a command may need to end: the maximum time of SIGKILL, plus a margin.
const SETTLE: Duration = Duration::from_secs(32);

/// Runs a program for each job of a type.
///
/// The program reads the payload on standard input. Its standard output and standard error are the attempt's log.
/// `LONGSHORE_JOB_ID`, `LONGSHORE_JOB_TYPE`, `LONGSHORE_ATTEMPT`, `LONGSHORE_MAX_RETRIES` and `LONGSHORE_QUEUE`
/// describe its job. `LONGSHORE_DEPENDENCIES` has what the job waited for, or `LONGSHORE_DEPENDENCIES_FILE` the path of
/// a file with it, if that is too long. A line on standard output that is a JSON object with the single key `longshore`
/// is a message:
///
/// | in `{"longshore": …}` | meaning |
/// | --- | --- |
/// | `{"progress": 0.4, "message": "page 4 of 10"}` | its progress; each key may be given alone |
/// | `{"result": …}` | the result of the job, if it then exits with 0; the last one counts |
/// | `{"log": "…"}` | a line for its log |
/// | `{"snooze": "2s"}` | run again after this long, if it then exits with 0; the attempt is not counted |
/// | `{"rate_limited": "30s"}` | the same, because another side asked to slow down; with any exit status, unless a failure was reported |
/// | `{"failure_type": "network_error", "error_message": "…"}` | the failure, if it then exits with another status |
///
/// A message that cannot be read fails the attempt if the program exits with 0 and did not ask to run again later. A
/// `progress`, `message` or `log` that cannot be read is left out, as is an unknown name; the line stays in the log.
///
/// Without a failure message, the exit status has the meaning that sysexits.h gives it. An attempt has ended only when
/// none of its processes is left. If the future of an attempt is dropped, its supervisor kills them.
#[derive(Clone, Debug)]
pub struct CommandHandler {
    parts: Arc<Parts>,
}

#[derive(Debug)]
#[cfg_attr(not(unix), allow(dead_code, reason = "command jobs need Unix"))]
struct Parts {
    spec: CommandSpec,
    supervisor: SupervisorProgram,
    limits: Limits,
}

impl CommandHandler {
    /// A handler for a command, with the default limits for results.
    pub fn new(spec: CommandSpec, supervisor: SupervisorProgram) -> Result<Self, InvalidCommand> {
        Self::with_limits(spec, supervisor, Limits::default())
    }

    /// A handler for a command, with other limits for results.
    pub fn with_limits(
        spec: CommandSpec,
        supervisor: SupervisorProgram,
        limits: Limits,
    ) -> Result<Self, InvalidCommand> {
        spec.validate()?;
        Ok(Self { parts: Arc::new(Parts { spec, supervisor, limits }) })
    }
}

/// Does nothing on this system: command jobs need Unix.
#[cfg(not(unix))]
pub fn supervise_if_asked() {}

impl Handler for CommandHandler {
    #[cfg(unix)]
    fn run(&self, attempt: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        let parts = Arc::clone(&self.parts);
        Box::pin(async move { command_attempt::run(&parts.spec, parts.limits, &parts.supervisor, attempt).await })
    }

    #[cfg(not(unix))]
    fn run(&self, _: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        use longshore_core::FailureType;
        Box::pin(async {
            let message = "command jobs need Unix: run this worker under Linux, macOS or WSL";
            Err(crate::HandlerError::failed(FailureType::ConfigError, message))
        })
    }

    fn policy(&self) -> HandlerPolicy {
        policy_of(&self.parts.spec)
    }
}

/// The rules for the attempts of a program.
pub(crate) fn policy_of(spec: &CommandSpec) -> HandlerPolicy {
    HandlerPolicy {
        timeout: spec.timeout,
        retry: spec.retry.clone(),
        queue: spec.queue.clone(),
        priority: spec.priority,
        grace: spec.grace,
        settle: SETTLE,
        overrun: Overrun::Drop,
        limit: None,
        at_shutdown: match spec.on_shutdown {
            OnShutdown::Wait => ShutdownTime::WorkersGrace,
            OnShutdown::Terminate => ShutdownTime::Grace,
        },
    }
}
