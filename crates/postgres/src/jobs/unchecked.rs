use std::collections::{BTreeMap, BTreeSet};

use longshore_core::JobId;
use postgres_types::Type;
use tokio_postgres::Error;

use crate::jobs::claim::hints::Changes;
use crate::jobs::state::children::{ParentEnd, tell_children};
use crate::jobs::state::{Held, lock_free};
use crate::session::apart::apart;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;
use crate::upkeep::counts::Counts;
use crate::upkeep::stats::now;

/// How many children one look checks.
const STEP_ROWS: i64 = 500;

/// Moves children whose parent ended between the look of their enqueue and its commit. Waits for nobody: a parent that
/// is being moved is looked at the next time.
pub(crate) async fn check_children(parts: &Parts) -> Result<(), Fault> {
    let limit: [Parameter<'_>; 1] = [(&STEP_ROWS, Type::INT8)];
    let rows = parts.pool.session().await?.query(sql!("jobs/select_unchecked"), &limit).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let mut checked: Vec<i64> = Vec::new();
    let mut children: BTreeMap<JobId, Vec<i64>> = BTreeMap::new();
    for row in &rows {
        match row.try_get::<_, Option<i64>>(1)? {
            Some(parent) => children.entry(JobId(parent)).or_default().push(row.try_get(0)?),
            None => checked.push(row.try_get(0)?),
        }
    }
    let transaction = parts.pool.begin().await?;
    let ends = ends_of(&transaction, &children, &mut checked).await?;
    let changes = tell(&transaction, ends).await?;
    transaction.execute(sql!("jobs/delete_unchecked"), &[(&checked, Type::INT8_ARRAY)]).await?;
    transaction.commit().await?;
    parts.claims.hints.give(changes);
    Ok(())
}

/// What was noted when these were enqueued holds no more: a person lets them wait for a parent that has ended.
pub(crate) async fn forget_unchecked(session: &Session, children: &[&Held]) -> Result<(), Error> {
    let ids: Vec<i64> = children.iter().filter(|job| job.parent.is_some()).map(|job| job.id.0).collect();
    if !ids.is_empty() {
        session.execute(sql!("jobs/delete_unchecked"), &[(&ids, Type::INT8_ARRAY)]).await?;
    }
    Ok(())
}

/// The parents that have ended. A parent that can be locked is not being moved: if it has not ended, whoever ends it
/// sees the child, which needs no other look.
async fn ends_of(
    transaction: &Transaction,
    children: &BTreeMap<JobId, Vec<i64>>,
    checked: &mut Vec<i64>,
) -> Result<Vec<(JobId, ParentEnd)>, Fault> {
    let parents: Vec<JobId> = children.keys().copied().collect();
    // A statement of its own for the look: the snapshot of the one that locks is older than the lock.
    let free: BTreeSet<JobId> = lock_free(transaction, &parents).await?.held.iter().map(|job| job.id).collect();
    let locked = lock_free(transaction, &parents).await?;
    let mut ends = Vec::new();
    for parent in locked.held.iter().filter(|parent| free.contains(&parent.id)) {
        checked.extend(&children[&parent.id]);
        if parent.status.is_ended() {
            ends.push((parent.id, ParentEnd::Ended(parent.status)));
        }
    }
    for parent in &locked.missing {
        checked.extend(&children[parent]);
        ends.push((*parent, ParentEnd::Deleted));
    }
    Ok(ends)
}

async fn tell(transaction: &Transaction, ends: Vec<(JobId, ParentEnd)>) -> Result<Changes, Fault> {
    if ends.is_empty() {
        return Ok(Changes::default());
    }
    let now = now(transaction).await?;
    for end in ends {
        let told = apart(transaction, async {
            let mut counts = Counts::default();
            tell_children(transaction, [end], now, &mut counts).await?;
            Ok(counts.flush(transaction).await?)
        });
        if let Err(fault) = told.await? {
            tracing::error!(parent = end.0.0, reason = %fault.reason(), "a child of a job that has ended cannot be moved");
        }
    }
    Ok(Changes::unknown())
}
