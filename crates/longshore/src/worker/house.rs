use std::sync::Arc;

use tokio::task::JoinSet;

use super::run::answer;
use super::trouble::StoreCall;
use super::upkeep::{recovery, scheduler};
use super::worker_run::{Until, WorkerRun};
use super::{Worker, WorkerError, watched};

impl<S> Worker<S> {
    /// Does what workers do beside jobs, until `shutdown` resolves: finds dead workers, keeps house, applies its limits, and
    /// settles schedules if it was given any. It claims nothing and is not registered.
    ///
    /// For a process whose jobs run elsewhere, such as a server for workers over HTTP.
    ///
    /// ```
    /// # async fn example(queue: &longshore::Queue) -> Result<(), longshore::error::WorkerError> {
    /// let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    /// // Somewhere else: stop.send(())
    /// longshore::Worker::new(queue).keep_house(async { stopped.await.unwrap_or_default() }).await
    /// # }
    /// ```
    pub async fn keep_house(self, shutdown: impl Future<Output = ()>) -> Result<(), WorkerError> {
        let has_schedules = !self.schedules.is_empty();
        let worker_run = self.prepare(Until::Stopped)?;
        // Aborted and joined at the end. If this future is dropped, they are dropped and so aborted.
        let mut tasks = JoinSet::new();
        tasks.spawn(watched::run(worker_run.clone(), "the limits", apply_limits));
        tasks.spawn(watched::run(worker_run.clone(), "the search for dead workers", recovery::reclaim));
        tasks.spawn(watched::run(worker_run.clone(), "the housekeeping", recovery::sweep));
        if has_schedules {
            tasks.spawn(watched::run(worker_run.clone(), "the scheduler", scheduler::run));
        }
        tokio::select! {
            () = shutdown => worker_run.stop(),
            () = worker_run.stopping() => {}
        }
        tasks.shutdown().await;
        answer(&worker_run, Ok(()))
    }
}

async fn apply_limits(worker_run: Arc<WorkerRun>) {
    if let Err(error) = worker_run.limits.apply(&worker_run).await {
        worker_run.meet(StoreCall::Limits, error);
    }
}
