use std::sync::Arc;

use crate::handler::typed_handler::{AsyncHandler, BlockingHandler};
use crate::{CurrentAttempt, Handler, HandlerError, IntoDone, Payload};

/// The application's state, as a handler takes it. The worker got it from [`Worker::state`](crate::Worker::state), and
/// clones it for each attempt.
///
/// ```
/// use longshore::{CurrentAttempt, HandlerError, State, Worker};
/// # use longshore::{Job, testing::ScratchQueue};
/// # use std::sync::{Arc, Mutex};
///
/// #[derive(Clone)]
/// struct App {
///     sent: Arc<Mutex<Vec<String>>>,
/// }
/// # #[derive(Job, serde::Serialize, serde::Deserialize)]
/// # struct Mail { to: String }
///
/// async fn send(mail: Mail, _: CurrentAttempt, State(app): State<App>) -> Result<(), HandlerError> {
///     app.sent.lock().unwrap().push(mail.to);
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let queue = ScratchQueue::open().await?;
/// # let app = App { sent: Arc::default() };
/// # let sent = app.sent.clone();
/// # queue.enqueue(&Mail { to: "ada".into() }).await?;
/// Worker::new(&queue).state(app).handle(send).run_until_drained().await?;
/// # assert_eq!(*sent.lock().unwrap(), ["ada"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct State<S>(pub S);

/// A worker without state has this instead of a [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Stateless;

/// An async function that a worker with state runs. It takes the payload and the attempt, and the state if it needs it.
///
/// The compiler infers `Form`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler for a worker with the state `{S}`",
    label = "not such a handler",
    note = "it must be an async function of (payload, CurrentAttempt) or (payload, CurrentAttempt, State<{S}>) that \
            returns Result<_, HandlerError>; a closure must name the types of its parameters"
)]
pub trait AsyncFunction<S, Form>: Send + Sync + 'static {
    /// The payload.
    type Payload: Payload;

    /// The handler for its job type.
    fn into_handler(self, state: S) -> Arc<dyn Handler>;
}

/// A blocking function that a worker with state runs. It takes the payload and the attempt, and the state if it needs
/// it.
///
/// The compiler infers `Form`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a blocking handler for a worker with the state `{S}`",
    label = "not such a handler",
    note = "it must be a function of (payload, CurrentAttempt) or (payload, CurrentAttempt, State<{S}>) that returns \
            Result<_, HandlerError>; a closure must name the types of its parameters"
)]
pub trait BlockingFunction<S, Form>: Send + Sync + 'static {
    /// The payload.
    type Payload: Payload;

    /// The handler for its job type.
    fn into_handler(self, state: S) -> Arc<dyn Handler>;
}

impl<S, T, F, Fut, D> AsyncFunction<S, fn(T) -> Fut> for F
where
    T: Payload,
    F: Fn(T, CurrentAttempt) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<D, HandlerError>> + Send + 'static,
    D: IntoDone,
{
    type Payload = T;

    fn into_handler(self, _: S) -> Arc<dyn Handler> {
        Arc::new(AsyncHandler::new(self))
    }
}

impl<S, T, F, Fut, D> AsyncFunction<S, fn(T, S) -> Fut> for F
where
    S: Clone + Send + Sync + 'static,
    T: Payload,
    F: Fn(T, CurrentAttempt, State<S>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<D, HandlerError>> + Send + 'static,
    D: IntoDone,
{
    type Payload = T;

    fn into_handler(self, state: S) -> Arc<dyn Handler> {
        let function = move |payload, attempt| self(payload, attempt, State(state.clone()));
        Arc::new(AsyncHandler::new(function))
    }
}

impl<S, T, F, D> BlockingFunction<S, fn(T) -> D> for F
where
    T: Payload,
    F: Fn(T, CurrentAttempt) -> Result<D, HandlerError> + Send + Sync + 'static,
    D: IntoDone,
{
    type Payload = T;

    fn into_handler(self, _: S) -> Arc<dyn Handler> {
        Arc::new(BlockingHandler::new(self))
    }
}

impl<S, T, F, D> BlockingFunction<S, fn(T, S) -> D> for F
where
    S: Clone + Send + Sync + 'static,
    T: Payload,
    F: Fn(T, CurrentAttempt, State<S>) -> Result<D, HandlerError> + Send + Sync + 'static,
    D: IntoDone,
{
    type Payload = T;

    fn into_handler(self, state: S) -> Arc<dyn Handler> {
        let function = move |payload, attempt| self(payload, attempt, State(state.clone()));
        Arc::new(BlockingHandler::new(function))
    }
}
