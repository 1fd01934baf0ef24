//! Workflows beside other programs, and what the steps of a large one cost.

use longshore_core::{
    BatchId, BatchStatus, EnqueuedWorkflow, JobId, Limits, Needs, NewDependency, NewWorkflow, Outcome, Status, Store,
    WorkflowBatch, WorkflowJob, Workflows,
};
use longshore_sqlite::enqueue_workflow_in;

use crate::database::{Database, job};

fn on(reference: &str) -> NewDependency {
    NewDependency::on(longshore_core::Awaited::Reference(reference.to_owned()))
}

/// A member `a`, a job `b` after it, and a callback for the end.
fn flow() -> NewWorkflow {
    let named = |reference: &str| WorkflowJob::new(job()).named(reference);
    let callback = NewDependency::needing(longshore_core::Awaited::Batch, Needs::Ended);
    NewWorkflow {
        batch: WorkflowBatch::New { name: "import".to_owned(), is_open: false },
        jobs: vec![named("a"), named("b").after(on("a")), named("done").after(callback)],
    }
}

async fn enqueue(database: &Database, workflow: NewWorkflow) -> EnqueuedWorkflow {
    let workflow = workflow.check(&Limits::default()).unwrap();
    database.store.enqueue_workflow(workflow).await.unwrap()
}

async fn advance(database: &Database) {
    for _ in 0..1000 {
        let advanced = database.store.advance_workflows().await.unwrap();
        if advanced.moved == 0 && !advanced.has_more {
            return;
        }
    }
    panic!("there is always another step");
}

async fn status(database: &Database, id: JobId) -> Status {
    database.job(id).await.status
}

async fn batch_status(database: &Database, id: Option<BatchId>) -> BatchStatus {
    database.store.batch(id.unwrap()).await.unwrap().unwrap().status
}

#[tokio::test]
async fn what_plain_sql_does_to_members_is_followed_up() {
    let ended = "completed_at = 1700000000001";
    for (statement, b, expected) in [
        (
            format!("UPDATE job_queue SET status = 'completed', {ended} WHERE id = ?1"),
            Some(Status::Pending),
            BatchStatus::Running,
        ),
        (
            format!("UPDATE job_queue SET status = 'cancelled', {ended} WHERE id = ?1"),
            Some(Status::DeadLetter),
            BatchStatus::Failed,
        ),
        ("DELETE FROM job_queue WHERE id = ?1".to_owned(), Some(Status::DeadLetter), BatchStatus::Failed),
        ("DELETE FROM job_queue WHERE id >= ?1".to_owned(), None, BatchStatus::Failed),
    ] {
        let database = Database::new();
        let flow = enqueue(&database, flow()).await;
        database.foreign().execute(&statement, [flow.ids["a"].0]).unwrap();
        advance(&database).await;
        if let Some(b) = b {
            assert_eq!(status(&database, flow.ids["b"]).await, b, "{statement}");
        }
        assert_eq!(batch_status(&database, flow.batch_id).await, expected, "{statement}");
        database.assert_counts_are_true();
        assert_eq!(database.number("SELECT count(*) FROM job_followups"), 0, "{statement}");
    }
}

#[tokio::test]
async fn a_member_that_is_replaced_under_another_id_counts_as_deleted() {
    let database = Database::new();
    let mut workflow = flow();
    workflow.jobs[0].job.unique_key = Some("k".to_owned());
    let flow = enqueue(&database, workflow).await;
    let replace = "INSERT OR REPLACE INTO job_queue (job_type, unique_key) VALUES ('work', 'k')";
    database.foreign().execute_batch(&format!("PRAGMA foreign_keys = OFF; {replace}")).unwrap();
    // A replaced row is noted by the trigger before the row, and counted off after it.
    advance(&database).await;
    assert_eq!(status(&database, flow.ids["b"]).await, Status::DeadLetter);
    assert_eq!(batch_status(&database, flow.batch_id).await, BatchStatus::Failed);
}

