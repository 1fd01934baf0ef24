use std::sync::Arc;

use longshore_core::{Actioned, Due, JobData, JobEdit, JobId, Refusal, Status, StoreError, Timestamp};
use postgres_types::Type;

use crate::instant::Instant;
use crate::jobs::state::place::{Place, Placed, put};
use crate::jobs::state::{Held, lock, remove};
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::Session;
use crate::store::Parts;
use crate::upkeep::counts::Counts;
use crate::upkeep::stats::now;

/// How often an edit is repeated that the server took back because of others.
const CONFLICTS_MAX: u32 = 5;

/// Changes one job that is not running.
pub(crate) async fn edit(parts: Arc<Parts>, id: JobId, edit: JobEdit) -> Result<Actioned, Fault> {
    edit.validate(&parts.options.limits).map_err(StoreError::InvalidJob)?;
    let mut conflicts = 0;
    let refusal = loop {
        match attempt(&parts, id, &edit).await {
            Err(fault) if fault.is_conflict() && conflicts < CONFLICTS_MAX => conflicts += 1,
            // A row from another program may break a constraint of its table, whatever is changed in it.
            Err(fault) if fault.is_refusal() => break Some(Refusal::Constraint { id }),
            done => break done?,
        }
    };
    Ok(Actioned { touched: u64::from(refusal.is_none()), refused: refusal.into_iter().collect() })
}

async fn attempt(parts: &Parts, id: JobId, edit: &JobEdit) -> Result<Option<Refusal>, Fault> {
    let transaction = parts.pool.begin().await?;
    let Some(job) = lock(&transaction, &[id]).await?.held.pop() else { return Ok(Some(Refusal::NotFound { id })) };
    if let Some(refusal) = refusal(&job, edit) {
        return Ok(Some(refusal));
    }
    let mut counts = Counts::default();
    change(&transaction, job, edit, &mut counts).await?;
    let news = std::mem::take(&mut counts.news);
    counts.flush(&transaction).await?;
    transaction.commit().await?;
    parts.claims.hints.give(news);
    Ok(None)
}

fn refusal(job: &Held, edit: &JobEdit) -> Option<Refusal> {
    let id = job.id;
    match job.status {
        Status::Pending | Status::Retrying | Status::Blocked => None,
        Status::DeadLetter => edit.due.map(|_| Refusal::TimeOfDeadLetter { id }),
        status @ (Status::Running | Status::Completed | Status::Cancelled) => Some(Refusal::NotEditable { id, status }),
    }
}

async fn change(session: &Session, mut job: Held, edit: &JobEdit, counts: &mut Counts) -> Result<(), Fault> {
    let JobEdit { job_type, job_data, queue, due } = edit;
    let now = now(session).await?;
    let due_at = due.and_then(|due| later_than(now, due));
    session
        .execute(
            sql!("actions/edit_job"),
            &[
                (&job.id.0, Type::INT8),
                (job_type, Type::TEXT),
                (&job_data.as_ref().map(JobData::as_str), Type::TEXT),
                (queue, Type::TEXT),
                (&due.is_some(), Type::BOOL),
                (&due_at.map(Instant), Type::TIMESTAMPTZ),
            ],
        )
        .await?;
    if job.status == Status::DeadLetter {
        return edit_dead_letter(session, &job, queue.as_deref(), counts).await;
    }
    remove(session, &[&job]).await?;
    let place = match due {
        Some(_) => moved(&job, due_at, now),
        None => job.place(now),
    };
    counts.left(&job.queue, job.status);
    job.job_type = job_type.clone().unwrap_or(job.job_type);
    job.queue = queue.clone().unwrap_or(job.queue);
    counts.entered(&job.queue, job.status);
    put(session, &[Placed { job: &job, place }], now, counts).await?;
    Ok(())
}

/// It stays where it is.
async fn edit_dead_letter(
    session: &Session,
    job: &Held,
    queue: Option<&str>,
    counts: &mut Counts,
) -> Result<(), Fault> {
    let Some(queue) = queue else { return Ok(()) };
    session.execute(sql!("actions/edit_dead_letter"), &[(&job.id.0, Type::INT8), (&queue, Type::TEXT)]).await?;
    counts.left(&job.queue, job.status);
    counts.entered(queue, job.status);
    Ok(())
}

/// Where a waiting job stands with a new time.
fn moved(job: &Held, due_at: Option<Timestamp>, now: Timestamp) -> Place {
    match (job.status, job.blocker()) {
        (Status::Blocked, Some(by)) => {
            Place::Blocked { by, due_at, ready_at: if due_at.is_none() { Some(now) } else { job.ready_at } }
        }
        (status, _) => match due_at {
            Some(due_at) => Place::Later { due_at, is_retry: status == Status::Retrying },
            None => Place::Ready(now),
        },
    }
}

/// The time that a job waits for; `None` if it has passed.
fn later_than(now: Timestamp, due: Due) -> Option<Timestamp> {
    let instant = match due {
        Due::Now => None,
        Due::After(delay) => Some(now.after(delay)),
        Due::At(instant) => Some(instant),
    };
    instant.filter(|instant| *instant > now)
}
