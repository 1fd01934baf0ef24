//! What is hidden in everything that people are shown: named fields of documents, and their values wherever the text of
//! the same job repeats them.

mod job;
mod limit;
mod restore;
mod scan;
mod secrets;

use std::str::FromStr;

use longshore_core::{JobData, KeyPointer};
use serde_json::value::RawValue;

pub(crate) use self::secrets::Secrets;

/// What is shown in place of a value.
pub(crate) const PLACEHOLDER: &str = "[redacted]";
/// The same as a JSON document.
const PLACEHOLDER_JSON: &str = "\"[redacted]\"";

/// The fields of payloads, results and other documents whose values the pages and the API never show.
///
/// A field is a name, which is meant at any depth and whatever the case of its letters, or a JSON pointer such as
/// `/card/number`, which is meant exactly. In pointers `~1` is a slash and `~0` a tilde.
///
/// ```
/// use longshore_web::Redaction;
///
/// let redaction = Redaction::new(["password", "/card/number"])?;
/// assert_eq!(redaction.document(r#"{"user": "ada", "Password": "x"}"#), r#"{"user": "ada", "Password": "[redacted]"}"#);
/// # Ok::<(), longshore_web::InvalidRedaction>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    /// In lower case.
    names: Vec<String>,
    pointers: Vec<Vec<String>>,
}

/// Why fields cannot be hidden.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRedaction {
    /// The word names no field.
    #[error(
        "{word:?} names no field to redact: expected a name such as password, or a JSON pointer such as /card/number"
    )]
    NoField {
        /// The word, cut to a printable length.
        word: String,
    },
    /// There are more fields than [`Redaction::FIELDS_MAX`].
    #[error("there are more than {} fields to redact", Redaction::FIELDS_MAX)]
    TooMany,
}

impl Redaction {
    /// The most fields that can be named, which bounds the work for each document.
    pub const FIELDS_MAX: usize = 1000;

    /// Hides these fields. Fails for a word that names none, and beyond [`Redaction::FIELDS_MAX`].
    pub fn new<W: AsRef<str>>(fields: impl IntoIterator<Item = W>) -> Result<Self, InvalidRedaction> {
        let mut redaction = Self::default();
        for (index, word) in fields.into_iter().enumerate() {
            if index >= Self::FIELDS_MAX {
                return Err(InvalidRedaction::TooMany);
            }
            redaction.add(word.as_ref())?;
        }
        Ok(redaction)
    }

    fn add(&mut self, word: &str) -> Result<(), InvalidRedaction> {
        if word.starts_with('/') {
            let pointer = KeyPointer::from_str(word).map_err(|_| InvalidRedaction::no_field(word))?;
            self.pointers.push(pointer.parts());
            return Ok(());
        }
        if word.trim() != word || word.is_empty() || word.chars().any(char::is_control) {
            return Err(InvalidRedaction::no_field(word));
        }
        self.names.push(word.to_lowercase());
        Ok(())
    }

    /// Whether nothing is hidden.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.pointers.is_empty()
    }

    /// A document without the values of the fields. All else stays as it was written: white space, the order of the
    /// fields, and every digit of a number. Of text that is no JSON nothing stays, because its fields are not known.
    pub fn document(&self, text: &str) -> String {
        self.hidden(text).unwrap_or_else(|| text.to_owned())
    }

    /// The error or another text of a job without the values that the fields have in its documents, where they have at
    /// least four characters.
    pub fn text_of_job<'a>(&self, documents: impl IntoIterator<Item = &'a JobData>, text: &str) -> String {
        Secrets::of(self, documents).mask(text)
    }

    /// The document with placeholders, if there is something to hide in it.
    fn hidden(&self, text: &str) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        if !is_json(text) {
            return Some(PLACEHOLDER_JSON.to_owned());
        }
        let (mut hidden, mut end) = (String::new(), 0);
        scan::values(self, text, |_, value| {
            hidden.push_str(&text[end..value.start]);
            hidden.push_str(PLACEHOLDER_JSON);
            end = value.end;
        });
        if end == 0 {
            return None;
        }
        hidden.push_str(&text[end..]);
        Some(hidden)
    }

    /// Hides the fields of a document.
    pub(crate) fn hide(&self, document: &mut JobData) {
        if let Some(hidden) = self.hidden(document.as_str()) {
            *document = JobData::from_stored(hidden);
        }
    }

    /// Whether the key of a limit is, or is in, a hidden field.
    pub(crate) fn hides_key(&self, pointer: &KeyPointer) -> bool {
        let path = pointer.parts();
        path.iter().any(|token| self.has_name(token)) || self.pointers.iter().any(|hidden| path.starts_with(hidden))
    }

    fn has_name(&self, key: &str) -> bool {
        let is_meant = |name: &String| name.eq_ignore_ascii_case(key);
        self.names.iter().any(is_meant) || !key.is_ascii() && self.names.contains(&key.to_lowercase())
    }
}

