#![allow(clippy::unwrap_used, reason = "a behaviour that cannot go on has failed")]

pub mod batch_retention;
pub mod batches;
pub mod callbacks;
pub mod dependencies;
pub mod fan_out;
pub mod signals;
pub mod workflows;

use std::collections::BTreeMap;

use longshore_core::{
    Action, Awaited, BatchChange, BatchCounts, BatchId, BatchJob, BatchJobsRequest, BatchRecord, BatchStatus,
    ChangeBatch, DependenciesRequest, Dependency, DependencyState, EnqueuedWorkflow, JobId, Lease, Limits, Needs,
    NewDependency, NewSignal, NewWorkflow, Selection, Status, StoreError, WorkerId, WorkflowBatch, WorkflowJob,
    Workflows,
};

use crate::suite::{Harness, World};
use crate::{ended, job};

/// How many steps a behaviour waits for what follows from its calls.
const STEPS_MAX: u32 = 10_000;

/// A closed batch with this name.
pub(super) fn closed(name: &str) -> WorkflowBatch {
    WorkflowBatch::New { name: name.to_owned(), is_open: false }
}

pub(super) fn open(name: &str) -> WorkflowBatch {
    WorkflowBatch::New { name: name.to_owned(), is_open: true }
}

/// A job of type `work`, with a name.
pub(super) fn named(reference: &str) -> WorkflowJob {
    WorkflowJob::new(job()).named(reference)
}

/// Waits for the completion of the job with this reference.
pub(super) fn on(reference: &str) -> NewDependency {
    needing(reference, Needs::Completed)
}

pub(super) fn needing(reference: &str, needs: Needs) -> NewDependency {
    NewDependency::needing(Awaited::Reference(reference.to_owned()), needs)
}

/// Waits for the own batch.
pub(super) fn on_batch(needs: Needs) -> NewDependency {
    NewDependency::needing(Awaited::Batch, needs)
}

pub(super) fn on_signal(name: &str) -> NewDependency {
    NewDependency::on(Awaited::Signal { name: name.to_owned(), timeout: None })
}

pub(super) fn signal(batch: BatchId, name: &str) -> NewSignal {
    NewSignal { batch, name: name.to_owned(), data: None }
}

/// A workflow that was enqueued.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) ids: BTreeMap<String, JobId>,
    pub(super) batch_id: Option<BatchId>,
    pub(super) inserted: u64,
}

impl Flow {
    pub(super) fn id(&self, reference: &str) -> JobId {
        self.ids[reference]
    }

    pub(super) fn batch(&self) -> BatchId {
        self.batch_id.expect("the workflow has a batch")
    }
}

pub(super) async fn try_enqueue<H: Harness>(
    world: &World<H>,
    batch: WorkflowBatch,
    jobs: Vec<WorkflowJob>,
) -> Result<EnqueuedWorkflow, StoreError>
where
    H::Store: Workflows,
{
    let workflow = NewWorkflow { batch, jobs }.check(&Limits::default())?;
    world.store.enqueue_workflow(workflow).await
}

pub(super) async fn enqueue<H: Harness>(world: &World<H>, batch: WorkflowBatch, jobs: Vec<WorkflowJob>) -> Flow
where
    H::Store: Workflows,
{
    let enqueued = try_enqueue(world, batch, jobs).await.expect("the workflow is acceptable");
    let EnqueuedWorkflow { inserted, batch_id, ids } = enqueued;
    advance(world).await;
    Flow { ids, batch_id, inserted }
}

/// Takes steps until nothing follows any more. Returns how many there were.
pub(super) async fn advance<H: Harness>(world: &World<H>) -> u32
where
    H::Store: Workflows,
{
    for step in 1..=STEPS_MAX {
        let advanced = world.store.advance_workflows().await.expect("a step can be taken");
        if advanced.moved == 0 && !advanced.has_more {
            return step;
        }
    }
    panic!("after {STEPS_MAX} steps there is always another one");
}

pub(super) async fn act<H: Harness>(world: &World<H>, id: JobId, action: Action)
where
    H::Store: Workflows,
{
    let actioned = world.act(id, action).await;
    assert!(actioned.refused.is_empty(), "{actioned:?}");
    advance(world).await;
}

