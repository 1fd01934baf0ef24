use std::collections::BTreeMap;

use longshore_core::{DeadLetterReason, JobId, Maintenance, Status, StuckCause, StuckJob, Timestamp};
use postgres_types::Type;
use tokio_postgres::Error;

use crate::jobs::reading::selected::statuses;
use crate::jobs::state::children::{ParentEnd, tell_children, unblocked};
use crate::jobs::state::place::{Place, Placed, put};
use crate::jobs::state::{Held, lock, remove};
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;
use crate::upkeep::counts::Counts;
use crate::upkeep::stats::now;

/// A blocked job that cannot continue, or that could if it had been told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocked {
    pub(crate) id: JobId,
    parent: JobId,
    cause: BlockedCause,
    /// When a person retried it, if anybody did.
    ready_at: Option<Timestamp>,
}

/// Why a blocked job cannot continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockedCause {
    /// Its parent has completed, but the job was not unblocked.
    ParentCompleted,
    /// It will never run by itself.
    Hopeless(StuckCause),
}

impl Blocked {
    /// Whether it must be fixed now. A job that was retried without its parent gets time, because the parent may be
    /// retried next.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        !matches!(self.cause, BlockedCause::Hopeless(StuckCause::ParentEnded { .. }))
            || self.ready_at.is_none_or(|at| now.since(at) >= Maintenance::PATIENCE)
    }

    pub(crate) const fn told(&self) -> StuckJob {
        let cause = match self.cause {
            BlockedCause::Hopeless(cause) => cause,
            BlockedCause::ParentCompleted => StuckCause::ParentEnded { parent: self.parent, status: Status::Completed },
        };
        StuckJob { id: self.id, cause }
    }

    fn place(&self, job: &Held, now: Timestamp) -> Place {
        let parent = self.parent;
        let reason = match self.cause {
            BlockedCause::ParentCompleted => return unblocked(job, now),
            BlockedCause::Hopeless(StuckCause::ParentEnded { parent, status }) => {
                DeadLetterReason::ParentEnded { parent, status }
            }
            BlockedCause::Hopeless(StuckCause::WaitsForItself) => DeadLetterReason::WaitsForItself,
            BlockedCause::Hopeless(_) => DeadLetterReason::ParentDeleted { parent },
        };
        Place::DeadLetter { reason: reason.to_string() }
    }
}

/// A page of a walk over the blocked jobs.
#[derive(Debug)]
pub(crate) struct BlockedPage {
    /// Those that cannot continue.
    pub(crate) stuck: Vec<Blocked>,
    /// Where the walk goes on; none at its end.
    pub(crate) next: Option<(i64, i64)>,
}

