use longshore_core::{
    Advanced, BatchId, BatchJobPage, BatchJobsRequest, BatchRecord, BatchesRequest, ChangeBatch, ChangedBatch,
    DependenciesRequest, Dependency, Dependent, DependentsRequest, EnqueuedWorkflow, JobId, NewSignal, StoreFuture,
    WorkflowBatch, WorkflowStream, Workflows,
};

use super::{FaultStore, Operation};

impl<S: Workflows> Workflows for FaultStore<S> {
    fn enqueue_workflow_stream(&self, batch: WorkflowBatch, jobs: WorkflowStream) -> StoreFuture<'_, EnqueuedWorkflow> {
        self.meet(Operation::EnqueueWorkflow, move |inner| inner.enqueue_workflow_stream(batch, jobs))
    }

    fn batch(&self, id: BatchId) -> StoreFuture<'_, Option<BatchRecord>> {
        self.meet(Operation::Read, move |inner| inner.batch(id))
    }

    fn batches(&self, request: BatchesRequest) -> StoreFuture<'_, Vec<BatchRecord>> {
        self.meet(Operation::Read, move |inner| inner.batches(request))
    }

    fn batch_jobs(&self, request: BatchJobsRequest) -> StoreFuture<'_, BatchJobPage> {
        self.meet(Operation::Read, move |inner| inner.batch_jobs(request))
    }

    fn change_batch(&self, request: ChangeBatch) -> StoreFuture<'_, Option<ChangedBatch>> {
        self.meet(Operation::ChangeBatch, move |inner| inner.change_batch(request))
    }

    fn signal(&self, signal: NewSignal) -> StoreFuture<'_, Option<bool>> {
        self.meet(Operation::ChangeBatch, move |inner| inner.signal(signal))
    }

    fn dependencies(&self, request: DependenciesRequest) -> StoreFuture<'_, Vec<Dependency>> {
        self.meet(Operation::Read, move |inner| inner.dependencies(request))
    }

    fn dependents(&self, request: DependentsRequest) -> StoreFuture<'_, Vec<Dependent>> {
        self.meet(Operation::Read, move |inner| inner.dependents(request))
    }

    fn timed_jobs(&self) -> StoreFuture<'_, Vec<JobId>> {
        self.meet(Operation::Read, move |inner| inner.timed_jobs())
    }

    fn advance_workflows(&self) -> StoreFuture<'_, Advanced> {
        self.meet(Operation::Advance, move |inner| inner.advance_workflows())
    }
}
