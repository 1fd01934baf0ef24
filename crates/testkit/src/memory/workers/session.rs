use std::fmt;
use std::pin::Pin;

use longshore_core::{SessionLost, WorkerId, WorkerSession};
use tokio::sync::watch;

use crate::memory::MemoryStore;

/// The session of one registration. Nothing but a test ever makes it lost.
pub(in crate::memory) struct MemorySession {
    pub(in crate::memory) store: MemoryStore,
    pub(in crate::memory) worker_id: WorkerId,
    pub(in crate::memory) number: u64,
    /// Its sender goes with the worker, and when a later session takes its place.
    pub(in crate::memory) is_lost: watch::Receiver<bool>,
}

impl WorkerSession for MemorySession {
    fn lost(&self) -> Pin<Box<dyn Future<Output = SessionLost> + Send>> {
        let mut is_lost = self.is_lost.clone();
        Box::pin(async move {
            if is_lost.wait_for(|is_lost| *is_lost).await.is_err() {
                std::future::pending::<()>().await;
            }
            SessionLost("a test took the session away".into())
        })
    }
}

impl Drop for MemorySession {
    fn drop(&mut self) {
        self.store.with(|state, _| state.give_up_session(&self.worker_id, self.number));
    }
}

impl fmt::Debug for MemorySession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySession").field("worker_id", &self.worker_id).finish_non_exhaustive()
    }
}
