use std::time::{Duration, Instant};

use longshore_core::{
    Advanced, DependencySettled, DependencyState, JobId, Status, StoreError, Timestamp, settle_dependency,
};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::database::readers::Readers;
use crate::jobs::actions::action::revive;
use crate::workflows::members::{count_member, judge};
use crate::workflows::settling::{Timeout, release_if_free, settle};
use crate::workflows::wait::{Target, Wait, job_status};
use crate::writing::session::WriteTx;
use crate::writing::work::{Passing, Work};
use crate::writing::writer::Writer;

/// How much one step of its own does.
pub(crate) const STEP_MAX: u32 = 500;
/// How much is done with the request that something follows from, so that what is small is done at once.
pub(crate) const INLINE_MAX: u32 = 64;
/// How long a call waits for what follows from it. What then is left is done by whoever looks next.
const FOLLOW_UP_MAX: Duration = Duration::from_secs(10);

/// A job ended, was retried or goes; notes that somebody must look at it. Call it whenever one changes between ended and not
/// ended, if the database has workflows.
pub(crate) fn note_job(tx: &mut WriteTx<'_, '_>, id: JobId) -> rusqlite::Result<()> {
    let noted = tx.connection.prepare_cached(include_str!("../sql/workflows/note_job.sql"))?.execute([id.0])?;
    tx.has_followups |= noted > 0;
    Ok(())
}

/// A job runs again. Its batch is open at once, so that no job which is retried with it finds the old end.
pub(crate) fn note_return(tx: &mut WriteTx<'_, '_>, id: JobId, status: Status) -> Result<(), Fault> {
    note_job(tx, id)?;
    count_member(tx, id, Some(status))?;
    Ok(())
}

/// A job was retried, and those that were given up because of it come back.
pub(crate) fn note_retried(tx: &mut WriteTx<'_, '_>, id: JobId) -> rusqlite::Result<()> {
    note_revival(tx, &Target::Job(id))
}

/// A job goes, and takes along what it waited for.
pub(crate) fn leave_workflow(tx: &mut WriteTx<'_, '_>, id: JobId) -> rusqlite::Result<()> {
    note_job(tx, id)?;
    tx.connection.prepare_cached(include_str!("../sql/workflows/delete_waits.sql"))?.execute([id.0])?;
    Ok(())
}

pub(super) fn note_revival(tx: &mut WriteTx<'_, '_>, target: &Target) -> rusqlite::Result<()> {
    let sql = include_str!("../sql/workflows/note_revival.sql");
    let noted = tx.connection.prepare_cached(sql)?.execute(params![target.kind(), target.id()])?;
    tx.has_followups |= noted > 0;
    Ok(())
}

pub(super) fn note_target(tx: &mut WriteTx<'_, '_>, target: &Target) -> rusqlite::Result<()> {
    note_target_on(tx.connection, target)?;
    tx.has_followups = true;
    Ok(())
}

pub(super) fn note_target_on(connection: &Connection, target: &Target) -> rusqlite::Result<()> {
    let sql = include_str!("../sql/workflows/note_target.sql");
    connection.prepare_cached(sql)?.execute(params![target.kind(), target.id(), target.signal()])?;
    Ok(())
}

/// Whether there is anything to do.
pub(crate) fn has_work(connection: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    let sql = include_str!("../sql/workflows/has_work.sql");
    connection.prepare_cached(sql)?.query_row([now.as_ms()], |row| row.get(0))
}

/// Takes a step if there is anything to do.
pub(crate) async fn advance(readers: &Readers, writer: &Writer) -> Result<Advanced, StoreError> {
    let look = readers.run("looking for workflows", |tx| Ok(has_work(tx.connection, tx.now)?));
    if !look.await? {
        return Ok(Advanced::default());
    }
    writer.run(Advance { limit: STEP_MAX }).await
}

/// Takes steps until nothing is left to do, for a limited time, after a call that may have left much and whose process may
/// end next. An error is nobody's: the call itself is committed, and whoever looks next goes on.
pub(crate) async fn advance_to_end(readers: &Readers, writer: &Writer) {
    let begun = Instant::now();
    while begun.elapsed() < FOLLOW_UP_MAX {
        match advance(readers, writer).await {
            Ok(Advanced { has_more: true, .. }) => {}
            Ok(_) => return,
            Err(error) => {
                crate::database::quiet::debug!(%error, "what follows from a change is left to the next look");
                return;
            }
        }
    }
}

/// Takes one step.
pub(crate) struct Advance {
    pub(crate) limit: u32,
}

impl Work for Advance {
    type Answer = Advanced;
    const DOING: &'static str = "moving workflows on";
    const PASSING: Passing = Passing::WhileDraining;

