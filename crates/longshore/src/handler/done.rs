use std::any::Any;
use std::time::Duration;

use longshore_core::{Failure, FailureType, InvalidJobData, JobData};
use serde::Serialize;

use crate::AttemptResult;

/// The result of a handler that did not fail.
///
/// Most handlers return `()` or a value that is kept with the job, see [`IntoDone`].
///
/// ```
/// use longshore::{CurrentAttempt, Done, HandlerError};
/// use std::time::Duration;
/// # use longshore::{Job, testing};
/// # #[derive(Job, serde::Serialize, serde::Deserialize)]
/// # struct Poll { done: bool }
///
/// async fn poll(poll: Poll, _: CurrentAttempt) -> Result<Done, HandlerError> {
///     if !poll.done {
///         return Ok(Done::snooze(Duration::from_secs(60)));
///     }
///     Ok(Done::with(&"all 12 parts are there")?)
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let trial = testing::run_inline(poll, &Poll { done: false }).await?;
/// # assert_eq!(trial.result, Ok(Done::snooze(Duration::from_secs(60))));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// The job is complete.
    Completed {
        /// The result, kept with the job.
        result: Option<JobData>,
    },
    /// The handler completed the job itself, in its own committed transaction (`Queue::complete_in`). If the
    /// transaction did not commit, the attempt has failed.
    Committed,
    /// The job runs again later; the attempt is not counted.
    Snoozed {
        /// How much later.
        delay: Duration,
    },
}

impl Done {
    /// Completed, with a result that is kept with the job.
    pub fn with<T: Serialize + ?Sized>(result: &T) -> Result<Self, InvalidJobData> {
        Ok(Self::Completed { result: Some(JobData::encode(result)?) })
    }

    /// Run again later.
    pub const fn snooze(delay: Duration) -> Self {
        Self::Snoozed { delay }
    }
}

/// What a typed handler may return on success: [`Done`], a `Completion`, or any value that implements
/// [`Serialize`](serde::Serialize). The value is kept with the job as its result. JSON `null`, such as `()` and `None`,
/// is no result.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}` as its result",
    label = "not a result",
    note = "return `()`, `Done`, a `Completion`, or a value that implements `serde::Serialize`"
)]
pub trait IntoDone: Send + 'static {
    /// Converts to the result of the attempt. Err if the value cannot be encoded as JSON.
    fn into_done(self) -> AttemptResult;
}

impl IntoDone for Done {
    fn into_done(self) -> AttemptResult {
        Ok(self)
    }
}

impl<T: Serialize + Send + 'static> IntoDone for T {
    fn into_done(self) -> AttemptResult {
        Ok(Done::Completed { result: encoded(self)? })
    }
}

/// The type is known at compile time, so the common ones cost no encoding.
fn encoded<T: Serialize + 'static>(value: T) -> Result<Option<JobData>, Failure> {
    let mut value = Some(value);
    let any: &mut dyn Any = &mut value;
    if any.is::<Option<()>>() {
        return Ok(None);
    }
    if let Some(data) = any.downcast_mut::<Option<JobData>>() {
        return Ok(data.take());
    }
    if let Some(data) = any.downcast_mut::<Option<Option<JobData>>>() {
        return Ok(data.take().flatten());
    }
    let data = JobData::encode(&value).map_err(|error| {
        // The job's work is done, and its result would be the same again.
        Failure::new(FailureType::ValidationError, format!("the result of the handler is {error}"))
    })?;
    Ok(Some(data).filter(|data| data.as_str() != "null"))
}
