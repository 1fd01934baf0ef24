use std::marker::PhantomData;
use std::sync::Arc;

use longshore_core::{Failure, FailureType, JobData};
use tracing::Span;

use crate::handler::{AttemptResult, BoxFuture, Handler, HandlerPolicy, IntoDone, Overrun};
use crate::{CurrentAttempt, HandlerError, Payload, panic_capture};

/// An async function on a typed payload.
pub(crate) struct AsyncHandler<T, F> {
    function: F,
    payload: PhantomData<fn() -> T>,
}

impl<T, F> AsyncHandler<T, F> {
    pub(crate) const fn new(function: F) -> Self {
        Self { function, payload: PhantomData }
    }
}

impl<T, F, Fut, D> Handler for AsyncHandler<T, F>
where
    T: Payload,
    F: Fn(T, CurrentAttempt) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<D, HandlerError>> + Send + 'static,
    D: IntoDone,
{
    fn run(&self, attempt: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        match decode::<T>(attempt.payload()) {
            Err(error) => Box::pin(async { Err(error) }),
            Ok(payload) => {
                let running = (self.function)(payload, attempt);
                Box::pin(async move { running.await.map(IntoDone::into_done) })
            }
        }
    }
}

/// A blocking function on a typed payload; each attempt has a thread of its own.
pub(crate) struct BlockingHandler<T, F> {
    function: Arc<F>,
    payload: PhantomData<fn() -> T>,
}

impl<T, F> BlockingHandler<T, F> {
    pub(crate) fn new(function: F) -> Self {
        Self { function: Arc::new(function), payload: PhantomData }
    }
}

impl<T, F, D> Handler for BlockingHandler<T, F>
where
    T: Payload,
    F: Fn(T, CurrentAttempt) -> Result<D, HandlerError> + Send + Sync + 'static,
    D: IntoDone,
{
    fn run(&self, attempt: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        let function = self.function.clone();
        let span = Span::current();
        Box::pin(async move {
            let payload = decode::<T>(attempt.payload())?;
            let call = move || span.in_scope(|| panic_capture::catch(|| function(payload, attempt)));
            let done = tokio::task::spawn_blocking(call).await??;
            done.map(IntoDone::into_done)
        })
    }

    fn policy(&self) -> HandlerPolicy {
        HandlerPolicy { overrun: Overrun::Outlive, ..HandlerPolicy::default() }
    }
}

/// The message names the place alone, because it may be logged and a payload may not; what was found there is
/// in the traceback, which is only stored.
fn decode<T: Payload>(payload: &JobData) -> Result<T, HandlerError> {
    payload.decode().map_err(|error| {
        let message = format!("the payload is not what {:?} expects", T::JOB_TYPE);
        Failure::new(FailureType::ValidationError, message).with_traceback(error.to_string()).into()
    })
}
