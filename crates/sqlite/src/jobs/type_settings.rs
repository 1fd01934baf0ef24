use longshore_core::{JobId, Status, StoreError, TypeSettings, UnusableRow};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::database::readers::Readers;
use crate::jobs::stuck::bury_unusable;
use crate::writing::session::WriteTx;
use crate::writing::work::{Passing, Work};
use crate::writing::writer::Writer;

/// How many jobs one transaction changes.
const STEP_ROWS: u32 = 500;

/// Keeps the settings of a type for the triggers, which fill in what plain SQL leaves out.
pub(crate) fn keep(connection: &Connection, settings: &TypeSettings) -> rusqlite::Result<()> {
    // Every field is listed, so that a new field cannot be forgotten.
    let TypeSettings { job_type, queue, priority, max_retries, timeout } = settings;
    connection.prepare_cached(include_str!("../sql/jobs/upsert_type_settings.sql"))?.execute(params![
        job_type,
        queue,
        priority.map(|priority| priority.0),
        max_retries,
        timeout.map(column::seconds),
    ])?;
    Ok(())
}

/// Jobs that another program inserted before their type was registered, and whose type is registered now.
pub(crate) fn awaiting_page(connection: &Connection, limit: u32) -> rusqlite::Result<Vec<JobId>> {
    connection
        .prepare_cached(include_str!("../sql/jobs/select_awaits_settings.sql"))?
        .query_map([limit], |row| column::id(row, 0))?
        .collect()
}

/// Gives waiting jobs the settings of their registered types, in at most so many steps.
pub(crate) async fn apply_settings(readers: &Readers, writer: &Writer, steps_max: u32) -> Result<(), StoreError> {
    for _ in 0..steps_max {
        let ids = readers
            .run("searching for jobs without the settings of their type", |tx| {
                Ok(awaiting_page(tx.connection, STEP_ROWS)?)
            })
            .await?;
        if ids.is_empty() {
            break;
        }
        writer.run(ApplySettings { ids }).await?;
    }
    Ok(())
}

/// Gives these jobs the settings of their type where they do not say otherwise.
pub(crate) struct ApplySettings {
    pub(crate) ids: Vec<JobId>,
}

impl Work for ApplySettings {
    type Answer = ();
    const DOING: &'static str = "giving jobs the settings of their type";
    const PASSING: Passing = Passing::WhileDraining;

    fn rows(&self) -> usize {
        self.ids.len()
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<(), Fault> {
        for id in &self.ids {
            if let Err(error) = tx.apart(|tx| apply(tx, *id))? {
                crate::database::quiet::warning!(job_id = id.0, %error, "the settings of its type cannot be given to the job");
                keep_without(tx, *id)?;
            }
        }
        Ok(())
    }
}

/// A constraint rejects the job with the settings of its type. It runs with the built-in defaults. If they are rejected
/// too, another program has bypassed the constraints: no worker could find a job without a queue, so it is given up.
fn keep_without(tx: &mut WriteTx<'_, '_>, id: JobId) -> Result<(), Fault> {
    if let Err(error) = tx.apart(|tx| place(tx, id))? {
        crate::database::quiet::error!(job_id = id.0, %error, "a constraint rejects the row; the job is given up");
        if let Err(error) = tx.apart(|tx| bury_unusable(tx, id, UnusableRow::Constraint))? {
            crate::database::quiet::error!(job_id = id.0, %error, "cannot be fixed");
        }
    }
    tx.connection.prepare_cached(include_str!("../sql/jobs/keep_before_settings.sql"))?.execute([id.0])?;
    Ok(())
}

/// Gives the built-in defaults to a waiting job that has no queue. It was counted in the default one, if at all.
pub(crate) fn place(tx: &mut WriteTx<'_, '_>, id: JobId) -> Result<(), Fault> {
    let sql = include_str!("../sql/jobs/place_job.sql");
    if tx.connection.prepare_cached(sql)?.execute([id.0])? > 0 {
        tx.wake_for(None, "default");
    }
    Ok(())
}

fn apply(tx: &mut WriteTx<'_, '_>, id: JobId) -> Result<(), Fault> {
    let found = tx
        .connection
        .prepare_cached(include_str!("../sql/jobs/select_job_before_settings.sql"))?
        .query_row([id.0], |row| {
            Ok((column::status(row, 0)?, column::text(row, 1)?, column::text(row, 2)?, column::text(row, 3)?))
        })
        .optional()?;
    let Some((status, from, to, job_type)) = found else { return Ok(()) };
    if !matches!(status, Status::Pending | Status::Retrying | Status::Blocked) {
        tx.connection.prepare_cached(include_str!("../sql/jobs/keep_before_settings.sql"))?.execute([id.0])?;
        return Ok(());
    }
    tx.connection.prepare_cached(include_str!("../sql/jobs/apply_type_settings.sql"))?.execute([id.0])?;
    tx.counts.left(&from, status);
    tx.counts.entered(&to, status);
    tx.wake_for(Some(&job_type), &to);
    Ok(())
}
