//! Jobs that wait behind limits while others are drained beside them.

use std::sync::Arc;

use anyhow::{Result, bail};
use longshore::backend::{ClaimRequest, Maintenance, QueueScope, RequestId, WorkerSession};
use longshore::job::Retention;
use longshore::{Queue, WorkerId};

use super::Rate;
use super::own::{
    BATCH, JOB_TYPE, KEY_CONCURRENCY, KEYS, drain_types, enqueue_bulk, enqueue_keyed, limit_keys, registration,
};

/// The type of the jobs that wait.
const BLOCKED_TYPE: &str = "blocked";

/// A queue in which jobs wait behind limits: all places of their keys are taken as long as this is kept.
pub(super) struct Blocked {
    queue: Queue,
    _session: Box<dyn WorkerSession>,
}

impl Blocked {
    /// Enqueues jobs of many keys, as many of each as may run at once more, and claims so many.
    pub(super) async fn gather(queue: Queue, jobs: u64) -> Result<Self> {
        let keys = KEYS.min(jobs.max(1));
        let mut places = keys * u64::from(KEY_CONCURRENCY);
        limit_keys(&queue, BLOCKED_TYPE).await?;
        enqueue_keyed(&queue, BLOCKED_TYPE, keys, jobs + places).await?;
        let store = queue.backend();
        let (retention, rows_max) = (Retention::Forever, BATCH);
        let maintenance = Maintenance { retention, dead_letter_retention: retention, rows_max };
        while store.maintain(maintenance).await?.has_more {}
        let (worker_id, job_types) = (WorkerId::random(), Arc::from([BLOCKED_TYPE.to_owned()]));
        let session = store.register(registration(&worker_id, &job_types)).await?;
        let mut number = 0;
        while places > 0 {
            number += 1;
            let claim = ClaimRequest {
                request_id: RequestId(number),
                worker_id: worker_id.clone(),
                job_types: Arc::clone(&job_types),
                scope: QueueScope::All,
                limit: BATCH,
                limited_max: BATCH,
            };
            let leases = store.claim(claim).await?.leases.len() as u64;
            if leases == 0 {
                bail!("{places} places of keys could not be taken");
            }
            places -= leases;
        }
        Ok(Self { queue, _session: session })
    }

    /// Drains other jobs by a worker that runs both types.
    pub(super) async fn drain(&self, jobs: u64) -> Result<Rate> {
        enqueue_bulk(&self.queue, jobs).await?;
        drain_types(&self.queue, &[JOB_TYPE, BLOCKED_TYPE], jobs).await
    }
}
