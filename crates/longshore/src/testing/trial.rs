use std::collections::BTreeMap;
use std::time::Duration;

use longshore_core::{Failure, Filter, JobData, JobPageRequest, NewJob, Progress, Selection, Status};

use super::{AttemptProbe, EnqueueRecorder};
use crate::handler::Handler;
use crate::handler::handler_error::Effect;
use crate::handler::state::AsyncFunction;
use crate::handler::typed_handler::AsyncHandler;
use crate::{CurrentAttempt, Done, HandlerError, IntoDone, Payload, Queue, QueueError};

/// The result of running a handler on one payload.
#[derive(Debug)]
pub struct Trial {
    /// What the handler returned.
    pub result: Result<Done, Failure>,
    /// The delay before the next attempt, if the handler chose it ([`HandlerError::retry_after`]).
    pub retry_after: Option<Duration>,
    /// For how long the other side asked to slow down, if the handler said so ([`HandlerError::rate_limited`]).
    pub rate_limited: Option<Duration>,
    /// What the handler enqueued, in order.
    pub enqueued: Vec<NewJob>,
    /// What the handler logged.
    pub log: String,
    /// The last progress that the handler reported.
    pub progress: Option<Progress>,
    /// The last checkpoint that the handler stored.
    pub checkpoint: Option<JobData>,
    /// The results of the steps that have finished, by name.
    pub steps: BTreeMap<String, JobData>,
}

/// Runs a handler on a payload now, without a worker or a database. The payload is encoded to JSON and decoded, as in
/// production. A panic fails the test.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use longshore::{CurrentAttempt, HandlerError, Payload, testing};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Scan { folder: String }
/// impl Payload for Scan { const JOB_TYPE: &'static str = "scan"; }
///
/// async fn scan(scan: Scan, attempt: CurrentAttempt) -> Result<(), HandlerError> {
///     attempt.queue().enqueue(&Scan { folder: format!("{}/below", scan.folder) }).await?;
///     Ok(())
/// }
///
/// let trial = testing::run_inline(scan, &Scan { folder: "music".into() }).await?;
/// assert!(trial.result.is_ok());
/// assert_eq!(trial.enqueued[0].job_data.as_str(), r#"{"folder":"music/below"}"#);
/// # Ok(())
/// # }
/// ```
pub async fn run_inline<T, F, Fut, D>(function: F, payload: &T) -> Result<Trial, QueueError>
where
    T: Payload,
    F: Fn(T, CurrentAttempt) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<D, HandlerError>> + Send + 'static,
    D: IntoDone,
{
    run(&AsyncHandler::new(function), payload).await
}

/// [`run_inline`] for a handler of a worker with state.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use longshore::{CurrentAttempt, HandlerError, Job, State, testing};
///
/// #[derive(Job, serde::Serialize, serde::Deserialize)]
/// struct Greeting { name: String }
///
/// async fn greet(greeting: Greeting, _: CurrentAttempt, State(word): State<&str>) -> Result<String, HandlerError> {
///     Ok(format!("{word} {}", greeting.name))
/// }
///
/// let trial = testing::run_inline_with_state("hello", greet, &Greeting { name: "Ada".into() }).await?;
/// assert_eq!(trial.result?, longshore::Done::with("hello Ada")?);
/// # Ok(())
/// # }
/// ```
pub async fn run_inline_with_state<S, F, Form>(state: S, function: F, payload: &F::Payload) -> Result<Trial, QueueError>
where
    F: AsyncFunction<S, Form>,
{
    run(&*function.into_handler(state), payload).await
}

async fn run<T: Payload>(handler: &dyn Handler, payload: &T) -> Result<Trial, QueueError> {
    let (recorder, queue) = EnqueueRecorder::queue();
    let probe = AttemptProbe::new(payload.to_job()?, queue);
    let result = handler.run(probe.attempt()).await;
    let (retry_after, rate_limited) = match result.as_ref().err().map(HandlerError::effect) {
        Some(Effect::RetriesAfter(delay)) => (Some(delay), None),
        Some(Effect::SlowsDown(delay)) => (None, Some(delay)),
        _ => (None, None),
    };
    let result = result.map_err(HandlerError::into_failure);
    Ok(Trial {
        result,
        retry_after,
        rate_limited,
        enqueued: recorder.jobs(),
        log: probe.log(),
        progress: probe.progress().pop(),
        checkpoint: probe.checkpoint(),
        steps: probe.steps(),
    })
}

/// The maximum number of waiting jobs that are read.
const WAITING_MAX: u32 = 1000;

/// The payloads of one type that wait in a queue, in the order of the enqueues; at most a thousand.
pub async fn waiting<T: Payload>(queue: &Queue) -> Result<Vec<T>, QueueError> {
    let selection = Selection::from(
        Filter::all()
            .statuses(vec![Status::Pending, Status::Retrying, Status::Blocked])
            .job_types(vec![T::JOB_TYPE.to_owned()]),
    );
    let page =
        queue.backend().jobs(JobPageRequest { selection, after: None, limit: WAITING_MAX, looked_max: None }).await?;
    let oldest_first = page.jobs.into_iter().rev();
    oldest_first.map(|job| job.job_data.decode().map_err(QueueError::Encode)).collect()
}
