//! Workflows: batches of jobs, what jobs wait for, and the steps that follow from their ends.

pub(crate) mod advance;
pub(crate) mod batches;
mod change;
mod dependent;
pub(crate) mod enqueue;
pub(crate) mod hint;
mod owners;
pub(crate) mod pruning;
pub(crate) mod reading;
pub(crate) mod reopen;
mod settle;
mod sweep;

use longshore_core::{
    Advanced, BatchId, BatchJobPage, BatchJobsRequest, BatchRecord, BatchesRequest, ChangeBatch, ChangedBatch,
    DependenciesRequest, Dependency, Dependent, DependentsRequest, EnqueuedWorkflow, JobId, NewSignal, StoreFuture,
    WorkflowBatch, WorkflowStream, Workflows,
};
use longshore_spool::read_stream;

use crate::store::PostgresStore;

impl Workflows for PostgresStore {
    fn enqueue_workflow_stream(&self, batch: WorkflowBatch, jobs: WorkflowStream) -> StoreFuture<'_, EnqueuedWorkflow> {
        Box::pin(async move {
            // In the future of the caller, which may be dropped before the stream ends.
            let spooled = read_stream(jobs, std::env::temp_dir(), &self.parts.context.database).await?;
            self.run("enqueueing a workflow", |parts| enqueue::enqueue(parts, batch, spooled)).await
        })
    }

    fn batch(&self, id: BatchId) -> StoreFuture<'_, Option<BatchRecord>> {
        self.run("reading a batch", move |parts| reading::batch(parts, id))
    }

    fn batches(&self, request: BatchesRequest) -> StoreFuture<'_, Vec<BatchRecord>> {
        self.run("listing batches", move |parts| reading::batches(parts, request))
    }

    fn batch_jobs(&self, request: BatchJobsRequest) -> StoreFuture<'_, BatchJobPage> {
        self.run("listing the jobs of a batch", move |parts| reading::batch_jobs(parts, request))
    }

    fn change_batch(&self, request: ChangeBatch) -> StoreFuture<'_, Option<ChangedBatch>> {
        self.run_by_hand("changing a batch", move |parts| change::change_batch(parts, request))
    }

    fn signal(&self, signal: NewSignal) -> StoreFuture<'_, Option<bool>> {
        self.run_by_hand("sending a signal", move |parts| change::signal(parts, signal))
    }

    fn dependencies(&self, request: DependenciesRequest) -> StoreFuture<'_, Vec<Dependency>> {
        self.run("reading what a job waits for", move |parts| reading::dependencies(parts, request))
    }

    fn dependents(&self, request: DependentsRequest) -> StoreFuture<'_, Vec<Dependent>> {
        self.run("reading the dependents of a job", move |parts| reading::dependents(parts, request))
    }

    fn timed_jobs(&self) -> StoreFuture<'_, Vec<JobId>> {
        self.run("looking for timeouts of signals", reading::timed_jobs)
    }

    fn advance_workflows(&self) -> StoreFuture<'_, Advanced> {
        self.run("settling workflows", |parts| async move { advance::advance(&parts).await })
    }
}
