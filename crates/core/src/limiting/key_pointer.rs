use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use thiserror::Error;

use crate::JobData;
use crate::job::new_job::NAME_BYTES_MAX;

/// Where a payload has the key of its job: a JSON pointer (RFC 6901) such as `/tenant_id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPointer(String);

/// The text is not a pointer that every database can follow.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidKeyPointer {
    /// It does not begin with a slash.
    #[error("\"{pointer}\" is not a JSON pointer: it must begin with /, such as /tenant_id or /customer/id")]
    NoPointer {
        /// The text that was given.
        pointer: String,
    },
    /// A name in it has a character that not every database can look for, a bad escape, or is too long.
    #[error(
        "the JSON pointer \"{pointer}\" cannot be used: at most 200 bytes and 3 numbers, and no quotation mark, \
         backslash or control character; ~ is written ~0 and / in a name ~1"
    )]
    Unusable {
        /// The text that was given.
        pointer: String,
    },
}

/// How many parts of a pointer may be numbers: each may be a name or a place in an array.
const NUMBERS_MAX: usize = 3;

impl KeyPointer {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names and places that lead to the key, without escapes.
    pub fn parts(&self) -> Vec<String> {
        self.0.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
    }

    /// The key in this payload: a text of 1 to 200 bytes, or a whole number as text. Whatever else is there, the job has
    /// no key. Every database must find the same.
    pub fn key_of(&self, job_data: &JobData) -> Option<String> {
        let data: Value = serde_json::from_str(job_data.as_str()).ok()?;
        let key = match data.pointer(&self.0)? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.as_i64()?.to_string(),
            _ => return None,
        };
        is_key(&key).then_some(key)
    }
}

/// Whether a text that was found in a payload is a key.
fn is_key(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.contains('\0')
}

impl FromStr for KeyPointer {
    type Err = InvalidKeyPointer;

    fn from_str(pointer: &str) -> Result<Self, InvalidKeyPointer> {
        if !pointer.starts_with('/') {
            return Err(InvalidKeyPointer::NoPointer { pointer: pointer.to_owned() });
        }
        let is_escaped = |part: &str| part.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let has_unusable = pointer.chars().any(|character| character.is_control() || matches!(character, '"' | '\\'));
        let numbers = pointer.split('/').skip(1).filter(is_number).count();
        if pointer.len() > NAME_BYTES_MAX || has_unusable || !is_escaped(pointer) || numbers > NUMBERS_MAX {
            return Err(InvalidKeyPointer::Unusable { pointer: pointer.to_owned() });
        }
        Ok(Self(pointer.to_owned()))
    }
}

impl fmt::Display for KeyPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for KeyPointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for KeyPointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(pointer: &str, data: &str) -> Option<String> {
        pointer.parse::<KeyPointer>().unwrap().key_of(&JobData::parse(data).unwrap())
    }

    #[test]
    fn a_key_is_a_text_or_a_whole_number() {
        assert_eq!(key("/tenant_id", r#"{"tenant_id": "acme"}"#).as_deref(), Some("acme"));
        assert_eq!(key("/a/b", r#"{"a": {"b": -7}}"#).as_deref(), Some("-7"));
        assert_eq!(key("/a/1", r#"{"a": ["x", "y"]}"#).as_deref(), Some("y"));
        assert_eq!(key("/a/1", r#"{"a": {"1": "z"}}"#).as_deref(), Some("z"));
        assert_eq!(key("/a~1b", r#"{"a/b": "x"}"#).as_deref(), Some("x"));
        for data in
            ["{}", "7", "null", r#"{"a": null}"#, r#"{"a": true}"#, r#"{"a": 1.5}"#, r#"{"a": []}"#, r#"{"a": ""}"#]
        {
            assert_eq!(key("/a", data), None, "{data}");
        }
        assert_eq!(key("/a", &format!(r#"{{"a": "{}"}}"#, "x".repeat(201))), None);
    }

    #[test]
    fn a_pointer_that_not_every_database_can_follow_is_refused() {
        for pointer in ["", "tenant_id", "$.a"] {
            assert!(matches!(pointer.parse::<KeyPointer>(), Err(InvalidKeyPointer::NoPointer { .. })), "{pointer}");
        }
        for pointer in ["/a~", "/a~2", "/a\"b", "/a\\b", "/a\n", "/0/1/2/3", &format!("/{}", "x".repeat(200))] {
            assert!(matches!(pointer.parse::<KeyPointer>(), Err(InvalidKeyPointer::Unusable { .. })), "{pointer}");
        }
    }
}
