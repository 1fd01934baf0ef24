use longshore_core::{
    DeadLetterReason, Duplicate, Enqueued, JobId, OnDuplicate, Overdue, Status, StoreError, ValidJob,
};
use postgres_types::Type;
use tokio_postgres::Row;

use super::columns::Columns;
use super::duplicate::replace;
use crate::jobs::claim::hints::Changes;
use crate::jobs::outcomes::ended_attempts::ended_code;
use crate::jobs::outcomes::family::{GivenUp, give_up_children};
use crate::jobs::unique_key::{Meeting, Met, holders, pass_on};
use crate::session::columns;
use crate::session::fault::{ErrorContext, Fault};
use crate::session::sql::sql;
use crate::session::statements::Session;

/// How often a job looks again because others moved the jobs that it met.
const LOOKS_MAX: u32 = 20;
/// How many jobs one statement creates.
const STATEMENT_JOBS_MAX: usize = 1000;

/// Creates jobs that depend on others by unique keys or parents, in the transaction of a session.
pub(super) struct Dependent<'s> {
    session: &'s Session,
    context: &'s ErrorContext,
    changes: Changes,
}

impl<'s> Dependent<'s> {
    pub(super) fn in_transaction(session: &'s Session, context: &'s ErrorContext) -> Self {
        Self { session, context, changes: Changes::default() }
    }

    /// Creates the jobs in their order, or applies the rules of their keys.
    pub(super) async fn insert(&mut self, jobs: &[ValidJob]) -> Result<Vec<Enqueued>, Fault> {
        let mut enqueued = Vec::with_capacity(jobs.len());
        // Whether a key is free behind a job that is given up at once is known only after that job.
        let is_one_by_one = jobs.len() > 1 && jobs.iter().any(|job| job.unique_key.is_some() && job.parent.is_some());
        for part in jobs.chunks(if is_one_by_one { 1 } else { STATEMENT_JOBS_MAX }) {
            let made = insert_possible(self.session, part, &vec![None; part.len()]).await?;
            enqueued.extend(self.settle_rest(part, made).await?);
        }
        Ok(enqueued)
    }

    /// Whom to tell after the commit.
    pub(super) fn changes(self) -> Changes {
        self.changes
    }

    /// Looks at what the jobs met that were not made at once, in their order.
    async fn settle_rest(&mut self, jobs: &[ValidJob], made: Vec<Made>) -> Result<Vec<Enqueued>, Fault> {
        let left = jobs.iter().zip(&made).filter(|(_, made)| matches!(made, Made::Nothing(_))).map(|(job, _)| job);
        let mut kept = kept_duplicates(self.session, left).await?;
        let mut enqueued = Vec::with_capacity(jobs.len());
        for (job, made) in jobs.iter().zip(made) {
            let one = match made {
                Made::Job(id) => {
                    self.changes.add_job(Some(&job.job_type), &job.queue);
                    Enqueued::made(id)
                }
                Made::Nothing(id) => match kept.next().flatten() {
                    Some(duplicate) => duplicate,
                    None => self.settle(job, id).await?,
                },
            };
            enqueued.push(one);
        }
        Ok(enqueued)
    }

    async fn settle(&mut self, job: &ValidJob, id: JobId) -> Result<Enqueued, Fault> {
        for _ in 0..LOOKS_MAX {
            if let Some(enqueued) = look(self.session, job, id, &mut self.changes).await? {
                return Ok(enqueued);
            }
        }
        Err(self.context.busy().into())
    }
}

/// What one statement made of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    Job(JobId),
    /// It must look at others first; then it gets this id.
    Nothing(JobId),
}

/// Creates those whose keys are free and whose parents have not ended otherwise than completed, with the given ids or new
/// ones.
async fn insert_possible<'j>(
    session: &Session,
    jobs: impl IntoIterator<Item = &'j ValidJob>,
    ids: &[Option<i64>],
) -> Result<Vec<Made>, Fault> {
    let columns = Columns::of(jobs);
    let mut parameters = columns.all();
    parameters.push((&ids, Type::INT8_ARRAY));
    read_made(&session.query(sql!("enqueue/insert_jobs"), &parameters).await?)
}

pub(super) fn read_made(rows: &[Row]) -> Result<Vec<Made>, Fault> {
    let made = rows.iter().map(|row| {
        let columns = &mut columns::Columns::of(row);
        let (id, is_made) = (columns.id()?, columns.read()?);
        Ok(if is_made { Made::Job(id) } else { Made::Nothing(id) })
    });
    made.collect()
}

