use longshore_core::{JobId, Status, Timestamp};
use postgres_types::Type;
use tokio_postgres::Error;

use super::Held;
use crate::instant::Instant;
use crate::jobs::reading::selected::statuses;
use crate::session::sql::sql;
use crate::session::statements::Session;
use crate::upkeep::counts::{Counts, Minute};

/// A state to put jobs into.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// May be claimed, since this instant.
    Ready(Timestamp),
    /// Becomes ready at this instant.
    Later { due_at: Timestamp, is_retry: bool },
    /// Waits for its parent or its dependencies, then for `due_at`.
    Blocked { by: Blocker, due_at: Option<Timestamp>, ready_at: Option<Timestamp> },
    /// Cancelled by hand.
    Cancelled { requested_at: Timestamp },
    /// Cancelled for this reason: no attempt may begin any more, or what it waited for can no longer happen.
    Withdrawn { reason: String },
    /// Given up with this reason.
    DeadLetter { reason: String },
}

/// What a blocked job waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocker {
    Parent(JobId),
    /// So many open dependencies.
    Dependencies(i32),
}

impl Blocker {
    const fn parent(self) -> Option<JobId> {
        match self {
            Self::Parent(parent) => Some(parent),
            Self::Dependencies(_) => None,
        }
    }

    const fn unmet(self) -> Option<i32> {
        match self {
            Self::Parent(_) => None,
            Self::Dependencies(unmet) => Some(unmet),
        }
    }
}

impl Place {
    pub(crate) const fn status(&self) -> Status {
        match self {
            Self::Ready(_) | Self::Later { is_retry: false, .. } => Status::Pending,
            Self::Later { is_retry: true, .. } => Status::Retrying,
            Self::Blocked { .. } => Status::Blocked,
            Self::Cancelled { .. } | Self::Withdrawn { .. } => Status::Cancelled,
            Self::DeadLetter { .. } => Status::DeadLetter,
        }
    }
}

/// A job that was taken out of its state, and the next one.
#[derive(Clone, Debug)]
pub(crate) struct Placed<'a> {
    pub(crate) job: &'a Held,
    pub(crate) place: Place,
}

