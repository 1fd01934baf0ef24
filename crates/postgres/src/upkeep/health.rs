use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{Health, Status, StuckJob, Timestamp, WorkerId, WorkerRecord};
use postgres_types::Type;
use tokio_postgres::Error;

use crate::instant::Instant;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;
use crate::upkeep::keepers::Keepers;
use crate::upkeep::long_attempts::long_attempts;
use crate::upkeep::stats::{backlog, now, queues};
use crate::upkeep::stuck::blocked_page;
use crate::workers;

const HOUR: Duration = Duration::from_secs(3600);
/// How many of the newest dead letters are read to count those of the last hour.
const LATE_DEAD_LETTERS_MAX: i64 = 10_000;
/// How many of the newest jobs are read to find the latest time.
const LATEST_JOBS_MAX: i64 = 1000;
/// How many of the blocked jobs are read.
const BLOCKED_MAX: u32 = 10_000;

/// The facts that `doctor` checks.
pub(crate) async fn health(parts: Arc<Parts>) -> Result<Health, Fault> {
    // Before the snapshot, because a worker is known to live by more than tables.
    let (living, dead): (Vec<WorkerRecord>, Vec<WorkerRecord>) =
        workers::records(Arc::clone(&parts)).await?.into_iter().partition(|worker| worker.is_alive);
    let known: BTreeSet<String> = living.iter().flat_map(|worker| worker.job_types.iter().cloned()).collect();
    let transaction = parts.pool.begin_reading().await?;
    let session: &Session = &transaction;
    let now = now(session).await?;
    let backlog = backlog(session).await?;
    let queues = queues(session, &backlog).await?;
    let dead_letters = queues.iter().filter_map(|queue| queue.jobs.get(&Status::DeadLetter)).sum();
    let health = Health {
        now,
        latest_record_at: latest_record_at(session).await?,
        local: None,
        queues,
        backlog,
        dead_workers: holding(session, &dead).await?,
        known_job_types: known.into_iter().collect(),
        living_workers: living.len() as u64,
        stuck: stuck(session).await?,
        keepers: Keepers::read(session).await?.tell(session).await?,
        long_attempts: long_attempts(session, now).await?,
        dead_letters,
        dead_letters_last_hour: late_dead_letters(session, now.before(HOUR)).await?,
    };
    transaction.commit().await?;
    Ok(health)
}

async fn stuck(session: &Session) -> Result<Vec<StuckJob>, Error> {
    let page = blocked_page(session, (i64::MIN, i64::MIN), BLOCKED_MAX).await?;
    let mut stuck: Vec<StuckJob> = page.stuck.iter().map(super::stuck::Blocked::told).collect();
    stuck.sort_unstable_by_key(|job| job.id);
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
