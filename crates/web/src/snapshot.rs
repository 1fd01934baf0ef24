use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore_core::{Clock, MinuteStats, Stats, Status, StoreError, SystemClock, Timestamp};
use longshore_report::QueueSummary;
use serde::Serialize;
use tokio::sync::Mutex;

use crate::shown::Shown;

/// How old a snapshot may be that is shown again.
const FRESH: Duration = Duration::from_millis(900);
/// The current minute and the one before, which is complete.
const MINUTES: u32 = 2;

/// The counts at one moment, read once for all streams.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The document as JSON.
    pub(crate) document: String,
    /// The part of it that changes only when a job does, not with the time alone.
    pub(crate) changing: String,
    /// How many dead letters there are, for the menu of the pages.
    pub(crate) dead_letters: u64,
}

#[derive(Serialize)]
struct Document {
    now: Timestamp,
    /// The number of jobs in each status.
    jobs: BTreeMap<Status, u64>,
    queues: Vec<QueueSummary>,
    next_due_at: Option<Timestamp>,
    /// What ended in the current minute and in the one before.
    minutes: Vec<MinuteStats>,
}

/// Reads at most one snapshot at a time, however many streams are open.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    last: Mutex<Option<Read>>,
}

#[derive(Debug)]
struct Read {
    read_at: Instant,
    now: Timestamp,
    stats: Stats,
    /// That of users who see all queues.
    snapshot: Arc<Snapshot>,
}

impl Snapshots {
    /// What a user sees of the last snapshot, or of a new one. Cancellation safe.
    pub(crate) async fn get(&self, shown: &Shown) -> Result<Arc<Snapshot>, StoreError> {
        let mut last = self.last.lock().await;
        if last.as_ref().is_none_or(|last| last.read_at.elapsed() >= FRESH) {
            let stats = shown.stats_of_all_queues(MINUTES).await?;
            let now = SystemClock::new().now();
            let snapshot = Arc::new(drawn(stats.clone(), now));
            *last = Some(Read { read_at: Instant::now(), now, stats, snapshot });
        }
        let last = last.as_ref().expect("it was read just now");
        if shown.sees_all() {
            return Ok(Arc::clone(&last.snapshot));
        }
        Ok(Arc::new(drawn(shown.narrowed_stats(last.stats.clone()), last.now)))
    }
}

fn drawn(stats: Stats, now: Timestamp) -> Snapshot {
    let mut jobs: BTreeMap<Status, u64> = Status::ALL.map(|status| (status, 0)).into();
    for (status, count) in stats.queues.iter().flat_map(|queue| &queue.jobs) {
        *jobs.entry(*status).or_default() += count;
    }
    let dead_letters = jobs[&Status::DeadLetter];
    let told = stats.queues.iter().map(|queue| (&queue.queue, queue.paused_at, &queue.jobs, queue.scheduled));
    let paused: Vec<_> = told.collect();
    let changing = format!("{paused:?}{:?}{:?}", stats.minutes, stats.next_due_at);
    let queues = stats.queues.into_iter().map(|queue| QueueSummary::new(queue, now)).collect();
    let document = Document { now, jobs, queues, next_due_at: stats.next_due_at, minutes: stats.minutes };
    Snapshot { document: serde_json::to_string(&document).expect("all keys are words"), changing, dead_letters }
}
