use std::future::pending;
use std::sync::{Arc, Weak};
use std::time::Duration;

use longshore_core::StoreError;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::attempt::slot;
use super::claiming::claims;
use super::job_names::some_of;
use super::suspects::gate;
use super::upkeep::{cancellations, heartbeat, recorder, recovery, scheduler, session};
use super::worker_run::{Until, WorkerRun};
use super::{Worker, WorkerError, watched};
use crate::handler::SPAN_MAX;
use crate::runtime::panic_capture::caught;
use crate::runtime::quiet;
use crate::{ShutdownTime, StopCause};

/// How much longer than its grace period an attempt may take before it is returned although it has not stopped.
const MARGIN: Duration = Duration::from_secs(1);
/// How long the last outcomes may take to be stored. After that, their jobs are returned.
const LAST_WORDS: Duration = Duration::from_secs(10);

impl<S> Worker<S> {
    /// Works until `shutdown` resolves. Then it claims nothing more, asks running jobs to stop and waits for the grace
    /// period. Remaining jobs are returned; their attempts are not counted.
    ///
    /// Dropping the future ends everything at once. The next search for dead workers returns the jobs.
    ///
    /// ```
    /// # async fn example(worker: longshore::Worker) -> Result<(), longshore::error::WorkerError> {
    /// let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    /// // Somewhere else: stop.send(())
    /// worker.run(async { stopped.await.unwrap_or_default() }).await
    /// # }
    /// ```
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), WorkerError> {
        self.run_until(shutdown, pending()).await
    }

    /// Like [`Worker::run`]. `immediate` ends the grace period.
    ///
    /// ```
    /// # async fn example(worker: longshore::Worker) -> Result<(), longshore::error::WorkerError> {
    /// use std::time::Duration;
    ///
    /// let shutdown = tokio::time::sleep(Duration::from_secs(3600));
    /// let immediate = tokio::time::sleep(Duration::from_secs(3605));
    /// worker.run_until(shutdown, immediate).await
    /// # }
    /// ```
    pub async fn run_until(
        self,
        shutdown: impl Future<Output = ()>,
        immediate: impl Future<Output = ()>,
    ) -> Result<(), WorkerError> {
        work(self.into_run(Until::Stopped)?, shutdown, immediate).await
    }

    /// Works until no job is left that could run now or later without help. Jobs with a type that this worker does not
    /// handle, or in a queue that is paused or not its own, do not count.
    ///
    /// ```
    /// # async fn example(worker: longshore::Worker) -> Result<(), longshore::error::WorkerError> {
    /// worker.run_until_drained().await
    /// # }
    /// ```
    pub async fn run_until_drained(self) -> Result<(), WorkerError> {
        work(self.into_run(Until::Drained)?, pending(), pending()).await
    }

    /// Like [`Worker::run_until_drained`], but stops early as [`Worker::run_until`] does.
    ///
    /// ```
    /// # async fn example(worker: longshore::Worker) -> Result<(), longshore::error::WorkerError> {
    /// # #[cfg(unix)] {
    /// let (first, second) = longshore::stop_signals().map_err(longshore::error::WorkerError::Signals)?;
    /// worker.run_until_drained_or(first, second).await
    /// # }
    /// # #[cfg(not(unix))] Ok(())
    /// # }
    /// ```
    pub async fn run_until_drained_or(
        self,
        shutdown: impl Future<Output = ()>,
        immediate: impl Future<Output = ()>,
    ) -> Result<(), WorkerError> {
        work(self.into_run(Until::Drained)?, shutdown, immediate).await
    }

    /// Works until SIGTERM, SIGINT or SIGHUP, as reported by [`stop_signals`](crate::stop_signals). A second signal
    /// ends the grace period.
    ///
    /// ```
    /// # async fn example(worker: longshore::Worker) -> Result<(), longshore::error::WorkerError> {
    /// worker.run_until_signal().await
    /// # }
    /// ```
    #[cfg(unix)]
    pub async fn run_until_signal(self) -> Result<(), WorkerError> {
        let (first, second) = super::stop_signals().map_err(WorkerError::Signals)?;
        self.run_until(first, second).await
    }
}

