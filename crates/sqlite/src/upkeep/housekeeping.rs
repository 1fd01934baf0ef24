use std::time::{Duration, Instant};

use longshore_core::{DeadLetterReason, JobId, Maintained, Maintenance, Retention, Status, StoreError, Timestamp};
use rusqlite::params;

use crate::database::column;
use crate::database::fault::Fault;
use crate::jobs::actions::keepers::Keepers;
use crate::jobs::family::{Family, bury_children};
use crate::jobs::stuck::{Settle, blocked_page, stuck_rows, unplaced_rows};
use crate::limits;
use crate::store::Parts;
use crate::upkeep::audit::{Drift, find_drift};
use crate::upkeep::duties::Term;
use crate::upkeep::missing_lanes;
use crate::upkeep::pruning::Pruning;
use crate::workflows::followups::leave_workflow;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;

/// The duty of the store that compares the counts.
const COUNTS: &str = "counts";
/// How often house is kept.
const SWEEP: Duration = Duration::from_secs(60);
/// The pause between two steps, so that a long sweep leaves room for the jobs.
const PAUSE: Duration = Duration::from_millis(100);
/// How many counts one transaction corrects.
const MENDED_MAX: usize = 5000;

/// One bounded step: removes jobs whose retention is over, then compares the counts with the jobs.
pub(crate) async fn maintain(parts: &Parts, maintenance: Maintenance) -> Result<Maintained, StoreError> {
    let rows_max = maintenance.rows_max.max(1);
    let _turn = parts.duties.wait_for_turn().await;
    // Batches go by the retention of ended jobs, after all jobs.
    let retentions =
        [(Pruning::DeadLetters, maintenance.dead_letter_retention), (Pruning::Ended, maintenance.retention)];
    let pruning =
        || retentions.into_iter().filter_map(|(what, retention)| Some((what, retention, what.duty(retention)?)));
    let duties = pruning().map(|(_, _, duty)| duty).chain([COUNTS.to_owned()]).collect();
    let mut terms = parts.duties.take(duties, &parts.readers, &parts.writer).await?;
    let mut maintained = Maintained::default();
    let mut failed = None;
    for (what, retention, duty) in pruning() {
        let Some(term) = terms.remove(&duty) else { continue };
        let after = parts.audit.pruned_up_to(what);
        let pruned = match prune(parts, Prune { term: term.clone(), what, retention, rows_max, after }).await {
            Ok(pruned) => pruned,
            // A foreign key with which no job can be deleted must not stop the rest of the housekeeping.
            Err(error @ StoreError::Backend { .. }) => {
                failed = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        maintained.pruned += pruned.removed;
        maintained.kept += pruned.kept;
        maintained.has_more |= pruned.next.is_some();
        if what == Pruning::Ended {
            maintained.has_more |= parts.batch_pruning.step(parts, term, retention).await?;
        }
    }
    let settled = settle(parts, rows_max).await?;
    maintained.settled = settled.jobs;
    maintained.has_more |= settled.has_more;
    maintained.has_more |= parts.tick_pruning.step(parts, rows_max).await?;
    // Before the limits are kept, which sort the jobs that have left a lane.
    maintained.has_more |= missing_lanes::step(parts, rows_max).await?;
    maintained.has_more |= limits::upkeep::maintain(parts, rows_max).await?;
    if let Some(term) = terms.remove(COUNTS) {
        parts.workflow_sweep.step(parts).await?;
        maintained.reconciled = reconcile(parts, term).await?;
    }
    if let Some(error) = failed.filter(|_| !maintained.has_more) {
        return Err(error);
    }
    maintained.next = if maintained.has_more { PAUSE } else { SWEEP };
    Ok(maintained)
}

#[derive(Default)]
struct Settled {
    jobs: u64,
    has_more: bool,
}

/// Checks some of the blocked jobs, and fixes those that cannot continue.
async fn settle(parts: &Parts, rows_max: u32) -> Result<Settled, StoreError> {
    let after = parts.audit.settled_up_to();
    let (page, mut ids) = parts
        .readers
        .run("finding jobs that cannot continue", move |tx| {
            let mut ids = stuck_rows(tx.connection, rows_max)?;
            ids.extend(unplaced_rows(tx.connection, rows_max)?);
            Ok((blocked_page(tx.connection, after, rows_max)?, ids))
        })
        .await?;
    let is_full = page.len() == rows_max as usize;
    let next = page.last().map(|job| (job.parent.0, job.id.0)).filter(|_| is_full);
    parts.audit.set_settled_up_to(next);
    let now = parts.options.clock.now();
    ids.extend(page.iter().filter(|job| job.is_stuck(now)).map(|job| job.id));
    let jobs = if ids.is_empty() { 0 } else { parts.writer.run(Settle { ids }).await? };
    Ok(Settled { jobs, has_more: is_full })
}

async fn prune(parts: &Parts, step: Prune) -> Result<Pruned, StoreError> {
    let what = step.what;
    let pruned = parts.writer.run(step).await?;
    parts.audit.set_pruned_up_to(what, pruned.next.unwrap_or(JobId(i64::MIN)));
    Ok(pruned)
}

/// Compares the counts when it is time. Returns how many were wrong.
async fn reconcile(parts: &Parts, term: Term) -> Result<u64, StoreError> {
    let now = parts.options.clock.monotonic();
    if !parts.audit.is_due(now) {
        return Ok(0);
    }
    let (drift, took) = parts
        .readers
        .run("comparing the counts with the jobs", |tx| {
            let begun = Instant::now();
            Ok((find_drift(tx.connection)?, begun.elapsed()))
        })
        .await?;
    parts.audit.rest(now, took);
    mend(parts, term, drift).await
}

async fn mend(parts: &Parts, term: Term, mut drift: Vec<Drift>) -> Result<u64, StoreError> {
    let mut mended = 0;
    while !drift.is_empty() {
        let rest = drift.split_off(drift.len().min(MENDED_MAX));
        mended += parts.writer.run(Mend { term: term.clone(), drift }).await?;
        drift = rest;
    }
    Ok(mended)
}

/// Removes ended jobs in one range of ids.
struct Prune {
    term: Term,
    what: Pruning,
    retention: Retention,
    rows_max: u32,
    after: JobId,
}

#[derive(Clone, Copy)]
struct Pruned {
    removed: u64,
    /// Jobs that a table of the application refers to.
    kept: u64,
    /// Where the next step starts. `None` at the end of the walk.
    next: Option<JobId>,
}

struct Candidate {
    id: JobId,
    queue: String,
    status: Status,
    ended_at: Option<Timestamp>,
}

impl Work for Prune {
    type Answer = Pruned;
    const DOING: &'static str = "removing old jobs";

    fn rows(&self) -> usize {
        self.rows_max as usize
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Pruned, Fault> {
        if !self.term.is_current(tx.connection)? {
            return Ok(Pruned { removed: 0, kept: 0, next: None });
        }
        tx.connection.prepare_cached(include_str!("../sql/actions/forget_replaced_jobs.sql"))?.execute([])?;
        let Some(span) = self.retention.span() else { return Ok(Pruned { removed: 0, kept: 0, next: None }) };
        let cutoff = Timestamp::from_ms(tx.now.as_ms().saturating_sub(column::milliseconds(span)));
        let family = Family::read(tx.connection)?;
        let candidates = self.candidates(tx)?;
        let is_full = candidates.len() == self.rows_max as usize;
        let next = candidates.last().map(|job| job.id).filter(|_| is_full);
        let keepers = Keepers::read(tx.connection)?;
        let mut old = Vec::new();
        let mut kept = 0;
        for job in candidates.into_iter().filter(|job| self.what.covers(job.status) && job.is_older_than(cutoff)) {
            if keepers.keep(tx.connection, job.id)? {
                kept += 1;
            } else {
                old.push(job);
            }
        }
        let together = tx.apart(|tx| old.iter().try_for_each(|job| remove(tx, family, job, cutoff)))?;
        if together.is_ok() {
            return Ok(Pruned { removed: old.len() as u64, kept, next });
        }
        // One of them cannot be deleted: each gets its own savepoint, so that only that one stays.
        let mut removed = 0;
        for job in &old {
            match tx.apart(|tx| remove(tx, family, job, cutoff))? {
                Ok(()) => removed += 1,
                Err(error) => {
                    crate::database::quiet::warning!(job_id = job.id.0, %error, "a constraint prevented the removal of an old job");
                    kept += 1;
                }
            }
        }
        Ok(Pruned { removed, kept, next })
    }
}

impl Prune {
    /// A default leaves the jobs alone that were there before it.
    fn first_after(&self, tx: &WriteTx<'_, '_>) -> rusqlite::Result<JobId> {
        if !matches!(self.retention, Retention::Default(_)) {
            return Ok(self.after);
        }
        let history = tx
            .connection
            .prepare_cached(include_str!("../sql/upkeep/select_history.sql"))?
            .query_row([], |row| column::optional_integer(row, 0))?;
        Ok(JobId(history.unwrap_or(0)).max(self.after))
    }

    fn candidates(&self, tx: &WriteTx<'_, '_>) -> rusqlite::Result<Vec<Candidate>> {
        tx.connection
            .prepare_cached(self.what.page_sql())?
            .query_map(params![self.first_after(tx)?.0, self.rows_max], |row| {
                Ok(Candidate {
                    id: column::id(row, 0)?,
                    queue: column::text(row, 1)?,
                    status: column::status(row, 2)?,
                    ended_at: column::optional_timestamp(row, 3)?,
                })
            })?
            .collect()
    }
}

impl Candidate {
    fn is_older_than(&self, cutoff: Timestamp) -> bool {
        self.ended_at.is_some_and(|at| at < cutoff)
    }
}

fn remove(tx: &mut WriteTx<'_, '_>, family: Family, job: &Candidate, cutoff: Timestamp) -> Result<(), Fault> {
    if family.has_children() {
        bury_children(tx, job.id, DeadLetterReason::ParentDeleted { parent: job.id }, tx.now)?;
    }
    if family.has_workflows() {
        leave_workflow(tx, job.id)?;
    }
    if job.status == Status::DeadLetter {
        tx.connection.prepare_cached(include_str!("../sql/upkeep/delete_dead_letter.sql"))?.execute([job.id.0])?;
    } else {
        let sql = include_str!("../sql/upkeep/delete_ended_job.sql");
        tx.connection.prepare_cached(sql)?.execute(params![job.id.0, cutoff.as_ms()])?;
    }
    tx.counts.left(&job.queue, job.status);
    Ok(())
}

/// Corrects counts by the differences that were found. A counted change does not alter a difference, so it may come
/// from an older state of the database. A correction by another store does alter it, so the term must not have ended.
struct Mend {
    term: Term,
    drift: Vec<Drift>,
}

impl Work for Mend {
    type Answer = u64;
    const DOING: &'static str = "correcting the counts";

    fn rows(&self) -> usize {
        self.drift.len()
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<u64, Fault> {
        if !self.term.is_current(tx.connection)? {
            return Ok(0);
        }
        for Drift { queue, status, by } in &self.drift {
            crate::database::quiet::warning!(queue = queue.shown(), status = status.shown(), by, "a count was wrong");
            tx.connection
                .prepare_cached(include_str!("../sql/upkeep/add_depth.sql"))?
                .execute(params![queue, status, by])?;
        }
        Ok(self.drift.len() as u64)
    }
}

#[cfg(test)]
mod tests;
