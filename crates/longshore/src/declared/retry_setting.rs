use std::fmt;
use std::time::Duration;

use longshore_core::{Backoff, RetryPolicy, deserialize_duration, parse_duration};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, de};

/// `retry` in the configuration of a job type: a name, a list of delays, or a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RetrySetting {
    pub(super) policy: RetryPolicy,
}

/// The policies that have a name. With the name alone, 15 retries take about a day.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Named {
    Exponential,
    Linear,
    Fixed,
    Quick,
}

/// 12 min · (1 + 2 + … + 15) = 24 h.
const LINEAR_STEP: Duration = Duration::from_secs(12 * 60);
/// 96 min · 15 = 24 h.
const FIXED_DELAY: Duration = Duration::from_secs(96 * 60);
/// A longer list is a mistake.
const DELAYS_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    policy: Option<Named>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    first_delay: Option<Duration>,
    #[serde(default, deserialize_with = "factor")]
    factor: Option<f64>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    step: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    delay: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    delay_max: Option<Duration>,
    #[serde(default, deserialize_with = "jitter")]
    jitter: Option<f64>,
}

impl Named {
    const fn word(self) -> &'static str {
        match self {
            Self::Exponential => "exponential",
            Self::Linear => "linear",
            Self::Fixed => "fixed",
            Self::Quick => "quick",
        }
    }

    fn policy(self) -> RetryPolicy {
        match self {
            Self::Exponential => RetryPolicy::default(),
            Self::Linear => RetryPolicy::linear(LINEAR_STEP, LINEAR_STEP),
            Self::Fixed => RetryPolicy::fixed(FIXED_DELAY),
            Self::Quick => RetryPolicy::quick(),
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Exponential, Self::Linear, Self::Fixed, Self::Quick].into_iter().find(|named| named.word() == word)
    }
}

impl Table {
    /// Rejects a key that the policy does not use, because it would have no effect.
    fn policy(&self) -> Result<RetryPolicy, String> {
        let named = self.policy.unwrap_or(Named::Exponential);
        let used: &[&str] = match named {
            Named::Exponential | Named::Quick => &["first_delay", "factor", "delay_max"],
            Named::Linear => &["first_delay", "step", "delay_max"],
            Named::Fixed => &["delay"],
        };
        if let Some(unused) = self.given().find(|key| !used.contains(key)) {
            let (name, keys) = (named.word(), used.join(", "));
            return Err(format!("`{unused}` has no effect in the policy \"{name}\": its keys are {keys} and jitter"));
        }
        let mut policy = named.policy();
        policy.jitter = self.jitter.unwrap_or(policy.jitter);
        policy.backoff = self.backoff(policy.backoff);
        Ok(policy)
    }

    fn given(&self) -> impl Iterator<Item = &'static str> {
        let keys = [
            ("first_delay", self.first_delay.is_some()),
            ("factor", self.factor.is_some()),
            ("step", self.step.is_some()),
            ("delay", self.delay.is_some()),
            ("delay_max", self.delay_max.is_some()),
        ];
        keys.into_iter().filter(|(_, is_given)| *is_given).map(|(key, _)| key)
    }

    fn backoff(&self, usual: Backoff) -> Backoff {
        // A first delay of a day must not be cut silently to the usual longest delay.
        let longest = |usual: Duration, first_delay| self.delay_max.unwrap_or(usual.max(first_delay));
        match usual {
            Backoff::Exponential { first_delay, factor, delay_max } => {
                let first_delay = self.first_delay.unwrap_or(first_delay);
                let factor = self.factor.unwrap_or(factor);
                Backoff::Exponential { first_delay, factor, delay_max: longest(delay_max, first_delay) }
            }
            Backoff::Linear { delay_max, .. } => {
                let first_delay = self.first_delay.or(self.step).unwrap_or(LINEAR_STEP);
                let step = self.step.unwrap_or(first_delay);
                Backoff::Linear { first_delay, step, delay_max: longest(delay_max, first_delay) }
            }
            Backoff::Fixed { delay } => Backoff::Fixed { delay: self.delay.unwrap_or(delay) },
            listed @ Backoff::Delays(_) => listed,
        }
    }
}

impl<'de> Deserialize<'de> for RetrySetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Forms)
    }
}

struct Forms;

