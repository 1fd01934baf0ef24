use std::collections::BTreeMap;

use longshore_core::{Clock, MinuteStats, QueueStats, Stats, StoreError, SystemClock};
use tokio::sync::Mutex;

use crate::shown::AllQueues;

/// A minute may still grow this long after it has ended, because counts are written together with later ones.
const OPEN_MINUTES: i64 = 5;
/// How far a scrape looks back at most. Whatever ended while nobody asked for longer is not counted.
const BACK_MAX: u32 = 24 * 60;

/// What ended since the server began to answer, by queue. The store keeps minutes; a counter must never go back, so the minutes
/// that can no longer change are summed up here.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    state: Mutex<Option<Counting>>,
}

#[derive(Clone, Debug, Default)]
struct Counting {
    /// Minutes before this one are in `settled`.
    settled_until: i64,
    settled: BTreeMap<String, Ended>,
    /// What the first minute had before the server began.
    before: BTreeMap<String, Ended>,
}

/// What ended in one queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) retried: u64,
    pub(crate) cancelled: u64,
    pub(crate) waited_ms: u64,
    pub(crate) ran_ms: u64,
}

impl Ended {
    fn add(&mut self, other: &Self) {
        self.completed += other.completed;
        self.failed += other.failed;
        self.retried += other.retried;
        self.cancelled += other.cancelled;
        self.waited_ms = self.waited_ms.saturating_add(other.waited_ms);
        self.ran_ms = self.ran_ms.saturating_add(other.ran_ms);
    }

    fn without(self, other: &Self) -> Self {
        Self {
            completed: self.completed.saturating_sub(other.completed),
            failed: self.failed.saturating_sub(other.failed),
            retried: self.retried.saturating_sub(other.retried),
            cancelled: self.cancelled.saturating_sub(other.cancelled),
            waited_ms: self.waited_ms.saturating_sub(other.waited_ms),
            ran_ms: self.ran_ms.saturating_sub(other.ran_ms),
        }
    }
}

impl From<&MinuteStats> for Ended {
    fn from(minute: &MinuteStats) -> Self {
        let MinuteStats { minute: _, queue: _, completed, failed, retried, cancelled, waited_ms, ran_ms } = *minute;
        Self { completed, failed, retried, cancelled, waited_ms, ran_ms }
    }
}

impl Counters {
    /// The queues, and the counts so far by queue. The first call begins to count. Reads the minutes that may have
    /// changed.
    pub(crate) async fn read(
        &self,
        all: &AllQueues<'_>,
    ) -> Result<(Vec<QueueStats>, BTreeMap<String, Ended>), StoreError> {
        let mut state = self.state.lock().await;
        let back = state.as_ref().map_or(1, Counting::back);
        let Stats { queues, minutes, .. } = all.stats(back).await?;
        let now = minute_of(&minutes);
        let counting = state.get_or_insert_with(|| Counting::begin(&minutes, now));
        Ok((queues, counting.count(&minutes, now)))
    }
}

/// The current minute, by this machine or by the newest one that the store has.
fn minute_of(minutes: &[MinuteStats]) -> i64 {
    let own = SystemClock::new().now().minute();
    minutes.iter().map(|minute| minute.minute.minute()).max().unwrap_or(own).max(own)
}

impl Counting {
    fn begin(minutes: &[MinuteStats], now: i64) -> Self {
        let before = by_queue(minutes.iter().filter(|minute| minute.minute.minute() == now));
        Self { settled_until: now, settled: BTreeMap::new(), before }
    }

    /// How many minutes must be read so that none is missed.
    fn back(&self) -> u32 {
        let own = SystemClock::new().now().minute();
        u32::try_from(own - self.settled_until + 2).unwrap_or(1).clamp(1, BACK_MAX)
    }

    fn count(&mut self, minutes: &[MinuteStats], now: i64) -> BTreeMap<String, Ended> {
        let settles_until = (now - OPEN_MINUTES).max(self.settled_until);
        let is_open = |minute: &&MinuteStats| minute.minute.minute() >= self.settled_until;
        let settling = minutes.iter().filter(is_open).filter(|minute| minute.minute.minute() < settles_until);
        let settled = by_queue(settling);
        for (queue, ended) in settled {
            self.settled.entry(queue).or_default().add(&ended);
        }
        self.settled_until = settles_until;
        let mut all = self.settled.clone();
        for (queue, ended) in by_queue(minutes.iter().filter(|minute| minute.minute.minute() >= settles_until)) {
            all.entry(queue).or_default().add(&ended);
        }
        for (queue, before) in &self.before {
            let ended = all.entry(queue.clone()).or_default();
            *ended = ended.without(before);
        }
        all
    }
}

fn by_queue<'a>(minutes: impl Iterator<Item = &'a MinuteStats>) -> BTreeMap<String, Ended> {
    let mut all: BTreeMap<String, Ended> = BTreeMap::new();
    for minute in minutes {
        all.entry(minute.queue.clone()).or_default().add(&minute.into());
    }
    all
}

#[cfg(test)]
mod tests {
    use longshore_core::Timestamp;

    use super::*;

    fn minute(minute: i64, completed: u64) -> MinuteStats {
        MinuteStats {
            minute: Timestamp::from_ms(minute * 60_000),
            queue: "a".to_owned(),
            completed,
            failed: 0,
            retried: 0,
            cancelled: 0,
            waited_ms: 0,
            ran_ms: 0,
        }
    }

    fn completed(all: &BTreeMap<String, Ended>) -> u64 {
        all.get("a").map_or(0, |ended| ended.completed)
    }

    #[test]
    fn what_ended_before_the_first_look_does_not_count() {
        let mut counting = Counting::begin(&[minute(100, 7)], 100);
        assert_eq!(completed(&counting.count(&[minute(100, 7)], 100)), 0);
        assert_eq!(completed(&counting.count(&[minute(100, 9)], 100)), 2);
    }

    #[test]
    fn a_counter_never_goes_back_though_minutes_are_removed() {
        let mut counting = Counting::begin(&[], 100);
        let mut last = 0;
        for now in 100..130 {
            // The store has only the last ten minutes.
            let minutes: Vec<_> = ((now - 9).max(100)..=now).map(|at| minute(at, 3)).collect();
            let counted = completed(&counting.count(&minutes, now));
            assert_eq!(counted, last + 3, "minute {now}");
            last = counted;
        }
    }

    #[test]
    fn a_minute_that_grows_late_is_counted_once() {
        let mut counting = Counting::begin(&[], 100);
        assert_eq!(completed(&counting.count(&[minute(100, 1)], 101)), 1);
        assert_eq!(completed(&counting.count(&[minute(100, 5)], 104)), 5);
        assert_eq!(completed(&counting.count(&[minute(100, 5), minute(108, 1)], 108)), 6);
        assert_eq!(completed(&counting.count(&[minute(100, 5), minute(108, 1)], 109)), 6);
    }
}
