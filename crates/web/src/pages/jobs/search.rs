use axum::http::Uri;
use axum::response::{IntoResponse, Redirect, Response};
use longshore_core::{FailureType, JobId};

use super::filter::JobFilter;
use crate::error::ApiError;
use crate::input::pairs::{Pairs, query};
use crate::pages::view::View;
use crate::state::State;

/// The words of the search field with what they filter by.
const WORDS: [(&str, &str); 7] = [
    ("status:", "status"),
    ("type:", "type"),
    ("queue:", "queue"),
    ("error:", "error"),
    ("tag:", "tag"),
    ("data:", "field"),
    ("failure:", "failure_type"),
];

/// Goes to the job or to the list that the words of the search field name. Reads nothing itself.
pub(in crate::pages) async fn go(State(_): State, view: View, uri: Uri) -> Result<Response, ApiError> {
    let asked = Pairs::parse(uri.query().unwrap_or_default().as_bytes()).map_err(ApiError::invalid)?;
    let path = target(asked.get("q").unwrap_or_default())?;
    Ok(Redirect::to(&view.link(&path)).into_response())
}

/// An id is a job. `status:dead_letter queue:mail error:"no route"` is a filter, and a word alone is a type. `error:` with a
/// failure type means that type.
fn target(words: &str) -> Result<String, ApiError> {
    let words = words.trim();
    if let Ok(id) = words.trim_start_matches('#').parse::<JobId>() {
        return Ok(format!("/jobs/{id}"));
    }
    let words = split(words);
    let mut fields: Vec<(&str, Option<&str>)> = Vec::new();
    for word in &words {
        let named = WORDS.into_iter().find_map(|(prefix, field)| Some((field, word.strip_prefix(prefix)?)));
        let (field, value) = match named.unwrap_or(("type", word)) {
            ("error", kind) if kind.parse::<FailureType>().is_ok() => ("failure_type", kind),
            named => named,
        };
        if fields.iter().any(|(known, _)| *known == field) {
            let message = format!("the search has two values for {field}");
            return Err(ApiError::invalid(message)
                .hint("a search is one job id, or one each of type:, queue:, status:, error:, tag: and data:"));
        }
        fields.push((field, Some(value)));
    }
    let asked = query(fields);
    let filter = JobFilter::of_query(asked.trim_start_matches('?'))?;
    Ok(filter.path())
}

/// The words of a search. What stands in quotes is one word, without them.
fn split(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            letter if letter.is_whitespace() && !is_quoted => words.push(String::new()),
            letter => words.last_mut().expect("there is always one").push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_job_and_words_are_a_filter() {
        let found = |words: &str| target(words).unwrap();
        assert_eq!(found(" 42 "), "/jobs/42");
        assert_eq!(found("#9007199254740993"), "/jobs/9007199254740993");
        assert_eq!(found("send_mail"), "/jobs?type=send_mail");
        assert_eq!(
            found("status:dead_letter queue:mail error:timeout_error"),
            "/jobs?status=dead_letter&queue=mail&failure_type=timeout_error"
        );
        assert_eq!(found("error:\"no route\" tag:eu"), "/jobs?tag=eu&error=no%20route");
        assert_eq!(found("data:/order/id=7"), "/jobs?field=%2Forder%2Fid%3D7");
        assert_eq!(found(""), "/jobs");
    }

    #[test]
    fn what_is_not_understood_is_an_error_and_no_empty_list() {
        assert!(target("status:nothing").unwrap_err().message().contains("is not a status"));
        assert!(target("two words").unwrap_err().message().contains("two values for type"));
    }
}
