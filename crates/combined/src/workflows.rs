use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use longshore_core::{
    Advanced, Awaited, Backend, BatchId, BatchJobPage, BatchJobsRequest, BatchRecord, BatchesRequest, ChangeBatch,
    ChangedBatch, DependenciesRequest, Dependency, Dependent, DependentsRequest, EnqueuedWorkflow, JobId, NewSignal,
    StoreError, StoreFuture, Stream, ValidWorkflowJob, WorkflowBatch, WorkflowStream, Workflows, next_of,
};

use crate::combined_store::{CombinedStore, Shared};
use crate::members::{LONG, every, reachable};

const PAGE_MAX: u32 = 1000;

type Store = Arc<dyn Backend>;

/// A workflow is in one database, because its jobs and its batch change in one transaction: in that of its batch, or of the
/// queue of its first job. The id of a batch says where it is, as that of a job does.
impl Workflows for CombinedStore {
    fn enqueue_workflow_stream(
        &self,
        batch: WorkflowBatch,
        mut jobs: WorkflowStream,
    ) -> StoreFuture<'_, EnqueuedWorkflow> {
        Box::pin(async move {
            let first = next_of(&mut jobs).await;
            let home = match (&batch, &first) {
                (WorkflowBatch::Existing { id, .. }, _) => self.of_batch(*id)?,
                (_, Some(Ok(job))) => self.shared.members.home(&job.job().queue),
                _ => 0,
            };
            let member = &self.shared.members.all()[home];
            let jobs = OfOneDatabase { shared: Arc::clone(&self.shared), home, first, jobs };
            let enqueued = member.store()?.enqueue_workflow_stream(batch, Box::pin(jobs)).await;
            enqueued.map_err(|error| member.meet(error))
        })
    }

    fn batch(&self, id: BatchId) -> StoreFuture<'_, Option<BatchRecord>> {
        Box::pin(async move {
            let call =
                move |store: Store| -> StoreFuture<'static, _> { Box::pin(async move { store.batch(id).await }) };
            self.shared.members.ask_one(self.of_batch(id)?, call).await
        })
    }

    /// Newest first in each database, and by the ranges of their ids.
    fn batches(&self, request: BatchesRequest) -> StoreFuture<'_, Vec<BatchRecord>> {
        Box::pin(async move {
            let limit = request.limit.clamp(1, PAGE_MAX) as usize;
            let answers = self.shared.members.ask_all(LONG, move |store| {
                let request = request.clone();
                Box::pin(async move { store.batches(request).await })
            });
            let mut all: Vec<BatchRecord> =
                reachable(answers.await)?.into_iter().flat_map(|(_, batches)| batches).collect();
            all.sort_by_key(|batch| std::cmp::Reverse(batch.id));
            all.truncate(limit);
            Ok(all)
        })
    }

    fn batch_jobs(&self, request: BatchJobsRequest) -> StoreFuture<'_, BatchJobPage> {
        Box::pin(async move {
            let place = self.of_batch(request.id)?;
            let call = move |store: Store| -> StoreFuture<'static, _> {
                Box::pin(async move { store.batch_jobs(request).await })
            };
            self.shared.members.ask_one(place, call).await
        })
    }

    fn change_batch(&self, request: ChangeBatch) -> StoreFuture<'_, Option<ChangedBatch>> {
        Box::pin(async move {
            let call = move |store: Store| -> StoreFuture<'static, _> {
                Box::pin(async move { store.change_batch(request).await })
            };
            self.shared.members.ask_one(self.of_batch(request.id)?, call).await
        })
    }

    fn signal(&self, signal: NewSignal) -> StoreFuture<'_, Option<bool>> {
        Box::pin(async move {
            let place = self.of_batch(signal.batch)?;
            let call =
                move |store: Store| -> StoreFuture<'static, _> { Box::pin(async move { store.signal(signal).await }) };
            self.shared.members.ask_one(place, call).await
        })
    }

    fn dependencies(&self, request: DependenciesRequest) -> StoreFuture<'_, Vec<Dependency>> {
        Box::pin(async move {
            let place = self.shared.members.of_job(request.id)?;
            let call = move |store: Store| -> StoreFuture<'static, _> {
                Box::pin(async move { store.dependencies(request).await })
            };
            self.shared.members.ask_one(place, call).await
        })
    }

    fn dependents(&self, request: DependentsRequest) -> StoreFuture<'_, Vec<Dependent>> {
        Box::pin(async move {
            let place = self.shared.members.of_job(request.id)?;
            let call = move |store: Store| -> StoreFuture<'static, _> {
                Box::pin(async move { store.dependents(request).await })
            };
            self.shared.members.ask_one(place, call).await
        })
    }

    fn timed_jobs(&self) -> StoreFuture<'_, Vec<JobId>> {
        Box::pin(async move {
            let answers = self.shared.members.ask_all(LONG, |store| Box::pin(async move { store.timed_jobs().await }));
            Ok(every(answers.await)?.into_iter().flat_map(|(_, ids)| ids).collect())
        })
    }

    /// In every database that answers. The others go on when they do.
    fn advance_workflows(&self) -> StoreFuture<'_, Advanced> {
        Box::pin(async move {
            let answers =
                self.shared.members.ask_all(LONG, |store| Box::pin(async move { store.advance_workflows().await }));
            let mut all = Advanced::default();
            for (_, Advanced { moved, has_more }) in reachable(answers.await)? {
                all.moved += moved;
                all.has_more |= has_more;
            }
            Ok(all)
        })
    }
}

impl CombinedStore {
    fn of_batch(&self, id: BatchId) -> Result<usize, StoreError> {
        self.shared.members.of_job(JobId(id.0))
    }
}

/// The jobs of a workflow that must all be in one database, with what they wait for.
struct OfOneDatabase {
    shared: Arc<Shared>,
    home: usize,
    first: Option<Result<ValidWorkflowJob, StoreError>>,
    jobs: WorkflowStream,
}

impl OfOneDatabase {
    fn check(&self, job: &ValidWorkflowJob) -> Result<(), StoreError> {
        self.shared.together(self.home, self.shared.home_of(job.job())?)?;
        for dependency in job.after() {
            let Awaited::Job(awaited) = dependency.awaited else { continue };
            let place = self.shared.members.of_job(awaited)?;
            if place != self.home {
                let name = |place: usize| Arc::clone(&self.shared.members.all()[place].name);
                let (job_database, database) = (name(place), name(self.home));
                return Err(StoreError::DependencyElsewhere { job: awaited, job_database, database });
            }
        }
        Ok(())
    }
}

impl Stream for OfOneDatabase {
    type Item = Result<ValidWorkflowJob, StoreError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let own = self.get_mut();
        let next = match own.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => own.jobs.as_mut().poll_next(context),
        };
        next.map(|job| job.map(|job| job.and_then(|job| own.check(&job).map(|()| job))))
    }
}
