use longshore_core::{DeadLetterCode, FailureType, Filter, Status};
use serde::Deserialize;

use crate::endpoint::document::Parameter;
use crate::error::ApiError;
use crate::input::Query;

/// How many values one condition may list.
const VALUES_MAX: usize = 100;
const NAME_BYTES_MAX: usize = 1000;

/// The parameters that select jobs.
pub(super) fn parameters() -> Vec<Parameter> {
    let mut all = vec![Parameter::words("status", "Only jobs in one of these states.", words(Status::ALL))];
    all.extend(kind_parameters());
    all
}

/// The parameters that select jobs in any state.
pub(super) fn kind_parameters() -> Vec<Parameter> {
    vec![
        Parameter::names("type", "Only jobs of one of these types."),
        Parameter::names("queue", "Only jobs in one of these queues."),
        Parameter::words(
            "failure_type",
            "Only jobs whose last failure had one of these types.",
            words(FailureType::ALL),
        ),
        Parameter::words("reason", "Only dead letters with one of these reasons.", words(DeadLetterCode::ALL)),
    ]
}

fn words<T: Word>(all: impl IntoIterator<Item = T>) -> Vec<&'static str> {
    all.into_iter().map(Word::word).collect()
}

trait Word {
    fn word(self) -> &'static str;
}

impl Word for Status {
    fn word(self) -> &'static str {
        self.as_str()
    }
}

impl Word for FailureType {
    fn word(self) -> &'static str {
        self.as_str()
    }
}

impl Word for DeadLetterCode {
    fn word(self) -> &'static str {
        self.as_str()
    }
}

/// Takes the filter out of a query.
pub(crate) fn take(query: &mut Query) -> Result<Filter, ApiError> {
    let filter = Filter {
        statuses: query.words("status")?,
        job_types: query.names("type")?,
        queues: query.names("queue")?,
        failure_types: query.words("failure_type")?,
        reasons: query.words("reason")?,
    };
    bounded(filter)
}

fn bounded(filter: Filter) -> Result<Filter, ApiError> {
    let Filter { statuses, job_types, queues, failure_types, reasons } = &filter;
    let lengths = [
        statuses.as_ref().map(Vec::len),
        job_types.as_ref().map(Vec::len),
        queues.as_ref().map(Vec::len),
        failure_types.as_ref().map(Vec::len),
        reasons.as_ref().map(Vec::len),
    ];
    if lengths.into_iter().flatten().any(|length| length > VALUES_MAX) {
        return Err(ApiError::invalid(format!("a filter has at most {VALUES_MAX} values of one kind")));
    }
    let mut names = job_types.iter().chain(queues).flatten();
    // PostgreSQL has no text with a zero byte.
    if names.any(|name| name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains('\0')) {
        return Err(ApiError::invalid(format!("a name has 1 to {NAME_BYTES_MAX} bytes, none of them zero")));
    }
    Ok(filter)
}

/// A filter in a body, with the names of the query.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilterBody {
    #[serde(default)]
    pub(super) status: Option<Vec<Status>>,
    #[serde(default, rename = "type")]
    job_type: Option<Vec<String>>,
    #[serde(default)]
    queue: Option<Vec<String>>,
    #[serde(default)]
    failure_type: Option<Vec<FailureType>>,
    #[serde(default)]
    reason: Option<Vec<String>>,
}

impl FilterBody {
    pub(super) fn into_filter(self) -> Result<Filter, ApiError> {
        let code = |word: String| {
            word.parse::<DeadLetterCode>().map_err(|error| ApiError::invalid(format!("the reason: {error}")))
        };
        let reasons = self.reason.map(|words| words.into_iter().map(code).collect::<Result<_, _>>()).transpose()?;
        bounded(Filter {
            statuses: self.status,
            job_types: self.job_type,
            queues: self.queue,
            failure_types: self.failure_type,
            reasons,
        })
    }
}
