use longshore_core::{DeadLetterCode, Filter, JobId, Selection, Status};
use rusqlite::{Connection, params};

use crate::database::column;

/// A selection as its statements bind it: each list as a JSON array, or NULL for no condition.
#[derive(Debug)]
pub(crate) struct Conditions {
    pub(super) ids: Option<String>,
    pub(super) statuses: Option<String>,
    pub(super) job_types: Option<String>,
    pub(super) queues: Option<String>,
    pub(super) failure_types: Option<String>,
    /// The prefixes of the stored reasons.
    pub(super) reasons: Option<String>,
    pub(super) narrowed: &'static str,
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

    pub(super) fn narrow(&self, sql: &str) -> String {
        sql.replacen("/* narrowed */", self.narrowed, 1)
    }
}

/// Some statuses have a partial index by id. SQLite uses it only for a literal condition; otherwise the statement would
/// walk through all other jobs.
fn narrowed(statuses: Option<&[Status]>) -> &'static str {
    match statuses {
        Some([Status::DeadLetter]) => "status = 'dead_letter' AND",
        Some([Status::Completed]) => "status = 'completed' AND",
        Some([Status::Cancelled]) => "status = 'cancelled' AND",
        Some([Status::Retrying]) => "status = 'retrying' AND",
        _ => "",
    }
}

/// Whether an index has the jobs with this status by id.
pub(super) fn has_index(status: Status) -> bool {
    !narrowed(Some(&[status])).is_empty()
}

pub(super) fn json<T: serde::Serialize>(values: &[T]) -> String {
    serde_json::to_string(values).expect("lists of words and numbers are always JSON")
}
