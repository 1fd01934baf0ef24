use std::collections::BTreeSet;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use longshore::trace::EnqueueSpan;
use longshore_core::{
    Action, Actioned, Awaited, Enqueued, EnqueuedWorkflow, JobData, JobEdit, JobId, Limits, NewDependency, NewJob,
    QueueChange, Refusal, Selection, StoreError, Stream, ValidJob, ValidWorkflowJob, WorkflowBatch, WorkflowStream,
};

use super::Shown;
use crate::error::ApiError;

impl Shown {
    /// The bounds of a new job.
    pub(crate) fn limits(&self) -> Limits {
        self.store().limits()
    }

    /// Enqueues one job, in the trace that a request belongs to.
    pub(crate) async fn enqueue(&self, job: NewJob, traceparent: Option<&str>) -> Result<Enqueued, ApiError> {
        let span = EnqueueSpan::of_job(&job, traceparent);
        let checked = job.traced(span.traceparent()).check(&self.limits());
        let enqueued = async { self.enqueue_valid(vec![checked?]).await?.pop().ok_or_else(ApiError::internal) }.await;
        enqueued.inspect(|enqueued| span.note_job(enqueued.id)).inspect_err(|error| span.note_error(error.code()))
    }

    pub(crate) async fn enqueue_valid(&self, jobs: Vec<ValidJob>) -> Result<Vec<Enqueued>, ApiError> {
        jobs.iter().try_for_each(|job| self.check_new(job))?;
        let parents: BTreeSet<JobId> = jobs.iter().filter_map(|job| job.parent).collect();
        for parent in parents {
            if !self.sees_job(parent).await? {
                return Err(StoreError::UnknownParent { parent }.into());
            }
        }
        Ok(self.store().enqueue_valid(jobs).await?)
    }

    pub(crate) async fn enqueue_workflow_stream(
        &self,
        batch: WorkflowBatch,
        jobs: WorkflowStream,
    ) -> Result<EnqueuedWorkflow, StoreError> {
        let jobs: WorkflowStream = match &self.visible {
            None => jobs,
            Some(_) => Box::pin(CheckedStream { jobs, shown: self.clone() }),
        };
        self.store().enqueue_workflow_stream(batch, jobs).await
    }

    pub(crate) async fn act(&self, selection: Selection, action: Action) -> Result<Actioned, StoreError> {
        let (selection, hidden) = self.narrowed(selection).await?;
        let mut actioned = self.store().act(selection, action).await?;
        actioned.refused.extend(hidden.into_iter().map(|id| Refusal::NotFound { id }));
        Ok(actioned)
    }

    pub(crate) async fn edit(&self, id: JobId, edit: JobEdit) -> Result<Actioned, ApiError> {
        if !self.sees_job(id).await? {
            return Ok(Actioned { touched: 0, refused: vec![Refusal::NotFound { id }] });
        }
        edit.queue.iter().try_for_each(|queue| self.check_queue(queue))?;
        Ok(self.store().edit(id, edit).await?)
    }

    /// The payload that somebody has made of the shown payload of a job: with its hidden values where the placeholders
    /// still are.
    pub(crate) async fn restored(&self, edited: JobData, of: JobId) -> Result<JobData, ApiError> {
        if self.redaction.is_empty() {
            return Ok(edited);
        }
        let original = self.store().job(of).await?.filter(|detail| self.sees(&detail.job.queue));
        let original = original.ok_or_else(|| ApiError::no_such_job(of))?.job.job_data;
        self.redaction.restore(&edited, &original).map_err(|error| ApiError::invalid(error.to_string()))
    }

    pub(crate) async fn change_queue(&self, queue: String, change: QueueChange) -> Result<(), ApiError> {
        self.check_queue(&queue)?;
        Ok(self.store().change_queue(queue, change).await?)
    }
}

/// The jobs of a user of some queues, each checked when it comes.
struct CheckedStream {
    jobs: WorkflowStream,
    shown: Shown,
}

impl CheckedStream {
    fn check(&self, job: ValidWorkflowJob) -> Result<ValidWorkflowJob, StoreError> {
        let refused = |error: ApiError| StoreError::Aborted { source: error.to_string().into() };
        self.shown.check_new(job.job()).map_err(refused)?;
        let is_older = |dependency: &NewDependency| matches!(dependency.awaited, Awaited::Job(_));
        if job.job().parent.is_some() || job.after().iter().any(is_older) {
            return Err(refused(ApiError::of_all_queues("a line that waits for an older job concerns")));
        }
        Ok(job)
    }
}

impl Stream for CheckedStream {
    type Item = Result<ValidWorkflowJob, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.jobs.as_mut().poll_next(context));
        Poll::Ready(next.map(|job| self.check(job?)))
    }
}
