use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use longshore_core::{Failure, FailureType};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::closure::{Closed, Closure};
use super::listener::WithoutJob;
use super::process::{Process, Step};
use super::starting::{self, Died, NotReady};
use super::{Setup, ending};
use crate::runtime::quiet;
use crate::{CurrentAttempt, HandlerError};

/// The programs of one job type: as many as jobs have run at once. A program belongs to the attempt that it works on,
/// or to the pool while it has no job.
///
/// Dropping the pool kills its programs.
pub(super) struct Pool {
    pub(super) setup: Arc<Setup>,
    state: Mutex<State>,
}

/// A program that is ready, and how many jobs it has ended.
pub(super) struct Program {
    pub(super) process: Process,
    pub(super) jobs: u32,
    /// The round of starts that it belongs to.
    pub(super) round: u32,
}

#[derive(Default)]
struct State {
    /// Programs without a job, the one that was used last at the end.
    idle: Vec<oneshot::Sender<Wanted>>,
    /// Attempts that wait for a program, the first at the front.
    waiting: VecDeque<oneshot::Sender<Handed>>,
    /// How many programs are being started.
    starting: usize,
    /// The type of the last job that needed a program, which the log names.
    job_type: String,
    closure: Closure,
    /// Who starts programs, and who holds those that are idle or ending. They know the pool only weakly, so that it can
    /// be dropped.
    starts: JoinSet<()>,
    holders: JoinSet<()>,
}

/// What the holder of an idle program is asked for.
enum Wanted {
    /// The program itself.
    Program(oneshot::Sender<Program>),
    /// Its end, within this time.
    End(Duration),
}

/// What an attempt gets.
type Handed = Result<Program, NoProgram>;

/// Why an attempt gets no program.
enum NoProgram {
    Refused(Failure),
    Closed(Closed),
}

/// What an attempt has to do to get a program.
enum Turn {
    /// Wait for the holder of an idle one, which may have ended.
    Take(oneshot::Receiver<Program>),
    /// Wait until one is ready.
    Wait(oneshot::Receiver<Handed>),
    Closed(Closed),
}

impl Pool {
    pub(super) fn new(setup: Setup) -> Self {
        Self { setup: Arc::new(setup), state: Mutex::default() }
    }

    /// A program for an attempt: an idle one, else a fresh one.
    pub(super) async fn take(self: &Arc<Self>, attempt: &CurrentAttempt) -> Result<Program, HandlerError> {
        loop {
            match self.turn(attempt) {
                Turn::Closed(closed) => return Err(self.closed(attempt, &closed)),
                Turn::Take(taken) => {
                    if let Ok(program) = taken.await {
                        return Ok(program);
                    }
                }
                Turn::Wait(handed) => return self.wait(attempt, handed).await,
            }
        }
    }

    async fn wait(&self, attempt: &CurrentAttempt, handed: oneshot::Receiver<Handed>) -> Result<Program, HandlerError> {
        let handed = tokio::select! {
            handed = handed => handed,
            // The program goes on starting: a later job, or the same one again, gets it.
            cause = attempt.stop_signal().stopped() => {
                let message = format!("{} was not ready when the attempt had to stop ({cause:?})", self.setup.program());
                return Err(HandlerError::not_begun(Failure::new(FailureType::TimeoutError, message)));
            }
        };
        match handed {
            Ok(Ok(program)) => Ok(program),
            Ok(Err(NoProgram::Closed(closed))) => Err(self.closed(attempt, &closed)),
            Ok(Err(NoProgram::Refused(failure))) => Err(failure.into()),
            Err(_) => {
                let message = format!("the start of {} was given up", self.setup.program());
                Err(HandlerError::not_begun(Failure::new(FailureType::SystemError, message)))
            }
        }
    }

    fn closed(&self, attempt: &CurrentAttempt, closed: &Closed) -> HandlerError {
        let delay = closed.until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let (program, why) = (self.setup.program(), &closed.why);
        attempt.log(&super::closed_line(program, why));
        HandlerError::deferred(Failure::new(FailureType::ConfigError, format!("{program} {why}")), delay)
    }

    fn turn(self: &Arc<Self>, attempt: &CurrentAttempt) -> Turn {
        let mut state = self.state();
        while let Some(holder) = state.idle.pop() {
            let (sender, taken) = oneshot::channel();
            if holder.send(Wanted::Program(sender)).is_ok() {
                return Turn::Take(taken);
            }
        }
        if let Some(closed) = state.closure.closed(Instant::now()) {
            return Turn::Closed(closed.clone());
        }
        let (sender, handed) = oneshot::channel();
        state.waiting.retain(|waiting| !waiting.is_closed());
        state.waiting.push_back(sender);
        attempt.job_type().clone_into(&mut state.job_type);
        self.start_for_waiting(&mut state, attempt.grace());
        Turn::Wait(handed)
    }

    /// Starts a program for each attempt that waits. One at a time while it is not known whether it becomes ready.
    fn start_for_waiting(self: &Arc<Self>, state: &mut State, grace: Duration) {
        let most = if state.closure.is_doubtful() { 1 } else { usize::MAX };
        while state.starting < state.waiting.len().min(most) {
            state.starting += 1;
            let round = state.closure.round();
            let start = Start { pool: Arc::downgrade(self), grace, round, is_over: false };
            let setup = Arc::clone(&self.setup);
            spawn(&mut state.starts, start.run(setup));
        }
    }

