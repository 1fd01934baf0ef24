use std::collections::HashSet;
use std::sync::Arc;

use longshore_core::{
    Action, Actioned, ClaimNumber, DeadLetterCode, DeadLetterReason, Filter, Filtered, JobId, Refusal, Selection,
    Status, StoreError, WorkerId,
};
use rusqlite::{OptionalExtension, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::database::readers::Readers;
use crate::jobs::actions::keepers::Keepers;
use crate::jobs::actions::selection::Conditions;
use crate::jobs::family::{Family, bury_children};
use crate::jobs::outcomes::checkpoint::forget;
use crate::jobs::unique_key;
use crate::upkeep::counts::Minute;
use crate::workflows::followups::{advance_to_end, leave_workflow, note_retried, note_return};
use crate::workflows::{is_held_back, wait_again};
use crate::writing::session::WriteTx;
use crate::writing::work::Work;
use crate::writing::writer::Writer;

/// How many jobs one transaction changes.
const STEP_ROWS: u32 = 1000;
/// How many refused jobs of a filter are reported one by one.
const REFUSED_MAX: usize = 100;

/// Changes the selected jobs, oldest first, in bounded transactions, then what follows from it in workflows. After an error
/// the earlier steps stay committed.
pub(crate) async fn act(
    readers: &Readers,
    writer: &Writer,
    selection: Selection,
    action: Action,
) -> Result<Actioned, StoreError> {
    let actioned = match selection {
        Selection::Jobs(ids) => act_on_named(writer, ids, action).await,
        Selection::Matching(filter) => act_on_matching(readers, writer, Arc::new(filter), action).await,
    };
    if !matches!(action, Action::Reprioritise(_)) {
        advance_to_end(readers, writer).await;
    }
    actioned
}

async fn act_on_named(writer: &Writer, mut ids: Vec<JobId>, action: Action) -> Result<Actioned, StoreError> {
    ids.sort_unstable();
    ids.dedup();
    let mut sum = Sum::default();
    for ids in ids.chunks(STEP_ROWS as usize) {
        // A child that an earlier step revived with its parent is already in the right state.
        let ids = ids.iter().copied().filter(|id| !sum.revived.contains(id)).collect();
        sum.add(writer.run(ActionStep { ids, filter: None, action }).await?);
    }
    Ok(sum.actioned)
}

async fn act_on_matching(
    readers: &Readers,
    writer: &Writer,
    filter: Arc<Filter>,
    action: Action,
) -> Result<Actioned, StoreError> {
    // Jobs that are enqueued from now on are not part of the selection.
    let last = readers.run("finding the selected jobs", |tx| Ok(last_id(tx.connection)?)).await?;
    let mut after = JobId(i64::MIN);
    let mut sum = Sum::default();
    loop {
        let conditions = Conditions::matching(&filter);
        let ids = readers
            .run("finding the selected jobs", move |tx| {
                Ok(conditions.ids_after(tx.connection, after, last, STEP_ROWS)?)
            })
            .await?;
        let Some(newest) = ids.last().copied() else { break };
        after = newest;
        let ids = ids.into_iter().filter(|id| !sum.revived.contains(id)).collect();
        sum.add(writer.run(ActionStep { ids, filter: Some(Arc::clone(&filter)), action }).await?);
        sum.actioned.refused.truncate(REFUSED_MAX);
    }
    Ok(sum.actioned)
}

/// The sum of the steps so far.
#[derive(Debug, Default)]
struct Sum {
    actioned: Actioned,
    /// Children that were revived with a retried parent.
    revived: HashSet<JobId>,
}

impl Sum {
    fn add(&mut self, step: Self) {
        self.actioned.touched += step.actioned.touched;
        self.actioned.refused.extend(step.actioned.refused);
        self.revived.extend(step.revived);
    }
}

fn last_id(connection: &rusqlite::Connection) -> rusqlite::Result<JobId> {
    let last = connection
        .prepare_cached(include_str!("../../sql/actions/select_last_id.sql"))?
        .query_row([], |row| column::optional_integer(row, 0))?;
    Ok(JobId(last.unwrap_or(0)))
}

/// One bounded step of an action.
struct ActionStep {
    ids: Vec<JobId>,
    /// Checked again, because a job may have changed since it was found. `None` if the jobs were listed by id.
    filter: Option<Arc<Filter>>,
    action: Action,
}

/// What an action must know about a job.
struct JobToMove {
    status: Status,
    queue: String,
    job_type: String,
    failure_type: Option<String>,
    unique_key: Option<String>,
    /// The status of its parent, if the parent exists.
    parent: Option<Status>,
    dead_letter_code: Option<DeadLetterCode>,
    /// Who runs it, and under which claim; none unless it runs.
    runner: Option<(WorkerId, ClaimNumber)>,
    /// Whether it waits or waited for more than its parent.
    has_waits: bool,
}

/// Data that the changes of one step look up once.
struct Around {
    family: Family,
    keepers: Keepers,
}

impl Work for ActionStep {
    type Answer = Sum;
    const DOING: &'static str = "changing jobs by hand";

    fn rows(&self) -> usize {
        self.ids.len()
    }

    /// Changes all of them together. Only if a row cannot be changed, each gets its own savepoint, so that only that
    /// row is refused.
    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Sum, Fault> {
        if matches!(self.action, Action::Delete | Action::Discard) {
            tx.connection.prepare_cached(include_str!("../../sql/actions/forget_replaced_jobs.sql"))?.execute([])?;
        }
        let around = Around { family: Family::read(tx.connection)?, keepers: self.keepers(tx)? };
        let together = tx.apart(|tx| {
            let mut sum = Sum::default();
            self.ids.iter().try_for_each(|id| self.visit(tx, &around, *id, &mut sum))?;
            Ok(sum)
        })?;
        if let Ok(sum) = together {
            return Ok(sum);
        }
        let mut sum = Sum::default();
        for id in &self.ids {
            if sum.revived.contains(id) {
                continue;
            }
            let visited = tx.apart(|tx| {
                let mut one = Sum::default();
                self.visit(tx, &around, *id, &mut one)?;
                Ok(one)
            })?;
            match visited {
                Ok(one) => sum.add(one),
                Err(error) => {
                    crate::database::quiet::warning!(job_id = id.0, %error, "a constraint prevented the change of a job");
                    sum.actioned.refused.push(Refusal::Constraint { id: *id });
                }
            }
        }
        Ok(sum)
    }
}

impl ActionStep {
    fn keepers(&self, tx: &WriteTx<'_, '_>) -> rusqlite::Result<Keepers> {
        match self.action {
            Action::Delete | Action::Discard => Keepers::read(tx.connection),
            _ => Ok(Keepers::default()),
        }
    }

    fn visit(&self, tx: &mut WriteTx<'_, '_>, around: &Around, id: JobId, sum: &mut Sum) -> Result<(), Fault> {
        if sum.revived.contains(&id) {
            return Ok(());
        }
        let Some(job) = read(tx, id)? else {
            // A job found by a filter may have been deleted since.
            if self.filter.is_none() {
                sum.actioned.refused.push(Refusal::NotFound { id });
            }
            return Ok(());
        };
        if self.filter.as_ref().is_some_and(|filter| !job.matches(filter)) {
            return Ok(());
        }
        if let Some(refusal) = make_move(tx, around, id, &job, self.action)? {
            sum.actioned.refused.push(refusal);
            return Ok(());
        }
        sum.actioned.touched += 1;
        if self.action.revives_children() {
            if around.family.has_workflows() {
                note_retried(tx, id)?;
            }
            if around.family.has_children() {
                revive_children(tx, id, self.action, sum)?;
            }
        }
        Ok(())
    }
}

fn read(tx: &WriteTx<'_, '_>, id: JobId) -> rusqlite::Result<Option<JobToMove>> {
    tx.connection
        .prepare_cached(include_str!("../../sql/actions/select_job_for_action.sql"))?
        .query_row([id.0], |row| {
            Ok(JobToMove {
                status: column::status(row, 0)?,
                queue: column::text(row, 1)?,
                job_type: column::text(row, 2)?,
                failure_type: column::optional_text(row, 3)?,
                unique_key: column::optional_text(row, 4)?.map(|stored| unique_key::given(stored, id)),
                parent: column::optional_status(row, 5)?,
                dead_letter_code: column::optional_text(row, 6)?.as_deref().and_then(DeadLetterCode::of_reason),
                runner: runner(row)?,
                has_waits: column::optional_integer(row, 9)?.is_some(),
            })
        })
        .optional()
}

/// Of a job that runs; another program may have left one without a worker.
fn runner(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<(WorkerId, ClaimNumber)>> {
    if column::status(row, 0)? != Status::Running {
        return Ok(None);
    }
    let claim_number = ClaimNumber(column::integer(row, 8)?);
    Ok(column::optional_text(row, 7)?.map(|id| (WorkerId::from_stored(&id), claim_number)))
}

impl JobToMove {
    fn matches(&self, filter: &Filter) -> bool {
        filter.matches(&Filtered {
            status: self.status,
            job_type: &self.job_type,
            queue: &self.queue,
            failure_type: self.failure_type.as_deref(),
            dead_letter_code: self.dead_letter_code,
        })
    }

    /// A child waits for a parent that exists and has not completed.
    fn after_retry(&self) -> Status {
        match self.parent {
            None | Some(Status::Completed) => Status::Pending,
            Some(_) => Status::Blocked,
        }
    }

    fn may(&self, action: Action) -> bool {
        match action {
            Action::Cancel | Action::Reprioritise(_) => !self.status.is_ended(),
            Action::Retry | Action::RetryAlone | Action::RetryFromStart | Action::RetryAloneFromStart => {
                self.status.is_retryable()
            }
            Action::Delete => self.status != Status::Running,
            Action::Discard => self.status == Status::DeadLetter,
        }
    }
}

fn make_move(
    tx: &mut WriteTx<'_, '_>,
    around: &Around,
    id: JobId,
    job: &JobToMove,
    action: Action,
) -> Result<Option<Refusal>, Fault> {
    let status = job.status;
    if !job.may(action) {
        return Ok(Some(Refusal::WrongStatus { id, status }));
    }
    tx.wake_watchers();
    match action {
        Action::Cancel => cancel(tx, around.family, id, job)?,
        Action::Retry | Action::RetryAlone | Action::RetryFromStart | Action::RetryAloneFromStart => {
            return retry(tx, id, job, action);
        }
        Action::Delete | Action::Discard => return delete(tx, around, id, job),
        Action::Reprioritise(priority) => {
            tx.connection
                .prepare_cached(include_str!("../../sql/actions/reprioritise_job.sql"))?
                .execute(params![id.0, priority.0])?;
        }
    }
    Ok(None)
}

/// Ends a job that waits, or asks it to stop if it runs; leaves one alone that has ended.
pub(crate) fn cancel_job(tx: &mut WriteTx<'_, '_>, id: JobId) -> Result<(), Fault> {
    let Some(job) = read(tx, id)?.filter(|job| job.may(Action::Cancel)) else { return Ok(()) };
    tx.wake_watchers();
    let family = Family::read(tx.connection)?;
    cancel(tx, family, id, &job)
}

fn cancel(tx: &mut WriteTx<'_, '_>, family: Family, id: JobId, job: &JobToMove) -> Result<(), Fault> {
    let now = tx.now;
    if job.status == Status::Running {
        tx.connection
            .prepare_cached(include_str!("../../sql/actions/ask_to_cancel_job.sql"))?
            .execute(params![id.0, now.as_ms()])?;
        if let Some((worker_id, claim_number)) = &job.runner {
            tx.wake_to_cancel(worker_id.clone(), id, *claim_number);
        }
        return Ok(());
    }
    tx.connection
        .prepare_cached(include_str!("../../sql/actions/cancel_waiting_job.sql"))?
        .execute(params![id.0, now.as_ms()])?;
    tx.counts.moved(&job.queue, job.status, Status::Cancelled);
    tx.counts.ended(&job.queue, now, Minute { cancelled: 1, ..Minute::default() });
    family.tell_children(tx, id, Status::Cancelled, now)
}

fn retry(tx: &mut WriteTx<'_, '_>, id: JobId, job: &JobToMove, action: Action) -> Result<Option<Refusal>, Fault> {
    if let Some(unique_key) = &job.unique_key
        && let Some(by) = unique_key::other_holder(tx.connection, unique_key, id)?
    {
        return Ok(Some(Refusal::UniqueKeyTaken { id, by }));
    }
    tx.connection.prepare_cached(include_str!("../../sql/actions/keep_completed_attempt.sql"))?.execute([id.0])?;
    if job.has_waits {
        wait_again(tx, id)?;
    }
    let is_held_back = job.has_waits && is_held_back(tx.connection, id)?;
    let to = if is_held_back { Status::Blocked } else { job.after_retry() };
    tx.connection.prepare_cached(include_str!("../../sql/actions/retry_job.sql"))?.execute(params![
        id.0,
        tx.now.as_ms(),
        to.as_str()
    ])?;
    if action.forgets_checkpoints() {
        forget(tx.connection, id)?;
    }
    note_return(tx, id, to)?;
    tx.counts.moved(&job.queue, job.status, to);
    tx.wake_for(Some(&job.job_type), &job.queue);
    Ok(None)
}

/// Changes these jobs as a person does, each once.
pub(crate) fn change_jobs(tx: &mut WriteTx<'_, '_>, ids: Vec<JobId>, action: Action) -> Result<Actioned, Fault> {
    Ok(ActionStep { ids, filter: None, action }.write(tx)?.actioned)
}

/// Retries a job that was given up because of something it waited for, with those that were given up because of it. Returns
/// whether it did.
pub(crate) fn revive(tx: &mut WriteTx<'_, '_>, id: JobId) -> Result<bool, Fault> {
    let Some(job) = read(tx, id)? else { return Ok(false) };
    let is_given_up = job.status.is_ended() && job.dead_letter_code == Some(DeadLetterCode::DependencyFailed);
    if !is_given_up || retry(tx, id, &job, Action::Retry)?.is_some() {
        return Ok(false);
    }
    note_retried(tx, id)?;
    if Family::read(tx.connection)?.has_children() {
        revive_children(tx, id, Action::Retry, &mut Sum::default())?;
    }
    Ok(true)
}

/// Revives the children that became dead letters because a job did not complete, and their children.
fn revive_children(tx: &mut WriteTx<'_, '_>, parent: JobId, action: Action, sum: &mut Sum) -> Result<(), Fault> {
    let mut parents = vec![parent];
    while let Some(parent) = parents.pop() {
        for child in given_up_with(tx, parent)? {
            let Some(job) = read(tx, child)? else { continue };
            if let Some(refusal) = retry(tx, child, &job, action)? {
                sum.actioned.refused.push(refusal);
                continue;
            }
            note_retried(tx, child)?;
            sum.actioned.touched += 1;
            sum.revived.insert(child);
            parents.push(child);
        }
    }
    Ok(())
}

fn given_up_with(tx: &WriteTx<'_, '_>, parent: JobId) -> rusqlite::Result<Vec<JobId>> {
    tx.connection
        .prepare_cached(include_str!("../../sql/actions/select_given_up_children.sql"))?
        .query_map([parent.0], |row| column::id(row, 0))?
        .collect()
}

fn delete(tx: &mut WriteTx<'_, '_>, around: &Around, id: JobId, job: &JobToMove) -> Result<Option<Refusal>, Fault> {
    if around.keepers.keep(tx.connection, id)? {
        return Ok(Some(Refusal::Constraint { id }));
    }
    // Before the job is deleted, because a blocked job must have a parent.
    bury_children(tx, id, DeadLetterReason::ParentDeleted { parent: id }, tx.now)?;
    if around.family.has_workflows() {
        leave_workflow(tx, id)?;
    }
    tx.connection.prepare_cached(include_str!("../../sql/actions/delete_job.sql"))?.execute([id.0])?;
    tx.counts.left(&job.queue, job.status);
    Ok(None)
}
