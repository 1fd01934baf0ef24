//! Expiry and deadline written with plain SQL, and the cost of their index.

use std::time::Duration;

use longshore_core::{Action, Console, Outcome, Selection, Status, Store};
use longshore_sqlite::enqueue_in;
use longshore_sqlite::rusqlite::config::DbConfig;
use longshore_sqlite::rusqlite::{params_from_iter, vtab::array};

use crate::database::{Database, START, ids, job};

const SECOND: Duration = Duration::from_secs(1);

/// How many jobs a search for overdue ones must still read.
fn still_indexed(database: &Database) -> i64 {
    database.number(
        "SELECT count(*) FROM job_queue WHERE COALESCE(expires_at, deadline_at) IS NOT NULL AND overdue_seen_at IS NULL",
    )
}

#[tokio::test]
async fn plain_sql_gives_a_job_an_expiry_and_a_deadline() {
    let database = Database::new();
    let worker = database.worker().await;
    let at = START.after(5 * SECOND).as_ms();
    let insert = format!(
        "INSERT INTO job_queue (job_type, expires_at) VALUES ('mail', {at});
         INSERT INTO job_queue (job_type, deadline_at) VALUES ('mail', {at});
         INSERT INTO job_queue (job_type, deadline_at, queue) VALUES ('foreign', {at}, 'q');
         INSERT INTO job_queue (job_type, parent_job_id) VALUES ('mail', 1)"
    );
    database.foreign().execute_batch(&insert).unwrap();
    database.clock.advance(5 * SECOND);

    assert!(database.claim(&worker, 9).await.leases.is_empty());
    assert_eq!(database.store.reclaim().await.unwrap().overdue, 1);

    let words = "SELECT group_concat(status, ' ') FROM (SELECT status FROM job_queue ORDER BY id)";
    let statuses: String = database.foreign().query_row(words, [], |row| row.get(0)).unwrap();
    assert_eq!(statuses, "cancelled dead_letter dead_letter dead_letter");
    assert_eq!(still_indexed(&database), 0);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn an_instant_that_is_none_is_refused() {
    let database = Database::new();
    for column in ["expires_at", "deadline_at"] {
        let insert = format!("INSERT INTO job_queue (job_type, {column}) VALUES ('mail', 'tomorrow')");
        let error = database.foreign().execute(&insert, []).unwrap_err().to_string();
        assert!(error.contains("CHECK constraint failed"), "{error}");
    }
}

#[tokio::test]
async fn a_job_that_plain_sql_puts_back_or_times_anew_is_looked_at_again() {
    let database = Database::new();
    let id = database.enqueue(job().expires_in(SECOND)).await;
    let other = database.enqueue(job().expires_in(SECOND)).await;
    database.clock.advance(SECOND);
    assert_eq!(database.store.reclaim().await.unwrap().overdue, 2);
    database.store.act(Selection::job(other), Action::Delete).await.unwrap();
    let put_back = "UPDATE job_queue SET status = 'pending', completed_at = NULL, dead_letter_reason = NULL,
        expires_at = expires_at + 1000";
    database.foreign().execute(put_back, []).unwrap();

    assert_eq!((database.store.reclaim().await.unwrap().overdue, still_indexed(&database)), (0, 1));
    database.clock.advance(SECOND);
    assert_eq!(database.store.reclaim().await.unwrap().overdue, 1);

    assert_eq!(database.job(id).await.status, Status::Cancelled);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_job_that_ended_in_time_is_looked_at_once_after_its_expiry() {
    let database = Database::new();
    let worker = database.worker().await;
    database.enqueue(job().expires_in(SECOND).deadline_in(9 * SECOND)).await;
    let lease = database.claim_one(&worker).await;
    database.record(&worker, &lease, Outcome::Completed { result: None }).await;
    database.store.reclaim().await.unwrap();
    assert_eq!(still_indexed(&database), 1);
    database.clock.advance(SECOND);

    assert_eq!(database.store.reclaim().await.unwrap().overdue, 0);

    assert_eq!(still_indexed(&database), 0);
    assert_eq!(database.job(lease.id).await.status, Status::Completed);
    let foreign = database.foreign();
    let commits = || -> i64 { foreign.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap() };
    let before = commits();
    database.store.reclaim().await.unwrap();
    assert_eq!(commits(), before, "nothing was left to write");
}

#[tokio::test]
async fn an_enqueue_in_the_callers_transaction_takes_the_key_of_an_overdue_job() {
    let database = Database::new();
    let mut connection = database.foreign();
    let keyed = || job().unique_key("k");
    let tx = connection.transaction().unwrap();
    let first = enqueue_in(&tx, &keyed().expires_in(Duration::from_millis(1))).unwrap().id;
    let child = enqueue_in(&tx, &job().parent(first)).unwrap().id;
    tx.commit().unwrap();
    std::thread::sleep(Duration::from_millis(5));

    let tx = connection.transaction().unwrap();
    assert!(!enqueue_in(&tx, &keyed()).unwrap().is_duplicate);
    tx.rollback().unwrap();
    assert_eq!(database.number("SELECT count(*) FROM job_queue WHERE status = 'cancelled'"), 0);
    let tx = connection.transaction().unwrap();
    let second = enqueue_in(&tx, &keyed()).unwrap();
    tx.commit().unwrap();

    assert!(!second.is_duplicate);
    assert_eq!(database.job(first).await.status, Status::Cancelled);
    assert_eq!(
        (database.job(second.id).await.status, database.job(child).await.status),
        (Status::Pending, Status::DeadLetter)
    );
    assert_eq!(database.number("SELECT sum(cancelled) FROM job_minutes"), 1);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_claim_that_ends_many_overdue_jobs_is_bounded_and_the_next_one_is_due_at_once() {
    let database = Database::new();
    let worker = database.worker().await;
    database.store.enqueue(vec![job().expires_in(SECOND); 1500]).await.unwrap();
    let live = database.enqueue(job()).await;
    database.clock.advance(SECOND);

    let first = database.claim(&worker, 1).await;
    assert!(first.leases.is_empty());
    assert_eq!(first.next_due, Some(Duration::ZERO));
    assert_eq!(database.number("SELECT count(*) FROM job_queue WHERE status = 'cancelled'"), 1000);

    assert_eq!(ids(&database.claim(&worker, 1).await), [live]);
    database.assert_counts_are_true();
}

/// Every claim and every outcome of every job would have to open it.
#[test]
fn the_index_of_overdue_jobs_names_no_column_that_a_claim_or_an_outcome_changes() {
    let database = Database::new();
    let connection = database.foreign();
    array::load_module(&connection).unwrap();
    // As on the engine's own connection.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
    let root = database.number("SELECT rootpage FROM sqlite_schema WHERE name = 'job_queue_overdue'");
    for name in ["claim/claim_jobs", "outcomes/record_completed", "outcomes/record_retrying", "claim/promote_jobs"] {
        let file = format!("{}/src/sql/{name}.sql", env!("CARGO_MANIFEST_DIR"));
        let sql = format!("EXPLAIN {}", std::fs::read_to_string(file).unwrap());
        let mut statement = connection.prepare(&sql).unwrap();
        let parameters = vec![None::<i64>; statement.parameter_count()];
        let mut rows = statement.query(params_from_iter(parameters)).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let (code, page): (String, i64) = (row.get(1).unwrap(), row.get(3).unwrap());
            assert!(code != "OpenWrite" || page != root, "{name} opens the index");
        }
    }
}
