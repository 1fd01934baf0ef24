use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use thiserror::Error;

/// A word that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{word}\" is no duration: expected one such as 500ms, 30s, 10m, 2h or 7d")]
pub struct InvalidDuration {
    word: String,
}

/// Reads a duration such as `90s`, as the command line, the configuration and JSON have it.
pub fn parse_duration(word: &str) -> Result<Duration, InvalidDuration> {
    humantime::parse_duration(word).map_err(|_| InvalidDuration { word: word.to_owned() })
}

/// [`parse_duration`] for a field that serde reads; null is none.
pub fn deserialize_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let word = Option::<String>::deserialize(deserializer)?;
    word.map(|word| parse_duration(&word)).transpose().map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5400)));
        for word in ["", "5", "soon", "-5s", "99999999999999999999d"] {
            assert!(parse_duration(word).is_err(), "{word}");
        }
    }
}
