use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use longshore_core::Timestamp;

/// The store's time as its worker knows it: the last time that the store reported, continued with the worker's
/// monotonic clock.
///
/// Expiries and deadlines are times of the store's clock. The wall clock of the worker's machine may be wrong by
/// minutes, so it is never read. Each claim corrects this time; an idle worker claims at least every second.
#[derive(Debug, Default)]
pub(crate) struct StoreTime {
    /// How many milliseconds the store's clock is ahead of the monotonic one.
    ahead_ms: AtomicI64,
}

impl StoreTime {
    /// The store reported `now` at this time of the monotonic clock.
    pub(crate) fn hear(&self, now: Timestamp, monotonic: Duration) {
        self.ahead_ms.store(now.as_ms().saturating_sub(milliseconds(monotonic)), Ordering::Relaxed);
    }

    /// The store's time at a time of the monotonic clock.
    pub(crate) fn at(&self, monotonic: Duration) -> Timestamp {
        Timestamp::from_ms(self.ahead_ms.load(Ordering::Relaxed).saturating_add(milliseconds(monotonic)))
    }
}

fn milliseconds(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stores_time_goes_on_by_the_monotonic_clock_until_the_store_says_another() {
        let (time, second) = (StoreTime::default(), Duration::from_secs(1));
        time.hear(Timestamp::from_ms(1_000_000), 5 * second);
        assert_eq!(time.at(5 * second), Timestamp::from_ms(1_000_000));
        assert_eq!(time.at(8 * second), Timestamp::from_ms(1_003_000));
        assert_eq!(time.at(4 * second), Timestamp::from_ms(999_000));
        time.hear(Timestamp::from_ms(500_000), 8 * second);
        assert_eq!(time.at(9 * second), Timestamp::from_ms(501_000));
    }
}
