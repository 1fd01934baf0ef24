use longshore_core::{
    DependenciesRequest, Dependency, EnqueuedWorkflow, InvalidJobData, JobData, RunningMember, StoreError,
    WorkflowBatch,
};
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::workflow::Workflow;
use crate::{CurrentAttempt, QueueError};

/// Why the result of a dependency cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DependencyError {
    /// The job has no dependency of this name.
    #[error("the job waited for nothing that is called \"{name}\"")]
    Unknown {
        /// The name that was given.
        name: String,
    },
    /// The result is not what was expected.
    #[error("the result of \"{name}\" is not what was expected: {source}")]
    OtherResult {
        /// The name that was given.
        name: String,
        /// Why.
        source: InvalidJobData,
    },
    /// The store returned an error.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CurrentAttempt {
    /// The result of what the job waited for: of a step by its name, of an older job by its id, or the data of a signal. No
    /// result is JSON `null`, so an `Option` reads it. A dependency that was removed has no result.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # async fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// let path: String = attempt.dependency("fetch").await?;
    /// let approved_by: Option<String> = attempt.dependency("approved").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn dependency<T: DeserializeOwned>(&self, name: &str) -> Result<T, DependencyError> {
        let request = DependenciesRequest { id: self.id(), name: Some(name.to_owned()), result_bytes_max: usize::MAX };
        let found = self.read_dependencies(request).await?;
        let Some(dependency) = found.into_iter().next() else {
            return Err(DependencyError::Unknown { name: name.to_owned() });
        };
        let result = dependency.result.unwrap_or_else(|| JobData::from_stored("null".to_owned()));
        result.decode().map_err(|source| DependencyError::OtherResult { name: name.to_owned(), source })
    }

    /// [`CurrentAttempt::dependency`] for a handler that blocks.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// let path: String = attempt.dependency_blocking("fetch")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn dependency_blocking<T: DeserializeOwned>(&self, name: &str) -> Result<T, DependencyError> {
        crate::runtime::park::block_on(self.dependency(name))
    }

    /// All that the job waited for, in its order, without results.
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError};
    /// # async fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// for dependency in attempt.dependencies().await? {
    ///     attempt.log(&format!("{:?} is {}\n", dependency.reference, dependency.state.as_str()));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn dependencies(&self) -> Result<Vec<Dependency>, StoreError> {
        self.read_dependencies(DependenciesRequest { id: self.id(), name: None, result_bytes_max: 0 }).await
    }

    /// Adds the steps of a workflow to the batch of this job, as long as it runs. So a job may split its work into as many
    /// parts as it finds, with a step that joins them; the batch ends after them.
    ///
    /// If the attempt fails after this, its next one would add them again: give the steps unique keys, or add them in a
    /// [`step`](CurrentAttempt::step).
    ///
    /// ```
    /// # use longshore::{CurrentAttempt, HandlerError, Job, workflow::Workflow};
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Part { number: u32 }
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Join;
    /// # async fn example(attempt: CurrentAttempt) -> Result<(), HandlerError> {
    /// let mut flow = Workflow::without_batch();
    /// let parts: Vec<_> = (0..10).map(|number| flow.add(&Part { number })).collect();
    /// let mut join = flow.add(&Join);
    /// for part in parts {
    ///     join = join.after(part);
    /// }
    /// attempt.enqueue_members(flow).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn enqueue_members(&self, flow: Workflow) -> Result<EnqueuedWorkflow, QueueError> {
        let id = self.id();
        let detail = self.queue().backend().job(id).await?.ok_or(QueueError::NotFound { id })?;
        let batch = detail.place.batch_id.ok_or(QueueError::NoBatch { id })?;
        let by = RunningMember { worker_id: self.worker_id().clone(), id, claim_number: self.lease().claim_number };
        self.queue().enqueue_in_batch(flow, Some(WorkflowBatch::Existing { id: batch, by: Some(by) })).await
    }

    pub(super) async fn read_dependencies(&self, request: DependenciesRequest) -> Result<Vec<Dependency>, StoreError> {
        self.queue().backend().dependencies(request).await
    }
}
