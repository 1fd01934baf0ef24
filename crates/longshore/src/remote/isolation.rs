use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use longshore_core::{ClaimNumber, JobId, Recorded};
use tokio::time::Instant;

use super::handover::Handover;
use super::{RemoteClaim, RemoteError, RemoteWorker, RemoteWorkers};

/// How long a suspect keeps other jobs from a worker: while it waits until the worker holds nothing, and while it runs.
/// The same as for suspects in a process.
const ALONE_MAX: Duration = Duration::from_secs(60);

/// A job whose worker was lost while it ran may be the cause, so it runs alone: a worker gets it when it holds nothing, and
/// gets nothing beside it. For a limited time, so that it keeps nobody from working.
#[derive(Debug, Default)]
pub(super) struct Isolation {
    /// Since when a suspect waits until the worker holds nothing.
    waits_since: Option<Instant>,
    /// The suspect that runs alone, and since when.
    alone: Option<(JobId, ClaimNumber, Instant)>,
}

impl RemoteWorker {
    pub(super) fn isolation(&self) -> MutexGuard<'_, Isolation> {
        self.isolation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it runs a suspect, so that it must get nothing else.
    pub(super) fn is_closed(&self, request: &RemoteClaim) -> bool {
        let is_held = |id, number| request.holds.contains(&(id, number));
        self.isolation().alone.is_some_and(|(id, number, since)| is_held(id, number) && since.elapsed() < ALONE_MAX)
    }
}

impl RemoteWorkers {
    /// Of leases with a suspect among them only that one is handed over, and only to a worker that holds nothing. The rest
    /// is given back. Answers whether the worker must wait for a suspect.
    pub(super) async fn isolate(
        &self,
        worker: &RemoteWorker,
        request: &RemoteClaim,
        handover: &mut Handover,
    ) -> Result<bool, RemoteError> {
        let Some(suspect) = handover.leases().iter().find(|lease| lease.budgets.is_suspect()) else {
            worker.isolation().waits_since = None;
            return Ok(false);
        };
        let (id, claim_number, now) = (suspect.id, suspect.claim_number, Instant::now());
        let waited = now - *worker.isolation().waits_since.get_or_insert(now);
        if !request.holds.is_empty() && waited < ALONE_MAX {
            handover.keep_only(&BTreeSet::new()).await;
            return Ok(true);
        }
        handover.keep_only(&BTreeSet::from([id])).await;
        // Before it is handed over: an attempt of a suspect that is not noted never counts.
        match self.backend().begin_isolated(request.worker_id.clone(), id, claim_number).await? {
            Recorded::Recorded => {
                let mut isolation = worker.isolation();
                (isolation.waits_since, isolation.alone) = (None, Some((id, claim_number, now)));
                Ok(false)
            }
            _ => {
                handover.keep_only(&BTreeSet::new()).await;
                Ok(true)
            }
        }
    }
}
