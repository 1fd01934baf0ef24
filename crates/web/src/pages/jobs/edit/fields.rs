use axum::http::StatusCode;
use longshore_core::{Due, InvalidId, InvalidPriority, Job, JobData, JobId, NewJob, Timestamp, parse_duration};
use sha2::{Digest, Sha256};

use crate::error::ApiError;
use crate::pages::drawing::json;
use crate::pages::form::CheckedForm;

/// The values of the fields of a form about one job, as they were written.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) job_type: String,
    pub(super) queue: String,
    pub(super) job_data: String,
    /// This one and those up to the tags are of a new job alone.
    pub(super) priority: String,
    pub(super) due: String,
    pub(super) max_retries: String,
    pub(super) unique_key: String,
    pub(super) tags: String,
    /// The job whose hidden values the placeholders of the payload stand for, if the form makes another one.
    pub(super) like: Option<JobId>,
    /// The [`version`] of the job that the form was filled in from.
    pub(super) made_from: Option<String>,
}

/// Why a form is not accepted, and at which field; without one it concerns all of it.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) field: Option<&'static str>,
    pub(super) error: ApiError,
}

impl Problem {
    pub(super) const fn at(field: &'static str, error: ApiError) -> Self {
        Self { field: Some(field), error }
    }

    fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::at(field, ApiError::invalid(message))
    }

    /// Whether other values can help.
    pub(super) fn is_of_the_form(&self) -> bool {
        self.error.status().is_client_error()
    }

    pub(super) const fn status(&self) -> StatusCode {
        self.error.status()
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        Self { field: None, error }
    }
}

impl Fields {
    /// Those of an empty form.
    pub(super) fn empty() -> Self {
        Self { job_data: "{}".to_owned(), ..Self::default() }
    }

    pub(super) fn of(job: &Job) -> Self {
        Self {
            job_type: job.job_type.clone(),
            queue: job.queue.clone(),
            job_data: json::indented(job.job_data.as_str()),
            ..Self::default()
        }
    }

    pub(super) fn of_form(form: &CheckedForm) -> Result<Self, ApiError> {
        let written = |name| form.get(name).unwrap_or_default().to_owned();
        let trimmed = |name| form.get(name).unwrap_or_default().trim().to_owned();
        let like: Option<Result<JobId, InvalidId>> = form.get("like").map(str::parse);
        Ok(Self {
            job_type: written("job_type"),
            queue: written("queue"),
            // A browser sends line breaks as CR LF.
            job_data: written("job_data").replace("\r\n", "\n"),
            priority: trimmed("priority"),
            due: trimmed("due"),
            max_retries: trimmed("max_retries"),
            unique_key: written("unique_key"),
            tags: written("tags"),
            like: like.transpose().map_err(|error| ApiError::invalid(error.to_string()))?,
            made_from: form.get("made_from").map(str::to_owned),
        })
    }

    pub(super) fn payload(&self) -> Result<JobData, Problem> {
        let parsed = JobData::parse(self.job_data.as_str());
        parsed.map_err(|error| Problem::invalid("job_data", format!("the payload is {error}")))
    }

    /// The new job. What is not written is as the defaults of its type say.
    pub(super) fn new_job(&self, defaults: NewJob, job_data: JobData) -> Result<NewJob, Problem> {
        let mut job = NewJob { job_type: self.job_type.clone(), job_data, ..defaults };
        if !self.queue.is_empty() {
            job.queue = self.queue.clone();
        }
        if !self.priority.is_empty() {
            let priority = self.priority.parse();
            job.priority =
                priority.map_err(|error: InvalidPriority| Problem::invalid("priority", error.to_string()))?;
        }
        if !self.due.is_empty() {
            job.due = due(&self.due)?;
        }
        if !self.max_retries.is_empty() {
            let number = || Problem::invalid("max_retries", "the number of retries must be a whole number");
            job.max_retries = Some(self.max_retries.parse().map_err(|_| number())?);
        }
        if !self.unique_key.is_empty() {
            job.unique_key = Some(self.unique_key.clone());
        }
        let tags: Vec<&str> = self.tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).collect();
        if !tags.is_empty() {
            let metadata = JobData::encode(&serde_json::json!({ "tags": tags }));
            job.metadata = Some(metadata.map_err(|error| Problem::invalid("tags", error.to_string()))?);
        }
        Ok(job)
    }
}

/// A duration from now on, or an instant.
fn due(word: &str) -> Result<Due, Problem> {
    if let Ok(at) = word.parse::<Timestamp>() {
        return Ok(Due::At(at));
    }
    let after = parse_duration(word);
    after.map(Due::After).map_err(|_| {
        let message = format!("{word:?} is neither a duration such as 10m nor a time such as 2026-05-04T12:30:00Z");
        Problem::invalid("due", message)
    })
}

/// Names what an edit can change of a job, so that a form knows whether that has changed. It is made of what is shown, so
/// it says nothing of hidden values.
pub(super) fn version(job: &Job) -> String {
    let mut hash = Sha256::new();
    for part in [job.job_type.as_str(), job.queue.as_str(), job.job_data.as_str()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
