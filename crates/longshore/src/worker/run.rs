use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::StoreError;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::shift::{Shift, Until};
use super::{Worker, WorkerError, cancellations, claims, heartbeat, recovery, scribe, slot, watched};
use crate::panic_capture::caught;
use crate::{ShutdownTime, StopCause, quiet};

/// How much longer than its grace period an attempt may take before it is given back without its consent.
const MARGIN: Duration = Duration::from_secs(1);
/// How long the last outcomes may take to be stored; then the lease's end gives their jobs back.
const LAST_WORDS: Duration = Duration::from_secs(10);

impl Worker {
    /// Works until `shutdown` resolves; then takes nothing more, asks what runs to stop, waits for the grace
    /// period, and gives back what is left without spending its attempt.
    ///
    /// Dropping the future ends everything at once; the jobs are given back when the lease ends.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), WorkerError> {
        self.run_until(shutdown, pending()).await
    }

    /// Like [`Worker::run`], and `immediate` ends the grace period.
    pub async fn run_until(
        self,
        shutdown: impl Future<Output = ()>,
        immediate: impl Future<Output = ()>,
    ) -> Result<(), WorkerError> {
        work(self.into_shift(Until::Stopped)?, shutdown, immediate).await
    }

    /// Works until nothing is left that could run now or later by itself. Jobs of types that this worker does not
    /// handle, in queues that it does not take from or that are paused do not count.
    pub async fn run_until_drained(self) -> Result<(), WorkerError> {
        work(self.into_shift(Until::Drained)?, pending(), pending()).await
    }

    /// Like [`Worker::run_until_drained`], and stops early as [`Worker::run_until`] does.
    pub async fn run_until_drained_or(
        self,
        shutdown: impl Future<Output = ()>,
        immediate: impl Future<Output = ()>,
    ) -> Result<(), WorkerError> {
        work(self.into_shift(Until::Drained)?, shutdown, immediate).await
    }

    /// Works until SIGTERM, SIGINT or SIGHUP, as [`stop_signals`](crate::stop_signals) tells them; a second signal
    /// ends the grace period.
    #[cfg(unix)]
    pub async fn run_until_signal(self) -> Result<(), WorkerError> {
        let (first, second) = super::stop_signals().map_err(WorkerError::Signals)?;
        self.run_until(first, second).await
    }
}

async fn work(
    shift: Arc<Shift>,
    shutdown: impl Future<Output = ()>,
    immediate: impl Future<Output = ()>,
) -> Result<(), WorkerError> {
    let mut immediate = std::pin::pin!(immediate);
    // Aborted and joined at the end; dropped, and so aborted, when this future is.
    let mut tasks = JoinSet::new();
    shift.gate.join(&shift);
    spawn(&shift, &mut tasks);
    let claims = async {
        let claims = claims(&shift);
        let mut claims = std::pin::pin!(claims);
        tokio::select! {
            ended = &mut claims => return ended,
            () = shutdown => shift.stop(),
        }
        claims.await
    };
    let (ended, is_immediate) = tokio::select! {
        ended = claims => (ended, false),
        () = &mut immediate => (Ok(()), true),
    };
    shift.stop();
    // What has resolved once must not be asked again.
    let is_immediate = is_immediate
        || tokio::select! {
            () = watched_end(&shift, wind_down(&shift)) => false,
            () = immediate => true,
        };
    if is_immediate {
        watched_end(&shift, end_at_once(&shift)).await;
    }
    tasks.shutdown().await;
    watched_end(&shift, retire(&shift)).await;
    answer(&shift, ended)
}

