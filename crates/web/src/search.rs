//! The search for jobs by what is in them.

use std::time::Duration;

use longshore_core::{Job, JobPageRequest, PageCursor, Selection};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::error::ApiError;
use crate::redaction::PLACEHOLDER;
use crate::shown::{Candidates, Shown};

/// How long a search looks. The store has no index of what is in a job.
pub(crate) const LOOK_MAX: Duration = Duration::from_secs(3);
/// The first read is small, because common words are found at once; payloads may be large, so none is larger than this.
const FIRST_READ: u32 = 100;
const READ_MAX: u32 = 500;
/// How many jobs one read looks at.
const READ_LOOKED_MAX: u32 = 5_000;
/// The longest text that is looked for.
const TEXT_BYTES_MAX: usize = 500;

/// What is looked for in jobs themselves.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Contents {
    /// A word of `tags` in the metadata.
    pub(crate) tag: Option<String>,
    /// A part of the last error or of why the job was given up, whatever the case of its letters.
    pub(crate) error: Option<String>,
    /// A field of the payload and its value.
    pub(crate) field: Option<Field>,
}

/// A JSON pointer and a value, such as `/order/id=7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    text: String,
    split: usize,
}

impl Field {
    fn parse(text: &str) -> Result<Self, ApiError> {
        match text.find('=') {
            Some(split) if text.starts_with('/') => Ok(Self { text: text.to_owned(), split }),
            _ => Err(ApiError::invalid(format!("{text:?} is not a field of a payload"))
                .hint("write a JSON pointer and a value, such as /order/id=7")),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    fn matches(&self, payload: &str) -> bool {
        let (pointer, value) = (&self.text[..self.split], &self.text[self.split + 1..]);
        // Most payloads need no parsing: plain letters and digits stand in JSON as they are.
        if value.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !payload.contains(value) && !payload.contains('\\')
        {
            return false;
        }
        match serde_json::from_str::<Value>(payload).ok().as_ref().and_then(|payload| payload.pointer(pointer)) {
            Some(Value::String(text)) => text == value,
            Some(other) => {
                let text = other.to_string();
                text == value
            }
            None => false,
        }
    }
}

impl Contents {
    /// From the parameters `tag`, `error` and `field`. Empty ones are none.
    pub(crate) fn new(tag: Option<&str>, error: Option<&str>, field: Option<&str>) -> Result<Self, ApiError> {
        for (name, text) in [("tag", tag), ("error", error), ("field", field)] {
            if text.is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
                return Err(ApiError::invalid(format!("the {name} is longer than {TEXT_BYTES_MAX} bytes")));
            }
        }
        let field = field.map(Field::parse).transpose()?;
        Ok(Self { tag: tag.map(str::to_owned), error: error.map(str::to_owned), field })
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Compares jobs with what is looked for.
struct Matcher<'c> {
    contents: &'c Contents,
    /// In small letters.
    error: Option<String>,
}

impl<'c> Matcher<'c> {
    fn new(contents: &'c Contents) -> Self {
        Self { contents, error: contents.error.as_deref().map(str::to_lowercase) }
    }

    fn matches(&self, job: &Job) -> bool {
        self.fits_documents(job) && self.error.as_ref().is_none_or(|error| has_error(job, error))
    }

    fn fits_documents(&self, job: &Job) -> bool {
        let Contents { tag, field, .. } = self.contents;
        tag.as_ref().is_none_or(|tag| has_tag(job, tag))
            && field.as_ref().is_none_or(|field| field.matches(job.job_data.as_str()))
    }

    /// Whether a job may match when more is hidden in its texts. Of what is looked for, only a part of a placeholder can
    /// come with that.
    fn may_match(&self, job: &Job) -> bool {
        let may_have = |error: &String| has_error(job, error) || has_any_error(job) && may_be_placeholder(error);
        self.fits_documents(job) && self.error.as_ref().is_none_or(may_have)
    }
}

fn has_tag(job: &Job, tag: &str) -> bool {
    let Some(metadata) = job.metadata.as_ref().filter(|metadata| metadata.as_str().contains("tags")) else {
        return false;
    };
    let metadata: Value = serde_json::from_str(metadata.as_str()).unwrap_or_default();
    metadata["tags"].as_array().is_some_and(|tags| tags.iter().any(|known| known == tag))
}

fn has_error(job: &Job, error: &str) -> bool {
    let texts = [job.error_message.as_deref(), job.dead_letter_reason.as_deref()];
    texts.into_iter().flatten().any(|text| text.to_lowercase().contains(error))
}

fn has_any_error(job: &Job) -> bool {
    job.error_message.is_some() || job.dead_letter_reason.is_some()
}

/// Whether this text could be found where a placeholder is: it is a part of one, or reaches over one of its ends.
fn may_be_placeholder(error: &str) -> bool {
    PLACEHOLDER.contains(error) || error.contains(['[', ']'])
}

/// Where a search begins, and how far it goes.
pub(crate) struct Search<'c> {
    pub(crate) contents: &'c Contents,
    pub(crate) selection: Selection,
    pub(crate) after: Option<PageCursor>,
    /// How many jobs it finds at most, at least one.
    pub(crate) limit: usize,
    /// How many jobs it looks at, about.
    pub(crate) looked_max: u64,
}

/// What a search has found.
pub(crate) struct Found {
    pub(crate) jobs: Vec<Job>,
    /// Where to go on; none after the oldest job.
    pub(crate) next: Option<PageCursor>,
    pub(crate) looked: u64,
    pub(crate) is_late: bool,
}

/// Looks at the newest jobs of a selection, some at a time, until enough are found, the bound is reached or time is up.
/// Fails if the time was too short for a single look, because then there is no place to go on from.
pub(crate) async fn search(shown: &Shown, search: Search<'_>) -> Result<Found, ApiError> {
    let Search { contents, selection, after, limit: found_max, looked_max } = search;
    let matcher = Matcher::new(contents);
    let may_match = |job: &Job| matcher.may_match(job);
    let deadline = Instant::now() + LOOK_MAX;
    let mut found = Found { jobs: Vec::new(), next: after, looked: 0, is_late: false };
    let mut limit = FIRST_READ;
    loop {
        let left = u32::try_from(looked_max - found.looked).unwrap_or(u32::MAX);
        limit = limit.min(left);
        let reach = READ_LOOKED_MAX.min(left);
        let selection = selection.clone();
        let request = JobPageRequest { selection, after: found.next.clone(), limit, looked_max: Some(reach) };
        let Ok(candidates) = timeout_at(deadline, shown.candidates(request, &may_match)).await else {
            found.is_late = true;
            return if found.looked > 0 {
                Ok(found)
            } else {
                Err(ApiError::timed_out("the jobs were not read in time"))
            };
        };
        let Candidates { jobs, read, next } = candidates?;
        let matching: Vec<(usize, Job)> = jobs.into_iter().filter(|(_, job)| matcher.matches(job)).collect();
        let room = found_max - found.jobs.len();
        if matching.len() > room {
            // Once more, only as far as the last one that has room: then the next page begins behind it.
            limit = matching[room - 1].0 as u32 + 1;
            continue;
        }
        let is_short = next.is_some() && read < limit as usize;
        // Of jobs that the other conditions rule out, as many were looked at as a read may.
        found.looked += if is_short { u64::from(reach) } else { read as u64 };
        found.jobs.extend(matching.into_iter().map(|(_, job)| job));
        found.next = next;
        if found.next.is_none() || found.jobs.len() >= found_max || found.looked >= looked_max {
            return Ok(found);
        }
        limit = (limit * 2).min(READ_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str) -> Field {
        Field::parse(text).unwrap()
    }

    #[test]
    fn a_text_that_a_placeholder_could_bring_is_known() {
        for text in ["", "redact", "[redacted]", "user [red", "d], again"] {
            assert!(may_be_placeholder(text), "{text}");
        }
        for text in ["no route", "redacted user", "hunter2"] {
            assert!(!may_be_placeholder(text), "{text}");
        }
    }

    #[test]
    fn a_field_is_compared_with_text_numbers_and_words() {
        let payload = r#"{"order": {"id": 9007199254740993, "paid": true, "to": "ad\u0061"}, "a/b": ["x"]}"#;
        for found in ["/order/id=9007199254740993", "/order/paid=true", "/order/to=ada", "/a~1b/0=x"] {
            assert!(field(found).matches(payload), "{found}");
        }
        for other in ["/order/id=9007199254740992", "/order/paid=tru", "/order=x", "/none=", "/a~1b/1=x"] {
            assert!(!field(other).matches(payload), "{other}");
        }
        assert!(!field("/a=b").matches("no JSON: b"));
        for text in ["order=7", "/order", ""] {
            assert!(Field::parse(text).is_err(), "{text}");
        }
    }
}
