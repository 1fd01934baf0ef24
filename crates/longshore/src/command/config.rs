use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use longshore_core::{
    InvalidJob, JobData, Limits, NewJob, OnDuplicate, Priority, RetryPolicy, UniqueWhile, deserialize_duration,
};
use serde::{Deserialize, Deserializer, de};

use super::{CommandSpec, InvalidCommand, OnShutdown};

/// A job type from the configuration file, `[jobs.NAME]`.
///
/// Reading it fails for unknown keys, invalid durations, and a command that could never start.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Declaration")]
pub struct CommandJob {
    spec: CommandSpec,
    expires_in: Option<Duration>,
    deadline_in: Option<Duration>,
    queue: Option<String>,
    priority: Option<Priority>,
    max_retries: Option<u32>,
    max_crashes: Option<u32>,
    max_deferrals: Option<u32>,
    on_duplicate: Option<OnDuplicate>,
    unique_while: Option<UniqueWhile>,
}

/// The keys in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declaration {
    run: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    directory: Option<PathBuf>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    timeout: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    expires_in: Option<Duration>,
    #[serde(default, alias = "deadline", deserialize_with = "deserialize_duration")]
    deadline_in: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    grace: Option<Duration>,
    #[serde(default)]
    on_shutdown: OnShutdown,
    #[serde(default)]
    retry: RetryTable,
    queue: Option<String>,
    priority: Option<Priority>,
    max_retries: Option<u32>,
    max_crashes: Option<u32>,
    max_deferrals: Option<u32>,
    on_duplicate: Option<OnDuplicate>,
    unique_while: Option<UniqueWhile>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetryTable {
    #[serde(default, deserialize_with = "deserialize_duration")]
    first_delay: Option<Duration>,
    #[serde(default, deserialize_with = "factor")]
    factor: Option<f64>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    delay_max: Option<Duration>,
    #[serde(default, deserialize_with = "jitter")]
    jitter: Option<f64>,
}

impl CommandJob {
    /// The command, for its handler.
    pub fn spec(&self) -> CommandSpec {
        self.spec.clone()
    }

    /// A job of the type `job_type` with the declared settings. The caller may change them for one job.
    pub fn new_job(&self, job_type: impl Into<String>) -> NewJob {
        let mut job = NewJob::new(job_type, JobData::default());
        job.queue = self.queue.clone().unwrap_or(job.queue);
        job.priority = self.priority.unwrap_or(job.priority);
        job.max_retries = self.max_retries.unwrap_or(job.max_retries);
        job.max_crashes = self.max_crashes.unwrap_or(job.max_crashes);
        job.max_deferrals = self.max_deferrals.unwrap_or(job.max_deferrals);
        job.on_duplicate = self.on_duplicate.unwrap_or(job.on_duplicate);
        job.unique_while = self.unique_while.unwrap_or(job.unique_while);
        job.timeout = self.spec.timeout;
        job.expires_in = self.expires_in;
        job.deadline_in = self.deadline_in;
        job
    }

    /// Checks that jobs of this type can be enqueued under that name.
    pub fn validate(&self, job_type: &str) -> Result<(), InvalidJob> {
        self.new_job(job_type).check(&Limits::default()).map(drop)
    }
}

impl TryFrom<Declaration> for CommandJob {
    type Error = InvalidCommand;

    fn try_from(declared: Declaration) -> Result<Self, InvalidCommand> {
        let spec = CommandSpec {
            run: declared.run,
            env: declared.env,
            directory: declared.directory,
            timeout: declared.timeout,
            grace: declared.grace,
            on_shutdown: declared.on_shutdown,
            retry: declared.retry.policy(),
        };
        spec.validate()?;
        Ok(Self {
            spec,
            expires_in: declared.expires_in,
            deadline_in: declared.deadline_in,
            queue: declared.queue,
            priority: declared.priority,
            max_retries: declared.max_retries,
            max_crashes: declared.max_crashes,
            max_deferrals: declared.max_deferrals,
            on_duplicate: declared.on_duplicate,
            unique_while: declared.unique_while,
        })
    }
}

impl RetryTable {
    fn policy(&self) -> RetryPolicy {
        let usual = RetryPolicy::default();
        let first_delay = self.first_delay.unwrap_or(usual.first_delay);
        RetryPolicy {
            first_delay,
            factor: self.factor.unwrap_or(usual.factor),
            // A first delay of ten minutes must not be cut silently to the usual maximum of five minutes.
            delay_max: self.delay_max.unwrap_or(usual.delay_max.max(first_delay)),
            jitter: self.jitter.unwrap_or(usual.jitter),
        }
    }
}

