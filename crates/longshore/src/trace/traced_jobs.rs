use std::pin::Pin;
use std::task::{Context, Poll};

use longshore_core::{NewJob, Stream};

/// The jobs of a stream, with the trace context of the call that enqueues them.
pub(crate) struct TracedJobs<S> {
    jobs: Pin<Box<S>>,
    traceparent: Option<String>,
}

impl<S> TracedJobs<S> {
    pub(crate) fn new(jobs: S, traceparent: Option<&str>) -> Self {
        Self { jobs: Box::pin(jobs), traceparent: traceparent.map(str::to_owned) }
    }
}

impl<S: Stream<Item = Result<NewJob, E>>, E> Stream for TracedJobs<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let next = self.jobs.as_mut().poll_next(context);
        next.map(|job| job.map(|job| job.map(|job| job.traced(self.traceparent.as_deref()))))
    }
}
