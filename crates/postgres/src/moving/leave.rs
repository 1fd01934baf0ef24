use std::collections::BTreeMap;
use std::sync::Arc;

use longshore_core::{
    Attempt, Job, JobId, LogEntry, MovedJob, MovedJobsRequest, MovedSettings, Priority, Timestamp, TypeSettings,
};
use postgres_types::Type;
use tokio_postgres::{Error, Row};

use crate::jobs::job_row::{attempt_from, select_jobs, to_duration};
use crate::jobs::outcomes::checkpoint::saved_from;
use crate::jobs::reading::log_entry_from;
use crate::limiting::moved::{moved_keys, moved_limits};
use crate::moving::tokens::all_tokens;
use crate::moving::workflow_rows::{batches, dependency_from, members};
use crate::schedules::schedule_row::all_schedules;
use crate::schedules::ticks::newest_ticks;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::{Sql, sql};
use crate::session::statements::Session;
use crate::store::Parts;
use crate::upkeep::stats::{minutes_between, queues};

/// The next jobs that move.
pub(super) async fn jobs(parts: Arc<Parts>, request: MovedJobsRequest) -> Result<Vec<MovedJob>, Fault> {
    let transaction = parts.pool.begin_reading().await?;
    let ids = ids(&transaction, request).await?;
    let jobs = full(&transaction, &ids, request.takes_ended).await?;
    transaction.commit().await?;
    Ok(jobs)
}

/// As many as the page has room for.
async fn ids(session: &Session, request: MovedJobsRequest) -> Result<Vec<JobId>, Error> {
    let MovedJobsRequest { after, jobs_max, bytes_max, takes_ended } = request;
    let limit = i64::from(jobs_max);
    let rows = session
        .query(
            sql!("moving/select_moved_ids"),
            &[(&after.0, Type::INT8), (&takes_ended, Type::BOOL), (&limit, Type::INT8)],
        )
        .await?;
    let (mut ids, mut bytes) = (Vec::new(), 0_u64);
    for row in rows {
        if bytes >= bytes_max as u64 {
            break;
        }
        let columns = &mut Columns::of(&row);
        ids.push(columns.id()?);
        bytes += columns.size()?;
    }
    Ok(ids)
}

async fn full(session: &Session, ids: &[JobId], takes_ended: bool) -> Result<Vec<MovedJob>, Error> {
    let jobs = select_jobs(session, ids).await?;
    let numbers: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let details = session
        .query(sql!("moving/select_moved_details"), &[(&numbers, Type::INT8_ARRAY), (&takes_ended, Type::BOOL)])
        .await?;
    let mut details: BTreeMap<JobId, Row> =
        details.into_iter().map(|row| Ok((JobId(row.try_get(0)?), row))).collect::<Result<_, Error>>()?;
    let mut attempts = by_job(session, sql!("moving/select_moved_attempts"), &numbers, attempt_from).await?;
    let mut logs = by_job(session, sql!("moving/select_moved_logs"), &numbers, log_entry_from).await?;
    let mut checkpoints = by_job(session, sql!("moving/select_moved_checkpoints"), &numbers, saved_from).await?;
    let mut members = members(session, &numbers).await?;
    let mut dependencies = by_job(session, sql!("moving/select_moved_dependencies"), &numbers, dependency_from).await?;
    let mut moved = Vec::with_capacity(jobs.len());
    // Those are newest first. A row without a state is no job.
    for job in jobs.into_iter().rev() {
        let Some(row) = details.remove(&job.id) else { continue };
        let (attempts, log) = (attempts.remove(&job.id).unwrap_or_default(), logs.remove(&job.id).unwrap_or_default());
        let checkpoints = checkpoints.remove(&job.id).unwrap_or_default();
        let (member, dependencies) = (members.remove(&job.id), dependencies.remove(&job.id).unwrap_or_default());
        let moved_job = MovedJob { checkpoints, member, dependencies, ..moved_job(job, &row, attempts, log)? };
        moved.push(moved_job.normal());
    }
    Ok(moved)
}

async fn by_job<T>(
    session: &Session,
    sql: &'static Sql,
    ids: &[i64],
    read: impl Fn(&mut Columns<'_>) -> Result<T, Error>,
) -> Result<BTreeMap<JobId, Vec<T>>, Error> {
    let mut found: BTreeMap<JobId, Vec<T>> = BTreeMap::new();
    for row in session.query(sql, &[(&ids, Type::INT8_ARRAY)]).await? {
        let columns = &mut Columns::of(&row);
        found.entry(columns.id()?).or_default().push(read(columns)?);
    }
    Ok(found)
}

fn moved_job(mut job: Job, row: &Row, attempts: Vec<Attempt>, log: Vec<LogEntry>) -> Result<MovedJob, Error> {
    let columns = &mut Columns::of(row);
    columns.id()?;
    let own_retries = columns.optional_count()?;
    let waits_for_instant = columns.read()?;
    let since = columns.instant()?;
    let has_passed_key = columns.read()?;
    let lapsed_worker = columns.worker_id()?;
    let awaits_settings = columns.optional_count()?.map(|left_out| u8::try_from(left_out).unwrap_or(0));
    let parent_moves: Option<bool> = columns.read()?;
    job.parent_job_id = job.parent_job_id.filter(|_| parent_moves.unwrap_or(true));
    Ok(MovedJob {
        job,
        own_retries,
        waits_for_instant,
        blocked_since: Some(since),
        has_passed_key,
        lapsed_worker,
        awaits_settings,
        attempts,
        log,
        checkpoints: Vec::new(),
        member: None,
        dependencies: Vec::new(),
    })
}

/// All that moves beside the jobs.
pub(super) async fn settings(parts: Arc<Parts>) -> Result<MovedSettings, Fault> {
    let transaction = parts.pool.begin_reading().await?;
    let mut minutes = minutes_between(&transaction, Timestamp::MIN, Timestamp::MAX).await?;
    minutes.retain(|minute| {
        minute.completed + minute.failed + minute.retried + minute.cancelled + minute.waited_ms + minute.ran_ms > 0
    });
    let (batches, signals) = batches(&transaction).await?;
    let settings = MovedSettings {
        batches,
        signals,
        last_id: number(&transaction, sql!("moving/select_last_given_id")).await?,
        history_last_id: number(&transaction, sql!("upkeep/select_history")).await?,
        types: types(&transaction).await?,
        queues: queues(&transaction, &[]).await?.into_iter().map(|stats| (stats.queue, stats.paused_at)).collect(),
        minutes,
        schedules: all_schedules(&transaction).await?,
        limits: moved_limits(&transaction).await?,
        limit_keys: moved_keys(&transaction).await?,
        ticks: newest_ticks(&transaction).await?,
        tokens: all_tokens(&transaction).await?,
    };
    transaction.commit().await?;
    Ok(settings)
}

async fn number(session: &Session, sql: &'static Sql) -> Result<i64, Error> {
    session.query_opt(sql, &[]).await?.map_or(Ok(0), |row| row.try_get(0))
}

async fn types(session: &Session) -> Result<Vec<TypeSettings>, Error> {
    let mut types = Vec::new();
    for row in session.query(sql!("moving/select_type_settings"), &[]).await? {
        let columns = &mut Columns::of(&row);
        types.push(TypeSettings {
            job_type: columns.read()?,
            queue: columns.read()?,
            priority: columns.read::<Option<i32>>()?.map(Priority),
            max_retries: columns.optional_count()?,
            timeout: columns.read::<Option<i64>>()?.map(to_duration),
        });
    }
    Ok(types)
}
