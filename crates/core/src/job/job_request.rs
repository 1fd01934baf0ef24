use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use crate::{
    Due, InvalidJob, JobData, JobId, NewJob, OnDuplicate, Priority, Timestamp, UniqueWhile, deserialize_duration,
};

/// A job in a line of NDJSON or an HTTP body. Unknown fields are an error, so that a misspelt `max_retires` is noticed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object such as {\"job_type\": \"mail\", \"job_data\": {}}")]
pub struct JobRequest {
    /// The job type; it selects the handler.
    pub job_type: String,
    /// The payload. Default: `{}`.
    #[serde(default)]
    pub job_data: JobData,
    /// The queue.
    #[serde(default)]
    pub queue: Option<String>,
    /// A number or a name.
    #[serde(default)]
    pub priority: Option<Priority>,
    /// A duration such as `30s`. Not together with `run_at`.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub delay: Option<Duration>,
    /// A time in RFC 3339. Not together with `delay`.
    #[serde(default, alias = "at", deserialize_with = "timestamp")]
    pub run_at: Option<Timestamp>,
    /// The number of retries after the first attempt.
    #[serde(default)]
    pub max_retries: Option<u32>,
    /// The timeout of an attempt, such as `5m`.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub timeout: Option<Duration>,
    /// The timeout of an attempt in seconds.
    #[serde(default)]
    pub timeout_seconds: Option<f64>,
    /// No attempt starts later than this after the enqueue, such as `10m`.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub expires_in: Option<Duration>,
    /// No attempt starts or runs later than this after the enqueue, such as `1h`.
    #[serde(default, alias = "deadline", deserialize_with = "deserialize_duration")]
    pub deadline_in: Option<Duration>,
    /// No second job is created while a job with this key has not ended.
    #[serde(default)]
    pub unique_key: Option<String>,
    /// `keep`, `replace` or `push_back`: what to do if another job has the unique key.
    #[serde(default)]
    pub on_duplicate: Option<OnDuplicate>,
    /// `unfinished` or `waiting`: which jobs with the unique key count.
    #[serde(default)]
    pub unique_while: Option<UniqueWhile>,
    /// The key under which its type may be limited, such as a tenant.
    #[serde(default)]
    pub key: Option<String>,
    /// The job starts only after this one has completed.
    #[serde(default, alias = "parent")]
    pub parent_job_id: Option<JobId>,
    /// Data to keep beside the payload.
    #[serde(default)]
    pub metadata: Option<JobData>,
}

impl JobRequest {
    /// Converts the request. Fields that are not given come from `defaults`, a job of the same type.
    pub fn into_new_job(self, defaults: NewJob) -> Result<NewJob, InvalidJob> {
        let timeout = match (self.timeout, self.timeout_seconds) {
            (Some(_), Some(_)) => return Err(InvalidJob::Both { one: "timeout", other: "timeout_seconds" }),
            (None, Some(seconds)) => Some(timeout_of_seconds(seconds)?),
            (timeout, None) => timeout,
        };
        let due = match (self.run_at, self.delay) {
            (Some(_), Some(_)) => return Err(InvalidJob::Both { one: "run_at", other: "delay" }),
            (Some(instant), None) => Due::At(instant),
            (None, Some(delay)) => Due::After(delay),
            (None, None) => defaults.due,
        };
        let unique_key = self.unique_key.or(defaults.unique_key);
        let rules = [("on_duplicate", self.on_duplicate.is_some()), ("unique_while", self.unique_while.is_some())];
        if let (None, Some((what, _))) = (&unique_key, rules.into_iter().find(|(_, is_given)| *is_given)) {
            return Err(InvalidJob::Needs { what, needed: "unique_key" });
        }
        Ok(NewJob {
            job_type: self.job_type,
            job_data: self.job_data,
            queue: self.queue.unwrap_or(defaults.queue),
            priority: self.priority.unwrap_or(defaults.priority),
            due,
            max_retries: self.max_retries.or(defaults.max_retries),
            timeout: timeout.or(defaults.timeout),
            expires_in: self.expires_in.or(defaults.expires_in),
            deadline_in: self.deadline_in.or(defaults.deadline_in),
            unique_key,
            on_duplicate: self.on_duplicate.unwrap_or(defaults.on_duplicate),
            unique_while: self.unique_while.unwrap_or(defaults.unique_while),
            limit_key: self.key.or(defaults.limit_key),
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
            "timeout":"5m","expires_in":"10m","deadline_in":"1h","unique_key":"k","on_duplicate":"push_back",
            "unique_while":"waiting","key":"acme","parent_job_id":4}"#;
        let job = parse(line).unwrap().into_new_job(NewJob::new("mail", JobData::default())).unwrap();
        assert_eq!(job.due, Due::After(Duration::from_secs(90)));
        assert_eq!((job.queue.as_str(), job.priority, job.max_retries), ("q", Priority::HIGH, Some(0)));
        assert_eq!((job.on_duplicate, job.unique_while), (OnDuplicate::PushBack, UniqueWhile::Waiting));
        assert_eq!(job.limit_key.as_deref(), Some("acme"));
        assert_eq!((job.timeout, job.parent), (Some(Duration::from_secs(300)), Some(JobId(4))));
        let spans = (job.expires_in, job.deadline_in);
        assert_eq!(spans, (Some(Duration::from_secs(600)), Some(Duration::from_secs(3600))));
    }

    #[test]
    fn of_two_fields_that_say_the_same_thing_only_one_may_be_given() {
        let table = [
            (
                r#""run_at":"2099-01-01T00:00:00Z","delay":"1h""#,
                "run_at and delay cannot both be given: remove one of them",
            ),
            (
                r#""at":"2099-01-01T00:00:00Z","delay":"1h""#,
                "run_at and delay cannot both be given: remove one of them",
            ),
            (
                r#""timeout":"1s","timeout_seconds":1"#,
                "timeout and timeout_seconds cannot both be given: remove one of them",
            ),
        ];
        for (fields, expected) in table {
            let request = parse(&format!(r#"{{"job_type":"a",{fields}}}"#)).unwrap();
            let error = request.into_new_job(NewJob::new("a", JobData::default())).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        let line = r#"{"job_type":"a","run_at":null,"delay":"1h","timeout":null,"timeout_seconds":1}"#;
        let job = parse(line).unwrap().into_new_job(NewJob::new("a", JobData::default())).unwrap();
        assert_eq!((job.due, job.timeout), (Due::After(Duration::from_secs(3600)), Some(Duration::from_secs(1))));
    }

    #[test]
    fn a_rule_for_duplicates_says_nothing_without_a_unique_key() {
        for (field, what) in
            [(r#""on_duplicate":"keep""#, "on_duplicate"), (r#""unique_while":"waiting""#, "unique_while")]
        {
            let defaults = || NewJob::new("a", JobData::default());
            let request = || parse(&format!(r#"{{"job_type":"a",{field}}}"#)).unwrap();
            let error = request().into_new_job(defaults()).unwrap_err();
            assert_eq!(error, InvalidJob::Needs { what, needed: "unique_key" });
            assert!(request().into_new_job(defaults().unique_key("k")).is_ok());
        }
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
            r#"{"job_type":"a","unique_key":"k","on_duplicate":"drop"}"#,
            r#"{"job_type":"a","unique_key":"k","unique_while":true}"#,
            "[]",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
