pub(crate) mod batch;
pub(crate) mod dependency;
pub(crate) mod line;
pub(crate) mod new_workflow;
pub(crate) mod settle;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::{
    Actioned, BatchId, BatchJob, BatchRecord, BatchStatus, Dependency, InvalidJob, JobData, JobId, Status, StoreFuture,
    ValidWorkflow, WorkflowBatch, WorkflowStream, stream_of,
};

/// Batches of jobs, and jobs that wait for others, for a batch or for a signal.
///
/// A trait of its own, because most programs use none of it. A waiting job is `blocked` from the start, so nothing can be
/// lost between the end of one job and the beginning of the next. The end of a job costs the same however many others wait
/// for it and whatever the size of its batch: what follows from it is done in bounded steps, a part of it with the end
/// itself, the rest by [`Workflows::advance_workflows`]. [`Store::reclaim`](crate::Store::reclaim) takes such a step too, so
/// every process with a worker does. Steps look at what is, not at what happened, so none is taken twice or skipped.
///
/// [`Console::act`](crate::Console::act), [`Workflows::change_batch`] and [`Workflows::signal`] take these steps after their
/// commit and before they answer, until nothing is left, because no worker may be there. If such a step fails, they answer
/// all the same, and whoever looks next goes on.
pub trait Workflows: Send + Sync + fmt::Debug + 'static {
    /// Enqueues all of the jobs or none, with their batch, in one transaction and bounded memory. The stream is polled as
    /// that of [`Store::enqueue_valid_stream`](crate::Store::enqueue_valid_stream).
    ///
    /// A job that waits for something that has already happened does not wait for it; one that waits for something that
    /// can no longer happen ends at once as it says. Whoever waits for the batch, or for a job that does, is a callback:
    /// the batch does not wait for it. A job whose unique key another job has is not made: its reference means the
    /// other job, which belongs to no batch by that.
    ///
    /// Returns [`StoreError::UnknownDependency`](crate::StoreError::UnknownDependency) for a job that does not exist,
    /// [`StoreError::UnknownBatch`](crate::StoreError::UnknownBatch) and
    /// [`StoreError::BatchClosed`](crate::StoreError::BatchClosed).
    fn enqueue_workflow_stream(&self, batch: WorkflowBatch, jobs: WorkflowStream) -> StoreFuture<'_, EnqueuedWorkflow>;

    /// The same with a workflow in memory.
    fn enqueue_workflow(&self, workflow: ValidWorkflow) -> StoreFuture<'_, EnqueuedWorkflow> {
        let (batch, jobs) = workflow.into_parts();
        self.enqueue_workflow_stream(batch, stream_of(jobs.into_iter().map(Ok)))
    }

    /// One batch. Only reads.
    fn batch(&self, id: BatchId) -> StoreFuture<'_, Option<BatchRecord>>;

    /// A page of batches, newest first. Only reads.
    fn batches(&self, request: BatchesRequest) -> StoreFuture<'_, Vec<BatchRecord>>;

    /// A page of the jobs of a batch, callbacks included, by id. Only reads. Jobs that were deleted are left out.
    fn batch_jobs(&self, request: BatchJobsRequest) -> StoreFuture<'_, BatchJobPage>;

    /// Changes a batch, or a bounded number of its members. None if there is no such batch. Call it again with what the
    /// answer says until it says that nothing is left: members that others add meanwhile may be passed over.
    ///
    /// [`BatchChange::Cancel`] ends the members that wait and asks the running ones to stop, by id, as
    /// [`Action::Cancel`](crate::Action::Cancel) does; callbacks follow from what becomes of the batch.
    /// [`BatchChange::Retry`] retries the members that are dead letters or were cancelled, as
    /// [`Action::Retry`](crate::Action::Retry) does.
    fn change_batch(&self, request: ChangeBatch) -> StoreFuture<'_, Option<ChangedBatch>>;

    /// Sends a signal to a batch: whoever waits for it, and whoever will, no longer waits. The first signal of a name
    /// counts, and its data is that of the dependency. Returns whether this was the first; none if there is no such batch.
    fn signal(&self, signal: NewSignal) -> StoreFuture<'_, Option<bool>>;

    /// What a job waits or waited for, in the order in which it was given, its parent included. Only reads.
    fn dependencies(&self, request: DependenciesRequest) -> StoreFuture<'_, Vec<Dependency>>;

    /// The jobs that depend on this one, by id: those that wait for it, or its children. Only reads.
    fn dependents(&self, request: DependentsRequest) -> StoreFuture<'_, Vec<Dependent>>;

    /// The jobs that run even if a signal does not come in time, before that time. In no order; of more than 10,000 those
    /// whose time comes first. Some may have ended otherwise meanwhile. Only reads.
    fn timed_jobs(&self) -> StoreFuture<'_, Vec<JobId>>;

    /// Takes one bounded step of what follows from the ends of jobs and batches, from signals, and from timeouts that have
    /// passed. Only reads if there is nothing to do.
    fn advance_workflows(&self) -> StoreFuture<'_, Advanced>;
}

