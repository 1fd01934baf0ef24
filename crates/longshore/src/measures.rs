//! What the attempts of this process have come to, counted in memory for `/metrics`.
//!
//! The store counts what ended on all hosts; it keeps neither job types nor the spread of durations, because that would
//! cost every commit. These counts begin with the [`Queue`](crate::Queue) and belong to this process: scrape each one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

pub use longshore_core::HistogramReading;
use longshore_core::{AttemptOutcome, FailureType, Histogram, Outcome};

/// How many pairs of queue and job type are counted each by itself. Names come from anybody who may enqueue, and a time
/// series is never forgotten by who reads it.
const KINDS_MAX: usize = 100;
/// The bounds of durations in milliseconds.
const MS: &[u64] =
    &[1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000, 3_600_000];

/// The counts of all queues and job types.
#[derive(Debug, Default)]
pub struct Measures {
    kinds: RwLock<Kinds>,
    others: Arc<KindMeasures>,
}

/// By queue, then by job type.
type Kinds = HashMap<String, HashMap<String, Arc<KindMeasures>>>;

/// The counts of one queue and job type.
#[derive(Debug)]
pub(crate) struct KindMeasures {
    wait_ms: Histogram,
    run_ms: Histogram,
    outcomes: [AtomicU64; AttemptOutcome::ALL.len()],
    failures: [AtomicU64; FailureType::ALL.len()],
}

/// What was counted for one queue and job type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindReading {
    /// The queue. It and the job type are empty for all pairs beyond the first hundred together.
    pub queue: String,
    /// The job type.
    pub job_type: String,
    /// How long jobs were claimable before their attempt began, in milliseconds. One value for each attempt.
    pub wait_ms: HistogramReading,
    /// How long attempts ran, in milliseconds. One value for each attempt that has ended.
    pub run_ms: HistogramReading,
    /// How many attempts ended in each way, without zeros.
    pub outcomes: Vec<(AttemptOutcome, u64)>,
    /// How many attempts failed with each failure type, without zeros.
    pub failures: Vec<(FailureType, u64)>,
}

impl Measures {
    /// The counts so far, by queue and job type.
    pub fn read(&self) -> Vec<KindReading> {
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        let named = kinds.iter().flat_map(|(queue, types)| {
            types.iter().map(move |(job_type, kind)| kind.read(queue.clone(), job_type.clone()))
        });
        let others = Some(self.others.read(String::new(), String::new())).filter(|others| others.wait_ms.count() > 0);
        let mut all: Vec<_> = named.chain(others).collect();
        all.sort_by(|a, b| (&a.queue, &a.job_type).cmp(&(&b.queue, &b.job_type)));
        all
    }

    /// The counts to add to.
    pub(crate) fn of(&self, queue: &str, job_type: &str) -> Arc<KindMeasures> {
        let find = |kinds: &Kinds| kinds.get(queue)?.get(job_type).map(Arc::clone);
        if let Some(known) = find(&self.kinds.read().unwrap_or_else(PoisonError::into_inner)) {
            return known;
        }
        // Plain SQL may write empty names, which would be a second series without labels.
        if queue.is_empty() || job_type.is_empty() {
            return Arc::clone(&self.others);
        }
        let mut kinds = self.kinds.write().unwrap_or_else(PoisonError::into_inner);
        if kinds.values().map(HashMap::len).sum::<usize>() >= KINDS_MAX {
            return find(&kinds).unwrap_or_else(|| Arc::clone(&self.others));
        }
        Arc::clone(kinds.entry(queue.to_owned()).or_default().entry(job_type.to_owned()).or_default())
    }
}

impl Default for KindMeasures {
    fn default() -> Self {
        Self {
            wait_ms: Histogram::new(MS),
            run_ms: Histogram::new(MS),
            outcomes: Default::default(),
            failures: Default::default(),
        }
    }
}

impl KindMeasures {
    /// An attempt begins, so long after its job became claimable.
    pub(crate) fn began(&self, waited: Duration) {
        self.wait_ms.add(ms(waited));
    }

    /// An attempt that began has ended.
    pub(crate) fn ended(&self, ran: Duration, outcome: &Outcome) {
        self.run_ms.add(ms(ran));
        count(&AttemptOutcome::ALL, &self.outcomes, outcome.of_attempt());
        if let Some(failure) = outcome.failure() {
            count(&FailureType::ALL, &self.failures, failure.failure_type);
        }
    }

    fn read(&self, queue: String, job_type: String) -> KindReading {
        KindReading {
            queue,
            job_type,
            wait_ms: self.wait_ms.read(),
            run_ms: self.run_ms.read(),
            outcomes: counted(&AttemptOutcome::ALL, &self.outcomes),
            failures: counted(&FailureType::ALL, &self.failures),
        }
    }
}

fn count<T: Copy + PartialEq>(all: &[T], counts: &[AtomicU64], which: T) {
    if let Some(place) = all.iter().position(|one| *one == which) {
        counts[place].fetch_add(1, Ordering::Relaxed);
    }
}

fn counted<T: Copy>(all: &[T], counts: &[AtomicU64]) -> Vec<(T, u64)> {
    let counts = counts.iter().map(|count| count.load(Ordering::Relaxed));
    all.iter().copied().zip(counts).filter(|(_, count)| *count > 0).collect()
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_first_hundred_are_counted_together() {
        let measures = Measures::default();
        for number in 0..KINDS_MAX + 20 {
            measures.of("mail", &format!("type {number}")).began(Duration::ZERO);
        }
        measures.of("", "x").began(Duration::ZERO);
        measures.of("mail", "type 3").began(Duration::from_secs(2));
        let all = measures.read();
        assert_eq!(all.len(), KINDS_MAX + 1);
        assert_eq!((all[0].queue.as_str(), all[0].job_type.as_str(), all[0].wait_ms.count()), ("", "", 21));
        let known = all.iter().find(|kind| kind.job_type == "type 3").unwrap();
        assert_eq!((known.wait_ms.count(), known.wait_ms.sum), (2, 2000));
    }
}
