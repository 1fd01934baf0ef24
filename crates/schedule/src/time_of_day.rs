use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

pub(crate) const DAY_SECONDS: i64 = 86_400;

/// The times of a day that an expression names: every combination of its hours, minutes and seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimesOfDay {
    hours: u64,
    minutes: u64,
    seconds: u64,
}

impl TimesOfDay {
    pub(crate) fn new(hours: &[u16], minutes: &[u16], seconds: &[u16]) -> Self {
        Self { hours: bits(hours), minutes: bits(minutes), seconds: bits(seconds) }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.hours == 0 || self.minutes == 0 || self.seconds == 0
    }

    pub(crate) fn has_every_hour(self) -> bool {
        self.hours.count_ones() == 24
    }

    /// The first one at or after `time`, in seconds since midnight.
    pub(crate) fn first_from(self, time: i64) -> Option<i64> {
        let (hour, minute, second) = split(time);
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(found) = first_from(self.seconds, second)
            {
                return Some(joined(hour, minute, found));
            }
            if let Some(found) = first_from(self.minutes, minute + 1) {
                return Some(joined(hour, found, first_from(self.seconds, 0)?));
            }
        }
        let found = first_from(self.hours, hour + 1)?;
        Some(joined(found, first_from(self.minutes, 0)?, first_from(self.seconds, 0)?))
    }

    /// The last one at or before `time`.
    pub(crate) fn last_until(self, time: i64) -> Option<i64> {
        let (hour, minute, second) = split(time);
        let (last_minute, last_second) = (last_before(self.minutes, 60), last_before(self.seconds, 60));
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(found) = last_before(self.seconds, second + 1)
            {
                return Some(joined(hour, minute, found));
            }
            if let Some(found) = last_before(self.minutes, minute) {
                return Some(joined(hour, found, last_second?));
            }
        }
        Some(joined(last_before(self.hours, hour)?, last_minute?, last_second?))
    }

    /// How many there are before `time`, which may be the end of the day.
    pub(crate) fn count_before(self, time: i64) -> u64 {
        let (hour, minute, second) = split(time);
        let seconds = u64::from(self.seconds.count_ones());
        let minutes = u64::from(self.minutes.count_ones()) * seconds;
        let mut count = below(self.hours, hour) * minutes;
        if has(self.hours, hour) {
            count += below(self.minutes, minute) * seconds;
            if has(self.minutes, minute) {
                count += below(self.seconds, second);
            }
        }
        count
    }
}

/// The date of a day since 1970-01-01; none outside the calendar.
pub(crate) fn date_of(day: i64) -> Option<Date> {
    let midnight = Timestamp::from_second(day.checked_mul(DAY_SECONDS)?).ok()?;
    Some(Offset::UTC.to_datetime(midnight).date())
}

fn bits(values: &[u16]) -> u64 {
    values.iter().filter(|value| **value < 64).fold(0, |bits, value| bits | 1 << value)
}

fn has(bits: u64, value: u32) -> bool {
    value < 64 && bits & (1 << value) != 0
}

fn below(bits: u64, value: u32) -> u64 {
    let mask = 1_u64.checked_shl(value).map_or(u64::MAX, |bit| bit - 1);
    u64::from((bits & mask).count_ones())
}

fn first_from(bits: u64, value: u32) -> Option<u32> {
    let rest = bits.checked_shr(value)?;
    (rest != 0).then(|| value + rest.trailing_zeros())
}

fn last_before(bits: u64, value: u32) -> Option<u32> {
    let mask = 1_u64.checked_shl(value).map_or(u64::MAX, |bit| bit - 1);
    (bits & mask).checked_ilog2()
}

fn split(time: i64) -> (u32, u32, u32) {
    let time = u32::try_from(time.clamp(0, DAY_SECONDS)).expect("a time of day fits");
    (time / 3600, time / 60 % 60, time % 60)
}

fn joined(hour: u32, minute: u32, second: u32) -> i64 {
    i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second)
}
