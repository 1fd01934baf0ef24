use std::ops::Range;

use longshore_core::JobData;

use super::scan::{self, Level, compact, leaves, value_end};
use super::{PLACEHOLDER_JSON, Redaction, is_json};

/// A placeholder in a document that somebody has edited stands for no value that is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the payload has the placeholder {PLACEHOLDER_JSON} where it is not clear which hidden value is meant: write the \
     value itself"
)]
pub(crate) struct Unrestorable;

impl Redaction {
    /// The document that somebody has made of the shown form of another one, with the hidden values of that one where the
    /// placeholders still are. In a list a place says little, so the outermost list around a placeholder must be as it was
    /// shown.
    pub(crate) fn restore(&self, edited: &JobData, original: &JobData) -> Result<JobData, Unrestorable> {
        let (text, old) = (edited.as_str(), original.as_str());
        if self.is_empty() {
            return Ok(edited.clone());
        }
        if !is_json(old) {
            // Such a document is shown as one placeholder.
            return if compact(text) == PLACEHOLDER_JSON { Ok(original.clone()) } else { Ok(edited.clone()) };
        }
        let places = self.placeholders(text);
        if placeholders_in(text) - places.len() > placeholders_in(old) - self.placeholders(old).len() {
            return Err(Unrestorable);
        }
        let shown = self.document(old);
        let (mut restored, mut end) = (String::new(), 0);
        for place in places {
            if place.range.start < end {
                // A list that was restored as a whole.
                continue;
            }
            let value = find(old, &place.path).ok_or(Unrestorable)?;
            if place.is_list {
                let list = find(&shown, &place.path).ok_or(Unrestorable)?;
                if compact(&text[place.range.clone()]) != compact(&shown[list]) {
                    return Err(Unrestorable);
                }
            }
            restored.push_str(&text[end..place.range.start]);
            restored.push_str(&old[value]);
            end = place.range.end;
        }
        restored.push_str(&text[end..]);
        Ok(JobData::from_stored(restored))
    }

    fn placeholders(&self, text: &str) -> Vec<Place> {
        let mut places = Vec::new();
        scan::values(self, text, |levels, value| {
            if &text[value.clone()] == PLACEHOLDER_JSON {
                places.push(Place::of(text, levels, value));
            }
        });
        places
    }
}

/// Where a value is to be restored: a placeholder, or the outermost list around it.
struct Place {
    path: Vec<String>,
    range: Range<usize>,
    is_list: bool,
}

impl Place {
    fn of(text: &str, levels: &[Level], value: Range<usize>) -> Self {
        let path = levels.iter().take_while(|level| level.index.is_none()).map(|level| level.key.clone()).collect();
        match levels.iter().find(|level| level.index.is_some()) {
            Some(list) => Self { path, range: list.start..value_end(text.as_bytes(), list.start), is_list: true },
            None => Self { path, range: value, is_list: false },
        }
    }
}

fn placeholders_in(text: &str) -> usize {
    leaves(text).into_iter().filter(|leaf| *leaf == PLACEHOLDER_JSON).count()
}

/// The value at the end of a path of names.
fn find(text: &str, path: &[String]) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut start = scan::blank_end(bytes, 0);
    for name in path {
        start = scan::member(text, start, name)?;
    }
    Some(start..value_end(bytes, start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restored(edited: &str, original: &str) -> Option<String> {
        let redaction = Redaction::new(["key", "/a/b"]).unwrap();
        let [edited, original] = [edited, original].map(|text| JobData::parse(text).unwrap());
        redaction.restore(&edited, &original).ok().map(|data| data.as_str().to_owned())
    }

    #[test]
    fn a_placeholder_is_the_value_that_was_there() {
        let old = r#"{"key": 12345678901234567890, "n": {"Key": {"x": [1]}}, "a": {"b": "two", "c": 1}}"#;
        let shown = r#"{"key": "[redacted]", "n": {"Key": "[redacted]"}, "a": {"b": "[redacted]", "c": 1}}"#;
        assert_eq!(restored(shown, old).as_deref(), Some(old));
        let edited = r#"{"a":{"c":2,"b":"[redacted]"},"key":"new","n":{}}"#;
        assert_eq!(restored(edited, old).as_deref(), Some(r#"{"a":{"c":2,"b":"two"},"key":"new","n":{}}"#));
    }

    #[test]
    fn a_placeholder_in_a_list_is_restored_only_if_the_list_is_as_it_was() {
        let old = r#"{"l": [{"key": 1}, {"key": 2, "n": "a b"}], "m": 1}"#;
        let edited = r#"{"m": 2, "l":[ {"key":"[redacted]"},{"key":"[redacted]","n":"a b"} ]}"#;
        let expected = r#"{"m": 2, "l":[{"key": 1}, {"key": 2, "n": "a b"}]}"#;
        assert_eq!(restored(edited, old).as_deref(), Some(expected));
        assert_eq!(restored(r#"{"l": [{"key": "[redacted]", "n": "a b"}]}"#, old), None);
        assert_eq!(restored(r#"{"l": [{"key": "x"}]}"#, old).as_deref(), Some(r#"{"l": [{"key": "x"}]}"#));
    }

    #[test]
    fn a_placeholder_that_stands_for_nothing_is_an_error() {
        assert_eq!(restored(r#"{"n": {"key": "[redacted]"}}"#, r#"{"key": 1}"#), None);
        assert_eq!(restored(r#"{"other": "[redacted]"}"#, r#"{"key": 1}"#), None);
        let literal = r#"{"key": "[redacted]", "n": "[redacted]"}"#;
        assert_eq!(restored(literal, literal).as_deref(), Some(literal));
    }
}
