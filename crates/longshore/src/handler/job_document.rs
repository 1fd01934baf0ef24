use longshore_core::{JobData, JobId, Lease, RetryPolicy};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::workflow::DependencyList;

/// A job as programs and workers over HTTP get it. This is the one place that says what is in it.
#[derive(Serialize)]
pub(crate) struct JobDocument<'a> {
    id: JobId,
    job_type: &'a str,
    job_data: Box<RawValue>,
    attempt: u32,
    max_retries: u32,
    queue: &'a str,
    metadata: Option<Box<RawValue>>,
    /// The last one that an earlier attempt stored.
    checkpoint: Option<Box<RawValue>>,
    /// What it waited for, with results, by reference and by id.
    dependencies: &'a DependencyList,
}

impl<'a> JobDocument<'a> {
    pub(crate) fn new(lease: &'a Lease, dependencies: &'a DependencyList) -> Self {
        Self {
            id: lease.id,
            job_type: &lease.job_type,
            job_data: in_one_line(&lease.job_data),
            attempt: lease.attempt(),
            max_retries: lease.budgets.max_retries.unwrap_or(RetryPolicy::RETRIES),
            queue: &lease.queue,
            metadata: lease.metadata.as_ref().map(in_one_line),
            checkpoint: lease.checkpoint.as_ref().map(in_one_line),
            dependencies,
        }
    }
}

/// The same JSON in one line. Inside a string a line break is always written with a backslash, so each one here only
/// separates.
fn in_one_line(json: &JobData) -> Box<RawValue> {
    let json = json.as_str();
    let json = if json.contains(['\n', '\r']) { json.replace(['\n', '\r'], " ") } else { json.to_owned() };
    RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
