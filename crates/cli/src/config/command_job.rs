use std::time::Duration;

use longshore_core::{NewJob, Priority};
use serde::{Deserialize, Deserializer, de};

/// A job type that runs a program.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandJob {
    /// The program and its arguments.
    #[serde(deserialize_with = "program")]
    pub(crate) run: Vec<String>,
    /// The time limit of an attempt.
    #[serde(default, deserialize_with = "duration")]
    pub(crate) timeout: Option<Duration>,
    /// How many retries follow the first attempt.
    pub(crate) max_retries: Option<u32>,
    /// Higher runs first.
    pub(crate) priority: Option<Priority>,
    /// The queue.
    pub(crate) queue: Option<String>,
}

impl CommandJob {
    /// The job with what this type says in place of the defaults.
    pub(crate) fn apply_to(&self, job: NewJob) -> NewJob {
        NewJob {
            timeout: self.timeout.or(job.timeout),
            max_retries: self.max_retries.unwrap_or(job.max_retries),
            priority: self.priority.unwrap_or(job.priority),
            queue: self.queue.clone().unwrap_or(job.queue),
            ..job
        }
    }
}

fn program<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let words = Vec::<String>::deserialize(deserializer)?;
    if words.first().is_none_or(String::is_empty) {
        return Err(de::Error::custom("run names no program: expected a list such as [\"python3\", \"thumbnail.py\"]"));
    }
    Ok(words)
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let word = String::deserialize(deserializer)?;
    crate::arguments::parse_duration(&word).map(Some).map_err(de::Error::custom)
}
