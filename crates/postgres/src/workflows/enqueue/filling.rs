use std::collections::BTreeSet;

use longshore_core::{
    Awaited, BatchId, BatchRole, EnqueuedWorkflow, JobId, RunningMember, StoreError, ValidJob, ValidWorkflowJob,
    WorkflowBatch,
};
use postgres_types::Type;

use super::dependency_columns::DependencyColumns;
use super::executor::Executor;
use super::references::{Named, NamedKind, References};
use crate::jobs::claim::hints::Changes;
use crate::jobs::enqueue::columns::Columns;
use crate::jobs::enqueue::plain::is_plain;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::Parameter;
use crate::workflows::hint::{Hint, HintColumns};

/// How many jobs are created at a time.
pub(super) const PART_JOBS_MAX: usize = 1000;

/// Creates the jobs of a workflow, in their order.
pub(super) struct Filling<'e, 't> {
    executor: Executor<'e, 't>,
    batch: Option<i64>,
    /// Signals to a batch that existed before may have come.
    is_old_batch: bool,
    references: References,
    inserted: u64,
    members: i64,
    callbacks: i64,
    changes: Changes,
}

/// What became of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Made {
    id: JobId,
    /// Whether another job has its unique key, which has this id.
    is_duplicate: bool,
}

impl<'e, 't> Filling<'e, 't> {
    pub(super) async fn begin(executor: Executor<'e, 't>, batch: &WorkflowBatch) -> Result<Self, Fault> {
        let (batch, is_old_batch) = match batch {
            WorkflowBatch::None => (None, false),
            WorkflowBatch::New { name, is_open } => (Some(new_batch(&executor, name, *is_open).await?), false),
            WorkflowBatch::Existing { id, by } => {
                join(&executor, *id, by.as_ref()).await?;
                (Some(id.0), true)
            }
        };
        Ok(Self {
            executor,
            batch,
            is_old_batch,
            references: References::default(),
            inserted: 0,
            members: 0,
            callbacks: 0,
            changes: Changes::default(),
        })
    }

    pub(super) async fn insert(&mut self, part: &[ValidWorkflowJob]) -> Result<(), Fault> {
        for run in part.chunk_by(|one, next| is_plain(one.job()) == is_plain(next.job())) {
            for run in run.chunks(PART_JOBS_MAX) {
                self.insert_run(run).await?;
            }
        }
        Ok(())
    }

