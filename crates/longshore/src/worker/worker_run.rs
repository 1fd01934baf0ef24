use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longshore_core::{Clock, Interest, Limits, QueueLimit, QueueScope, Retention, StoreError, StoreFuture, WorkerId};
use tokio::sync::watch;

use super::holdings::{Holdings, HoldingsGuard, SharedHoldings};
use super::registration::Sessions;
use super::registry::Registry;
use super::store_time::StoreTime;
use super::trouble::{Patience, StoreCall, Trouble};
use crate::handler::current_attempt::AttemptOrigin;
use crate::runtime::panic_capture::Panicked;
use crate::runtime::quiet;
use crate::worker::attempt::start_notes::StartNotes;
use crate::worker::claiming::lane::Lanes;
use crate::worker::own_limits::OwnLimits;
use crate::worker::suspects::gate::Gate;
use crate::worker::upkeep::scheduler::CodeSchedules;
use crate::{Queue, WorkerError};

/// The settings of a worker.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) concurrency: u32,
    /// The queues to claim from; empty for all.
    pub(crate) queues: Vec<QueueLimit>,
    pub(crate) lease: Duration,
    pub(crate) grace: Duration,
    pub(crate) limits: Limits,
    pub(crate) retention: Retention,
    pub(crate) dead_letter_retention: Retention,
}

impl Settings {
    /// The jobs that it may claim.
    pub(crate) fn interest(&self, job_types: &Arc<[String]>) -> Interest {
        let scope = if self.queues.is_empty() { QueueScope::All } else { QueueScope::Only(self.queues.clone()) };
        Interest::Jobs { job_types: Arc::clone(job_types), scope }
    }
}

/// One run of a worker, from its registration to its retirement: the state shared by all of its tasks.
pub(crate) struct WorkerRun {
    pub(crate) queue: Queue,
    pub(crate) registry: Registry,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) job_types: Arc<[String]>,
    /// Fresh, and the same until the end, however often it is registered.
    pub(crate) identity: WorkerId,
    pub(crate) origin: Arc<AttemptOrigin>,
    pub(crate) gate: Arc<Gate>,
    /// Whoever waits for a state of the holdings waits here; changes are made by [`WorkerRun::holdings`].
    pub(crate) shared: SharedHoldings,
    pub(crate) sessions: Sessions,
    pub(crate) start_notes: StartNotes,
    pub(crate) trouble: Trouble,
    pub(crate) store_time: StoreTime,
    pub(crate) schedules: CodeSchedules,
    pub(crate) limits: OwnLimits,
    until: Until,
    phase: watch::Sender<Phase>,
    fatal: Mutex<Option<WorkerError>>,
}

/// When a worker ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Only when it must stop.
    Stopped,
    /// Also when no job is left that could run now or later without help.
    Drained,
}

/// Whether a worker still claims jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Working,
    Stopping,
}

impl WorkerRun {
    pub(crate) fn new(
        queue: Queue,
        registry: Registry,
        settings: Settings,
        clock: Arc<dyn Clock>,
        origin: AttemptOrigin,
        gate: Arc<Gate>,
        until: Until,
    ) -> Self {
        let lanes = Lanes::new(&settings.queues, settings.concurrency, queue.backend().prefetch_max());
        let holdings = Holdings::new(lanes, settings.concurrency, settings.lease, until);
        Self {
            shared: SharedHoldings::new(holdings, settings.concurrency),
            job_types: registry.job_types(),
            identity: WorkerId::random(),
            origin: Arc::new(origin),
            gate,
            queue,
            registry,
            settings,
            clock,
            sessions: Sessions::default(),
            start_notes: StartNotes::default(),
            trouble: Trouble::default(),
            store_time: StoreTime::default(),
            schedules: CodeSchedules::default(),
            limits: OwnLimits::default(),
            until,
            phase: watch::Sender::new(Phase::Working),
            fatal: Mutex::new(None),
        }
    }