    fn note_started(self: &Arc<Self>, started: Result<Process, NotReady>, round: u32, grace: Duration) {
        let mut state = self.state();
        state.starting -= 1;
        match started {
            Ok(process) => {
                self.hand_on(&mut state, Program { process, jobs: 0, round });
                state.waiting.retain(|waiting| !waiting.is_closed());
                self.start_for_waiting(&mut state, grace);
            }
            Err(NotReady::Refused(failure)) => {
                for waiting in state.waiting.drain(..) {
                    let _ = waiting.send(Err(NoProgram::Refused(failure.clone())));
                }
            }
            Err(NotReady::Died(died)) => self.close_with(&mut state, round, &died),
        }
    }

    /// Closes the type for a while, because a program ended before it took its first job.
    pub(super) fn close(&self, attempt: &CurrentAttempt, round: u32, why: String) -> HandlerError {
        let mut state = self.state();
        let died = Died { why, output: None };
        self.close_with(&mut state, round, &died);
        let until = state.closure.closed(Instant::now()).map_or_else(Instant::now, |closed| closed.until);
        drop(state);
        self.closed(attempt, &Closed { until, why: died.why })
    }

    fn close_with(&self, state: &mut State, round: u32, died: &Died) {
        let Died { why, output } = died;
        if let Some(pause) = state.closure.close(round, why, Instant::now()) {
            let pause = longshore_core::format_duration(pause);
            let (program, job_type, output) = (self.setup.program(), &state.job_type, output.as_deref());
            quiet::warning!(program, %pause, output, "the program of {job_type} {why}; its jobs wait");
        }
        if let Some(closed) = state.closure.closed(Instant::now()).cloned() {
            for waiting in state.waiting.drain(..) {
                let _ = waiting.send(Err(NoProgram::Closed(closed.clone())));
            }
        }
    }

    /// Whether jobs should be claimed.
    pub(super) fn is_open(&self) -> bool {
        self.state().closure.closed(Instant::now()).is_none()
    }

    /// Why a drain should not wait for a program, in words.
    pub(super) fn given_up(&self) -> Option<String> {
        self.state().closure.given_up().map(|why| format!("the program {} {why}", self.setup.program()))
    }

    /// A program has begun a job, so it became ready and works.
    pub(super) fn note_begun(&self) {
        self.state().closure.open();
    }

    /// Takes back a program that has ended a job.
    pub(super) fn give_back(self: &Arc<Self>, program: Program, grace: Duration) {
        let mut state = self.state();
        state.closure.open();
        match self.setup.why_replace(&program) {
            None => self.hand_on(&mut state, program),
            Some(why) => {
                quiet::info!(program = self.setup.program(), jobs = program.jobs, "the program is replaced: {why}");
                let setup = Arc::clone(&self.setup);
                spawn(&mut state.holders, async move { ending::end(program.process, setup.program(), grace).await });
            }
        }
    }

    /// Hands a program to the first attempt that waits, or keeps it.
    fn hand_on(&self, state: &mut State, program: Program) {
        let mut program = program;
        while let Some(waiting) = state.waiting.pop_front() {
            match waiting.send(Ok(program)) {
                Err(Ok(refused)) => program = refused,
                _ => return,
            }
        }
        let (sender, wanted) = oneshot::channel();
        state.idle.retain(|holder| !holder.is_closed());
        state.idle.push(sender);
        spawn(&mut state.holders, hold(program, wanted, Arc::clone(&self.setup)));
    }

    /// Ends the idle programs, and waits for all that are ending. One that is starting has no job, and is killed.
    pub(super) async fn end(self: Arc<Self>, grace: Duration) {
        let (mut starts, mut holders) = {
            let mut state = self.state();
            for holder in state.idle.drain(..) {
                let _ = holder.send(Wanted::End(grace));
            }
            (std::mem::take(&mut state.starts), std::mem::take(&mut state.holders))
        };
        starts.shutdown().await;
        if grace.is_zero() {
            holders.shutdown().await;
        }
        while holders.join_next().await.is_some() {}
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spawn(tasks: &mut JoinSet<()>, task: impl Future<Output = ()> + Send + 'static) {
    // What has ended is forgotten. A panic was logged, and has dropped its program.
    while tasks.try_join_next().is_some() {}
    tasks.spawn(task);
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("setup", &self.setup).finish_non_exhaustive()
    }
}

/// The start of a program. If it is dropped, it has ended.
struct Start {
    pool: Weak<Pool>,
    grace: Duration,
    round: u32,
    is_over: bool,
}

impl Start {
    async fn run(mut self, setup: Arc<Setup>) {
        let started = starting::start(&setup, self.grace).await;
        if let Some(pool) = self.pool.upgrade() {
            self.is_over = true;
            pool.note_started(started, self.round, self.grace);
        }
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        if !self.is_over
            && let Some(pool) = self.pool.upgrade()
        {
            pool.state().starting -= 1;
        }
    }
}

/// Holds an idle program until it is wanted or has ended.
async fn hold(mut program: Program, mut wanted: oneshot::Receiver<Wanted>, setup: Arc<Setup>) {
    let mut listener = WithoutJob::new(setup.program());
    let wanted = loop {
        tokio::select! {
            wanted = &mut wanted => break wanted,
            step = program.process.go_on(&mut listener) => {
                if let Step::Gone(end) = step {
                    quiet::info!(program = setup.program(), "the program {} while it had no job", end.describe());
                    return;
                }
            }
        }
    };
    match wanted {
        Ok(Wanted::Program(sender)) => drop(sender.send(program)),
        Ok(Wanted::End(grace)) => ending::end(program.process, setup.program(), grace).await,
        // The pool was dropped.
        Err(_) => {}
    }
}
