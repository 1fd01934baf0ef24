//! Jobs of a program that stays: it is started once, and gets job after job.
//!
//! Start reading at [`ProgramHandler`].

#[cfg(unix)]
mod closure;
#[cfg(unix)]
mod ending;
#[cfg(unix)]
mod job_line;
#[cfg(unix)]
mod listener;
#[cfg(unix)]
mod message;
#[cfg(unix)]
mod pool;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod program_attempt;
mod program_spec;
#[cfg(unix)]
mod starting;

use std::sync::Arc;
use std::time::Duration;

pub use program_spec::{InvalidProgram, ProgramSpec};

use crate::command::{SupervisorProgram, policy_of};
use crate::{AttemptResult, BoxFuture, CurrentAttempt, Handler, HandlerPolicy};
use longshore_core::Limits;

/// Hands the jobs of a type to programs that stay.
///
/// There are as many programs as jobs run at once. Each is started when it is needed first, under a supervisor of its
/// own, and kept. Both sides write one JSON object a line.
///
/// | to the program | means |
/// | --- | --- |
/// | `{"job": {"id": 7, "job_type": …, "job_data": …, "attempt": 1, "max_retries": 15, "queue": …, "metadata": …, "checkpoint": …}, "claim": …}` | work on this job |
/// | `{"cancel": 7}` | stop working on it; SIGTERM and SIGKILL follow |
/// | `{"quit": true}` | end |
///
/// | from the program, in `{"longshore": …}` | means |
/// | --- | --- |
/// | `{"ready": 1}` | it is ready for its first job |
/// | `{"job": 7, "progress": 0.4, "message": "page 4 of 10"}` | its progress |
/// | `{"job": 7, "log": "…"}` | a line for its log |
/// | `{"job": 7, "checkpoint": …}` | where the job stands, for its next attempt |
/// | `{"job": 7, "done": …}` | it is complete, with this result |
/// | `{"job": 7, "failure_type": …, "error_message": …, "traceback": …}` | it has failed |
/// | `{"job": 7, "snooze": "2s"}` | it runs again after this long; the attempt is not counted |
/// | `{"job": 7, "rate_limited": "30s"}` | the same, because another side asked to slow down |
///
/// A message that cannot be read fails the current job, because it may have been its end; the program stays. A `progress`,
/// `message` or `log` that cannot be read is left out, as is an unknown name; the line stays in the log.
///
/// Any other line of standard output, and standard error, is the log of the current job, or of the worker if there is
/// none. If the program ends, only its current job fails. If it ends before it is ready, its type is closed for a
/// while, each time in a row for twice as long: no job is claimed, and those that were are deferred. Jobs that did not
/// reach a program are never failed.
///
/// It needs Unix. If the future of an attempt is dropped, its program is killed. When the worker ends, the programs are
/// asked to quit and then get the worker's grace period.
#[derive(Clone, Debug)]
pub struct ProgramHandler {
    #[cfg(unix)]
    pool: Arc<pool::Pool>,
    #[cfg(not(unix))]
    setup: Arc<Setup>,
}

/// What the start of a program needs.
#[derive(Debug)]
#[cfg_attr(not(unix), allow(dead_code, reason = "programs that stay need Unix"))]
struct Setup {
    spec: ProgramSpec,
    supervisor: SupervisorProgram,
    /// The longest message that is read.
    message_bytes_max: usize,
}

/// The size of a message in addition to the largest result.
const MESSAGE_FRAME_BYTES: usize = 64 * 1024;

impl ProgramHandler {
    /// A handler for a program. Starts nothing yet.
    pub fn new(spec: ProgramSpec, supervisor: SupervisorProgram) -> Result<Self, InvalidProgram> {
        spec.validate()?;
        let message_bytes_max = Limits::default().payload_bytes_max.saturating_add(MESSAGE_FRAME_BYTES);
        let setup = Setup { spec, supervisor, message_bytes_max };
        #[cfg(unix)]
        return Ok(Self { pool: Arc::new(pool::Pool::new(setup)) });
        #[cfg(not(unix))]
        return Ok(Self { setup: Arc::new(setup) });
    }
}

#[cfg(unix)]
impl Handler for ProgramHandler {
    fn run(&self, attempt: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        Box::pin(program_attempt::run(Arc::clone(&self.pool), attempt))
    }

    fn policy(&self) -> HandlerPolicy {
        policy_of(&self.pool.setup.spec.command)
    }

    fn is_open(&self) -> bool {
        self.pool.is_open()
    }

    fn given_up(&self) -> Option<String> {
        self.pool.given_up()
    }

    fn end(&self, grace: Duration) -> BoxFuture<'static, ()> {
        Box::pin(Arc::clone(&self.pool).end(grace))
    }
}

#[cfg(not(unix))]
impl Handler for ProgramHandler {
    fn run(&self, _: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        use longshore_core::FailureType;
        Box::pin(async {
            let message = "programs that stay need Unix: run this worker under Linux, macOS or WSL";
            Err(crate::HandlerError::failed(FailureType::ConfigError, message))
        })
    }

    fn policy(&self) -> HandlerPolicy {
        policy_of(&self.setup.spec.command)
    }
}

#[cfg(unix)]
impl Setup {
    /// The name of the program in messages.
    fn program(&self) -> &str {
        self.spec.command.run.first().map_or("", String::as_str)
    }

    /// Why a program that has ended a job gets no other one.
    fn why_replace(&self, program: &pool::Program) -> Option<String> {
        if self.spec.max_jobs.is_some_and(|most| program.jobs >= most.get()) {
            return Some(format!("it has ended {} jobs", program.jobs));
        }
        let most = self.spec.max_rss_bytes?;
        let used = program.process.resident_bytes()?;
        (used > most).then(|| format!("it uses {} MiB of memory", used >> 20))
    }
}

/// How the line of a job begins that waits because its program does not become ready, and how it ends.
const CLOSED_BEGIN: &str = "longshore: the program ";
const CLOSED_END: &str = "; its jobs wait";

/// The line in the log of such a job.
#[cfg(unix)]
fn closed_line(program: &str, why: &str) -> String {
    format!("{CLOSED_BEGIN}{program} {why}{CLOSED_END}\n")
}

/// Why a job waits for its program, by the log of its last attempt: the program and why it does not become ready.
#[doc(hidden)]
pub fn why_closed(log: &str) -> Option<&str> {
    log.lines().last()?.strip_prefix(CLOSED_BEGIN)?.strip_suffix(CLOSED_END)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_reason_in_a_log_is_found_again() {
        let line = closed_line("python3", "exited with status 1 before it was ready: ImportError: x");
        let expected = "python3 exited with status 1 before it was ready: ImportError: x";
        assert_eq!(why_closed(&format!("earlier\n{line}")), Some(expected));
        assert_eq!(why_closed(&format!("{line}later\n")), None);
        assert_eq!(why_closed(""), None);
    }
}
