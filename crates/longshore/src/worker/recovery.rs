use std::sync::Arc;
use std::time::Duration;

use longshore_core::Maintenance;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::shift::Shift;
use super::trouble::Errand;
use crate::quiet;

/// How often dead workers are looked for.
const LOOK: Duration = Duration::from_millis(250);
/// How often ended jobs that are old enough are removed, and how many rows one step may look at.
const SWEEP: Duration = Duration::from_secs(60);
const SWEEP_ROWS_MAX: u32 = 1000;
/// The pause between two steps, so that a long sweep leaves room for the jobs.
const BREATH: Duration = Duration::from_millis(100);

/// Gives the jobs of dead workers back, once at the start and then again and again.
pub(crate) async fn reclaim(shift: Arc<Shift>) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match shift.queue.backend().reclaim().await {
            Ok(reclaimed) => {
                shift.trouble.pass(Errand::Reclaim);
                if !reclaimed.workers.is_empty() {
                    quiet::warning!(workers = reclaimed.workers.len(), jobs = reclaimed.jobs, "found dead workers");
                    shift.holdings().lanes.refresh();
                    shift.room.notify_one();
                }
            }
            Err(error) => shift.meet(Errand::Reclaim, error),
        }
    }
}

/// Removes ended jobs that are older than the retention, in bounded steps.
pub(crate) async fn sweep(shift: Arc<Shift>, retention: Duration) {
    let maintenance = Maintenance { retention: Some(retention), rows_max: SWEEP_ROWS_MAX };
    loop {
        let pause = match shift.queue.backend().maintain(maintenance).await {
            Ok(maintained) => {
                shift.trouble.pass(Errand::Maintain);
                if maintained.has_more { BREATH } else { SWEEP }
            }
            Err(error) => {
                shift.meet(Errand::Maintain, error);
                SWEEP
            }
        };
        sleep(pause).await;
    }
}
