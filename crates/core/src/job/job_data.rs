use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;
use thiserror::Error;

/// A valid JSON document as text: a payload, a result or metadata.
///
/// `Debug` prints only its length, because payloads do not belong in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct JobData(Box<str>);

/// The text is not JSON, or is JSON that some readers cannot parse.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidJobData {
    /// It is not JSON, or the value cannot be encoded or decoded.
    #[error("not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A string or a key contains half of a UTF-16 surrogate pair. The JSON grammar allows it, but no Unicode text can
    /// hold it (RFC 8259, section 8.2), so no handler could decode it.
    #[error("not valid Unicode: the escape {escape} at byte {byte} of the value is half of a surrogate pair")]
    LoneSurrogate {
        /// The escape as it was written, such as `\ud800`.
        escape: Box<str>,
        /// The position of its first byte; the first is 1.
        byte: usize,
    },
    /// Arrays and objects are nested deeper than SQLite's JSON functions support.
    #[error("nested too deeply: more than {} levels", DEPTH_MAX)]
    TooDeep,
}

impl JobData {
    /// Parses text that is one JSON document.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidJobData> {
        Self::of_raw(&RawValue::from_string(text.into())?)
    }

    /// Encodes a value.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, InvalidJobData> {
        let text = serde_json::to_string(value)?;
        // A value may contain raw JSON, which is copied unchanged.
        refuse_unreadable(&text)?;
        Ok(Self(text.into_boxed_str()))
    }

    fn of_raw(raw: &RawValue) -> Result<Self, InvalidJobData> {
        refuse_unreadable(raw.get())?;
        Ok(Self(raw.get().into()))
    }

    /// Text from a store. A CHECK constraint keeps it valid. Invalid text becomes a JSON string, so that the job is not
    /// lost.
    pub fn from_stored(text: String) -> Self {
        Self(text.into_boxed_str())
    }

    /// Decodes the document.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, InvalidJobData> {
        Ok(serde_json::from_str(&self.0)?)
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the text is empty. A parsed document never is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for JobData {
    /// The empty object.
    fn default() -> Self {
        Self("{}".into())
    }
}

impl fmt::Debug for JobData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobData({} bytes)", self.0.len())
    }
}

impl Serialize for JobData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match RawValue::from_string(self.0.to_string()) {
            Ok(raw) => raw.serialize(serializer),
            Err(_) => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for JobData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::of_raw(&raw).map_err(de::Error::custom)
    }
}

/// The nesting depth that SQLite's JSON functions support (`JSON_MAX_DEPTH`).
const DEPTH_MAX: usize = 1000;

/// Rejects JSON that is valid by the grammar but that some readers cannot parse.
fn refuse_unreadable(document: &str) -> Result<(), InvalidJobData> {
    refuse_lone_surrogates(document)?;
    let opens = |byte: &&u8| matches!(byte, b'[' | b'{');
    // Few documents contain that many brackets, so most are not checked further.
    if document.len() > DEPTH_MAX && document.as_bytes().iter().filter(opens).count() > DEPTH_MAX {
        return refuse_depth(document);
    }
    Ok(())
}

fn refuse_depth(document: &str) -> Result<(), InvalidJobData> {
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for byte in document.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_text = !is_text,
            b'[' | b'{' if !is_text => depth += 1,
            b']' | b'}' if !is_text => depth -= 1,
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(InvalidJobData::TooDeep);
        }
    }
    Ok(())
}

/// Checks the escapes of a JSON document. serde_json checks only their digits, because it keeps the document as text.
fn refuse_lone_surrogates(document: &str) -> Result<(), InvalidJobData> {
    // Most documents have no escape. This check finds that fastest.
    let Some(mut at) = document.find('\\') else { return Ok(()) };
    let bytes = document.as_bytes();
    // In valid JSON a backslash is always inside a string and always followed by another byte.
    while let Some(distance) = bytes[at..].iter().position(|byte| *byte == b'\\') {
        at += distance;
        at += match surrogate(bytes, at) {
            None => 2,
            Some(Half::High) if surrogate(bytes, at + ESCAPE_BYTES) == Some(Half::Low) => 2 * ESCAPE_BYTES,
            Some(_) => {
                let escape = document[at..at + ESCAPE_BYTES].into();
                return Err(InvalidJobData::LoneSurrogate { escape, byte: at + 1 });
            }
        };
    }
    Ok(())
}

