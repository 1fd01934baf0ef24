use std::sync::Arc;
use std::time::Duration;

use super::histogram::{Histogram, HistogramReading};

/// How many requests share a transaction.
const REQUESTS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
/// How many microseconds a commit takes.
const COMMIT_US: &[u64] =
    &[50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000];

/// The transactions with which a store of this process carries out requests.
#[derive(Debug)]
pub struct WriteMeasures {
    requests: Histogram,
    commit_us: Histogram,
}

/// What a store has counted since it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteReading {
    /// The name of the database, if there are several.
    pub database: Option<Arc<str>>,
    /// How many requests shared a transaction.
    pub requests: HistogramReading,
    /// How long its commit took, in microseconds. A server commits with the answer to the last statement, so there it is
    /// the time of that statement as well.
    pub commit_us: HistogramReading,
}

impl Default for WriteMeasures {
    fn default() -> Self {
        Self { requests: Histogram::new(REQUESTS), commit_us: Histogram::new(COMMIT_US) }
    }
}

impl WriteMeasures {
    /// Counts a transaction that was committed.
    pub fn committed(&self, requests: usize, took: Duration) {
        self.requests.add(requests as u64);
        self.commit_us.add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// The counts so far.
    pub fn read(&self) -> WriteReading {
        WriteReading { database: None, requests: self.requests.read(), commit_us: self.commit_us.read() }
    }
}
