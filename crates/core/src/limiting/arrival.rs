use crate::{Rate, Timestamp};

/// The pace of a rate, by the generic cell rate algorithm (GCRA, ITU-T I.371, "virtual scheduling"): a start is permitted
/// once `now >= arrival - tolerance`, and moves the arrival to `max(now, arrival) + interval`, where the tolerance is
/// `(burst - 1) * interval`. The arrival is the one number that a database keeps of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    interval_us: i64,
    tolerance_us: i64,
}

/// The theoretical arrival time of the next start, in microseconds since 1970 by the store's clock. Zero before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Arrival(pub i64);

impl Pace {
    /// The pace of a rate that lets `burst` starts happen at once. Zero means the same as one.
    pub fn new(rate: Rate, burst: u32) -> Self {
        let interval_us = rate.interval_us();
        let tolerance_us = interval_us.saturating_mul(i64::from(burst.max(1) - 1));
        Self { interval_us, tolerance_us }
    }

    /// How many starts are permitted now.
    pub fn free(&self, arrival: Arrival, now: Timestamp) -> u32 {
        let now = microseconds(now);
        let ahead = arrival.0.max(now).saturating_sub(now);
        let room = self.tolerance_us.saturating_sub(ahead);
        if room < 0 {
            return 0;
        }
        u32::try_from(room / self.interval_us + 1).unwrap_or(u32::MAX)
    }

    /// The arrival after so many starts now.
    #[must_use]
    pub fn after(&self, arrival: Arrival, now: Timestamp, starts: u32) -> Arrival {
        if starts == 0 {
            return arrival;
        }
        let taken = self.interval_us.saturating_mul(i64::from(starts));
        Arrival(arrival.0.max(microseconds(now)).saturating_add(taken))
    }

    /// When the next start is permitted; none if one is permitted now. Rounded up to the milliseconds of the clock.
    pub fn opens_at(&self, arrival: Arrival, now: Timestamp) -> Option<Timestamp> {
        let opens_us = arrival.0.saturating_sub(self.tolerance_us);
        let opens_at = Timestamp::from_ms(opens_us.div_euclid(1000) + i64::from(opens_us.rem_euclid(1000) > 0));
        (opens_us > microseconds(now)).then_some(opens_at)
    }
}

fn microseconds(instant: Timestamp) -> i64 {
    instant.as_ms().saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_700_000_000_000);

    fn later(ms: u64) -> Timestamp {
        NOW.after(Duration::from_millis(ms))
    }

    #[test]
    fn without_a_burst_starts_are_an_interval_apart() {
        let pace = Pace::new("1000/1m".parse().unwrap(), 1);
        assert_eq!((pace.free(Arrival::default(), NOW), pace.opens_at(Arrival::default(), NOW)), (1, None));
        let arrival = pace.after(Arrival::default(), NOW, 1);
        assert_eq!((pace.free(arrival, NOW), pace.opens_at(arrival, NOW)), (0, Some(later(60))));
        assert_eq!((pace.free(arrival, later(59)), pace.free(arrival, later(60))), (0, 1));
        // What was not used is not kept.
        assert_eq!(pace.free(arrival, later(60_000)), 1);
    }

    #[test]
    fn a_burst_may_start_at_once_and_comes_back_at_the_pace_of_the_rate() {
        let pace = Pace::new("10/1s".parse().unwrap(), 20);
        assert_eq!(pace.free(Arrival::default(), NOW), 20);
        let arrival = pace.after(Arrival::default(), NOW, 20);
        assert_eq!((pace.free(arrival, NOW), pace.opens_at(arrival, NOW)), (0, Some(later(100))));
        assert_eq!((pace.free(arrival, later(250)), pace.free(arrival, later(1900))), (2, 19));
        assert_eq!(pace.free(arrival, later(60_000)), 20);
        assert_eq!(pace.after(arrival, later(250), 0), arrival);
    }

    #[test]
    fn over_a_long_time_no_more_starts_than_the_rate_and_one_burst() {
        let pace = Pace::new("7/1s".parse().unwrap(), 3);
        let (mut arrival, mut starts) = (Arrival::default(), 0);
        for ms in (0..100_000).step_by(13) {
            let free = pace.free(arrival, later(ms));
            arrival = pace.after(arrival, later(ms), free);
            starts += free;
        }
        assert!((695..=703).contains(&starts), "{starts}");
    }

    #[test]
    fn an_arrival_far_away_overflows_nowhere() {
        let pace = Pace::new("1/366d".parse().unwrap(), u32::MAX);
        assert!(pace.free(Arrival(i64::MIN), NOW) > 0);
        assert_eq!(pace.after(Arrival(i64::MAX), NOW, u32::MAX), Arrival(i64::MAX));
        let _ = (pace.free(Arrival(i64::MAX), NOW), pace.opens_at(Arrival(i64::MIN), NOW));
    }
}