    /// The result, and whom to tell after the commit.
    pub(super) async fn end(self) -> Result<(EnqueuedWorkflow, Changes), Fault> {
        if let Some(batch) = self.batch {
            // One without members may end at once.
            self.put_hints(&[Hint::batch(batch)]).await?;
            let parameters: [Parameter<'_>; 3] =
                [(&batch, Type::INT8), (&self.members, Type::INT8), (&self.callbacks, Type::INT8)];
            self.executor.query(sql!("workflows/grow_batch"), &parameters).await?;
        }
        let enqueued = EnqueuedWorkflow {
            inserted: self.inserted,
            batch_id: self.batch.map(BatchId),
            ids: self.references.into_ids(),
        };
        Ok((enqueued, self.changes))
    }

    async fn insert_run(&mut self, run: &[ValidWorkflowJob]) -> Result<(), Fault> {
        let is_plain_run = is_plain(run[0].job());
        let made = if is_plain_run { self.insert_plain(run).await? } else { self.insert_keyed(run).await? };
        let older = self.watch_older(run, &made).await?;
        let callbacks = self.older_callbacks(&older).await?;
        let (mut ids, mut references, mut roles) = (Vec::new(), Vec::new(), Vec::new());
        let mut dependencies = DependencyColumns::default();
        let mut hints = Vec::new();
        for (line, made) in run.iter().zip(&made) {
            let role = self.role_of(line, &callbacks);
            if let Some(reference) = line.reference() {
                let kind = match (made.is_duplicate, role) {
                    (true, _) => NamedKind::Older,
                    (false, BatchRole::Member) => NamedKind::Member,
                    (false, BatchRole::Callback) => NamedKind::Callback,
                };
                self.references.insert(reference, Named { id: made.id, kind });
            }
            if made.is_duplicate {
                continue;
            }
            self.inserted += 1;
            if self.batch.is_some() || line.reference().is_some() {
                ids.push(made.id.0);
                references.push(line.reference());
                roles.push(role.as_str());
                self.members += i64::from(role == BatchRole::Member);
                self.callbacks += i64::from(role == BatchRole::Callback);
            }
            for (position, dependency) in line.after().iter().enumerate() {
                dependencies.push(made.id, position, dependency, self.batch, &self.references);
            }
            // What an older job or a signal has done may be over, and a child may have been given up at once.
            hints.extend(self.may_be_over(line).then(|| Hint::waits(made.id.0)));
            hints.extend((!is_plain_run).then(|| Hint::job(made.id.0)));
            if line.after().is_empty() {
                self.changes.add_job(Some(&line.job().job_type), &line.job().queue);
            }
        }
        if !ids.is_empty() {
            let parameters: [Parameter<'_>; 4] = [
                (&self.batch, Type::INT8),
                (&ids, Type::INT8_ARRAY),
                (&references, Type::TEXT_ARRAY),
                (&roles, Type::TEXT_ARRAY),
            ];
            self.executor.query(sql!("workflows/insert_members"), &parameters).await?;
        }
        if !dependencies.is_empty() {
            self.executor.query(sql!("workflows/insert_dependencies"), &dependencies.parameters()).await?;
        }
        self.put_hints(&hints).await
    }

    async fn insert_plain(&self, run: &[ValidWorkflowJob]) -> Result<Vec<Made>, Fault> {
        let columns = Columns::of(run.iter().map(ValidWorkflowJob::job));
        let unmet: Vec<Option<i32>> = run.iter().map(unmet_of).collect();
        let mut parameters = columns.plain();
        parameters.push((&unmet, Type::INT4_ARRAY));
        let rows = self.executor.query(sql!("workflows/insert_jobs"), &parameters).await?;
        Ok(rows
            .iter()
            .map(|row| Ok(Made { id: JobId(row.try_get(0)?), is_duplicate: false }))
            .collect::<Result<_, tokio_postgres::Error>>()?)
    }

    /// Jobs with unique keys or parents.
    async fn insert_keyed(&mut self, run: &[ValidWorkflowJob]) -> Result<Vec<Made>, Fault> {
        self.check_parents(run).await?;
        let columns = Columns::of(run.iter().map(ValidWorkflowJob::job));
        let rules = |rule: fn(&ValidJob) -> &'static str| run.iter().map(|line| rule(line.job())).collect::<Vec<_>>();
        let on_duplicate = rules(|job| job.on_duplicate.as_str());
        let unique_while = rules(|job| job.unique_while.as_str());
        let mut parameters = columns.all();
        parameters.push((&on_duplicate, Type::TEXT_ARRAY));
        parameters.push((&unique_while, Type::TEXT_ARRAY));
        let mut made = Vec::with_capacity(run.len());
        let rows = self.executor.query(sql!("workflows/enqueue_jobs"), &parameters).await?;
        for (line, row) in run.iter().zip(&rows) {
            let is_duplicate = row.try_get::<_, Option<&str>>(1)?.is_some();
            made.push(Made { id: JobId(row.try_get(0)?), is_duplicate });
            // The other job got the content of this one, perhaps another type.
            if let Some(queue) = row.try_get::<_, Option<&str>>(2)? {
                self.changes.add_job(Some(&line.job().job_type), queue);
            }
        }
        let new = || run.iter().zip(&made).filter(|(_, made)| !made.is_duplicate);
        let new_ids: Vec<i64> = new().map(|(_, made)| made.id.0).collect();
        self.executor.query(sql!("workflows/keep_own_settings"), &[(&new_ids, Type::INT8_ARRAY)]).await?;
        self.watch(new().map(|(_, made)| made.id)).await?;
        let (ids, unmet): (Vec<i64>, Vec<i32>) =
            new().filter_map(|(line, made)| Some((made.id.0, unmet_of(line)?))).unzip();
        if !ids.is_empty() {
            let parameters: [Parameter<'_>; 2] = [(&ids, Type::INT8_ARRAY), (&unmet, Type::INT4_ARRAY)];
            self.executor.query(sql!("workflows/block_jobs"), &parameters).await?;
        }
        Ok(made)
    }

    async fn check_parents(&self, run: &[ValidWorkflowJob]) -> Result<(), Fault> {
        let parents: Vec<i64> = run.iter().filter_map(|line| line.job().parent).map(|parent| parent.0).collect();
        if parents.is_empty() {
            return Ok(());
        }
        let rows = self.executor.query(sql!("workflows/select_missing"), &[(&parents, Type::INT8_ARRAY)]).await?;
        let missing: BTreeSet<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        match parents.into_iter().find(|parent| missing.contains(parent)) {
            Some(parent) => Err(StoreError::UnknownParent { parent: JobId(parent) }.into()),
            None => Ok(()),
        }
    }

    /// The jobs that others of the run wait for and that were there before; from now on their end is heard of.
    async fn watch_older(&self, run: &[ValidWorkflowJob], made: &[Made]) -> Result<BTreeSet<JobId>, Fault> {
        let of_run: BTreeSet<&str> = run.iter().filter_map(ValidWorkflowJob::reference).collect();
        let mut older: BTreeSet<JobId> = made.iter().filter(|made| made.is_duplicate).map(|made| made.id).collect();
        for awaited in run.iter().flat_map(ValidWorkflowJob::after).map(|dependency| &dependency.awaited) {
            match awaited {
                Awaited::Job(job) => drop(older.insert(*job)),
                Awaited::Reference(reference) if !of_run.contains(reference.as_str()) => {
                    let named = self.references.get(reference);
                    if named.kind == NamedKind::Older {
                        older.insert(named.id);
                    }
                }
                Awaited::Reference(_) | Awaited::Batch | Awaited::Signal { .. } => {}
            }
        }
        let missing = self.watch(older.iter().copied()).await?;
        let first = run.iter().flat_map(ValidWorkflowJob::after).find_map(|dependency| match dependency.awaited {
            Awaited::Job(job) => Some(job).filter(|job| missing.contains(job)),
            _ => None,
        });
        match first {
            Some(job) => Err(StoreError::UnknownDependency { job }.into()),
            None => Ok(older),
        }
    }

    async fn watch(&self, jobs: impl Iterator<Item = JobId>) -> Result<BTreeSet<JobId>, Fault> {
        let ids: Vec<i64> = jobs.map(|job| job.0).collect();
        if ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        let rows = self.executor.query(sql!("workflows/watch_jobs"), &[(&ids, Type::INT8_ARRAY)]).await?;
        Ok(rows.iter().map(|row| row.try_get(0).map(JobId)).collect::<Result<_, _>>()?)
    }

    /// Those of them that are callbacks of the batch: who waits for one is a callback, too.
    async fn older_callbacks(&self, older: &BTreeSet<JobId>) -> Result<BTreeSet<JobId>, Fault> {
        let Some(batch) = self.batch.filter(|_| self.is_old_batch && !older.is_empty()) else {
            return Ok(BTreeSet::new());
        };
        let ids: Vec<i64> = older.iter().map(|id| id.0).collect();
        let parameters: [Parameter<'_>; 2] = [(&ids, Type::INT8_ARRAY), (&batch, Type::INT8)];
        let rows = self.executor.query(sql!("workflows/select_callbacks"), &parameters).await?;
        Ok(rows.iter().map(|row| row.try_get(0).map(JobId)).collect::<Result<_, _>>()?)
    }

    fn role_of(&self, line: &ValidWorkflowJob, older_callbacks: &BTreeSet<JobId>) -> BatchRole {
        let follows = |awaited: &Awaited| match awaited {
            Awaited::Batch => true,
            Awaited::Job(job) => older_callbacks.contains(job),
            Awaited::Reference(reference) => {
                let named = self.references.get(reference);
                named.kind == NamedKind::Callback || older_callbacks.contains(&named.id)
            }
            Awaited::Signal { .. } => false,
        };
        match self.batch.is_some() && line.after().iter().any(|dependency| follows(&dependency.awaited)) {
            true => BatchRole::Callback,
            false => BatchRole::Member,
        }
    }

    fn may_be_over(&self, line: &ValidWorkflowJob) -> bool {
        line.after().iter().any(|dependency| match &dependency.awaited {
            Awaited::Job(_) => true,
            Awaited::Reference(reference) => self.references.get(reference).kind == NamedKind::Older,
            Awaited::Signal { .. } => self.is_old_batch,
            Awaited::Batch => false,
        })
    }

    async fn put_hints(&self, hints: &[Hint]) -> Result<(), Fault> {
        if !hints.is_empty() {
            self.executor.query(sql!("workflows/insert_unsettled"), &HintColumns::of(hints).parameters()).await?;
        }
        Ok(())
    }
}

fn unmet_of(line: &ValidWorkflowJob) -> Option<i32> {
    let unmet = i32::try_from(line.after().len()).unwrap_or(i32::MAX);
    (unmet > 0).then_some(unmet)
}

async fn new_batch(executor: &Executor<'_, '_>, name: &str, is_open: bool) -> Result<i64, Fault> {
    let parameters: [Parameter<'_>; 2] = [(&name, Type::TEXT), (&is_open, Type::BOOL)];
    let rows = executor.query(sql!("workflows/insert_batch"), &parameters).await?;
    Ok(rows.first().expect("a sequence is one row").try_get(0)?)
}

/// The batch can take jobs until the end of the transaction.
async fn join(executor: &Executor<'_, '_>, id: BatchId, by: Option<&RunningMember>) -> Result<(), Fault> {
    let rows = executor.query(sql!("workflows/select_batch_to_join"), &[(&id.0, Type::INT8)]).await?;
    let row = rows.first().ok_or(StoreError::UnknownBatch { batch: id })?;
    if row.try_get(0)? {
        return Ok(());
    }
    if let Some(RunningMember { worker_id, id: member, claim_number }) = by {
        let worker_id = worker_id.as_str();
        let parameters: [Parameter<'_>; 4] =
            [(&member.0, Type::INT8), (&id.0, Type::INT8), (&claim_number.0, Type::INT8), (&worker_id, Type::TEXT)];
        if !executor.query(sql!("workflows/select_running_member"), &parameters).await?.is_empty() {
            return Ok(());
        }
    }
    Err(StoreError::BatchClosed { batch: id }.into())
}
