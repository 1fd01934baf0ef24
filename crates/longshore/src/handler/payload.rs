use longshore_core::{InvalidJobData, NewJob};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A type whose values are the payloads of one job type.
///
/// ```
/// use longshore::{NewJob, Payload, Priority};
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
///         job.queue("mail").priority(Priority::HIGH)
///     }
/// }
/// ```
pub trait Payload: Serialize + DeserializeOwned + Send + 'static {
    /// The job type; it selects the handler.
    const JOB_TYPE: &'static str;

    /// Changes the defaults for jobs with this payload: queue, priority, retries, unique key.
    fn configure(&self, job: NewJob) -> NewJob {
        job
    }

    /// The job that [`Queue::enqueue`](crate::Queue::enqueue) would enqueue, so that it can be changed for one call.
    fn to_job(&self) -> Result<NewJob, InvalidJobData> {
        Ok(self.configure(NewJob::encode(Self::JOB_TYPE, self)?))
    }
}
