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
    ("status", "status"),
    ("type", "type"),
    ("queue", "queue"),
    ("error", "error"),
    ("tag", "tag"),
    ("data", "field"),
    ("failure", "failure_type"),
];
const HINT: &str =
    "a search is a job id, a job type, or one each of status:, type:, queue:, error:, tag:, data: and failure:";

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
    let mut fields: Vec<(&str, &str)> = Vec::new();
    for word in &words {
        let (field, value) = field_of(word)?;
        if let Some((_, other)) = fields.iter().find(|(known, _)| *known == field) {
            return Err(both(field, other, value));
        }
        fields.push((field, value));
    }
    let asked = query(fields.into_iter().map(|(field, value)| (field, Some(value))));
    let filter = JobFilter::of_query(asked.trim_start_matches('?'))?;
    Ok(filter.path())
}

/// What a word filters by. Only quotes make a type of a word with a colon, because `qeue:mail` would find nothing.
fn field_of(word: &Word) -> Result<(&'static str, &str), ApiError> {
    let Some((name, value)) = word.text.split_once(':').filter(|_| !word.is_quoted) else {
        return Ok(("type", word.text.as_str()));
    };
    let Some((_, field)) = WORDS.into_iter().find(|(known, _)| *known == name) else {
        let message = format!("the search does not know \"{name}:\"");
        return Err(ApiError::invalid(message).hint(format!("{HINT}; a job type with a colon is type:{}", word.text)));
    };
    if value.is_empty() {
        let message = format!("there is nothing behind \"{name}:\"");
        return Err(ApiError::invalid(message).hint(format!("write the value without a space, such as {name}:\"a b\"")));
    }
    let is_kind = field == "error" && value.parse::<FailureType>().is_ok();
    Ok((if is_kind { "failure_type" } else { field }, value))
}

fn both(field: &str, one: &str, other: &str) -> ApiError {
    let name = WORDS.into_iter().find(|(_, known)| *known == field).map_or(field, |(name, _)| name);
    let message = format!("the search has two values of {name}: \"{one}\" and \"{other}\"");
    let hint = match field {
        "type" => format!("{HINT}. A word alone is a job type. Batches have a page of their own"),
        _ => HINT.to_owned(),
    };
    ApiError::invalid(message).hint(hint)
}

/// A word of a search, without its quotes.
#[derive(Debug, Default)]
struct Word {
    text: String,
    /// Whether it begins with a quote.
    is_quoted: bool,
}

/// The words of a search. What stands in quotes is one word.
fn split(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut word = Word::default();
    let mut is_inside = false;
    for letter in text.chars() {
        match letter {
            '"' => {
                word.is_quoted |= word.text.is_empty();
                is_inside = !is_inside;
            }
            letter if letter.is_whitespace() && !is_inside => words.push(std::mem::take(&mut word)),
            letter => word.text.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.text.is_empty());
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
        for (words, expected) in [
            ("status:nothing", "is not a status"),
            ("import 42", "two values of type: \"import\" and \"42\""),
            ("queue:a queue:b", "two values of queue: \"a\" and \"b\""),
            ("data:/a=1 data:/b=2", "two values of data: "),
            ("qeue:mail", "does not know \"qeue:\""),
            ("tag:", "nothing behind \"tag:\""),
            ("error:\"\"", "nothing behind \"error:\""),
            ("tag: eu", "nothing behind \"tag:\""),
        ] {
            let error = target(words).unwrap_err();
            assert!(error.message().contains(expected), "{words}: {error}");
        }
        let hint = target("foo:bar").unwrap_err().hint_words().unwrap().to_owned();
        assert!(hint.contains("status:, type:, queue:") && hint.ends_with("type:foo:bar"), "{hint}");
    }

    #[test]
    fn a_type_with_a_colon_or_a_space_is_found() {
        for words in ["type:foo:bar", "\"foo:bar\"", "type:\"foo:bar\""] {
            assert_eq!(target(words).unwrap(), "/jobs?type=foo%3Abar", "{words}");
        }
        assert_eq!(target("\"import 42\"").unwrap(), "/jobs?type=import%2042");
    }
}
