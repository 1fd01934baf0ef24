use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use longshore_core::Budgets;
use tokio::sync::Notify;

use crate::worker::worker_run::WorkerRun;

/// How long a worker waits at its start until those that share its process have noted that they are not alone.
const COMPANY_MAX: Duration = Duration::from_secs(5);

/// Decides when attempts may start in this process. A suspect runs alone, so that a death is certainly its own.
///
/// All workers of a process share one gate, because the process dies with all of its attempts. A suspect closes the
/// gate, waits until the running attempts have ended, and opens it again when it has ended. Its owner limits both
/// waits.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    /// How many workers of the process share the gate.
    workers: AtomicUsize,
    /// An attempt has ended.
    left: Notify,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    /// A suspect waits to run alone, or does.
    is_closed: bool,
    workers: Vec<Weak<WorkerRun>>,
}

/// The permission of one attempt to run, until it is dropped.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Gate>,
    /// Whether it keeps the gate closed.
    closes: AtomicBool,
}

impl Gate {
    /// The gate of this process.
    pub(crate) fn of_process() -> Arc<Self> {
        static GATE: LazyLock<Arc<Gate>> = LazyLock::new(Arc::default);
        Arc::clone(&GATE)
    }

    /// Admits an attempt of a job with these budgets, unless a suspect waits or runs alone.
    pub(crate) fn enter(self: &Arc<Self>, budgets: &Budgets) -> Option<Pass> {
        let mut state = self.state();
        if state.is_closed {
            return None;
        }
        state.running += 1;
        state.is_closed = budgets.is_suspect();
        Some(Pass { gate: Arc::clone(self), closes: AtomicBool::new(budgets.is_suspect()) })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// Whether several workers of the process share the gate.
    pub(crate) fn has_company(&self) -> bool {
        self.workers.load(Ordering::SeqCst) > 1
    }

    /// A worker begins; answers the others, whose attempts are not alone from now on (see [`note_company`]).
    pub(crate) fn join(&self, worker_run: &Arc<WorkerRun>) -> Vec<Weak<WorkerRun>> {
        let mut state = self.state();
        let others = state.workers.clone();
        state.workers.push(Arc::downgrade(worker_run));
        self.workers.store(state.workers.len(), Ordering::SeqCst);
        others
    }

    /// Forgets the workers that have ended.
    pub(crate) fn leave(&self) {
        let mut state = self.state();
        state.workers.retain(|worker_run| worker_run.strong_count() > 0);
        self.workers.store(state.workers.len(), Ordering::SeqCst);
    }

    /// Wakes every worker, so that it checks again what it may start or claim.
    fn open(&self) {
        let workers = {
            let mut state = self.state();
            state.is_closed = false;
            state.workers.clone()
        };
        for worker_run in workers.iter().filter_map(Weak::upgrade) {
            worker_run.holdings().note_gate_open();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes of the attempts of workers that another one may run attempts beside them. Bounded: each may have a store of
/// its own, and one that does not answer must keep no other worker from its jobs.
pub(crate) async fn note_company(workers: &[Weak<WorkerRun>]) {
    let notes = async {
        for worker_run in workers.iter().filter_map(Weak::upgrade) {
            worker_run.note_company().await;
        }
    };
    // What is not noted by then is noted with the next beginning.
    let _ = tokio::time::timeout(COMPANY_MAX, notes).await;
}

impl Pass {
    /// Whether nothing else may start.
    pub(crate) fn closes(&self) -> bool {
        self.closes.load(Ordering::SeqCst)
    }

    /// Resolves when nothing else is running. Cancellation safe.
    pub(crate) async fn alone(&self) {
        loop {
            let mut left = std::pin::pin!(self.gate.left.notified());
            left.as_mut().enable();
            if self.gate.state().running == 1 {
                return;
            }
            left.await;
        }
    }

    /// Lets others start beside this attempt.
    pub(crate) fn open(&self) {
        if self.closes.swap(false, Ordering::SeqCst) {
            self.gate.open();
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let running = {
            let mut state = self.gate.state();
            state.running -= 1;
            state.running
        };
        if running <= 1 {
            self.gate.left.notify_waiters();
        }
        self.open();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDINARY: Budgets = Budgets {
        retry_count: 0,
        max_retries: Some(3),
        crash_count: 0,
        max_crashes: 3,
        deferral_count: 0,
        max_deferrals: 9,
        time: longshore_core::TimeBounds { expires_at: None, deadline_at: None },
    };
    const SUSPECT: Budgets = Budgets { crash_count: 1, ..ORDINARY };

    #[tokio::test]
    async fn a_suspect_waits_until_it_is_alone_and_nothing_begins_beside_it() {
        let gate = Arc::new(Gate::default());
        let first = gate.enter(&ORDINARY).unwrap();
        let second = gate.enter(&ORDINARY).unwrap();
        let suspect = gate.enter(&SUSPECT).unwrap();
        assert!(gate.enter(&ORDINARY).is_none() && gate.enter(&SUSPECT).is_none());
        let mut alone = Box::pin(suspect.alone());
        drop(first);
        assert!(futures_now(&mut alone).await.is_none());
        drop(second);
        alone.await;
        assert!(gate.enter(&ORDINARY).is_none());
        drop(suspect);
        assert!(gate.enter(&ORDINARY).is_some());
    }

    #[test]
    fn a_suspect_that_has_opened_the_gate_lets_ordinary_attempts_and_the_next_suspect_in() {
        let gate = Arc::new(Gate::default());
        let suspect = gate.enter(&SUSPECT).unwrap();
        suspect.open();
        let ordinary = gate.enter(&ORDINARY);
        let next = gate.enter(&SUSPECT);
        assert!(ordinary.is_some() && next.is_some());
        drop(suspect);
        assert!(gate.is_closed(), "the gate is the next suspect's now");
    }

    async fn futures_now<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
        tokio::time::timeout(Duration::ZERO, future).await.ok()
    }
}
