use longshore_core::JobData;
use serde::Deserialize;

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
/// application gets into a span.
pub(crate) fn traceparent(metadata: &JobData) -> Option<String> {
    let TraceContext { traceparent } = metadata.decode().ok()?;
    is_traceparent(&traceparent).then_some(traceparent)
}

fn is_traceparent(text: &str) -> bool {
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
