use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::worker_run::WorkerRun;
use crate::runtime::panic_capture::caught;

/// How many times a part that panics is started. So the worker can still end in order: outcomes are stored and the
/// lease is extended while running jobs have their grace period.
const STARTS_MAX: u32 = 3;
const PAUSE: Duration = Duration::from_millis(100);

/// Runs one part of a worker. If it panics, the worker ends with an error that names the part.
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
