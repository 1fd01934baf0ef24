use longshore_core::{ClaimNumber, DeadLetterReason, JobId, Status, UnusableRow, WorkerId};

use crate::jobs::claim::held::Leftovers;
use crate::jobs::claim::hints::Changes;
use crate::jobs::outcomes::ended_attempts::{EndedAttempts, Goal, status_of};
use crate::jobs::outcomes::family::{GivenUp, give_up_children};
use crate::jobs::state::children::{ParentEnd, tell_children};
use crate::jobs::state::place::{Place, Placed, put};
use crate::jobs::state::{lock, remove};
use crate::session::apart::apart;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::upkeep::counts::Counts;
use crate::upkeep::stats::now;
use crate::workers::held_job::LostAttempt;

/// What was taken from a worker in one transaction.
#[derive(Debug, Default)]
pub(crate) struct GivenBack {
    /// How many jobs went on or were given up.
    pub(crate) jobs: u64,
    pub(crate) changes: Changes,
}

/// Ends attempts whose worker does not report them, each under its fence. Where the database refuses some, each is
/// written in its own savepoint, and a job whose row refuses every move but one becomes a dead letter.
pub(crate) async fn give_back(
    transaction: &Transaction,
    worker_id: &WorkerId,
    attempts: &[LostAttempt],
) -> Result<GivenBack, Fault> {
    if attempts.is_empty() {
        return Ok(GivenBack::default());
    }
    if let Ok(given_back) = apart(transaction, write(transaction, worker_id, attempts)).await? {
        return Ok(given_back);
    }
    let mut all = GivenBack::default();
    for attempt in attempts {
        let record = &attempt.record;
        match apart(transaction, write(transaction, worker_id, std::slice::from_ref(attempt))).await? {
            Ok(given_back) => all.merge(given_back),
            Err(fault) => {
                tracing::error!(job_id = record.id.0, %worker_id, reason = %fault.reason(), "a job's row rejects its move; the job is given up");
                match apart(transaction, bury(transaction, (record.id, record.claim_number))).await? {
                    Ok(()) => all.jobs += 1,
                    Err(fault) => {
                        tracing::error!(job_id = record.id.0, %worker_id, reason = %fault.reason(), "a job cannot be taken from its worker");
                    }
                }
            }
        }
    }
    Ok(all)
}

async fn write(transaction: &Transaction, worker_id: &WorkerId, attempts: &[LostAttempt]) -> Result<GivenBack, Fault> {
    let mut ended = EndedAttempts::of(worker_id);
    attempts.iter().for_each(|attempt| ended.push_begun(&attempt.record, attempt.begun_ago_ms));
    // Nothing is known of them here, and the claims go with the worker.
    let keyed = attempts.iter().map(|attempt| attempt.record.id.0).collect();
    ended.settle(Leftovers { keyed, used_up: Vec::new() });
    let mut given_back = GivenBack::default();
    let mut given_up = Vec::new();
    let call = ended.parameters();
    for row in transaction.query(EndedAttempts::call(&call).sql, &call).await? {
        let columns = &mut Columns::of(&row);
        let (id, _): (JobId, i64) = (columns.id()?, columns.read()?);
        let (job_type, queue): (&str, &str) = (columns.read()?, columns.read()?);
        let (goal, code): (i16, i16) = (columns.read()?, columns.read()?);
        given_back.jobs += 1;
        if goal == Goal::Ended as i16 {
            given_up.push(GivenUp { id, status: status_of(code), at: columns.instant()? });
        } else {
            given_back.changes.add_job(Some(job_type), queue);
        }
    }
    give_up_children(transaction, given_up).await?;
    Ok(given_back)
}

/// Makes a running job a dead letter, and all jobs that wait for it, because its row cannot be moved otherwise.
async fn bury(transaction: &Transaction, (id, claim_number): (JobId, ClaimNumber)) -> Result<(), Fault> {
    let held = lock(transaction, &[id]).await?.held;
    let Some(job) = held.iter().find(|job| job.claim_number == Some(claim_number)) else { return Ok(()) };
    let now = now(transaction).await?;
    let reason = DeadLetterReason::UnusableRow(UnusableRow::Constraint).to_string();
    let mut counts = Counts::default();
    remove(transaction, &[job]).await?;
    put(transaction, &[Placed { job, place: Place::DeadLetter { reason } }], now, &mut counts).await?;
    tell_children(transaction, [(id, ParentEnd::Ended(Status::DeadLetter))], now, &mut counts).await?;
    Ok(counts.flush(transaction).await?)
}

impl GivenBack {
    pub(crate) fn merge(&mut self, other: Self) {
        self.jobs += other.jobs;
        self.changes.merge(other.changes);
    }
}
