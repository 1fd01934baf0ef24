use std::sync::Arc;

use longshore_core::{ChangeSchedule, ScheduleChange, ScheduleRow, Settling, StoreError, Timestamp};
use postgres_types::Type;

use super::schedule_row;
use super::settlement::Settlement;
use crate::instant::Instant;
use crate::jobs::claim::hints::Changes;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::repeated::repeated;
use crate::session::sql::sql;
use crate::session::statements::Parameter;
use crate::store::Parts;
use crate::upkeep::stats::now;

/// Pauses, resumes or removes a schedule.
pub(super) async fn change(parts: Arc<Parts>, request: ChangeSchedule) -> Result<bool, Fault> {
    let (is_known, changes) = repeated(async || attempt(&parts, &request).await).await?;
    parts.claims.hints.give(changes);
    Ok(is_known)
}

async fn attempt(parts: &Parts, request: &ChangeSchedule) -> Result<(bool, Changes), Fault> {
    let ChangeSchedule { name, change, .. } = request;
    let mut changes = Changes::default();
    let transaction = parts.pool.begin().await?;
    let Some(mut row) = schedule_row::lock(&transaction, name).await? else { return Ok((false, changes)) };
    let now = now(&transaction).await?;
    if *change == ScheduleChange::Remove {
        schedule_row::delete(&transaction, std::slice::from_ref(name)).await?;
        changes.schedules = true;
        transaction.commit().await?;
        return Ok((true, changes));
    }
    if row.settles_before(change) {
        row = settle(parts, &transaction, request, row, now, &mut changes).await?;
    }
    if let Some(from) = row.reopened_from(change) {
        let from = Instant(from);
        let parameters: [Parameter<'_>; 2] = [(name, Type::TEXT), (&from, Type::TIMESTAMPTZ)];
        transaction.execute(sql!("schedules/delete_ticks_of_pause"), &parameters).await?;
    }
    if row.change(change, now) {
        schedule_row::write(&transaction, std::slice::from_ref(&row)).await?;
        changes.schedules = true;
    }
    transaction.commit().await?;
    Ok((true, changes))
}

async fn settle(
    parts: &Parts,
    transaction: &Transaction,
    request: &ChangeSchedule,
    row: ScheduleRow,
    now: Timestamp,
    changes: &mut Changes,
) -> Result<ScheduleRow, Fault> {
    let ChangeSchedule { name, planner, decided_by, .. } = request;
    let unknown = |reason| StoreError::UnknownDefinition { schedule: name.clone(), reason };
    let definition = row.parsed().map_err(unknown)?;
    let (planner, settling) = (&**planner, Settling::Planned);
    let settlement = Settlement { parts, transaction, planner, decided_by, settling, now };
    match settlement.settle(vec![(row, definition)], changes).await?.pop() {
        Some(Ok(settled)) => Ok(settled.row),
        Some(Err((_, reason))) => Err(StoreError::Backend {
            database: Arc::clone(&parts.context.database),
            doing: "changing a schedule",
            source: reason.to_string().into(),
        }
        .into()),
        None => unreachable!("there is one answer for each schedule"),
    }
}
