use longshore_core::{QueueStats, Status, Timestamp, WorkerRecord};
use serde::Serialize;

/// All queues.
#[derive(Debug, Serialize)]
pub struct QueueList {
    /// The queues, by name.
    pub queues: Vec<QueueSummary>,
}

impl QueueList {
    /// The document of what was read at `now`.
    pub fn new(queues: impl IntoIterator<Item = QueueStats>, now: Timestamp) -> Self {
        Self { queues: queues.into_iter().map(|stats| QueueSummary::new(stats, now)).collect() }
    }
}

/// One queue, with what is computed from its counts.
#[derive(Debug, Serialize)]
pub struct QueueSummary {
    /// The queue.
    #[serde(flatten)]
    pub stats: QueueStats,
    /// Jobs that wait: ready, scheduled, retrying or blocked.
    pub depth: u64,
    /// Jobs that are running.
    pub running: u64,
    /// For how long the oldest claimable job has waited.
    pub oldest_waiting_seconds: Option<f64>,
}

impl QueueSummary {
    /// The summary of what was read at `now`.
    pub fn new(stats: QueueStats, now: Timestamp) -> Self {
        let count = |status: Status| stats.jobs.get(&status).copied().unwrap_or(0);
        let depth = count(Status::Pending) + count(Status::Retrying) + count(Status::Blocked);
        let running = count(Status::Running);
        let oldest_waiting_seconds = stats.oldest_waiting_at.map(|instant| now.since(instant).as_secs_f64());
        Self { depth, running, oldest_waiting_seconds, stats }
    }
}

/// The new state of a queue.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ChangedQueue<'a> {
    /// The queue.
    pub queue: &'a str,
    /// Whether it is paused.
    pub is_paused: bool,
}

/// All workers.
#[derive(Debug, Serialize)]
pub struct WorkerList {
    /// The workers.
    pub workers: Vec<WorkerRecord>,
}