/// Looks at some blocked jobs.
pub(crate) async fn blocked_page(session: &Session, after: (i64, i64), limit: u32) -> Result<BlockedPage, Error> {
    let parameters: [Parameter<'_>; 3] =
        [(&after.0, Type::INT8), (&after.1, Type::INT8), (&i64::from(limit), Type::INT8)];
    let rows = session.query(sql!("upkeep/select_blocked_page"), &parameters).await?;
    let mut page = Vec::new();
    for row in &rows {
        let columns = &mut Columns::of(row);
        page.push((columns.id()?, columns.id()?, columns.optional_instant()?));
    }
    let next = page.last().map(|(id, parent, _)| (parent.0, id.0)).filter(|_| page.len() == limit as usize);
    let mut parents: Vec<JobId> = page.iter().map(|(_, parent, _)| *parent).collect();
    parents.dedup();
    let parents = statuses(session, parents).await?;
    let mut stuck = Vec::new();
    for (id, parent, ready_at) in page {
        if let Some(cause) = cause_of(session, id, parent, parents.get(&parent).copied()).await? {
            stuck.push(Blocked { id, parent, cause, ready_at });
        }
    }
    Ok(BlockedPage { stuck, next })
}

async fn cause_of(
    session: &Session,
    id: JobId,
    parent: JobId,
    status: Option<Status>,
) -> Result<Option<BlockedCause>, Error> {
    Ok(match status {
        None => Some(BlockedCause::Hopeless(StuckCause::ParentMissing)),
        Some(Status::Completed) => Some(BlockedCause::ParentCompleted),
        Some(status) if status.is_ended() => Some(BlockedCause::Hopeless(StuckCause::ParentEnded { parent, status })),
        // In every cycle, at least one job waits for a job that is not older than itself.
        Some(Status::Blocked) if parent >= id && waits_for_itself(session, id, parent).await? => {
            Some(BlockedCause::Hopeless(StuckCause::WaitsForItself))
        }
        Some(_) => None,
    })
}

async fn waits_for_itself(session: &Session, id: JobId, parent: JobId) -> Result<bool, Error> {
    let parameters: [Parameter<'_>; 2] = [(&id.0, Type::INT8), (&parent.0, Type::INT8)];
    Ok(session.query_opt(sql!("upkeep/waits_for_itself"), &parameters).await?.is_some())
}

/// What became of a look at blocked jobs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settled {
    pub(crate) jobs: u64,
    pub(crate) has_more: bool,
}

/// Looks at some of the blocked jobs, and fixes those that cannot continue.
pub(crate) async fn settle(parts: &Parts, rows_max: u32) -> Result<Settled, Fault> {
    let reading = parts.pool.begin_reading().await?;
    let now = now(&reading).await?;
    let mut page = blocked_page(&reading, parts.upkeep.audit.settled_up_to(), rows_max).await?;
    reading.commit().await?;
    parts.upkeep.audit.set_settled_up_to(page.next);
    page.stuck.retain(|blocked| blocked.is_over(now));
    let mut settled = Settled { jobs: 0, has_more: page.next.is_some() };
    if page.stuck.is_empty() {
        return Ok(settled);
    }
    match fix(parts, &page.stuck).await {
        Err(fault) if fault.is_refusal() => {
            // One of them cannot be moved: each gets its own transaction, so that only that one stays.
            for blocked in &page.stuck {
                match fix(parts, std::slice::from_ref(blocked)).await {
                    Err(fault) if fault.is_refusal() => {
                        tracing::error!(job_id = blocked.id.0, reason = %fault.reason(), "a constraint keeps a job from being given up");
                    }
                    fixed => settled.jobs += fixed?,
                }
            }
        }
        fixed => settled.jobs = fixed?,
    }
    Ok(settled)
}

async fn fix(parts: &Parts, stuck: &[Blocked]) -> Result<u64, Fault> {
    let transaction = parts.pool.begin().await?;
    let ids: Vec<JobId> = stuck.iter().map(|blocked| blocked.id).collect();
    let held = lock(&transaction, &ids).await?.held;
    let now = now(&transaction).await?;
    // The parent may have been retried, or may have ended, since the look; then the next look decides.
    let parents = statuses(&transaction, stuck.iter().map(|blocked| blocked.parent)).await?;
    let mut of = BTreeMap::new();
    for blocked in stuck {
        let cause = cause_of(&transaction, blocked.id, blocked.parent, parents.get(&blocked.parent).copied()).await?;
        if cause == Some(blocked.cause) {
            of.insert(blocked.id, blocked);
        }
    }
    let waiting = held.iter().filter(|job| job.status == Status::Blocked);
    let mut counts = Counts::default();
    // One at a time, because giving one up may give up another one too.
    let mut jobs = 0;
    for job in waiting {
        let Some(blocked) = of.get(&job.id) else { continue };
        let Some(job) = lock(&transaction, &[job.id]).await?.held.pop().filter(|job| job.status == Status::Blocked)
        else {
            continue;
        };
        tracing::warn!(job_id = job.id.0, cause = ?blocked.cause, "a blocked job could not continue");
        remove(&transaction, &[&job]).await?;
        let place = blocked.place(&job, now);
        let status = place.status();
        put(&transaction, &[Placed { job: &job, place }], now, &mut counts).await?;
        if status.is_ended() {
            tell_children(&transaction, [(job.id, ParentEnd::Ended(status))], now, &mut counts).await?;
        }
        jobs += 1;
    }
    let news = std::mem::take(&mut counts.news);
    counts.flush(&transaction).await?;
    transaction.commit().await?;
    parts.claims.hints.give(news);
    Ok(jobs)
}
