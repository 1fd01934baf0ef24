use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use longshore_core::{Registration, SessionLost, StoreError, WorkerId, WorkerSession};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::trouble::{Patience, StoreCall};
use super::worker_run::{Phase, WorkerRun};
use crate::runtime::quiet;

/// The sessions of a worker's registrations, of which the last one shows that it lives.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    state: Mutex<State>,
    /// One registration at a time: of two sessions the later one shows the worker's life, so it must be the one that is
    /// kept.
    turn: tokio::sync::Mutex<()>,
    /// A session has begun.
    begun: Notify,
}

#[derive(Debug, Default)]
struct State {
    present: Option<Box<dyn WorkerSession>>,
    /// How many have begun.
    number: u64,
}

impl Sessions {
    /// How many have begun.
    pub(crate) fn number(&self) -> u64 {
        self.state().number
    }

    fn begin(&self, session: Box<dyn WorkerSession>) {
        let earlier = {
            let mut state = self.state();
            state.number += 1;
            state.present.replace(session)
        };
        // Dropped now, when it has nothing to give up any more.
        drop(earlier);
        self.begun.notify_one();
    }

    /// Gives up the evidence that the worker lives, unless it has retired.
    pub(crate) fn end(&self) {
        let present = self.state().present.take();
        drop(present);
    }

    /// Resolves when the present session is lost, and says which one that is. Cancellation safe.
    pub(crate) async fn lost(&self) -> (u64, SessionLost) {
        loop {
            let (number, lost) = self.present();
            tokio::select! {
                lost = lost => return (number, lost),
                () = self.begun.notified() => {}
            }
        }
    }

    fn present(&self) -> (u64, Pin<Box<dyn Future<Output = SessionLost> + Send>>) {
        let state = self.state();
        let lost = state.present.as_ref().map(|session| session.lost());
        (state.number, lost.unwrap_or_else(|| Box::pin(std::future::pending())))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WorkerRun {
    /// Makes the worker known, under the identity that it has or else a fresh one; tries until the store answers, or
    /// the worker is to stop.
    pub(crate) async fn register(&self) -> Result<(), StoreError> {
        let mut patience = Patience::default();
        let worker_id = self.holdings().worker_id().cloned().unwrap_or_else(WorkerId::random);
        loop {
            match self.register_once(&worker_id).await {
                Ok(()) => {
                    self.trouble.pass(StoreCall::Register);
                    return Ok(());
                }
                Err(error) if self.is_waited_out(&error) => self.trouble.meet(StoreCall::Register, &error),
                Err(error) => return Err(error),
            }
            if self.pause(patience.next(fastrand::f64())).await == Phase::Stopping {
                return Ok(());
            }
        }
    }

    async fn register_once(&self, worker_id: &WorkerId) -> Result<(), StoreError> {
        let _turn = self.sessions.turn.lock().await;
        if self.holdings().registered_id().is_some() {
            // It was registered after the loss of its session meanwhile.
            return Ok(());
        }
        let asked_at = self.begin_session(worker_id).await?;
        self.hold_as(worker_id, asked_at);
        Ok(())
    }

    /// Makes the worker known once more after the loss of this session, unless that was done meanwhile. It keeps what it
    /// holds, if its lease has not ended; the next heartbeat says what it has lost, and nothing new begins before.
    pub(crate) async fn register_after_loss(&self, session: u64) -> Result<(), StoreError> {
        let _turn = self.sessions.turn.lock().await;
        let worker_id = self.holdings().worker_id().cloned();
        let Some(worker_id) = worker_id.filter(|_| self.sessions.number() == session) else { return Ok(()) };
        let asked_at = self.begin_session(&worker_id).await?;
        self.holdings().suspend();
        self.hold_as(&worker_id, asked_at);
        Ok(())
    }

    /// Says when the store was asked.
    async fn begin_session(&self, worker_id: &WorkerId) -> Result<Instant, StoreError> {
        let asked_at = Instant::now();
        let session = self.queue.backend().register(self.registration(worker_id)).await?;
        self.sessions.begin(session);
        quiet::info!(worker_id = %worker_id, "registered");
        Ok(asked_at)
    }

    fn hold_as(&self, worker_id: &WorkerId, asked_at: Instant) {
        if self.holdings().register(worker_id.clone(), asked_at) {
            self.pulse.notify_one();
        }
    }

    fn registration(&self, worker_id: &WorkerId) -> Registration {
        Registration {
            worker_id: worker_id.clone(),
            host: host(),
            pid: std::process::id(),
            lease: self.settings.lease,
            queues: self.settings.queues.iter().map(|queue| queue.queue.clone()).collect(),
            job_types: self.job_types.clone(),
            concurrency: self.settings.concurrency,
        }
    }
}

/// The machine's name, for people alone.
fn host() -> String {
    #[cfg(unix)]
    return rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    return std::env::var("COMPUTERNAME").unwrap_or_default();
}
