use std::pin::Pin;
use std::sync::Arc;

use longshore_core::{SessionLost, ToldClaims, WorkerId, WorkerSession};
use tokio::sync::watch;

use crate::workers::given::GivenClaims;
use crate::workers::liveness::Liveness;

/// The session of one registration: the worker's locked file shows that it lives.
#[derive(Debug)]
pub(crate) struct SqliteSession {
    pub(crate) worker_id: WorkerId,
    pub(crate) standing: SessionStanding,
    pub(crate) liveness: Arc<Liveness>,
    pub(crate) given: Arc<GivenClaims>,
    pub(crate) told: Arc<ToldClaims>,
}

/// Which of a worker's sessions it is, and whether it is lost; its sender goes when a later one takes its place.
#[derive(Clone, Debug)]
pub(crate) struct SessionStanding {
    pub(crate) number: u64,
    pub(crate) is_lost: watch::Receiver<bool>,
}

impl WorkerSession for SqliteSession {
    fn lost(&self) -> Pin<Box<dyn Future<Output = SessionLost> + Send>> {
        let mut is_lost = self.standing.is_lost.clone();
        Box::pin(async move {
            if is_lost.wait_for(|is_lost| *is_lost).await.is_err() {
                std::future::pending::<()>().await;
            }
            SessionLost("the file that shows that this worker lives was removed or replaced".into())
        })
    }
}

impl Drop for SqliteSession {
    fn drop(&mut self) {
        if self.liveness.give_up(&self.worker_id, self.standing.number) {
            self.given.forget(&self.worker_id);
            self.told.forget(&self.worker_id);
        }
    }
}
