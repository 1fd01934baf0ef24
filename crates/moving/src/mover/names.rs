use longshore_core::{JobId, MovedJob, MovedJobsRequest, NameBounds, NameExcess};

use super::Place;
use crate::error::MoveError;

/// How many jobs an error names.
const NAMED_MAX: usize = 10;

/// Names that the new database has no room for.
#[derive(Debug)]
pub(super) struct Names {
    bounds: NameBounds,
    jobs: u64,
    named: Vec<(JobId, NameExcess)>,
}

impl Names {
    pub(super) const fn new(bounds: NameBounds) -> Self {
        Self { bounds, jobs: 0, named: Vec::new() }
    }

    /// Looks at all jobs that move, page by page. Nobody has to stop for it.
    pub(super) async fn look_at_all(&mut self, from: &Place, first: MovedJobsRequest) -> Result<(), MoveError> {
        let mut request = first;
        loop {
            let page = from.store.moved_jobs(request).await?;
            let Some(last) = page.last() else { return Ok(()) };
            request.after = last.job.id;
            self.look_at(&page);
        }
    }

    pub(super) fn look_at(&mut self, jobs: &[MovedJob]) {
        for moved in jobs {
            let Some(excess) = self.bounds.excess(moved) else { continue };
            self.jobs += 1;
            if self.named.len() < NAMED_MAX {
                self.named.push((moved.job.id, excess));
            }
        }
    }

    /// An error if there are any.
    pub(super) fn refuse(self, database: &str) -> Result<(), MoveError> {
        let Self { bounds: _, jobs, named } = self;
        if jobs == 0 { Ok(()) } else { Err(MoveError::NamesTooLong { database: database.to_owned(), jobs, named }) }
    }
}
