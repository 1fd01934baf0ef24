use longshore_core::{Actioned, BatchId, BatchJob, BatchJobPage, BatchRecord, JobId};
use serde::Serialize;

/// A page of batches.
#[derive(Debug, Serialize)]
pub struct BatchList {
    /// The batches, newest first.
    pub batches: Vec<BatchRecord>,
    /// The cursor of the next page. A string, as for jobs.
    pub next: Option<String>,
}

/// A batch with its jobs.
#[derive(Debug, Serialize)]
pub struct BatchDetail {
    /// The batch.
    #[serde(flatten)]
    pub batch: BatchRecord,
    /// Its jobs by id, callbacks included.
    pub jobs: Vec<BatchJob>,
    /// Whether other jobs follow. Over HTTP perhaps none with the requested status.
    pub has_more: bool,
    /// Behind which job the next page begins; none if no job follows.
    pub next: Option<JobId>,
}

impl BatchDetail {
    /// A batch and a page of its jobs.
    pub fn new(batch: BatchRecord, page: BatchJobPage) -> Self {
        Self { batch, jobs: page.jobs, has_more: page.next.is_some(), next: page.next }
    }
}

/// What became of the members of a batch.
#[derive(Debug, Serialize)]
pub struct ChangedMembers {
    /// The batch.
    pub batch_id: BatchId,
    /// What became of them.
    #[serde(flatten)]
    pub actioned: Actioned,
}

/// A batch that was closed.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ClosedBatch {
    /// The batch.
    pub batch_id: BatchId,
    /// Whether anybody may still add members.
    pub is_open: bool,
}

/// A signal that was sent.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SentSignal<'a> {
    /// Its name.
    pub signal: &'a str,
    /// The batch.
    pub batch_id: BatchId,
    /// Whether it was the first of its name, which alone counts.
    pub is_first: bool,
}
