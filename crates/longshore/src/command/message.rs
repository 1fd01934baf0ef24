use std::collections::BTreeMap;
use std::time::Duration;

use longshore_core::JsonObject;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// How much of a value is quoted in an error message.
const QUOTED_CHARS_MAX: usize = 100;

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
    longshore: JsonObject<M>,
}

/// The messages of one protocol.
pub(crate) trait MessageKind: DeserializeOwned {
    /// Every name in them, and what its value is.
    const NAMES: &'static [(&'static str, &'static str)];
    /// The names that decide how a job ends, and whose null says nothing.
    const ENDS: &'static [&'static str];
    /// The names that cannot end a job. What cannot be read of them is left out, because the program goes on.
    const NEWS: &'static [&'static str];

    /// Whether anything follows from the message.
    fn says_something(&self) -> bool;
}

/// What a line of standard output is.
#[derive(Debug)]
pub(crate) enum Spoken<M> {
    /// An ordinary line.
    Line,
    /// A message.
    Message {
        /// What was understood of it.
        message: M,
        /// Why the line stays in the log: it has an unknown name, which a newer program may use, it has news that
        /// cannot be read, or it says nothing.
        note: Option<String>,
    },
    /// A message that cannot be read. Without it, the job could end in another way than its program said.
    Fault(Fault),
}

/// Why a message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The job that it names.
    pub(crate) job: Option<i64>,
    /// Why, for the error message of the job.
    pub(crate) reason: String,
}

/// Reads a line of standard output.
pub(crate) fn read_line<M: MessageKind>(line: &str) -> Spoken<M> {
    if !begins_like_a_message(line) {
        return Spoken::Line;
    }
    match serde_json::from_str::<Envelope<M>>(line) {
        Ok(Envelope { longshore: JsonObject(message) }) if message.says_something() => {
            Spoken::Message { message, note: None }
        }
        Ok(_) => read_names(line, "it says nothing"),
        Err(error) => read_names(line, &error.to_string()),
    }
}

/// Most lines are not messages, and some programs log much JSON.
fn begins_like_a_message(line: &str) -> bool {
    let inside = line.trim_start().strip_prefix('{');
    inside.is_some_and(|inside| inside.trim_start().starts_with("\"longshore\""))
}

type Names = BTreeMap<String, Box<RawValue>>;

/// Reads a message name by name. It could not be read as a whole for this reason.
fn read_names<M: MessageKind>(line: &str, reason: &str) -> Spoken<M> {
    let fault = |job: Option<i64>, reason: String| Spoken::Fault(Fault { job, reason });
    let outer: Names = match serde_json::from_str(line) {
        Ok(outer) => outer,
        Err(error) => return fault(None, format!("a message on standard output is not valid JSON: {error}")),
    };
    let Some(inside) = outer.get("longshore").filter(|_| outer.len() == 1) else { return Spoken::Line };
    let Ok(names) = serde_json::from_str::<Names>(inside.get()) else {
        let expected = "a message needs an object such as {\"longshore\": {\"progress\": 0.4}}";
        return fault(None, format!("{expected}, but is {}", short(inside.get())));
    };
    let job = names.get("job").and_then(|job| job.get().parse().ok());
    let (known, unknown): (Names, Names) = names.into_iter().partition(|(name, _)| expected::<M>(name).is_some());
    let (known, left_out): (Names, Names) =
        known.into_iter().partition(|(name, value)| is_readable::<M>(name, value.get()));
    if let Some((name, value)) = left_out.iter().find(|(name, _)| !M::NEWS.contains(&name.as_str())) {
        return fault(job, unreadable::<M>(name, value.get()));
    }
    let message = serde_json::to_string(&known).and_then(|known| serde_json::from_str::<M>(&known));
    let message = match message {
        Ok(message) => message,
        Err(error) => return fault(job, format!("a message on standard output cannot be read: {error}")),
    };
    let says_something = message.says_something();
    if !says_something && let Some(name) = M::ENDS.iter().find(|name| known.contains_key(**name)) {
        return fault(job, unreadable::<M>(name, "null"));
    }
    if says_something && unknown.is_empty() && left_out.is_empty() {
        // One name was given twice.
        return fault(job, format!("a message on standard output cannot be read: {reason}"));
    }
    Spoken::Message { message, note: Some(note::<M>(&left_out, &unknown)) }
}

