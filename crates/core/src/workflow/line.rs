//! One line of a workflow in NDJSON: the batch, or a job with what it waits for.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::{Awaited, JobId, JobRequest, JsonObject, Needs, NewDependency, Otherwise, parse_duration};

/// A line of a workflow.
#[derive(Clone, Debug)]
pub enum WorkflowLine {
    /// The batch of all jobs behind it. Only the first line can be one.
    Batch {
        /// Its name.
        name: String,
        /// Whether it stays open.
        is_open: bool,
    },
    /// A job.
    Job {
        /// The job.
        request: Box<JobRequest>,
        /// Its name.
        reference: Option<String>,
        /// What it waits for.
        after: Vec<NewDependency>,
    },
}

/// Why a line is neither.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidWorkflowLine {
    /// It is not JSON, or has a field that nothing knows.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A part of `after` cannot be read.
    #[error("cannot read \"after\": {problem}")]
    After {
        /// What is wrong, and what was expected.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    batch: JsonObject<HeaderBatch>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object such as {\"name\": \"import 42\"}")]
struct HeaderBatch {
    name: String,
    #[serde(default)]
    open: bool,
}

impl WorkflowLine {
    /// Reads a line such as `{"batch": {"name": "import"}}` or `{"ref": "b", "job_type": "mail", "after": ["a", 7]}`.
    pub fn parse(line: &str) -> Result<Self, InvalidWorkflowLine> {
        // The parser of a plain job below refuses a line that is not an object.
        let fields = serde_json::from_str::<Fields<'_>>(line).map(|fields| fields.0).unwrap_or_default();
        let has = |name: &str| fields.iter().any(|(known, _)| known == name);
        if has("batch") && !has("job_type") {
            let Header { batch: JsonObject(HeaderBatch { name, open }) } = serde_json::from_str(line)?;
            return Ok(Self::Batch { name, is_open: open });
        }
        if !has("ref") && !has("after") {
            let JsonObject(request) = serde_json::from_str(line)?;
            return Ok(Self::Job { request: Box::new(request), reference: None, after: Vec::new() });
        }
        let (mut reference, mut after, mut job) = (None, Vec::new(), String::from("{"));
        for (name, value) in &fields {
            match name.as_str() {
                "ref" => reference = serde_json::from_str(value.get())?,
                "after" => after = read_after(value)?,
                _ => {
                    let separator = if job.len() > 1 { "," } else { "" };
                    job.push_str(separator);
                    job.push_str(&Value::String(name.clone()).to_string());
                    job.push(':');
                    job.push_str(value.get());
                }
            }
        }
        job.push('}');
        Ok(Self::Job { request: serde_json::from_str(&job)?, reference, after })
    }
}

/// The fields of an object in their order, with the text of their values.
struct Fields<'l>(Vec<(String, &'l RawValue)>);

impl<'de: 'l, 'l> Deserialize<'de> for Fields<'l> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry::<String, &'de RawValue>()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

fn read_after(value: &RawValue) -> Result<Vec<NewDependency>, InvalidWorkflowLine> {
    let read = |item: &Value| read_dependency(item).map_err(|problem| InvalidWorkflowLine::After { problem });
    match serde_json::from_str(value.get())? {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items.iter().map(read).collect(),
        _ => Err(InvalidWorkflowLine::After {
            problem: "expected a list such as [\"a\", 7, {\"signal\": \"approved\"}]".to_owned(),
        }),
    }
}

/// A dependency, or why it is none.
fn read_dependency(item: &Value) -> Result<NewDependency, String> {
    match item {
        Value::String(reference) => Ok(NewDependency::on(Awaited::Reference(reference.clone()))),
        Value::Number(_) => Ok(NewDependency::on(Awaited::Job(read_id(item)?))),
        Value::Object(fields) => read_object(fields),
        _ => Err(format!("{item} is neither a ref, nor a job id, nor an object")),
    }
}

