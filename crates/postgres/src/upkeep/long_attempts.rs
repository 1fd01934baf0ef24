use std::collections::BTreeMap;
use std::time::Duration;

use longshore_core::{JobId, LongAttempt, Timestamp};
use postgres_types::Type;
use tokio_postgres::Error;

use crate::instant::Instant;
use crate::session::columns::Columns;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};

/// How many running attempts are looked at.
const RUNNING_MAX: i64 = 1000;

struct Running {
    id: JobId,
    job_type: String,
    started_at: Timestamp,
}

/// Running attempts that take far longer than those of their type usually do. While nothing has run for some minutes,
/// it reads the running jobs alone.
pub(crate) async fn long_attempts(session: &Session, now: Timestamp) -> Result<Vec<LongAttempt>, Error> {
    let running = running_since(session, now.before(LongAttempt::RAN_MIN)).await?;
    if running.is_empty() {
        return Ok(Vec::new());
    }
    let usual = usual(session, running.iter().map(|running| running.job_type.as_str())).await?;
    let mut long: Vec<LongAttempt> = running
        .into_iter()
        .filter_map(|Running { id, job_type, started_at }| {
            let usual = *usual.get(&job_type)?;
            let usual_ms = u64::try_from(usual.as_millis()).unwrap_or(u64::MAX);
            let is_long = LongAttempt::is_long(now.since(started_at), usual);
            is_long.then_some(LongAttempt { id, job_type, started_at, usual_ms })
        })
        .collect();
    long.sort_by_key(|attempt| (attempt.started_at, attempt.id));
    long.truncate(LongAttempt::TOLD_MAX);
    Ok(long)
}

async fn running_since(session: &Session, latest: Timestamp) -> Result<Vec<Running>, Error> {
    let parameters: [Parameter<'_>; 2] = [(&Instant(latest), Type::TIMESTAMPTZ), (&RUNNING_MAX, Type::INT8)];
    let mut running = Vec::new();
    for row in session.query(sql!("upkeep/select_running_since"), &parameters).await? {
        let columns = &mut Columns::of(&row);
        running.push(Running { id: columns.id()?, job_type: columns.read()?, started_at: columns.instant()? });
    }
    Ok(running)
}

/// How long the attempts of each type usually take, where that is known.
async fn usual(session: &Session, job_types: impl Iterator<Item = &str>) -> Result<BTreeMap<String, Duration>, Error> {
    let mut ran: BTreeMap<String, Vec<Duration>> = job_types.map(|name| (name.to_owned(), Vec::new())).collect();
    let names: Vec<&String> = ran.keys().collect();
    let parameters: [Parameter<'_>; 2] = [(&i64::from(LongAttempt::JOBS_MAX), Type::INT8), (&names, Type::TEXT_ARRAY)];
    for row in session.query(sql!("upkeep/select_recent_runs"), &parameters).await? {
        let columns = &mut Columns::of(&row);
        let job_type: &str = columns.read()?;
        let (started_at, ended_at) = (columns.instant()?, columns.instant()?);
        if let Some(of_type) = ran.get_mut(job_type)
            && of_type.len() < LongAttempt::KNOWN_MAX
        {
            of_type.push(ended_at.since(started_at));
        }
    }
    Ok(ran.into_iter().filter_map(|(job_type, ran)| Some((job_type, LongAttempt::usual(ran)?))).collect())
}