    fn rows(&self) -> usize {
        self.limit as usize
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Advanced, Fault> {
        let mut step = Step { left: self.limit, moved: 0 };
        step.pass_timeouts(tx)?;
        step.follow_up(tx)?;
        tx.has_followups = false;
        Ok(Advanced { moved: step.moved, has_more: has_work(tx.connection, tx.now)? })
    }
}

/// Does the first part of what follows from a request, in its transaction.
pub(crate) fn follow_up(tx: &mut WriteTx<'_, '_>) -> Result<(), Fault> {
    if std::mem::take(&mut tx.has_followups) {
        Step { left: INLINE_MAX, moved: 0 }.follow_up(tx)?;
        tx.has_followups = false;
    }
    Ok(())
}

struct Step {
    left: u32,
    moved: u64,
}

/// Something to look at, and how far somebody has come.
struct Followup {
    target: Target,
    revives: bool,
    after_job: i64,
}

impl Step {
    /// The signals that did not come in time, and the jobs that have waited long enough for a retry.
    fn pass_timeouts(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<(), Fault> {
        let sql = include_str!("../sql/workflows/select_due_waits.sql");
        let due: Vec<Wait> = tx
            .connection
            .prepare_cached(sql)?
            .query_map(params![tx.now.as_ms(), self.left], Wait::read)?
            .collect::<Result<_, _>>()?;
        for wait in due {
            let awaited = wait.target.awaited(tx.connection)?;
            self.moved += u64::from(settle(tx, &wait, awaited, Timeout::Passed)?);
            self.left = self.left.saturating_sub(1);
        }
        Ok(())
    }

    fn follow_up(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<(), Fault> {
        while self.left > 0 {
            let Some(followup) = take(tx.connection)? else { return Ok(()) };
            self.left -= 1;
            let next = if followup.revives { self.revive(tx, &followup)? } else { self.settle(tx, &followup)? };
            if let Some(after_job) = next {
                put_back(tx.connection, &followup, after_job)?;
            }
        }
        Ok(())
    }

    /// Settles what waits for the target; ends the patience of who waited for its retry. Returns after which job to go on.
    fn settle(&mut self, tx: &mut WriteTx<'_, '_>, followup: &Followup) -> Result<Option<i64>, Fault> {
        if let Target::Job(id) = followup.target
            && followup.after_job == 0
        {
            let status = job_status(tx.connection, id)?;
            self.moved += u64::from(count_member(tx, id, status)?);
            if status == Some(Status::Blocked) {
                self.settle_own(tx, id)?;
            }
        }
        if let Target::Batch(batch) = followup.target {
            self.moved += u64::from(judge(tx, batch)?);
        }
        let awaited = followup.target.awaited(tx.connection)?;
        let jobs = self.page(tx.connection, followup, include_str!("../sql/workflows/select_waiting_jobs.sql"))?;
        let next = self.next_of(&jobs);
        for id in jobs {
            for wait in Wait::on(tx.connection, id, &followup.target)? {
                self.moved += u64::from(settle(tx, &wait, awaited, Timeout::Open)?);
            }
            self.left = self.left.saturating_sub(1);
        }
        Ok(next)
    }

    /// What a new job, or one that another program has blocked, waits for may have happened before.
    fn settle_own(&mut self, tx: &mut WriteTx<'_, '_>, id: JobId) -> Result<(), Fault> {
        for wait in Wait::of_job(tx.connection, id)? {
            let awaited = wait.target.awaited(tx.connection)?;
            self.moved += u64::from(settle(tx, &wait, awaited, Timeout::Open)?);
        }
        release_if_free(tx, id)
    }

    /// Retries the jobs that were given up because of the target, as far as it may still bring what they need.
    fn revive(&mut self, tx: &mut WriteTx<'_, '_>, followup: &Followup) -> Result<Option<i64>, Fault> {
        let awaited = followup.target.awaited(tx.connection)?;
        let jobs = self.page(tx.connection, followup, include_str!("../sql/workflows/select_failed_jobs.sql"))?;
        let next = self.next_of(&jobs);
        for id in jobs {
            self.left = self.left.saturating_sub(1);
            let waits = Wait::on(tx.connection, id, &followup.target)?;
            let may_happen = |wait: &Wait| {
                wait.state == DependencyState::Failed
                    && !matches!(settle_dependency(wait.needs, wait.otherwise, awaited), DependencySettled::GivenUp(_))
            };
            if waits.iter().any(may_happen) && revive(tx, id)? {
                self.moved += 1;
            }
        }
        Ok(next)
    }

    fn page(&self, connection: &Connection, followup: &Followup, sql: &str) -> rusqlite::Result<Vec<JobId>> {
        let Followup { target, after_job, .. } = followup;
        // At least one, so that every look gets on.
        let values = params![target.kind(), target.id(), target.signal(), after_job, self.left.max(1)];
        connection.prepare_cached(sql)?.query_map(values, |row| column::id(row, 0))?.collect()
    }

    fn next_of(&self, jobs: &[JobId]) -> Option<i64> {
        jobs.last().filter(|_| jobs.len() >= self.left.max(1) as usize).map(|id| id.0)
    }
}

fn take(connection: &Connection) -> rusqlite::Result<Option<Followup>> {
    connection
        .prepare_cached(include_str!("../sql/workflows/take_followup.sql"))?
        .query_row([], |row| {
            let (kind, id, signal) = (column::text(row, 0)?, column::integer(row, 1)?, column::text(row, 2)?);
            Ok(Followup {
                target: Target::of(&kind, id, signal),
                revives: row.get(3)?,
                after_job: column::integer(row, 4)?,
            })
        })
        .optional()
}

fn put_back(connection: &Connection, followup: &Followup, after_job: i64) -> rusqlite::Result<()> {
    let Followup { target, revives, .. } = followup;
    let values = params![target.kind(), target.id(), target.signal(), revives, after_job];
    connection.prepare_cached(include_str!("../sql/workflows/put_back_followup.sql"))?.execute(values)?;
    Ok(())
}
