use longshore_core::{Actioned, Due, JobData, JobEdit, JobId, Refusal, Status, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::jobs::claim::due::{later_than, status_under};
use crate::writing::session::WriteTx;
use crate::writing::work::Work;

/// Changes one job that is not running. It ends every offer of an idle worker, like all work with an unknown effect on
/// the order of jobs.
pub(crate) struct Edit {
    pub(crate) id: JobId,
    /// Already validated.
    pub(crate) edit: JobEdit,
}

impl Work for Edit {
    type Answer = Actioned;
    const DOING: &'static str = "editing a job";

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Actioned, Fault> {
        let id = self.id;
        let refusal = match read(tx.connection, id)? {
            None => Some(Refusal::NotFound { id }),
            Some(job) => match job.refusal(id, &self.edit) {
                // A row from another program may break a constraint of its table, whatever is changed in it.
                None => match tx.apart(|tx| self.change(tx, &job))? {
                    Ok(true) => None,
                    Ok(false) | Err(_) => Some(Refusal::Constraint { id }),
                },
                refusal => refusal,
            },
        };
        let touched = u64::from(refusal.is_none());
        Ok(Actioned { touched, refused: refusal.into_iter().collect() })
    }
}

impl Edit {
    /// Returns whether the row was still as it had been read.
    fn change(&self, tx: &mut WriteTx<'_, '_>, job: &Edited) -> Result<bool, Fault> {
        let JobEdit { job_type, job_data, queue, due } = &self.edit;
        let changed = tx
            .connection
            .prepare_cached(include_str!("../../sql/actions/edit_job.sql"))?
            .execute(params![self.id.0, job_type, job_data.as_ref().map(JobData::as_str), queue])?;
        if changed == 0 {
            return Ok(false);
        }
        let status = match due {
            Some(due) => move_due(tx.connection, self.id, job.status, *due, tx.now)?,
            None => job.status,
        };
        tx.counts.left(&job.queue, job.status);
        tx.counts.entered(queue.as_deref().unwrap_or(&job.queue), status);
        tx.wake_for(job_type.as_deref(), queue.as_deref().unwrap_or(&job.queue));
        Ok(true)
    }
}

/// What an edit must know about its job.
struct Edited {
    status: Status,
    queue: String,
}

impl Edited {
    fn refusal(&self, id: JobId, edit: &JobEdit) -> Option<Refusal> {
        match self.status {
            Status::Pending | Status::Retrying | Status::Blocked => None,
            Status::DeadLetter => edit.due.map(|_| Refusal::TimeOfDeadLetter { id }),
            status @ (Status::Running | Status::Completed | Status::Cancelled) => {
                Some(Refusal::NotEditable { id, status })
            }
        }
    }
}

fn read(connection: &Connection, id: JobId) -> rusqlite::Result<Option<Edited>> {
    connection
        .prepare_cached(include_str!("../../sql/actions/select_job_for_action.sql"))?
        .query_row([id.0], |row| Ok(Edited { status: column::status(row, 0)?, queue: column::text(row, 1)? }))
        .optional()
}

/// Changes the time of a waiting job, and returns its new status.
fn move_due(connection: &Connection, id: JobId, status: Status, due: Due, now: Timestamp) -> rusqlite::Result<Status> {
    let later = later_than(now, due);
    let to = status_under(status, later);
    connection.prepare_cached(include_str!("../../sql/actions/move_due.sql"))?.execute(params![
        id.0,
        to.as_str(),
        later.map(Timestamp::as_ms),
        now.as_ms()
    ])?;
    Ok(to)
}
