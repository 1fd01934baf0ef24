use std::error::Error;
use std::fmt;
use std::pin::Pin;

/// The evidence that a registered worker lives, such as a locked file or the lock of a database connection.
///
/// It ends with the process, whatever killed it, so that others see a death at once. When it is dropped, the worker
/// gives it up, without waiting for the database: the next look of anybody gives back what the worker holds, unspent.
/// If it was lost before, that happens once the lease is over. After [`Store::retire`](crate::Store::retire), after a
/// later registration of the same worker and after the end of its store there is nothing left to give up.
#[must_use = "when it is dropped, the worker gives up the evidence that it lives"]
pub trait WorkerSession: Send + Sync + fmt::Debug + 'static {
    /// Resolves when the evidence is lost although the worker lives (its file was removed, its connection ended), at
    /// once if it was lost before; never after a later registration of the same worker. Cancellation safe.
    ///
    /// A loss takes nothing from the worker: others go by its lease alone until it is registered again.
    fn lost(&self) -> Pin<Box<dyn Future<Output = SessionLost> + Send>>;
}

/// The session of a worker whose heartbeats alone show that it lives: there is nothing to lose and nothing to give up.
#[derive(Debug)]
pub struct HeartbeatSession;

impl WorkerSession for HeartbeatSession {
    fn lost(&self) -> Pin<Box<dyn Future<Output = SessionLost> + Send>> {
        Box::pin(std::future::pending())
    }
}

/// Why a session was lost, in words for the log.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SessionLost(pub Box<dyn Error + Send + Sync>);
