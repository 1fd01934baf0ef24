use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{
    Condition, DeadRows, Health, HeldSnapshot, ServerHealth, Status, StuckJob, Timestamp, TypeBacklog, WorkerId,
    WorkerRecord,
};
use postgres_types::Type;
use tokio_postgres::Error;

use crate::instant::Instant;
use crate::moving::fence;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;
use crate::upkeep::keepers::Keepers;
use crate::upkeep::long_attempts::long_attempts;
use crate::upkeep::partitions::ahead::STEP_MIN;
use crate::upkeep::partitions::layout::Layout;
use crate::upkeep::partitions::obstacle::Obstacle;
use crate::upkeep::stats::{backlog, now, queues, timed_jobs};
use crate::upkeep::strays::strays;
use crate::upkeep::stuck::blocked_page;
use crate::workers;

const HOUR: Duration = Duration::from_secs(3600);
/// How many of the newest dead letters are read to count those of the last hour.
const LATE_DEAD_LETTERS_MAX: i64 = 10_000;
/// How many of the newest jobs are read to find the latest time.
const LATEST_JOBS_MAX: i64 = 1000;
/// How many of the blocked jobs are read.
const BLOCKED_MAX: u32 = 10_000;
/// How many of the newest jobs are looked at for one without a state: for `doctor`, and for each page and scrape, beside
/// the housekeeping that looks at all of them in turn.
const STRAYS_LOOKED_MAX: u32 = 1000;
const STRAYS_GLANCED_MAX: u32 = 200;

/// The facts that `doctor` checks.
pub(crate) async fn health(parts: Arc<Parts>) -> Result<Health, Fault> {
    // Before the snapshot, because a worker is known to live by more than tables.
    let (living, dead): (Vec<WorkerRecord>, Vec<WorkerRecord>) =
        workers::records(Arc::clone(&parts)).await?.into_iter().partition(|worker| worker.is_alive);
    let known: BTreeSet<String> = living.iter().flat_map(|worker| worker.job_types.iter().cloned()).collect();
    let transaction = parts.pool.begin_reading().await?;
    let session: &Session = &transaction;
    let now = now(session).await?;
    let backlog = backlog(session, TypeBacklog::JOBS_MAX).await?;
    let mut queues = queues(session, &backlog).await?;
    timed_jobs(session, now).await?.count_in(&mut queues, &backlog, TypeBacklog::JOBS_MAX);
    let dead_letters = queues.iter().filter_map(|queue| queue.jobs.get(&Status::DeadLetter)).sum();
    let health = Health {
        now,
        latest_record_at: latest_record_at(session).await?,
        local: None,
        server: Some(server(session).await?),
        queues,
        backlog,
        dead_workers: holding(session, &dead).await?,
        known_job_types: known.into_iter().collect(),
        living_workers: living.len() as u64,
        stuck: stuck(session, BLOCKED_MAX, STRAYS_LOOKED_MAX).await?,
        keepers: Keepers::read(session).await?.tell(session).await?,
        broken_keys: Vec::new(),
        long_attempts: long_attempts(session, now).await?,
        dead_letters,
        dead_letters_last_hour: late_dead_letters(session, now.before(HOUR)).await?,
        moving: fence::state(session).await?,
    };
    transaction.commit().await?;
    Ok(health)
}

/// The facts that are measured again and again.
pub(crate) async fn condition(parts: Arc<Parts>) -> Result<Condition, Fault> {
    let transaction = parts.pool.begin_reading().await?;
    let condition = Condition {
        now: now(&transaction).await?,
        local: None,
        server_bytes: Some(database_bytes(&transaction).await?),
        stuck_jobs: stuck(&transaction, Condition::BLOCKED_MAX, STRAYS_GLANCED_MAX).await?.len(),
    };
    transaction.commit().await?;
    Ok(condition)
}

async fn is_read_only(session: &Session) -> Result<bool, Error> {
    let row = session.query_opt(sql!("upkeep/select_is_read_only"), &[]).await?;
    row.expect("a setting is one row").try_get(0)
}

async fn database_bytes(session: &Session) -> Result<u64, Error> {
    let size = session.query_opt(sql!("upkeep/select_database_size"), &[]).await?;
    Columns::of(&size.expect("a size is one row")).size()
}