fn read_object(fields: &serde_json::Map<String, Value>) -> Result<NewDependency, String> {
    const KNOWN: [&str; 7] = ["ref", "id", "batch", "signal", "needs", "otherwise", "timeout"];
    if let Some(unknown) = fields.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(format!("unknown field \"{unknown}\": expected one of {}", KNOWN.join(", ")));
    }
    let given: Vec<&str> = KNOWN[..4].iter().copied().filter(|name| fields.contains_key(*name)).collect();
    let [what] = given.as_slice() else {
        return Err("an object has exactly one of ref, id, batch and signal".to_owned());
    };
    let is_signal = *what == "signal";
    let needs = match (*what, fields.get("needs")) {
        (_, None) => None,
        ("ref" | "id", Some(word)) => Some(read_needs("needs", word)?),
        (what, Some(_)) => return Err(format!("\"needs\" cannot be given together with \"{what}\"")),
    };
    let timeout = match fields.get("timeout") {
        None | Some(Value::Null) => None,
        Some(_) if !is_signal => return Err("only a signal has a \"timeout\"".to_owned()),
        Some(Value::String(word)) => Some(parse_duration(word).map_err(|error| error.to_string())?),
        Some(other) => return Err(format!("{other} is not a timeout: expected a duration such as \"2d\"")),
    };
    let value = &fields[*what];
    let dependency = match *what {
        "ref" => NewDependency::needing(Awaited::Reference(read_text("ref", value)?), needs.unwrap_or_default()),
        "id" => NewDependency::needing(Awaited::Job(read_id(value)?), needs.unwrap_or_default()),
        "batch" => NewDependency::needing(Awaited::Batch, read_needs("batch", value)?),
        _ => NewDependency::on(Awaited::Signal { name: read_text("signal", value)?, timeout }),
    };
    match fields.get("otherwise") {
        None => Ok(dependency),
        Some(word) => Ok(dependency.or_else(read_otherwise(word)?)),
    }
}

fn read_id(value: &Value) -> Result<JobId, String> {
    match value.as_i64() {
        Some(id) if id > 0 => Ok(JobId(id)),
        _ => Err(format!("{value} is not a job id: expected a whole number, 1 or higher")),
    }
}

fn read_text(what: &str, value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("{value} is not a {what}: expected a text"))
}

fn read_needs(what: &str, value: &Value) -> Result<Needs, String> {
    let known = value.as_str().and_then(Needs::from_stored);
    known.ok_or_else(|| format!("\"{what}\" cannot be {value}: expected completed, ended or failed"))
}

