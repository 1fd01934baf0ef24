use longshore_core::{Job, JobId, JobPage, JobPageRequest, Selection, Status};
use rusqlite::{Connection, params};

use crate::column;
use crate::jobs::job_row;

/// The most jobs on a page.
const PAGE_MAX: u32 = 1000;

/// A selection as its statements bind it: each list as a JSON array, an empty one as no condition.
#[derive(Debug)]
pub(crate) struct Conditions {
    ids: Option<String>,
    statuses: Option<String>,
    job_types: Option<String>,
    queues: Option<String>,
    failure_types: Option<String>,
    narrowed: &'static str,
}

impl Conditions {
    pub(crate) fn of(selection: &Selection) -> Self {
        let Selection { ids, statuses, job_types, queues, failure_types } = selection;
        Self {
            ids: json(ids.iter()),
            statuses: json(statuses.iter()),
            job_types: json(job_types.iter()),
            queues: json(queues.iter()),
            failure_types: json(failure_types.iter()),
            narrowed: narrowed(statuses),
        }
    }

    /// A page, newest first.
    pub(crate) fn page(&self, connection: &Connection, request: &JobPageRequest) -> rusqlite::Result<JobPage> {
        let limit = request.limit.clamp(1, PAGE_MAX);
        let before = request.after.map_or(i64::MAX, |id| id.0);
        let Self { ids, statuses, job_types, queues, failure_types, .. } = self;
        // One more than asked for tells whether there is a next page.
        let mut jobs: Vec<Job> = match ids {
            Some(ids) => connection
                .prepare_cached(include_str!("../sql/select_named_jobs_page.sql"))?
                .query_map(params![before, statuses, job_types, queues, failure_types, limit + 1, ids], job_row::job)?
                .collect::<Result<_, _>>()?,
            None => connection
                .prepare_cached(&self.narrow(include_str!("../sql/select_jobs_page.sql")))?
                .query_map(params![before, statuses, job_types, queues, failure_types, limit + 1], job_row::job)?
                .collect::<Result<_, _>>()?,
        };
        let has_more = jobs.len() > limit as usize;
        jobs.truncate(limit as usize);
        let next = jobs.last().map(|job| job.id).filter(|_| has_more);
        Ok(JobPage { jobs, next })
    }

    pub(crate) fn count(&self, connection: &Connection) -> rusqlite::Result<u64> {
        let Self { ids, statuses, job_types, queues, failure_types, .. } = self;
        match ids {
            Some(ids) => connection
                .prepare_cached(include_str!("../sql/count_named_jobs.sql"))?
                .query_row(params![statuses, job_types, queues, failure_types, ids], |row| column::size(row, 0)),
            None => connection
                .prepare_cached(&self.narrow(include_str!("../sql/count_jobs.sql")))?
                .query_row(params![statuses, job_types, queues, failure_types], |row| column::size(row, 0)),
        }
    }

    /// The next ids that a filter selects, oldest first.
    pub(crate) fn ids_after(
        &self,
        connection: &Connection,
        after: JobId,
        last: JobId,
        limit: u32,
    ) -> rusqlite::Result<Vec<JobId>> {
        let Self { statuses, job_types, queues, failure_types, .. } = self;
        connection
            .prepare_cached(&self.narrow(include_str!("../sql/select_ids_page.sql")))?
            .query_map(params![after.0, statuses, job_types, queues, failure_types, last.0, limit], |row| {
                column::id(row, 0)
            })?
            .collect()
    }

    fn narrow(&self, sql: &str) -> String {
        sql.replacen("/* narrowed */", self.narrowed, 1)
    }
}

/// A rare state alone is found by its own partial index, which SQLite uses only for a literal condition; without
/// it the statement would walk all that has ended.
fn narrowed(statuses: &[Status]) -> &'static str {
    match statuses {
        [Status::DeadLetter] => "status = 'dead_letter' AND",
        _ => "",
    }
}

fn json<T: serde::Serialize>(values: impl ExactSizeIterator<Item = T>) -> Option<String> {
    (values.len() > 0).then(|| {
        let values: Vec<T> = values.collect();
        serde_json::to_string(&values).expect("lists of words and numbers are always JSON")
    })
}
