use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::{InvalidJobData, JobData, NewJob};

/// Longer values are hashed. A unique key may have 1,000 bytes, of which the job type may need 200.
const READABLE_BYTES_MAX: usize = 200;

impl NewJob {
    /// No second job of this type with the same payload is created while a job with it has not ended.
    ///
    /// Sets the unique key from the type and the payload, so it comes after them. The order of the keys of an object
    /// does not matter.
    ///
    /// ```
    /// # use longshore_core::{JobData, NewJob};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let job = NewJob::new("sync", JobData::parse(r#"{"user":7,"full":true}"#)?).unique_payload();
    /// assert_eq!(job.unique_key.as_deref(), Some(r#"sync:{"full":true,"user":7}"#));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn unique_payload(self) -> Self {
        let key = key(&self.job_type, &canonical(self.job_data.as_str()));
        self.unique_key(key)
    }

    /// No second job of this type with the same value is created while a job with it has not ended. Several values are
    /// a tuple.
    ///
    /// ```
    /// # use longshore_core::{JobData, NewJob};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let job = NewJob::new("sync", JobData::default()).unique_by(&(7, "mail"))?;
    /// assert_eq!(job.unique_key.as_deref(), Some(r#"sync:[7,"mail"]"#));
    /// # Ok(())
    /// # }
    /// ```
    pub fn unique_by<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, InvalidJobData> {
        let value = JobData::encode(value)?;
        let key = key(&self.job_type, &canonical(value.as_str()));
        Ok(self.unique_key(key))
    }
}

/// The key names the type, because a key is unique among all types. The value stays readable for the operator if it is
/// short.
fn key(job_type: &str, value: &str) -> String {
    if value.len() <= READABLE_BYTES_MAX && !value.chars().any(char::is_control) {
        return format!("{job_type}:{value}");
    }
    let mut key = format!("{job_type}:");
    for byte in Sha256::digest(value) {
        let _ = write!(key, "{byte:02x}");
    }
    key
}

/// The document with the keys of every object in order: a hash map has another order in each process. Numbers and
/// strings stay as they were written.
fn canonical(document: &str) -> String {
    let document = document.trim();
    let parts = match document.as_bytes().first() {
        Some(b'{') => object(document),
        Some(b'[') => array(document),
        _ => None,
    };
    parts.unwrap_or_else(|| document.to_owned())
}

fn object(document: &str) -> Option<String> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(document).ok()?;
    let written = members.iter().map(|(name, value)| {
        let name = serde_json::to_string(name).ok()?;
        Some(format!("{name}:{}", canonical(value.get())))
    });
    Some(format!("{{{}}}", written.collect::<Option<Vec<_>>>()?.join(",")))
}

fn array(document: &str) -> Option<String> {
    let items: Vec<&RawValue> = serde_json::from_str(document).ok()?;
    let written: Vec<_> = items.iter().map(|item| canonical(item.get())).collect();
    Some(format!("[{}]", written.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn key_of(document: &str) -> String {
        NewJob::new("sync", JobData::parse(document).unwrap()).unique_payload().unique_key.unwrap()
    }

    #[test]
    fn the_order_of_keys_and_white_space_do_not_matter_and_everything_else_does() {
        let key = key_of(r#"{"b":[{"y":1.0,"x":null}],"a":"é"}"#);
        assert_eq!(key, r#"sync:{"a":"é","b":[{"x":null,"y":1.0}]}"#);
        assert_eq!(key_of(r#" {"a": "é", "b": [ {"x":null, "y":1.0} ]}"#), key);
        assert_ne!(key_of(r#"{"b":[{"y":1,"x":null}],"a":"é"}"#), key);
        assert_ne!(key_of("[1,2]"), key_of("[2,1]"));
        assert_ne!(
            key_of("340282366920938463463374607431768211455"),
            key_of("340282366920938463463374607431768211454")
        );
    }

    #[test]
    fn a_key_is_valid_however_long_its_value_is_and_whatever_it_contains() {
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        for value in [format!("\"{}\"", "x".repeat(5000)), "\"\u{7f}\"".to_owned(), "\"a\\nb\"".to_owned(), deep] {
            let job = NewJob::new("t".repeat(200), JobData::parse(value.as_str()).unwrap()).unique_payload();
            assert!(job.check(&Limits::default()).is_ok(), "{value}");
        }
        assert_ne!(key_of(&format!("\"{}a\"", "x".repeat(5000))), key_of(&format!("\"{}b\"", "x".repeat(5000))));
        assert_eq!(key_of("\"\u{7f}\"").len(), "sync:".len() + 64);
    }

    #[test]
    fn the_same_value_of_two_types_is_two_keys() {
        let key = |job_type: &str| NewJob::new(job_type, JobData::default()).unique_by(&7).unwrap().unique_key;
        assert_eq!((key("a"), key("b")), (Some("a:7".to_owned()), Some("b:7".to_owned())));
    }
}
