//! Running a command without a worker.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use longshore::backend::Budgets;
use longshore::command::{CommandHandler, CommandSpec, SupervisorProgram};
use longshore::testing::{AttemptProbe, EnqueueRecorder};
use longshore::{
    ClaimNumber, Done, Failure, Handler, JobData, JobId, Lease, Limits, Priority, Progress, StopCause, Timestamp,
};

use crate::processes::eventually;

/// Makes the test binary a worker that runs one command until it is killed.
pub(crate) const WORK_UNTIL_KILLED: &str = "work-until-killed";

/// The name of the variable that marks the processes of one test.
const MARK: &str = "LONGSHORE_TEST_MARK";

/// A command to run.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) spec: CommandSpec,
    pub(crate) payload: String,
    pub(crate) limits: Limits,
    pub(crate) grace: Duration,
    pub(crate) mark: String,
}

/// The result of a run.
pub(crate) struct Ran {
    pub(crate) end: Result<Done, Failure>,
    pub(crate) log: String,
    pub(crate) progress: Vec<Progress>,
}

/// A script for the shell.
pub(crate) fn sh(script: &str) -> Run {
    command(["sh", "-c", script])
}

/// A program with its arguments.
pub(crate) fn command<const N: usize>(run: [&str; N]) -> Run {
    job(CommandSpec::new(run))
}

pub(crate) fn job(mut spec: CommandSpec) -> Run {
    let mark = format!("{:016x}", RandomState::new().hash_one(0));
    spec.env.insert(MARK.to_owned(), mark.clone());
    Run { spec, payload: "{}".to_owned(), limits: Limits::default(), grace: Duration::from_secs(10), mark }
}

impl Run {
    pub(crate) fn payload(mut self, payload: &str) -> Self {
        payload.clone_into(&mut self.payload);
        self
    }

    pub(crate) fn grace_ms(mut self, grace_ms: u64) -> Self {
        self.grace = Duration::from_millis(grace_ms);
        self
    }

    pub(crate) fn result_bytes_max(mut self, payload_bytes_max: usize) -> Self {
        self.limits = Limits { payload_bytes_max };
        self
    }

    /// Marks its processes with a value that another process has chosen.
    pub(crate) fn mark_with(&mut self, mark: &str) {
        self.spec.env.insert(MARK.to_owned(), mark.to_owned());
    }

    /// Runs it to its end.
    pub(crate) fn finish(self) -> Ran {
        self.start().finish()
    }

    /// Starts it on a new thread.
    pub(crate) fn start(self) -> Running {
        let probe = self.probe();
        self.start_with(probe)
    }

    /// Starts the next attempt of the same job.
    pub(crate) fn start_again(self, last: &AttemptProbe) -> Running {
        self.start_with(last.next_attempt())
    }

    fn start_with(self, probe: AttemptProbe) -> Running {
        let mark = self.mark.clone();
        let probe = Arc::new(probe);
        let handler = self.handler();
        let attempt = probe.attempt();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let task =
            runtime.spawn(async move { handler.run(attempt).await.map_err(longshore::HandlerError::into_failure) });
        Running { mark, probe, task, runtime }
    }

    pub(crate) fn handler(&self) -> CommandHandler {
        let supervisor = SupervisorProgram::this_program().unwrap();
        CommandHandler::with_limits(self.spec.clone(), supervisor, self.limits).unwrap()
    }

    pub(crate) fn probe(&self) -> AttemptProbe {
        AttemptProbe::with_grace(self.lease(), self.grace, EnqueueRecorder::queue().1)
    }

    fn lease(&self) -> Lease {
        let budgets = Budgets {
            retry_count: 0,
            max_retries: Some(4),
            crash_count: 0,
            max_crashes: 3,
            deferral_count: 0,
            max_deferrals: 10,
            time: longshore_core::TimeBounds::default(),
        };
        Lease {
            id: JobId(1),
            claim_number: ClaimNumber(1),
            job_type: "sample".to_owned(),
            job_data: JobData::parse(self.payload.clone()).unwrap(),
            queue: "media".to_owned(),
            priority: Priority::NORMAL,
            budgets,
            timeout: None,
            ready_at: Timestamp::from_ms(0),
            metadata: None,
            checkpoint: None,
            step_count: 0,
            has_dependencies: false,
        }
    }
}

/// A running command.
pub(crate) struct Running {
    pub(crate) mark: String,
    pub(crate) probe: Arc<AttemptProbe>,
    task: tokio::task::JoinHandle<Result<Done, Failure>>,
    runtime: tokio::runtime::Runtime,
}

impl Running {
    /// Waits until its log contains a word.
    pub(crate) fn await_log(self, word: &str) -> Self {
        eventually(&format!("{word} in the log"), || self.probe.log().contains(word));
        self
    }

    pub(crate) fn stop(self, cause: StopCause) -> Self {
        self.probe.stop(cause);
        self
    }

    pub(crate) fn finish(self) -> Ran {
        let end = self.runtime.block_on(self.task).unwrap();
        Ran { end, log: self.probe.log(), progress: self.probe.progress() }
    }

    /// Drops the attempt while it runs.
    pub(crate) fn abort(self) {
        self.task.abort();
        let aborted = self.runtime.block_on(self.task);
        assert!(aborted.unwrap_err().is_cancelled());
    }
}

impl Ran {
    pub(crate) fn failure(self) -> Failure {
        self.end.unwrap_err()
    }

    pub(crate) fn result(self) -> Option<String> {
        match self.end.unwrap() {
            Done::Completed { result } => result.map(|result| result.as_str().to_owned()),
            other => panic!("{other:?}"),
        }
    }
}

/// A worker that runs one command, given by its mark and script, until it is killed.
pub(crate) fn work_until_killed() -> ! {
    let mut args = std::env::args().skip(2);
    let mut run = sh(&args.next().unwrap());
    run.mark_with(&args.next().unwrap());
    // Longer than any test waits. The death of a worker must not wait for it.
    run.grace_ms(600_000).finish();
    std::process::exit(0);
}
