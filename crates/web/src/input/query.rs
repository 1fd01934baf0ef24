use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use longshore_report::in_plain_words;

use super::pairs::Pairs;
use crate::error::ApiError;

/// How long a query may be in all, and of how many parameters.
const BYTES_MAX: usize = 8 * 1024;
const PARAMETERS_MAX: usize = 200;

/// The parameters of a query. A handler takes those that it knows, then calls [`Query::end`], which refuses the others:
/// a misspelt filter would otherwise select everything.
#[derive(Debug)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    fn parse(text: &str) -> Result<Self, ApiError> {
        check_length(text)?;
        let pairs = Pairs::parse(text.as_bytes()).map_err(ApiError::invalid)?.into_inner();
        if pairs.len() > PARAMETERS_MAX {
            return Err(ApiError::invalid(format!("the query has more than {PARAMETERS_MAX} parameters")));
        }
        Ok(Self { pairs })
    }

    /// All values of a parameter.
    fn take(&mut self, name: &str) -> Vec<String> {
        let mut taken = Vec::new();
        self.pairs.retain_mut(|(known, value)| {
            let is_other = known != name;
            if !is_other {
                taken.push(std::mem::take(value));
            }
            is_other
        });
        taken
    }

    /// The text of a parameter that may be given once. An empty one does not count: the first page of a list is often
    /// asked for with `after=`, and forms send empty fields.
    fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let mut values = self.take(name);
        values.retain(|value| !value.is_empty());
        match (values.pop(), values.len()) {
            (value, 0) => Ok(value),
            _ => Err(twice(name)),
        }
    }

    /// The value of a parameter that may be given once.
    pub(crate) fn one<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Result<Option<T>, ApiError> {
        let value: Option<Result<T, T::Err>> = self.text(name)?.map(|value| value.parse());
        value.transpose().map_err(|error| parameter(name, &error))
    }

    /// A condition that may be given once. An empty one is an error: it would select everything.
    pub(crate) fn condition<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Result<Option<T>, ApiError> {
        if self.pairs.iter().any(|(known, value)| known == name && value.is_empty()) {
            return Err(empty(name));
        }
        self.one(name)
    }

    /// A number within its bounds.
    pub(crate) fn number(&mut self, name: &'static str, bounds: RangeInclusive<u32>) -> Result<Option<u32>, ApiError> {
        let Some(word) = self.text(name)? else { return Ok(None) };
        match word.parse::<u32>() {
            Ok(number) if bounds.contains(&number) => Ok(Some(number)),
            _ => Err(outside(name, &bounds)),
        }
    }

    /// The values of a condition that may be repeated, each also a list separated by commas. None if it is not given. An
    /// empty one is an error, as for [`Query::condition`].
    pub(crate) fn words<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Result<Option<Vec<T>>, ApiError> {
        let Some(values) = self.names(name)? else { return Ok(None) };
        let words = values.iter().flat_map(|value| value.split(',')).filter(|word| !word.is_empty());
        let words: Vec<T> =
            words.map(str::parse).collect::<Result<_, T::Err>>().map_err(|error| parameter(name, &error))?;
        if words.is_empty() { Err(empty(name)) } else { Ok(Some(words)) }
    }

    /// The names of a condition. They may contain commas, so each is a parameter of its own.
    pub(crate) fn names(&mut self, name: &'static str) -> Result<Option<Vec<String>>, ApiError> {
        let names = self.take(name);
        if names.iter().any(String::is_empty) {
            return Err(empty(name));
        }
        Ok((!names.is_empty()).then_some(names))
    }

    /// Fails if there is a parameter that nobody has taken.
    pub(crate) fn end(self) -> Result<(), ApiError> {
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) => Err(unknown(name).hint("GET /api/v1/openapi.json lists the parameters")),
        }
    }
}

/// Fails unless a query is as long as one may be.
pub(crate) fn check_length(text: &str) -> Result<(), ApiError> {
    if text.len() > BYTES_MAX {
        return Err(ApiError::invalid(format!("the query has more than {BYTES_MAX} bytes")));
    }
    Ok(())
}

/// Fails if the query of a page has a parameter that the page does not know, or one twice.
pub(crate) fn check_page(uri: &Uri, known: &[&str]) -> Result<(), ApiError> {
    let mut query = Query::parse(uri.query().unwrap_or_default())?;
    for name in known {
        query.text(name)?;
    }
    match query.pairs.first() {
        None => Ok(()),
        Some((name, _)) if known.is_empty() => {
            Err(unknown(name).hint("this page has no parameters: go back, or open it without those in its address"))
        }
        Some((name, _)) => {
            let known = known.join(", ");
            Err(unknown(name).hint(format!("go back, or correct the address; the parameters of this page: {known}")))
        }
    }
}

