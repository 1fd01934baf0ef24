use std::cmp::Reverse;

use longshore_core::{Filter, Job, JobId, JobPage, JobPageRequest, Selection, Status};
use rusqlite::{Connection, OptionalExtension, params};

use crate::jobs::actions::selection::{Conditions, has_index, json};
use crate::jobs::job_row;

/// The maximum number of jobs on a page.
const PAGE_MAX: u32 = 1000;
/// The most jobs with a status whose index has another order than that of their ids, so that all of them are read.
const UNORDERED_MAX: u32 = 50_000;
/// The same for pending jobs, each of whose rows is read. The newest of more of them are found from the newest job on.
const UNORDERED_PENDING_MAX: u32 = 5_000;

/// A page, newest first.
pub(crate) fn page(connection: &Connection, request: &JobPageRequest) -> rusqlite::Result<JobPage> {
    let limit = request.limit.clamp(1, PAGE_MAX);
    let look = Look {
        connection,
        before: request.after.as_ref().map_or(i64::MAX, |after| after.id().0),
        // One more row than requested shows whether there is a next page.
        rows: limit + 1,
    };
    let Looked { mut jobs, end } = match (&request.selection, request.looked_max) {
        (Selection::Matching(filter), Some(looked_max)) => look.at_most(filter, looked_max.max(1))?,
        (selection @ Selection::Matching(_), None) => {
            Looked { jobs: look.down_to(&Conditions::of(selection), i64::MIN)?, end: None }
        }
        (selection @ Selection::Jobs(_), _) => Looked { jobs: look.at_named(&Conditions::of(selection))?, end: None },
    };
    let has_more = jobs.len() > limit as usize;
    jobs.truncate(limit as usize);
    let next = if has_more { jobs.last().map(|job| job.id) } else { end };
    Ok(JobPage { jobs, next: next.map(Into::into) })
}

/// A look at the jobs before an id, newest first.
struct Look<'c> {
    connection: &'c Connection,
    before: i64,
    rows: u32,
}

/// What a look has found.
struct Looked {
    jobs: Vec<Job>,
    /// The last job that was looked at, unless it was the last of all.
    end: Option<JobId>,
}

impl Look<'_> {
    /// Each status that has an index is looked at by itself, the others together.
    fn at_most(&self, filter: &Filter, looked_max: u32) -> rusqlite::Result<Looked> {
        let Some(statuses) = &filter.statuses else { return self.at_most_walked(filter, looked_max) };
        let mut walked = Vec::new();
        let mut all = Looked { jobs: Vec::new(), end: None };
        for status in statuses {
            let alone = filter.clone().statuses([*status]);
            match self.unordered(*status)? {
                _ if has_index(*status) => all.add(self.at_most_walked(&alone, looked_max)?),
                Some(ids) => all.add(self.at_most_of(&alone, ids, looked_max)?),
                None => walked.push(*status),
            }
        }
        if !walked.is_empty() {
            all.add(self.at_most_walked(&filter.clone().statuses(walked), looked_max)?);
        }
        all.settle();
        Ok(all)
    }

    fn at_most_walked(&self, filter: &Filter, looked_max: u32) -> rusqlite::Result<Looked> {
        let conditions = Conditions::matching(filter);
        if is_by_status_alone(filter) && has_index_of_all(filter) {
            // Every job that is looked at is on the page.
            return Ok(Looked { jobs: self.down_to(&conditions, i64::MIN)?, end: None });
        }
        let end: Option<i64> = self
            .connection
            .prepare_cached(&conditions.narrow(include_str!("../../sql/actions/select_look_end.sql")))?
            .query_row(params![self.before, looked_max - 1], |row| row.get(0))
            .optional()?;
        Ok(Looked { jobs: self.down_to(&conditions, end.unwrap_or(i64::MIN))?, end: end.map(JobId) })
    }

    /// Looks at the newest of these jobs.
    fn at_most_of(&self, filter: &Filter, mut ids: Vec<i64>, looked_max: u32) -> rusqlite::Result<Looked> {
        ids.retain(|id| *id < self.before);
        ids.sort_unstable_by(|a, b| b.cmp(a));
        let most = if is_by_status_alone(filter) { looked_max.min(self.rows) } else { looked_max } as usize;
        let has_more = ids.len() > most;
        ids.truncate(most);
        let end = ids.last().copied().filter(|_| has_more).map(JobId);
        let conditions = Conditions { ids: Some(json(&ids)), ..Conditions::matching(filter) };
        Ok(Looked { jobs: self.at_named(&conditions)?, end })
    }

    /// The ids of all jobs with a status, if an index has them and they are few.
    fn unordered(&self, status: Status) -> rusqlite::Result<Option<Vec<i64>>> {
        let (sql, most) = match status {
            Status::Pending => (include_str!("../../sql/actions/select_some_pending_ids.sql"), UNORDERED_PENDING_MAX),
            Status::Running => (include_str!("../../sql/actions/select_some_running_ids.sql"), UNORDERED_MAX),
            Status::Blocked => (include_str!("../../sql/actions/select_some_blocked_ids.sql"), UNORDERED_MAX),
            _ => return Ok(None),
        };
        let read: Vec<(i64, bool)> = self
            .connection
            .prepare_cached(sql)?
            .query_map([most + 1], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let are_few = read.len() <= most as usize;
        Ok(are_few.then(|| read.into_iter().filter_map(|(id, is_meant)| is_meant.then_some(id)).collect()))
    }

    fn down_to(&self, conditions: &Conditions, end: i64) -> rusqlite::Result<Vec<Job>> {
        let Conditions { statuses, job_types, queues, failure_types, reasons, .. } = conditions;
        self.connection
            .prepare_cached(&conditions.narrow(include_str!("../../sql/actions/select_jobs_page.sql")))?
            .query_map(
                params![self.before, statuses, job_types, queues, failure_types, self.rows, reasons, end],
                job_row::job,
            )?
            .collect()
    }

    fn at_named(&self, conditions: &Conditions) -> rusqlite::Result<Vec<Job>> {
        let Conditions { ids, statuses, job_types, queues, failure_types, reasons, .. } = conditions;
        self.connection
            .prepare_cached(include_str!("../../sql/actions/select_named_jobs_page.sql"))?
            .query_map(
                params![self.before, statuses, job_types, queues, failure_types, self.rows, ids, reasons],
                job_row::job,
            )?
            .collect()
    }
}

fn has_index_of_all(filter: &Filter) -> bool {
    match filter.statuses.as_deref() {
        None => true,
        Some([status]) => has_index(*status),
        Some(_) => false,
    }
}

fn is_by_status_alone(filter: &Filter) -> bool {
    Filter { statuses: None, ..filter.clone() } == Filter::all()
}

impl Looked {
    fn add(&mut self, other: Self) {
        self.jobs.extend(other.jobs);
        self.end = self.end.max(other.end);
    }

    /// Sorts what several looks have found. Behind the end of the shortest one, jobs may be missing.
    fn settle(&mut self) {
        let end = self.end;
        self.jobs.retain(|job| end.is_none_or(|end| job.id >= end));
        self.jobs.sort_unstable_by_key(|job| Reverse(job.id));
        // A filter may name a status twice.
        self.jobs.dedup_by_key(|job| job.id);
    }
}
