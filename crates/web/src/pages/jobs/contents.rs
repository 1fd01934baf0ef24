use std::time::Duration;

use longshore_core::{Job, JobPageRequest, PageCursor};
use maud::{Markup, html};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::PAGE;
use super::filter::JobFilter;
use super::listing::LOOKED_MAX;
use crate::error::ApiError;
use crate::input::pairs::Pairs;
use crate::pages::drawing::text::{counted, number};
use crate::pages::view::View;
use crate::state::WebState;

/// How many of the newest jobs a search looks at, and for how long. The store has no index of what is in a job.
const SEARCHED_MAX: u64 = 100_000;
const LOOK_MAX: Duration = Duration::from_secs(3);
/// The first read is small, because common words are found at once; payloads may be large, so none is larger than this.
const FIRST_READ: u32 = 100;
const READ_MAX: u32 = 500;
/// The longest text that is looked for.
const TEXT_BYTES_MAX: usize = 500;

/// What is looked for in jobs themselves.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(in crate::pages) struct Contents {
    /// A word of `tags` in the metadata.
    pub(in crate::pages) tag: Option<String>,
    /// A part of the last error or of why the job was given up, whatever the case of its letters.
    pub(in crate::pages) error: Option<String>,
    /// A field of the payload and its value.
    pub(in crate::pages) field: Option<Field>,
}

/// A JSON pointer and a value, such as `/order/id=7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::pages) struct Field {
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

    pub(in crate::pages) fn as_str(&self) -> &str {
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
    /// From the fields `tag`, `error` and `field`. Empty ones are none.
    pub(in crate::pages) fn of_pairs(pairs: &Pairs) -> Result<Self, ApiError> {
        let text = |name: &str| match pairs.get(name) {
            Some(text) if text.len() > TEXT_BYTES_MAX => {
                Err(ApiError::invalid(format!("the {name} is longer than {TEXT_BYTES_MAX} bytes")))
            }
            text => Ok(text.map(str::to_owned)),
        };
        let field = text("field")?.map(|text| Field::parse(&text)).transpose()?;
        Ok(Self { tag: text("tag")?, error: text("error")?, field })
    }

    pub(in crate::pages) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn matches(&self, job: &Job) -> bool {
        self.tag.as_ref().is_none_or(|tag| has_tag(job, tag))
            && self.error.as_ref().is_none_or(|error| has_error(job, error))
            && self.field.as_ref().is_none_or(|field| field.matches(job.job_data.as_str()))
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
    let error = error.to_lowercase();
    let texts = [job.error_message.as_deref(), job.dead_letter_reason.as_deref()];
    texts.into_iter().flatten().any(|text| text.to_lowercase().contains(&error))
}

/// What a search has found.
pub(super) struct Found {
    pub(super) jobs: Vec<Job>,
    /// Where to go on; none after the oldest job.
    pub(super) next: Option<PageCursor>,
    looked: u64,
    is_late: bool,
}

/// Looks at the newest jobs of a filter, some at a time, until a page is full, the bound is reached or time is up.
pub(super) async fn search(state: &WebState, filter: &JobFilter) -> Result<Found, ApiError> {
    let deadline = Instant::now() + LOOK_MAX;
    let mut found = Found { jobs: Vec::new(), next: filter.after.clone(), looked: 0, is_late: false };
    let mut limit = FIRST_READ;
    loop {
        let request = JobPageRequest {
            selection: filter.selection(),
            after: found.next.clone(),
            limit,
            looked_max: Some(LOOKED_MAX),
        };
        let Ok(page) = timeout_at(deadline, state.shown().jobs(request)).await else {
            found.is_late = true;
            return Ok(found);
        };
        let page = page?;
        let is_short = page.next.is_some() && page.jobs.len() < limit as usize;
        // Of jobs that the other conditions rule out, as many were looked at as a read may.
        found.looked += if is_short { u64::from(LOOKED_MAX) } else { page.jobs.len() as u64 };
        found.jobs.extend(page.jobs.into_iter().filter(|job| filter.contents.matches(job)));
        found.next = page.next;
        if found.next.is_none() || found.jobs.len() >= PAGE as usize || found.looked >= SEARCHED_MAX {
            return Ok(found);
        }
        limit = (limit * 2).min(READ_MAX);
    }
}

/// How far the search went.
pub(super) fn extent(view: &View, filter: &JobFilter, found: &Found) -> Markup {
    let older = |next: &PageCursor| view.link(&JobFilter { after: Some(next.clone()), ..filter.clone() }.path());
    html! {
        p.notice.warn[found.is_late] #extent {
            "Found " (counted(found.jobs.len() as u64, "job")) " among the "
            @if filter.after.is_some() { "next " } @else { "newest " }
            (counted(found.looked, "job"))
            @if found.is_late { ", then " (LOOK_MAX.as_secs()) " seconds were over" }
            @if found.looked >= SEARCHED_MAX { ", the most that one search looks at (" (number(SEARCHED_MAX)) ")" }
            "."
            @match &found.next {
                Some(next) => { " " a rel="next" href=(older(next)) { "Search older ones" } },
                None => " There are no others.",
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str) -> Field {
        Field::parse(text).unwrap()
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
