use std::path::Path;
use std::time::Duration;
use std::{env, io};

use longshore_core::{Failure, FailureType, Limits};
use tokio::time::{Instant, sleep};

use super::alarm::Alarm;
use super::checkpoint_saver::CheckpointSaver;
use super::claim_word::{CLAIM_VARIABLE, claim_word};
use super::output_stream::{Output, OutputStream};
use super::passed_dependencies::PassedDependencies;
use super::refusal;
use super::spec::{OnShutdown, ShutdownPlan};
use super::supervision::protocol::{CHECKPOINT_VARIABLE, Cause, Exit, Input, News, Order, TRACEPARENT_VARIABLE, Word};
use super::supervision::supervised::{Outputs, Supervised};
use super::transcript::Transcript;
use super::{CommandSpec, SupervisorProgram};
use crate::handler::CheckpointError;
use crate::runtime::quiet;
use crate::workflow::{DependencyList, read_dependencies};
use crate::{AttemptResult, CurrentAttempt, Done, HandlerError, StopCause, Stopped};

/// How long an unfinished line waits before it is written to the log.
pub(crate) const FLUSH_AFTER: Duration = Duration::from_millis(500);

/// How long to read the outputs after the command and all its descendants have ended. Only a process that got an output
/// in another way can still hold it open.
pub(crate) const DRAIN_MAX: Duration = Duration::from_secs(1);

/// How long to try to start a program when files, processes or memory are short, and the pauses between two tries.
/// After that, the job is returned so that another worker can take it.
const WANT_MAX: Duration = Duration::from_secs(5);
const WANT_FIRST: Duration = Duration::from_millis(50);
const WANT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// How many bytes of results of earlier jobs a program gets. Each result may stand in the list twice, by its reference
/// and by its id. So most lists fit into a variable.
const RESULT_BYTES_MAX: usize = 32 * 1024;

/// Runs a command for one attempt and returns its result.
pub(super) async fn run(
    spec: &CommandSpec,
    limits: Limits,
    supervisor: &SupervisorProgram,
    attempt: CurrentAttempt,
) -> AttemptResult {
    let dependencies = read_dependencies(&attempt, RESULT_BYTES_MAX).await?;
    let give_back_at = Instant::now() + WANT_MAX;
    let mut pause = WANT_FIRST;
    loop {
        let error = match run_once(spec, limits, supervisor, &attempt, &dependencies).await {
            Tried::Ran(result) => return result,
            Tried::Wanting(error) => error,
        };
        if pause == WANT_FIRST {
            quiet::warning!(%error, "a program could not be started; trying again");
        }
        tokio::select! {
            _ = attempt.stopped() => return Err(HandlerError::not_begun(want(spec, &error))),
            () = sleep(pause) => pause = (pause * 2).min(WANT_PAUSE_MAX),
        }
        if Instant::now() >= give_back_at {
            return Err(HandlerError::not_begun(want(spec, &error)));
        }
    }
}

fn want(spec: &CommandSpec, error: &io::Error) -> Failure {
    let program = spec.run.first().map_or("", String::as_str);
    Failure::new(FailureType::ResourceError, format!("{program} could not be started: {error}"))
}

/// The result of one try to start the program.
enum Tried {
    Ran(AttemptResult),
    /// The program did not start because of a resource that may become free again.
    Wanting(io::Error),
}

async fn run_once(
    spec: &CommandSpec,
    limits: Limits,
    supervisor: &SupervisorProgram,
    attempt: &CurrentAttempt,
    dependencies: &DependencyList,
) -> Tried {
    let folder = env::temp_dir();
    // Kept until the end of this function: it removes the file.
    let passed = match PassedDependencies::new(dependencies, &folder) {
        Ok(passed) => passed,
        Err(error) if refusal::is_passing(&error) => return Tried::Wanting(error),
        Err(error) => return Tried::Ran(Err(PassedDependencies::failure(&folder, &error).into())),
    };
    let order = order_of(spec, attempt, &passed);
    let started = Supervised::start(supervisor, order, attempt.payload().as_str().as_bytes()).await;
    let (supervised, outputs) = match started {
        Ok(started) => started,
        Err(error) if refusal::is_passing(&error) => return Tried::Wanting(error),
        Err(error) => {
            let message = format!("the supervisor {} cannot be started: {error}", supervisor.path().display());
            return Tried::Ran(Err(Failure::new(FailureType::of_io(error.kind()), message).into()));
        }
    };
    let transcript = Transcript::new(attempt.clone(), limits);
    let (attempt, checkpoints) = (attempt.clone(), CheckpointSaver::new(attempt.clone()));
    let mut command_attempt =
        CommandAttempt { attempt, supervised, transcript, checkpoints, asked: Asked::Nothing, end: None };
    command_attempt.listen(outputs, spec).await;
    if let Some(End::Refused { errno }) = command_attempt.end {
        let error = io::Error::from_raw_os_error(errno);
        if refusal::is_passing(&error) {
            return Tried::Wanting(error);
        }
    }
    Tried::Ran(command_attempt.into_result(spec))
}