impl InvalidRedaction {
    fn no_field(word: &str) -> Self {
        Self::NoField { word: word.chars().take(50).collect() }
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(fields: &[&str], text: &str) -> String {
        Redaction::new(fields).unwrap().document(text)
    }

    #[test]
    fn a_name_is_hidden_at_any_depth_and_in_any_case() {
        let text = r#"{"a": [{"PassWord": "x", "b": {"password": {"c": [1]}}}], "password2": 1, "pass\u0077ord":null}"#;
        let expected = r#"{"a": [{"PassWord": "[redacted]", "b": {"password": "[redacted]"}}], "password2": 1, "pass\u0077ord":"[redacted]"}"#;
        assert_eq!(hidden(&["password"], text), expected);
        assert_eq!(hidden(&["Straße"], r#"{"STRAßE": 1}"#), r#"{"STRAßE": "[redacted]"}"#);
    }

    #[test]
    fn a_pointer_is_hidden_at_exactly_its_place() {
        let text = r#"{"card": {"number": 4111, "Number": 1}, "number": 2, "list": [[1], [2, 3]], "a/b": {"~": 5}}"#;
        let expected = r#"{"card": {"number": "[redacted]", "Number": 1}, "number": 2, "list": [[1], [2, "[redacted]"]], "a/b": {"~": "[redacted]"}}"#;
        assert_eq!(hidden(&["/card/number", "/list/1/1", "/a~1b/~0", "/card/x"], text), expected);
        assert_eq!(hidden(&["/0"], "[ 1 ,2]"), "[ \"[redacted]\" ,2]");
    }

    #[test]
    fn what_is_not_hidden_stays_as_it_was_written() {
        let text = "{ \"z\":12345678901234567890.10e+2,\t\"a\" : \"\\u00e9\\\"]}\", \"key\":-1 ,\"b\":[ ] , \"c\":{}}";
        assert_eq!(hidden(&["key"], text), text.replace("-1 ", "\"[redacted]\" "));
        assert_eq!(hidden(&["other"], text), text);
        assert_eq!(hidden(&["a"], " 7 "), " 7 ");
        assert_eq!(hidden(&[], "not json"), "not json");
    }

    #[test]
    fn of_what_is_no_json_nothing_stays() {
        assert_eq!(hidden(&["a"], "{\"a\": secret"), "\"[redacted]\"");
    }

    #[test]
    fn a_document_may_be_deep() {
        let deep = |inner: &str| format!("{}{inner}{}", "{\"a\":[".repeat(500), "]}".repeat(500));
        assert_eq!(hidden(&["key"], &deep(r#"{"key":[[]]}"#)), deep(r#"{"key":"[redacted]"}"#));
    }

    #[test]
    fn a_word_that_names_no_field_is_an_error() {
        for word in ["", " a", "a\n", "/a~2", "/a\0"] {
            let error = Redaction::new(["ok", word]).unwrap_err().to_string();
            assert!(error.contains("names no field to redact"), "{error}");
        }
        assert!(Redaction::new(vec!["a"; Redaction::FIELDS_MAX]).is_ok());
        let too_many = Redaction::new(vec!["a"; Redaction::FIELDS_MAX + 1]);
        assert_eq!(too_many, Err(InvalidRedaction::TooMany));
    }

    #[test]
    fn the_key_of_a_limit_may_be_a_hidden_field() {
        let redaction = Redaction::new(["tenant", "/card"]).unwrap();
        for (pointer, expected) in [("/Tenant", true), ("/card/id", true), ("/cards", false), ("/a/card", false)] {
            assert_eq!(redaction.hides_key(&pointer.parse().unwrap()), expected, "{pointer}");
        }
    }
}
