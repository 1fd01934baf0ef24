use std::time::Duration;

use crate::Priority;

/// What the jobs of a type get if they do not say otherwise, such as those that plain SQL inserts.
///
/// A worker registers them for each of its types, from its handlers or from the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeSettings {
    /// The job type.
    pub job_type: String,
    /// The queue. `None` means `default`.
    pub queue: Option<String>,
    /// The priority. `None` means [`Priority::NORMAL`].
    pub priority: Option<Priority>,
    /// The number of retries after the first attempt. `None` means
    /// [`RetryPolicy::RETRIES`](crate::RetryPolicy::RETRIES).
    pub max_retries: Option<u32>,
    /// The timeout of an attempt. `None` means no limit.
    pub timeout: Option<Duration>,
}

impl TypeSettings {
    /// The built-in defaults for a type.
    pub fn new(job_type: impl Into<String>) -> Self {
        Self { job_type: job_type.into(), queue: None, priority: None, max_retries: None, timeout: None }
    }
}