/// What of a message was not understood. The rest of it counts.
fn note<M: MessageKind>(left_out: &Names, unknown: &Names) -> String {
    let left_out = left_out.iter().map(|(name, value)| mismatch::<M>(name, value.get()));
    let unknown: Vec<String> = unknown.keys().map(|name| format!("{name:?} is unknown")).collect();
    let unknown = (!unknown.is_empty()).then(|| short(&unknown.join(", ")));
    let parts: Vec<String> = left_out.chain(unknown).collect();
    let why = if parts.is_empty() { "it says nothing".to_owned() } else { parts.join("; ") };
    format!("a message was not understood: {why}")
}

/// What the value of a name is.
fn expected<M: MessageKind>(name: &str) -> Option<&'static str> {
    M::NAMES.iter().find(|(known, _)| *known == name).map(|(_, expected)| *expected)
}

/// Whether the value of a known name can be read.
fn is_readable<M: MessageKind>(name: &str, value: &str) -> bool {
    serde_json::from_str::<M>(&format!("{{\"{name}\": {value}}}")).is_ok()
}

fn unreadable<M: MessageKind>(name: &str, value: &str) -> String {
    format!("the message {}", mismatch::<M>(name, value))
}

fn mismatch<M: MessageKind>(name: &str, value: &str) -> String {
    let expected = expected::<M>(name).unwrap_or_default();
    format!("{name:?} needs {expected}, but is {}", short(value))
}

fn short(text: &str) -> String {
    if text.chars().count() <= QUOTED_CHARS_MAX {
        return text.to_owned();
    }
    let begin: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    format!("{begin}…")
}

impl MessageKind for Message {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("progress", "a number from 0 to 1"),
        ("message", "a text"),
        ("log", "a text"),
        ("result", "JSON"),
        ("checkpoint", "JSON"),
        ("failure_type", "a text"),
        ("error_message", "a text"),
        ("snooze", "a duration such as \"30s\""),
        ("rate_limited", "a duration such as \"30s\""),
    ];
    const ENDS: &'static [&'static str] = &["snooze", "rate_limited"];
    const NEWS: &'static [&'static str] = &["progress", "message", "log", "checkpoint"];

    fn says_something(&self) -> bool {
        let Self { progress, message, log, result, checkpoint, failure_type, error_message, snooze, rate_limited } =
            self;
        progress.is_some()
            || message.is_some()
            || log.is_some()
            || result.is_some()
            || checkpoint.is_some()
            || failure_type.is_some()
            || error_message.is_some()
            || snooze.is_some()
            || rate_limited.is_some()
    }
}

