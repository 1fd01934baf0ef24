use longshore_core::{
    Advanced, BatchId, BatchJobPage, BatchJobsRequest, BatchRecord, BatchesRequest, ChangeBatch, ChangedBatch,
    DependenciesRequest, Dependency, Dependent, DependentsRequest, EnqueuedWorkflow, JobId, NewSignal, StoreFuture,
    WorkflowBatch, WorkflowStream, Workflows, next_of,
};

use super::{EnqueueRecorder, nothing};

impl Workflows for EnqueueRecorder {
    /// Only the jobs are recorded, as if none of them waited.
    fn enqueue_workflow_stream(&self, _: WorkflowBatch, mut jobs: WorkflowStream) -> StoreFuture<'_, EnqueuedWorkflow> {
        Box::pin(async move {
            let mut read = Vec::new();
            while let Some(job) = next_of(&mut jobs).await {
                read.push(job?);
            }
            let mut enqueued = EnqueuedWorkflow::default();
            for line in read {
                let id: JobId = self.add(line.job().clone()).id;
                enqueued.inserted += 1;
                enqueued.ids.extend(line.reference().map(|reference| (reference.to_owned(), id)));
            }
            Ok(enqueued)
        })
    }

    fn batch(&self, _: BatchId) -> StoreFuture<'_, Option<BatchRecord>> {
        nothing()
    }

    fn batches(&self, _: BatchesRequest) -> StoreFuture<'_, Vec<BatchRecord>> {
        nothing()
    }

    fn batch_jobs(&self, _: BatchJobsRequest) -> StoreFuture<'_, BatchJobPage> {
        nothing()
    }

    fn change_batch(&self, _: ChangeBatch) -> StoreFuture<'_, Option<ChangedBatch>> {
        nothing()
    }

    fn signal(&self, _: NewSignal) -> StoreFuture<'_, Option<bool>> {
        nothing()
    }

    fn dependencies(&self, _: DependenciesRequest) -> StoreFuture<'_, Vec<Dependency>> {
        nothing()
    }

    fn dependents(&self, _: DependentsRequest) -> StoreFuture<'_, Vec<Dependent>> {
        nothing()
    }

    fn timed_jobs(&self) -> StoreFuture<'_, Vec<JobId>> {
        nothing()
    }

    fn advance_workflows(&self) -> StoreFuture<'_, Advanced> {
        nothing()
    }
}
