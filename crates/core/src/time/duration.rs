use std::fmt;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};
use thiserror::Error;

/// The word is not a duration, or is ambiguous.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidDuration {
    /// It has no number, no unit, or an unknown unit.
    #[error("\"{word}\" is not a duration: expected one such as 500ms, 30s, 10m, 2h or 7d")]
    NoDuration {
        /// The word that was given.
        word: String,
    },
    /// It is a number without a unit.
    #[error("\"{word}\" has no unit: write {word}s for seconds")]
    NoUnit {
        /// The word that was given.
        word: String,
    },
    /// The parser reads a capital M as months, but most people mean minutes.
    #[error("\"{word}\" could mean minutes or months: write {minutes} for minutes, or {months} for months")]
    MinutesOrMonths {
        /// The word that was given.
        word: String,
        /// The same duration in minutes.
        minutes: String,
        /// The same duration in months.
        months: String,
    },
}

/// Parses a duration such as `90s`, as used on the command line, in the configuration and in JSON.
pub fn parse_duration(word: &str) -> Result<Duration, InvalidDuration> {
    let duration = humantime::parse_duration(word).map_err(|_| unreadable(word))?;
    if with_unit(word, "m") == word {
        return Ok(duration);
    }
    let (minutes, months) = (with_unit(word, "m"), with_unit(word, "months"));
    Err(InvalidDuration::MinutesOrMonths { word: word.to_owned(), minutes, months })
}

/// Writes a duration as [`parse_duration`] reads it: in days, hours, minutes, seconds and what is below, such as `1d 12h`.
pub const fn format_duration(duration: Duration) -> FormattedDuration {
    FormattedDuration(duration)
}

/// A duration in words. See [`format_duration`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormattedDuration(Duration);

impl fmt::Display for FormattedDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanoseconds) = (self.0.as_secs(), u64::from(self.0.subsec_nanos()));
        let parts = [
            (seconds / 86_400, "d"),
            (seconds / 3600 % 24, "h"),
            (seconds / 60 % 60, "m"),
            (seconds % 60, "s"),
            (nanoseconds / 1_000_000, "ms"),
            (nanoseconds / 1000 % 1000, "us"),
            (nanoseconds % 1000, "ns"),
        ];
        let mut separator = "";
        for (count, unit) in parts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{separator}{count}{unit}")?;
            separator = " ";
        }
        if self.0.is_zero() { f.write_str("0s") } else { Ok(()) }
    }
}

fn unreadable(word: &str) -> InvalidDuration {
    let word = word.to_owned();
    let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_number && humantime::parse_duration(&format!("{word}s")).is_ok() {
        return InvalidDuration::NoUnit { word };
    }
    InvalidDuration::NoDuration { word }
}

/// Replaces every unit `M` with `unit`. No other accepted unit has a capital letter.
fn with_unit(word: &str, unit: &str) -> String {
    word.replace('M', unit)
}

/// [`parse_duration`] for serde fields. Null is `None`. A number is refused with the text to write instead.
pub fn deserialize_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let word = Option::<DurationWord>::deserialize(deserializer)?;
    word.map(|DurationWord(word)| parse_duration(&word)).transpose().map_err(de::Error::custom)
}

/// The text of a duration in a file or a message, not parsed yet. A number is an error that names the text to write.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurationWord(pub String);

impl<'de> Deserialize<'de> for DurationWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordVisitor)
    }
}

struct WordVisitor;

impl Visitor<'_> for WordVisitor {
    type Value = DurationWord;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"30s\" or \"10m\"")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<DurationWord, E> {
        Ok(DurationWord(word.to_owned()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<DurationWord, E> {
        Err(without_unit(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<DurationWord, E> {
        Err(without_unit(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<DurationWord, E> {
        Err(without_unit(number))
    }
}

fn without_unit<E: de::Error>(number: impl fmt::Display) -> E {
    let in_seconds = format!("{number}s");
    match parse_duration(&in_seconds) {
        Ok(_) => E::custom(format_args!("{number} has no unit: write \"{in_seconds}\" for seconds")),
        // A negative or a very large number.
        Err(_) => E::custom(format_args!("{number} is not a duration: expected one such as \"500ms\" or \"30s\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capital_m_is_refused_with_both_of_its_readings() {
        for (word, minutes, months) in
            [("5M", "5m", "5months"), ("1h 5M", "1h 5m", "1h 5months"), ("1M1M", "1m1m", "1months1months")]
        {
            let error = parse_duration(word).unwrap_err();
            let expected =
                format!("\"{word}\" could mean minutes or months: write {minutes} for minutes, or {months} for months");
            assert_eq!(error.to_string(), expected);
            assert!(parse_duration(minutes).is_ok() && parse_duration(months).is_ok(), "{word}");
        }
    }

    #[test]
    fn no_other_unit_has_a_capital_letter() {
        for unit in ["S", "H", "D", "W", "Y", "MS", "Ms", "Min", "Month"] {
            let word = format!("5{unit}");
            assert_eq!(parse_duration(&word), Err(InvalidDuration::NoDuration { word: word.clone() }), "{word}");
        }
    }

    #[test]
    fn a_number_is_refused_with_the_text_to_write() {
        #[derive(Debug, Deserialize)]
        struct Read {
            #[serde(default, deserialize_with = "deserialize_duration")]
            after: Option<Duration>,
        }
        let read = |text: &str| serde_json::from_str::<Read>(text).map(|read| read.after);
        for (number, expected) in [
            ("5", "5 has no unit: write \"5s\" for seconds"),
            ("0", "0 has no unit: write \"0s\" for seconds"),
            ("-5", "-5 is not a duration: expected one such as \"500ms\" or \"30s\""),
            ("1.5", "1.5 has no unit: write \"1.5s\" for seconds"),
            ("true", "expected a duration such as \"30s\" or \"10m\""),
        ] {
            let error = read(&format!("{{\"after\": {number}}}")).unwrap_err().to_string();
            assert!(error.contains(expected), "{number}: {error}");
        }
        assert_eq!(read("{\"after\": null}").unwrap(), None);
        assert_eq!(read("{\"after\": \"5s\"}").unwrap(), Some(Duration::from_secs(5)));
    }

    #[test]
    fn a_duration_is_written_in_the_units_that_people_write_and_read_again() {
        for (ms, word) in [
            (0, "0s"),
            (1500, "1s 500ms"),
            (86_400_000, "1d"),
            (129_600_000, "1d 12h"),
            (2_678_400_000, "31d"),
            (345_600_000_000, "4000d"),
            (90_061_001, "1d 1h 1m 1s 1ms"),
        ] {
            let duration = Duration::from_millis(ms);
            assert_eq!(format_duration(duration).to_string(), word);
            assert_eq!(parse_duration(word), Ok(duration));
        }
        for duration in [Duration::MAX, Duration::new(5, 1_002_003)] {
            assert_eq!(parse_duration(&format_duration(duration).to_string()), Ok(duration));
        }
    }

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration("5").unwrap_err().to_string(), "\"5\" has no unit: write 5s for seconds");
        for word in ["", "5", "soon", "-5s", "99999999999999999999d", "99999999999999999999"] {
            assert!(parse_duration(word).is_err(), "{word}");
        }
    }
}
