use std::collections::HashMap;

use longshore_core::{JobId, Timestamp};
use postgres_types::Type;
use tokio_postgres::Error;

use super::hint::{Hint, HintColumns};
use crate::instant::Instant;
use crate::jobs::state::Held;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};

/// Lets jobs that are retried wait again for what had failed before, until then at most, and for ends that may have been
/// taken back. Gives for each job that has to wait how many dependencies are open; a hint lets the next step look at what
/// has happened meanwhile. It is behind those of the jobs that are retried with it, so that their batch is open by then.
pub(crate) async fn reopen_dependencies(
    session: &Session,
    jobs: &[Held],
    until: Timestamp,
) -> Result<HashMap<JobId, i32>, Error> {
    // A job with dependencies has a story, so others cost nothing.
    let ids: Vec<i64> = jobs.iter().filter(|job| job.has_story).map(|job| job.id.0).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let until = Instant(until);
    let parameters: [Parameter<'_>; 2] = [(&ids, Type::INT8_ARRAY), (&until, Type::TIMESTAMPTZ)];
    let rows = session.query(sql!("workflows/reopen_dependencies"), &parameters).await?;
    let unmet: HashMap<JobId, i32> =
        rows.iter().map(|row| Ok((JobId(row.try_get(0)?), row.try_get(1)?))).collect::<Result<_, Error>>()?;
    if !unmet.is_empty() {
        let hints: Vec<Hint> = unmet.keys().map(|id| Hint::waits(id.0)).collect();
        session.execute(sql!("workflows/insert_unsettled"), &HintColumns::of(&hints).parameters()).await?;
    }
    Ok(unmet)
}

/// Lets the next step bring back the jobs that were given up because of these, which are retried.
pub(crate) async fn revive_dependents(session: &Session, jobs: &[Held]) -> Result<(), Error> {
    let ids: Vec<i64> = jobs.iter().filter(|job| job.has_story).map(|job| job.id.0).collect();
    if !ids.is_empty() {
        session.execute(sql!("workflows/insert_revivals"), &[(&ids, Type::INT8_ARRAY)]).await?;
    }
    Ok(())
}