fn unknown(name: &str) -> ApiError {
    let name: String = name.chars().take(50).collect();
    ApiError::invalid(format!("there is no parameter {name:?} here"))
}

fn twice(name: &str) -> ApiError {
    ApiError::invalid(format!("the parameter {name} is given twice"))
}

fn empty(name: &str) -> ApiError {
    ApiError::invalid(format!("the parameter {name} is empty, which would select everything"))
        .hint("give it a value, or leave it out")
}

fn parameter(name: &str, error: &impl Display) -> ApiError {
    ApiError::invalid(format!("the parameter {name}: {}", in_plain_words(&error.to_string(), "an object")))
}

fn outside(name: &str, bounds: &RangeInclusive<u32>) -> ApiError {
    ApiError::invalid(format!(
        "the parameter {name} must be a whole number from {} to {}",
        bounds.start(),
        bounds.end()
    ))
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use longshore_core::Status;

    use super::*;

    #[test]
    fn a_list_may_be_repeated_or_separated_by_commas() {
        let mut query = Query::parse("status=pending,running&status=retrying&type=a,b&type=c").unwrap();
        assert_eq!(query.words("status").unwrap(), Some(vec![Status::Pending, Status::Running, Status::Retrying]));
        assert_eq!(query.names("type").unwrap(), Some(vec!["a,b".to_owned(), "c".to_owned()]));
        query.end().unwrap();
    }

    #[test]
    fn an_empty_place_or_limit_is_the_usual_one() {
        let mut query = Query::parse("after=&limit=").unwrap();
        assert_eq!(query.one::<u32>("after").unwrap(), None);
        assert_eq!(query.number("limit", 1..=9).unwrap(), None);
        query.end().unwrap();
    }

    #[test]
    fn an_empty_condition_does_not_select_everything() {
        let empty = |error: ApiError| error.message().contains("is empty");
        for text in ["type=", "type=a&type="] {
            assert!(empty(Query::parse(text).unwrap().names("type").unwrap_err()), "{text}");
        }
        for text in ["status=", "status=,", "status=pending&status="] {
            assert!(empty(Query::parse(text).unwrap().words::<Status>("status").unwrap_err()), "{text}");
        }
        assert!(empty(Query::parse("tag=").unwrap().condition::<String>("tag").unwrap_err()));
        assert_eq!(Query::parse("").unwrap().condition::<String>("tag").unwrap(), None);
    }

    #[test]
    fn a_page_refuses_what_it_does_not_know_and_keeps_empty_fields() {
        let check = |query: &str| check_page(&format!("/jobs?{query}").parse().unwrap(), &["status", "type"]);
        check("status=&type=mail&type=").unwrap();
        check("").unwrap();
        let misspelt = check("stauts=dead_letter").unwrap_err();
        assert!(misspelt.message().contains("\"stauts\""), "{misspelt}");
        assert!(misspelt.hint_words().unwrap().ends_with("status, type"));
        assert!(check("type=a&type=b").unwrap_err().message().contains("type is given twice"));
        assert!(check(&"x".repeat(60_000)).unwrap_err().message().contains("8192 bytes"));
        assert!(check_page(&"/queues?x=1".parse().unwrap(), &[]).is_err());
    }

    #[test]
    fn what_is_not_expected_is_refused_by_name() {
        assert!(Query::parse("satus=pending").unwrap().end().unwrap_err().message().contains("\"satus\""));
        let mut query = Query::parse("limit=10&status=done").unwrap();
        assert!(query.number("limit", 1..=9).unwrap_err().message().ends_with("from 1 to 9"));
        assert!(query.words::<Status>("status").unwrap_err().message().starts_with("the parameter status: "));
        let mut twice = Query::parse("after=1&after=2").unwrap();
        assert!(twice.one::<u32>("after").unwrap_err().message().contains("twice"));
        let mut twice = Query::parse("limit=5&limit=6").unwrap();
        assert!(twice.number("limit", 1..=9).unwrap_err().message().contains("twice"));
        assert!(Query::parse(&"a=1&".repeat(3000)).is_err());
        assert!(Query::parse(&"a&".repeat(300)).is_err());
        assert!(Query::parse("a=%00").is_err());
    }
}
