use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use longshore_core::{JobId, StoreError};
use rusqlite::{Connection, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::store::Parts;
use crate::workflows::followups::{leave_workflow, note_target};
use crate::workflows::wait::Target;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;

/// How many rows of each kind one step looks at, and how many waiting jobs: each may wait for a thousand things.
const ROWS_MAX: usize = 500;
const BLOCKED_MAX: usize = 100;

/// Where the walks over the rows of workflows stand. They find what nobody was told of: a program with its triggers off has
/// ended, removed or blocked a job.
#[derive(Debug, Default)]
pub(crate) struct WorkflowSweep {
    places: Mutex<Places>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Places {
    member: i64,
    blocked: i64,
    wait: (i64, i64),
}

/// What one step has found.
#[derive(Debug, Default)]
struct Found {
    /// Somebody must look at these.
    jobs: BTreeSet<JobId>,
    /// These are gone, and have left what they waited for.
    gone: BTreeSet<JobId>,
}

impl WorkflowSweep {
    /// Looks at some rows, and only reads if nothing is wrong with them. At its end a walk starts again.
    pub(crate) async fn step(&self, parts: &Parts) -> Result<(), StoreError> {
        let places = *self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let look = move |connection: &Connection| look(connection, places);
        let (places, found) =
            parts.readers.run("looking at what workflows wait for", move |tx| Ok(look(tx.connection)?)).await?;
        *self.places.lock().unwrap_or_else(PoisonError::into_inner) = places;
        if found.jobs.is_empty() && found.gone.is_empty() {
            return Ok(());
        }
        parts.writer.run(found).await
    }
}

fn look(connection: &Connection, places: Places) -> rusqlite::Result<(Places, Found)> {
    let mut found = Found::default();
    let mut next = Places::default();
    for (sql, limit, after, next) in [
        (include_str!("../sql/workflows/sweep_members.sql"), ROWS_MAX, places.member, &mut next.member),
        (include_str!("../sql/workflows/sweep_blocked.sql"), BLOCKED_MAX, places.blocked, &mut next.blocked),
    ] {
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![after, limit as i64], |row| Ok((column::id(row, 0)?, row.get(1)?)))?;
        let rows: Vec<(JobId, bool)> = rows.collect::<Result<_, _>>()?;
        *next = rows.last().filter(|_| rows.len() == limit).map_or(0, |(id, _)| id.0);
        found.jobs.extend(rows.iter().filter(|(_, is_wrong)| *is_wrong).map(|(id, _)| *id));
    }
    let mut statement = connection.prepare_cached(include_str!("../sql/workflows/sweep_waits.sql"))?;
    let values = params![places.wait.0, places.wait.1, ROWS_MAX as i64];
    let rows = statement.query_map(values, |row| Ok((column::id(row, 0)?, column::integer(row, 1)?, row.get(2)?)))?;
    let rows: Vec<(JobId, i64, bool)> = rows.collect::<Result<_, _>>()?;
    next.wait = rows.last().filter(|_| rows.len() == ROWS_MAX).map_or((0, 0), |(id, position, _)| (id.0, *position));
    found.gone.extend(rows.iter().filter(|(_, _, is_gone)| *is_gone).map(|(id, _, _)| *id));
    Ok((next, found))
}

impl Work for Found {
    type Answer = ();
    const DOING: &'static str = "finding what workflows have missed";

    fn rows(&self) -> usize {
        self.jobs.len() + self.gone.len()
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<(), Fault> {
        for id in &self.jobs {
            note_target(tx, &Target::Job(*id))?;
        }
        for id in &self.gone {
            leave_workflow(tx, *id)?;
        }
        Ok(())
    }
}
