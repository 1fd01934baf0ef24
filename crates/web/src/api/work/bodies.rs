//! What workers send. Every list, text and duration has a bound.

use std::time::Duration;

use longshore::remote::ClaimNumber;
use longshore_core::{FailureType, JobData, JobId, JsonObject, deserialize_duration};
use serde::{Deserialize, Deserializer};

use crate::error::ApiError;

/// How many names a list has at most.
pub(super) const NAMES_MAX: usize = 1000;
/// How many jobs one claim takes at most.
pub(super) const LIMIT_MAX: u32 = 100;
/// How many jobs a worker may hold and name.
pub(super) const HELD_MAX: usize = longshore_core::HELD_LEASES_MAX;
/// How long a claim may wait.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(60);
/// The bounds of a lease, and what it is if the worker does not say.
pub(super) const LEASE_MIN: Duration = Duration::from_secs(1);
pub(super) const LEASE_MAX: Duration = Duration::from_secs(3600);
pub(super) const LEASE: Duration = Duration::from_secs(30);
const CONCURRENCY_MAX: u32 = 10_000;
/// How far a sum of shares may be beside 0 and 1: for so little no worker may lose its heartbeat.
const ROUNDING: f64 = 1e-6;
const HOST_BYTES_MAX: usize = 200;
/// Longer texts of a failure are cut, because an error must not be lost over its length.
const MESSAGE_BYTES_MAX: usize = 16 * 1024;
const TRACEBACK_BYTES_MAX: usize = 256 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWorker {
    pub(super) job_types: Vec<String>,
    #[serde(default)]
    pub(super) queues: Vec<String>,
    #[serde(default)]
    pub(super) worker_id: Option<String>,
    #[serde(default)]
    pub(super) host: String,
    #[serde(default)]
    pub(super) pid: u32,
    #[serde(default = "one")]
    pub(super) concurrency: u32,
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub(super) lease: Option<Duration>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    pub(super) job_types: Vec<String>,
    #[serde(default)]
    pub(super) queues: Vec<String>,
    #[serde(default = "one")]
    pub(super) limit: u32,
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub(super) wait: Option<Duration>,
    pub(super) holds: Vec<JsonObject<Held>>,
}

/// A job that a worker holds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Held {
    pub(super) id: JobId,
    pub(super) claim_number: ClaimNumber,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WorkerHeartbeat {
    pub(super) jobs: Vec<JsonObject<HeldWithNews>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeldWithNews {
    pub(super) id: JobId,
    pub(super) claim_number: ClaimNumber,
    #[serde(default)]
    pub(super) progress: Option<f64>,
    #[serde(default)]
    pub(super) message: Option<String>,
    #[serde(default)]
    pub(super) log: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CompletedAttempt {
    pub(super) claim_number: ClaimNumber,
    #[serde(default)]
    pub(super) result: Option<JobData>,
    #[serde(default)]
    pub(super) log: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FailedAttempt {
    pub(super) claim_number: ClaimNumber,
    #[serde(default)]
    pub(super) failure_type: Option<FailureType>,
    #[serde(default)]
    pub(super) error_message: Option<String>,
    #[serde(default)]
    pub(super) traceback: Option<String>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub(super) retry_after: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub(super) rate_limited: Option<Duration>,
    #[serde(default)]
    pub(super) log: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SnoozedAttempt {
    pub(super) claim_number: ClaimNumber,
    #[serde(deserialize_with = "needed_duration")]
    pub(super) delay: Duration,
    #[serde(default)]
    pub(super) log: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReturnedAttempt {
    pub(super) claim_number: ClaimNumber,
    #[serde(default)]
    pub(super) log: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCheckpoint {
    pub(super) claim_number: ClaimNumber,
    pub(super) value: JobData,
    #[serde(default)]
    pub(super) step: Option<String>,
}

const fn one() -> u32 {
    1
}

fn needed_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserialize_duration(deserializer)?.ok_or_else(|| serde::de::Error::custom("it needs a duration such as \"30s\""))
}

impl NewWorker {
    pub(super) fn check(&self) -> Result<(), ApiError> {
        check_types(&self.job_types)?;
        check_count("queues", self.queues.len(), NAMES_MAX)?;
        if self.host.len() > HOST_BYTES_MAX {
            return Err(ApiError::invalid(format!("host has at most {HOST_BYTES_MAX} bytes")));
        }
        if !(1..=CONCURRENCY_MAX).contains(&self.concurrency) {
            return Err(ApiError::invalid(format!("concurrency must be from 1 to {CONCURRENCY_MAX}")));
        }
        match self.lease {
            Some(lease) if !(LEASE_MIN..=LEASE_MAX).contains(&lease) => {
                Err(ApiError::invalid("lease must be from 1s to 1h"))
            }
            _ => Ok(()),
        }
    }
}

impl Claim {
    pub(super) fn check(&self) -> Result<(), ApiError> {
        check_types(&self.job_types)?;
        check_count("queues", self.queues.len(), NAMES_MAX)?;
        check_count("holds", self.holds.len(), HELD_MAX)?;
        if !(1..=LIMIT_MAX).contains(&self.limit) {
            return Err(ApiError::invalid(format!("limit must be from 1 to {LIMIT_MAX}")));
        }
        if self.wait.is_some_and(|wait| wait > WAIT_MAX) {
            return Err(ApiError::invalid("wait must be 60s or less"));
        }
        Ok(())
    }
}

impl WorkerHeartbeat {
    pub(super) fn check(&self) -> Result<(), ApiError> {
        check_count("jobs", self.jobs.len(), HELD_MAX)?;
        self.jobs.iter().try_for_each(|JsonObject(job)| job.check())
    }
}

impl HeldWithNews {
    fn check(&self) -> Result<(), ApiError> {
        match self.progress {
            Some(progress) if !(-ROUNDING..=1.0 + ROUNDING).contains(&progress) => Err(ApiError::invalid(format!(
                "the progress of job {} is {progress}, and must be from 0 to 1",
                self.id
            ))),
            _ => Ok(()),
        }
    }
}

impl FailedAttempt {
    pub(super) fn message(&self) -> String {
        cut(self.error_message.as_deref().unwrap_or("the worker gave no reason"), MESSAGE_BYTES_MAX).to_owned()
    }

    pub(super) fn traceback(&self) -> Option<String> {
        self.traceback.as_deref().map(|traceback| cut(traceback, TRACEBACK_BYTES_MAX).to_owned())
    }
}

fn check_types(job_types: &[String]) -> Result<(), ApiError> {
    if job_types.is_empty() {
        return Err(ApiError::invalid("job_types must name at least one type: a worker gets only jobs that it names"));
    }
    check_count("job_types", job_types.len(), NAMES_MAX)
}

fn check_count(what: &str, count: usize, max: usize) -> Result<(), ApiError> {
    if count > max {
        return Err(ApiError::invalid(format!("{what} has {count} entries, and at most {max} are possible")));
    }
    Ok(())
}

/// The beginning of a text, in whole characters.
fn cut(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}