/// Puts jobs that [`remove`](super::remove) has taken out into other states, and counts the moves. What has ended frees
/// its key and counts in the minute of `now`; its children are the caller's to look for.
pub(crate) async fn put(
    session: &Session,
    placed: &[Placed<'_>],
    now: Timestamp,
    counts: &mut Counts,
) -> Result<(), Error> {
    for Placed { job, place } in placed {
        counts.moved(&job.queue, job.status, place.status());
        match place {
            Place::Cancelled { .. } | Place::Withdrawn { .. } => {
                counts.ended(&job.queue, now, Minute { cancelled: 1, ..Minute::default() });
            }
            Place::DeadLetter { .. } => counts.ended(&job.queue, now, Minute { failed: 1, ..Minute::default() }),
            Place::Ready(_) | Place::Later { .. } => counts.news.add_job(Some(&job.job_type), &job.queue),
            Place::Blocked { .. } => {}
        }
    }
    put_ready(session, placed).await?;
    put_later(session, placed).await?;
    put_blocked(session, placed).await?;
    put_ended(session, placed, now).await?;
    super::free_keys(session, placed.iter().filter(|placed| placed.place.status().is_ended()).map(|placed| placed.job))
        .await
}

async fn put_ready(session: &Session, placed: &[Placed<'_>]) -> Result<(), Error> {
    let (mut ids, mut job_types, mut queues, mut priorities) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut since, mut have_stories) = (Vec::new(), Vec::new());
    for Placed { job, place } in placed {
        let Place::Ready(ready_at) = place else { continue };
        ids.push(job.id.0);
        job_types.push(job.job_type.as_str());
        queues.push(job.queue.as_str());
        priorities.push(job.priority);
        since.push(Instant(*ready_at));
        have_stories.push(job.has_story);
    }
    if ids.is_empty() {
        return Ok(());
    }
    session
        .execute(
            sql!("state/insert_ready"),
            &[
                (&ids, Type::INT8_ARRAY),
                (&job_types, Type::TEXT_ARRAY),
                (&queues, Type::TEXT_ARRAY),
                (&priorities, Type::INT4_ARRAY),
                (&since, Type::TIMESTAMPTZ_ARRAY),
                (&have_stories, Type::BOOL_ARRAY),
            ],
        )
        .await?;
    Ok(())
}

async fn put_later(session: &Session, placed: &[Placed<'_>]) -> Result<(), Error> {
    let (mut ids, mut job_types, mut queues) = (Vec::new(), Vec::new(), Vec::new());
    let (mut due, mut are_retries, mut have_stories) = (Vec::new(), Vec::new(), Vec::new());
    for Placed { job, place } in placed {
        let Place::Later { due_at, is_retry } = place else { continue };
        ids.push(job.id.0);
        job_types.push(job.job_type.as_str());
        queues.push(job.queue.as_str());
        due.push(Instant(*due_at));
        are_retries.push(*is_retry);
        have_stories.push(job.has_story);
    }
    if ids.is_empty() {
        return Ok(());
    }
    session
        .execute(
            sql!("state/insert_later"),
            &[
                (&ids, Type::INT8_ARRAY),
                (&job_types, Type::TEXT_ARRAY),
                (&queues, Type::TEXT_ARRAY),
                (&due, Type::TIMESTAMPTZ_ARRAY),
                (&are_retries, Type::BOOL_ARRAY),
                (&have_stories, Type::BOOL_ARRAY),
            ],
        )
        .await?;
    Ok(())
}

async fn put_blocked(session: &Session, placed: &[Placed<'_>]) -> Result<(), Error> {
    let (mut ids, mut parents, mut queues) = (Vec::new(), Vec::new(), Vec::new());
    let (mut due, mut since, mut have_stories, mut unmet) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for Placed { job, place } in placed {
        let Place::Blocked { by, due_at, ready_at } = place else { continue };
        ids.push(job.id.0);
        parents.push(by.parent().map(|parent| parent.0));
        unmet.push(by.unmet());
        queues.push(job.queue.as_str());
        due.push(due_at.map(Instant));
        since.push(ready_at.map(Instant));
        have_stories.push(job.has_story);
    }
    if ids.is_empty() {
        return Ok(());
    }
    session
        .execute(
            sql!("state/insert_blocked"),
            &[
                (&ids, Type::INT8_ARRAY),
                (&parents, Type::INT8_ARRAY),
                (&queues, Type::TEXT_ARRAY),
                (&due, Type::TIMESTAMPTZ_ARRAY),
                (&since, Type::TIMESTAMPTZ_ARRAY),
                (&have_stories, Type::BOOL_ARRAY),
                (&unmet, Type::INT4_ARRAY),
            ],
        )
        .await?;
    note_unchecked(session, placed).await
}

async fn put_ended(session: &Session, placed: &[Placed<'_>], now: Timestamp) -> Result<(), Error> {
    let (mut ids, mut statuses, mut queues, mut since) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut started, mut claim_numbers, mut workers) = (Vec::new(), Vec::new(), Vec::new());
    let (mut have_stories, mut requested, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for Placed { job, place } in placed {
        let (status, requested_at, reason) = match place {
            Place::Cancelled { requested_at } => (2_i16, job.cancel_requested_at.or(Some(*requested_at)), None),
            Place::Withdrawn { reason } => (2_i16, job.cancel_requested_at, Some(reason.as_str())),
            Place::DeadLetter { reason } => (3_i16, job.cancel_requested_at, Some(reason.as_str())),
            Place::Ready(_) | Place::Later { .. } | Place::Blocked { .. } => continue,
        };
        ids.push(job.id.0);
        statuses.push(status);
        queues.push(job.queue.as_str());
        since.push(job.waited_since().map(Instant));
        started.push(job.started_at.map(Instant));
        claim_numbers.push(job.claim_number.map(|number| number.0));
        workers.push(job.worker);
        have_stories.push(job.has_story);
        requested.push(requested_at.map(Instant));
        reasons.push(reason);
    }
    if ids.is_empty() {
        return Ok(());
    }
    session
        .execute(
            sql!("state/insert_ended"),
            &[
                (&ids, Type::INT8_ARRAY),
                (&statuses, Type::INT2_ARRAY),
                (&queues, Type::TEXT_ARRAY),
                (&Instant(now), Type::TIMESTAMPTZ),
                (&since, Type::TIMESTAMPTZ_ARRAY),
                (&started, Type::TIMESTAMPTZ_ARRAY),
                (&claim_numbers, Type::INT8_ARRAY),
                (&workers, Type::INT4_ARRAY),
                (&have_stories, Type::BOOL_ARRAY),
                (&requested, Type::TIMESTAMPTZ_ARRAY),
                (&reasons, Type::TEXT_ARRAY),
            ],
        )
        .await?;
    Ok(())
}

/// Children whose parents have not ended, but perhaps end before this transaction does, and would not find them.
async fn note_unchecked(session: &Session, placed: &[Placed<'_>]) -> Result<(), Error> {
    let blocked = || {
        placed.iter().filter_map(|Placed { job, place }| match place {
            Place::Blocked { by: Blocker::Parent(parent), .. } => Some((job.id, *parent)),
            _ => None,
        })
    };
    let parents = statuses(session, blocked().map(|(_, parent)| parent)).await?;
    let may_end = |parent: JobId| parents.get(&parent).is_some_and(|status| !status.is_ended());
    let ids: Vec<i64> = blocked().filter(|(_, parent)| may_end(*parent)).map(|(id, _)| id.0).collect();
    if !ids.is_empty() {
        session.execute(sql!("state/insert_unchecked"), &[(&ids, Type::INT8_ARRAY)]).await?;
    }
    Ok(())
}