    pub(crate) fn holdings(&self) -> HoldingsGuard<'_> {
        self.shared.lock()
    }

    /// Calls the store until it fails no longer for a passing cause. It continues when the worker stops: the caller
    /// that stops it limits the wait.
    pub(crate) async fn patiently<'a, T>(
        &'a self,
        call: StoreCall,
        mut make: impl FnMut() -> StoreFuture<'a, T>,
    ) -> Result<T, StoreError> {
        let mut patience = Patience::default();
        loop {
            match make().await {
                Err(error) if self.is_waited_out(&error) => self.trouble.meet(call, &error),
                answer => {
                    self.trouble.pass(call);
                    return answer;
                }
            }
            tokio::time::sleep(patience.next(fastrand::f64())).await;
        }
    }

    /// Waits, but not once the worker must stop. Returns which of the two ended the wait.
    pub(crate) async fn pause(&self, span: Duration) -> Phase {
        let _ = tokio::time::timeout(span, self.stopping()).await;
        self.phase()
    }

    pub(crate) const fn until(&self) -> Until {
        self.until
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Resolves when the worker must stop. Cancellation safe.
    pub(crate) async fn stopping(&self) {
        let mut phase = self.phase.subscribe();
        // The sender lives as long as this `WorkerRun`.
        let _ = phase.wait_for(|phase| *phase == Phase::Stopping).await;
    }

    /// Stops claiming.
    pub(crate) fn stop(&self) {
        self.phase.send_replace(Phase::Stopping);
    }

    /// The worker is no longer registered, and the claim loop registers it again. It keeps its identity, so that a
    /// worker that was only frozen may continue its own jobs; the claim numbers distinguish its attempts.
    fn evict(&self, worker_id: &WorkerId) {
        if !self.holdings().unregister(worker_id) {
            return;
        }
        quiet::warning!(worker_id = %worker_id, "the lease has ended; registering again");
    }

    /// An error that waiting cannot fix: the worker stops, and ends with the first such error.
    pub(crate) fn fail(&self, error: impl Into<WorkerError>) {
        let error = error.into();
        let mut fatal = self.fatal.lock().unwrap_or_else(PoisonError::into_inner);
        if fatal.is_none() {
            let (code, hint) = match &error {
                WorkerError::Store(error) => (Some(error.code()), error.hint()),
                _ => (None, None),
            };
            // The worker is at its end then, and the caller gets the reason.
            if !matches!(error, WorkerError::GivenUp { .. } | WorkerError::OutcomesLost { .. }) {
                quiet::error!(error = %error, code, hint, "the worker must stop");
            }
            *fatal = Some(error);
        }
        drop(fatal);
        self.stop();
    }

    /// A part of the worker panicked. The worker stops, and ends with that error.
    pub(crate) fn note_panic(&self, part: &'static str, panicked: Panicked) {
        self.fail(WorkerError::Panicked { part, message: panicked.message });
    }

    pub(crate) fn take_fatal(&self) -> Option<WorkerError> {
        self.fatal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the worker retries until the call works. A worker that drains does not wait for a schema that may never
    /// be supported again, or for the end of a move.
    pub(crate) fn is_waited_out(&self, error: &StoreError) -> bool {
        let is_pause = matches!(error, StoreError::SchemaChanged { .. } | StoreError::Moving { .. });
        let is_endless = self.until == Until::Drained && is_pause;
        error.is_passing() && !is_endless
    }

    /// Handles an error of a call that is not repeated here: the identity is gone, the cause may pass, or the worker
    /// must stop.
    pub(crate) fn meet(&self, call: StoreCall, error: StoreError) {
        match error {
            StoreError::WorkerGone { worker_id } => self.evict(&worker_id),
            error if self.is_waited_out(&error) => self.trouble.meet(call, &error),
            error => self.fail(error),
        }
    }
}

impl Drop for WorkerRun {
    fn drop(&mut self) {
        self.gate.leave();
    }
}
