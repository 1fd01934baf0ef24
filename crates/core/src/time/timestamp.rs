use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// A point in time: whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Printed and serialised as RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The word is not a time, or a time that cannot be stored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidTimestamp {
    /// It is not RFC 3339.
    #[error("\"{word}\" is not a time: expected RFC 3339 such as 2026-05-04T12:30:00Z")]
    NoInstant {
        /// The word that was given.
        word: String,
    },
    /// It is outside the accepted range.
    #[error(
        "\"{word}\" is not a time that can be stored: expected one from {} to {}, both included",
        Timestamp::MIN,
        Timestamp::MAX
    )]
    OutOfRange {
        /// The word that was given.
        word: String,
    },
}

impl Timestamp {
    /// The earliest accepted time: 1970-01-01T00:00:00Z.
    pub const MIN: Self = Self(0);

    /// The latest accepted time: 9999-12-30T22:00:00Z, the last one that RFC 3339 can print in every time zone.
    pub const MAX: Self = Self(253_402_207_200_000);

    /// The time `ms` milliseconds after 1970.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since 1970.
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// Whole minutes since 1970.
    pub const fn minute(self) -> i64 {
        self.0.div_euclid(60_000)
    }

    /// The time `span` later, at most [`Timestamp::MAX`].
    pub fn after(self, span: Duration) -> Self {
        let ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(ms).min(Self::MAX.0))
    }

    /// The instant `span` earlier, at least [`Timestamp::MIN`].
    pub fn before(self, span: Duration) -> Self {
        let ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(ms).max(Self::MIN.0))
    }

    /// The duration from `earlier` to this time. Zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => write!(f, "{} ms since 1970", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(word: &str) -> Result<Self, InvalidTimestamp> {
        let word = || word.to_owned();
        let instant: jiff::Timestamp = word().parse().map_err(|error: jiff::Error| match error.is_range() {
            true => InvalidTimestamp::OutOfRange { word: word() },
            false => InvalidTimestamp::NoInstant { word: word() },
        })?;
        // Compared exactly, because rounding would accept a time slightly before the first one.
        let nanoseconds = |at: Self| i128::from(at.0) * 1_000_000;
        if (nanoseconds(Self::MIN)..=nanoseconds(Self::MAX)).contains(&instant.as_nanosecond()) {
            return Ok(Self(instant.as_millisecond()));
        }
        Err(InvalidTimestamp::OutOfRange { word: word() })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_printed_in_utc_with_milliseconds() {
        assert_eq!(Timestamp::from_ms(0).to_string(), "1970-01-01T00:00:00.000Z");
        let parsed: Timestamp = "2026-05-04T12:30:00.5+02:00".parse().unwrap();
        assert_eq!(parsed.to_string(), "2026-05-04T10:30:00.500Z");
    }

    #[test]
    fn an_absurd_instant_is_refused_or_held_at_the_end_of_time() {
        for word in ["", "tomorrow", "1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z", "2026-05-04"] {
            assert!(word.parse::<Timestamp>().is_err(), "{word}");
        }
        assert_eq!(Timestamp::from_ms(5).after(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_ms(5).before(Duration::MAX), Timestamp::MIN);
        assert_eq!(Timestamp::from_ms(5).before(Duration::from_millis(2)), Timestamp::from_ms(3));
    }

    #[test]
    fn the_bounds_of_the_message_are_those_that_hold() {
        for word in [
            "1970-01-01T00:00:00Z",
            "1970-01-01T01:00:00+01:00",
            "1969-12-31T23:00:00-01:00",
            "9999-12-30T22:00:00Z",
            "9999-12-30T22:00:00.000Z",
            "9999-12-31T12:00:00+14:00",
        ] {
            assert!(word.parse::<Timestamp>().is_ok(), "{word}");
        }
        for word in [
            "1969-12-31T23:59:59Z",
            "1969-12-31T23:59:59.999999Z",
            "1970-01-01T00:00:00+00:01",
            "9999-12-30T22:00:00.000001Z",
            "9999-12-30T22:00:01Z",
            "9999-12-31T23:59:59Z",
            "9999-12-31T12:00:01+14:00",
            "9999-12-30T22:00:00-00:01",
            "0001-01-01T00:00:00Z",
        ] {
            let error = word.parse::<Timestamp>().unwrap_err();
            let range = "from 1970-01-01T00:00:00.000Z to 9999-12-30T22:00:00.000Z, both included";
            assert!(error.to_string().contains(range), "{word}: {error}");
        }
    }

    #[test]
    fn time_never_runs_backwards_between_two_instants() {
        assert_eq!(Timestamp::from_ms(5).since(Timestamp::from_ms(9)), Duration::ZERO);
        assert_eq!(Timestamp::from_ms(9).since(Timestamp::from_ms(5)), Duration::from_millis(4));
    }
}
