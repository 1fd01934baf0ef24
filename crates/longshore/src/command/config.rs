use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use longshore_core::{InvalidJob, JobData, Limits, NewJob, OnDuplicate, Priority, UniqueWhile, deserialize_duration};
use serde::Deserialize;

use super::retry_setting::RetrySetting;
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
    retry: RetrySetting,
    queue: Option<String>,
    priority: Option<Priority>,
    max_retries: Option<u32>,
    max_crashes: Option<u32>,
    max_deferrals: Option<u32>,
    on_duplicate: Option<OnDuplicate>,
    unique_while: Option<UniqueWhile>,
}

impl CommandJob {
    /// The command, for its handler.
    pub fn spec(&self) -> CommandSpec {
        self.spec.clone()
    }

    /// A job of the type `job_type` with the declared settings. The caller may change them for one job.
    pub fn new_job(&self, job_type: impl Into<String>) -> NewJob {
        let mut job = NewJob::new(job_type, JobData::default());
        job.queue = self.spec.queue.clone().unwrap_or(job.queue);
        job.priority = self.spec.priority.unwrap_or(job.priority);
        job.max_retries = Some(self.spec.retry.retries);
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
        let retry = declared.retry.policy;
        let retries = declared.max_retries.unwrap_or(retry.retries);
        let spec = CommandSpec {
            run: declared.run,
            env: declared.env,
            directory: declared.directory,
            timeout: declared.timeout,
            grace: declared.grace,
            on_shutdown: declared.on_shutdown,
            retry: retry.retries(retries),
            queue: declared.queue,
            priority: declared.priority,
        };
        spec.validate()?;
        Ok(Self {
            spec,
            expires_in: declared.expires_in,
            deadline_in: declared.deadline_in,
            max_crashes: declared.max_crashes,
            max_deferrals: declared.max_deferrals,
            on_duplicate: declared.on_duplicate,
            unique_while: declared.unique_while,
        })
    }
}

#[cfg(test)]
mod tests {
    use longshore_core::RetryPolicy;

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
        assert_eq!((job.queue.as_str(), job.priority, job.max_retries), ("media", Priority::HIGH, Some(7)));
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
        let expected = RetryPolicy::exponential(Duration::from_secs(600), 3.0, RetryPolicy::DELAY_MAX).jitter(0.0);
        assert_eq!(declared.spec().retry, expected);
        assert_eq!(declared.spec().grace, Some(Duration::from_secs(2)));
        assert_eq!(declared.spec().on_shutdown, OnShutdown::Terminate);
        assert_eq!(parse("run = [\"true\"]").unwrap().spec().on_shutdown, OnShutdown::Wait);
        let job = declared.new_job("a");
        assert_eq!((job.max_crashes, job.max_deferrals, job.priority), (1, 9, Priority(7)));
        assert_eq!((job.on_duplicate, job.unique_while), (OnDuplicate::PushBack, UniqueWhile::Waiting));
        assert_eq!((job.queue.as_str(), job.max_retries), ("default", Some(15)));
        assert_eq!(
            (job.expires_in, job.deadline_in),
            (Some(Duration::from_secs(600)), Some(Duration::from_secs(3600)))
        );
        let deadline = parse("run = [\"true\"]\ndeadline = \"2h\"").unwrap().new_job("a");
        assert_eq!((deadline.expires_in, deadline.deadline_in), (None, Some(Duration::from_secs(7200))));
    }

    #[test]
    fn the_retries_of_a_job_are_those_of_its_policy_unless_they_are_given() {
        let retries =
            |text: &str| parse(&format!("run = [\"true\"]\n{text}")).unwrap().new_job("a").max_retries.unwrap();
        assert_eq!((retries(""), retries("retry = \"quick\"")), (15, 3));
        assert_eq!((retries("retry = [\"1s\", \"5s\"]"), retries("retry = \"fixed\"")), (2, 15));
        assert_eq!(retries("retry = \"quick\"\nmax_retries = 9"), 9);
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
