use std::sync::Arc;
use std::time::Duration;

use longshore_core::Maintenance;
use tokio::time::{Instant, sleep, sleep_until};

use crate::runtime::quiet;
use crate::worker::trouble::{Patience, StoreCall};
use crate::worker::worker_run::{Settings, WorkerRun};

/// What holds where a store says otherwise: sooner is a busy loop, later is never.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(3600);
/// When to keep house again after an error, and after many. Soon at first, because the log says that the store works again
/// when every call does.
const SWEEP_AGAIN: Duration = Duration::from_secs(1);
const SWEEP_AGAIN_MAX: Duration = Duration::from_secs(60);
/// How many rows one step may look at.
const SWEEP_ROWS_MAX: u32 = 1000;

/// Gives the jobs of dead workers back, once at the start and then whenever the store says.
///
/// After an error it looks again soon, because a lease ends only under looks that follow each other closely, and less often
/// the longer the store fails.
pub(crate) async fn reclaim(worker_run: Arc<WorkerRun>) {
    let mut patience = Patience::default();
    loop {
        let asked_at = Instant::now();
        let pause = match worker_run.queue.backend().reclaim().await {
            Ok(reclaimed) => {
                worker_run.trouble.pass(StoreCall::Reclaim);
                patience = Patience::default();
                if reclaimed.overdue > 0 {
                    quiet::info!(jobs = reclaimed.overdue, "ended jobs whose time was over");
                }
                if !reclaimed.workers.is_empty() {
                    quiet::warning!(workers = reclaimed.workers.len(), jobs = reclaimed.jobs, "found dead workers");
                    worker_run.holdings().lanes.refresh();
                }
                bounded(reclaimed.next)
            }
            Err(error) => {
                worker_run.meet(StoreCall::Reclaim, error);
                patience.next(fastrand::f64())
            }
        };
        sleep_until(asked_at + pause).await;
    }
}

fn bounded(pause: Duration) -> Duration {
    pause.clamp(PAUSE_MIN, PAUSE_MAX)
}

/// Keeps house in bounded steps: removes ended jobs that are older than their retention, if there is one, settles jobs
/// that cannot go on by themselves, and compares the counts. Of all workers on a database one removes and compares at
/// a time; for the others a sweep only reads.
pub(crate) async fn sweep(worker_run: Arc<WorkerRun>) {
    let Settings { retention, dead_letter_retention, .. } = worker_run.settings;
    let maintenance = Maintenance { retention, dead_letter_retention, rows_max: SWEEP_ROWS_MAX };
    let mut again = SWEEP_AGAIN;
    loop {
        let pause = match worker_run.queue.backend().maintain(maintenance).await {
            Ok(maintained) => {
                worker_run.trouble.pass(StoreCall::Maintain);
                again = SWEEP_AGAIN;
                if maintained.kept > 0 {
                    quiet::warning!(jobs = maintained.kept, "old jobs stay: a table of the application refers to them");
                }
                if maintained.settled > 0 {
                    quiet::warning!(jobs = maintained.settled, "settled jobs that could not go on");
                }
                bounded(maintained.next)
            }
            Err(error) => {
                worker_run.meet(StoreCall::Maintain, error);
                let pause = again;
                again = (again * 2).min(SWEEP_AGAIN_MAX);
                pause
            }
        };
        sleep(pause).await;
    }
}
