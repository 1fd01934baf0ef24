use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::worker_run::WorkerRun;
use crate::runtime::panic_capture::caught;

/// How often a part that panics is started, so that the worker can still end in order: outcomes are stored and the
/// lease is kept while what runs has its grace period.
const STARTS_MAX: u32 = 3;
const PAUSE: Duration = Duration::from_millis(100);

/// Runs one part of a worker. A panic of it ends the worker with an error that names the part.
pub(crate) async fn run<F: Future<Output = ()>>(
    worker_run: Arc<WorkerRun>,
    part: &'static str,
    make: impl Fn(Arc<WorkerRun>) -> F,
) {
    for _ in 0..STARTS_MAX {
        match caught(make(worker_run.clone())).await {
            Ok(()) => return,
            Err(panicked) => worker_run.note_panic(part, panicked),
        }
        sleep(PAUSE).await;
    }
}