fn read_otherwise(value: &Value) -> Result<Otherwise, String> {
    let known = value.as_str().and_then(Otherwise::from_stored);
    known.ok_or_else(|| format!("\"otherwise\" cannot be {value}: expected dead_letter, cancel, run or wait"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn after(items: &str) -> Result<Vec<NewDependency>, String> {
        match WorkflowLine::parse(&format!(r#"{{"job_type": "work", "after": {items}}}"#)) {
            Ok(WorkflowLine::Job { after, .. }) => Ok(after),
            Ok(WorkflowLine::Batch { .. }) => panic!("a job is no batch"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_batch_has_a_name_and_is_closed_unless_told() {
        for (line, expected) in [
            (r#"{"batch": {"name": "import 42"}}"#, false),
            (r#"{"batch": {"name": "import 42", "open": true}}"#, true),
        ] {
            let Ok(WorkflowLine::Batch { name, is_open }) = WorkflowLine::parse(line) else { panic!("{line}") };
            assert_eq!((name.as_str(), is_open), ("import 42", expected));
        }
        for line in [
            r#"{"batch": {}}"#,
            r#"{"batch": "x"}"#,
            r#"{"batch": ["x", true]}"#,
            r#"{"batch": {"name": "x"}, "queue": "q"}"#,
        ] {
            assert!(WorkflowLine::parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_job_keeps_its_payload_to_the_byte_and_its_other_fields() {
        let line =
            r#"{"ref": "b", "job_data": {"n": 1.50,  "n2": 1e400}, "job_type": "work", "after": ["a"], "queue": "q"}"#;
        let Ok(WorkflowLine::Job { request, reference, after }) = WorkflowLine::parse(line) else { panic!("{line}") };
        assert_eq!(request.job_data.as_str(), r#"{"n": 1.50,  "n2": 1e400}"#);
        assert_eq!((request.queue.as_deref(), reference.as_deref()), (Some("q"), Some("b")));
        assert_eq!(after, [NewDependency::on(Awaited::Reference("a".to_owned()))]);
    }

    #[test]
    fn every_form_of_a_dependency_is_read() {
        let reference = || Awaited::Reference("a".to_owned());
        let signal = |timeout| Awaited::Signal { name: "approved".to_owned(), timeout };
        for (item, expected) in [
            (r#""a""#, NewDependency::on(reference())),
            ("7", NewDependency::on(Awaited::Job(JobId(7)))),
            (r#"{"ref": "a", "needs": "ended"}"#, NewDependency::needing(reference(), Needs::Ended)),
            (r#"{"id": 7, "otherwise": "wait"}"#, NewDependency::on(Awaited::Job(JobId(7))).or_else(Otherwise::Wait)),
            (r#"{"batch": "failed"}"#, NewDependency::needing(Awaited::Batch, Needs::Failed)),
            (r#"{"signal": "approved"}"#, NewDependency::on(signal(None))),
            (
                r#"{"signal": "approved", "timeout": "2d", "otherwise": "cancel"}"#,
                NewDependency::on(signal(Some(Duration::from_secs(2 * 86_400)))).or_else(Otherwise::Cancel),
            ),
        ] {
            assert_eq!(after(&format!("[{item}]")), Ok(vec![expected]), "{item}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_in_a_sentence() {
        for (items, expected) in [
            ("7", "expected a list"),
            ("[true]", "neither a ref"),
            ("[0]", "not a job id"),
            ("[1.5]", "not a job id"),
            ("[{}]", "exactly one of"),
            (r#"[{"ref": "a", "id": 7}]"#, "exactly one of"),
            (r#"[{"ref": 7}]"#, "expected a text"),
            (r#"[{"ref": "a", "need": "ended"}]"#, "unknown field \"need\""),
            (r#"[{"ref": "a", "needs": "done"}]"#, "expected completed, ended or failed"),
            (r#"[{"batch": "done"}]"#, "expected completed, ended or failed"),
            (r#"[{"batch": "failed", "needs": "ended"}]"#, "cannot be given together"),
            (r#"[{"ref": "a", "otherwise": "drop"}]"#, "expected dead_letter, cancel, run or wait"),
            (r#"[{"ref": "a", "timeout": "2d"}]"#, "only a signal"),
            (r#"[{"signal": "s", "timeout": "soon"}]"#, "soon"),
            (r#"[{"signal": "s", "timeout": 5}]"#, "not a timeout"),
        ] {
            let error = after(items).unwrap_err();
            assert!(error.contains(expected), "{items}: {error}");
        }
    }

    #[test]
    fn a_misspelt_or_repeated_field_of_a_job_is_refused() {
        for line in [
            r#"{"job_type": "work", "after": [], "max_retires": 1}"#,
            r#"{"job_type": "work", "afer": ["a"]}"#,
            r#"{"job_type": "work", "ref": 7}"#,
            r#"{"job_type": "work", "job_type": "mail", "after": []}"#,
            r#"{"ref": "a"}"#,
            "[]",
            r#"["work"]"#,
            r#"["work", {}, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null]"#,
            "",
        ] {
            assert!(WorkflowLine::parse(line).is_err(), "{line}");
        }
    }
}
