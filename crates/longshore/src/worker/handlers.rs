use std::error::Error as StdError;
use std::sync::Arc;

use longshore_core::{FailureType, RetryPolicy};

use super::Worker;
use crate::handler::state::{AsyncFunction, BlockingFunction, State};
use crate::handler::typed_handler::{AsyncHandler, BlockingHandler};
use crate::handler::{Handler, HandlerPolicy};
use crate::{CurrentAttempt, HandlerError, IntoDone, Middleware, Payload};

/// Without state a handler takes the payload and the attempt.
impl Worker {
    /// Runs an async function on each payload of a type.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError, Job, Queue, Worker};
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Mail { to: String }
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Cleanup;
    /// # fn deliver(to: &str) -> std::io::Result<()> { Ok(()) }
    /// async fn send(mail: Mail, attempt: CurrentAttempt) -> Result<(), HandlerError> {
    ///     attempt.log("connecting\n");
    ///     deliver(&mail.to)?;
    ///     Ok(())
    /// }
    ///
    /// # fn example(queue: &Queue) {
    /// let worker = Worker::new(queue).handle(send).handle(|_: Cleanup, _| async { Ok(()) });
    /// # }
    /// ```
    #[must_use]
    pub fn handle<T, F, Fut, D>(self, function: F) -> Self
    where
        T: Payload,
        F: Fn(T, CurrentAttempt) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<D, HandlerError>> + Send + 'static,
        D: IntoDone,
    {
        self.handler(T::JOB_TYPE, Arc::new(AsyncHandler::new(function)))
    }

    /// Runs a blocking function on each payload of a type, on one of the worker's own threads. It never waits for the
    /// blocking pool of the application's runtime.
    ///
    /// It cannot be stopped from outside, so it should call [`CurrentAttempt::check`] regularly. Otherwise its outcome
    /// is recorded after the grace period, and it keeps its slot until it returns.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError, Job, Queue, Worker};
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Scan { paths: Vec<String> }
    /// fn scan(scan: Scan, attempt: CurrentAttempt) -> Result<u64, HandlerError> {
    ///     let mut bytes = 0;
    ///     for path in scan.paths {
    ///         attempt.check()?;
    ///         bytes += std::fs::metadata(path)?.len();
    ///     }
    ///     Ok(bytes)
    /// }
    ///
    /// # fn example(queue: &Queue) {
    /// let worker = Worker::new(queue).handle_blocking(scan);
    /// # }
    /// ```
    #[must_use]
    pub fn handle_blocking<T, F, D>(self, function: F) -> Self
    where
        T: Payload,
        F: Fn(T, CurrentAttempt) -> Result<D, HandlerError> + Send + Sync + 'static,
        D: IntoDone,
    {
        self.handler(T::JOB_TYPE, Arc::new(BlockingHandler::new(function)))
    }
}

/// With state a handler may also take the state.
impl<S: Clone + Send + Sync + 'static> Worker<State<S>> {
    /// Runs an async function on each payload of a type. It takes the payload and the attempt, and the [`State`] if it
    /// needs it. A closure must name the types of its parameters.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError, Job, Queue, State, Worker};
    /// # #[derive(Clone)]
    /// # struct App { host: String }
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Mail { to: String }
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Cleanup;
    /// # async fn deliver(host: &str, to: &str) -> std::io::Result<()> { Ok(()) }
    /// async fn send(mail: Mail, _: CurrentAttempt, State(app): State<App>) -> Result<(), HandlerError> {
    ///     Ok(deliver(&app.host, &mail.to).await?)
    /// }
    ///
    /// async fn clean_up(_: Cleanup, _: CurrentAttempt) -> Result<(), HandlerError> {
    ///     Ok(())
    /// }
    ///
    /// # fn example(queue: &Queue) {
    /// let app = App { host: "mx.example.org".into() };
    /// let worker = Worker::new(queue).state(app).handle(send).handle(clean_up);
    /// # }
    /// ```
    #[must_use]
    pub fn handle<F, Form>(self, function: F) -> Self
    where
        F: AsyncFunction<S, Form>,
    {
        let handler = function.into_handler(self.state.0.clone());
        self.handler(F::Payload::JOB_TYPE, handler)
    }

    /// Runs a blocking function, as [`Worker::handle_blocking`] of a worker without state does. It takes the payload
    /// and the attempt, and the [`State`] if it needs it.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError, Job, Queue, State, Worker};
    /// # use std::path::PathBuf;
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Remove { name: String }
    /// fn remove(remove: Remove, _: CurrentAttempt, State(root): State<PathBuf>) -> Result<(), HandlerError> {
    ///     Ok(std::fs::remove_file(root.join(remove.name))?)
    /// }
    ///
    /// # fn example(queue: &Queue) {
    /// let worker = Worker::new(queue).state(PathBuf::from("/srv/files")).handle_blocking(remove);
    /// # }
    /// ```
    #[must_use]
    pub fn handle_blocking<F, Form>(self, function: F) -> Self
    where
        F: BlockingFunction<S, Form>,
    {
        let handler = function.into_handler(self.state.0.clone());
        self.handler(F::Payload::JOB_TYPE, handler)
    }
}

