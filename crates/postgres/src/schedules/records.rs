use std::collections::HashMap;
use std::sync::Arc;

use longshore_core::{ScheduleRecord, SchedulesRequest, Tick, TicksOfRecord, Timestamp};
use postgres_types::Type;

use super::schedule_row::schedule_rows;
use super::settlement::is_open;
use super::ticks::tick_rows;
use crate::jobs::reading::selected::statuses;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;
use crate::upkeep::stats::now;

/// The maximum number of schedules in one answer.
const PAGE_MAX: u32 = 1000;

/// A page of schedules by name.
pub(super) async fn schedules(parts: Arc<Parts>, request: SchedulesRequest) -> Result<Vec<ScheduleRecord>, Fault> {
    let limit = i64::from(request.limit.clamp(1, PAGE_MAX));
    let after = request.after.as_deref().unwrap_or_default();
    let transaction = parts.pool.begin_reading().await?;
    let rows = match &request.names {
        None => {
            let parameters: [Parameter<'_>; 2] = [(&after, Type::TEXT), (&limit, Type::INT8)];
            transaction.query(sql!("schedules/select_schedules_page"), &parameters).await?
        }
        Some(names) => {
            let parameters: [Parameter<'_>; 3] =
                [(names, Type::TEXT_ARRAY), (&after, Type::TEXT), (&limit, Type::INT8)];
            transaction.query(sql!("schedules/select_schedules"), &parameters).await?
        }
    };
    let rows = schedule_rows(&rows)?;
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    let mut newest = newest(&transaction, &names).await?;
    let mut completed = last_completed(&transaction, &names).await?;
    let known = statuses(&transaction, rows.iter().filter_map(|row| row.last_job_id)).await?;
    let now = now(&transaction).await?;
    let record = rows.into_iter().map(|row| {
        let ticks = TicksOfRecord {
            last: newest.remove(&row.name),
            open_job: row.last_job_id.filter(|id| is_open(&known, *id)),
            last_completed: completed.remove(&row.name),
        };
        ScheduleRecord::of(row, ticks, now)
    });
    Ok(record.collect())
}

async fn newest(session: &Session, names: &[&str]) -> Result<HashMap<String, Tick>, Fault> {
    let rows = session.query(sql!("schedules/select_newest_ticks"), &[(&names, Type::TEXT_ARRAY)]).await?;
    Ok(tick_rows(&rows)?.into_iter().map(|tick| (tick.schedule.clone(), tick)).collect())
}

async fn last_completed(session: &Session, names: &[&str]) -> Result<HashMap<String, (Timestamp, Timestamp)>, Fault> {
    let among = i64::from(ScheduleRecord::COMPLETED_AMONG);
    let parameters: [Parameter<'_>; 2] = [(&names, Type::TEXT_ARRAY), (&among, Type::INT8)];
    let rows = session.query(sql!("schedules/select_last_completed"), &parameters).await?;
    let mut completed = HashMap::new();
    for row in &rows {
        let columns = &mut Columns::of(row);
        completed.insert(columns.read()?, (columns.instant()?, columns.instant()?));
    }
    Ok(completed)
}
