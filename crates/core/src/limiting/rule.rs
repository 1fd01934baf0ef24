use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::job::new_job::{NAME_BYTES_MAX, check_name};
use crate::{InvalidJob, InvalidKeyPointer, InvalidRate, KeyPointer, LimitScope, Pace, Rate};

/// What a limit is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitSubject {
    /// The jobs of a queue.
    Queue(String),
    /// The jobs of a type.
    Type(String),
}

impl LimitSubject {
    /// Its name.
    pub fn name(&self) -> &str {
        let (Self::Queue(name) | Self::Type(name)) = self;
        name
    }

    /// Whether it is a queue or a type.
    pub const fn scope(&self) -> LimitScope {
        match self {
            Self::Queue(_) => LimitScope::Queue,
            Self::Type(_) => LimitScope::Type,
        }
    }
}

impl fmt::Display for LimitSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(name) => write!(f, "queue {name}"),
            Self::Type(name) => write!(f, "type {name}"),
        }
    }
}

/// The limit of a queue or a type. Of a queue only `concurrency`.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitRule {
    /// How many run at once, over all processes and hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// How often they start, retries included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// How many may start at once after a pause. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// Where the payload has the key. With it, jobs of different keys take turns. A key that an enqueue sets by hand
    /// comes before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyPointer>,
    /// How many of one key run at once. Jobs without a key are not limited by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_concurrency: Option<u32>,
    /// How often those of one key start, without bursts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_rate: Option<Rate>,
    /// The turns of a key, where others have one. From 1 to 1000.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, u32>,
}

