use std::sync::Arc;
use std::time::Duration;

use longshore_core::{Failure, FailureType};

use super::job_line;
use super::listener::WithJob;
use super::pool::{Pool, Program};
use super::process::{End, Step};
use crate::command::OnShutdown;
use crate::command::alarm::Alarm;
use crate::command::checkpoint_saver::CheckpointSaver;
use crate::command::command_attempt::{Asked, asked_anew};
use crate::command::exit;
use crate::command::spec::ShutdownPlan;
use crate::command::supervision::protocol::{Cause, Exit, Word};
use crate::handler::CheckpointError;
use crate::workflow::read_dependencies;
use crate::{AttemptResult, CurrentAttempt, StopCause, Stopped};

/// How long an answer may follow a request to run the job later.
const ANSWER_MAX: Duration = Duration::from_millis(100);

/// How many bytes of results of earlier jobs a program gets with a job.
const RESULT_BYTES_MAX: usize = 1024 * 1024;

/// Runs one attempt on a program of the pool.
pub(super) async fn run(pool: Arc<Pool>, attempt: CurrentAttempt) -> AttemptResult {
    let line = job_line::job(&attempt, &read_dependencies(&attempt, RESULT_BYTES_MAX).await?);
    loop {
        let mut program = pool.take(&attempt).await?;
        let worked = Work { pool: &pool, attempt: &attempt, alarms: Alarms::default(), asked: Asked::Nothing };
        match worked.run(&mut program, &line).await {
            Worked::Ended(result) => {
                program.jobs = program.jobs.saturating_add(1);
                pool.give_back(program, attempt.workers_grace());
                return result;
            }
            Worked::Died(result) => {
                pool.note_begun();
                return result;
            }
            // It had ended by itself before it saw the job: another one takes it.
            Worked::Unread(_) if program.jobs > 0 => {}
            Worked::Unread(end) => {
                return Err(pool.close(&attempt, program.round, format!("{} before it took a job", end.describe())));
            }
        }
    }
}

/// How the work on one job has ended.
enum Worked {
    /// The program has ended the job, and lives.
    Ended(AttemptResult),
    /// The program has ended.
    Died(AttemptResult),
    /// The program had ended before it read the job.
    Unread(End),
}

/// When a program that must stop its job gets the line, SIGTERM and SIGKILL.
#[derive(Default)]
struct Alarms {
    line: Alarm,
    terminate: Alarm,
    kill: Alarm,
}

struct Work<'a> {
    pool: &'a Arc<Pool>,
    attempt: &'a CurrentAttempt,
    alarms: Alarms,
    asked: Asked,
}

