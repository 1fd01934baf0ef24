use std::num::NonZero;

use longshore_core::{MinuteStats, Timestamp};

const MINUTE_MS: i64 = 60_000;

/// A span of the past that charts show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pages) enum Span {
    Hour,
    Day,
    Week,
}

impl Span {
    pub(in crate::pages) const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// The word in the query.
    pub(in crate::pages) const fn word(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    pub(in crate::pages) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.word() == word)
    }

    pub(in crate::pages) const fn in_words(self) -> &'static str {
        match self {
            Self::Hour => "the last hour",
            Self::Day => "the last 24 hours",
            Self::Week => "the last 7 days",
        }
    }

    /// How many minutes it has.
    pub(in crate::pages) const fn minutes(self) -> u32 {
        match self {
            Self::Hour => 60,
            Self::Day => 24 * 60,
            Self::Week => 7 * 24 * 60,
        }
    }

    /// How many minutes one bar stands for: each span has at most a hundred bars.
    pub(in crate::pages) const fn minutes_of_bar(self) -> NonZero<u32> {
        let minutes = match self {
            Self::Hour => 1,
            Self::Day => 15,
            Self::Week => 120,
        };
        NonZero::new(minutes).expect("no span has bars of no length")
    }
}

/// What ended in one bar of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(in crate::pages) struct Ended {
    pub(in crate::pages) completed: u64,
    pub(in crate::pages) retried: u64,
    /// Jobs that became dead letters.
    pub(in crate::pages) failed: u64,
    pub(in crate::pages) cancelled: u64,
    waited_ms: u64,
    ran_ms: u64,
}

impl Ended {
    fn add(&mut self, minute: &MinuteStats) {
        self.completed += minute.completed;
        self.retried += minute.retried;
        self.failed += minute.failed;
        self.cancelled += minute.cancelled;
        self.waited_ms += minute.waited_ms;
        self.ran_ms += minute.ran_ms;
    }

    pub(in crate::pages) const fn total(&self) -> u64 {
        self.completed + self.retried + self.failed + self.cancelled
    }

    /// How many attempts ended.
    pub(in crate::pages) const fn attempts(&self) -> u64 {
        self.completed + self.retried + self.failed
    }

    /// How long the ended attempts had waited, on average.
    pub(in crate::pages) fn waited_ms(&self) -> Option<u64> {
        self.waited_ms.checked_div(self.attempts())
    }

    /// How long they ran, on average.
    pub(in crate::pages) fn ran_ms(&self) -> Option<u64> {
        self.ran_ms.checked_div(self.attempts())
    }
}

/// What ended in a span of the past, oldest bar first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::pages) struct Series {
    pub(in crate::pages) span: Span,
    /// When the first bar starts.
    pub(in crate::pages) start: Timestamp,
    pub(in crate::pages) bars: Vec<Ended>,
}

impl Series {
    /// Adds up minutes, or spans as long as a bar. Those outside the span are left out.
    pub(in crate::pages) fn new<'a>(
        minutes: impl IntoIterator<Item = &'a MinuteStats>,
        span: Span,
        now: Timestamp,
    ) -> Self {
        let width = i64::from(span.minutes_of_bar().get());
        let count = span.minutes() / span.minutes_of_bar();
        // Bars begin at whole multiples of their width, so that a bar does not change while time passes.
        let last = now.minute().div_euclid(width);
        let first = last - i64::from(count) + 1;
        let mut bars = vec![Ended::default(); count as usize];
        for minute in minutes {
            let place = usize::try_from(minute.minute.minute().div_euclid(width) - first).ok();
            if let Some(bar) = place.and_then(|place| bars.get_mut(place)) {
                bar.add(minute);
            }
        }
        Self { span, start: Timestamp::from_ms(first * width * MINUTE_MS), bars }
    }

    /// When a bar starts.
    pub(in crate::pages) fn at(&self, place: usize) -> Timestamp {
        let minutes =
            i64::try_from(place).unwrap_or(i64::MAX).saturating_mul(i64::from(self.span.minutes_of_bar().get()));
        Timestamp::from_ms(self.start.as_ms().saturating_add(minutes.saturating_mul(MINUTE_MS)))
    }

    pub(in crate::pages) fn total(&self) -> Ended {
        let mut total = Ended::default();
        for bar in &self.bars {
            total.completed += bar.completed;
            total.retried += bar.retried;
            total.failed += bar.failed;
            total.cancelled += bar.cancelled;
            total.waited_ms += bar.waited_ms;
            total.ran_ms += bar.ran_ms;
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(at: &str, completed: u64) -> MinuteStats {
        MinuteStats {
            minute: at.parse().unwrap(),
            queue: "q".to_owned(),
            completed,
            failed: 1,
            retried: 0,
            cancelled: 0,
            waited_ms: 10 * (completed + 1),
            ran_ms: 0,
        }
    }

    #[test]
    fn minutes_are_added_up_in_bars_that_stay_where_they_are() {
        let now = "2026-11-26T20:22:30Z".parse().unwrap();
        let minutes = [
            minute("2026-11-26T20:14:00Z", 5),
            minute("2026-11-26T20:15:00Z", 1),
            minute("2026-11-26T20:22:00Z", 2),
            minute("2026-11-24T20:22:00Z", 100),
        ];
        let day = Series::new(&minutes, Span::Day, now);
        assert_eq!(day.bars.len(), 96);
        assert_eq!(day.bars[94..].iter().map(|bar| bar.completed).collect::<Vec<_>>(), [5, 3]);
        assert_eq!(day.at(95).to_string(), "2026-11-26T20:15:00.000Z");
        assert_eq!((day.total().completed, day.total().failed), (8, 3));
        assert_eq!(day.total().waited_ms(), Some(10));
        let hour = Series::new(&minutes, Span::Hour, now);
        assert_eq!((hour.bars.len(), hour.bars[59].completed), (60, 2));
    }

    #[test]
    fn an_hour_without_an_end_has_no_average() {
        let series = Series::new([], Span::Hour, Timestamp::from_ms(0));
        assert_eq!((series.total().total(), series.total().ran_ms()), (0, None));
    }
}
