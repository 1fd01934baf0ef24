use std::sync::{Mutex, PoisonError};

use longshore_core::{DeadLetterReason, JobId, StuckCause, StuckJob, UnusableRow};
use postgres_types::Type;

use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::{Sql, sql};
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;

/// How many rows of each kind one step looks at.
const ROWS_MAX: i64 = 1000;

/// Where the walks over rows that other programs, or a restored part of a back-up, have left alone stand.
#[derive(Debug, Default)]
pub(crate) struct Strays {
    places: Mutex<Places>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Places {
    stateless_after: Option<i64>,
    bodiless_after: Option<i64>,
}

impl Strays {
    /// Looks at some rows: a job without a state becomes a dead letter, a state without a job goes. Gives how many there
    /// were. The walks go over all rows again and again, some each minute.
    pub(crate) async fn settle(&self, parts: &Parts) -> Result<u64, Fault> {
        let places = *self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let session = parts.pool.session().await?;
        let reason = DeadLetterReason::UnusableRow(UnusableRow::Status).to_string();
        // First the states, because a job may not get a second one.
        let bodiless = step(&session, sql!("upkeep/delete_bodiless_rows"), places.bodiless_after, &[]).await?;
        let stateless =
            step(&session, sql!("upkeep/bury_stateless_jobs"), places.stateless_after, &[(&reason, Type::TEXT)])
                .await?;
        *self.places.lock().unwrap_or_else(PoisonError::into_inner) =
            Places { stateless_after: stateless.next, bodiless_after: bodiless.next };
        if bodiless.found > 0 {
            tracing::warn!(rows = bodiless.found, "rows of states without a job were deleted");
        }
        if stateless.found > 0 {
            tracing::warn!(jobs = stateless.found, "jobs without a state became dead letters");
        }
        Ok(bodiless.found + stateless.found)
    }
}

struct Step {
    /// `None` if the walk is over and starts again.
    next: Option<i64>,
    found: u64,
}

async fn step(
    session: &Session,
    statement: &'static Sql,
    after: Option<i64>,
    others: &[Parameter<'_>],
) -> Result<Step, Fault> {
    let after = after.unwrap_or(i64::MIN);
    let mut parameters: Vec<Parameter<'_>> = vec![(&after, Type::INT8), (&ROWS_MAX, Type::INT8)];
    parameters.extend(others.iter().cloned());
    let row = match session.query_opt(statement, &parameters).await.map_err(Fault::from) {
        // A constraint or a trigger of the application.
        Err(fault) if fault.is_refusal() => {
            tracing::error!(reason = %fault.reason(), statement = statement.name, "rows that nobody can use cannot be settled");
            return Ok(Step { next: None, found: 0 });
        }
        row => row?.expect("counts are one row"),
    };
    let columns = &mut Columns::of(&row);
    let (last, looked): (Option<i64>, i64) = (columns.read()?, columns.read()?);
    Ok(Step { next: last.filter(|_| looked == ROWS_MAX), found: columns.size()? })
}

/// Those that are found by a look at the newest jobs and at the front of each lane.
pub(crate) async fn strays(session: &Session, rows_max: u32) -> Result<Vec<StuckJob>, Fault> {
    let limit = i64::try_from(StuckJob::TOLD_MAX).unwrap_or(i64::MAX);
    let parameters: [Parameter<'_>; 2] = [(&i64::from(rows_max), Type::INT8), (&limit, Type::INT8)];
    let rows = session.query(sql!("upkeep/select_strays"), &parameters).await?;
    let ids = rows.iter().map(|row| Ok(JobId(row.try_get(0)?)));
    ids.map(|id: Result<JobId, Fault>| Ok(StuckJob { id: id?, cause: StuckCause::UnusableRow })).collect()
}
