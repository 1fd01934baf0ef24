use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use thiserror::Error;

/// A valid JSON document as text: a payload, a result, metadata.
///
/// `Debug` shows the length alone, because payloads never belong in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct JobData(Box<str>);

/// Text that is no JSON document.
#[derive(Debug, Error)]
#[error("not valid JSON: {source}")]
pub struct InvalidJobData {
    /// Where the text stops being JSON.
    #[from]
    source: serde_json::Error,
}

impl JobData {
    /// Takes text that is one JSON document.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidJobData> {
        let raw = RawValue::from_string(text.into())?;
        Ok(Self(raw.get().into()))
    }

    /// Encodes a value.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, InvalidJobData> {
        Ok(Self(serde_json::to_string(value)?.into_boxed_str()))
    }

    /// Text out of a store, which a CHECK constraint keeps valid; what is no JSON after all becomes a JSON
    /// string rather than a lost job.
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

    /// Whether there is no text; never so for a document that was parsed.
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
        Ok(Self(raw.get().into()))
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
    fn what_is_no_json_is_refused_and_never_shown_by_debug() {
        assert!(JobData::parse("{secret").is_err());
        let data = JobData::parse("\"secret\"").unwrap();
        assert_eq!(format!("{data:?}"), "JobData(8 bytes)");
    }
}
