use std::sync::Arc;

use longshore_core::{Console, Enqueued, NewJob, Store, StoreError};

/// A database that holds jobs: both halves of the contract.
pub trait Backend: Store + Console {}

impl<T: Store + Console> Backend for T {}

/// A database with jobs in it. Cheap to clone; all clones share one connection.
#[derive(Clone, Debug)]
pub struct Queue {
    backend: Arc<dyn Backend>,
}

impl Queue {
    /// A queue on any backend.
    pub fn from_backend(backend: Arc<dyn Backend>) -> Self {
        Self { backend }
    }

    /// The backend itself.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// Enqueues one job. After `Ok` it survives the end of this process.
    pub async fn enqueue_job(&self, job: NewJob) -> Result<Enqueued, StoreError> {
        let enqueued = self.backend.enqueue(vec![job]).await?;
        Ok(*enqueued.first().expect("a store answers for each job"))
    }
}
