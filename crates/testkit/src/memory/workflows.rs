mod enqueue;
mod moving;
mod reading;
mod settling;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use longshore_core::{
    Action, Advanced, BatchChange, BatchCounts, BatchId, BatchJobPage, BatchJobsRequest, BatchRecord, BatchRole,
    BatchStatus, BatchesRequest, ChangeBatch, ChangedBatch, DependenciesRequest, Dependency, DependencyState,
    Dependent, DependentsRequest, EnqueuedWorkflow, JobData, JobId, Needs, NewSignal, Otherwise, Selection, Status,
    StoreError, StoreFuture, Timestamp, WorkflowBatch, WorkflowStream, Workflows, next_of,
};

use crate::memory::MemoryStore;
use crate::memory::moving::Passing;
use crate::memory::state::State;
pub(in crate::memory) use settling::Timeouts;

/// How many members one step of a change visits.
const STEP_MAX: usize = 500;

/// The batches, and what jobs wait for.
#[derive(Clone, Debug, Default)]
pub(super) struct Flows {
    pub(super) batches: BTreeMap<BatchId, Batch>,
    pub(super) members: BTreeMap<JobId, Member>,
    pub(super) waits: BTreeMap<JobId, Vec<Wait>>,
    pub(super) signals: BTreeMap<(BatchId, String), Option<JobData>>,
    last_batch: i64,
    /// The id of the next batch, if a store gave it.
    pub(super) next_batch: Option<BatchId>,
    /// What was retried or opened again, so that jobs that were given up because of it come back.
    reviving: BTreeSet<Target>,
}

#[derive(Clone, Debug)]
pub(super) struct Batch {
    name: String,
    created_at: Timestamp,
    closed_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    counts: BatchCounts,
    callbacks: u64,
}

impl Batch {
    const fn status(&self) -> BatchStatus {
        self.counts.status(self.closed_at.is_some())
    }
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    batch: Option<BatchId>,
    role: BatchRole,
    reference: Option<String>,
    /// The final status that the counts of the batch hold of it.
    counted: Option<Status>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Job(JobId),
    Batch(BatchId),
    Signal(BatchId, String),
}

#[derive(Clone, Debug)]
pub(super) struct Wait {
    reference: Option<String>,
    target: Target,
    needs: Needs,
    otherwise: Otherwise,
    state: DependencyState,
    /// How long a signal is waited for.
    timeout: Option<Duration>,
    timeout_at: Option<Timestamp>,
}

impl State {
    /// A job does not run before what it depends on.
    pub(super) fn is_held_back(&self, id: JobId) -> bool {
        self.flows.waits.get(&id).is_some_and(|waits| waits.iter().any(|wait| !wait.state.is_over()))
    }

    /// Jobs that were given up because of this one come back.
    pub(super) fn revive_dependents(&mut self, id: JobId) {
        self.flows.reviving.insert(Target::Job(id));
    }

    /// A member that is deleted counts as ended, and what waits for it hears of it.
    pub(super) fn forget_in_workflows(&mut self, id: JobId) {
        self.flows.waits.remove(&id);
        if let Some(member) = self.flows.members.remove(&id) {
            self.count_member(&member, None);
        }
    }

    /// Removes batches that ended long enough ago and of which no job is left, with their signals.
    pub(super) fn prune_batches(&mut self, retention: Duration, now: Timestamp) {
        let Flows { batches, members, waits, .. } = &self.flows;
        let is_of = |target: &Target, id: BatchId| match target {
            Target::Job(_) => false,
            Target::Batch(batch) | Target::Signal(batch, _) => *batch == id,
        };
        let is_awaited = |id: BatchId| {
            let mut waits = waits.values().flatten();
            waits.any(|wait| wait.state == DependencyState::Waiting && is_of(&wait.target, id))
        };
        let is_old = |batch: &Batch| batch.ended_at.is_some_and(|at| now.since(at) > retention);
        let has_jobs = |id: BatchId| members.values().any(|member| member.batch == Some(id));
        let old = batches.iter().filter(|(id, batch)| is_old(batch) && !has_jobs(**id) && !is_awaited(**id));
        let old: BTreeSet<BatchId> = old.map(|(id, _)| *id).collect();
        self.flows.batches.retain(|id, _| !old.contains(id));
        self.flows.signals.retain(|(id, _), _| !old.contains(id));
    }