/// Each part under a guard, so that none ends without a word.
fn spawn(shift: &Arc<Shift>, tasks: &mut JoinSet<()>) {
    for number in 0..shift.settings.concurrency {
        tasks.spawn(slot::run(shift.clone(), number));
    }
    tasks.spawn(watched::run(shift.clone(), "the recorder of outcomes", scribe::run));
    tasks.spawn(watched::run(shift.clone(), "the heartbeat", heartbeat::run));
    tasks.spawn(watched::run(shift.clone(), "the search for dead workers", recovery::reclaim));
    tasks.spawn(watched::run(shift.clone(), "the look for cancellations", cancellations::run));
    tasks.spawn(watched::run(shift.clone(), "the housekeeping", recovery::sweep));
}

async fn claims(shift: &Shift) -> Result<(), StoreError> {
    match caught(claims::run(shift)).await {
        Ok(ended) => ended,
        Err(panicked) => {
            shift.note_panic("the claim loop", panicked);
            Ok(())
        }
    }
}

async fn watched_end(shift: &Shift, part: impl Future<Output = ()>) {
    if let Err(panicked) = caught(part).await {
        shift.note_panic("the shutdown", panicked);
    }
}

/// The orderly end: what waits is given back, what runs has its grace period, what it came to is stored.
async fn wind_down(shift: &Shift) {
    {
        let mut holdings = shift.holdings();
        holdings.close(shift.clock.now());
        holdings.stop_all(StopCause::ShuttingDown);
    }
    shift.ended.notify_one();
    tokio::select! {
        () = shift.settled_when(|holdings| !holdings.has_attempts()) => {}
        () = sleep_until(Instant::now() + longest_grace(shift) + MARGIN) => give_up(shift),
    }
    last_words(shift, LAST_WORDS).await;
}

/// The second signal: no grace, but what an attempt came to is stored if the store answers.
async fn end_at_once(shift: &Shift) {
    {
        let mut holdings = shift.holdings();
        holdings.close(shift.clock.now());
        for attempt in holdings.attempts() {
            attempt.stop_signal().stop_at_once(StopCause::ShuttingDown);
        }
    }
    tokio::select! {
        () = shift.settled_when(|holdings| !holdings.has_attempts()) => {}
        () = sleep(MARGIN) => give_up(shift),
    }
    last_words(shift, MARGIN).await;
}

fn give_up(shift: &Shift) {
    let stuck = shift.holdings().give_up_running(shift.clock.now());
    if stuck > 0 {
        quiet::warning!(stuck, "attempts did not stop in time; their jobs are given back");
    }
}

async fn last_words(shift: &Shift, patience: Duration) {
    shift.ended.notify_one();
    let stored = shift.settled_when(|holdings| holdings.is_recorded() || holdings.worker_id().is_none());
    if tokio::time::timeout(patience, stored).await.is_err() {
        quiet::error!("the last outcomes could not be stored; their jobs run again when the lease has ended");
    }
}

fn longest_grace(shift: &Shift) -> Duration {
    let own = shift.settings.grace;
    let of_handler = |entry: &super::registry::Entry| {
        let grace = entry.policy.grace.unwrap_or(own);
        let grace = if entry.policy.at_shutdown == ShutdownTime::WorkersGrace { grace.max(own) } else { grace };
        grace + entry.policy.settle
    };
    shift.registry.entries().map(of_handler).max().unwrap_or(own)
}

/// Best effort: what fails here is mended by the end of the lease.
async fn retire(shift: &Shift) {
    let Some(worker_id) = shift.holdings().worker_id().cloned() else { return };
    let call = shift.queue.backend().retire(worker_id.clone());
    match tokio::time::timeout(LAST_WORDS, call).await {
        Ok(Ok(())) => quiet::info!(worker_id = %worker_id, "retired"),
        Ok(Err(error)) => quiet::warning!(worker_id = %worker_id, error = %error, "could not retire"),
        Err(_) => quiet::warning!(worker_id = %worker_id, "could not retire in time"),
    }
}

fn answer(shift: &Shift, ended: Result<(), StoreError>) -> Result<(), WorkerError> {
    match shift.take_fatal() {
        Some(error) => Err(error),
        None => Ok(ended?),
    }
}