#[tokio::test]
async fn a_waiting_job_that_plain_sql_blocks_without_need_is_released() {
    let database = Database::new();
    let worker_id = database.worker().await;
    let flow = enqueue(&database, flow()).await;
    let lease = database.claim_one(&worker_id).await;
    database.record(&worker_id, &lease, Outcome::Completed { result: None }).await;
    assert_eq!(status(&database, flow.ids["b"]).await, Status::Pending);
    database.foreign().execute("UPDATE job_queue SET status = 'blocked' WHERE id = ?1", [flow.ids["b"].0]).unwrap();
    assert_eq!(status(&database, flow.ids["b"]).await, Status::Blocked);
    advance(&database).await;
    assert_eq!(status(&database, flow.ids["b"]).await, Status::Pending);
}

#[tokio::test]
async fn a_workflow_is_enqueued_in_the_transaction_of_an_application() {
    let database = Database::new();
    let worker_id = database.worker().await;
    let older = database.enqueue(job()).await;
    let lease = database.claim_one(&worker_id).await;
    database.record(&worker_id, &lease, Outcome::Completed { result: None }).await;
    let mut foreign = database.foreign();
    let make = |older: JobId| {
        let mut workflow = flow();
        let after = NewDependency::on(longshore_core::Awaited::Job(older));
        workflow.jobs.push(WorkflowJob::new(job()).named("late").after(after));
        workflow
    };
    let transaction = foreign.transaction().unwrap();
    enqueue_workflow_in(&transaction, make(older)).unwrap();
    transaction.rollback().unwrap();
    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 1);
    let transaction = foreign.transaction().unwrap();
    let error = enqueue_workflow_in(&transaction, make(JobId(4_000))).unwrap_err();
    assert_eq!(error.code(), "unknown_dependency");
    let flow = enqueue_workflow_in(&transaction, make(older)).unwrap();
    transaction.commit().unwrap();
    assert_eq!(database.number("SELECT count(*) FROM job_batches"), 1);
    assert_eq!(status(&database, flow.ids["b"]).await, Status::Blocked);
    advance(&database).await;
    assert_eq!(status(&database, flow.ids["late"]).await, Status::Pending);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn an_empty_batch_of_an_application_completes_with_the_next_step() {
    let database = Database::new();
    let empty =
        NewWorkflow { batch: WorkflowBatch::New { name: "nothing".to_owned(), is_open: false }, jobs: Vec::new() };
    let flow = enqueue_workflow_in(&database.foreign(), empty).unwrap();
    advance(&database).await;
    let batch = database.store.batch(flow.batch_id.unwrap()).await.unwrap().unwrap();
    assert!(batch.status == BatchStatus::Completed && batch.ended_at.is_some(), "{batch:?}");
}

#[tokio::test]
async fn the_end_of_a_job_moves_few_of_many_that_wait_for_it() {
    let database = Database::new();
    let worker_id = database.worker().await;
    let mut workflow = flow();
    workflow
        .jobs
        .extend((0..5_000).map(|number| WorkflowJob::new(job()).named(format!("part {number}")).after(on("a"))));
    enqueue(&database, workflow).await;
    let lease = database.claim_one(&worker_id).await;
    database.record(&worker_id, &lease, Outcome::Completed { result: None }).await;
    let pending = || database.number("SELECT count(*) FROM job_queue WHERE status = 'pending'");
    assert!((1..=100).contains(&pending()), "{}", pending());
    // A search for dead workers takes several steps, each a transaction of its own.
    let reclaimed = database.store.reclaim().await.unwrap();
    assert!((1_000..=6_000).contains(&pending()), "{}", pending());
    assert!(reclaimed.next <= std::time::Duration::from_millis(250));
    advance(&database).await;
    assert_eq!(pending(), 5_001);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_look_at_workflows_writes_nothing_when_there_is_nothing_to_do() {
    let database = Database::new();
    enqueue(&database, flow()).await;
    advance(&database).await;
    let foreign = database.foreign();
    let version = || foreign.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).unwrap();
    let before = version();
    for _ in 0..10 {
        database.store.advance_workflows().await.unwrap();
        database.store.reclaim().await.unwrap();
    }
    assert_eq!(version(), before);
}
