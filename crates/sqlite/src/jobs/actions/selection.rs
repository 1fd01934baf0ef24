use longshore_core::{DeadLetterCode, Filter, Job, JobId, JobPage, JobPageRequest, Selection, Status};
use rusqlite::{Connection, params};

use crate::database::column;
use crate::jobs::job_row;

/// The maximum number of jobs on a page.
const PAGE_MAX: u32 = 1000;

/// A selection as its statements bind it: each list as a JSON array, or NULL for no condition.
#[derive(Debug)]
pub(crate) struct Conditions {
    ids: Option<String>,
    statuses: Option<String>,
    job_types: Option<String>,
    queues: Option<String>,
    failure_types: Option<String>,
    /// The prefixes of the stored reasons.
    reasons: Option<String>,
    narrowed: &'static str,
}

impl Conditions {
    pub(crate) fn of(selection: &Selection) -> Self {
        match selection {
            Selection::Jobs(ids) => Self { ids: Some(json(ids)), ..Self::matching(&Filter::all()) },
            Selection::Matching(filter) => Self::matching(filter),
        }
    }

    pub(crate) fn matching(filter: &Filter) -> Self {
        let Filter { statuses, job_types, queues, failure_types, reasons } = filter;
        let prefixes = |codes: &[DeadLetterCode]| codes.iter().flat_map(|code| code.prefixes()).collect::<Vec<_>>();
        Self {
            ids: None,
            statuses: statuses.as_deref().map(json),
            job_types: job_types.as_deref().map(json),
            queues: queues.as_deref().map(json),
            failure_types: failure_types.as_deref().map(json),
            reasons: reasons.as_deref().map(|codes| json(&prefixes(codes))),
            narrowed: narrowed(statuses.as_deref()),
        }
    }

    /// A page, newest first.
    pub(crate) fn page(&self, connection: &Connection, request: &JobPageRequest) -> rusqlite::Result<JobPage> {
        let limit = request.limit.clamp(1, PAGE_MAX);
        let before = request.after.as_ref().map_or(i64::MAX, |after| after.id().0);
        let Self { ids, statuses, job_types, queues, failure_types, reasons, .. } = self;
        // One more row than requested shows whether there is a next page.
        let mut jobs: Vec<Job> = match ids {
            Some(ids) => connection
                .prepare_cached(include_str!("../../sql/actions/select_named_jobs_page.sql"))?
                .query_map(
                    params![before, statuses, job_types, queues, failure_types, limit + 1, ids, reasons],
                    job_row::job,
                )?
                .collect::<Result<_, _>>()?,
            None => connection
                .prepare_cached(&self.narrow(include_str!("../../sql/actions/select_jobs_page.sql")))?
                .query_map(
                    params![before, statuses, job_types, queues, failure_types, limit + 1, reasons],
                    job_row::job,
                )?
                .collect::<Result<_, _>>()?,
        };
        let has_more = jobs.len() > limit as usize;
        jobs.truncate(limit as usize);
        let next = jobs.last().map(|job| job.id.into()).filter(|_| has_more);
        Ok(JobPage { jobs, next })
    }

    pub(crate) fn count(&self, connection: &Connection) -> rusqlite::Result<u64> {
        let Self { ids, statuses, job_types, queues, failure_types, reasons, .. } = self;
        match ids {
            Some(ids) => connection
                .prepare_cached(include_str!("../../sql/actions/count_named_jobs.sql"))?
                .query_row(params![statuses, job_types, queues, failure_types, ids, reasons], |row| {
                    column::size(row, 0)
                }),
            None => connection
                .prepare_cached(&self.narrow(include_str!("../../sql/actions/count_jobs.sql")))?
                .query_row(params![statuses, job_types, queues, failure_types, reasons], |row| column::size(row, 0)),
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
        let Self { statuses, job_types, queues, failure_types, reasons, .. } = self;
        connection
            .prepare_cached(&self.narrow(include_str!("../../sql/actions/select_ids_page.sql")))?
            .query_map(params![after.0, statuses, job_types, queues, failure_types, last.0, limit, reasons], |row| {
                column::id(row, 0)
            })?
            .collect()
    }

    fn narrow(&self, sql: &str) -> String {
        sql.replacen("/* narrowed */", self.narrowed, 1)
    }
}

/// A rare status has its own partial index. SQLite uses it only for a literal condition; otherwise the statement would
/// walk through all ended jobs.
fn narrowed(statuses: Option<&[Status]>) -> &'static str {
    match statuses {
        Some([Status::DeadLetter]) => "status = 'dead_letter' AND",
        _ => "",
    }
}

fn json<T: serde::Serialize>(values: &[T]) -> String {
    serde_json::to_string(values).expect("lists of words and numbers are always JSON")
}