async fn work(
    worker_run: Arc<WorkerRun>,
    shutdown: impl Future<Output = ()>,
    immediate: impl Future<Output = ()>,
) -> Result<(), WorkerError> {
    let mut immediate = std::pin::pin!(immediate);
    let identity = Identity(&worker_run);
    // Aborted and joined at the end. If this future is dropped, they are dropped and so aborted.
    let mut tasks = JoinSet::new();
    let others = worker_run.gate.join(&worker_run);
    spawn(&worker_run, &mut tasks);
    let claims = async {
        let claims = claims(&worker_run, &others);
        let mut claims = std::pin::pin!(claims);
        tokio::select! {
            ended = &mut claims => return ended,
            () = shutdown => worker_run.stop(),
        }
        claims.await
    };
    let (ended, is_immediate) = tokio::select! {
        ended = claims => (ended, false),
        () = &mut immediate => (Ok(()), true),
    };
    worker_run.stop();
    let stopped_at = Instant::now();
    // A future that has resolved must not be polled again.
    let is_immediate = is_immediate
        || tokio::select! {
            () = watched_end(&worker_run, wind_down(&worker_run)) => false,
            () = &mut immediate => true,
        };
    if is_immediate {
        watched_end(&worker_run, end_at_once(&worker_run)).await;
    }
    tasks.shutdown().await;
    watched_end(&worker_run, retire(&worker_run)).await;
    drop(identity);
    // The jobs are given back, so nobody waits for these ends.
    let grace = if is_immediate { Duration::ZERO } else { rest_of_grace(&worker_run, stopped_at) };
    let is_cut_short = tokio::select! {
        () = worker_run.registry.end(grace) => false,
        () = immediate, if !is_immediate => true,
    };
    if is_cut_short {
        worker_run.registry.end(Duration::ZERO).await;
    }
    answer(&worker_run, ended)
}

/// Runs each part with a guard, so that none ends silently.
fn spawn(worker_run: &Arc<WorkerRun>, tasks: &mut JoinSet<()>) {
    for number in 0..worker_run.settings.concurrency {
        tasks.spawn(slot::run(worker_run.clone(), number));
    }
    tasks.spawn(watched::run(worker_run.clone(), "the recorder of outcomes", recorder::run));
    tasks.spawn(watched::run(worker_run.clone(), "the heartbeat", heartbeat::run));
    tasks.spawn(watched::run(worker_run.clone(), "the session", session::run));
    tasks.spawn(watched::run(worker_run.clone(), "the search for dead workers", recovery::reclaim));
    tasks.spawn(watched::run(worker_run.clone(), "the check for cancellations", cancellations::run));
    tasks.spawn(watched::run(worker_run.clone(), "the housekeeping", recovery::sweep));
    tasks.spawn(watched::run(worker_run.clone(), "the scheduler", scheduler::run));
}

async fn claims(worker_run: &WorkerRun, others: &[Weak<WorkerRun>]) -> Result<(), StoreError> {
    let part = async {
        // Before anything can begin here.
        gate::note_company(others).await;
        claims::run(worker_run).await
    };
    match caught(part).await {
        Ok(ended) => ended,
        Err(panicked) => {
            worker_run.note_panic("the claim loop", panicked);
            Ok(())
        }
    }
}

async fn watched_end(worker_run: &WorkerRun, part: impl Future<Output = ()>) {
    if let Err(panicked) = caught(part).await {
        worker_run.note_panic("the shutdown", panicked);
    }
}

/// Shuts down in order: returns waiting jobs, lets running jobs end within their grace period, stores the outcomes.
async fn wind_down(worker_run: &WorkerRun) {
    {
        let mut holdings = worker_run.holdings();
        holdings.close(worker_run.clock.monotonic());
        holdings.stop_all(StopCause::ShuttingDown);
    }
    tokio::select! {
        () = worker_run.shared.settled_when(|holdings| !holdings.has_attempts()) => {}
        () = sleep_until(Instant::now() + longest_grace(worker_run) + MARGIN) => give_up(worker_run),
    }
    last_words(worker_run, LAST_WORDS).await;
    last_hooks(worker_run, LAST_WORDS).await;
}

