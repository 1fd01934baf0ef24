use longshore_core::{ClaimRequest, DeadLetterReason, JobId, Status, Timestamp, UnusableRow};
use postgres_types::Type;

use super::PROMOTED_MAX;
use super::request::ClaimValues;
use crate::jobs::state::children::{ParentEnd, tell_children};
use crate::jobs::state::place::{Place, Placed, put};
use crate::jobs::state::{Held, lock_free, remove};
use crate::session::apart::{apart, taken_back};
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::{Sql, sql};
use crate::session::statements::Parameter;
use crate::store::Parts;
use crate::upkeep::counts::Counts;
use crate::upkeep::stats::now;

/// Gives up the jobs that a constraint or trigger keeps from becoming ready or from running, among those that this claim
/// would take: as long as they stand, no claim reaches those behind them. Says whether there was one.
pub(super) async fn give_up_refused(parts: &Parts, request: &ClaimRequest) -> Result<bool, Fault> {
    let values = ClaimValues::of(request);
    let limit = i64::from(request.limit);
    let of_claim: [Parameter<'_>; 3] =
        [(&values.job_types, Type::TEXT_ARRAY), (&values.queues, Type::TEXT_ARRAY), (&limit, Type::INT8)];
    let due = step(parts, sql!("claim/select_due_jobs"), &[(&PROMOTED_MAX, Type::INT8)], Step::Promotion).await?;
    let ready = step(parts, sql!("claim/select_first_ready"), &of_claim, Step::Start { request }).await?;
    Ok(due || ready)
}

/// A move that a claim makes.
#[derive(Clone, Copy)]
enum Step<'a> {
    Promotion,
    Start { request: &'a ClaimRequest },
}

async fn step(
    parts: &Parts,
    candidates: &'static Sql,
    parameters: &[Parameter<'_>],
    step: Step<'_>,
) -> Result<bool, Fault> {
    let transaction = parts.pool.begin().await?;
    let rows = transaction.query(candidates, parameters).await?;
    let ids: Vec<JobId> = rows.iter().map(|row| row.try_get(0).map(JobId)).collect::<Result<_, _>>()?;
    let mut jobs = lock_free(&transaction, &ids).await?.held;
    jobs.retain(|job| matches!(job.status, Status::Pending | Status::Retrying));
    let now = now(&transaction).await?;
    let mut counts = Counts::default();
    let mut is_any = false;
    for job in step.refused(&transaction, &jobs, now).await? {
        match apart(&transaction, give_up(&transaction, job, now, &mut counts)).await? {
            Ok(()) => is_any = true,
            Err(fault) => {
                tracing::error!(job_id = job.id.0, reason = %fault.reason(), "the database lets the job neither run nor be given up");
            }
        }
    }
    let news = std::mem::take(&mut counts.news);
    counts.flush(&transaction).await?;
    transaction.commit().await?;
    parts.claims.hints.give(news);
    Ok(is_any)
}

impl Step<'_> {
    /// The jobs that the database refuses to move. Halves of what it refuses are tried, so that one among many costs few
    /// statements.
    async fn refused<'j>(
        self,
        transaction: &Transaction,
        jobs: &'j [Held],
        now: Timestamp,
    ) -> Result<Vec<&'j Held>, Fault> {
        let mut refused = Vec::new();
        let mut untried = vec![jobs];
        while let Some(some) = untried.pop().filter(|some| !some.is_empty()) {
            let Err(fault) = taken_back(transaction, self.attempt(transaction, some, now)).await? else { continue };
            if let [job] = some {
                tracing::error!(job_id = job.id.0, reason = %fault.reason(), "the database refuses to let the job run; it is given up");
                refused.push(job);
            } else {
                let (front, back) = some.split_at(some.len() / 2);
                untried.extend([back, front]);
            }
        }
        Ok(refused)
    }

    async fn attempt(self, transaction: &Transaction, jobs: &[Held], now: Timestamp) -> Result<(), Fault> {
        match self {
            Step::Promotion => {
                let placed: Vec<_> = jobs.iter().map(|job| Placed { job, place: Place::Ready(now) }).collect();
                remove(transaction, &jobs.iter().collect::<Vec<_>>()).await?;
                Ok(put(transaction, &placed, now, &mut Counts::default()).await?)
            }
            Step::Start { request } => {
                let ids: Vec<i64> = jobs.iter().map(|job| job.id.0).collect();
                let worker_id = request.worker_id.as_str();
                let values: [Parameter<'_>; 2] = [(&ids, Type::INT8_ARRAY), (&worker_id, Type::TEXT)];
                transaction.execute(sql!("claim/try_to_run"), &values).await?;
                Ok(())
            }
        }
    }
}

async fn give_up(transaction: &Transaction, job: &Held, now: Timestamp, counts: &mut Counts) -> Result<(), Fault> {
    let reason = DeadLetterReason::UnusableRow(UnusableRow::Constraint).to_string();
    let mut own = Counts::default();
    remove(transaction, &[job]).await?;
    put(transaction, &[Placed { job, place: Place::DeadLetter { reason } }], now, &mut own).await?;
    tell_children(transaction, [(job.id, ParentEnd::Ended(Status::DeadLetter))], now, &mut own).await?;
    counts.merge(own);
    Ok(())
}
