use std::num::NonZero;

use longshore::measures::KindReading;
use longshore_core::{Condition, JobId, MinuteStats, Stats, StoreError, WorkerRecord, WriteReading};

use super::Shown;
use crate::error::ApiError;

/// What is counted over all queues together, for a user who sees them all.
pub(crate) struct AllQueues<'a>(&'a Shown);

impl Shown {
    /// Fails for a user of some queues alone.
    pub(crate) fn all_queues(&self, what: &str) -> Result<AllQueues<'_>, ApiError> {
        self.check_all(what)?;
        Ok(AllQueues(self))
    }

    /// Fails if a write would be refused because of the schema.
    pub(crate) async fn check_schema(&self) -> Result<(), StoreError> {
        self.store().check_schema().await
    }

    pub(crate) async fn stats(&self, minutes: u32) -> Result<Stats, StoreError> {
        Ok(self.narrowed_stats(self.store().stats(minutes).await?))
    }

    /// What ended in all queues, added up over spans, to be narrowed for each of several users.
    pub(crate) async fn history_of_all_queues(
        &self,
        minutes: u32,
        per: NonZero<u32>,
    ) -> Result<Vec<MinuteStats>, StoreError> {
        self.store().history(minutes, per).await
    }

    /// What the user sees of what ended.
    pub(crate) fn narrowed_history(&self, mut spans: Vec<MinuteStats>) -> Vec<MinuteStats> {
        if let Some(visible) = &self.visible {
            spans.retain(|span| visible.queues.contains(&span.queue));
        }
        spans
    }

    /// Those of all queues, to be narrowed for each of several users.
    pub(crate) async fn stats_of_all_queues(&self, minutes: u32) -> Result<Stats, StoreError> {
        self.store().stats(minutes).await
    }

    /// What the user sees of statistics.
    pub(crate) fn narrowed_stats(&self, mut stats: Stats) -> Stats {
        if let Some(visible) = &self.visible {
            stats.queues.retain(|queue| visible.queues.contains(&queue.queue));
            stats.minutes.retain(|minute| visible.queues.contains(&minute.queue));
            // It may be that of a job in another queue.
            stats.next_due_at = None;
        }
        stats
    }

    pub(crate) async fn workers(&self) -> Result<Vec<WorkerRecord>, StoreError> {
        let mut workers = self.store().workers().await?;
        if let Some(visible) = &self.visible {
            let ids: Vec<JobId> = workers.iter().flat_map(|worker| &worker.running).map(|job| job.id).collect();
            let seen = self.seen_among(visible, &ids).await?;
            workers.retain_mut(|worker| visible.narrow_worker(worker, &seen));
        }
        Ok(workers)
    }
}

impl AllQueues<'_> {
    pub(crate) async fn stats(&self, minutes: u32) -> Result<Stats, StoreError> {
        self.0.store().stats(minutes).await
    }

    pub(crate) async fn workers(&self) -> Result<Vec<WorkerRecord>, StoreError> {
        self.0.store().workers().await
    }

    pub(crate) async fn condition(&self) -> Result<Condition, StoreError> {
        self.0.store().condition().await
    }

    /// How this process writes to its databases.
    pub(crate) fn writes(&self) -> Vec<WriteReading> {
        self.0.store().writes()
    }

    /// What the attempts of this process have come to.
    pub(crate) fn attempts(&self) -> Vec<KindReading> {
        self.0.queue.measures().read()
    }
}
