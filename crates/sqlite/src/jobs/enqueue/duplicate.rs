use longshore_core::{Duplicate, Enqueued, JobData, NewJob, Status, TimeBounds, Timestamp};
use rusqlite::{Connection, params};

use crate::database::column;
use crate::jobs::claim::due::{later_than, status_under};
use crate::jobs::enqueue::made::{Change, Made};
use crate::jobs::outcomes::checkpoint::forget;
use crate::jobs::overdue::WaitingJob;
use crate::writing::session::is_of_a_row;

/// Applies the duplicate rule of the new job to the job that has the unique key.
pub(super) fn settle(
    connection: &Connection,
    job: &NewJob,
    holder: WaitingJob,
    now: Timestamp,
) -> rusqlite::Result<Made> {
    let duplicate = job.on_duplicate.meet(holder.status);
    let to = match duplicate {
        Duplicate::Kept => return Ok(kept(&holder)),
        Duplicate::Replaced => holder.status,
        Duplicate::PushedBack => status_under(holder.status, later_than(now, job.due)),
    };
    match replace(connection, job, &holder, duplicate, to, now) {
        // The content is another one, so nothing of the old one is done.
        Ok(1..) => forget(connection, holder.id)?,
        Ok(_) => return Ok(kept(&holder)),
        // Another program left a row that breaks a constraint of its table, whatever is changed in it.
        Err(error) if is_of_a_row(&error) => {
            crate::database::quiet::warning!(job_id = holder.id.0, %error, "a constraint prevented the change of a job");
            return Ok(kept(&holder));
        }
        Err(error) => return Err(error),
    }
    let change = Change::Moved { queue: holder.queue.into(), from: holder.status, to };
    Ok(Made { enqueued: Enqueued::met(holder.id, duplicate), change })
}

const fn kept(holder: &WaitingJob) -> Made {
    Made { enqueued: Enqueued::met(holder.id, Duplicate::Kept), change: Change::Nothing }
}

fn replace(
    connection: &Connection,
    job: &NewJob,
    holder: &WaitingJob,
    duplicate: Duplicate,
    to: Status,
    now: Timestamp,
) -> rusqlite::Result<usize> {
    // Every field is listed, so that a new field cannot be forgotten here or in the statement.
    let NewJob {
        job_type,
        job_data,
        queue: _,
        priority,
        due,
        max_retries,
        max_crashes,
        max_deferrals,
        timeout,
        expires_in,
        deadline_in,
        unique_key: _,
        on_duplicate: _,
        unique_while: _,
        limit_key,
        parent: _,
        metadata,
    } = job;
    let time = TimeBounds::from_now(now, *expires_in, *deadline_in);
    connection.prepare_cached(include_str!("../../sql/enqueue/replace_waiting_job.sql"))?.execute(params![
        holder.id.0,
        job_type,
        job_data.as_str(),
        priority.0,
        max_retries,
        timeout.map(column::seconds),
        max_crashes,
        max_deferrals,
        metadata.as_ref().map(JobData::as_str),
        duplicate == Duplicate::PushedBack,
        to.as_str(),
        later_than(now, *due).map(Timestamp::as_ms),
        now.as_ms(),
        time.expires_at.map(Timestamp::as_ms),
        time.deadline_at.map(Timestamp::as_ms),
        limit_key,
    ])
}
