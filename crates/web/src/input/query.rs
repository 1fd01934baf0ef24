use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::FromRequestParts;
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
        if text.len() > BYTES_MAX {
            return Err(ApiError::invalid(format!("the query has more than {BYTES_MAX} bytes")));
        }
        let pairs = Pairs::parse(text.as_bytes()).map_err(ApiError::invalid)?.into_inner();
        if pairs.len() > PARAMETERS_MAX {
            return Err(ApiError::invalid(format!("the query has more than {PARAMETERS_MAX} parameters")));
        }
        Ok(Self { pairs })
    }

    /// All values of a parameter. An empty one does not count, because forms send empty fields.
    fn take(&mut self, name: &str) -> Vec<String> {
        let mut taken = Vec::new();
        self.pairs.retain_mut(|(known, value)| {
            if known != name {
                return true;
            }
            if !value.is_empty() {
                taken.push(std::mem::take(value));
            }
            false
        });
        taken
    }

    /// The value of a parameter that may be given once.
    pub(crate) fn one<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Result<Option<T>, ApiError> {
        let mut values = self.take(name);
        match (values.pop(), values.len()) {
            (None, _) => Ok(None),
            (Some(value), 0) => value.parse().map(Some).map_err(|error| parameter(name, &error)),
            (Some(_), _) => Err(ApiError::invalid(format!("the parameter {name} is given twice"))),
        }
    }

    /// A number within its bounds.
    pub(crate) fn number(&mut self, name: &'static str, bounds: RangeInclusive<u32>) -> Result<Option<u32>, ApiError> {
        let number: Option<u32> = self.one(name).map_err(|_| outside(name, &bounds))?;
        if number.is_some_and(|number| !bounds.contains(&number)) { Err(outside(name, &bounds)) } else { Ok(number) }
    }

    /// The values of a parameter that may be repeated, each also a list separated by commas. None if it is not given.
    pub(crate) fn words<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Result<Option<Vec<T>>, ApiError> {
        let values = self.take(name);
        let words = values.iter().flat_map(|value| value.split(',')).filter(|word| !word.is_empty());
        let words: Vec<T> =
            words.map(str::parse).collect::<Result<_, T::Err>>().map_err(|error| parameter(name, &error))?;
        Ok((!words.is_empty()).then_some(words))
    }

    /// Names, which may contain commas, so each is a parameter of its own.
    pub(crate) fn names(&mut self, name: &'static str) -> Option<Vec<String>> {
        let names = self.take(name);
        (!names.is_empty()).then_some(names)
    }

    /// Fails if there is a parameter that nobody has taken.
    pub(crate) fn end(self) -> Result<(), ApiError> {
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) => {
                let name: String = name.chars().take(50).collect();
                Err(ApiError::invalid(format!("there is no parameter {name:?} here"))
                    .hint("GET /api/v1/openapi.json lists the parameters"))
            }
        }
    }
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
        assert_eq!(query.names("type"), Some(vec!["a,b".to_owned(), "c".to_owned()]));
        query.end().unwrap();
    }

    #[test]
    fn an_empty_field_of_a_form_is_no_condition() {
        let mut query = Query::parse("status=&limit=").unwrap();
        assert_eq!(query.words::<Status>("status").unwrap(), None);
        assert_eq!(query.number("limit", 1..=9).unwrap(), None);
        query.end().unwrap();
    }

    #[test]
    fn what_is_not_expected_is_refused_by_name() {
        assert!(Query::parse("satus=pending").unwrap().end().unwrap_err().message().contains("\"satus\""));
        let mut query = Query::parse("limit=10&status=done").unwrap();
        assert!(query.number("limit", 1..=9).unwrap_err().message().ends_with("from 1 to 9"));
        assert!(query.words::<Status>("status").unwrap_err().message().starts_with("the parameter status: "));
        let mut twice = Query::parse("after=1&after=2").unwrap();
        assert!(twice.one::<u32>("after").unwrap_err().message().contains("twice"));
        assert!(Query::parse(&"a=1&".repeat(3000)).is_err());
        assert!(Query::parse(&"a&".repeat(300)).is_err());
        assert!(Query::parse("a=%00").is_err());
    }
}
