use longshore_core::TypeBacklog;
use rusqlite::{Connection, params};

use crate::database::column;
use crate::limits::limit_set::LimitSet;

/// Adds the jobs of limited types that could run now if there were room, which are not in the claim index.
pub(crate) fn add_lanes(
    connection: &Connection,
    backlog: &mut Vec<TypeBacklog>,
    jobs_max: u32,
) -> rusqlite::Result<()> {
    for limit in LimitSet::read(connection)?.types() {
        let (from, to) = limit.lane_bounds();
        let mut statement = connection.prepare_cached(include_str!("../sql/limits/select_backlog_in_lanes.sql"))?;
        let mut rows = statement.query(params![from, to, jobs_max])?;
        while let Some(row) = rows.next()? {
            let queue = column::raw_name(row, 0)?;
            let in_lanes = TypeBacklog {
                has_valid_names: queue.as_str().is_some(),
                queue: queue.shown(),
                job_type: limit.job_type.clone(),
                jobs: column::size(row, 1)?,
                oldest_ready_at: column::timestamp(row, 2)?,
            };
            let known =
                |known: &&mut TypeBacklog| (&known.job_type, &known.queue) == (&in_lanes.job_type, &in_lanes.queue);
            match backlog.iter_mut().find(known) {
                Some(known) => {
                    known.jobs = known.jobs.saturating_add(in_lanes.jobs);
                    known.oldest_ready_at = known.oldest_ready_at.min(in_lanes.oldest_ready_at);
                }
                None => backlog.push(in_lanes),
            }
        }
    }
    Ok(())
}
