use longshore_core::{
    BatchId, BatchJob, BatchJobPage, BatchJobsRequest, BatchRecord, BatchesRequest, DependenciesRequest, Dependency,
    DependencyState, DependencyTarget, Dependent, Dependents, DependentsRequest, JobData, JobFacts, JobId, Otherwise,
    Status, WorkflowPlace,
};

use crate::memory::state::State;
use crate::memory::workflows::{Target, Wait};

impl State {
    pub(super) fn batch_record(&self, id: BatchId) -> Option<BatchRecord> {
        let batch = self.flows.batches.get(&id)?;
        Some(BatchRecord {
            id,
            name: batch.name.clone(),
            status: batch.status(),
            created_at: batch.created_at,
            closed_at: batch.closed_at,
            ended_at: batch.ended_at,
            counts: batch.counts,
            callbacks: batch.callbacks,
        })
    }

    pub(super) fn timed_jobs(&self) -> Vec<JobId> {
        let is_open =
            |wait: &&Wait| matches!(wait.target, Target::Signal(..)) && wait.state == DependencyState::Waiting;
        let passes = |wait: &Wait| wait.otherwise == Otherwise::Run && wait.timeout_at.is_some();
        let runs = |waits: &[Wait]| {
            let mut open = waits.iter().filter(is_open).peekable();
            open.peek().is_some() && open.all(passes)
        };
        self.flows.waits.iter().filter(|(_, waits)| runs(waits)).map(|(id, _)| *id).collect()
    }

    pub(super) fn batch_page(&self, request: &BatchesRequest) -> Vec<BatchRecord> {
        let ids = self.flows.batches.keys().rev().filter(|id| request.before.is_none_or(|before| **id < before));
        let records = ids.filter_map(|id| self.batch_record(*id));
        let is_meant =
            |record: &BatchRecord| request.statuses.as_ref().is_none_or(|statuses| statuses.contains(&record.status));
        records.filter(is_meant).take(request.limit as usize).collect()
    }

    pub(super) fn batch_jobs(&self, request: &BatchJobsRequest) -> BatchJobPage {
        let members =
            self.flows.members.iter().filter(|(id, member)| {
                member.batch == Some(request.id) && request.after.is_none_or(|after| **id > after)
            });
        let (mut last, mut looked) = (request.after, 0);
        let mut page = BatchJobPage::default();
        for (id, member) in members {
            let Some(job) = self.rows.get(id).map(|row| &row.job) else { continue };
            if page.jobs.len() == request.limit as usize || looked == BatchJobPage::LOOKED_MAX {
                page.next = last;
                break;
            }
            (last, looked) = (Some(*id), looked + 1);
            if request.statuses.as_ref().is_some_and(|statuses| !statuses.contains(&job.status)) {
                continue;
            }
            let mut dependencies = self.all_dependencies(*id);
            dependencies.truncate(BatchJob::DEPENDENCIES_MAX as usize);
            page.jobs.push(BatchJob {
                id: *id,
                reference: member.reference.clone(),
                role: member.role,
                job_type: job.job_type.clone(),
                status: job.status,
                dependencies,
            });
        }
        page
    }

    pub(super) fn dependencies(&self, request: &DependenciesRequest) -> Vec<Dependency> {
        let mut found = Vec::new();
        let mut left = request.result_bytes_max;
        for mut dependency in self.all_dependencies(request.id) {
            if request.name.as_ref().is_some_and(|name| !dependency.is_named(name)) {
                continue;
            }
            if request.result_bytes_max > 0 {
                left = dependency.give(self.result_of(request.id, &dependency.on), left);
            }
            found.push(dependency);
        }
        found
    }

    pub(super) fn dependents(&self, request: DependentsRequest) -> Vec<Dependent> {
        let behind = self.rows.iter().filter(|(id, _)| request.after.is_none_or(|after| **id > after));
        let dependents = behind.filter_map(|(id, row)| {
            let status = row.job.status;
            let is_child = row.job.parent_job_id == Some(request.id);
            let mut waits = self.flows.waits.get(id).into_iter().flatten();
            let is_waiting = |wait: &Wait| {
                wait.state == DependencyState::Waiting && matches!(wait.target, Target::Job(job) if job == request.id)
            };
            let is_meant = match request.which {
                Dependents::Waiting => status == Status::Blocked && (is_child || waits.any(is_waiting)),
                Dependents::Children => is_child,
            };
            is_meant.then(|| Dependent { id: *id, job_type: row.job.job_type.clone(), status, is_child })
        });
        dependents.take(request.limit as usize).collect()
    }

    /// Where a job is in its workflow.
    pub(in crate::memory) fn place_of(&self, id: JobId) -> WorkflowPlace {
        let Some(member) = self.flows.members.get(&id) else { return WorkflowPlace::default() };
        WorkflowPlace {
            batch_id: member.batch,
            batch_role: member.batch.map(|_| member.role),
            reference: member.reference.clone(),
        }
    }

    /// What a job waits or waited for, its parent included.
    pub(in crate::memory) fn all_dependencies(&self, id: JobId) -> Vec<Dependency> {
        let Some(row) = self.rows.get(&id) else { return Vec::new() };
        let status_of = |job: JobId| self.rows.get(&job).map(|row| row.job.status);
        let parent = row
            .job
            .parent_job_id
            .map(|parent| Dependency::of_parent(parent, status_of(parent), row.job.status == Status::Blocked));
        let waits = self.flows.waits.get(&id).into_iter().flatten();
        parent.into_iter().chain(waits.map(|wait| self.shown(wait))).collect()
    }

    /// What a job still waits for, if it waits for anything but its parent.
    pub(in crate::memory) fn unmet(&self, id: JobId) -> Option<Vec<Dependency>> {
        let waits = self.flows.waits.get(&id)?;
        let unmet = waits.iter().filter(|wait| !wait.state.is_over()).map(|wait| self.shown(wait));
        Some(unmet.take(JobFacts::UNMET_MAX as usize).collect())
    }

    fn shown(&self, wait: &Wait) -> Dependency {
        let on = match &wait.target {
            Target::Job(job) => {
                DependencyTarget::Job { job_id: *job, status: self.rows.get(job).map(|row| row.job.status) }
            }
            Target::Batch(batch) => DependencyTarget::Batch {
                batch_id: *batch,
                batch_status: self.flows.batches.get(batch).map(super::Batch::status),
            },
            Target::Signal(_, name) => DependencyTarget::Signal { signal: name.clone() },
        };
        Dependency {
            reference: wait.reference.clone(),
            on,
            needs: wait.needs,
            otherwise: wait.otherwise,
            state: wait.state,
            timeout_at: wait.timeout_at,
            result: None,
            is_result_left_out: false,
        }
    }

    fn result_of(&self, id: JobId, on: &DependencyTarget) -> Option<JobData> {
        match on {
            DependencyTarget::Job { job_id, .. } => self.rows.get(job_id)?.job.result.clone(),
            DependencyTarget::Batch { .. } => None,
            DependencyTarget::Signal { signal } => {
                let batch = self.flows.members.get(&id)?.batch?;
                self.flows.signals.get(&(batch, signal.clone()))?.clone()
            }
        }
    }
}
