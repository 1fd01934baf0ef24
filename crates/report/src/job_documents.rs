use std::sync::Arc;

use longshore_core::{Dependent, Duplicate, Explanation, Job, JobDetail, JobId, JobPage, LogEntry};
use serde::Serialize;

/// A page of jobs.
#[derive(Debug, Serialize)]
pub struct JobList {
    /// The jobs, newest first.
    pub jobs: Vec<PlacedJob>,
    /// The cursor of the next page. A string, because clients must only pass it back and not compute with it.
    pub next: Option<String>,
}

impl JobList {
    /// The document of a page. `place` says in which of several databases a job is.
    pub fn new(page: JobPage, place: impl Fn(JobId) -> Option<Arc<str>>) -> Self {
        let next = page.next.map(|cursor| cursor.to_string());
        let jobs = page.jobs.into_iter().map(|job| PlacedJob { database: place(job.id), job });
        Self { jobs: jobs.collect(), next }
    }
}

/// A job, and in which of several databases it is.
#[derive(Debug, Serialize)]
pub struct PlacedJob {
    /// The job.
    #[serde(flatten)]
    pub job: Job,
    /// The database, if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<Arc<str>>,
}

/// A page of the jobs that depend on a job.
#[derive(Debug, Default, Serialize)]
pub struct DependentList {
    /// The jobs by id.
    pub jobs: Vec<Dependent>,
    /// Behind which job the next page begins; none if no job follows.
    pub next: Option<JobId>,
}

/// A job with its attempts, and in which of several databases it is.
#[derive(Debug, Serialize)]
pub struct PlacedDetail<'a> {
    /// The job.
    #[serde(flatten)]
    pub detail: &'a JobDetail,
    /// The database, if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<Arc<str>>,
}

/// Why a job is not running, and in which of several databases it is.
#[derive(Debug, Serialize)]
pub struct PlacedExplanation<'a> {
    /// The explanation.
    #[serde(flatten)]
    pub explanation: &'a Explanation,
    /// The database, if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<Arc<str>>,
}

/// The log of a job.
#[derive(Debug, Serialize)]
pub struct JobLog {
    /// The job.
    pub id: JobId,
    /// The pieces, in order.
    pub entries: Vec<LogEntry>,
}

/// A job that was enqueued, or that existed already.
#[derive(Debug, Serialize)]
pub struct EnqueuedJob {
    /// The job.
    #[serde(flatten)]
    pub job: Job,
    /// Whether it existed already.
    pub is_duplicate: bool,
    /// What the enqueue did with it then.
    pub duplicate: Option<Duplicate>,
}

/// The result of a batch.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct InsertedJobs {
    /// How many jobs are new.
    pub inserted: u64,
}
