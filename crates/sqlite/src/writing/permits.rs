use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many requests may wait for the writer. Further callers wait for a permit.
const PERMITS: usize = 1024;

/// Permits for requests that are not answered yet. They are bounded and counted.
#[derive(Clone, Debug)]
pub(crate) struct Permits {
    free: Arc<Semaphore>,
}

impl Permits {
    pub(crate) fn new() -> Self {
        Self { free: Arc::new(Semaphore::new(PERMITS)) }
    }

    /// Waits for a permit, which is returned when it is dropped. `None` once the writer is closed.
    pub(crate) async fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// How many requests are not answered yet.
    pub(crate) fn taken(&self) -> usize {
        PERMITS - self.free.available_permits()
    }

    pub(crate) fn close(&self) {
        self.free.close();
    }
}
