use std::collections::BTreeMap;
use std::num::NonZero;

use crate::{MinuteStats, Timestamp};

const MINUTE_MS: i64 = 60_000;

/// Adds up what ended in minutes over longer spans, which begin at whole multiples of their length. The minutes must come
/// in their order.
///
/// ```
/// use std::num::NonZero;
/// use longshore_core::History;
///
/// let mut history = History::new(NonZero::new(15).unwrap());
/// for minute in [29, 30, 44] {
///     history.at(minute, "mail").completed += 1;
/// }
/// let spans = history.end();
/// assert_eq!(spans.iter().map(|span| (span.minute.minute(), span.completed)).collect::<Vec<_>>(), [(15, 1), (30, 2)]);
/// ```
#[derive(Debug)]
pub struct History {
    minutes: i64,
    /// The span that is added up, by its place among all.
    place: i64,
    queues: BTreeMap<String, MinuteStats>,
    ended: Vec<MinuteStats>,
}

impl History {
    /// Spans of so many minutes.
    pub fn new(minutes: NonZero<u32>) -> Self {
        Self { minutes: i64::from(minutes.get()), place: i64::MIN, queues: BTreeMap::new(), ended: Vec::new() }
    }

    /// The sums of the span that a minute is in. Only the first minute of a queue in a span costs an allocation.
    pub fn at(&mut self, minute: i64, queue: &str) -> &mut MinuteStats {
        let place = minute.div_euclid(self.minutes);
        if place != self.place {
            self.close();
            self.place = place;
        }
        if !self.queues.contains_key(queue) {
            let start = Timestamp::from_ms(place.saturating_mul(self.minutes).saturating_mul(MINUTE_MS));
            self.queues.insert(queue.to_owned(), MinuteStats::empty(start, queue));
        }
        self.queues.get_mut(queue).expect("it was there or was added")
    }

    /// What ended, by span and queue.
    pub fn end(mut self) -> Vec<MinuteStats> {
        self.close();
        self.ended
    }

    fn close(&mut self) {
        self.ended.extend(std::mem::take(&mut self.queues).into_values());
    }
}