    fn change_batch(&mut self, request: ChangeBatch, now: Timestamp) -> Option<ChangedBatch> {
        let ChangeBatch { id, change, after } = request;
        let batch = self.flows.batches.get_mut(&id)?;
        let is_meant = |status: Status| match change {
            BatchChange::Close => false,
            BatchChange::Cancel => !status.is_ended(),
            BatchChange::Retry => matches!(status, Status::DeadLetter | Status::Cancelled),
        };
        let action = match change {
            BatchChange::Close => {
                batch.closed_at = batch.closed_at.or(Some(now));
                return Some(ChangedBatch::default());
            }
            BatchChange::Cancel => Action::Cancel,
            BatchChange::Retry => Action::Retry,
        };
        let mut ids = self.members_of(id);
        if change == BatchChange::Cancel {
            ids.reverse();
            ids.retain(|member| after.is_none_or(|after| *member < after));
        } else {
            ids.retain(|member| after.is_none_or(|after| *member > after));
        }
        let next = (ids.len() > STEP_MAX).then(|| ids[STEP_MAX - 1]);
        ids.truncate(STEP_MAX);
        let mut changed = ChangedBatch { next, ..ChangedBatch::default() };
        for member in ids {
            if self.rows.get(&member).is_some_and(|row| is_meant(row.job.status)) {
                let one = self.act(&Selection::job(member), action, now);
                changed.actioned.touched += one.touched;
                changed.actioned.refused.extend(one.refused);
            }
        }
        Some(changed)
    }

    fn members_of(&self, batch: BatchId) -> Vec<JobId> {
        let members = self.flows.members.iter();
        let is_member = |member: &Member| member.batch == Some(batch) && member.role == BatchRole::Member;
        members.filter(|(_, member)| is_member(member)).map(|(id, _)| *id).collect()
    }

    fn send_signal(&mut self, signal: NewSignal) -> Option<bool> {
        let NewSignal { batch, name, data } = signal;
        self.flows.batches.get(&batch)?;
        let place = self.flows.signals.entry((batch, name));
        let is_first = matches!(place, std::collections::btree_map::Entry::Vacant(_));
        place.or_insert(data);
        Some(is_first)
    }
}

impl Workflows for MemoryStore {
    fn enqueue_workflow_stream(
        &self,
        batch: WorkflowBatch,
        mut jobs: WorkflowStream,
    ) -> StoreFuture<'_, EnqueuedWorkflow> {
        Box::pin(async move {
            let mut read = Vec::new();
            while let Some(job) = next_of(&mut jobs).await {
                let is_broken = job.is_err();
                read.push(job);
                if is_broken {
                    break;
                }
            }
            self.loudly(move |state, moment| {
                state.pass(Passing::Never)?;
                // All of it or nothing.
                let mut draft = state.clone();
                let enqueued = draft.enqueue_workflow(batch, read, moment.now)?;
                *state = draft;
                Ok(enqueued)
            })
            .await
        })
    }

    fn batch(&self, id: BatchId) -> StoreFuture<'_, Option<BatchRecord>> {
        self.quietly(move |state, _| Ok(state.batch_record(id)))
    }

    fn batches(&self, request: BatchesRequest) -> StoreFuture<'_, Vec<BatchRecord>> {
        self.quietly(move |state, _| Ok(state.batch_page(&request)))
    }

    fn batch_jobs(&self, request: BatchJobsRequest) -> StoreFuture<'_, BatchJobPage> {
        self.quietly(move |state, _| Ok(state.batch_jobs(&request)))
    }

    fn change_batch(&self, request: ChangeBatch) -> StoreFuture<'_, Option<ChangedBatch>> {
        self.loudly(move |state, moment| {
            state.pass(Passing::Never)?;
            Ok(state.change_batch(request, moment.now))
        })
    }

    fn signal(&self, signal: NewSignal) -> StoreFuture<'_, Option<bool>> {
        self.loudly(move |state, _| {
            signal.check(&state.limits)?;
            state.pass(Passing::Never)?;
            Ok(state.send_signal(signal))
        })
    }

    fn dependencies(&self, request: DependenciesRequest) -> StoreFuture<'_, Vec<Dependency>> {
        self.quietly(move |state, _| Ok(state.dependencies(&request)))
    }

    fn dependents(&self, request: DependentsRequest) -> StoreFuture<'_, Vec<Dependent>> {
        self.quietly(move |state, _| Ok(state.dependents(request)))
    }

    fn timed_jobs(&self) -> StoreFuture<'_, Vec<JobId>> {
        self.quietly(|state, _| Ok(state.timed_jobs()))
    }

    fn advance_workflows(&self) -> StoreFuture<'_, Advanced> {
        self.loudly(|state, moment| {
            state.pass(Passing::WhileDraining)?;
            Ok::<_, StoreError>(Advanced { moved: state.advance_workflows(moment.now), has_more: false })
        })
    }
}