/// Why a limit is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidLimit {
    /// The name of the queue, the type or a key.
    #[error(transparent)]
    Name(#[from] InvalidJob),
    /// The rate.
    #[error(transparent)]
    Rate(#[from] InvalidRate),
    /// The pointer.
    #[error(transparent)]
    Pointer(#[from] InvalidKeyPointer),
    /// A number that permits nothing, or is absurd.
    #[error("{what} must be from 1 to {max}{}", instead(.what, *.number, .subject))]
    OutOfRange {
        /// What the number is.
        what: &'static str,
        /// The number.
        number: u32,
        /// The maximum.
        max: u32,
        /// What it is about.
        subject: LimitSubject,
    },
    /// The weight of a key.
    #[error("the weight of {key} must be from 1 to {}", LimitRule::WEIGHT_MAX)]
    Weight {
        /// The key.
        key: String,
    },
    /// A property that has no effect without another one.
    #[error("{what} has no effect without {needed}: give both or neither")]
    Needs {
        /// What was given.
        what: &'static str,
        /// What is missing.
        needed: &'static str,
    },
    /// A property that only a type has.
    #[error("a queue has no {what}: set it for the job types, or give the queue a concurrency")]
    OnlyForTypes {
        /// What was given.
        what: &'static str,
    },
    /// Too many weights.
    #[error("at most {} keys may have a weight", LimitRule::WEIGHTS_MAX)]
    TooManyWeights,
    /// It limits nothing.
    #[error("the limit of {subject} limits nothing: give a concurrency, a rate or a key")]
    Nothing {
        /// What it is about.
        subject: LimitSubject,
    },
}

/// What to do instead of setting this number, if there is something.
fn instead(what: &str, number: u32, subject: &LimitSubject) -> &'static str {
    match (what, number, subject) {
        ("concurrency", 0, LimitSubject::Queue(_)) => "; to stop the queue, pause it",
        ("concurrency", 0, LimitSubject::Type(_)) => "; to stop the jobs of a type, pause their queue",
        _ => "",
    }
}

impl LimitRule {
    /// The largest concurrency and the largest burst.
    pub const NUMBER_MAX: u32 = 1_000_000;
    /// The largest weight of a key.
    pub const WEIGHT_MAX: u32 = 1000;
    /// How many keys may have a weight.
    pub const WEIGHTS_MAX: usize = 10_000;
    /// How far one job moves the turn of a key with the weight 1.
    const STRIDE: i64 = 1_000_000;

    /// Checks the rule for this subject. A rule that limits nothing passes.
    pub fn check(&self, subject: &LimitSubject) -> Result<(), InvalidLimit> {
        match subject {
            LimitSubject::Queue(name) => {
                InvalidJob::check_queue(name)?;
                self.check_for_queue()?;
            }
            LimitSubject::Type(name) => check_name("job type", name, NAME_BYTES_MAX)?,
        }
        let numbers =
            [("concurrency", self.concurrency), ("burst", self.burst), ("key_concurrency", self.key_concurrency)];
        for (what, number) in numbers {
            if let Some(number) = number.filter(|number| !(1..=Self::NUMBER_MAX).contains(number)) {
                let subject = subject.clone();
                return Err(InvalidLimit::OutOfRange { what, number, max: Self::NUMBER_MAX, subject });
            }
        }
        self.check_pairs()?;
        self.check_weights()
    }

    fn check_for_queue(&self) -> Result<(), InvalidLimit> {
        let of_types = [
            ("rate", self.rate.is_some()),
            ("burst", self.burst.is_some()),
            ("key", self.key.is_some()),
            ("key_concurrency", self.key_concurrency.is_some()),
            ("key_rate", self.key_rate.is_some()),
            ("weights", !self.weights.is_empty()),
        ];
        match of_types.into_iter().find(|(_, is_given)| *is_given) {
            Some((what, _)) => Err(InvalidLimit::OnlyForTypes { what }),
            None => Ok(()),
        }
    }

    fn check_pairs(&self) -> Result<(), InvalidLimit> {
        let pairs = [
            ("burst", self.burst.is_some(), "rate", self.rate.is_some()),
            ("key_concurrency", self.key_concurrency.is_some(), "key", self.key.is_some()),
            ("key_rate", self.key_rate.is_some(), "key", self.key.is_some()),
            ("weights", !self.weights.is_empty(), "key", self.key.is_some()),
        ];
        for (what, is_given, needed, has_needed) in pairs {
            if is_given && !has_needed {
                return Err(InvalidLimit::Needs { what, needed });
            }
        }
        Ok(())
    }

    fn check_weights(&self) -> Result<(), InvalidLimit> {
        if self.weights.len() > Self::WEIGHTS_MAX {
            return Err(InvalidLimit::TooManyWeights);
        }
        for (key, weight) in &self.weights {
            check_name("key", key, NAME_BYTES_MAX)?;
            if !(1..=Self::WEIGHT_MAX).contains(weight) {
                return Err(InvalidLimit::Weight { key: key.clone() });
            }
        }
        Ok(())
    }

    /// The rule as a database keeps it.
    pub fn to_document(&self) -> String {
        serde_json::to_string(self).expect("a rule has only texts and numbers")
    }

    /// A stored rule. One that cannot be read limits nothing.
    pub fn from_document(document: &str) -> Self {
        serde_json::from_str(document).unwrap_or_default()
    }

    /// Whether it limits nothing, so that it is the same as no rule.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The pace of the type.
    pub fn pace(&self) -> Option<Pace> {
        self.rate.map(|rate| Pace::new(rate, self.burst.unwrap_or(1)))
    }

    /// The pace of each key.
    pub fn key_pace(&self) -> Option<Pace> {
        self.key_rate.map(|rate| Pace::new(rate, 1))
    }

    /// The weight of a key, or of the jobs without one.
    pub fn weight(&self, key: Option<&str>) -> u32 {
        key.and_then(|key| self.weights.get(key)).copied().unwrap_or(1)
    }

    /// How far one job moves the turn of its key. The key with the lowest turn is next, so one with the weight 3 gets
    /// three jobs while others get one (start-time fair queueing).
    pub fn stride(&self, key: Option<&str>) -> i64 {
        Self::STRIDE / i64::from(self.weight(key).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(change: impl FnOnce(&mut LimitRule)) -> Result<(), String> {
        let mut rule = LimitRule::default();
        change(&mut rule);
        rule.check(&LimitSubject::Type("sync".to_owned())).map_err(|error| error.to_string())
    }

    #[test]
    fn what_permits_nothing_or_has_no_effect_is_refused() {
        assert_eq!(checked(|rule| rule.concurrency = Some(1)), Ok(()));
        let needs = |what, needed| Err(format!("{what} has no effect without {needed}: give both or neither"));
        assert_eq!(checked(|rule| rule.burst = Some(5)), needs("burst", "rate"));
        assert_eq!(checked(|rule| rule.key_concurrency = Some(5)), needs("key_concurrency", "key"));
        assert_eq!(checked(|rule| rule.key_rate = Some("5/1s".parse().unwrap())), needs("key_rate", "key"));
        assert_eq!(checked(|rule| rule.weights = BTreeMap::from([("a".to_owned(), 1)])), needs("weights", "key"));
        for zero in [0, LimitRule::NUMBER_MAX + 1] {
            assert!(
                checked(|rule| rule.concurrency = Some(zero)).unwrap_err().starts_with("concurrency must be from 1")
            );
        }
        assert_eq!(
            checked(|rule| rule.concurrency = Some(0)),
            Err("concurrency must be from 1 to 1000000; to stop the jobs of a type, pause their queue".to_owned())
        );
        let burst = |burst| {
            checked(|rule| {
                rule.rate = Some("5/1s".parse().unwrap());
                rule.burst = Some(burst);
            })
        };
        assert_eq!(burst(0), Err("burst must be from 1 to 1000000".to_owned()));
        assert_eq!(burst(LimitRule::NUMBER_MAX + 1), burst(0));
        let weight = |weight| {
            checked(|rule| {
                rule.key = Some("/a".parse().unwrap());
                rule.weights.insert("acme".to_owned(), weight);
            })
        };
        assert_eq!(weight(0), Err("the weight of acme must be from 1 to 1000".to_owned()));
        assert_eq!(weight(1000), Ok(()));
    }

    #[test]
    fn a_queue_has_a_concurrency_alone() {
        let queue = LimitSubject::Queue("api".to_owned());
        let rule = LimitRule { concurrency: Some(20), ..LimitRule::default() };
        assert_eq!(rule.check(&queue), Ok(()));
        let none = LimitRule { concurrency: Some(0), ..LimitRule::default() };
        assert_eq!(
            none.check(&queue).unwrap_err().to_string(),
            "concurrency must be from 1 to 1000000; to stop the queue, pause it"
        );
        let rule = LimitRule { rate: Some("5/1s".parse().unwrap()), ..rule };
        assert_eq!(rule.check(&queue), Err(InvalidLimit::OnlyForTypes { what: "rate" }));
        assert!(rule.check(&LimitSubject::Queue(String::new())).is_err());
    }

    #[test]
    fn a_rule_is_kept_as_a_document_of_what_it_sets() {
        let document = r#"{"concurrency":50,"rate":"1000/1m","burst":20,"key":"/tenant_id","key_concurrency":2,"key_rate":"100/1m","weights":{"acme":3}}"#;
        let rule: LimitRule = serde_json::from_str(document).unwrap();
        assert_eq!(serde_json::to_string(&rule).unwrap(), document);
        assert_eq!(serde_json::to_string(&LimitRule::default()).unwrap(), "{}");
        assert_eq!((rule.weight(Some("acme")), rule.weight(Some("other")), rule.weight(None)), (3, 1, 1));
        assert_eq!((rule.stride(Some("acme")), rule.stride(None)), (333_333, 1_000_000));
    }
}
