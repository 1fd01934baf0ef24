use std::io;
use std::time::Duration;

use longshore_core::Failure;
use tokio::time::timeout;

use super::Setup;
use super::listener::{WhileStarting, WithoutJob};
use super::process::{End, Process, Step};
use crate::command::refusal;
use crate::command::tail::Tail;

/// The version of the protocol that this worker speaks.
const VERSION: u32 = 1;
/// How many lines of its output are shown if it does not become ready.
const OUTPUT_LINES_MAX: usize = 10;

/// Why there is no program that is ready.
#[derive(Debug)]
pub(super) enum NotReady {
    /// It cannot be started until somebody corrects something.
    Refused(Failure),
    /// It did not become ready.
    Died(Died),
}

/// How a program did not become ready.
#[derive(Debug)]
pub(super) struct Died {
    /// In words that follow its name.
    pub(super) why: String,
    /// Its last lines, if there is more than the one that the words name.
    pub(super) output: Option<String>,
}

impl NotReady {
    fn died(why: String) -> Self {
        Self::Died(Died { why, output: None })
    }
}

/// Starts a program and waits until it is ready.
pub(super) async fn start(setup: &Setup, grace: Duration) -> Result<Process, NotReady> {
    let mut process =
        Process::start(&setup.spec, &setup.supervisor, grace, setup.message_bytes_max).await.map_err(|error| {
            NotReady::died(format!("could not be supervised by {}: {error}", setup.supervisor.path().display()))
        })?;
    let without_job = WithoutJob::new(setup.program());
    let mut listener = WhileStarting { without_job, stderr: Tail::default(), output: Tail::default() };
    let limit = setup.spec.start_timeout;
    match timeout(limit, until_ready(&mut process, &mut listener)).await {
        Ok(Ok(VERSION)) => Ok(process),
        Ok(Ok(version)) => Err(NotReady::died(format!(
            "speaks version {version} of the protocol, but this worker speaks version {VERSION}"
        ))),
        Ok(Err(End::Refused { errno })) => Err(refused(setup, &io::Error::from_raw_os_error(errno))),
        Ok(Err(end)) => {
            let said = listener.stderr.message().or_else(|| listener.output.message());
            let said = said.map_or_else(String::new, |line| format!(": {line}"));
            let why = format!("{} before it was ready{said}", end.describe());
            Err(NotReady::Died(Died { why, output: output_of(&listener, 2) }))
        }
        Err(_) => {
            let limit = longshore_core::format_duration(limit);
            let why =
                format!("was not ready within {limit}: it must print {{\"longshore\": {{\"ready\": {VERSION}}}}}");
            Err(NotReady::Died(Died { why, output: output_of(&listener, 1) }))
        }
    }
}

/// The last lines of the program, if there are at least so many.
fn output_of(listener: &WhileStarting<'_>, least: usize) -> Option<String> {
    let lines = listener.output.last_lines(OUTPUT_LINES_MAX);
    (lines.len() >= least).then(|| lines.join("\n"))
}

/// The version that the program speaks, or its end.
async fn until_ready(process: &mut Process, listener: &mut WhileStarting<'_>) -> Result<u32, End> {
    loop {
        let step = process.go_on(listener).await;
        if let Some(version) = listener.without_job.ready {
            return Ok(version);
        }
        if let Step::Gone(end) = step {
            return Err(end);
        }
    }
}

fn refused(setup: &Setup, error: &io::Error) -> NotReady {
    if refusal::is_passing(error) {
        return NotReady::died(format!("could not be started: {error}"));
    }
    NotReady::Refused(refusal::failure(&setup.spec.command, "serve", error))
}
