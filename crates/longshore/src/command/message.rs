use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A message from a program, in a line of its standard output: `{"longshore": {"progress": 0.4, "message": "page 4 of
/// 10"}}`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    /// Its progress, from 0 to 1.
    pub(super) progress: Option<f64>,
    /// Its progress message.
    pub(super) message: Option<String>,
    /// A line for its log.
    pub(super) log: Option<String>,
    /// Its result; JSON's `null` is a result too.
    #[serde(default, deserialize_with = "present")]
    pub(super) result: Option<Box<RawValue>>,
    /// Where it stands, for the next attempt; JSON's `null` is a checkpoint too.
    #[serde(default, deserialize_with = "present")]
    pub(super) checkpoint: Option<Box<RawValue>>,
    /// The failure type, if it then fails.
    pub(super) failure_type: Option<String>,
    /// The failure message, if it then fails.
    pub(super) error_message: Option<String>,
    /// Run the job again after this long, if it then exits with 0.
    #[serde(default, deserialize_with = "longshore_core::deserialize_duration")]
    pub(super) snooze: Option<Duration>,
    /// Run the job again after this long, because another side asked to slow down.
    #[serde(default, deserialize_with = "longshore_core::deserialize_duration")]
    pub(super) rate_limited: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<M> {
    longshore: M,
}

/// What a line of standard output says, if it is exactly a message of this kind.
pub(crate) fn message_in<M: DeserializeOwned>(line: &str) -> Option<M> {
    // Most lines are not messages, and some programs log much JSON.
    if !line.trim_start().starts_with('{') || !line.contains("longshore") {
        return None;
    }
    serde_json::from_str::<Envelope<M>>(line).ok().map(|envelope| envelope.longshore)
}

impl Message {
    /// Parses a line of standard output. `None` if it is not exactly a message.
    pub(super) fn parse(line: &str) -> Option<Self> {
        message_in(line).filter(|message: &Self| !message.is_empty())
    }

    fn is_empty(&self) -> bool {
        let Self { progress, message, log, result, checkpoint, failure_type, error_message, snooze, rate_limited } =
            self;
        progress.is_none()
            && message.is_none()
            && result.is_none()
            && checkpoint.is_none()
            && failure_type.is_none()
            && error_message.is_none()
            && snooze.is_none()
            && rate_limited.is_none()
            && log.is_none()
    }
}

/// `Some` for `null` too, which serde would treat as an absent field.
pub(crate) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_message_is_read() {
        let progress = Message::parse(r#"{"longshore": {"progress": 0.4, "message": "page 4 of 10"}}"#).unwrap();
        assert_eq!((progress.progress, progress.message.as_deref()), (Some(0.4), Some("page 4 of 10")));
        let result = Message::parse(r#" { "longshore" : {"result": {"b": 1.10}} } "#).unwrap();
        assert_eq!(result.result.unwrap().get(), r#"{"b": 1.10}"#);
        let failure =
            Message::parse(r#"{"longshore": {"failure_type": "network_error", "error_message": "no"}}"#).unwrap();
        assert_eq!(failure.failure_type.as_deref(), Some("network_error"));
        let checkpoint = Message::parse(r#"{"longshore": {"checkpoint": {"page": 7}}}"#).unwrap();
        assert_eq!(checkpoint.checkpoint.unwrap().get(), r#"{"page": 7}"#);
        let snooze = Message::parse(r#"{"longshore": {"snooze": "2s"}}"#).unwrap();
        assert_eq!(snooze.snooze, Some(Duration::from_secs(2)));
        let limited = Message::parse(r#"{"longshore": {"rate_limited": "30s"}}"#).unwrap();
        assert_eq!(limited.rate_limited, Some(Duration::from_secs(30)));
        assert_eq!(Message::parse(r#"{"longshore": {"log": "a"}}"#).unwrap().log.as_deref(), Some("a"));
    }

    #[test]
    fn null_is_a_result_and_a_checkpoint() {
        assert_eq!(Message::parse(r#"{"longshore": {"result": null}}"#).unwrap().result.unwrap().get(), "null");
        let checkpoint = Message::parse(r#"{"longshore": {"checkpoint": null}}"#).unwrap().checkpoint;
        assert_eq!(checkpoint.unwrap().get(), "null");
    }

    #[test]
    fn what_is_not_exactly_a_message_is_an_ordinary_line() {
        for line in [
            "",
            "longshore",
            r#"{"longshore": {"progress": 0.4}, "level": "info"}"#,
            r#"{"longshore": {"progress": "0.4"}}"#,
            r#"{"longshore": {"progres": 0.4}}"#,
            r#"{"longshore": {"snooze": "soon"}}"#,
            r#"{"longshore": {"rate_limited": 30}}"#,
            r#"{"longshore": {"progress": 0.1}} {"longshore": {"progress": 0.2}}"#,
            r#"{"longshore": {"progress": 0.1}, "longshore": {"progress": 0.2}}"#,
            r#"{"longshore": {}}"#,
            r#"{"longshore": null}"#,
            r#"{"longshore": 1"#,
            r#"["longshore"]"#,
            r#"{"level": "info", "text": "longshore started"}"#,
        ] {
            assert!(Message::parse(line).is_none(), "{line}");
        }
    }
}
