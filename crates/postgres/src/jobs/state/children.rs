use std::collections::BTreeMap;

use longshore_core::{DeadLetterReason, JobId, Status, Timestamp, UnusableRow};
use postgres_types::Type;
use tokio_postgres::Error;

use super::place::{Place, Placed, put};
use super::{Held, lock, remove};
use crate::session::apart::apart;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::sql;
use crate::session::statements::Session;
use crate::upkeep::counts::Counts;

/// What became of a parent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ParentEnd {
    Ended(Status),
    Deleted,
}

/// Updates the children of jobs that this transaction has ended or deleted: they become runnable, or they and their
/// children become dead letters. One that the database does not let become runnable is given up, too. Ends even if
/// another program made a cycle, because each child leaves `blocked` before its own children are looked for.
pub(crate) async fn tell_children(
    transaction: &Transaction,
    parents: impl IntoIterator<Item = (JobId, ParentEnd)>,
    now: Timestamp,
    counts: &mut Counts,
) -> Result<(), Fault> {
    let mut parents: BTreeMap<JobId, ParentEnd> = parents.into_iter().collect();
    while !parents.is_empty() {
        let children = blocked_children(transaction, &parents).await?;
        let mut placed: Vec<Placed<'_>> = children
            .iter()
            .filter_map(|job| {
                let parent = job.parent?;
                Some(Placed { job, place: after(job, parent, *parents.get(&parent)?, now) })
            })
            .collect();
        move_or_give_up(transaction, &mut placed, now, counts).await?;
        let given_up = placed.iter().filter(|placed| placed.place.status() == Status::DeadLetter);
        parents = given_up.map(|placed| (placed.job.id, ParentEnd::Ended(Status::DeadLetter))).collect();
    }
    Ok(())
}

pub(crate) async fn move_or_give_up(
    transaction: &Transaction,
    placed: &mut [Placed<'_>],
    now: Timestamp,
    counts: &mut Counts,
) -> Result<(), Fault> {
    if placed.is_empty() || moved(transaction, placed, now, counts).await?.is_ok() {
        return Ok(());
    }
    for one in placed {
        let Err(fault) = moved(transaction, std::slice::from_ref(one), now, counts).await? else { continue };
        if one.place.status() == Status::DeadLetter {
            return Err(fault);
        }
        tracing::error!(job_id = one.job.id.0, reason = %fault.reason(), "the database refuses to let the job run; it is given up");
        one.place = Place::DeadLetter { reason: DeadLetterReason::UnusableRow(UnusableRow::Constraint).to_string() };
        moved(transaction, std::slice::from_ref(one), now, counts).await??;
    }
    Ok(())
}

/// Moves jobs, all or none. The inner error is a refusal.
async fn moved(
    transaction: &Transaction,
    placed: &[Placed<'_>],
    now: Timestamp,
    counts: &mut Counts,
) -> Result<Result<(), Fault>, Fault> {
    let mut own = Counts::default();
    let moved = apart(transaction, async {
        remove(transaction, &placed.iter().map(|placed| placed.job).collect::<Vec<_>>()).await?;
        Ok(put(transaction, placed, now, &mut own).await?)
    })
    .await?;
    if moved.is_ok() {
        counts.merge(own);
    }
    Ok(moved)
}

async fn blocked_children(session: &Session, parents: &BTreeMap<JobId, ParentEnd>) -> Result<Vec<Held>, Error> {
    let ids: Vec<i64> = parents.keys().map(|id| id.0).collect();
    let rows = session.query(sql!("state/select_blocked_children"), &[(&ids, Type::INT8_ARRAY)]).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut of = BTreeMap::new();
    for row in rows {
        of.insert(JobId(row.try_get(0)?), JobId(row.try_get(1)?));
    }
    let children: Vec<JobId> = of.keys().copied().collect();
    let mut held = lock(session, &children).await?.held;
    held.retain(|job| job.status == Status::Blocked);
    for job in &mut held {
        // The row of the state says for whom it waits, whatever another program wrote into the body.
        job.parent = of.get(&job.id).copied();
    }
    Ok(held)
}

fn after(job: &Held, parent: JobId, end: ParentEnd, now: Timestamp) -> Place {
    let reason = match end {
        ParentEnd::Ended(Status::Completed) => return unblocked(job, now),
        ParentEnd::Ended(status) => DeadLetterReason::ParentEnded { parent, status },
        ParentEnd::Deleted => DeadLetterReason::ParentDeleted { parent },
    };
    Place::DeadLetter { reason: reason.to_string() }
}

/// Where a blocked job goes that waits for its parent no longer.
pub(crate) fn unblocked(job: &Held, now: Timestamp) -> Place {
    match job.due_at.filter(|due_at| *due_at > now) {
        Some(due_at) => Place::Later { due_at, is_retry: false },
        None => Place::Ready(now),
    }
}