/// The result of enqueuing a workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EnqueuedWorkflow {
    /// How many jobs were made.
    pub inserted: u64,
    /// Its batch.
    pub batch_id: Option<BatchId>,
    /// The jobs by reference, those that have one.
    pub ids: BTreeMap<String, JobId>,
}

/// Which batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchesRequest {
    /// Only those with one of these statuses; none for all.
    pub statuses: Option<Vec<BatchStatus>>,
    /// Only those before this one.
    pub before: Option<BatchId>,
    /// How many at most, from 1 to 1000.
    pub limit: u32,
}

/// Which jobs of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchJobsRequest {
    /// The batch.
    pub id: BatchId,
    /// Only those with one of these statuses; none for all.
    pub statuses: Option<Vec<Status>>,
    /// Only jobs behind this one.
    pub after: Option<JobId>,
    /// How many at most, from 1 to 1000.
    pub limit: u32,
}

/// Some of the jobs of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchJobPage {
    /// The jobs by id. Fewer than requested if too few among [`BatchJobPage::LOOKED_MAX`] have the requested status.
    pub jobs: Vec<BatchJob>,
    /// Behind which job the next page begins; none if nothing follows.
    pub next: Option<JobId>,
}

impl BatchJobPage {
    /// How many jobs one page looks at.
    pub const LOOKED_MAX: u32 = 5000;
}

/// A change of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeBatch {
    /// The batch.
    pub id: BatchId,
    /// The change.
    pub change: BatchChange,
    /// Only members behind this one: [`ChangedBatch::next`] of the last call.
    pub after: Option<JobId>,
}

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchChange {
    /// From now on only running members may add others, and the batch ends when its members have ended. May be repeated.
    Close,
    /// Ends the members that have not ended.
    Cancel,
    /// Retries the members that did not complete.
    Retry,
}

/// The result of a step of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedBatch {
    /// What became of the members.
    pub actioned: Actioned,
    /// After which member to go on; none if nothing is left.
    pub next: Option<JobId>,
}

/// A signal to send.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSignal {
    /// The batch.
    pub batch: BatchId,
    /// Its name.
    pub name: String,
    /// What the waiting job is to know.
    pub data: Option<JobData>,
}

impl NewSignal {
    /// Checks the name and the size of the data.
    pub fn check(&self, limits: &crate::Limits) -> Result<(), InvalidJob> {
        crate::job::new_job::check_name("name of the signal", &self.name, crate::job::new_job::NAME_BYTES_MAX)?;
        match &self.data {
            Some(data) => limits.check("data of the signal", data),
            None => Ok(()),
        }
    }
}

/// Which dependencies of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DependenciesRequest {
    /// The job that waits or waited.
    pub id: JobId,
    /// Only the one with this name: a reference, the name of a signal, or the id of a job. None for all.
    pub name: Option<String>,
    /// How many bytes of results are read at most, in their order; larger ones are left out. Zero reads none.
    pub result_bytes_max: usize,
}

/// Which dependents of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DependentsRequest {
    /// The job on which they depend.
    pub id: JobId,
    /// Which of them.
    pub which: Dependents,
    /// Only jobs behind this one.
    pub after: Option<JobId>,
    /// How many at most, from 1 to 1000.
    pub limit: u32,
}

/// Two kinds of dependents. A blocked child is of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependents {
    /// Blocked jobs that wait for the job, as their parent or as a dependency.
    Waiting,
    /// Children in any status. Of more than 10,000 a store may list any 10,000.
    Children,
}

/// A job that depends on another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dependent {
    /// The job.
    pub id: JobId,
    /// Its type.
    pub job_type: String,
    /// Its status: `blocked` if it waits.
    pub status: Status,
    /// Whether the other one is its parent.
    pub is_child: bool,
}

/// The result of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Advanced {
    /// How many jobs and batches it moved.
    pub moved: u64,
    /// Whether another step has something to do now.
    pub has_more: bool,
}
