use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
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
    let duration = humantime::parse_duration(word);
    let duration = duration.map_err(|_| InvalidDuration::NoDuration { word: word.to_owned() })?;
    if with_unit(word, "m") == word {
        return Ok(duration);
    }
    let (minutes, months) = (with_unit(word, "m"), with_unit(word, "months"));
    Err(InvalidDuration::MinutesOrMonths { word: word.to_owned(), minutes, months })
}

/// Replaces every unit `M` with `unit`. No other accepted unit has a capital letter.
fn with_unit(word: &str, unit: &str) -> String {
    word.replace('M', unit)
}

/// [`parse_duration`] for serde fields. Null is `None`.
pub fn deserialize_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let word = Option::<String>::deserialize(deserializer)?;
    word.map(|word| parse_duration(&word)).transpose().map_err(de::Error::custom)
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
    fn a_duration_has_a_unit() {
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5400)));
        for word in ["", "5", "soon", "-5s", "99999999999999999999d"] {
            assert!(parse_duration(word).is_err(), "{word}");
        }
    }
}
