use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use crate::{Due, InvalidJob, JobData, JobId, NewJob, Priority, Timestamp, deserialize_duration};

/// A job as a line of NDJSON or an HTTP body asks for it. Unknown fields are refused, because a misspelt
/// `max_retires` must not be lost without a word.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object such as {\"job_type\": \"mail\", \"job_data\": {}}")]
pub struct JobRequest {
    /// Which handler runs it.
    pub job_type: String,
    /// The payload, `{}` unless given.
    #[serde(default)]
    pub job_data: JobData,
    /// The queue.
    #[serde(default)]
    pub queue: Option<String>,
    /// A number or a name.
    #[serde(default)]
    pub priority: Option<Priority>,
    /// A duration such as `30s`.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub delay: Option<Duration>,
    /// An RFC 3339 instant.
    #[serde(default, alias = "at", deserialize_with = "timestamp")]
    pub run_at: Option<Timestamp>,
    /// How many retries follow the first attempt.
    #[serde(default)]
    pub max_retries: Option<u32>,
    /// The time limit of an attempt: a duration such as `5m`.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub timeout: Option<Duration>,
    /// The time limit of an attempt in seconds.
    #[serde(default)]
    pub timeout_seconds: Option<f64>,
    /// A duration such as `10m`, after which no attempt begins any more.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub expires_in: Option<Duration>,
    /// A duration such as `1h`, after which no attempt begins or goes on any more.
    #[serde(default, alias = "deadline", deserialize_with = "deserialize_duration")]
    pub deadline_in: Option<Duration>,
    /// While a job with this key has not ended, no second one is made.
    #[serde(default)]
    pub unique_key: Option<String>,
    /// Waits until this job completes.
    #[serde(default, alias = "parent")]
    pub parent_job_id: Option<JobId>,
    /// Anything to keep beside the payload.
    #[serde(default)]
    pub metadata: Option<JobData>,
}

impl JobRequest {
    /// The job that is asked for; what is not given comes from `defaults`, a job of the same type.
    pub fn into_new_job(self, defaults: NewJob) -> Result<NewJob, InvalidJob> {
        let timeout = match (self.timeout, self.timeout_seconds) {
            (None, Some(seconds)) => Some(timeout_of_seconds(seconds)?),
            (timeout, _) => timeout,
        };
        let due = match (self.run_at, self.delay) {
            (Some(instant), _) => Due::At(instant),
            (None, Some(delay)) => Due::After(delay),
            (None, None) => defaults.due,
        };
        Ok(NewJob {
            job_type: self.job_type,
            job_data: self.job_data,
            queue: self.queue.unwrap_or(defaults.queue),
            priority: self.priority.unwrap_or(defaults.priority),
            due,
            max_retries: self.max_retries.unwrap_or(defaults.max_retries),
            timeout: timeout.or(defaults.timeout),
            expires_in: self.expires_in.or(defaults.expires_in),
            deadline_in: self.deadline_in.or(defaults.deadline_in),
            unique_key: self.unique_key.or(defaults.unique_key),
            parent: self.parent_job_id.or(defaults.parent),
            metadata: self.metadata.or(defaults.metadata),
            max_crashes: defaults.max_crashes,
            max_deferrals: defaults.max_deferrals,
        })
    }
}

fn timeout_of_seconds(seconds: f64) -> Result<Duration, InvalidJob> {
    Duration::try_from_secs_f64(seconds).map_err(|_| InvalidJob::time_limit())
}

fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(word) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    word.parse().map(Some).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<JobRequest, serde_json::Error> {
        serde_json::from_str(line)
    }

    #[test]
    fn a_line_may_set_every_property() {
        let line = r#"{"job_type":"mail","job_data":[1],"queue":"q","priority":"high","delay":"90s","max_retries":0,
            "timeout":"5m","expires_in":"10m","deadline_in":"1h","unique_key":"k","parent_job_id":4}"#;
        let job = parse(line).unwrap().into_new_job(NewJob::new("mail", JobData::default())).unwrap();
        assert_eq!(job.due, Due::After(Duration::from_secs(90)));
        assert_eq!((job.queue.as_str(), job.priority, job.max_retries), ("q", Priority::HIGH, 0));
        assert_eq!((job.timeout, job.parent), (Some(Duration::from_secs(300)), Some(JobId(4))));
        let spans = (job.expires_in, job.deadline_in);
        assert_eq!(spans, (Some(Duration::from_secs(600)), Some(Duration::from_secs(3600))));
    }

    #[test]
    fn what_is_no_object_is_told_what_a_job_looks_like() {
        let error = parse("[]").unwrap_err().to_string();
        assert!(error.contains("expected an object such as {\"job_type\""), "{error}");
    }

    #[test]
    fn a_misspelt_or_mistyped_field_is_refused() {
        for line in [
            r#"{"job_type":"a","max_retires":1}"#,
            r#"{"job_type":7}"#,
            r#"{"job_data":{}}"#,
            r#"{"job_type":"a","max_retries":-1}"#,
            r#"{"job_type":"a","delay":"soon"}"#,
            r#"{"job_type":"a","expires_in":600}"#,
            r#"{"job_type":"a","deadline_in":"soon"}"#,
            r#"{"job_type":"a","run_at":"tomorrow"}"#,
            "[]",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
