use longshore_core::{Action, Actioned, DeadLetterReason, FailureType, JobId, Refusal, Selection, Status, StoreError};
use rusqlite::{OptionalExtension, params};

use crate::column;
use crate::fault::Fault;
use crate::jobs::enqueue::find_holder;
use crate::jobs::family::{Family, bury_children};
use crate::jobs::selection::Conditions;
use crate::readers::Readers;
use crate::upkeep::counts::Minute;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;
use crate::writing::writer::Writer;

/// How many jobs one transaction moves.
const STEP_ROWS: u32 = 1000;
/// Of a filter's refusals, how many are told one by one.
const REFUSED_MAX: usize = 100;

/// Moves the selected jobs, oldest first, in bounded transactions. After an error the steps before it hold.
pub(crate) async fn act(
    readers: &Readers,
    writer: &Writer,
    selection: Selection,
    action: Action,
) -> Result<Actioned, StoreError> {
    let mut actioned = Actioned::default();
    if !selection.ids.is_empty() {
        let mut ids = selection.ids.clone();
        ids.sort_unstable();
        ids.dedup();
        for step in ids.chunks(STEP_ROWS as usize) {
            let step = Step { ids: step.to_vec(), selection: selection.clone(), action };
            add(&mut actioned, writer.run(step).await?);
        }
        return Ok(actioned);
    }
    // What is enqueued from now on is not meant.
    let last = readers.run("looking for the selected jobs", |tx| Ok(last_id(tx.connection)?)).await?;
    let mut after = JobId(i64::MIN);
    loop {
        let conditions = Conditions::of(&selection);
        let ids = readers
            .run("looking for the selected jobs", move |tx| {
                Ok(conditions.ids_after(tx.connection, after, last, STEP_ROWS)?)
            })
            .await?;
        let Some(newest) = ids.last().copied() else { break };
        after = newest;
        add(&mut actioned, writer.run(Step { ids, selection: selection.clone(), action }).await?);
        actioned.refused.truncate(REFUSED_MAX);
    }
    Ok(actioned)
}

fn add(sum: &mut Actioned, step: Actioned) {
    sum.touched += step.touched;
    sum.refused.extend(step.refused);
}

fn last_id(connection: &rusqlite::Connection) -> rusqlite::Result<JobId> {
    let last = connection
        .prepare_cached(include_str!("../sql/select_last_id.sql"))?
        .query_row([], |row| column::optional_integer(row, 0))?;
    Ok(JobId(last.unwrap_or(0)))
}

/// One bounded step of an action.
struct Step {
    ids: Vec<JobId>,
    selection: Selection,
    action: Action,
}

/// What an action must know of a job.
struct Standing {
    status: Status,
    queue: String,
    job_type: String,
    failure_type: Option<String>,
    unique_key: Option<String>,
}

impl Work for Step {
    type Answer = Actioned;
    const DOING: &'static str = "moving jobs by hand";

    fn rows(&self) -> usize {
        self.ids.len()
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Actioned, Fault> {
        let family = Family::look(tx.connection)?;
        let mut actioned = Actioned::default();
        for id in &self.ids {
            let Some(standing) = read(tx, *id)? else {
                // A filter's job may have been removed since it was found.
                if !self.selection.ids.is_empty() {
                    actioned.refused.push(Refusal::NotFound { id: *id });
                }
                continue;
            };
            if !standing.is_selected(&self.selection) {
                continue;
            }
            match make_move(tx, family, *id, &standing, self.action)? {
                None => actioned.touched += 1,
                Some(refusal) => actioned.refused.push(refusal),
            }
        }
        Ok(actioned)
    }
}

fn read(tx: &WriteTx<'_, '_>, id: JobId) -> rusqlite::Result<Option<Standing>> {
    tx.connection
        .prepare_cached(include_str!("../sql/select_job_for_action.sql"))?
        .query_row([id.0], |row| {
            Ok(Standing {
                status: column::status(row, 0)?,
                queue: column::text(row, 1)?,
                job_type: column::text(row, 2)?,
                failure_type: column::optional_text(row, 3)?,
                unique_key: column::optional_text(row, 4)?,
            })
        })
        .optional()
}

impl Standing {
    /// Whether the job is still what the selection means; its ids were looked at before.
    fn is_selected(&self, selection: &Selection) -> bool {
        let Selection { statuses, job_types, queues, failure_types, .. } = selection;
        let has_failure = |kind: &FailureType| self.failure_type.as_deref() == Some(kind.as_str());
        (statuses.is_empty() || statuses.contains(&self.status))
            && (job_types.is_empty() || job_types.contains(&self.job_type))
            && (queues.is_empty() || queues.contains(&self.queue))
            && (failure_types.is_empty() || failure_types.iter().any(has_failure))
    }

