use std::sync::atomic::{AtomicU64, Ordering};

/// Counts values by size. The counts only grow, as Prometheus expects it of a histogram.
///
/// Adding a value is two atomic additions, so it may be done on a hot path.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One for each bound, and one for what is larger than the last bound.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// What a [`Histogram`] has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistogramReading {
    /// The largest value of each bucket, in the unit of the histogram, ascending.
    pub bounds: &'static [u64],
    /// How many values are in each bucket alone. The last one, which has no bound, has the larger values.
    pub counts: Vec<u64>,
    /// The sum of all values. While values are added, it may contain some that the counts do not have yet.
    pub sum: u64,
}

impl Histogram {
    /// A histogram that has counted nothing. The bounds ascend.
    pub fn new(bounds: &'static [u64]) -> Self {
        assert!(bounds.is_sorted_by(|a, b| a < b), "the bounds of a histogram ascend");
        Self { bounds, counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }

    /// Counts a value.
    pub fn add(&self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        // The sum first, so that a reading never has a value in its counts that its sum lacks.
        self.sum.fetch_add(value, Ordering::Relaxed);
        self.counts[bucket].fetch_add(1, Ordering::Release);
    }

    /// The counts so far.
    pub fn read(&self) -> HistogramReading {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Acquire)).collect();
        HistogramReading { bounds: self.bounds, counts, sum: self.sum.load(Ordering::Relaxed) }
    }
}

impl HistogramReading {
    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_first_bucket_that_is_large_enough() {
        let histogram = Histogram::new(&[1, 10, 100]);
        [0, 1, 2, 10, 11, 100, 101, 5000].into_iter().for_each(|value| histogram.add(value));
        let reading = histogram.read();
        assert_eq!(reading.counts, [2, 2, 2, 2]);
        assert_eq!((reading.count(), reading.sum), (8, 5225));
    }

    #[test]
    fn no_value_of_another_thread_is_lost() {
        let histogram = Histogram::new(&[10]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|value| histogram.add(value % 20)));
            }
        });
        assert_eq!(histogram.read().counts, [2200, 1800]);
    }
}
