//! A user can name the types of every call: those of its arguments, its answer, its errors and their fields.

use longshore::backend::BatchesRequest;
use longshore::job::JobDetail;
use longshore::workflow::{BatchId, BatchRecord, BatchRole, InvalidBatchId, InvalidWorkflow, WorkflowPlace};
use longshore::{Queue, StoreError};

/// It compiles only if each of these has a public name.
#[test]
fn every_type_of_the_traits_of_a_store_has_a_name() {
    #[expect(unused_imports, reason = "only the names matter")]
    use longshore::backend::{
        Advanced, Ancestor, AuditTrail, Awaited, BatchChange, BatchJob, BatchJobPage, BatchJobsRequest, ChangeBatch,
        ChangeLimit, ChangedBatch, Condition, Console, DeedAction, DependenciesRequest, Dependent, Dependents,
        DependentsRequest, Fence, HELD_LEASES_MAX, HeartbeatSession, JobFacts, Limiting, LongAttempt, MovePhase,
        MoveState, NewDependency, NewSignal, NewWorkflow, Presence, RunningMember, ScheduleFit, ScheduleRow, Schedules,
        Store, StoredPiece, TickRetention, TickRun, TicksOfRecord, Tokens, UnknownDeedAction, ValidWorkflow,
        ValidWorkflowJob, WorkerFacts, WorkflowBatch, WorkflowCheck, WorkflowJob, WorkflowStream, Workflows,
        WriteReading,
    };
    #[expect(unused_imports, reason = "only the names matter")]
    use longshore::{
        limits::Arrival, limits::Pace, measures::HistogramReading, schedule::UnknownScheduleWord,
        workflow::UnknownBatchStatus,
    };
}

#[test]
fn the_errors_of_batches_can_be_matched() {
    let invalid: Result<BatchId, InvalidBatchId> = "none".parse();
    assert!(invalid.is_err());
    let error = StoreError::InvalidWorkflow(InvalidWorkflow::NeedsBatch { what: "a batch" });
    assert!(matches!(error, StoreError::InvalidWorkflow(InvalidWorkflow::NeedsBatch { .. })));
}

/// The calls that a program makes below a queue, with a name for each argument and answer.
#[test]
fn the_calls_below_a_queue_can_be_written_with_their_types() {
    async fn batches(queue: &Queue) -> Result<Vec<BatchRecord>, StoreError> {
        let request = BatchesRequest { statuses: None, before: None, limit: 10 };
        queue.backend().batches(request).await
    }
    fn role(detail: &JobDetail) -> Option<BatchRole> {
        let place: &WorkflowPlace = &detail.place;
        place.batch_role
    }
    let _ = (batches, role);
}