fn factor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    number_from(deserializer, 1.0, 1000.0)
}

fn jitter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    number_from(deserializer, 0.0, 1.0)
}

fn number_from<'de, D: Deserializer<'de>>(deserializer: D, min: f64, max: f64) -> Result<Option<f64>, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if !(min..=max).contains(&number) {
        return Err(de::Error::custom(format!("{number} is out of range: expected a number from {min} to {max}")));
    }
    Ok(Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<CommandJob, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn the_example_of_the_documentation_is_read() {
        let text = r#"
            run = ["python3", "thumbnail.py"]
            timeout = "5m"
            max_retries = 7
            priority = "high"
            queue = "media"
        "#;
        let declared = parse(text).unwrap();
        let job = declared.new_job("thumbnail");
        assert_eq!((job.queue.as_str(), job.priority, job.max_retries), ("media", Priority::HIGH, 7));
        assert_eq!(job.timeout, Some(Duration::from_secs(300)));
        assert_eq!(declared.spec().run, ["python3", "thumbnail.py"]);
    }

    #[test]
    fn every_setting_may_be_given_and_the_rest_is_usual() {
        let text = r#"
            run = ["true"]
            directory = "/tmp"
            env = { A = "b" }
            grace = "2s"
            on_shutdown = "terminate"
            priority = 7
            max_crashes = 1
            max_deferrals = 9
            on_duplicate = "push_back"
            unique_while = "waiting"
            expires_in = "10m"
            deadline_in = "1h"
            retry = { first_delay = "10m", factor = 3, jitter = 0 }
        "#;
        let declared = parse(text).unwrap();
        let retry = declared.spec().retry;
        assert_eq!((retry.first_delay, retry.delay_max), (Duration::from_secs(600), Duration::from_secs(600)));
        assert_eq!(declared.spec().grace, Some(Duration::from_secs(2)));
        assert_eq!(declared.spec().on_shutdown, OnShutdown::Terminate);
        assert_eq!(parse("run = [\"true\"]").unwrap().spec().on_shutdown, OnShutdown::Wait);
        let job = declared.new_job("a");
        assert_eq!((job.max_crashes, job.max_deferrals, job.priority), (1, 9, Priority(7)));
        assert_eq!((job.on_duplicate, job.unique_while), (OnDuplicate::PushBack, UniqueWhile::Waiting));
        assert_eq!((job.queue.as_str(), job.max_retries), ("default", 3));
        assert_eq!(
            (job.expires_in, job.deadline_in),
            (Some(Duration::from_secs(600)), Some(Duration::from_secs(3600)))
        );
        let deadline = parse("run = [\"true\"]\ndeadline = \"2h\"").unwrap().new_job("a");
        assert_eq!((deadline.expires_in, deadline.deadline_in), (None, Some(Duration::from_secs(7200))));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let table = [
            ("", "missing field `run`"),
            ("run = []", "`run` is empty"),
            ("run = \"true\"", "expected a sequence"),
            ("run = [\"true\"]\ntimeout = \"soon\"", "\"soon\" is not a duration"),
            ("run = [\"true\"]\ntimeout = 5", "5 has no unit: write \"5s\" for seconds"),
            ("run = [\"true\"]\nexpires_in = \"soon\"", "\"soon\" is not a duration"),
            ("run = [\"true\"]\nmax_retires = 5", "unknown field `max_retires`"),
            ("run = [\"true\"]\nmax_retries = -1", "expected u32"),
            ("run = [\"true\"]\npriority = \"loud\"", "\"loud\" is not a priority"),
            ("run = [\"true\"]\non_shutdown = \"sleep\"", "unknown variant `sleep`, expected `wait` or `terminate`"),
            ("run = [\"true\"]\non_duplicate = \"drop\"", "expected keep, replace or push_back"),
            ("run = [\"true\"]\nretry = { factor = 0.5 }", "0.5 is out of range: expected a number from 1 to 1000"),
            ("run = [\"true\"]\nenv = { \"\" = \"x\" }", "is not a valid name of an environment variable"),
        ];
        for (text, expected) in table {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn absurd_limits_are_refused_under_the_name_of_the_type() {
        let declared = parse("run = [\"true\"]\nmax_retries = 4000000000").unwrap();
        assert!(declared.validate("a").is_err());
        assert!(parse("run = [\"true\"]").unwrap().validate("line\nbreak").is_err());
    }
}