/// The length of `\ud800`.
const ESCAPE_BYTES: usize = 6;

#[derive(PartialEq, Eq)]
enum Half {
    /// From d800 to dbff; the first half.
    High,
    /// From dc00 to dfff; the second half.
    Low,
}

/// The half of a surrogate pair that is escaped at this position, if any.
fn surrogate(document: &[u8], at: usize) -> Option<Half> {
    match document.get(at..at + ESCAPE_BYTES)? {
        [b'\\', b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', ..] => Some(Half::High),
        [b'\\', b'u', b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', ..] => Some(Half::Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_the_order_of_keys_survive_as_they_were_written() {
        let text = r#"{"b":12345678901234567890,"a":1.10}"#;
        let data = JobData::parse(text).unwrap();
        assert_eq!(serde_json::to_string(&data).unwrap(), text);
    }

    #[test]
    fn a_document_is_as_deep_as_sqlite_goes_and_no_deeper() {
        let nested = |depth: usize| format!("{}\"[[{{\\\"[[\"{}", "[".repeat(depth), "]".repeat(depth));
        assert!(JobData::parse(nested(DEPTH_MAX)).is_ok());
        assert!(matches!(JobData::parse(nested(DEPTH_MAX + 1)), Err(InvalidJobData::TooDeep)));
        assert!(JobData::parse(format!("[{}0]", "[],".repeat(2 * DEPTH_MAX))).is_ok());
    }

    /// The escape that is rejected, and its position.
    fn refused(text: &str) -> Option<(String, usize)> {
        match JobData::parse(text).err()? {
            InvalidJobData::LoneSurrogate { escape, byte } => Some((escape.into(), byte)),
            error => panic!("{error}"),
        }
    }

    #[test]
    fn half_of_a_surrogate_pair_is_refused_wherever_it_stands() {
        for (text, escape, byte) in [
            (r#""\ud800""#, r"\ud800", 2),
            (r#""\uDFFF""#, r"\uDFFF", 2),
            (r#"{"\udbff":1}"#, r"\udbff", 3),
            (r#"{"a":[{"b":["é\\","\n\udc00"]}]}"#, r"\udc00", 23),
            (r#""\ud83d\ud83d\ude00""#, r"\ud83d", 2),
            (r#""\ude00\ud83d""#, r"\ude00", 2),
            (r#""\ud83d\n\ude00""#, r"\ud83d", 2),
            (r#""\ud83d\\ude00""#, r"\ud83d", 2),
            (r#""\ud83d€""#, r"\ud83d", 2),
            (r#"["\ud83d","\ude00"]"#, r"\ud83d", 3),
            (r#""\ud83d\ude00\ude00""#, r"\ude00", 14),
        ] {
            assert_eq!(refused(text), Some((escape.to_owned(), byte)), "{text}");
        }
    }

    #[test]
    fn every_other_escape_stays_as_it_was_written() {
        for text in [
            r#""\ud83d\ude00""#,
            r#"{"\uD83D\uDE00":["\ud7ff","\ue000","\u0000","€\u00e9"]}"#,
            r#""\\ud800""#,
            r#""\"\\\\udc00\/\b""#,
        ] {
            assert_eq!(refused(text), None, "{text}");
            assert_eq!(JobData::parse(text).unwrap().as_str(), text);
            assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn half_of_a_surrogate_pair_is_refused_on_every_way_in() {
        let told = "not valid Unicode: the escape \\ud800 at byte 2 of the value is half of a surrogate pair";
        let text = r#""\ud800""#;
        let raw = RawValue::from_string(text.to_owned()).unwrap();
        assert_eq!(JobData::parse(text).unwrap_err().to_string(), told);
        assert_eq!(JobData::encode(&raw).unwrap_err().to_string(), told);
        let error = serde_json::from_str::<JobData>(text).unwrap_err().to_string();
        assert!(error.starts_with(told), "{error}");
    }

    #[test]
    fn what_is_no_json_is_refused_and_never_shown_by_debug() {
        assert!(JobData::parse("{secret").is_err());
        let data = JobData::parse("\"secret\"").unwrap();
        assert_eq!(format!("{data:?}"), "JobData(8 bytes)");
    }
}
