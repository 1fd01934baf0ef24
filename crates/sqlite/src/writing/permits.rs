use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests that may wait for the writer; further callers wait for a permit.
const PERMITS: usize = 1024;

/// The permits of requests that are made and not answered yet: bounded, and counted.
#[derive(Clone, Debug)]
pub(crate) struct Permits {
    free: Arc<Semaphore>,
}

impl Permits {
    pub(crate) fn new() -> Self {
        Self { free: Arc::new(Semaphore::new(PERMITS)) }
    }

    /// Waits for a permit, which is given back when it is dropped; none once the writer is closed.
    pub(crate) async fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// How many requests are made and not answered.
    pub(crate) fn taken(&self) -> usize {
        PERMITS - self.free.available_permits()
    }

    pub(crate) fn close(&self) {
        self.free.close();
    }
}
