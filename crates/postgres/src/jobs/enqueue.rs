mod columns;
mod group;
pub(crate) mod offer;
mod plain;
pub(crate) mod stream;

use std::sync::Arc;

use longshore_core::{Enqueued, JobData, ValidJob};

use self::group::Group;
use self::plain::is_plain;
use crate::session::fault::Fault;
use crate::store::Parts;

const DOING: &str = "enqueueing jobs";
/// A request with more jobs has a statement of its own.
const GROUP_JOBS_MAX: usize = 64;
const GROUP_BYTES_MAX: usize = 256 * 1024;

/// What the enqueues of this store share.
#[derive(Debug, Default)]
pub(crate) struct Enqueues {
    group: Group,
}

/// Enqueues all of the jobs or none.
pub(crate) async fn enqueue(parts: Arc<Parts>, jobs: Vec<ValidJob>) -> Result<Vec<Enqueued>, Fault> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    if jobs.iter().all(is_plain) {
        if jobs.len() <= GROUP_JOBS_MAX && bytes_of(&jobs) <= GROUP_BYTES_MAX {
            return Group::enqueue(&parts, jobs).await;
        }
        let ids = plain::insert_plain(&parts, &jobs).await?;
        return Ok(ids.into_iter().map(Enqueued::made).collect());
    }
    Err(parts.context.closed().into())
}

fn bytes_of(jobs: &[ValidJob]) -> usize {
    jobs.iter().map(|job| job.job_data.len() + job.metadata.as_ref().map_or(0, JobData::len)).sum()
}
