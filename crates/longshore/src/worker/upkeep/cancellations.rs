use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::worker::trouble::StoreCall;
use crate::worker::worker_run::WorkerRun;

/// How soon after one look the next may follow, so that a busy database is not asked all the time.
const REST: Duration = Duration::from_millis(200);

/// Hears which jobs are to be cancelled: looks after every wake-up while the worker holds jobs, and only reads. What
/// is missed here the next heartbeat tells.
pub(crate) async fn run(worker_run: Arc<WorkerRun>) {
    let mut wakeups = worker_run.queue.backend().wakeups();
    loop {
        wakeups.changed().await;
        if worker_run.holdings().holds_jobs() {
            look(&worker_run).await;
            sleep(REST).await;
        }
    }
}

async fn look(worker_run: &WorkerRun) {
    let Some(worker_id) = worker_run.holdings().worker_id().cloned() else { return };
    match worker_run.queue.backend().cancel_requests(worker_id).await {
        Ok(asked) => {
            worker_run.trouble.pass(StoreCall::Look);
            let mut holdings = worker_run.holdings();
            for (id, claim_number) in asked {
                holdings.cancel(id, claim_number, worker_run.clock.monotonic());
            }
            drop(holdings);
            worker_run.ended.notify_one();
        }
        Err(error) => worker_run.meet(StoreCall::Look, error),
    }
}
