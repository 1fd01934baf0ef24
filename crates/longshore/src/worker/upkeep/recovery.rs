use std::sync::Arc;
use std::time::Duration;

use longshore_core::Maintenance;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::runtime::quiet;
use crate::worker::trouble::StoreCall;
use crate::worker::worker_run::{Settings, WorkerRun};

/// How often dead workers are looked for.
const LOOK: Duration = Duration::from_millis(250);
/// How often house is kept, and how many rows one step may look at.
const SWEEP: Duration = Duration::from_secs(60);
const SWEEP_ROWS_MAX: u32 = 1000;
/// The pause between two steps, so that a long sweep leaves room for the jobs.
const BREATH: Duration = Duration::from_millis(100);

/// Gives the jobs of dead workers back, once at the start and then again and again.
pub(crate) async fn reclaim(worker_run: Arc<WorkerRun>) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match worker_run.queue.backend().reclaim().await {
            Ok(reclaimed) => {
                worker_run.trouble.pass(StoreCall::Reclaim);
                if reclaimed.overdue > 0 {
                    quiet::info!(jobs = reclaimed.overdue, "ended jobs whose time was over");
                }
                if !reclaimed.workers.is_empty() {
                    quiet::warning!(workers = reclaimed.workers.len(), jobs = reclaimed.jobs, "found dead workers");
                    worker_run.holdings().lanes.refresh();
                }
            }
            Err(error) => worker_run.meet(StoreCall::Reclaim, error),
        }
    }
}

/// Keeps house in bounded steps: removes ended jobs that are older than their retention, if there is one, settles jobs
/// that cannot go on by themselves, and compares the counts. Of all workers on a database one removes and compares at
/// a time; for the others a sweep only reads.
pub(crate) async fn sweep(worker_run: Arc<WorkerRun>) {
    let Settings { retention, dead_letter_retention, .. } = worker_run.settings;
    let maintenance = Maintenance { retention, dead_letter_retention, rows_max: SWEEP_ROWS_MAX };
    loop {
        let pause = match worker_run.queue.backend().maintain(maintenance).await {
            Ok(maintained) => {
                worker_run.trouble.pass(StoreCall::Maintain);
                if maintained.kept > 0 {
                    quiet::warning!(jobs = maintained.kept, "old jobs stay: a table of the application refers to them");
                }
                if maintained.settled > 0 {
                    quiet::warning!(jobs = maintained.settled, "settled jobs that could not go on");
                }
                if maintained.has_more { BREATH } else { SWEEP }
            }
            Err(error) => {
                worker_run.meet(StoreCall::Maintain, error);
                SWEEP
            }
        };
        sleep(pause).await;
    }
}
