use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::{Limits, NewJob, StoreError, ValidJob};

/// Jobs that arrive while they are enqueued. An error undoes everything.
pub type EnqueueStream = Pin<Box<dyn Stream<Item = Result<NewJob, Box<dyn Error + Send + Sync>>> + Send>>;

/// The same with checked jobs.
pub type ValidJobStream = Pin<Box<dyn Stream<Item = Result<ValidJob, StoreError>> + Send>>;

/// A stream of the items of an iterator. The task that polls it calls the iterator, so the iterator must not block.
pub fn stream_of<I>(items: I) -> Pin<Box<dyn Stream<Item = I::Item> + Send>>
where
    I: IntoIterator,
    I::IntoIter: Send + 'static,
{
    Box::pin(OfIterator(items.into_iter()))
}

/// The next item. `None` when the stream has ended. Cancellation safe.
pub async fn next_of<S: Stream + ?Sized>(stream: &mut Pin<Box<S>>) -> Option<S::Item> {
    poll_fn(|context| stream.as_mut().poll_next(context)).await
}

struct OfIterator<I>(I);

/// Nothing points into it.
impl<I> Unpin for OfIterator<I> {}

impl<I: Iterator> Stream for OfIterator<I> {
    type Item = I::Item;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.get_mut().0.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// A stream whose jobs are checked as they arrive.
pub(crate) struct Checked {
    pub(crate) jobs: EnqueueStream,
    pub(crate) limits: Limits,
}

impl Stream for Checked {
    type Item = Result<ValidJob, StoreError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { jobs, limits } = self.get_mut();
        let check = |job: Result<NewJob, _>| match job {
            Ok(job) => job.check(limits).map_err(StoreError::from),
            Err(source) => Err(StoreError::Aborted { source }),
        };
        jobs.as_mut().poll_next(context).map(|job| job.map(check))
    }
}
