//! Batches, and jobs that wait for others: what follows from the end of a job is noted with it and done in bounded steps.

pub(crate) mod batches;
pub(crate) mod dependencies;
pub(crate) mod enqueue;
pub(crate) mod followups;
#[cfg(test)]
mod killed;
mod members;
pub(crate) mod placing;
pub(crate) mod pruning;
mod retrying;
mod settling;
pub(crate) mod sweep;
mod wait;

use longshore_core::{
    Advanced, BatchId, BatchJobPage, BatchJobsRequest, BatchRecord, BatchesRequest, ChangeBatch, ChangedBatch,
    DependenciesRequest, Dependency, Dependent, DependentsRequest, EnqueuedWorkflow, JobId, NewSignal, StoreFuture,
    WorkflowBatch, WorkflowStream, Workflows,
};

pub(crate) use retrying::{is_held_back, wait_again};

use crate::store::SqliteStore;
use batches::{Change, Send};
use enqueue::enqueue_workflow;
use followups::{advance, advance_to_end};

impl Workflows for SqliteStore {
    fn enqueue_workflow_stream(&self, batch: WorkflowBatch, jobs: WorkflowStream) -> StoreFuture<'_, EnqueuedWorkflow> {
        let parts = &*self.parts;
        Box::pin(enqueue_workflow(&parts.writer, &parts.context, &parts.options, batch, jobs))
    }

    fn batch(&self, id: BatchId) -> StoreFuture<'_, Option<BatchRecord>> {
        Box::pin(self.parts.readers.run("reading a batch", move |tx| Ok(batches::batch(tx.connection, id)?)))
    }

    fn batches(&self, request: BatchesRequest) -> StoreFuture<'_, Vec<BatchRecord>> {
        Box::pin(self.parts.readers.run("listing batches", move |tx| Ok(batches::batches(tx.connection, &request)?)))
    }

    fn batch_jobs(&self, request: BatchJobsRequest) -> StoreFuture<'_, BatchJobPage> {
        let read = self
            .parts
            .readers
            .run("listing the jobs of a batch", move |tx| Ok(batches::batch_jobs(tx.connection, &request)?));
        Box::pin(read)
    }

    fn change_batch(&self, request: ChangeBatch) -> StoreFuture<'_, Option<ChangedBatch>> {
        Box::pin(async move {
            let changed = self.parts.writer.run(Change { request }).await?;
            // Between two pages it would change what the next one meets.
            if changed.as_ref().is_none_or(|changed| changed.next.is_none()) {
                advance_to_end(&self.parts.readers, &self.parts.writer).await;
            }
            Ok(changed)
        })
    }

    fn signal(&self, signal: NewSignal) -> StoreFuture<'_, Option<bool>> {
        Box::pin(async move {
            signal.check(&self.parts.options.limits)?;
            let is_first = self.parts.writer.run(Send { signal }).await?;
            advance_to_end(&self.parts.readers, &self.parts.writer).await;
            Ok(is_first)
        })
    }

    fn dependencies(&self, request: DependenciesRequest) -> StoreFuture<'_, Vec<Dependency>> {
        let read = self
            .parts
            .readers
            .run("reading dependencies", move |tx| Ok(dependencies::dependencies(tx.connection, &request)?));
        Box::pin(read)
    }

    fn dependents(&self, request: DependentsRequest) -> StoreFuture<'_, Vec<Dependent>> {
        let read = self
            .parts
            .readers
            .run("reading the dependents of a job", move |tx| Ok(dependencies::dependents(tx.connection, request)?));
        Box::pin(read)
    }

    fn timed_jobs(&self) -> StoreFuture<'_, Vec<JobId>> {
        let read = self
            .parts
            .readers
            .run("looking for timeouts of signals", |tx| Ok(dependencies::timed_jobs(tx.connection)?));
        Box::pin(read)
    }

    fn advance_workflows(&self) -> StoreFuture<'_, Advanced> {
        Box::pin(advance(&self.parts.readers, &self.parts.writer))
    }
}
