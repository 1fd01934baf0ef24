use std::sync::Arc;

use longshore_core::{JobDetail, JobId, JobPage, JobPageRequest, LogPage, LogRequest, Selection};

use crate::session::fault::Fault;
use crate::store::Parts;

/// One job with its attempts.
pub(crate) async fn job(parts: Arc<Parts>, _id: JobId) -> Result<Option<JobDetail>, Fault> {
    Err(parts.context.closed().into())
}

/// A page of jobs, newest first.
pub(crate) async fn jobs(parts: Arc<Parts>, _request: JobPageRequest) -> Result<JobPage, Fault> {
    Err(parts.context.closed().into())
}

/// The number of jobs in a selection.
pub(crate) async fn count(parts: Arc<Parts>, _selection: Selection) -> Result<u64, Fault> {
    Err(parts.context.closed().into())
}

/// The log of a job's attempts.
pub(crate) async fn log(parts: Arc<Parts>, _request: LogRequest) -> Result<LogPage, Fault> {
    Err(parts.context.closed().into())
}
