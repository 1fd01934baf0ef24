use std::time::{Duration, Instant};

use longshore_core::{Explanation, Interest, JobDetail, JobId, StoreError, explain};
use tokio::task::coop::unconstrained;

use crate::runtime::{alarm, park};
use crate::{Queue, QueueError};

/// How often a wait reads the job if no wake-up comes.
const POLL: Duration = Duration::from_secs(1);

impl Queue {
    /// One job with its attempts. `None` if it does not exist.
    ///
    /// ```
    /// # use longshore::{Queue, job::JobId};
    /// # async fn example(queue: &Queue, id: JobId) -> Result<(), Box<dyn std::error::Error>> {
    /// if let Some(detail) = queue.job(id).await? {
    ///     println!("{} after {} attempts", detail.job.status, detail.attempts.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn job(&self, id: JobId) -> Result<Option<JobDetail>, StoreError> {
        self.backend.job(id).await
    }

    /// [`Queue::job`] for code that is not async.
    ///
    /// ```
    /// # use longshore::{Queue, job::JobId};
    /// # fn example(queue: &Queue, id: JobId) -> Result<(), Box<dyn std::error::Error>> {
    /// let detail = queue.job_blocking(id)?.ok_or("there is no such job")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn job_blocking(&self, id: JobId) -> Result<Option<JobDetail>, StoreError> {
        park::block_on(self.job(id))
    }

    /// Why a job is not running, or that it is: one reason that counts now, and what else will keep it. `None` if there is
    /// no such job. Changes nothing.
    ///
    /// ```
    /// # use longshore::{Queue, job::JobId};
    /// # async fn example(queue: &Queue, id: JobId) -> Result<(), Box<dyn std::error::Error>> {
    /// let explanation = queue.explain(id).await?.ok_or("there is no such job")?;
    /// println!("job {id} is {}: {}", explanation.status, explanation.reason.message);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn explain(&self, id: JobId) -> Result<Option<Explanation>, StoreError> {
        Ok(self.backend.waiting_facts(id).await?.as_ref().map(explain))
    }

    /// Waits until the job has ended, and returns it. If `timeout` is over before that, the answer is
    /// [`QueueError::WaitTimedOut`].
    ///
    /// It uses the machine's time, even in a runtime whose time is paused.
    ///
    /// ```
    /// # use longshore::{Queue, Status, job::JobId};
    /// # use std::time::Duration;
    /// # async fn example(queue: &Queue, id: JobId) -> Result<(), Box<dyn std::error::Error>> {
    /// let detail = queue.wait(id, Duration::from_secs(60)).await?;
    /// match detail.job.status {
    ///     Status::Completed => println!("result: {:?}", detail.job.result.map(|result| result.decode::<u64>())),
    ///     status => println!("{status}: {:?}", detail.job.error_message),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait(&self, id: JobId, timeout: Duration) -> Result<JobDetail, QueueError> {
        // Selecting between two futures uses up a Tokio task's budget, which another executor does not renew.
        unconstrained(self.wait_for(id, timeout)).await
    }

    /// [`Queue::wait`] for code that is not async.
    ///
    /// ```
    /// # use longshore::{Queue, job::JobId};
    /// # use std::time::Duration;
    /// # fn example(queue: &Queue, id: JobId) -> Result<(), Box<dyn std::error::Error>> {
    /// let detail = queue.wait_blocking(id, Duration::from_secs(60))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_blocking(&self, id: JobId, timeout: Duration) -> Result<JobDetail, QueueError> {
        park::block_on(self.wait(id, timeout))
    }

    async fn wait_for(&self, id: JobId, timeout: Duration) -> Result<JobDetail, QueueError> {
        // `None` means no deadline, or one too far away for an instant.
        let deadline = Instant::now().checked_add(timeout);
        let mut wakeups = self.backend.wakeups(Interest::Anything);
        loop {
            let detail = self.backend.job(id).await?.ok_or(QueueError::NotFound { id })?;
            let (now, status) = (Instant::now(), detail.job.status);
            if status.is_ended() {
                return Ok(detail);
            }
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Err(QueueError::WaitTimedOut { id, status, waited: timeout });
            }
            let look_at = deadline.map_or(now + POLL, |deadline| deadline.min(now + POLL));
            tokio::select! {
                _ = wakeups.changed() => {}
                waited = alarm::at(look_at) => waited.map_err(QueueError::Timer)?,
            }
        }
    }
}
