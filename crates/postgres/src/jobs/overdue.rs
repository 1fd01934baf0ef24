use std::collections::BTreeMap;

use longshore_core::{JobId, Overdue, Status, TimeBounds, Timestamp};
use postgres_types::Type;

use crate::jobs::state::children::{ParentEnd, tell_children};
use crate::jobs::state::place::{Place, Placed, put};
use crate::jobs::state::{Held, lock_free, remove};
use crate::session::apart::apart;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::sql;
use crate::session::statements::Parameter;
use crate::store::Parts;
use crate::upkeep::counts::Counts;
use crate::upkeep::stats::now;

/// How many jobs one look ends.
const STEP_ROWS: i64 = 500;

/// Ends waiting jobs whose expiry or deadline has passed, in the order of those times; says how many. Waits for nobody:
/// a job that somebody else holds is looked at the next time.
pub(crate) async fn end_overdue(parts: &Parts) -> Result<u64, Fault> {
    let limit: [Parameter<'_>; 1] = [(&STEP_ROWS, Type::INT8)];
    let rows = parts.pool.session().await?.query(sql!("jobs/select_overdue"), &limit).await?;
    let ids: Vec<JobId> = rows.iter().map(|row| row.try_get(0).map(JobId)).collect::<Result<_, _>>()?;
    if ids.is_empty() {
        return Ok(0);
    }
    let transaction = parts.pool.begin().await?;
    let now = now(&transaction).await?;
    let locked = lock_free(&transaction, &ids).await?;
    let held: BTreeMap<JobId, Held> = locked.held.into_iter().map(|job| (job.id, job)).collect();
    let mut done: Vec<i64> = held.keys().chain(&locked.missing).map(|id| id.0).collect();
    done.dedup();
    let mut ended = 0;
    for run in runs(&ids, &held, now) {
        ended += end(&transaction, &run, now).await?;
    }
    // Those that run get their limit again if they come back.
    transaction.execute(sql!("jobs/delete_time_limits"), &[(&done, Type::INT8_ARRAY)]).await?;
    transaction.commit().await?;
    Ok(ended)
}

/// The overdue jobs in their order, in runs that can be ended together: a blocked one may have ended with its parent, so
/// it comes alone.
fn runs<'h>(ids: &[JobId], held: &'h BTreeMap<JobId, Held>, now: Timestamp) -> Vec<Vec<(&'h Held, Overdue)>> {
    let mut runs: Vec<Vec<(&Held, Overdue)>> = Vec::new();
    let mut is_open = false;
    for job in ids.iter().filter_map(|id| held.get(id)) {
        let time = TimeBounds { expires_at: job.expires_at, deadline_at: job.deadline_at };
        let is_waiting = matches!(job.status, Status::Pending | Status::Retrying | Status::Blocked);
        let Some(overdue) = time.overdue_at(now).filter(|_| is_waiting) else { continue };
        let is_alone = job.status == Status::Blocked;
        match runs.last_mut().filter(|_| is_open && !is_alone) {
            Some(run) if !run.iter().any(|(other, _)| other.id == job.id) => run.push((job, overdue)),
            Some(_) => {}
            None => runs.push(vec![(job, overdue)]),
        }
        is_open = !is_alone;
    }
    runs
}

/// Ends some; where the database refuses one, each alone.
async fn end(transaction: &Transaction, run: &[(&Held, Overdue)], now: Timestamp) -> Result<u64, Fault> {
    if let Ok(ended) = apart(transaction, end_together(transaction, run, now)).await? {
        return Ok(ended);
    }
    let mut ended = 0;
    for one in run {
        match apart(transaction, end_together(transaction, std::slice::from_ref(one), now)).await? {
            Ok(count) => ended += count,
            Err(fault) => {
                tracing::error!(job_id = one.0.id.0, reason = %fault.reason(), "an overdue job cannot be ended");
            }
        }
    }
    Ok(ended)
}

async fn end_together(transaction: &Transaction, run: &[(&Held, Overdue)], now: Timestamp) -> Result<u64, Fault> {
    let mut run = run.to_vec();
    if let [(job, _)] = run[..]
        && job.status == Status::Blocked
    {
        // Its parent may have ended a moment ago, in this transaction.
        let still = lock_free(transaction, &[job.id]).await?;
        run.retain(|_| still.held.first().is_some_and(|found| found.status == Status::Blocked));
    }
    let mut counts = Counts::default();
    let placed: Vec<Placed<'_>> = run
        .iter()
        .map(|(job, overdue)| {
            let reason = overdue.reason().to_string();
            let place = match overdue {
                Overdue::Expired(_) => Place::Withdrawn { reason },
                Overdue::DeadlinePassed(_) => Place::DeadLetter { reason },
            };
            Placed { job, place }
        })
        .collect();
    let jobs: Vec<&Held> = run.iter().map(|(job, _)| *job).collect();
    remove(transaction, &jobs).await?;
    put(transaction, &placed, now, &mut counts).await?;
    let parents = placed.iter().map(|placed| (placed.job.id, ParentEnd::Ended(placed.place.status())));
    tell_children(transaction, parents, now, &mut counts).await?;
    counts.flush(transaction).await?;
    Ok(run.len() as u64)
}
