//! Jobs that wait for each other, enqueued together as a batch.
//!
//! Start with [`Workflow`]. What a step returns is read by those after it with
//! [`CurrentAttempt::dependency`](crate::CurrentAttempt::dependency).

mod after;
mod dependency_list;
mod draft;
mod handler_dependencies;
mod queue_batches;

pub use after::After;
pub use draft::{Workflow, WorkflowStep};
pub use handler_dependencies::DependencyError;
pub use longshore_core::{
    BatchCounts, BatchId, BatchRecord, BatchRole, BatchStatus, Dependency, DependencyState, DependencyTarget,
    EnqueuedWorkflow, InvalidBatchId, InvalidWorkflow, Needs, Otherwise, UnknownBatchStatus, WorkflowPlace,
};

pub(crate) use dependency_list::{DependencyList, dependencies_of, read_dependencies};
