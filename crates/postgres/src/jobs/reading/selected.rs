use std::collections::HashMap;

use longshore_core::{DeadLetterCode, Filter, Filtered, JobId, Status};
use postgres_types::Type;
use tokio_postgres::{Error, Row};

use crate::session::columns::Columns;
use crate::session::sql::{Sql, sql};
use crate::session::statements::{Parameter, Session};

/// How many ids one statement looks at, where more must be read of a job to know whether a filter means it.
const STEP: usize = 1000;

/// In which order a walk goes through the jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Newest,
    Oldest,
}

/// A walk through the jobs that a filter selects, by id. It reads the tables of the states that the filter names, so
/// that its cost does not depend on what is in the other ones.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    filter: &'a Filter,
    sources: Vec<Source>,
    order: Order,
    /// The last id that was looked at.
    place: i64,
    /// The last id that may be looked at.
    end: i64,
    is_over: bool,
}

/// A table, or the part of one, that holds jobs in one state.
#[derive(Clone, Copy, Debug)]
struct Source {
    newest: &'static Sql,
    oldest: &'static Sql,
    /// Where a look at so many jobs begins and ends, and how many there are. None if an index knows every condition.
    span: Option<&'static Sql>,
}

/// A statement without its order, in both orders.
macro_rules! source {
    ($name:literal) => {{
        macro_rules! text {
            ($end:literal) => {
                concat!(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql/", $name, ".sql")), $end)
            };
        }
        const NEWEST: &Sql =
            &Sql::new(concat!($name, ", newest"), text!("  AND id < $1\n  AND id >= $6\nORDER BY id DESC\nLIMIT $2\n"));
        const OLDEST: &Sql = &Sql::new(concat!($name, ", oldest"), text!("  AND id > $1\nORDER BY id\nLIMIT $2\n"));
        const SPAN: &Sql = &Sql::new(
            concat!($name, ", span"),
            concat!(
                "SELECT max(id), min(id), count(*) FROM (\n",
                text!("  AND id < $1\nORDER BY id DESC\nLIMIT $2\n) AS looked\n")
            ),
        );
        Source { newest: NEWEST, oldest: OLDEST, span: Some(SPAN) }
    }};
}

impl<'a> Walk<'a> {
    pub(crate) fn new(filter: &'a Filter, order: Order, after: Option<JobId>) -> Self {
        let beginning = match order {
            Order::Newest => i64::MAX,
            Order::Oldest => i64::MIN,
        };
        let place = after.map_or(beginning, |id| id.0);
        Self { filter, sources: sources(filter), order, place, end: i64::MIN, is_over: false }
    }

    /// Ends a walk from the newest job on at this number of jobs of each table. Answers where, unless all jobs are
    /// looked at before.
    pub(crate) async fn bound(&mut self, session: &Session, looked_max: u32) -> Result<Option<JobId>, Error> {
        let rows = i64::from(looked_max.max(1));
        let (mut newest, mut end): (Option<i64>, Option<i64>) = (None, None);
        let spans: Vec<&Sql> = self.sources.iter().filter_map(|source| source.span).collect();
        for statement in &spans {
            // The conditions of the filter are left out: also a job that it does not mean is looked at.
            let parameters: [Parameter<'_>; 5] = [
                (&self.place, Type::INT8),
                (&rows, Type::INT8),
                (&None::<Vec<&str>>, Type::TEXT_ARRAY),
                (&None::<Vec<&str>>, Type::TEXT_ARRAY),
                (&None::<Vec<&str>>, Type::TEXT_ARRAY),
            ];
            let Some(row) = session.query_opt(statement, &parameters).await? else { continue };
            newest = newest.max(row.try_get(0)?);
            if row.try_get::<_, i64>(2)? == rows {
                end = end.max(row.try_get(1)?);
            }
        }
        // In front of its newest job a table may have many in other states, which need not be passed again.
        if let Some(newest) = newest
            && spans.len() == self.sources.len()
        {
            self.place = self.place.min(newest.saturating_add(1));
        }
        self.end = end.unwrap_or(i64::MIN);
        Ok(end.map(JobId))
    }

    /// The next selected jobs: at most so many, perhaps fewer. `None` at the end of the walk.
    pub(crate) async fn next(&mut self, session: &Session, limit: usize) -> Result<Option<Vec<JobId>>, Error> {
        if self.is_over || self.sources.is_empty() {
            return Ok(None);
        }
        let has_more_conditions = self.filter.failure_types.is_some() || self.filter.reasons.is_some();
        let mut ids = self.candidates(session, if has_more_conditions { limit.min(STEP) } else { limit }).await?;
        if has_more_conditions {
            let known = select_filtered(session, &ids).await?;
            ids = known.iter().filter(|known| known.is_meant_by(self.filter)).map(|known| known.id).collect();
            self.sort(&mut ids);
        }
        Ok(Some(ids))
    }

    async fn candidates(&mut self, session: &Session, limit: usize) -> Result<Vec<JobId>, Error> {
        let Filter { job_types, queues, failure_types, .. } = self.filter;
        let failure_types: Option<Vec<&str>> =
            failure_types.as_ref().map(|kinds| kinds.iter().map(|kind| kind.as_str()).collect());
        let rows_max = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut ids = Vec::new();
        for source in &self.sources {
            let statement = if self.order == Order::Newest { source.newest } else { source.oldest };
            let parameters: [Parameter<'_>; 6] = [
                (&self.place, Type::INT8),
                (&rows_max, Type::INT8),
                (job_types, Type::TEXT_ARRAY),
                (queues, Type::TEXT_ARRAY),
                (&failure_types, Type::TEXT_ARRAY),
                (&self.end, Type::INT8),
            ];
            for row in session.query(statement, &parameters).await? {
                ids.push(JobId(row.try_get(0)?));
            }
        }
        self.sort(&mut ids);
        self.is_over = ids.len() < limit;
        ids.truncate(limit);
        self.place = ids.last().map_or(self.place, |id| id.0);
        Ok(ids)
    }

    fn sort(&self, ids: &mut [JobId]) {
        ids.sort_unstable();
        if self.order == Order::Newest {
            ids.reverse();
        }
    }
}

/// The fewest tables that hold every job that the filter can mean.
fn sources(filter: &Filter) -> Vec<Source> {
    let is_possible = |status: &Status| filter.statuses.as_ref().is_none_or(|statuses| statuses.contains(status));
    if is_empty(filter) {
        return Vec::new();
    }
    if filter.failure_types.is_some() {
        return vec![source!("reading/ids_of_failed")];
    }
    let statuses: &[Status] = match &filter.reasons {
        Some(codes) if codes.contains(&DeadLetterCode::Expired) => &[Status::DeadLetter, Status::Cancelled],
        Some(_) => &[Status::DeadLetter],
        None if filter.statuses.is_none() => return vec![source!("reading/ids_of_all")],
        None => &Status::ALL,
    };
    statuses.iter().filter(|status| is_possible(status)).flat_map(|status| sources_of(*status)).collect()
}

fn is_empty(filter: &Filter) -> bool {
    let Filter { statuses, job_types, queues, failure_types, reasons } = filter;
    statuses.as_ref().is_some_and(Vec::is_empty)
        || job_types.as_ref().is_some_and(Vec::is_empty)
        || queues.as_ref().is_some_and(Vec::is_empty)
        || failure_types.as_ref().is_some_and(Vec::is_empty)
        || reasons.as_ref().is_some_and(Vec::is_empty)
}

fn sources_of(status: Status) -> Vec<Source> {
    let ready =
        Source { newest: sql!("reading/newest_ids_of_ready"), oldest: sql!("reading/oldest_ids_of_ready"), span: None };
    match status {
        Status::Pending => vec![ready, source!("reading/ids_of_delayed")],
        Status::Retrying => vec![source!("reading/ids_of_retrying")],
        Status::Blocked => vec![source!("reading/ids_of_blocked")],
        Status::Running => vec![source!("reading/ids_of_running")],
        Status::Completed => vec![source!("reading/ids_of_completed")],
        Status::Cancelled => vec![source!("reading/ids_of_cancelled")],
        Status::DeadLetter => vec![source!("reading/ids_of_dead_letters")],
    }
}

/// What a filter reads of a job.
#[derive(Debug)]
struct Known {
    id: JobId,
    status: Status,
    job_type: String,
    queue: String,
    failure_type: Option<String>,
    reason: Option<String>,
}

impl Known {
    fn of(row: &Row) -> Result<Self, Error> {
        let columns = &mut Columns::of(row);
        Ok(Self {
            id: columns.id()?,
            status: columns.status()?,
            job_type: columns.read()?,
            queue: columns.read()?,
            failure_type: columns.read()?,
            reason: columns.read()?,
        })
    }

    fn is_meant_by(&self, filter: &Filter) -> bool {
        filter.matches(&Filtered {
            status: self.status,
            job_type: &self.job_type,
            queue: &self.queue,
            failure_type: self.failure_type.as_deref(),
            dead_letter_code: self.reason.as_deref().and_then(DeadLetterCode::of_reason),
        })
    }
}

/// The states of those of these jobs that exist.
pub(crate) async fn statuses(
    session: &Session,
    ids: impl IntoIterator<Item = JobId>,
) -> Result<HashMap<JobId, Status>, Error> {
    let ids: Vec<JobId> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(select_filtered(session, &ids).await?.into_iter().map(|known| (known.id, known.status)).collect())
}

/// How many of these jobs exist.
pub(crate) async fn existing(session: &Session, ids: &[JobId]) -> Result<u64, Error> {
    Ok(select_filtered(session, ids).await?.len() as u64)
}

async fn select_filtered(session: &Session, ids: &[JobId]) -> Result<Vec<Known>, Error> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let rows = session.query(sql!("reading/select_filtered"), &[(&ids, Type::INT8_ARRAY)]).await?;
    rows.iter().map(Known::of).collect()
}