impl Work<'_> {
    async fn run(mut self, program: &mut Program, line: &[u8]) -> Worked {
        let process = &mut program.process;
        process.send(line);
        let mut listener = WithJob::new(self.attempt, self.pool.setup.program());
        let (mut answer, mut checkpoints) = (Alarm::default(), CheckpointSaver::new(self.attempt.clone()));
        while !listener.is_final() {
            tokio::select! {
                step = process.go_on(&mut listener) => {
                    if let Some(value) = listener.checkpoint.take() {
                        checkpoints.offer(value);
                    }
                    if let Step::Gone(end) = step {
                        if self.asked != Asked::Stop && process.has_left(line.len()) == Some(true) {
                            return Worked::Unread(end);
                        }
                        note_unsaved(&listener, checkpoints.finish().await);
                        return Worked::Died(self.died(end, listener));
                    }
                }
                cause = asked_anew(self.attempt, self.asked) => self.ask(cause),
                () = self.alarms.line.rings() => {
                    self.asked = Asked::Stop;
                    // From now on, a failure means that the program stopped because it was told to.
                    let _ = self.attempt.stop_requested();
                    process.send(&job_line::cancel(self.attempt.id()));
                }
                () = self.alarms.terminate.rings() => process.say(Word::Stop),
                () = self.alarms.kill.rings() => process.say(Word::Kill),
                () = answer.rings() => break,
                saved = checkpoints.saved() => note_unsaved(&listener, saved),
            }
            if listener.has_ended() {
                answer.set_once(ANSWER_MAX);
            }
        }
        process.read_stderr(&mut listener);
        note_unsaved(&listener, checkpoints.finish().await);
        // The loop ends only after that.
        Worked::Ended(listener.into_result().unwrap_or_else(|| Err("the program did not end its job".into())))
    }

    /// Plans the line and the two signals.
    fn ask(&mut self, cause: StopCause) {
        let spec = &self.pool.setup.spec.command;
        let (grace, mut alarms) = (self.attempt.grace(), Alarms::default());
        let is_patient = cause == StopCause::ShuttingDown && spec.on_shutdown == OnShutdown::Wait;
        let plan = if is_patient {
            StopPlan::at_shutdown(ShutdownPlan::new(self.attempt.workers_grace(), spec.grace.map(|_| grace)))
        } else {
            StopPlan::now(grace)
        };
        alarms.line.set_once(plan.line_after);
        alarms.terminate.set_once(plan.terminate_after);
        alarms.kill.set_once(plan.kill_after);
        (self.alarms, self.asked) = (alarms, if is_patient { Asked::Later } else { Asked::Stop });
        if !is_patient {
            let _ = self.attempt.stop_requested();
        }
    }

    /// The result of a job whose program has ended.
    fn died(&self, end: End, listener: WithJob<'_>) -> AttemptResult {
        let (tail, said) = (listener.tail.message(), listener.tail.traceback());
        if let Some(result) = listener.into_result() {
            return result;
        }
        let with_tail = |failure: Failure| match said {
            Some(said) => failure.with_traceback(said),
            None => failure,
        };
        let stop = if self.asked == Asked::Stop { self.attempt.stop_requested() } else { None };
        if let (End::Ended { cause: Cause::Asked, .. } | End::Unended, Some(cause)) = (end, stop) {
            let failure = Failure::new(FailureType::TimeoutError, Stopped { cause }.to_string());
            return Err(with_tail(failure).into());
        }
        let failure_type = match end {
            // Only the program itself could say that the job is complete.
            End::Ended { exit: Exit::Status(0), .. } => FailureType::WorkerError,
            End::Ended { exit, cause } => exit::failure_type(exit, cause),
            End::Refused { .. } | End::Unended | End::Abandoned => FailureType::SystemError,
        };
        let last = tail.map_or_else(String::new, |line| format!(": {line}"));
        let message = format!("the program {} before it ended the job{last}", end.describe());
        Err(with_tail(Failure::new(failure_type, message)).into())
    }
}

/// The job goes on: its next attempt continues from an older checkpoint.
fn note_unsaved(listener: &WithJob<'_>, saved: Result<(), CheckpointError>) {
    if let Err(error) = saved {
        listener.note(&format!("a checkpoint was not stored: {error}"));
    }
}

/// When a program that must stop its job is told, counted from the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StopPlan {
    line_after: Duration,
    terminate_after: Duration,
    kill_after: Duration,
}

impl StopPlan {
    /// The line at once, SIGTERM after a tenth of the grace period (at least a second, at most five, and at most half of
    /// it), SIGKILL at its end.
    fn now(grace: Duration) -> Self {
        let patience = (grace / 10).clamp(PATIENCE_MIN, PATIENCE_MAX).min(grace / 2);
        Self { line_after: Duration::ZERO, terminate_after: patience, kill_after: grace }
    }

    /// The line when a command would get SIGTERM, and SIGTERM in the middle between the line and SIGKILL.
    fn at_shutdown(plan: ShutdownPlan) -> Self {
        let ShutdownPlan { terminate_after: line_after, kill_after } = plan;
        Self { line_after, terminate_after: line_after + (kill_after - line_after) / 2, kill_after }
    }
}

const PATIENCE_MIN: Duration = Duration::from_secs(1);
const PATIENCE_MAX: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_comes_before_the_signals_and_all_within_the_grace() {
        let ms = Duration::from_millis;
        for (grace, terminate) in [(30_000, 3_000), (100_000, 5_000), (4_000, 1_000), (1_000, 500), (0, 0)] {
            let plan = StopPlan::now(ms(grace));
            assert_eq!((plan.line_after, plan.terminate_after, plan.kill_after), (ms(0), ms(terminate), ms(grace)));
        }
        let plan = StopPlan::at_shutdown(ShutdownPlan::new(ms(30_000), None));
        assert_eq!((plan.line_after, plan.terminate_after, plan.kill_after), (ms(27_000), ms(28_500), ms(30_000)));
    }
}