fn order_of(spec: &CommandSpec, attempt: &CurrentAttempt, passed: &PassedDependencies) -> Order {
    let own = [
        ("LONGSHORE_JOB_ID", attempt.id().to_string()),
        ("LONGSHORE_JOB_TYPE", attempt.job_type().to_owned()),
        ("LONGSHORE_ATTEMPT", attempt.attempt().to_string()),
        ("LONGSHORE_MAX_RETRIES", attempt.max_retries().to_string()),
        ("LONGSHORE_QUEUE", attempt.queue_name().to_owned()),
        (CLAIM_VARIABLE, claim_word(attempt)),
    ];
    let mut env = spec.env.clone();
    env.extend(own.map(|(name, value)| (name.to_owned(), value)));
    if let (Some(schedule), Some(due_at)) = (attempt.schedule(), attempt.due_at()) {
        env.insert("LONGSHORE_SCHEDULE".to_owned(), schedule);
        env.insert("LONGSHORE_DUE_AT".to_owned(), due_at.to_string());
    }
    if let Some(traceparent) = attempt.traceparent() {
        env.insert(TRACEPARENT_VARIABLE.to_owned(), traceparent);
    }
    passed.set_variable(&mut env);
    match &attempt.lease().checkpoint {
        Some(checkpoint) => drop(env.insert(CHECKPOINT_VARIABLE.to_owned(), checkpoint.as_str().to_owned())),
        None => drop(env.remove(CHECKPOINT_VARIABLE)),
    }
    Order {
        run: spec.run.clone(),
        env,
        directory: spec.directory.clone(),
        grace_ms: u64::try_from(attempt.grace().as_millis()).unwrap_or(u64::MAX),
        input: Input::Payload { bytes: attempt.payload().len() },
        file: passed.path().map(Path::to_owned),
    }
}

struct CommandAttempt {
    attempt: CurrentAttempt,
    supervised: Supervised,
    transcript: Transcript,
    checkpoints: CheckpointSaver,
    asked: Asked,
    end: Option<End>,
}

/// How the command ended.
#[derive(Clone, Copy)]
enum End {
    Refused {
        errno: i32,
    },
    Ended {
        exit: Exit,
        cause: Cause,
    },
    /// Even SIGKILL did not end it.
    Unended,
    /// Its supervisor was killed.
    Abandoned,
}

/// Whether the supervisor was told to stop the command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Nothing,
    /// The worker is shutting down, and the program may continue until shortly before the end of the grace period.
    Later,
    Stop,
}

/// When a program that continues during a shutdown gets SIGTERM and SIGKILL.
#[derive(Default)]
struct ShutdownAlarms {
    terminate: Alarm,
    kill: Alarm,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Supervision {
    Open,
    Done,
    Gone,
}

impl CommandAttempt {
    /// Reads the outputs and the supervisor until all three have ended, and forwards stop requests.
    async fn listen(&mut self, outputs: Outputs, spec: &CommandSpec) {
        let (mut stdout, mut stderr) = (OutputStream::new(outputs.stdout), OutputStream::new(outputs.stderr));
        let attempt = self.attempt.clone();
        let mut supervision = Supervision::Open;
        let (mut flush, mut drain, mut shutdown) = (Alarm::default(), Alarm::default(), ShutdownAlarms::default());
        while supervision != Supervision::Gone || stdout.is_open() || stderr.is_open() {
            tokio::select! {
                bytes = stdout.next(), if stdout.is_open() => self.take(Output::Stdout, bytes),
                bytes = stderr.next(), if stderr.is_open() => self.take(Output::Stderr, bytes),
                news = self.supervised.next(), if supervision != Supervision::Gone => {
                    supervision = self.learn(news, supervision).await;
                    if supervision != Supervision::Open {
                        drain.set_once(DRAIN_MAX);
                    }
                }
                cause = asked_anew(&attempt, self.asked) => self.ask(cause, spec, &mut shutdown),
                () = shutdown.terminate.rings() => self.stop(),
                () = shutdown.kill.rings() => self.supervised.say(Word::Kill),
                () = flush.rings() => self.transcript.flush(),
                () = drain.rings() => break,
                saved = self.checkpoints.saved() => self.note_unsaved(saved),
            }
            if self.transcript.is_waiting() {
                flush.set_once(FLUSH_AFTER);
            }
        }
        self.transcript.finish(Output::Stdout);
        self.transcript.finish(Output::Stderr);
        self.supervised.gone().await;
        self.keep_checkpoint();
        let saved = self.checkpoints.finish().await;
        self.note_unsaved(saved);
    }

