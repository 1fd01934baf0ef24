use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use longshore_core::{Presence, Registration, SessionLost, StoreError, WorkerSession};
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
    /// Makes the worker known under its identity; tries until the store answers, or the worker is to stop.
    pub(crate) async fn register(&self) -> Result<(), StoreError> {
        let mut patience = Patience::default();
        loop {
            match self.register_once().await {
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

    async fn register_once(&self) -> Result<(), StoreError> {
        let _turn = self.sessions.turn.lock().await;
        if self.holdings().registered_id().is_some() {
            // It was registered after the loss of its session meanwhile.
            return Ok(());
        }
        let asked_at = self.begin_session().await?;
        self.holdings().register(self.identity.clone(), asked_at);
        Ok(())
    }

    /// Makes the worker known once more after the loss of this session, unless that was done meanwhile. It keeps what
    /// it holds, if its lease has not ended; the next heartbeat says what it has lost, and nothing new begins before.
    pub(crate) async fn register_after_loss(&self, session: u64) -> Result<(), StoreError> {
        let _turn = self.sessions.turn.lock().await;
        if self.holdings().worker_id().is_none() || self.sessions.number() != session {
            return Ok(());
        }
        let asked_at = self.begin_session().await?;
        let mut holdings = self.holdings();
        holdings.suspend();
        holdings.register(self.identity.clone(), asked_at);
        Ok(())
    }

    /// Says when the store was asked.
    async fn begin_session(&self) -> Result<Instant, StoreError> {
        let asked_at = Instant::now();
        let session = self.queue.backend().register(self.registration()).await?;
        self.sessions.begin(session);
        quiet::info!(worker_id = %self.identity, "registered");
        Ok(asked_at)
    }

    fn registration(&self) -> Registration {
        Registration {
            worker_id: self.identity.clone(),
            host: host(),
            pid: std::process::id(),
            lease: self.settings.lease,
            queues: self.settings.queues.iter().map(|queue| queue.queue.clone()).collect(),
            job_types: self.job_types.clone(),
            settings: self.registry.settings(),
            concurrency: self.settings.concurrency,
            presence: Presence::Process,
        }
    }
}

/// The machine's name, for people alone.
pub(crate) fn host() -> String {
    #[cfg(unix)]
    return rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    return std::env::var("COMPUTERNAME").unwrap_or_default();
}
