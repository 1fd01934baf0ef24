use std::sync::Arc;
use std::time::Duration;

use longshore_core::{ClaimNumber, Hint, Interest, JobId};
use tokio::time::sleep;

use crate::worker::trouble::StoreCall;
use crate::worker::worker_run::WorkerRun;

/// The minimum time between two checks, so that a busy database is not read all the time.
const REST: Duration = Duration::from_millis(200);

/// Hears which jobs are to be cancelled. A hint that names them is enough; after any other one the store is asked,
/// while the worker holds jobs, and only reads. What is missed here the next heartbeat tells.
pub(crate) async fn run(worker_run: Arc<WorkerRun>) {
    let worker_id = worker_run.identity.clone();
    let mut wakeups = worker_run.queue.backend().wakeups(Interest::Cancellations { worker_id });
    loop {
        match wakeups.changed().await {
            Hint::Cancellations(asked) if cancel(&worker_run, &asked) == Found::All => continue,
            // A lease that is still on its way from a claim is there after the rest.
            Hint::Cancellations(_) => sleep(REST).await,
            Hint::Anything | Hint::Jobs => {}
        }
        if worker_run.holdings().holds_jobs() {
            ask(&worker_run).await;
            sleep(REST).await;
        }
    }
}

/// Which of the jobs that are to be cancelled the worker holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    All,
    /// Some have ended, or come only now.
    Some,
}

fn cancel(worker_run: &WorkerRun, asked: &[(JobId, ClaimNumber)]) -> Found {
    let mut found = Found::All;
    let now = worker_run.clock.monotonic();
    let mut holdings = worker_run.holdings();
    for (id, claim_number) in asked {
        if !holdings.cancel(*id, *claim_number, now) {
            found = Found::Some;
        }
    }
    found
}

async fn ask(worker_run: &WorkerRun) {
    let Some(worker_id) = worker_run.holdings().worker_id().cloned() else { return };
    match worker_run.queue.backend().cancel_requests(worker_id).await {
        Ok(asked) => {
            worker_run.trouble.pass(StoreCall::Read);
            cancel(worker_run, &asked);
        }
        Err(error) => worker_run.meet(StoreCall::Read, error),
    }
}