    /// Handles a stop request: now, or shortly before the end of the shutdown.
    fn ask(&mut self, cause: StopCause, spec: &CommandSpec, alarms: &mut ShutdownAlarms) {
        if cause != StopCause::ShuttingDown || spec.on_shutdown == OnShutdown::Terminate {
            return self.stop();
        }
        let plan = ShutdownPlan::new(self.attempt.workers_grace(), spec.grace.map(|_| self.attempt.grace()));
        self.asked = Asked::Later;
        alarms.terminate.set_once(plan.terminate_after);
        alarms.kill.set_once(plan.kill_after);
    }

    /// From now on, an error means that the program stopped because it was told to.
    fn stop(&mut self) {
        if self.asked != Asked::Stop {
            self.asked = Asked::Stop;
            let _ = self.attempt.stop_requested();
            self.supervised.say(Word::Stop);
        }
    }

    fn take(&mut self, output: Output, bytes: &[u8]) {
        self.transcript.push(output, bytes);
        self.keep_checkpoint();
    }

    fn keep_checkpoint(&mut self) {
        if let Some(value) = self.transcript.take_checkpoint() {
            self.checkpoints.offer(value);
        }
    }

    /// The program goes on: its next attempt continues from an older checkpoint. If the job was lost, the program is
    /// stopped for that.
    fn note_unsaved(&mut self, saved: Result<(), CheckpointError>) {
        if let Err(error) = saved {
            self.transcript.note(&format!("a checkpoint was not stored: {error}"));
        }
    }

    async fn learn(&mut self, news: Option<News>, before: Supervision) -> Supervision {
        match news {
            Some(News::Started { .. }) => {}
            Some(News::Refused { errno }) => {
                self.end = Some(End::Refused { errno });
                return Supervision::Done;
            }
            Some(News::Ended { exit, cause }) => self.end = Some(End::Ended { exit, cause }),
            Some(News::Sweeping { processes }) => {
                self.transcript.note(&format!("{} left running in the background, ending", count(processes)));
            }
            Some(News::Done { left }) => {
                if left > 0 {
                    self.transcript.note(&format!("{} could not be ended, even by SIGKILL", count(left)));
                    quiet::error!(job_id = %self.attempt.id(), processes = left, "processes of a command cannot be ended");
                }
                self.end = self.end.or(Some(End::Unended));
                return Supervision::Done;
            }
            None if before == Supervision::Done => return Supervision::Gone,
            None => {
                self.supervised.end_orphans().await;
                self.end = self.end.or(Some(End::Abandoned));
                return Supervision::Gone;
            }
        }
        before
    }

    fn into_result(self, spec: &CommandSpec) -> AttemptResult {
        // A program that was not told to stop ended by itself.
        let stop = if self.asked == Asked::Stop { self.attempt.stop_requested() } else { None };
        match (self.end, stop) {
            // Exit 0 completes the job even after a stop request: only the program knows whether its work was done.
            (Some(End::Ended { exit: Exit::Status(0), .. }), _) => self.transcript.into_done(),
            (Some(End::Ended { cause: Cause::Asked, .. } | End::Unended), Some(cause)) => {
                let message = Stopped { cause }.to_string();
                Err(self.transcript.with_tail(Failure::new(FailureType::TimeoutError, message)))?
            }
            (Some(End::Ended { exit, cause }), _) => Err(self.transcript.into_error(exit, cause)),
            (Some(End::Refused { errno }), _) => {
                Err(refusal::failure(spec, "run", &io::Error::from_raw_os_error(errno)))?
            }
            (Some(End::Unended), None) => self.failed("the command could not be ended, even by SIGKILL"),
            (Some(End::Abandoned) | None, _) => {
                self.failed("the supervisor of the command was killed, so the command was ended")
            }
        }
    }

    fn failed(&self, message: &str) -> Result<Done, HandlerError> {
        Err(self.transcript.with_tail(Failure::new(FailureType::SystemError, message)))?
    }
}

/// Resolves when the attempt is asked to stop, and again if it is then asked for a stronger cause than a shutdown.
/// Cancellation safe.
pub(crate) async fn asked_anew(attempt: &CurrentAttempt, asked: Asked) -> StopCause {
    match asked {
        Asked::Nothing => attempt.stop_signal().stopped().await,
        Asked::Later => attempt.stop_signal().replaced(StopCause::ShuttingDown).await,
        Asked::Stop => std::future::pending().await,
    }
}

pub(crate) fn count(processes: usize) -> String {
    match processes {
        1 => "1 process".to_owned(),
        _ => format!("{processes} processes"),
    }
}
