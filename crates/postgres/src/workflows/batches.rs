use std::collections::{BTreeMap, BTreeSet};

use longshore_core::{BatchCounts, BatchId, BatchRecord, BatchStatus, Timestamp};
use postgres_types::Type;
use tokio_postgres::{Error, Row};

use super::hint::Hint;
use crate::instant::Instant;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};

/// What a look at batches has found.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// How many batches ended or were opened again.
    pub(super) judged: u64,
    /// The batches whose dependents must hear of it.
    pub(super) told: Vec<Hint>,
    /// What could not be looked at, because others hold the batch.
    pub(super) postponed: Vec<Hint>,
}

/// Counts these jobs as they are now in their batches, and judges those and these batches. A batch that another
/// transaction holds, because it adds members, is left to a later look, so that nobody waits for that transaction.
pub(super) async fn judge(
    transaction: &Transaction,
    jobs: &BTreeSet<i64>,
    batches: &BTreeSet<i64>,
    now: Timestamp,
) -> Result<Judged, Fault> {
    let mut judged = Judged::default();
    if jobs.is_empty() && batches.is_empty() {
        return Ok(judged);
    }
    let batch_of = batches_of(transaction, jobs).await?;
    let all: BTreeSet<i64> = batches.iter().copied().chain(batch_of.values().copied()).collect();
    let held = lock(transaction, &all).await?;
    judged.postponed.extend(batches.difference(&held).map(|id| Hint::batch(*id)));
    let (free, postponed): (Vec<_>, Vec<_>) = batch_of.iter().partition(|(_, batch)| held.contains(batch));
    judged.postponed.extend(postponed.into_iter().map(|(job, _)| Hint::job(*job)));
    let free: Vec<i64> = free.into_iter().map(|(job, _)| *job).collect();
    let mut changed: BTreeSet<i64> = batches.intersection(&held).copied().collect();
    if !free.is_empty() {
        for row in transaction.query(sql!("workflows/count_members"), &[(&free, Type::INT8_ARRAY)]).await? {
            changed.insert(row.try_get(0)?);
        }
    }
    let changed: Vec<i64> = changed.into_iter().collect();
    let (mut ids, mut ends) = (Vec::new(), Vec::new());
    for batch in records(transaction, &changed).await? {
        if batch.status.is_ended() != batch.ended_at.is_some() {
            ids.push(batch.id.0);
            ends.push(batch.status.is_ended().then_some(now));
        }
        // Also if it ended before, and now in another way.
        judged.told.extend(batch.status.is_ended().then(|| Hint::batch(batch.id.0)));
        let is_opened_again = batch.ended_at.is_some() && !batch.status.is_ended();
        judged.told.extend(is_opened_again.then(|| Hint::batch_revives(batch.id.0)));
    }
    if !ids.is_empty() {
        let ends: Vec<Option<Instant>> = ends.into_iter().map(|at| at.map(Instant)).collect();
        let parameters: [Parameter<'_>; 2] = [(&ids, Type::INT8_ARRAY), (&ends, Type::TIMESTAMPTZ_ARRAY)];
        judged.judged = transaction.execute(sql!("workflows/judge_batches"), &parameters).await?;
    }
    Ok(judged)
}

async fn batches_of(session: &Session, jobs: &BTreeSet<i64>) -> Result<BTreeMap<i64, i64>, Error> {
    let jobs: Vec<i64> = jobs.iter().copied().collect();
    if jobs.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = session.query(sql!("workflows/select_batches_of"), &[(&jobs, Type::INT8_ARRAY)]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

async fn lock(session: &Session, ids: &BTreeSet<i64>) -> Result<BTreeSet<i64>, Error> {
    let ids: Vec<i64> = ids.iter().copied().collect();
    if ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows = session.query(sql!("workflows/lock_free_batches"), &[(&ids, Type::INT8_ARRAY)]).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// These batches, newest first.
pub(super) async fn records(session: &Session, ids: &[i64]) -> Result<Vec<BatchRecord>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = session.query(sql!("workflows/select_batches"), &[(&ids, Type::INT8_ARRAY)]).await?;
    rows.iter().map(record).collect()
}

/// The status of those of these batches that exist.
pub(super) async fn batch_statuses(session: &Session, ids: &[i64]) -> Result<BTreeMap<i64, BatchStatus>, Error> {
    Ok(records(session, ids).await?.into_iter().map(|batch| (batch.id.0, batch.status)).collect())
}

/// A batch from the columns of `select_batches.sql`, in their order.
pub(crate) fn record(row: &Row) -> Result<BatchRecord, Error> {
    let columns = &mut Columns::of(row);
    let id = BatchId(columns.read()?);
    let name = columns.read()?;
    let (created_at, closed_at, ended_at) =
        (columns.instant()?, columns.optional_instant()?, columns.optional_instant()?);
    let counts = BatchCounts {
        members: columns.size()?,
        completed: columns.size()?,
        cancelled: columns.size()?,
        dead_letter: columns.size()?,
    };
    let status = counts.status(closed_at.is_some());
    let callbacks = columns.size()?;
    Ok(BatchRecord { id, name, status, created_at, closed_at, ended_at, counts, callbacks })
}