impl<'de> Visitor<'de> for Forms {
    type Value = RetrySetting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "\"exponential\", \"linear\", \"fixed\" or \"quick\", a list of delays such as [\"1s\", \"1m\"], or a \
             table such as { policy = \"fixed\", delay = \"5m\" }",
        )
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<RetrySetting, E> {
        let named = Named::from_word(word).ok_or_else(|| {
            let known =
                "\"exponential\", \"linear\", \"fixed\", \"quick\" or a list of delays such as [\"1s\", \"1m\"]";
            E::custom(format!("\"{word}\" is not a retry policy: expected {known}"))
        })?;
        Ok(RetrySetting { policy: named.policy() })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut delays: A) -> Result<RetrySetting, A::Error> {
        let mut read = Vec::new();
        while let Some(word) = delays.next_element::<String>()? {
            if read.len() == DELAYS_MAX {
                return Err(de::Error::custom(format!("the list has more than {DELAYS_MAX} delays")));
            }
            read.push(parse_duration(&word).map_err(de::Error::custom)?);
        }
        if read.is_empty() {
            return Err(de::Error::custom("the list of delays is empty; max_retries = 0 means no retry"));
        }
        Ok(RetrySetting { policy: RetryPolicy::delays(read) })
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<RetrySetting, A::Error> {
        let table = Table::deserialize(MapAccessDeserializer::new(table))?;
        Ok(RetrySetting { policy: table.policy().map_err(de::Error::custom)? })
    }
}

fn factor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    number_from(deserializer, 1.0, 1000.0)
}

fn jitter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    number_from(deserializer, 0.0, 1.0)
}

fn number_from<'de, D: Deserializer<'de>>(deserializer: D, min: f64, max: f64) -> Result<Option<f64>, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if !(min..=max).contains(&number) {
        return Err(de::Error::custom(format!("{number} is out of range: expected a number from {min} to {max}")));
    }
    Ok(Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Holder {
        retry: RetrySetting,
    }

    fn parse(value: &str) -> Result<RetryPolicy, String> {
        let read = toml::from_str::<Holder>(&format!("retry = {value}"));
        read.map(|holder| holder.retry.policy).map_err(|error| error.to_string())
    }

    fn seconds(span: u64) -> Duration {
        Duration::from_secs(span)
    }

    #[test]
    fn a_policy_has_a_name_a_list_or_a_table() {
        let table = [
            ("\"quick\"", RetryPolicy::quick()),
            ("\"exponential\"", RetryPolicy::default()),
            ("\"linear\"", RetryPolicy::linear(seconds(720), seconds(720))),
            ("\"fixed\"", RetryPolicy::fixed(seconds(5760))),
            ("[\"1s\", \"5s\", \"10m\"]", RetryPolicy::delays([1, 5, 600].map(seconds))),
            ("{ policy = \"fixed\", delay = \"30s\", jitter = 0 }", RetryPolicy::fixed(seconds(30)).jitter(0.0)),
            ("{ policy = \"linear\", step = \"1m\" }", RetryPolicy::linear(seconds(60), seconds(60))),
            (
                "{ policy = \"linear\", first_delay = \"9s\", step = \"1m\" }",
                RetryPolicy::linear(seconds(9), seconds(60)),
            ),
            ("{ first_delay = \"2s\" }", RetryPolicy::exponential(seconds(2), 3.0, seconds(12_600))),
            ("{ policy = \"quick\", factor = 4 }", RetryPolicy::exponential(seconds(1), 4.0, seconds(300)).retries(3)),
            ("{}", RetryPolicy::default()),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text).as_ref(), Ok(&expected), "{text}");
        }
        let long = parse("{ first_delay = \"1d\" }").unwrap();
        assert_eq!(long.delay(0, 0.5), seconds(86_400), "a first delay is not cut to the usual longest delay");
    }

    #[test]
    fn a_named_policy_alone_takes_about_a_day() {
        for name in ["exponential", "linear", "fixed"] {
            let policy = parse(&format!("\"{name}\"")).unwrap();
            let total = (0..policy.retries).map(|retry| policy.delay(retry, 0.5).as_secs()).sum::<u64>();
            assert!((23 * 3600..=24 * 3600).contains(&total), "{name}: {total}");
        }
    }

    #[test]
    fn a_mistake_is_named() {
        let table = [
            ("\"slow\"", "\"slow\" is not a retry policy: expected \"exponential\""),
            ("5", "expected \"exponential\""),
            ("[]", "the list of delays is empty"),
            ("[\"soon\"]", "\"soon\" is not a duration"),
            ("[5]", "expected a string"),
            ("{ policy = \"square\" }", "unknown variant `square`"),
            ("{ polcy = \"fixed\" }", "unknown field `polcy`"),
            (
                "{ policy = \"fixed\", factor = 2 }",
                "`factor` has no effect in the policy \"fixed\": its keys are delay",
            ),
            ("{ step = \"1s\" }", "`step` has no effect in the policy \"exponential\""),
            ("{ factor = 0.5 }", "0.5 is out of range: expected a number from 1 to 1000"),
            ("{ jitter = 2 }", "2 is out of range"),
        ];
        for (text, expected) in table {
            let message = parse(text).unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
