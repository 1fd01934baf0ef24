use longshore_core::{JobId, StoreError};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::store::Parts;
use crate::writing::session::WriteTx;
use crate::writing::work::{Passing, Work};

/// One bounded step: pending jobs in a lane that does not exist, where no claim finds them, leave it. Another program wrote
/// it. Returns whether to go on at once. Otherwise the walk goes on with the next sweep, however many lanes there are.
pub(crate) async fn step(parts: &Parts, rows_max: u32) -> Result<bool, StoreError> {
    let after = parts.audit.lanes_up_to();
    let found = parts
        .readers
        .run("finding jobs in lanes that do not exist", move |tx| Ok(find(tx.connection, after, rows_max)?))
        .await?;
    let has_more = found.next.is_some();
    parts.audit.set_lanes_up_to(found.next);
    if found.ids.is_empty() {
        return Ok(false);
    }
    let has_moved = parts.writer.run(LeaveLanes { ids: found.ids }).await?;
    if !has_moved && found.full_lane.is_some() {
        // What cannot leave this lane must not keep the walk here.
        parts.audit.set_lanes_up_to(found.full_lane);
    }
    Ok(has_more && has_moved)
}

struct Found {
    ids: Vec<JobId>,
    /// Where the next step starts. `None` at the end of the walk.
    next: Option<Value>,
    /// The lane that may have more jobs than were read.
    full_lane: Option<Value>,
}

fn find(connection: &Connection, after: Option<Value>, rows_max: u32) -> rusqlite::Result<Found> {
    let mut lanes = connection.prepare_cached(include_str!("../sql/jobs/select_next_waiting_lane.sql"))?;
    let mut jobs = connection.prepare_cached(include_str!("../sql/jobs/select_pending_in_lane.sql"))?;
    let mut last = after.unwrap_or(Value::Integer(i64::MIN));
    let mut ids = Vec::new();
    for _ in 0..rows_max {
        // A text that is not UTF-8 comes after all lanes, and ends the walk.
        let lane: Option<(Option<Value>, bool)> =
            lanes.query_row([&last], |row| Ok((row.get(0).ok(), row.get(1)?))).optional()?;
        let Some((Some(lane), exists)) = lane else { return Ok(Found { ids, next: None, full_lane: None }) };
        if !exists {
            let pending = jobs.query_map(params![lane, rows_max], |row| column::id(row, 0))?;
            ids.extend(pending.collect::<rusqlite::Result<Vec<JobId>>>()?);
            if ids.len() >= rows_max as usize {
                return Ok(Found { ids, next: Some(last), full_lane: Some(lane) });
            }
        }
        last = lane;
    }
    Ok(Found { ids, next: Some(last), full_lane: None })
}

/// Takes jobs out of their lanes. Those of limited types are sorted next, like jobs from before the limit.
struct LeaveLanes {
    ids: Vec<JobId>,
}

impl Work for LeaveLanes {
    /// Whether any left its lane.
    type Answer = bool;
    const DOING: &'static str = "taking jobs out of lanes that do not exist";
    const PASSING: Passing = Passing::WhileDraining;

    fn rows(&self) -> usize {
        self.ids.len()
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<bool, Fault> {
        let mut has_moved = false;
        for id in &self.ids {
            let left = tx.apart(|tx| {
                let sql = include_str!("../sql/jobs/leave_lane.sql");
                tx.connection.prepare_cached(sql)?.execute([id.0])?;
                Ok(())
            })?;
            match left {
                Ok(()) => {
                    has_moved = true;
                    crate::database::quiet::warning!(job_id = id.0, "waited in a lane that does not exist");
                }
                Err(error) => crate::database::quiet::error!(job_id = id.0, %error, "cannot leave its lane"),
            }
        }
        tx.wake_all();
        Ok(has_moved)
    }
}
