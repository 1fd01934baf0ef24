use std::collections::BTreeMap;

use super::job::replace_zeros;
use crate::{Arrival, LimitRule, LimitSubject, NameBounds, Timestamp};

/// The rules of a queue or a type, and what its rate has spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedLimit {
    /// What they are about.
    pub subject: LimitSubject,
    /// The rule of the configuration. A type without any rule may still be closed.
    pub configured: Option<LimitRule>,
    /// The rule that was set by hand.
    pub manual: Option<LimitRule>,
    /// The state of its rate.
    pub arrival: Arrival,
    /// Until when a handler asked it to slow down.
    pub closed_until: Option<Timestamp>,
}

/// What the rate of a key has spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedLimitKey {
    /// The type, which has a rule.
    pub job_type: String,
    /// The key; never empty.
    pub key: String,
    /// The state of its rate.
    pub arrival: Arrival,
    /// Until when a handler asked it to slow down.
    pub closed_until: Option<Timestamp>,
}

impl MovedLimitKey {
    /// Brings keys into the form in which every database has them: in order, each once, without a character for zero.
    /// What says nothing is left out, and so is a key that is longer than that of any job that can move everywhere.
    pub fn normal(keys: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut merged: BTreeMap<(String, String), (Arrival, Option<Timestamp>)> = BTreeMap::new();
        for Self { job_type, mut key, arrival, closed_until } in keys {
            replace_zeros(&mut key);
            let is_known = arrival != Arrival::default() || closed_until.is_some();
            if !is_known || key.is_empty() || key.len() > NameBounds::INDEXED.limit_key {
                continue;
            }
            let state = merged.entry((job_type, key)).or_default();
            *state = (state.0.max(arrival), state.1.max(closed_until));
        }
        let whole = |((job_type, key), (arrival, closed_until))| Self { job_type, key, arrival, closed_until };
        merged.into_iter().map(whole).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_keys_that_become_one_keep_the_later_state() {
        let of = |key: &str, arrival: i64, closed_ms: Option<i64>| MovedLimitKey {
            job_type: "sync".to_owned(),
            key: key.to_owned(),
            arrival: Arrival(arrival),
            closed_until: closed_ms.map(Timestamp::from_ms),
        };
        let long = "k".repeat(NameBounds::INDEXED.limit_key + 1);
        let keys =
            [of("b", 1, None), of("a\0", 5, None), of("a\u{fffd}", 3, Some(7)), of("c", 0, None), of(&long, 1, None)];
        assert_eq!(MovedLimitKey::normal(keys), [of("a\u{fffd}", 5, Some(7)), of("b", 1, None)]);
    }
}
