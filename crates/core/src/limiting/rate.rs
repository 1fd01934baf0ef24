use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::{format_duration, parse_duration};

/// How many attempts may start in a span of time, such as `1000/1m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    starts: u32,
    per: Duration,
}

/// The text is not a rate.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidRate {
    /// It is not a number, a slash and a duration.
    #[error("\"{word}\" is not a rate: write a number of starts and a span, such as 1000/1m or 5/1s")]
    NoRate {
        /// The text that was given.
        word: String,
    },
    /// It permits nothing.
    #[error("the rate {word} permits no start: write at least 1, or pause the queue")]
    Zero {
        /// The text that was given.
        word: String,
    },
    /// The span is too short or too long, or the starts are closer than the clock can tell.
    #[error(
        "the rate {word} cannot be kept: the span must be from 1ms to 366d, with at most 1000 starts a millisecond"
    )]
    OutOfRange {
        /// The text that was given.
        word: String,
    },
}

impl Rate {
    const PER_MIN: Duration = Duration::from_millis(1);
    const PER_MAX: Duration = Duration::from_secs(366 * 86_400);

    /// So many starts in this span.
    pub fn new(starts: u32, per: Duration) -> Result<Self, InvalidRate> {
        let word = || format!("{starts}/{}", format_duration(per));
        if starts == 0 {
            return Err(InvalidRate::Zero { word: word() });
        }
        let is_exact = per.as_micros() >= u128::from(starts);
        if !(Self::PER_MIN..=Self::PER_MAX).contains(&per) || !is_exact {
            return Err(InvalidRate::OutOfRange { word: word() });
        }
        Ok(Self { starts, per })
    }

    /// The number of starts in the span.
    pub const fn starts(&self) -> u32 {
        self.starts
    }

    /// The span.
    pub const fn per(&self) -> Duration {
        self.per
    }

    /// The time between two starts at an even pace, in microseconds; at least 1.
    pub fn interval_us(&self) -> i64 {
        i64::try_from(self.per.as_micros() / u128::from(self.starts)).unwrap_or(i64::MAX)
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(word: &str) -> Result<Self, InvalidRate> {
        let unreadable = || InvalidRate::NoRate { word: word.to_owned() };
        let (starts, per) = word.split_once('/').ok_or_else(unreadable)?;
        let starts: u32 = starts.trim().parse().map_err(|_| unreadable())?;
        let per = parse_duration(per.trim()).map_err(|_| unreadable())?;
        Self::new(starts, per)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.starts, format_duration(self.per))
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_of_starts_and_a_span() {
        let rate: Rate = "1000/1m".parse().unwrap();
        assert_eq!((rate.starts(), rate.per(), rate.interval_us()), (1000, Duration::from_secs(60), 60_000));
        assert_eq!(rate.to_string(), "1000/1m");
        assert_eq!(serde_json::from_str::<Rate>("\"5/1s\"").unwrap(), Rate::new(5, Duration::from_secs(1)).unwrap());
    }

    #[test]
    fn what_is_no_rate_says_what_one_looks_like() {
        for word in ["", "5", "5/", "/1m", "5/1M", "-1/1m", "1.5/1m", "5/60"] {
            assert!(matches!(word.parse::<Rate>(), Err(InvalidRate::NoRate { .. })), "{word}");
        }
        assert!(matches!("0/1m".parse::<Rate>(), Err(InvalidRate::Zero { .. })));
        for word in ["5/0s", "5/367d", "2000/1ms", "1/1us"] {
            assert!(matches!(word.parse::<Rate>(), Err(InvalidRate::OutOfRange { .. })), "{word}");
        }
    }
}
