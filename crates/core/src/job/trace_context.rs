use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::{JobData, NewJob};

/// A W3C trace context, stored in a job's metadata under this name.
#[derive(Deserialize)]
struct TraceContext {
    traceparent: String,
}

/// The lengths of version, trace id, parent id and flags, in hexadecimal digits.
const PARTS: [usize; 4] = [2, 32, 16, 2];

/// The `traceparent` of a job's metadata, if it has the W3C format
/// (<https://www.w3.org/TR/trace-context/#traceparent-header>). Any other value is ignored, so that no text of the
/// application gets into a span.
pub fn traceparent(metadata: &JobData) -> Option<String> {
    let TraceContext { traceparent } = metadata.decode().ok()?;
    is_traceparent(&traceparent).then_some(traceparent)
}

impl NewJob {
    /// Puts the trace context of whoever enqueues into the metadata, where the handler finds it. Metadata that has one, or
    /// that is no object, stays as it is. A text that is no W3C `traceparent` is ignored.
    #[must_use]
    pub fn traced(mut self, traceparent: Option<&str>) -> Self {
        let Some(traceparent) = traceparent.filter(|text| is_traceparent(text)) else { return self };
        let member = format!(r#""traceparent":"{traceparent}""#);
        let text = match &self.metadata {
            None => format!("{{{member}}}"),
            Some(metadata) => {
                let members = metadata.decode::<BTreeMap<String, IgnoredAny>>();
                if members.is_ok_and(|members| members.contains_key("traceparent")) {
                    return self;
                }
                // In front of the rest, which stays as it was written: numbers keep all their digits.
                let Some(rest) = metadata.as_str().trim_start().strip_prefix('{') else { return self };
                let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
                format!("{{{member}{comma}{rest}")
            }
        };
        self.metadata = Some(JobData::parse(text).expect("a member in front of an object leaves it an object"));
        self
    }
}

/// Whether a text has the W3C format.
pub fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &&str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_nothing = |part: &str| part.bytes().all(|byte| byte == b'0');
    parts.len() == PARTS.len()
        && parts.iter().zip(PARTS).all(|(part, length)| part.len() == length)
        && parts.iter().all(is_hex)
        && parts[0] != "ff"
        && !is_nothing(parts[1])
        && !is_nothing(parts[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(metadata: &str) -> Option<String> {
        traceparent(&JobData::parse(metadata).unwrap())
    }

    #[test]
    fn a_traceparent_is_found_beside_other_metadata() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(found(&format!(r#"{{"tenant":7,"traceparent":"{text}"}}"#)).as_deref(), Some(text));
    }

    #[test]
    fn a_job_gets_the_trace_context_of_whoever_enqueues_it() {
        let (own, other) = ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0-0-01");
        let traced = |metadata: Option<&str>, traceparent: &str| {
            let mut job = NewJob::new("a", JobData::default());
            job.metadata = metadata.map(|text| JobData::parse(text).unwrap());
            job.traced(Some(traceparent)).metadata.map(|metadata| metadata.as_str().to_owned())
        };
        let member = format!(r#""traceparent":"{own}""#);
        assert_eq!(traced(None, own), Some(format!("{{{member}}}")));
        assert_eq!(
            traced(Some(" { } "), own).as_deref().and_then(|text| text.split(own).next()),
            Some(r#"{"traceparent":""#)
        );
        let large = traced(Some(r#"{"n":123456789012345678901}"#), own);
        assert_eq!(large, Some(format!(r#"{{{member},"n":123456789012345678901}}"#)));
        for kept in [r#"{"traceparent":"mine"}"#, r#"{"traceparent":null}"#, "[1]", "7"] {
            assert_eq!(traced(Some(kept), own).as_deref(), Some(kept));
        }
        assert_eq!(traced(None, other), None);
    }

    #[test]
    fn what_is_no_traceparent_is_none() {
        for metadata in [
            "{}",
            "[]",
            "7",
            r#"{"traceparent":7}"#,
            r#"{"traceparent":""}"#,
            r#"{"traceparent":"secret"}"#,
            r#"{"traceparent":"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"}"#,
            r#"{"traceparent":"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}"#,
            r#"{"traceparent":"00-00000000000000000000000000000000-b7ad6b7169203331-01"}"#,
            r#"{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"}"#,
            r#"{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"}"#,
            r#"{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-secret"}"#,
        ] {
            assert_eq!(found(metadata), None, "{metadata}");
        }
    }
}
