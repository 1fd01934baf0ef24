use longshore_core::{DeadLetterReason, JobId, Status, Timestamp};
use rusqlite::{Connection, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::jobs::stuck::unless_refused;
use crate::upkeep::counts::Minute;
use crate::workflows::followups::note_job;
use crate::writing::session::WriteTx;

/// Updates the jobs that wait for a job that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    /// Whether any job has a parent. If not, nobody needs to look for children.
    has_children: bool,
    /// Whether any job is in a workflow. If not, nobody needs to look what follows from an end.
    has_workflows: bool,
}

impl Family {
    pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        connection
            .prepare_cached(include_str!("../sql/jobs/has_children.sql"))?
            .query_row([], |row| Ok(Self { has_children: row.get(0)?, has_workflows: row.get(1)? }))
    }

    /// Whether any job has a parent.
    pub(crate) const fn has_children(self) -> bool {
        self.has_children
    }

    /// Whether any job is in a workflow.
    pub(crate) const fn has_workflows(self) -> bool {
        self.has_workflows
    }

    /// Updates the children of a job that has just ended: they become runnable, or they and their children become dead
    /// letters. Notes what follows in its workflow.
    pub(crate) fn tell_children(
        self,
        tx: &mut WriteTx<'_, '_>,
        parent: JobId,
        status: Status,
        at: Timestamp,
    ) -> Result<(), Fault> {
        if self.has_workflows {
            note_job(tx, parent)?;
        }
        if !self.has_children {
            return Ok(());
        }
        if status == Status::Completed {
            return unblock_children(tx, parent, at);
        }
        bury_children(tx, parent, DeadLetterReason::ParentEnded { parent, status }, at)
    }
}

fn unblock_children(tx: &mut WriteTx<'_, '_>, parent: JobId, at: Timestamp) -> Result<(), Fault> {
    for child in blocked_children(tx.connection, parent)? {
        unblock(tx, child.id, Some(&child.job_type), &child.queue, at)?;
    }
    Ok(())
}

/// Lets a blocked job run; its type is for the hint alone.
pub(crate) fn unblock(
    tx: &mut WriteTx<'_, '_>,
    id: JobId,
    job_type: Option<&str>,
    queue: &str,
    at: Timestamp,
) -> Result<(), Fault> {
    let sql = include_str!("../sql/jobs/unblock_job.sql");
    let done = tx.connection.prepare_cached(sql)?.execute(params![id.0, at.as_ms()]);
    if unless_refused(tx, id, done)? == Some(1) {
        tx.counts.moved(queue, Status::Blocked, Status::Pending);
        tx.wake_for(job_type, queue);
    }
    Ok(())
}

/// Makes all jobs that wait for a job, and all that wait for those, dead letters. Each job is unblocked before its own
/// children are read, so this ends even if another program created a cycle.
pub(crate) fn bury_children(
    tx: &mut WriteTx<'_, '_>,
    parent: JobId,
    reason: DeadLetterReason,
    at: Timestamp,
) -> Result<(), Fault> {
    let mut waiting = vec![(parent, reason)];
    while let Some((parent, reason)) = waiting.pop() {
        for child in blocked_children(tx.connection, parent)? {
            let sql = include_str!("../sql/jobs/bury_blocked_job.sql");
            let values = params![child.id.0, at.as_ms(), reason.to_string()];
            let done = tx.connection.prepare_cached(sql)?.execute(values);
            if unless_refused(tx, child.id, done)? != Some(1) {
                continue;
            }
            note_job(tx, child.id)?;
            tx.counts.moved(&child.queue, Status::Blocked, Status::DeadLetter);
            tx.counts.ended(&child.queue, at, Minute { failed: 1, ..Minute::default() });
            let reason = DeadLetterReason::ParentEnded { parent: child.id, status: Status::DeadLetter };
            waiting.push((child.id, reason));
        }
    }
    Ok(())
}

struct Child {
    id: JobId,
    queue: String,
    job_type: String,
}

fn blocked_children(connection: &Connection, parent: JobId) -> rusqlite::Result<Vec<Child>> {
    connection
        .prepare_cached(include_str!("../sql/jobs/select_blocked_children.sql"))?
        .query_map([parent.0], |row| {
            Ok(Child { id: column::id(row, 0)?, queue: column::text(row, 1)?, job_type: column::text(row, 2)? })
        })?
        .collect()
}
