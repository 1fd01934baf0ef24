use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// The priority of a job. Higher runs first; jobs of the same priority run in the order of their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Priority(pub i32);

/// The word is not a priority.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "\"{word}\" is not a priority: expected a whole number from {} to {}, or low, normal, high, urgent or critical",
    i32::MIN,
    i32::MAX
)]
pub struct InvalidPriority {
    /// The word that was given.
    pub word: String,
}

impl Priority {
    /// The names, lowest first.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("low", Self::LOW),
        ("normal", Self::NORMAL),
        ("high", Self::HIGH),
        ("urgent", Self::URGENT),
        ("critical", Self::CRITICAL),
    ];
    /// 0
    pub const LOW: Self = Self(0);
    /// 5, the default.
    pub const NORMAL: Self = Self(5);
    /// 10
    pub const HIGH: Self = Self(10);
    /// 15
    pub const URGENT: Self = Self(15);
    /// 20
    pub const CRITICAL: Self = Self(20);
}

impl Default for Priority {
    fn default() -> Self {
        Self::NORMAL
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Priority {
    type Err = InvalidPriority;

    fn from_str(word: &str) -> Result<Self, InvalidPriority> {
        if let Some((_, priority)) = Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
            return Ok(*priority);
        }
        word.parse().map(Self).map_err(|_| InvalidPriority { word: word.to_owned() })
    }
}

impl<'de> Deserialize<'de> for Priority {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PriorityVisitor)
    }
}

struct PriorityVisitor;

impl Visitor<'_> for PriorityVisitor {
    type Value = Priority;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, or low, normal, high, urgent or critical")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Priority, E> {
        word.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Priority, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Priority, E> {
        self.visit_str(&number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_is_a_number_or_a_name() {
        assert_eq!("high".parse(), Ok(Priority(10)));
        assert_eq!("-3".parse(), Ok(Priority(-3)));
        assert!("loud".parse::<Priority>().is_err());
        assert!("2147483648".parse::<Priority>().is_err());
        assert_eq!(serde_json::from_str::<Priority>("\"urgent\"").unwrap(), Priority(15));
        assert_eq!(serde_json::from_str::<Priority>("7").unwrap(), Priority(7));
        assert!(serde_json::from_str::<Priority>("1.5").is_err());
    }
}
