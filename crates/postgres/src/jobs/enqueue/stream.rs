use std::sync::Arc;

use longshore_core::{Enqueued, ValidJob};
use longshore_spool::{Parts as SpooledParts, Spooled};

use super::bulk::Bulk;
use super::columns::Columns;
use super::dependent::Dependent;
use super::plain::{insert_in, is_plain};
use crate::jobs::claim::hints::Changes;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::store::Parts;
use crate::upkeep::counts::Counts;

/// How many jobs are created at a time, if their payloads are not large.
const PART_JOBS_MAX: usize = 5000;
const PART_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Fewer plain jobs are one statement with arrays.
pub(super) const BULK_JOBS_MIN: usize = 500;

/// Enqueues the jobs of a stream that was read to its end, in one transaction.
pub(crate) async fn enqueue_spooled(parts: Arc<Parts>, mut spooled: Spooled) -> Result<u64, Fault> {
    let transaction = parts.pool.begin().await?;
    let mut filling = Filling::begin(&parts, &transaction).await?;
    let mut made = 0;
    loop {
        let part = next_part(&mut spooled.parts)?;
        if part.is_empty() {
            break;
        }
        made += filling.insert(&part).await?.iter().filter(|enqueued| !enqueued.is_duplicate).count() as u64;
    }
    if let Some(error) = spooled.broken {
        return Err(error.into());
    }
    let changes = filling.end().await?;
    transaction.commit().await?;
    parts.claims.hints.give(changes);
    Ok(made)
}

fn next_part(spooled: &mut SpooledParts) -> Result<Vec<ValidJob>, Fault> {
    let (mut part, mut bytes) = (Vec::new(), 0);
    while part.len() < PART_JOBS_MAX && bytes < PART_BYTES_MAX {
        let next = spooled.next_part()?;
        if next.is_empty() {
            break;
        }
        bytes += super::bytes_of(&next);
        part.extend(next);
    }
    Ok(part)
}

/// Enqueues many plain jobs in one transaction.
pub(super) async fn enqueue_many(parts: &Parts, jobs: &[ValidJob]) -> Result<Vec<Enqueued>, Fault> {
    let transaction = parts.pool.begin().await?;
    let mut filling = Filling::begin(parts, &transaction).await?;
    let mut enqueued = Vec::with_capacity(jobs.len());
    for part in jobs.chunks(PART_JOBS_MAX) {
        enqueued.extend(filling.insert(part).await?);
    }
    let changes = filling.end().await?;
    transaction.commit().await?;
    parts.claims.hints.give(changes);
    Ok(enqueued)
}

/// Creates many jobs in one transaction.
struct Filling<'t> {
    transaction: &'t Transaction,
    dependent: Dependent<'t>,
    /// None behind a pooler.
    bulk: Option<Bulk<'t>>,
    counts: Counts,
    changes: Changes,
}

impl<'t> Filling<'t> {
    async fn begin(parts: &'t Parts, transaction: &'t Transaction) -> Result<Self, Fault> {
        let bulk = match parts.options.is_pooled {
            true => None,
            false => Some(Bulk::begin(transaction, &parts.options.schema).await?),
        };
        let dependent = Dependent::in_transaction(transaction, &parts.context);
        Ok(Self { transaction, dependent, bulk, counts: Counts::default(), changes: Changes::default() })
    }

    /// Creates the jobs in their order: those that depend on others as they come, the others many at a time.
    async fn insert(&mut self, jobs: &[ValidJob]) -> Result<Vec<Enqueued>, Fault> {
        let mut enqueued = Vec::with_capacity(jobs.len());
        for run in jobs.chunk_by(|one, next| is_plain(one) == is_plain(next)) {
            if is_plain(&run[0]) {
                enqueued.extend(self.insert_plain(run).await?);
            } else {
                enqueued.extend(self.dependent.insert(run).await?);
            }
        }
        Ok(enqueued)
    }

    async fn insert_plain(&mut self, jobs: &[ValidJob]) -> Result<impl Iterator<Item = Enqueued> + use<>, Fault> {
        let ids = match &self.bulk {
            // A few rows are not worth the round trips of COPY.
            Some(bulk) if jobs.len() >= BULK_JOBS_MIN => bulk.insert(jobs, &mut self.counts, &mut self.changes).await?,
            _ => {
                jobs.iter().for_each(|job| self.changes.add_job(Some(&job.job_type), &job.queue));
                insert_in(self.transaction, &Columns::of(jobs)).await?
            }
        };
        Ok(ids.into_iter().map(Enqueued::made))
    }

    async fn end(mut self) -> Result<Changes, Fault> {
        self.counts.flush(self.transaction).await?;
        self.changes.merge(self.dependent.changes());
        Ok(self.changes)
    }
}