/// `Some` for `null` too, which serde would treat as an absent field.
pub(crate) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(line: &str) -> Message {
        match read_line(line) {
            Spoken::Message { message, note: None } => message,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn fault(line: &str) -> String {
        match read_line::<Message>(line) {
            Spoken::Fault(fault) => fault.reason,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn every_kind_of_message_is_read() {
        let progress = message(r#"{"longshore": {"progress": 0.4, "message": "page 4 of 10"}}"#);
        assert_eq!((progress.progress, progress.message.as_deref()), (Some(0.4), Some("page 4 of 10")));
        let result = message(r#" { "longshore" : {"result": {"b": 1.10}} } "#);
        assert_eq!(result.result.unwrap().get(), r#"{"b": 1.10}"#);
        let failure = message(r#"{"longshore": {"failure_type": "network_error", "error_message": "no"}}"#);
        assert_eq!(failure.failure_type.as_deref(), Some("network_error"));
        let checkpoint = message(r#"{"longshore": {"checkpoint": {"page": 7}}}"#);
        assert_eq!(checkpoint.checkpoint.unwrap().get(), r#"{"page": 7}"#);
        let snooze = message(r#"{"longshore": {"snooze": "2s"}}"#);
        assert_eq!(snooze.snooze, Some(Duration::from_secs(2)));
        let limited = message(r#"{"longshore": {"rate_limited": "30s"}}"#);
        assert_eq!(limited.rate_limited, Some(Duration::from_secs(30)));
        assert_eq!(message(r#"{"longshore": {"log": "a"}}"#).log.as_deref(), Some("a"));
    }

    #[test]
    fn null_is_a_result_and_a_checkpoint() {
        assert_eq!(message(r#"{"longshore": {"result": null}}"#).result.unwrap().get(), "null");
        let checkpoint = message(r#"{"longshore": {"checkpoint": null}}"#).checkpoint;
        assert_eq!(checkpoint.unwrap().get(), "null");
    }

    #[test]
    fn what_does_not_begin_like_a_message_or_has_another_key_is_an_ordinary_line() {
        for line in [
            "",
            "longshore",
            r#"{"longshore": {"progress": 0.4}, "level": "info"}"#,
            r#"{"level": "info", "longshore": {"progress": "0.4"}}"#,
            r#"["longshore"]"#,
            r#"{"level": "info", "text": "longshore started"}"#,
        ] {
            assert!(matches!(read_line::<Message>(line), Spoken::Line), "{line}");
        }
    }

    #[test]
    fn a_message_that_cannot_be_read_is_a_fault_that_names_what_is_wrong() {
        for (inside, expected) in [
            (r#""rate_limited": 30"#, r#"the message "rate_limited" needs a duration such as "30s", but is 30"#),
            (
                r#""rate_limited": "soon""#,
                r#"the message "rate_limited" needs a duration such as "30s", but is "soon""#,
            ),
            (r#""snooze": null"#, r#"the message "snooze" needs a duration such as "30s", but is null"#),
            (r#""error_message": 5, "new": 1"#, r#"the message "error_message" needs a text, but is 5"#),
            (
                r#""progress": "0.4", "snooze": null"#,
                r#"the message "snooze" needs a duration such as "30s", but is null"#,
            ),
        ] {
            assert_eq!(fault(&format!("{{\"longshore\": {{{inside}}}}}")), expected);
        }
        let long = fault(&format!("{{\"longshore\": {{\"snooze\": \"{}\"}}}}", "x".repeat(1000)));
        assert!(long.ends_with("xxx…") && long.chars().count() < 200, "{long}");
        for line in [
            r#"{"longshore": {"result": NaN}}"#,
            r#"{"longshore": 1"#,
            r#"{"longshore": {"progress": 0.1}} {"longshore": {"progress": 0.2}}"#,
        ] {
            assert!(fault(line).starts_with("a message on standard output is not valid JSON: "), "{line}");
        }
        for line in [
            r#"{"longshore": {"progress": 0.1}, "longshore": {"progress": 0.2}}"#,
            r#"{"longshore": {"progress": 0.1, "progress": 0.2}}"#,
        ] {
            assert!(fault(line).contains("cannot be read: duplicate field"), "{line}");
        }
        // The last one would be a message if the values of its fields were enough.
        let list = r#"{"longshore": [0.5, "a", null, 1, 2, null, null, null, null]}"#;
        for line in [r#"{"longshore": 5}"#, r#"{"longshore": null}"#, list] {
            assert!(fault(line).starts_with("a message needs an object such as"), "{line}");
        }
    }

    /// What was understood of a message, and the note about the rest.
    fn noted(inside: &str) -> (Message, String) {
        match read_line(&format!("{{\"longshore\": {{{inside}}}}}")) {
            Spoken::Message { message, note } => (message, note.unwrap()),
            other => panic!("{inside}: {other:?}"),
        }
    }

    #[test]
    fn news_that_cannot_be_read_are_noted_and_the_rest_is_understood() {
        let (message, note) = noted(r#""progress": "50%""#);
        assert!(!message.says_something());
        let expected = r#"a message was not understood: "progress" needs a number from 0 to 1, but is "50%""#;
        assert_eq!(note, expected);
        let (message, note) = noted(r#""log": 5, "message": [], "result": 7, "new": 1"#);
        assert_eq!((message.result.unwrap().get(), message.log), ("7", None));
        let expected = r#""log" needs a text, but is 5; "message" needs a text, but is []; "new" is unknown"#;
        assert_eq!(note, format!("a message was not understood: {expected}"));
        let (_, long) = noted(&format!("\"log\": [\"{}\"]", "x".repeat(1000)));
        assert!(long.ends_with("xxx…") && long.chars().count() < 200, "{long}");
    }

    #[test]
    fn an_unknown_name_is_noted_and_the_rest_is_understood() {
        let (message, note) = noted(r#""rate_limitd": "30s""#);
        assert!(!message.says_something());
        assert_eq!(note, "a message was not understood: \"rate_limitd\" is unknown");
        let (message, note) = noted(r#""progress": 0.5, "eta": "3s""#);
        assert_eq!((message.progress, note.contains("\"eta\" is unknown")), (Some(0.5), true), "{note}");
        let (message, note) = noted("");
        assert_eq!((message.says_something(), note.as_str()), (false, "a message was not understood: it says nothing"));
    }
}
