//! Tables and triggers of the application that refer to jobs: they keep their row, and nothing else.

use std::time::Duration;

use longshore_core::Status;
use longshore_core::{Action, Console, Filter, JobId, JobKeeper, Maintained, Maintenance, Outcome, Refusal, Selection};

use crate::database::{Database, job};

const PHOTOS: &str = "CREATE TABLE photos (id INTEGER PRIMARY KEY, \"job \"\"id\" INTEGER REFERENCES job_queue (id));
    INSERT INTO photos (\"job \"\"id\") VALUES (2);";
const DEFERRED: &str = "CREATE TABLE photos (
        id INTEGER PRIMARY KEY, \"job \"\"id\" INTEGER REFERENCES JOB_QUEUE DEFERRABLE INITIALLY DEFERRED);
    INSERT INTO photos (\"job \"\"id\") VALUES (2);";
/// The foreign key allows the deletion, but the column does not: it cannot be NULL.
const NEVER_NULL: &str = "CREATE TABLE photos (
        id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL REFERENCES job_queue (id) ON DELETE SET NULL);
    INSERT INTO photos (job_id) VALUES (2);";

/// Three completed jobs, an hour old, and a table that refers to the second.
async fn three_old_jobs(table: &str) -> Database {
    let database = Database::new();
    let worker = database.worker().await;
    for _ in 0..3 {
        database.enqueue(job()).await;
        let lease = database.claim_one(&worker).await;
        database.record(&worker, &lease, Outcome::Completed { result: None }).await;
    }
    database.foreign().execute_batch(table).unwrap();
    database.clock.advance(Duration::from_secs(20));
    database
}

#[tokio::test]
async fn a_foreign_key_keeps_its_job_and_retention_removes_the_others() {
    for table in [PHOTOS, DEFERRED, NEVER_NULL] {
        let database = three_old_jobs(table).await;
        let maintenance =
            Maintenance { retention: Some(Duration::from_secs(10)), dead_letter_retention: None, rows_max: 100 };

        let maintained = database.store.maintain(maintenance).await.unwrap();

        assert_eq!(
            maintained,
            Maintained { pruned: 2, kept: 1, next: maintained.next, ..Maintained::default() },
            "{table}"
        );
        assert_eq!(database.number("SELECT max(id) * 10 + count(*) FROM job_queue"), 21);
        database.assert_counts_are_true();
    }
}

#[tokio::test]
async fn a_foreign_key_keeps_its_job_and_a_bulk_deletion_removes_the_others() {
    for table in [PHOTOS, DEFERRED, NEVER_NULL] {
        let database = three_old_jobs(table).await;

        let actioned = database.store.act(Selection::Matching(Filter::all()), Action::Delete).await.unwrap();

        assert_eq!(actioned.touched, 2, "{table}");
        assert_eq!(actioned.refused, [Refusal::Constraint { id: JobId(2) }], "{table}");
        database.assert_counts_are_true();
    }
}

#[tokio::test]
async fn what_waits_for_a_job_that_a_foreign_key_keeps_goes_on_waiting() {
    let database = Database::new();
    let first = database.enqueue(job()).await;
    let kept = database.enqueue(job()).await;
    let child = database.enqueue(job().parent(kept)).await;
    database.foreign().execute_batch(NEVER_NULL).unwrap();

    let selection = Selection::Jobs(vec![first, kept]);
    let actioned = database.store.act(selection, Action::Delete).await.unwrap();

    assert_eq!((actioned.touched, actioned.refused), (1, vec![Refusal::Constraint { id: kept }]));
    assert_eq!(database.job(child).await.status, Status::Blocked);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn doctor_names_the_table_that_keeps_jobs() {
    let database = three_old_jobs(PHOTOS).await;

    let keepers = database.store.health().await.unwrap().keepers;

    assert_eq!(keepers, [JobKeeper { table: "photos".to_owned(), column: "job \"id".to_owned(), jobs: 1 }]);
}

#[tokio::test]
async fn foreign_keys_that_let_go_keep_nothing() {
    for action in ["CASCADE", "SET NULL"] {
        let table = format!(
            "CREATE TABLE photos (id INTEGER PRIMARY KEY, job_id INTEGER REFERENCES job_queue (id) ON DELETE {action});
             INSERT INTO photos (job_id) VALUES (2);"
        );
        let database = three_old_jobs(&table).await;

        let actioned = database.store.act(Selection::Matching(Filter::all()), Action::Delete).await.unwrap();

        assert_eq!((actioned.touched, actioned.refused), (3, vec![]));
        assert_eq!(database.store.health().await.unwrap().keepers, []);
        assert_eq!(database.number("SELECT count(job_id) FROM photos"), 0);
    }
}

/// docs/sql.md says so: the triggers of the engine's connection are off, including those of the application.
#[tokio::test]
async fn the_applications_triggers_do_not_fire_on_what_the_engine_does() {
    let database = three_old_jobs(
        "CREATE TABLE photos (id INTEGER PRIMARY KEY, job_id INTEGER REFERENCES job_queue (id) ON DELETE CASCADE);
         INSERT INTO photos (job_id) VALUES (2);
         CREATE TRIGGER photos_deleted BEFORE DELETE ON photos BEGIN SELECT RAISE(ABORT, 'photos stay'); END;",
    )
    .await;

    let actioned = database.store.act(Selection::Jobs(vec![JobId(2)]), Action::Delete).await.unwrap();

    assert_eq!((actioned.touched, actioned.refused), (1, vec![]));
    assert_eq!(database.number("SELECT count(*) FROM photos"), 0);
    let by_hand = database.foreign().execute("DELETE FROM job_queue WHERE id = 1", []);
    assert!(by_hand.is_ok(), "nothing refers to it");
}
