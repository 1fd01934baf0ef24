use std::collections::{BTreeMap, HashSet};

use longshore_core::{
    Awaited, BatchId, BatchRole, Enqueued, EnqueuedWorkflow, IdRange, JobId, NewDependency, StoreError, Timestamp,
    ValidWorkflowJob, WorkflowBatch,
};
use rusqlite::{Connection, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::upkeep::id_range::id_range;
use crate::workflows::batches::batch;
use crate::workflows::followups::note_target_on;
use crate::workflows::wait::{Target, job_status};

/// The rows of a workflow that is being enqueued, beside its jobs. Works on any connection, whether its triggers are on or
/// not.
pub(crate) struct Placing<'c> {
    connection: &'c Connection,
    now: Timestamp,
    batch: Option<BatchId>,
    ids: BTreeMap<String, JobId>,
    inserted: u64,
    members: i64,
    callbacks: HashSet<JobId>,
    /// Jobs of this workflow that may have ended already: those that another enqueue made, or that had an ended parent.
    uncertain: HashSet<JobId>,
}

/// A dependency that was looked up.
struct Resolved<'d> {
    dependency: &'d NewDependency,
    target: Target,
}

impl<'c> Placing<'c> {
    /// Makes or finds the batch.
    pub(crate) fn begin(connection: &'c Connection, batch: &WorkflowBatch, now: Timestamp) -> Result<Self, Fault> {
        let batch = match batch {
            WorkflowBatch::None => None,
            WorkflowBatch::New { name, is_open } => Some(make_batch(connection, name, *is_open, now)?),
            WorkflowBatch::Existing { id, by } => {
                let found = self::batch(connection, *id)?.ok_or(StoreError::UnknownBatch { batch: *id })?;
                let mut may_add = found.closed_at.is_none();
                if let Some(by) = by.as_ref().filter(|_| !may_add) {
                    let sql = include_str!("../sql/workflows/is_running_member.sql");
                    let values = params![by.id.0, id.0, by.worker_id.as_str(), by.claim_number.0];
                    may_add = connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
                }
                if !may_add {
                    return Err(StoreError::BatchClosed { batch: *id }.into());
                }
                Some(*id)
            }
        };
        Ok(Self {
            connection,
            now,
            batch,
            ids: BTreeMap::new(),
            inserted: 0,
            members: 0,
            callbacks: HashSet::new(),
            uncertain: HashSet::new(),
        })
    }

    /// Before a job is made: says what it waits for that does not exist.
    pub(crate) fn check(&self, new: &ValidWorkflowJob) -> Result<(), Fault> {
        for dependency in new.after() {
            if let Awaited::Job(job) = dependency.awaited
                && job_status(self.connection, job)?.is_none()
            {
                return Err(StoreError::UnknownDependency { job }.into());
            }
        }
        Ok(())
    }

    /// After a job was made or met: writes its place and what it waits for. Returns whether it waits.
    pub(crate) fn place(&mut self, new: &ValidWorkflowJob, made: Enqueued) -> Result<bool, Fault> {
        if let Some(reference) = new.reference() {
            self.ids.insert(reference.to_owned(), made.id);
        }
        if made.is_duplicate {
            self.uncertain.insert(made.id);
            return Ok(false);
        }
        self.inserted += 1;
        let resolved: Vec<Resolved<'_>> = new.after().iter().map(|dependency| self.resolve(dependency)).collect();
        if self.batch.is_some() || new.reference().is_some() {
            self.join(made.id, new.reference(), &resolved)?;
        }
        let mut is_to_look_at = false;
        if new.job().parent.is_some()
            && job_status(self.connection, made.id)?.is_some_and(longshore_core::Status::is_ended)
        {
            self.uncertain.insert(made.id);
            is_to_look_at = true;
        }
        for (position, resolved) in resolved.iter().enumerate() {
            self.insert_wait(made.id, position, resolved)?;
            is_to_look_at |= self.may_have_happened(resolved);
        }
        if !resolved.is_empty() {
            let sql = include_str!("../sql/workflows/block_waiting_job.sql");
            self.connection.prepare_cached(sql)?.execute(params![made.id.0, resolved.len() as i64])?;
        }
        if is_to_look_at {
            note_target_on(self.connection, &Target::Job(made.id))?;
        }
        Ok(!resolved.is_empty())
    }

