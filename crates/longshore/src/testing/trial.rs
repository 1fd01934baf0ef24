use longshore_core::{Failure, Filter, JobPageRequest, NewJob, Progress, Selection, Status};

use super::{AttemptProbe, EnqueueRecorder};
use crate::handler::typed_handler::AsyncHandler;
use crate::{CurrentAttempt, Done, Handler, HandlerError, IntoDone, Payload, Queue, QueueError};

/// The result of running a handler on one payload.
#[derive(Debug)]
pub struct Trial {
    /// What the handler returned.
    pub result: Result<Done, Failure>,
    /// What the handler enqueued, in order.
    pub enqueued: Vec<NewJob>,
    /// What the handler logged.
    pub log: String,
    /// The last progress that the handler reported.
    pub progress: Option<Progress>,
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
    let (recorder, queue) = EnqueueRecorder::queue();
    let probe = AttemptProbe::new(payload.to_job()?, queue);
    let result = AsyncHandler::new(function).run(probe.attempt()).await.map_err(HandlerError::into_failure);
    Ok(Trial { result, enqueued: recorder.jobs(), log: probe.log(), progress: probe.progress().pop() })
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
    let page = queue.backend().jobs(JobPageRequest { selection, after: None, limit: WAITING_MAX }).await?;
    let oldest_first = page.jobs.into_iter().rev();
    oldest_first.map(|job| job.job_data.decode().map_err(QueueError::Encode)).collect()
}
