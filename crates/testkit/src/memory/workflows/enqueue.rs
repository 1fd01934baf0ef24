use std::collections::BTreeMap;

use longshore_core::{
    Awaited, BatchCounts, BatchId, BatchRole, DependencyState, EnqueuedWorkflow, IdRange, JobId, NewDependency, Status,
    StoreError, Timestamp, ValidWorkflowJob, WorkflowBatch,
};

use crate::memory::state::State;
use crate::memory::workflows::{Batch, Member, Target, Wait};

impl State {
    pub(super) fn enqueue_workflow(
        &mut self,
        batch: WorkflowBatch,
        jobs: Vec<Result<ValidWorkflowJob, StoreError>>,
        now: Timestamp,
    ) -> Result<EnqueuedWorkflow, StoreError> {
        let batch_id = self.begin_batch(batch, now)?;
        let mut enqueued = EnqueuedWorkflow { batch_id, ..EnqueuedWorkflow::default() };
        for job in jobs {
            self.enqueue_workflow_job(&job?, &mut enqueued, now)?;
        }
        Ok(enqueued)
    }

    fn begin_batch(&mut self, batch: WorkflowBatch, now: Timestamp) -> Result<Option<BatchId>, StoreError> {
        match batch {
            WorkflowBatch::None => Ok(None),
            WorkflowBatch::New { name, is_open } => {
                let before_first = IdRange::after(self.last_id).unwrap_or_default().before_first();
                let id = BatchId(self.flows.last_batch.max(before_first) + 1);
                let id = self.flows.next_batch.map_or(id, |given| id.max(given));
                self.flows.last_batch = id.0;
                let batch = Batch {
                    name,
                    created_at: now,
                    closed_at: (!is_open).then_some(now),
                    ended_at: None,
                    counts: BatchCounts::default(),
                    callbacks: 0,
                };
                self.flows.batches.insert(id, batch);
                Ok(Some(id))
            }
            WorkflowBatch::Existing { id, by } => {
                let batch = self.flows.batches.get(&id).ok_or(StoreError::UnknownBatch { batch: id })?;
                let is_running_member = by.is_some_and(|by| {
                    let member = self.flows.members.get(&by.id);
                    member.is_some_and(|member| member.batch == Some(id) && member.role == BatchRole::Member)
                        && self.rows.get(&by.id).is_some_and(|row| row.is_attempt(&by.worker_id, by.claim_number))
                });
                if batch.closed_at.is_some() && !is_running_member {
                    return Err(StoreError::BatchClosed { batch: id });
                }
                Ok(Some(id))
            }
        }
    }

    fn enqueue_workflow_job(
        &mut self,
        new: &ValidWorkflowJob,
        enqueued: &mut EnqueuedWorkflow,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let batch = enqueued.batch_id;
        let mut waits = Vec::new();
        for dependency in new.after() {
            waits.push(self.wait_of(dependency, batch, &enqueued.ids, now)?);
        }
        let made = self.enqueue_one(new.job().clone(), now)?;
        let id = made.id;
        if let Some(reference) = new.reference() {
            enqueued.ids.insert(reference.to_owned(), id);
        }
        if made.is_duplicate {
            return Ok(());
        }
        enqueued.inserted += 1;
        if batch.is_some() || new.reference().is_some() {
            self.join(id, batch, new.reference(), &waits);
        }
        if !waits.is_empty() {
            self.row(id).job.status = Status::Blocked;
            self.flows.waits.insert(id, waits);
        }
        Ok(())
    }

    fn join(&mut self, id: JobId, batch: Option<BatchId>, reference: Option<&str>, waits: &[Wait]) {
        let follows =
            |wait: &Wait| match &wait.target {
                Target::Batch(_) => true,
                Target::Job(job) => self.flows.members.get(job).is_some_and(|member| {
                    member.batch == batch && batch.is_some() && member.role == BatchRole::Callback
                }),
                Target::Signal(..) => false,
            };
        let role = if waits.iter().any(follows) { BatchRole::Callback } else { BatchRole::Member };
        if let Some(batch) = batch.and_then(|batch| self.flows.batches.get_mut(&batch)) {
            match role {
                BatchRole::Member => batch.counts.add_member(),
                BatchRole::Callback => batch.callbacks += 1,
            }
        }
        let member = Member { batch, role, reference: reference.map(str::to_owned), counted: None };
        self.flows.members.insert(id, member);
    }

    fn wait_of(
        &self,
        dependency: &NewDependency,
        batch: Option<BatchId>,
        ids: &BTreeMap<String, JobId>,
        now: Timestamp,
    ) -> Result<Wait, StoreError> {
        let NewDependency { awaited, needs, otherwise } = dependency;
        let own_batch = || batch.expect("the check refuses this without a batch");
        let (target, reference, timeout) = match awaited {
            Awaited::Job(job) if !self.rows.contains_key(job) => {
                return Err(StoreError::UnknownDependency { job: *job });
            }
            Awaited::Job(job) => (Target::Job(*job), None, None),
            Awaited::Reference(reference) => (Target::Job(ids[reference]), Some(reference.clone()), None),
            Awaited::Batch => (Target::Batch(own_batch()), None, None),
            Awaited::Signal { name, timeout } => (Target::Signal(own_batch(), name.clone()), None, *timeout),
        };
        Ok(Wait {
            reference,
            target,
            needs: *needs,
            otherwise: *otherwise,
            state: DependencyState::Waiting,
            timeout,
            timeout_at: timeout.map(|timeout| now.after(timeout)),
        })
    }
}