/// Most duplicates change nothing: one look for all of them.
async fn kept_duplicates<'j>(
    session: &Session,
    jobs: impl Iterator<Item = &'j ValidJob>,
) -> Result<std::vec::IntoIter<Option<Enqueued>>, Fault> {
    let jobs: Vec<&ValidJob> = jobs.collect();
    let keys: Vec<&str> = jobs.iter().map(|job| job.unique_key.as_deref().unwrap_or_default()).collect();
    let found = if keys.len() > 1 { holders(session, &keys).await? } else { vec![Vec::new(); keys.len()] };
    let kept: Vec<_> = jobs
        .iter()
        .zip(&found)
        .map(|(job, holders)| match Met::of(holders, job.unique_while).meeting {
            Meeting::Duplicate(holder) if job.on_duplicate == OnDuplicate::Keep => {
                Some(Enqueued::met(holder.id, Duplicate::Kept))
            }
            _ => None,
        })
        .collect();
    Ok(kept.into_iter())
}

/// Creates a job, or applies the rule of its key. `None` if others changed meanwhile what it saw.
async fn look(session: &Session, job: &ValidJob, id: JobId, changes: &mut Changes) -> Result<Option<Enqueued>, Fault> {
    let met = match &job.unique_key {
        Some(key) => Met::of(&holders(session, &[key]).await?.concat(), job.unique_while),
        None => Met::NOBODY,
    };
    if let Meeting::Duplicate(holder) = met.meeting {
        let duplicate = job.on_duplicate.meet(holder.status);
        if duplicate != Duplicate::Kept {
            let Some(queue) = replace(session, job, holder.id, duplicate).await? else { return Ok(None) };
            changes.add_job(Some(&job.job_type), &queue);
        }
        return Ok(Some(Enqueued::met(holder.id, duplicate)));
    }
    let orphaned = orphaned(session, job).await?;
    for (holder, overdue) in met.overdue {
        // It will never run, so it must not prevent a new job.
        if !end_overdue(session, holder, overdue).await? {
            return Ok(None);
        }
    }
    if let (Meeting::Behind(running), Some(key)) = (met.meeting, &job.unique_key)
        && !pass_on(session, running, key).await?
    {
        return Ok(None);
    }
    changes.add_job(Some(&job.job_type), &job.queue);
    if let Some(reason) = orphaned {
        insert_orphan(session, job, id, reason).await?;
        return Ok(Some(Enqueued::made(id)));
    }
    let made = insert_possible(session, [job], &[Some(id.0)]).await?;
    Ok((made == [Made::Job(id)]).then(|| Enqueued::made(id)))
}

/// Why its parent lets it never run, if so.
async fn orphaned(session: &Session, job: &ValidJob) -> Result<Option<DeadLetterReason>, Fault> {
    let Some(parent) = job.parent else { return Ok(None) };
    let row = session.query_opt(sql!("enqueue/select_parent"), &[(&parent.0, Type::INT8)]).await?;
    let row = row.ok_or(StoreError::UnknownParent { parent })?;
    let status = match row.try_get::<_, Option<i16>>(0)? {
        Some(2) => Status::Cancelled,
        Some(3) => Status::DeadLetter,
        _ => return Ok(None),
    };
    Ok(Some(DeadLetterReason::ParentEnded { parent, status }))
}

async fn insert_orphan(session: &Session, job: &ValidJob, id: JobId, reason: DeadLetterReason) -> Result<(), Fault> {
    let (columns, ids, reason) = (Columns::of([job]), [id.0], reason.to_string());
    let mut parameters = columns.all();
    let ids = &ids[..];
    parameters.push((&ids, Type::INT8_ARRAY));
    parameters.push((&reason, Type::TEXT));
    session.execute(sql!("enqueue/insert_orphan"), &parameters).await?;
    Ok(())
}

/// Ends a waiting job. Returns whether it still waited.
async fn end_overdue(session: &Session, id: JobId, overdue: Overdue) -> Result<bool, Fault> {
    let (status, reason) = (overdue.status(), overdue.reason().to_string());
    let values = [(&id.0 as _, Type::INT8), (&ended_code(status) as _, Type::INT2), (&reason as _, Type::TEXT)];
    let Some(row) = session.query_opt(sql!("enqueue/end_overdue_holder"), &values).await? else { return Ok(false) };
    let at = columns::Columns::of(&row).instant()?;
    give_up_children(session, vec![GivenUp { id, status, at }]).await?;
    Ok(true)
}