async fn server(session: &Session) -> Result<ServerHealth, Fault> {
    let schema: Parameter<'_> = (&session.schema(), Type::TEXT);
    let held_min = i64::try_from(ServerHealth::HELD_MAX.as_secs()).unwrap_or(i64::MAX);
    let mut server = ServerHealth {
        database_bytes: database_bytes(session).await?,
        is_read_only: is_read_only(session).await?,
        ..ServerHealth::default()
    };
    for row in session.query(sql!("upkeep/select_held_snapshots"), &[(&held_min, Type::INT8)]).await? {
        let columns = &mut Columns::of(&row);
        let (holder, seconds) = (columns.read()?, columns.read::<Option<i64>>()?);
        let held_seconds = seconds.map(|seconds| u64::try_from(seconds).unwrap_or(0));
        server.held_snapshots.push(HeldSnapshot { holder, held_seconds });
    }
    let dead_min = i64::try_from(ServerHealth::DEAD_ROWS_MAX).unwrap_or(i64::MAX);
    for row in session.query(sql!("upkeep/select_dead_rows"), &[schema.clone(), (&dead_min, Type::INT8)]).await? {
        let columns = &mut Columns::of(&row);
        server.dead_rows.push(DeadRows { table: columns.read()?, dead: columns.size()?, live: columns.size()? });
    }
    for row in session.query(sql!("upkeep/select_tables_without_autovacuum"), std::slice::from_ref(&schema)).await? {
        server.tables_without_autovacuum.push(row.try_get(0)?);
    }
    let used_max = i32::try_from(ServerHealth::USED_PERCENT_MAX).unwrap_or(100);
    for row in
        session.query(sql!("upkeep/select_used_up_sequences"), &[schema.clone(), (&used_max, Type::INT4)]).await?
    {
        let columns = &mut Columns::of(&row);
        server.used_up_sequences.push((columns.read()?, u64::from(columns.count()?)));
    }
    for row in session.query(sql!("upkeep/select_missing_rights"), &[schema]).await? {
        server.missing_rights.push(row.try_get(0)?);
    }
    server.partition_obstacle = partition_obstacle(session).await?;
    Ok(server)
}

/// A grant removes it; the others are what the application wants.
async fn partition_obstacle(session: &Session) -> Result<Option<String>, Fault> {
    let is_large = Layout::read(session).await?.is_some_and(|layout| layout.last_id >= STEP_MIN / 2);
    if !is_large {
        return Ok(None);
    }
    let obstacle = Obstacle::find(session).await?;
    Ok(obstacle.filter(Obstacle::is_of_rights).map(|obstacle| obstacle.to_string()))
}

async fn stuck(session: &Session, blocked_max: u32, newest_max: u32) -> Result<Vec<StuckJob>, Fault> {
    let page = blocked_page(session, (i64::MIN, i64::MIN), blocked_max).await?;
    let mut stuck: Vec<StuckJob> = page.stuck.iter().map(super::stuck::Blocked::told).collect();
    stuck.extend(strays(session, newest_max).await?);
    stuck.sort_unstable_by_key(|job| job.id);
    stuck.dedup_by_key(|job| job.id);
    stuck.truncate(StuckJob::TOLD_MAX);
    Ok(stuck)
}

async fn holding(session: &Session, dead: &[WorkerRecord]) -> Result<Vec<(WorkerId, u64)>, Error> {
    let dead: Vec<&str> = dead.iter().map(|worker| worker.worker_id.as_str()).collect();
    let mut holding = Vec::new();
    if dead.is_empty() {
        return Ok(holding);
    }
    for row in session.query(sql!("upkeep/count_running_of_workers"), &[(&dead, Type::TEXT_ARRAY)]).await? {
        let columns = &mut Columns::of(&row);
        holding.push((WorkerId::from_stored(columns.read()?), columns.size()?));
    }
    Ok(holding)
}

async fn latest_record_at(session: &Session) -> Result<Option<Timestamp>, Error> {
    let row = session.query_opt(sql!("upkeep/select_latest_record"), &[(&LATEST_JOBS_MAX, Type::INT8)]).await?;
    Columns::of(&row.expect("a maximum is one row")).optional_instant()
}

async fn late_dead_letters(session: &Session, since: Timestamp) -> Result<u64, Error> {
    let parameters: [Parameter<'_>; 2] = [(&Instant(since), Type::TIMESTAMPTZ), (&LATE_DEAD_LETTERS_MAX, Type::INT8)];
    let row = session.query_opt(sql!("upkeep/count_late_dead_letters"), &parameters).await?;
    Columns::of(&row.expect("a count is one row")).size()
}
