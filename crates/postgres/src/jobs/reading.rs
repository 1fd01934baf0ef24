pub(crate) mod selected;

use std::sync::Arc;

use longshore_core::{
    ClaimNumber, Filter, Job, JobDetail, JobId, JobPage, JobPageRequest, LogEndRequest, LogEntry, LogPage, LogRequest,
    PageCursor, Selection,
};
use postgres_types::Type;
use tokio_postgres::{Error, Row};

use crate::jobs::job_row::{detail, select_jobs};
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::Session;
use crate::store::Parts;
use crate::upkeep::stats;
use selected::{Order, Walk};

/// The maximum number of jobs on a page.
const PAGE_MAX: u32 = 1000;
/// How many jobs that are named one by one are read at once.
const STEP: usize = 1000;
/// The maximum number of log pieces in one answer.
const LOG_ENTRIES_MAX: i64 = 1000;
/// How many ids a count reads at once.
const COUNT_STEP: usize = 10_000;

/// One job with its attempts.
pub(crate) async fn job(parts: Arc<Parts>, id: JobId) -> Result<Option<JobDetail>, Fault> {
    let transaction = parts.pool.begin_looking_up().await?;
    let detail = detail(&transaction, id).await?;
    transaction.commit().await?;
    Ok(detail)
}

/// A page of jobs, newest first.
pub(crate) async fn jobs(parts: Arc<Parts>, request: JobPageRequest) -> Result<JobPage, Fault> {
    let transaction = match &request.selection {
        Selection::Jobs(_) => parts.pool.begin_looking_up().await?,
        Selection::Matching(_) => parts.pool.begin_reading().await?,
    };
    let limit = request.limit.clamp(1, PAGE_MAX) as usize;
    let after = request.after.as_ref().map(PageCursor::id);
    // One more than requested shows whether there is a next page.
    let (mut jobs, end) = match &request.selection {
        Selection::Jobs(ids) => (named(&transaction, ids, after, limit + 1).await?, None),
        Selection::Matching(filter) => matching(&transaction, filter, after, limit + 1, request.looked_max).await?,
    };
    transaction.commit().await?;
    let has_more = jobs.len() > limit;
    jobs.truncate(limit);
    let next = if has_more { jobs.last().map(|job| job.id) } else { end };
    Ok(JobPage { jobs, next: next.map(Into::into) })
}

async fn named(session: &Session, ids: &[JobId], after: Option<JobId>, limit: usize) -> Result<Vec<Job>, Error> {
    let mut ids: Vec<JobId> = ids.iter().copied().filter(|id| after.is_none_or(|after| *id < after)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.reverse();
    let mut jobs = Vec::new();
    for ids in ids.chunks(limit.min(STEP)) {
        jobs.extend(select_jobs(session, ids).await?);
        if jobs.len() >= limit {
            break;
        }
    }
    jobs.truncate(limit);
    Ok(jobs)
}

/// The jobs, and the last one that was looked at, unless that was the last of all.
async fn matching(
    session: &Session,
    filter: &Filter,
    after: Option<JobId>,
    limit: usize,
    looked_max: Option<u32>,
) -> Result<(Vec<Job>, Option<JobId>), Error> {
    let mut walk = Walk::new(filter, Order::Newest, after);
    // By status alone, every job that is looked at is on the page.
    let is_by_status_alone = Filter { statuses: None, ..filter.clone() } == Filter::all();
    let end = match looked_max.filter(|_| !is_by_status_alone) {
        Some(looked_max) => walk.bound(session, looked_max).await?,
        None => None,
    };
    let mut jobs = Vec::new();
    let mut step = limit;
    while jobs.len() < limit
        && let Some(mut ids) = walk.next(session, step).await?
    {
        ids.truncate(limit - jobs.len());
        jobs.extend(select_jobs(session, &ids).await?);
        // If few of them are meant, the next step looks at more.
        step = (step * 4).min(STEP.max(limit));
    }
    Ok((jobs, end))
}

/// The number of jobs in a selection. It is known without counting them if the filter names statuses and queues alone.
pub(crate) async fn count(parts: Arc<Parts>, selection: Selection) -> Result<u64, Fault> {
    let transaction = parts.pool.begin_reading().await?;
    let count = match &selection {
        Selection::Jobs(ids) => count_named(&transaction, ids).await?,
        Selection::Matching(filter @ Filter { job_types: None, failure_types: None, reasons: None, .. }) => {
            stats::count(&transaction, filter).await?
        }
        Selection::Matching(filter) => count_matching(&transaction, filter).await?,
    };
    transaction.commit().await?;
    Ok(count)
}

async fn count_named(session: &Session, ids: &[JobId]) -> Result<u64, Error> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    let mut count = 0;
    for ids in ids.chunks(STEP) {
        count += selected::existing(session, ids).await?;
    }
    Ok(count)
}

async fn count_matching(session: &Session, filter: &Filter) -> Result<u64, Error> {
    let mut walk = Walk::new(filter, Order::Newest, None);
    let mut count = 0;
    while let Some(ids) = walk.next(session, COUNT_STEP).await? {
        count += ids.len() as u64;
    }
    Ok(count)
}

/// The log of a job's attempts.
pub(crate) async fn log(parts: Arc<Parts>, request: LogRequest) -> Result<LogPage, Fault> {
    let session = parts.pool.session().await?;
    let (claim_number, chunk_number) =
        request.after.map_or((i64::MIN, i32::MIN), |(claim, chunk)| (claim.0, to_integer(chunk)));
    let attempt = request.attempt.map(to_integer);
    let rows = session
        .query(
            sql!("reading/select_log"),
            &[
                (&request.id.0, Type::INT8),
                (&claim_number, Type::INT8),
                (&chunk_number, Type::INT4),
                (&attempt, Type::INT4),
                (&LOG_ENTRIES_MAX, Type::INT8),
            ],
        )
        .await?;
    Ok(LogPage { entries: rows.iter().map(log_entry).collect::<Result<_, _>>()? })
}

/// The end of the log of one attempt.
pub(crate) async fn log_end(parts: Arc<Parts>, request: LogEndRequest) -> Result<LogPage, Fault> {
    let session = parts.pool.session().await?;
    let bytes_max = i64::try_from(request.bytes_max).unwrap_or(i64::MAX);
    let rows = session
        .query(
            sql!("reading/select_log_end"),
            &[(&request.id.0, Type::INT8), (&request.claim_number.0, Type::INT8), (&bytes_max, Type::INT8)],
        )
        .await?;
    Ok(LogPage { entries: rows.iter().rev().map(log_entry).collect::<Result<_, _>>()? })
}

fn to_integer(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn log_entry(row: &Row) -> Result<LogEntry, Error> {
    log_entry_from(&mut Columns::of(row))
}

/// A piece of a log from the columns of `select_log.sql`, in their order.
pub(crate) fn log_entry_from(columns: &mut Columns<'_>) -> Result<LogEntry, Error> {
    Ok(LogEntry {
        attempt: columns.count()?,
        claim_number: ClaimNumber(columns.read()?),
        chunk_number: columns.count()?,
        written_at: columns.instant()?,
        cut_bytes: columns.size()?,
        text: columns.read()?,
    })
}
