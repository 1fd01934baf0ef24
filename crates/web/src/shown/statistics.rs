use longshore::measures::KindReading;
use longshore_core::{Health, Stats, StoreError, WorkerRecord, WriteReading};

use super::Shown;

impl Shown {
    pub(crate) async fn stats(&self, minutes: u32) -> Result<Stats, StoreError> {
        self.store().stats(minutes).await
    }

    pub(crate) async fn workers(&self) -> Result<Vec<WorkerRecord>, StoreError> {
        self.store().workers().await
    }

    pub(crate) async fn health(&self) -> Result<Health, StoreError> {
        self.store().health().await
    }

    /// How this process writes to its databases.
    pub(crate) fn writes(&self) -> Vec<WriteReading> {
        self.store().writes()
    }

    /// What the attempts of this process have come to.
    pub(crate) fn attempts(&self) -> Vec<KindReading> {
        self.queue.measures().read()
    }
}
