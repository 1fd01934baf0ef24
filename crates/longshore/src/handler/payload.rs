use longshore_core::{InvalidJobData, NewJob};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::handler::HandlerPolicy;

/// A type whose values are the payloads of one job type. `#[derive(Job)]` implements it; by hand it looks like this.
///
/// ```
/// use longshore::{NewJob, Payload, Priority, RetryPolicy};
/// use longshore::handler::HandlerPolicy;
/// use std::time::Duration;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Welcome {
///     user: u64,
/// }
///
/// impl Payload for Welcome {
///     const JOB_TYPE: &'static str = "welcome";
///
///     fn configure(&self, job: NewJob) -> NewJob {
///         job.queue("mail").priority(Priority::HIGH).max_retries(5).unique_key(format!("welcome:{}", self.user))
///     }
///
///     fn policy(policy: HandlerPolicy) -> HandlerPolicy {
///         policy.timeout(Duration::from_secs(30)).retry(RetryPolicy::default())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a job's payload",
    label = "not a payload",
    note = "add `#[derive(longshore::Job, serde::Serialize, serde::Deserialize)]` to it, or implement \
            `longshore::Payload`"
)]
pub trait Payload: Serialize + DeserializeOwned + Send + 'static {
    /// The job type; it selects the handler.
    const JOB_TYPE: &'static str;

    /// Changes the defaults for jobs with this payload: queue, priority, retries, times, unique key.
    fn configure(&self, job: NewJob) -> NewJob {
        job
    }

    /// Changes the rules for attempts with this payload: timeout, delays of the retries, grace period.
    /// [`Worker::policy`](crate::Worker::policy) may change them again for one worker.
    fn policy(policy: HandlerPolicy) -> HandlerPolicy {
        policy
    }

    /// The job that [`Queue::enqueue`](crate::Queue::enqueue) would enqueue, so that it can be changed for one call.
    fn to_job(&self) -> Result<NewJob, InvalidJobData> {
        Ok(self.configure(NewJob::encode(Self::JOB_TYPE, self)?))
    }
}