impl<S> Worker<S> {
    /// Hands this state to the handlers that are added after it, as their third argument. It is cloned for each
    /// attempt, so put large parts into an [`Arc`].
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError, Job, Queue, State, Worker};
    /// # use std::sync::Arc;
    /// # struct App;
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Mail { to: String }
    /// async fn send(mail: Mail, _: CurrentAttempt, State(app): State<Arc<App>>) -> Result<(), HandlerError> {
    ///     Ok(())
    /// }
    ///
    /// # fn example(queue: &Queue) {
    /// let worker = Worker::new(queue).state(Arc::new(App)).handle(send);
    /// # }
    /// ```
    #[must_use]
    pub fn state<N: Clone + Send + Sync + 'static>(self, state: N) -> Worker<State<N>> {
        let Self { queue, registry, settings, log_limits, clock, gate, schedules, schedule_source, limits, state: _ } =
            self;
        let state = State(state);
        Worker { queue, registry, settings, log_limits, clock, gate, schedules, schedule_source, limits, state }
    }

    /// Runs a handler of any kind on the jobs of a type.
    ///
    /// ```
    /// use longshore::handler::{AttemptResult, BoxFuture, Handler};
    /// use longshore::{CurrentAttempt, Done, Queue, Worker};
    ///
    /// /// Keeps the payload as the result.
    /// struct Echo;
    ///
    /// impl Handler for Echo {
    ///     fn run(&self, attempt: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
    ///         Box::pin(async move { Ok(Done::with(attempt.payload())?) })
    ///     }
    /// }
    ///
    /// # fn example(queue: &Queue) {
    /// let worker = Worker::new(queue).handler("echo", std::sync::Arc::new(Echo));
    /// # }
    /// ```
    #[must_use]
    pub fn handler(mut self, job_type: impl Into<String>, handler: Arc<dyn Handler>) -> Self {
        self.registry.add(job_type.into(), handler);
        self
    }

    /// Changes the rules for the attempts of a type whose handler was given before. For any other type the worker does
    /// not start ([`WorkerError::PolicyWithoutHandler`](crate::WorkerError::PolicyWithoutHandler)).
    ///
    /// ```
    /// # use longshore::{Job, Queue, Worker};
    /// # use std::time::Duration;
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Mail { to: String }
    /// # fn example(queue: &Queue) {
    /// let worker = Worker::new(queue)
    ///     .handle(|_: Mail, _| async { Ok(()) })
    ///     .policy("mail", |policy| policy.timeout(Duration::from_secs(30)).grace(Duration::from_secs(2)));
    /// # }
    /// ```
    #[must_use]
    pub fn policy(mut self, job_type: &str, change: impl FnOnce(HandlerPolicy) -> HandlerPolicy) -> Self {
        self.registry.change_policy(job_type, change);
        self
    }

    /// Sets the delays before the retries of a type whose handler was given before.
    ///
    /// ```
    /// # use longshore::{Job, Queue, RetryPolicy, Worker};
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Mail { to: String }
    /// # fn example(queue: &Queue) {
    /// let worker = Worker::new(queue).handle(|_: Mail, _| async { Ok(()) }).retry("mail", RetryPolicy::default());
    /// # }
    /// ```
    #[must_use]
    pub fn retry(self, job_type: &str, retry: RetryPolicy) -> Self {
        self.policy(job_type, |policy| policy.retry(retry))
    }

    /// Chooses the failure type of an error type, once for all handlers. The type decides whether the job is retried.
    ///
    /// When a handler fails, each error of its chain is looked at, the outermost first. The first one that has a rule
    /// decides, also inside `anyhow::Error`, an [`Arc`] or a [`Box`]. Without a rule, I/O errors count by their kind,
    /// decoding errors as validation, and all others as unknown ([`FailureType::of_error`]). A second rule for a type
    /// replaces the first.
    ///
    /// ```
    /// # use longshore::{Job, Queue, Worker};
    /// use longshore::FailureType;
    ///
    /// #[derive(Debug, thiserror::Error)]
    /// #[error("the mail server answered {code}")]
    /// struct SmtpError {
    ///     code: u16,
    /// }
    ///
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # #[job(max_retries = 0)]
    /// # struct Mail;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let queue = longshore::testing::ScratchQueue::open().await?;
    /// # let id = queue.enqueue(&Mail).await?.id;
    /// let worker = Worker::new(&queue)
    ///     .classify::<SmtpError>(|error| match error.code {
    ///         500.. => FailureType::ValidationError,
    ///         _ => FailureType::NetworkError,
    ///     })
    ///     .handle(|_: Mail, _| async { Err::<(), _>(SmtpError { code: 550 }.into()) });
    /// # worker.run_until_drained().await?;
    /// # let job = queue.job(id).await?.ok_or("gone")?.job;
    /// # assert_eq!(job.failure_type.as_deref(), Some("validation_error"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn classify<E: StdError + 'static>(mut self, rule: impl Fn(&E) -> FailureType + Send + Sync + 'static) -> Self {
        self.registry.classes.add(rule);
        self
    }

    /// Adds a middleware around every attempt of every type. The first one is the outermost.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, Middleware, Queue, Worker};
    /// # use longshore::handler::{BoxFuture, Outcome};
    /// /// Prints the outcome of every attempt.
    /// struct Outcomes;
    ///
    /// impl Middleware for Outcomes {
    ///     fn after<'a>(&'a self, attempt: &'a CurrentAttempt, outcome: &'a Outcome) -> BoxFuture<'a, ()> {
    ///         println!("{} {}", attempt.id(), outcome.status());
    ///         Box::pin(async {})
    ///     }
    /// }
    ///
    /// # fn example(queue: &Queue) {
    /// let worker = Worker::new(queue).middleware(Outcomes);
    /// # }
    /// ```
    #[must_use]
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.registry.add_middleware(Arc::new(middleware));
        self
    }
}
