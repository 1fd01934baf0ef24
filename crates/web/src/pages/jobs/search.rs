use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Redirect, Response};
use longshore_core::JobId;

use super::filter::JobFilter;
use crate::error::ApiError;
use crate::input::pairs::{Pairs, query};
use crate::pages::view::View;
use crate::state::WebState;

/// The words of the search field with what they filter by.
const WORDS: [(&str, &str); 5] = [
    ("status:", "status"),
    ("type:", "type"),
    ("queue:", "queue"),
    ("error:", "failure_type"),
    ("failure:", "failure_type"),
];

/// Goes to the job or to the list that the words of the search field name. Reads nothing itself.
pub(in crate::pages) async fn go(State(_): State<WebState>, view: View, uri: Uri) -> Result<Response, ApiError> {
    let asked = Pairs::parse(uri.query().unwrap_or_default().as_bytes()).map_err(ApiError::invalid)?;
    let path = target(asked.get("q").unwrap_or_default())?;
    Ok(Redirect::to(&view.link(&path)).into_response())
}

/// An id is a job. `status:dead_letter queue:mail` is a filter, and a word alone is a type.
fn target(words: &str) -> Result<String, ApiError> {
    let words = words.trim();
    if let Ok(id) = words.trim_start_matches('#').parse::<JobId>() {
        return Ok(format!("/jobs/{id}"));
    }
    let mut fields: Vec<(&str, Option<&str>)> = Vec::new();
    for word in words.split_whitespace() {
        let named = WORDS.into_iter().find_map(|(prefix, field)| Some((field, word.strip_prefix(prefix)?)));
        let (field, value) = named.unwrap_or(("type", word));
        if fields.iter().any(|(known, _)| *known == field) {
            let message = format!("the search has two values for {field}");
            return Err(ApiError::invalid(message)
                .hint("a search is one job id, or one each of type:, queue:, status: and error:"));
        }
        fields.push((field, Some(value)));
    }
    let asked = query(fields);
    let filter = JobFilter::of_query(asked.trim_start_matches('?'))?;
    Ok(filter.path())
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
        assert_eq!(found(""), "/jobs");
    }

    #[test]
    fn what_is_not_understood_is_an_error_and_no_empty_list() {
        assert!(target("status:nothing").unwrap_err().message().contains("is not a status"));
        assert!(target("two words").unwrap_err().message().contains("two values for type"));
    }
}
