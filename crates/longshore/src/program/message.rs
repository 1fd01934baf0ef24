use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::command::message::{MessageKind, present};

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
    /// Whether it ends its job as failed.
    pub(super) const fn is_failure(&self) -> bool {
        self.failure_type.is_some() || self.error_message.is_some() || self.traceback.is_some()
    }

    /// Whether it ends its job.
    pub(super) const fn is_end(&self) -> bool {
        self.is_failure() || self.done.is_some() || self.snooze.is_some() || self.rate_limited.is_some()
    }
}

impl MessageKind for Message {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("ready", "the version of the protocol, a number"),
        ("job", "the id of the job, a number"),
        ("progress", "a number from 0 to 1"),
        ("message", "a text"),
        ("log", "a text"),
        ("checkpoint", "JSON"),
        ("snooze", "a duration such as \"30s\""),
        ("rate_limited", "a duration such as \"30s\""),
        ("done", "JSON"),
        ("failure_type", "a text"),
        ("error_message", "a text"),
        ("traceback", "a text"),
    ];
    const ENDS: &'static [&'static str] = &["snooze", "rate_limited", "failure_type", "error_message", "traceback"];
    const NEWS: &'static [&'static str] = &["ready", "progress", "message", "log", "checkpoint"];

    fn says_something(&self) -> bool {
        let has_news =
            self.progress.is_some() || self.message.is_some() || self.log.is_some() || self.checkpoint.is_some();
        self.ready.is_some() || has_news || self.is_end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::message::{Fault, Spoken, read_line};

    #[test]
    fn every_kind_of_message_is_read() {
        let parse = |inside: &str| match read_line::<Message>(&format!("{{\"longshore\": {{{inside}}}}}")) {
            Spoken::Message { message, note: None } => message,
            other => panic!("{inside}: {other:?}"),
        };
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
    fn what_does_not_begin_like_a_message_or_has_another_key_is_an_ordinary_line() {
        for line in ["", "longshore", r#"{"longshore": {"job": 7, "done": null}, "more": 1}"#] {
            assert!(matches!(read_line::<Message>(line), Spoken::Line), "{line}");
        }
    }

    #[test]
    fn a_message_that_cannot_be_read_is_a_fault_of_the_job_that_it_names() {
        let fault = |inside: &str| match read_line::<Message>(&format!("{{\"longshore\": {inside}}}")) {
            Spoken::Fault(Fault { job, reason }) => (job, reason),
            other => panic!("{inside}: {other:?}"),
        };
        let duration = |value: &str| format!("needs a duration such as \"30s\", but is {value}");
        for (inside, job, expected) in [
            (r#"{"job": 7, "snooze": 5}"#, Some(7), duration("5")),
            (r#"{"job": 7, "rate_limited": null}"#, Some(7), duration("null")),
            (r#"{"job": "7", "done": null}"#, None, "needs the id of the job, a number, but is \"7\"".to_owned()),
            (r#"{"job": 7, "log": 1, "traceback": 2}"#, Some(7), "\"traceback\" needs a text, but is 2".to_owned()),
            (r#"{"job": 7, "done": NaN}"#, None, "is not valid JSON".to_owned()),
            ("5", None, "but is 5".to_owned()),
        ] {
            let (named, reason) = fault(inside);
            assert!(named == job && reason.contains(&expected), "{inside}: {named:?} {reason}");
        }
    }

    #[test]
    fn an_unknown_name_news_that_cannot_be_read_and_a_message_that_says_nothing_are_noted() {
        for inside in [
            r#"{"job": 7}"#,
            "{}",
            r#"{"job": 7, "result": null}"#,
            r#"{"job": 7, "progress": "50%"}"#,
            r#"{"ready": true}"#,
        ] {
            let spoken = read_line::<Message>(&format!("{{\"longshore\": {inside}}}"));
            assert!(
                matches!(&spoken, Spoken::Message { message, note: Some(_) } if !message.says_something()),
                "{inside}: {spoken:?}"
            );
        }
        for inside in [r#"{"job": 7, "done": 1, "new": 2}"#, r#"{"job": 7, "done": 1, "log": 2}"#] {
            let spoken = read_line::<Message>(&format!("{{\"longshore\": {inside}}}"));
            assert!(matches!(&spoken, Spoken::Message { message, note: Some(_) } if message.is_end()), "{spoken:?}");
        }
    }
}