    fn may(&self, action: Action) -> bool {
        match action {
            Action::Cancel | Action::Reprioritise(_) => !self.status.is_ended(),
            Action::Retry => self.status.is_retryable(),
            Action::Delete => self.status != Status::Running,
            Action::Discard => self.status == Status::DeadLetter,
        }
    }
}

fn make_move(
    tx: &mut WriteTx<'_, '_>,
    family: Family,
    id: JobId,
    standing: &Standing,
    action: Action,
) -> Result<Option<Refusal>, Fault> {
    let status = standing.status;
    if !standing.may(action) {
        return Ok(Some(Refusal::WrongStatus { id, status }));
    }
    tx.wakes = true;
    match action {
        Action::Cancel => cancel(tx, family, id, standing)?,
        Action::Retry => return retry(tx, id, standing),
        Action::Delete | Action::Discard => delete(tx, id, standing)?,
        Action::Reprioritise(priority) => {
            tx.connection
                .prepare_cached(include_str!("../sql/reprioritise_job.sql"))?
                .execute(params![id.0, priority.0])?;
        }
    }
    Ok(None)
}

fn cancel(tx: &mut WriteTx<'_, '_>, family: Family, id: JobId, standing: &Standing) -> Result<(), Fault> {
    let now = tx.now;
    if standing.status == Status::Running {
        tx.connection
            .prepare_cached(include_str!("../sql/ask_to_cancel_job.sql"))?
            .execute(params![id.0, now.as_ms()])?;
        return Ok(());
    }
    tx.connection.prepare_cached(include_str!("../sql/cancel_waiting_job.sql"))?.execute(params![id.0, now.as_ms()])?;
    tx.counts.moved(&standing.queue, standing.status, Status::Cancelled);
    tx.counts.ended(&standing.queue, now, Minute { cancelled: 1, ..Minute::default() });
    family.tell_children(tx, id, Status::Cancelled, now)
}

fn retry(tx: &mut WriteTx<'_, '_>, id: JobId, standing: &Standing) -> Result<Option<Refusal>, Fault> {
    if let Some(unique_key) = &standing.unique_key
        && let Some(by) = find_holder(tx.connection, unique_key)?
        && by != id
    {
        return Ok(Some(Refusal::UniqueKeyTaken { id, by }));
    }
    tx.connection.prepare_cached(include_str!("../sql/keep_completed_attempt.sql"))?.execute([id.0])?;
    tx.connection.prepare_cached(include_str!("../sql/retry_job.sql"))?.execute(params![id.0, tx.now.as_ms()])?;
    tx.counts.moved(&standing.queue, standing.status, Status::Pending);
    Ok(None)
}

fn delete(tx: &mut WriteTx<'_, '_>, id: JobId, standing: &Standing) -> Result<(), Fault> {
    // Before the job goes, because a blocked job must have a parent.
    bury_children(tx, id, DeadLetterReason::ParentDeleted { parent: id }, tx.now)?;
    let deleted = tx.connection.prepare_cached(include_str!("../sql/delete_job.sql"))?.execute([id.0])?;
    debug_assert_eq!(deleted, 1, "the job was read in this transaction");
    tx.counts.left(&standing.queue, standing.status);
    Ok(())
}
