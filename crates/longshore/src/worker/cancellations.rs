use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::shift::Shift;
use super::trouble::Errand;

/// How soon after one look the next may follow, so that a busy database is not asked all the time.
const REST: Duration = Duration::from_millis(200);

/// Hears which jobs are to be cancelled: looks after every wake-up while the worker holds jobs, and only reads. What
/// is missed here the next heartbeat tells.
pub(crate) async fn run(shift: Arc<Shift>) {
    let mut wakeups = shift.queue.backend().wakeups();
    loop {
        wakeups.changed().await;
        if shift.holdings().holds_jobs() {
            look(&shift).await;
            sleep(REST).await;
        }
    }
}

async fn look(shift: &Shift) {
    let Some(worker_id) = shift.holdings().worker_id().cloned() else { return };
    match shift.queue.backend().cancel_requests(worker_id).await {
        Ok(asked) => {
            shift.trouble.pass(Errand::Look);
            let mut holdings = shift.holdings();
            for (id, claim_number) in asked {
                holdings.cancel(id, claim_number, shift.clock.now());
            }
            drop(holdings);
            shift.ended.notify_one();
        }
        Err(error) => shift.meet(Errand::Look, error),
    }
}
