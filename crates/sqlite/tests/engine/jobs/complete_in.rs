//! Completing a job in the transaction of its handler.

use std::time::Duration;

use longshore_core::{Action, JobData, Lease, LogRequest, NewJob, Outcome, Recorded, Selection, Status, WorkerId};
use longshore_core::{Clock, Console, Store, SystemClock};
use longshore_sqlite::rusqlite::{Connection, config::DbConfig};
use longshore_sqlite::{AttemptSuccess, CompleteError, complete_in, enqueue_in};

use crate::database::{Database, START, job};

/// Completes the attempt of a lease on the caller's connection, one second after its start.
fn complete(connection: &Connection, worker_id: &WorkerId, lease: &Lease) -> Result<(), CompleteError> {
    let result = JobData::parse(r#"{"pages":4}"#).unwrap();
    let success = AttemptSuccess {
        worker_id,
        id: lease.id,
        claim_number: lease.claim_number,
        ran: Some(Duration::from_secs(1)),
        result: Some(&result),
    };
    complete_in(connection, &success)
}

async fn running(database: &Database, job: NewJob) -> (WorkerId, Lease) {
    database.enqueue(job).await;
    let worker_id = database.worker().await;
    let lease = database.claim_one(&worker_id).await;
    (worker_id, lease)
}

#[tokio::test]
async fn a_job_is_completed_if_and_only_if_the_callers_transaction_commits() {
    let database = Database::new();
    let (worker_id, lease) = running(&database, job()).await;
    let mut connection = database.foreign();

    let transaction = connection.transaction().unwrap();
    complete(&transaction, &worker_id, &lease).unwrap();
    transaction.rollback().unwrap();
    assert_eq!(database.job(lease.id).await.status, Status::Running);

    let before = SystemClock::new().now();
    let transaction = connection.transaction().unwrap();
    complete(&transaction, &worker_id, &lease).unwrap();
    transaction.commit().unwrap();

    let job = database.job(lease.id).await;
    assert_eq!((job.status, job.result.as_ref().map(JobData::as_str)), (Status::Completed, Some(r#"{"pages":4}"#)));
    // The clock of the machine that the caller's connection is on.
    let (started_at, completed_at) = (job.started_at.unwrap(), job.completed_at.unwrap());
    assert_eq!(completed_at.since(started_at), Duration::from_secs(1));
    assert!((before..=SystemClock::new().now()).contains(&completed_at), "{job:?}");
    database.assert_counts_are_true();
}

#[tokio::test]
async fn the_minute_of_the_end_tells_how_long_it_waited_and_ran() {
    let database = Database::new();
    let (worker_id, lease) = running(&database, job()).await;
    let mut connection = database.foreign();
    let transaction = connection.transaction().unwrap();
    complete(&transaction, &worker_id, &lease).unwrap();
    transaction.commit().unwrap();

    let waited = database.job(lease.id).await.started_at.unwrap().since(START);
    assert_eq!(database.number("SELECT completed * 10000 + ran_ms FROM job_minutes"), 11_000);
    assert_eq!(u128::try_from(database.number("SELECT waited_ms FROM job_minutes")).unwrap(), waited.as_millis());
}

#[tokio::test]
async fn the_outcome_of_a_worker_afterwards_is_fenced_and_changes_nothing() {
    let database = Database::new();
    let (worker_id, lease) = running(&database, job()).await;
    let mut connection = database.foreign();
    let transaction = connection.transaction().unwrap();
    complete(&transaction, &worker_id, &lease).unwrap();
    transaction.commit().unwrap();
    let before = database.job(lease.id).await;

    assert_eq!(database.record(&worker_id, &lease, Outcome::Returned).await, Recorded::Fenced);

    assert_eq!(database.job(lease.id).await, before);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn after_a_rollback_the_worker_records_what_the_handler_returned() {
    let database = Database::new();
    let (worker_id, lease) = running(&database, job()).await;
    let mut connection = database.foreign();
    let transaction = connection.transaction().unwrap();
    complete(&transaction, &worker_id, &lease).unwrap();
    drop(transaction);

    assert_eq!(database.record(&worker_id, &lease, Outcome::Cancelled).await, Recorded::Recorded);

    assert_eq!(database.job(lease.id).await.status, Status::Cancelled);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn children_run_after_the_commit_and_a_unique_key_is_free() {
    let database = Database::new();
    let (worker_id, lease) = running(&database, job().unique_key("k")).await;
    let child = database.enqueue(job().parent(lease.id)).await;
    let grandchild = database.enqueue(job().parent(child)).await;
    let mut connection = database.foreign();

    let transaction = connection.transaction().unwrap();
    complete(&transaction, &worker_id, &lease).unwrap();
    let next = enqueue_in(&transaction, &job().unique_key("k")).unwrap();
    transaction.commit().unwrap();

    assert!(!next.is_duplicate);
    assert_eq!(database.job(grandchild).await.status, Status::Blocked);
    let claimed = database.claim(&worker_id, 9).await.leases;
    assert_eq!(claimed.iter().map(|lease| lease.id).collect::<Vec<_>>(), [child, next.id]);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_lost_lease_completes_nothing_and_leaves_the_transaction_as_it_was() {
    let database = Database::new();
    let (worker_id, lease) = running(&database, job()).await;
    database.record(&worker_id, &lease, Outcome::Returned).await;
    let second = database.claim_one(&worker_id).await;
    let other = database.worker().await;
    let mut connection = database.foreign();
    connection.execute_batch("CREATE TABLE pages (number INTEGER)").unwrap();

    let transaction = connection.transaction().unwrap();
    transaction.execute("INSERT INTO pages VALUES (1)", []).unwrap();
    let stale = complete(&transaction, &worker_id, &lease).unwrap_err();
    let foreign = complete(&transaction, &other, &second).unwrap_err();
    transaction.commit().unwrap();

    assert!(matches!(stale, CompleteError::NotRunning { id } if id == lease.id), "{stale}");
    assert!(matches!(foreign, CompleteError::NotRunning { .. }), "{foreign}");
    assert_eq!(database.number("SELECT count(*) FROM pages"), 1);
    assert_eq!(database.job(lease.id).await.status, Status::Running);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_second_call_says_that_the_job_is_completed_already() {
    let database = Database::new();
    let (worker_id, lease) = running(&database, job()).await;
    let mut connection = database.foreign();
    let transaction = connection.transaction().unwrap();
    complete(&transaction, &worker_id, &lease).unwrap();

    let again = complete(&transaction, &worker_id, &lease).unwrap_err();
    transaction.commit().unwrap();

    assert!(matches!(again, CompleteError::AlreadyCompleted { .. }), "{again}");
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_connection_that_cannot_keep_the_promise_is_refused() {
    let database = Database::new();
    let (worker_id, lease) = running(&database, job()).await;

    let mut connection = database.foreign();
    let refused = complete(&connection, &worker_id, &lease).unwrap_err();
    assert!(matches!(refused, CompleteError::NoTransaction { .. }), "{refused}");

    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
    let transaction = connection.transaction().unwrap();
    let refused = complete(&transaction, &worker_id, &lease).unwrap_err();
    assert!(matches!(refused, CompleteError::TriggersOff { .. }), "{refused}");

    let mut elsewhere = Connection::open_in_memory().unwrap();
    let transaction = elsewhere.transaction().unwrap();
    let refused = complete(&transaction, &worker_id, &lease).unwrap_err();
    assert!(matches!(refused, CompleteError::OtherDatabase { .. }), "{refused}");

    assert_eq!(database.job(lease.id).await.status, Status::Running);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_transaction_that_cannot_write_any_more_is_told_in_words() {
    let database = Database::new();
    let (worker_id, lease) = running(&database, job()).await;
    let mut connection = database.foreign();
    connection.busy_timeout(Duration::from_millis(1)).unwrap();
    let transaction = connection.transaction().unwrap();
    transaction.query_row("SELECT count(*) FROM job_queue", [], |row| row.get::<_, i64>(0)).unwrap();
    database.enqueue(job()).await;

    let refused = complete(&transaction, &worker_id, &lease).unwrap_err();

    assert!(refused.to_string().contains("is locked"), "{refused}");
    drop(transaction);
    assert_eq!(database.job(lease.id).await.status, Status::Running);
}

#[tokio::test]
async fn a_cancellation_that_was_asked_for_meanwhile_comes_too_late() {
    let database = Database::new();
    let (worker_id, lease) = running(&database, job()).await;
    let mut connection = database.foreign();
    database.store.act(Selection::job(lease.id), Action::Cancel).await.unwrap();

    let transaction = connection.transaction().unwrap();
    complete(&transaction, &worker_id, &lease).unwrap();
    transaction.commit().unwrap();

    assert_eq!(database.job(lease.id).await.status, Status::Completed);
    assert_eq!(database.store.cancel_requests(worker_id).await.unwrap(), []);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_job_that_was_completed_so_can_be_retried_and_keeps_its_history() {
    let database = Database::new();
    let (worker_id, lease) = running(&database, job()).await;
    let mut connection = database.foreign();
    let transaction = connection.transaction().unwrap();
    complete(&transaction, &worker_id, &lease).unwrap();
    transaction.commit().unwrap();

    let completed = database.job(lease.id).await;
    let told = (completed.started_at, completed.completed_at);

    database.store.act(Selection::job(lease.id), Action::Retry).await.unwrap();

    let detail = database.detail(lease.id).await;
    assert_eq!((detail.job.status, detail.attempts.len()), (Status::Pending, 1));
    assert_eq!((detail.attempts[0].started_at, detail.attempts[0].finished_at), told);
    assert!(
        database.store.log(LogRequest { id: lease.id, attempt: None, after: None }).await.unwrap().entries.is_empty()
    );
    database.assert_counts_are_true();
}