/// Changes these jobs in one call.
pub(super) async fn act_on<H: Harness>(world: &World<H>, ids: &[JobId], action: Action)
where
    H::Store: Workflows,
{
    let actioned = world.act_on(Selection::Jobs(ids.to_vec()), action).await;
    assert_eq!((actioned.touched, actioned.refused), (ids.len() as u64, Vec::new()));
    advance(world).await;
}

pub(super) async fn batch<H: Harness>(world: &World<H>, id: BatchId) -> BatchRecord
where
    H::Store: Workflows,
{
    world.store.batch(id).await.expect("batches can be read").expect("the batch is there")
}

pub(super) async fn batch_status<H: Harness>(world: &World<H>, id: BatchId) -> BatchStatus
where
    H::Store: Workflows,
{
    batch(world, id).await.status
}

pub(super) async fn counts<H: Harness>(world: &World<H>, id: BatchId) -> BatchCounts
where
    H::Store: Workflows,
{
    batch(world, id).await.counts
}

pub(super) async fn jobs_of<H: Harness>(world: &World<H>, id: BatchId) -> Vec<BatchJob>
where
    H::Store: Workflows,
{
    let request = BatchJobsRequest { id, statuses: None, after: None, limit: 1000 };
    world.store.batch_jobs(request).await.expect("batches can be read").jobs
}

/// Makes a change, step by step; returns how many jobs it touched.
pub(super) async fn change<H: Harness>(world: &World<H>, id: BatchId, change: BatchChange) -> u64
where
    H::Store: Workflows,
{
    let (mut touched, mut after) = (0, None);
    for _ in 0..STEPS_MAX {
        let request = ChangeBatch { id, change, after };
        let changed = world.store.change_batch(request).await.expect("batches can be changed");
        let changed = changed.expect("the batch is there");
        touched += changed.actioned.touched;
        after = changed.next;
        if after.is_none() {
            advance(world).await;
            return touched;
        }
    }
    panic!("a change of a batch never ends");
}

pub(super) async fn send<H: Harness>(world: &World<H>, new: NewSignal) -> Option<bool>
where
    H::Store: Workflows,
{
    let sent = world.store.signal(new).await.expect("signals can be sent");
    advance(world).await;
    sent
}

pub(super) async fn dependencies<H: Harness>(world: &World<H>, id: JobId) -> Vec<Dependency>
where
    H::Store: Workflows,
{
    let request = DependenciesRequest { id, name: None, result_bytes_max: 1_000_000 };
    world.store.dependencies(request).await.expect("dependencies can be read")
}

pub(super) async fn states<H: Harness>(world: &World<H>, id: JobId) -> Vec<DependencyState>
where
    H::Store: Workflows,
{
    dependencies(world, id).await.iter().map(|dependency| dependency.state).collect()
}

/// Claims this job, which is the next one.
pub(super) async fn claim_next<H: Harness>(world: &World<H>, worker_id: &WorkerId, id: JobId) -> Lease {
    let lease = world.claim_one(worker_id).await;
    assert_eq!(lease.id, id, "it is the next job");
    lease
}

/// Runs this job, which is the next one, to its completion.
pub(super) async fn complete<H: Harness>(world: &World<H>, worker_id: &WorkerId, id: JobId)
where
    H::Store: Workflows,
{
    let lease = claim_next(world, worker_id, id).await;
    world.complete(worker_id, &lease).await;
    advance(world).await;
}

/// Runs this job, which is the next one, and gives it up.
pub(super) async fn fail<H: Harness>(world: &World<H>, worker_id: &WorkerId, id: JobId)
where
    H::Store: Workflows,
{
    let lease = claim_next(world, worker_id, id).await;
    world.finish(worker_id, ended(&lease).dead_letter()).await;
    advance(world).await;
}

pub(super) async fn statuses<H: Harness>(world: &World<H>, ids: &[JobId]) -> Vec<Status> {
    let mut statuses = Vec::with_capacity(ids.len());
    for id in ids {
        statuses.push(world.status(*id).await);
    }
    statuses
}