/// After the second signal: no grace period, but outcomes are stored if the store answers.
async fn end_at_once(worker_run: &WorkerRun) {
    {
        let mut holdings = worker_run.holdings();
        holdings.close(worker_run.clock.monotonic());
        for attempt in holdings.slots.attempts() {
            attempt.stop_signal().stop_at_once(StopCause::ShuttingDown);
        }
    }
    tokio::select! {
        () = worker_run.shared.settled_when(|holdings| !holdings.has_attempts()) => {}
        () = sleep(MARGIN) => give_up(worker_run),
    }
    last_words(worker_run, MARGIN).await;
    last_hooks(worker_run, MARGIN).await;
}

/// What the running jobs have left of the grace period, at least a short time.
fn rest_of_grace(worker_run: &WorkerRun, stopped_at: Instant) -> Duration {
    let grace = worker_run.settings.grace.min(SPAN_MAX);
    grace.saturating_sub(stopped_at.elapsed()).max(MARGIN.min(grace))
}

fn give_up(worker_run: &WorkerRun) {
    let stuck = worker_run.holdings().give_up_running(worker_run.clock.monotonic());
    if stuck > 0 {
        quiet::warning!(stuck, "attempts did not stop in time; their jobs are returned");
    }
}

async fn last_words(worker_run: &WorkerRun, patience: Duration) {
    let stored = worker_run.shared.settled_when(|holdings| holdings.is_recorded() || holdings.worker_id().is_none());
    if tokio::time::timeout(patience, stored).await.is_err() {
        let jobs = worker_run.holdings().unstored_jobs();
        if jobs.is_empty() {
            // Each of them has completed its job in a transaction of its own.
            return quiet::warning!("the last progress and log of ended attempts could not be stored");
        }
        quiet::error!(
            "the outcomes of {} could not be stored, whatever was said of them before; they run again",
            some_of(&jobs)
        );
        worker_run.fail(WorkerError::OutcomesLost { jobs });
    }
}

async fn last_hooks(worker_run: &WorkerRun, patience: Duration) {
    let told = worker_run.shared.settled_when(|holdings| !holdings.slots.has_hooks());
    if tokio::time::timeout(patience, told).await.is_err() {
        quiet::warning!("a middleware did not return in time; the worker ends without it");
    }
}

fn longest_grace(worker_run: &WorkerRun) -> Duration {
    let own = worker_run.settings.grace;
    let of_handler = |entry: &super::registry::Entry| {
        let grace = entry.policy.grace.unwrap_or(own);
        let grace = if entry.policy.at_shutdown == ShutdownTime::WorkersGrace { grace.max(own) } else { grace };
        grace + entry.policy.settle
    };
    worker_run.registry.entries().map(of_handler).max().unwrap_or(own)
}

/// Ends the session of a worker that did not retire, also when its future was dropped: its process may live on, and
/// nobody else would give its jobs back.
struct Identity<'a>(&'a WorkerRun);

impl Drop for Identity<'_> {
    fn drop(&mut self) {
        self.0.holdings().take_identity();
        self.0.sessions.end();
    }
}

/// Best effort. If it fails, other workers find the jobs because the liveness evidence is gone.
async fn retire(worker_run: &WorkerRun) {
    let Some(worker_id) = worker_run.holdings().worker_id().cloned() else { return };
    let call = worker_run.queue.backend().retire(worker_id.clone());
    match tokio::time::timeout(LAST_WORDS, call).await {
        Ok(Ok(())) => {
            worker_run.holdings().take_identity();
            quiet::info!(worker_id = %worker_id, "retired");
        }
        Ok(Err(error)) => quiet::warning!(worker_id = %worker_id, error = %error, "could not retire"),
        Err(_) => quiet::warning!(worker_id = %worker_id, "could not retire in time"),
    }
}

pub(super) fn answer(worker_run: &WorkerRun, ended: Result<(), StoreError>) -> Result<(), WorkerError> {
    match worker_run.take_fatal() {
        Some(error) => Err(error),
        None => Ok(ended?),
    }
}
