use std::sync::Arc;

use longshore_core::{AddTicks, JobId, Tick, TickAddition, TickKind, Timestamp, ValidJob};
use postgres_types::Type;

use super::{schedule_row, ticks};
use crate::instant::Instant;
use crate::jobs::claim::hints::Changes;
use crate::jobs::enqueue::enqueue_within;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::repeated::repeated;
use crate::session::sql::sql;
use crate::session::statements::Parameter;
use crate::store::Parts;
use crate::upkeep::stats::now;

type Added = Option<Vec<Option<JobId>>>;

/// Adds ticks by hand.
pub(super) async fn add(parts: Arc<Parts>, request: AddTicks) -> Result<Added, Fault> {
    let (added, changes) = repeated(async || attempt(&parts, &request).await).await?;
    parts.claims.hints.give(changes);
    Ok(added)
}

async fn attempt(parts: &Parts, request: &AddTicks) -> Result<(Added, Changes), Fault> {
    let AddTicks { schedule, ticks: wanted, planner, decided_by } = request;
    let transaction = parts.pool.begin().await?;
    let Some(mut row) = schedule_row::lock(&transaction, schedule).await? else {
        return Ok((None, Changes::default()));
    };
    let dues = || wanted.iter().map(|tick| tick.due_at);
    let Some((first, last)) = dues().min().zip(dues().max()) else {
        return Ok((Some(Vec::new()), Changes::default()));
    };
    let now = now(&transaction).await?;
    let mut there = ticks::ticks_over(&transaction, schedule, &(first..=last)).await?;
    let span = TickAddition::span(&(first..=last), &there);
    if span != (first..=last) {
        there = ticks::ticks_over(&transaction, schedule, &span).await?;
    }
    let addition = TickAddition::of(wanted, &there, &row, &**planner);
    drop_ticks(&transaction, schedule, &addition.dropped).await?;
    let mut rows = addition.rewritten;
    let added = || wanted.iter().zip(&addition.added).filter(|(_, is_added)| **is_added).map(|(tick, _)| tick);
    let jobs: Vec<&ValidJob> = added().filter_map(|tick| tick.job.as_ref()).collect();
    let (made, changes) = enqueue_within(parts, &transaction, &jobs).await?;
    let mut made = made.into_iter();
    let mut ids = Vec::with_capacity(wanted.len());
    for (tick, is_added) in wanted.iter().zip(&addition.added) {
        let made = if *is_added && tick.job.is_some() { made.next() } else { None };
        let job_id = made.as_ref().map(|made| made.id);
        ids.push(job_id);
        if !is_added {
            continue;
        }
        if tick.kind != TickKind::Backfill {
            row.last_job_id = job_id.or(row.last_job_id);
        }
        let joined = made.filter(|made| made.is_duplicate).map(|made| tick.clone().joined(made.id));
        rows.push(Tick::decided(schedule, joined.as_ref().unwrap_or(tick), job_id, decided_by, now));
    }
    ticks::insert(&transaction, &rows).await?;
    schedule_row::write_positions(&transaction, std::iter::once(&row)).await?;
    transaction.commit().await?;
    Ok((Some(ids), changes))
}

async fn drop_ticks(transaction: &Transaction, schedule: &str, dues: &[Timestamp]) -> Result<(), Fault> {
    let dues: Vec<Instant> = dues.iter().map(|due_at| Instant(*due_at)).collect();
    let parameters: [Parameter<'_>; 2] = [(&schedule, Type::TEXT), (&dues, Type::TIMESTAMPTZ_ARRAY)];
    transaction.execute(sql!("schedules/delete_ticks"), &parameters).await?;
    Ok(())
}
