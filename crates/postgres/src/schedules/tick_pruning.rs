use std::sync::{Mutex, MutexGuard, PoisonError};

use longshore_core::{TickRetention, Timestamp};
use postgres_types::Type;

use crate::instant::Instant;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;
use crate::upkeep::stats::now;

/// How many schedules one step looks at.
const SCHEDULES_MAX: i32 = 50;

/// Removes old ticks, a few schedules at each sweep.
#[derive(Debug, Default)]
pub(crate) struct TickPruning {
    /// The last schedule that was looked at; empty at the beginning of a walk.
    after: Mutex<String>,
}

impl TickPruning {
    /// One bounded step. Returns whether old ticks may be left. Only reads where there are none.
    pub(crate) async fn step(&self, parts: &Parts, rows_max: u32) -> Result<bool, Fault> {
        let (mut left, after) = (u64::from(rows_max), self.after().clone());
        // Its best plan depends on how many ticks there are.
        let (next, old) = find(&*parts.pool.begin_reading().await?, &after).await?;
        *self.after() = next;
        if old.is_empty() {
            return Ok(false);
        }
        let session = parts.pool.session().await?;
        for (schedule, before) in old {
            let (before, limit) = (Instant(before), i64::try_from(left).unwrap_or(i64::MAX));
            let parameters: [Parameter<'_>; 3] =
                [(&schedule, Type::TEXT), (&before, Type::TIMESTAMPTZ), (&limit, Type::INT8)];
            left = left.saturating_sub(session.execute(sql!("schedules/delete_old_ticks"), &parameters).await?);
        }
        Ok(left == 0)
    }

    fn after(&self) -> MutexGuard<'_, String> {
        self.after.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The schedules with old ticks, among the next ones, and where to go on.
async fn find(session: &Session, after: &str) -> Result<(String, Vec<(String, Timestamp)>), Fault> {
    let now = now(session).await?;
    let (always, at_most) = (i64::from(TickRetention::ALWAYS) - 1, i64::from(TickRetention::AT_MOST) - 1);
    let parameters: [Parameter<'_>; 4] =
        [(&after, Type::TEXT), (&SCHEDULES_MAX, Type::INT4), (&always, Type::INT8), (&at_most, Type::INT8)];
    let rows = session.query(sql!("schedules/select_old_ticks"), &parameters).await?;
    let (mut last, mut old) = (String::new(), Vec::new());
    for row in &rows {
        let columns = &mut Columns::of(row);
        let schedule: String = columns.read()?;
        let (always, at_most) = (columns.optional_instant()?, columns.optional_instant()?);
        let oldest = columns.optional_instant()?;
        last.clone_from(&schedule);
        let kept_from = always.map(|always| TickRetention::kept_from(always, at_most, now));
        old.extend(kept_from.filter(|from| oldest.is_some_and(|oldest| oldest < *from)).map(|from| (schedule, from)));
    }
    let is_full = rows.len() == usize::try_from(SCHEDULES_MAX).unwrap_or(usize::MAX);
    Ok((if is_full { last } else { String::new() }, old))
}
