use std::marker::PhantomData;
use std::sync::Arc;

use longshore_core::{Failure, FailureType, JobData};
use tokio::sync::oneshot;
use tracing::Span;

use crate::handler::{AttemptResult, BoxFuture, Handler, HandlerPolicy, IntoDone, Overrun};
use crate::runtime::panic_capture;
use crate::runtime::quiet::QuietSpan;
use crate::{CurrentAttempt, HandlerError, Payload};

/// An async function for a typed payload.
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
                Box::pin(async move { running.await?.into_done() })
            }
        }
    }

    fn policy(&self) -> HandlerPolicy {
        T::policy(HandlerPolicy::default())
    }
}

/// A blocking function for a typed payload. Each attempt gets one of the worker's own threads.
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
        let span = QuietSpan::new(Span::current);
        Box::pin(async move {
            let payload = decode::<T>(attempt.payload())?;
            let threads = attempt.threads().clone();
            let (reply, returned) = oneshot::channel();
            let call = move || {
                // Checked here, because the attempt may have ended while the call waited for its thread.
                let result = match attempt.begin() {
                    Ok(()) => span.in_scope(|| panic_capture::catch(|| function(payload, attempt))),
                    Err(stopped) => Ok(Err(stopped.into())),
                };
                let _ = reply.send(result);
            };
            threads.run(call).map_err(|error| no_thread(&error))?;
            let result = returned.await.map_err(|_| lost_thread())?;
            result.map_err(|panicked| panicked.into_failure("the handler"))??.into_done()
        })
    }

    fn policy(&self) -> HandlerPolicy {
        HandlerPolicy { overrun: Overrun::Outlive, ..T::policy(HandlerPolicy::default()) }
    }
}

/// The message names only the position, because it may be logged and a payload may not. The traceback, which is only
/// stored, has the details.
fn decode<T: Payload>(payload: &JobData) -> Result<T, HandlerError> {
    payload.decode().map_err(|error| {
        let message = format!("the payload does not have the type that {:?} expects", T::JOB_TYPE);
        Failure::new(FailureType::ValidationError, message).with_traceback(error.to_string()).into()
    })
}

fn no_thread(error: &std::io::Error) -> Failure {
    Failure::new(FailureType::ResourceError, format!("no thread can be started for a blocking handler: {error}"))
}

/// A panic on the thread outside the handler is a bug of ours. The job must not hang because of it.
fn lost_thread() -> Failure {
    Failure::new(FailureType::WorkerError, "the thread of a blocking handler was lost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;
    use std::task::{Context, Waker};

    use crate::StopCause;
    use crate::testing::{AttemptProbe, EnqueueRecorder};
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct Scan;

    impl Payload for Scan {
        const JOB_TYPE: &'static str = "scan";
    }

    /// Ends the attempt while its call waits for the only thread. Returns how often the handler ran, and its result.
    fn ended_while_waiting(end: impl FnOnce(&AttemptProbe)) -> (u32, AttemptResult) {
        let probe = AttemptProbe::new(Scan.to_job().unwrap(), EnqueueRecorder::queue().1);
        let (open, opened) = mpsc::channel::<()>();
        probe.attempt().threads().run(move || opened.recv().unwrap_or_default()).unwrap();
        let ran = Arc::new(AtomicU32::new(0));
        let count = ran.clone();
        let handler = BlockingHandler::new(move |_: Scan, _| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
        let mut running = handler.run(probe.attempt());
        assert!(running.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());

        end(&probe);
        drop(open);

        let result = crate::runtime::park::block_on(running);
        (ran.load(Ordering::SeqCst), result)
    }

    #[test]
    fn a_blocking_handler_does_not_start_once_its_attempt_was_asked_to_stop() {
        let (ran, result) = ended_while_waiting(|probe| probe.stop(StopCause::TimedOut));
        assert_eq!((ran, result.unwrap_err().to_string().as_str()), (0, "the attempt reached its time limit"));
    }

    #[test]
    fn a_blocking_handler_does_not_start_once_its_attempt_has_ended() {
        let (ran, result) = ended_while_waiting(|probe| drop(probe.attempt().close()));
        assert_eq!((ran, result.is_err()), (0, true));
    }
}
