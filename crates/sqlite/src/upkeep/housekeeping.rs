use std::sync::Arc;
use std::time::Duration;

use longshore_core::{DeadLetterReason, JobId, Maintained, Maintenance, Status, StoreError, Timestamp};
use rusqlite::params;

use crate::column;
use crate::fault::Fault;
use crate::jobs::family::{Family, bury_children};
use crate::jobs::keepers::Keepers;
use crate::jobs::stuck::{Settle, blocked_page, stuck_rows};
use crate::store::Parts;
use crate::upkeep::audit::Drift;
use crate::upkeep::counts::add_depth;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;

/// How long the minutes of the dashboard are kept.
const MINUTES_KEPT: i64 = 31 * 24 * 60;

/// One bounded step: removes what has been kept long enough, then compares some rows with the counts.
pub(crate) async fn maintain(parts: &Parts, maintenance: Maintenance) -> Result<Maintained, StoreError> {
    let rows_max = maintenance.rows_max.max(1);
    let mut maintained = Maintained::default();
    if let Some(retention) = maintenance.retention {
        let pruned = prune(parts, retention, rows_max).await?;
        maintained.pruned = pruned.removed;
        maintained.kept = pruned.kept;
        maintained.has_more = pruned.next.is_some();
    }
    let settled = settle(parts, rows_max).await?;
    maintained.settled = settled.jobs;
    maintained.has_more |= settled.has_more;
    let audit = Arc::clone(&parts.audit);
    let (options, place) = (parts.options.clone(), parts.place.clone());
    let step = parts
        .readers
        .run("comparing the counts with the jobs", move |_| {
            audit.step(&options, &place, rows_max).map_err(Fault::Answer)
        })
        .await?;
    maintained.has_more |= step.has_more;
    if let Some(drift) = step.drift {
        maintained.reconciled = parts.writer.run(Mend { drift }).await?;
    }
    Ok(maintained)
}

#[derive(Default)]
struct Settled {
    jobs: u64,
    has_more: bool,
}

/// Looks at some of the jobs that wait for another one, and moves those that cannot go on.
async fn settle(parts: &Parts, rows_max: u32) -> Result<Settled, StoreError> {
    let after = parts.audit.settled_up_to();
    let (page, mut ids) = parts
        .readers
        .run("looking for jobs that cannot go on", move |tx| {
            Ok((blocked_page(tx.connection, after, rows_max)?, stuck_rows(tx.connection, rows_max)?))
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

async fn prune(parts: &Parts, retention: Duration, rows_max: u32) -> Result<Pruned, StoreError> {
    let after = parts.audit.pruned_up_to();
    let pruned = parts.writer.run(Prune { retention, rows_max, after }).await?;
    parts.audit.set_pruned_up_to(pruned.next.unwrap_or(JobId(i64::MIN)));
    Ok(pruned)
}

/// Removes ended jobs of one stretch of ids.
struct Prune {
    retention: Duration,
    rows_max: u32,
    after: JobId,
}

#[derive(Clone, Copy)]
struct Pruned {
    removed: u64,
    /// What another table of the application refers to.
    kept: u64,
    /// Where the next step begins; none when the walk is at its end.
    next: Option<JobId>,
}

struct Candidate {
    id: JobId,
    queue: String,
    status: Status,
    completed_at: Option<Timestamp>,
}

impl Work for Prune {
    type Answer = Pruned;
    const DOING: &'static str = "removing old jobs";

    fn rows(&self) -> usize {
        self.rows_max as usize
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Pruned, Fault> {
        let cutoff = Timestamp::from_ms(tx.now.as_ms().saturating_sub(column::milliseconds(self.retention)));
        let family = Family::look(tx.connection)?;
        let candidates = self.candidates(tx)?;
        let is_full = candidates.len() == self.rows_max as usize;
        let next = candidates.last().map(|job| job.id).filter(|_| is_full);
        let keepers = Keepers::look(tx.connection)?;
        let mut old = Vec::new();
        let mut kept = 0;
        for job in candidates.into_iter().filter(|job| job.is_older_than(cutoff)) {
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
        // One of them cannot go: each in a savepoint of its own, so that it alone stays.
        let mut removed = 0;
        for job in &old {
            match tx.apart(|tx| remove(tx, family, job, cutoff))? {
                Ok(()) => removed += 1,
                Err(error) => {
                    tracing::warn!(job_id = job.id.0, %error, "a constraint keeps an old job");
                    kept += 1;
                }
            }
        }
        Ok(Pruned { removed, kept, next })
    }
}

impl Prune {
    fn candidates(&self, tx: &WriteTx<'_, '_>) -> rusqlite::Result<Vec<Candidate>> {
        tx.connection
            .prepare_cached(include_str!("../sql/select_ended_page.sql"))?
            .query_map(params![self.after.0, self.rows_max], |row| {
                Ok(Candidate {
                    id: column::id(row, 0)?,
                    queue: column::text(row, 1)?,
                    status: column::status(row, 2)?,
                    completed_at: column::optional_timestamp(row, 3)?,
                })
            })?
            .collect()
    }
}

impl Candidate {
    /// Dead letters wait for a person and are never removed by age.
    fn is_older_than(&self, cutoff: Timestamp) -> bool {
        matches!(self.status, Status::Completed | Status::Cancelled) && self.completed_at.is_some_and(|at| at < cutoff)
    }
}

fn remove(tx: &mut WriteTx<'_, '_>, family: Family, job: &Candidate, cutoff: Timestamp) -> Result<(), Fault> {
    if family.has_children() {
        bury_children(tx, job.id, DeadLetterReason::ParentDeleted { parent: job.id }, tx.now)?;
    }
    let sql = include_str!("../sql/delete_ended_job.sql");
    tx.connection.prepare_cached(sql)?.execute(params![job.id.0, cutoff.as_ms()])?;
    tx.counts.left(&job.queue, job.status);
    Ok(())
}

/// Adds to the counts what they were found to be wrong by. A difference is the same before and after any move
/// that is counted rightly, so it may be found in an older state of the database.
struct Mend {
    drift: Vec<Drift>,
}

impl Work for Mend {
    type Answer = u64;
    const DOING: &'static str = "mending the counts";

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<u64, Fault> {
        for drift in &self.drift {
            tracing::warn!(queue = drift.queue, status = %drift.status, by = drift.by, "a count was wrong");
            add_depth(tx.connection, &drift.queue, drift.status, drift.by)?;
        }
        tx.connection
            .prepare_cached(include_str!("../sql/delete_old_minutes.sql"))?
            .execute([tx.now.minute() - MINUTES_KEPT])?;
        Ok(self.drift.len() as u64)
    }
}
