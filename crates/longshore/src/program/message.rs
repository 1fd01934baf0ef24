use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::command::message::{message_in, present};

/// A message from a program that stays, in a line of its standard output: `{"longshore": {"job": 7, "done": null}}`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    /// It is ready for its first job, and speaks this version of the protocol.
    pub(super) ready: Option<u32>,
    /// The job that the rest is about.
    pub(super) job: Option<i64>,
    /// The job's progress, from 0 to 1.
    pub(super) progress: Option<f64>,
    /// The job's progress message.
    pub(super) message: Option<String>,
    /// A line for the job's log.
    pub(super) log: Option<String>,
    /// Where the job stands, for its next attempt; JSON's `null` is a checkpoint too.
    #[serde(default, deserialize_with = "present")]
    pub(super) checkpoint: Option<Box<RawValue>>,
    /// The job ends; run it again after this long.
    #[serde(default, deserialize_with = "longshore_core::deserialize_duration")]
    pub(super) snooze: Option<Duration>,
    /// The job ends; run it again after this long, because another side asked to slow down.
    #[serde(default, deserialize_with = "longshore_core::deserialize_duration")]
    pub(super) rate_limited: Option<Duration>,
    /// The job is complete, with this result.
    #[serde(default, deserialize_with = "present")]
    pub(super) done: Option<Box<RawValue>>,
    /// The job has failed, with this failure type.
    pub(super) failure_type: Option<String>,
    /// The job has failed, with this message.
    pub(super) error_message: Option<String>,
    /// Where it failed.
    pub(super) traceback: Option<String>,
}

impl Message {
    /// Parses a line of standard output. `None` if it is not exactly a message.
    pub(super) fn parse(line: &str) -> Option<Self> {
        message_in(line).filter(Self::says_something)
    }

    /// Whether it ends its job as failed.
    pub(super) const fn is_failure(&self) -> bool {
        self.failure_type.is_some() || self.error_message.is_some() || self.traceback.is_some()
    }

    /// Whether it ends its job.
    pub(super) const fn is_end(&self) -> bool {
        self.is_failure() || self.done.is_some() || self.snooze.is_some() || self.rate_limited.is_some()
    }

    const fn says_something(&self) -> bool {
        let has_news =
            self.progress.is_some() || self.message.is_some() || self.log.is_some() || self.checkpoint.is_some();
        self.ready.is_some() || has_news || self.is_end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_message_is_read() {
        let parse = |inside: &str| Message::parse(&format!("{{\"longshore\": {{{inside}}}}}")).unwrap();
        assert_eq!(parse(r#""ready": 1"#).ready, Some(1));
        let progress = parse(r#""job": 7, "progress": 0.5, "message": "half""#);
        assert_eq!((progress.job, progress.progress, progress.message.as_deref()), (Some(7), Some(0.5), Some("half")));
        assert!(!progress.is_end());
        assert_eq!(parse(r#""job": 7, "log": "a""#).log.as_deref(), Some("a"));
        assert_eq!(parse(r#""job": 7, "checkpoint": null"#).checkpoint.unwrap().get(), "null");
        let done = parse(r#""job": 7, "done": {"b": 1.10}"#);
        assert_eq!(done.done.as_ref().unwrap().get(), r#"{"b": 1.10}"#);
        assert!(done.is_end() && !done.is_failure());
        assert_eq!(parse(r#""job": 7, "done": null"#).done.unwrap().get(), "null");
        for end in [r#""snooze": "2s""#, r#""rate_limited": "2s""#, r#""failure_type": "x""#, r#""traceback": "x""#] {
            assert!(parse(&format!("\"job\": 7, {end}")).is_end(), "{end}");
        }
    }

    #[test]
    fn what_is_not_exactly_a_message_is_an_ordinary_line() {
        for line in [
            "",
            "longshore",
            r#"{"longshore": {"job": 7}}"#,
            r#"{"longshore": {}}"#,
            r#"{"longshore": {"job": "7", "done": null}}"#,
            r#"{"longshore": {"job": 7, "result": null}}"#,
            r#"{"longshore": {"job": 7, "done": null}, "more": 1}"#,
            r#"{"longshore": {"job": 7, "snooze": 5}}"#,
            r#"{"longshore": {"ready": true}}"#,
        ] {
            assert!(Message::parse(line).is_none(), "{line}");
        }
    }
}