    /// Counts the jobs in their batch. Whoever calls then looks at the batch.
    pub(crate) fn end(self) -> Result<EnqueuedWorkflow, Fault> {
        if let Some(batch) = self.batch {
            let sql = include_str!("../sql/workflows/add_to_batch.sql");
            let values = params![batch.0, self.members, self.callbacks.len() as i64];
            self.connection.prepare_cached(sql)?.execute(values)?;
        }
        Ok(EnqueuedWorkflow { inserted: self.inserted, batch_id: self.batch, ids: self.ids })
    }

    fn resolve<'d>(&self, dependency: &'d NewDependency) -> Resolved<'d> {
        let own_batch = || self.batch.expect("the check of the workflow refuses this without a batch");
        let target = match &dependency.awaited {
            Awaited::Job(job) => Target::Job(*job),
            Awaited::Reference(reference) => Target::Job(self.ids[reference]),
            Awaited::Batch => Target::Batch(own_batch()),
            Awaited::Signal { name, .. } => Target::Signal(own_batch(), name.clone()),
        };
        Resolved { dependency, target }
    }

    fn join(&mut self, id: JobId, reference: Option<&str>, resolved: &[Resolved<'_>]) -> rusqlite::Result<()> {
        let mut role = BatchRole::Member;
        for Resolved { target, .. } in resolved {
            let follows = match target {
                Target::Batch(_) => true,
                Target::Signal(..) => false,
                Target::Job(job) => self.callbacks.contains(job) || self.is_older_callback(*job)?,
            };
            if follows {
                role = BatchRole::Callback;
                break;
            }
        }
        match role {
            BatchRole::Member => self.members += 1,
            BatchRole::Callback => drop(self.callbacks.insert(id)),
        }
        let batch = self.batch.map(|batch| batch.0);
        let sql = include_str!("../sql/workflows/insert_member.sql");
        self.connection.prepare_cached(sql)?.execute(params![id.0, batch, role.as_str(), reference])?;
        Ok(())
    }

    fn is_older_callback(&self, job: JobId) -> rusqlite::Result<bool> {
        let Some(batch) = self.batch else { return Ok(false) };
        let sql = include_str!("../sql/workflows/is_callback.sql");
        self.connection.prepare_cached(sql)?.query_row(params![job.0, batch.0], |row| row.get(0))
    }

    fn insert_wait(&self, id: JobId, position: usize, resolved: &Resolved<'_>) -> rusqlite::Result<()> {
        let Resolved { dependency, target } = resolved;
        let (reference, timeout) = match &dependency.awaited {
            Awaited::Reference(reference) => (Some(reference.as_str()), None),
            Awaited::Signal { timeout, .. } => (None, *timeout),
            Awaited::Job(_) | Awaited::Batch => (None, None),
        };
        let sql = include_str!("../sql/workflows/insert_wait.sql");
        self.connection.prepare_cached(sql)?.execute(params![
            id.0,
            position as i64,
            target.kind(),
            target.id(),
            target.signal(),
            reference,
            dependency.needs.as_str(),
            dependency.otherwise.as_str(),
            timeout.map(column::milliseconds),
            timeout.map(|timeout| self.now.after(timeout).as_ms()),
        ])?;
        Ok(())
    }

    /// A job of this very workflow has not ended, and nobody can have sent a signal to a new batch.
    fn may_have_happened(&self, resolved: &Resolved<'_>) -> bool {
        match (&resolved.dependency.awaited, &resolved.target) {
            (Awaited::Reference(_), Target::Job(job)) => self.uncertain.contains(job),
            _ => true,
        }
    }
}

fn make_batch(connection: &Connection, name: &str, is_open: bool, now: Timestamp) -> rusqlite::Result<BatchId> {
    let before_first = id_range(connection)?.unwrap_or(IdRange::ZERO).before_first();
    let closed_at = (!is_open).then(|| now.as_ms());
    let sql = include_str!("../sql/workflows/insert_batch.sql");
    connection.prepare_cached(sql)?.execute(params![before_first, name, now.as_ms(), closed_at])?;
    Ok(BatchId(connection.last_insert_rowid()))
}
