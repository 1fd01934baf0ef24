use std::time::Duration;

use longshore_core::{Filter, Selection, Status, StoreError};
use tokio::time::Instant;

use super::Mover;
use crate::error::MoveError;

/// How often it is looked whether attempts still run, and how often for dead workers.
const LOOK: Duration = Duration::from_millis(50);
const SEARCH: Duration = Duration::from_secs(1);
/// How long it may take to take jobs back after the grace.
const TAKING_BACK_MAX: Duration = Duration::from_secs(30);

impl Mover {
    /// Waits until no attempt runs in the old database. After the grace, takes the jobs back from their workers, whose late
    /// outcomes are fenced off; no attempt counts as a crash by that. Returns how many jobs were taken back.
    pub(super) async fn drain(&self) -> Result<u64, MoveError> {
        let begun = Instant::now();
        let mut searched: Option<Instant> = None;
        loop {
            let running = self.running().await?;
            let left = self.options.grace.saturating_sub(begun.elapsed());
            if running == 0 {
                return Ok(0);
            }
            if left.is_zero() {
                return self.take_back(running).await;
            }
            self.listener.waits(running, left);
            // What a dead worker left behind is decided as always.
            if searched.is_none_or(|at| at.elapsed() >= SEARCH) {
                self.from.store.reclaim().await?;
                searched = Some(Instant::now());
            }
            tokio::time::sleep(LOOK.min(left)).await;
        }
    }

    async fn take_back(&self, running: u64) -> Result<u64, MoveError> {
        let begun = Instant::now();
        loop {
            let workers = self.from.store.workers().await?;
            for worker in workers.into_iter().filter(|worker| !worker.running.is_empty()) {
                self.from.store.retire(worker.worker_id).await?;
            }
            match self.running().await? {
                0 => return Ok(running),
                jobs if begun.elapsed() >= TAKING_BACK_MAX => {
                    return Err(MoveError::StillRunning { database: self.from.name.clone(), jobs });
                }
                _ => self.from.store.reclaim().await?,
            };
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn running(&self) -> Result<u64, StoreError> {
        self.from.store.count(Selection::from(Filter::all().statuses([Status::Running]))).await
    }
}
