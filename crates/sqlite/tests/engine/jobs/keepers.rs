//! Tables and triggers of the application that refer to jobs: they keep their row, and nothing else.

use std::time::Duration;

use longshore_core::{
    Action, BrokenKey, Console, Filter, JobId, JobKeeper, Maintained, Maintenance, Outcome, Refusal, Retention,
    Selection, Status, Store,
};

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
        let maintenance = Maintenance {
            retention: Retention::After(Duration::from_secs(10)),
            dead_letter_retention: Retention::Forever,
            rows_max: 100,
        };

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

/// Keys that say CASCADE or SET NULL, and do not let go all the same.
#[tokio::test]
async fn doctor_names_a_table_that_keeps_jobs_in_another_way() {
    let chain = "CREATE TABLE photos (id INTEGER PRIMARY KEY, job_id REFERENCES job_queue ON DELETE CASCADE);
        CREATE TABLE captions (photo INTEGER REFERENCES photos);
        INSERT INTO photos VALUES (7, 2); INSERT INTO captions VALUES (7);";
    for (tables, table, column) in [(NEVER_NULL, "photos", "job_id"), (chain, "captions", "photo")] {
        let database = three_old_jobs(tables).await;

        let keepers = database.store.health().await.unwrap().keepers;
        let actioned = database.store.act(Selection::Matching(Filter::all()), Action::Delete).await.unwrap();

        assert_eq!(keepers, [JobKeeper { table: table.to_owned(), column: column.to_owned(), jobs: 1 }]);
        assert_eq!((actioned.touched, actioned.refused), (2, vec![Refusal::Constraint { id: JobId(2) }]), "{table}");
    }
}

#[tokio::test]
async fn rows_that_are_deleted_with_the_same_job_keep_nothing() {
    let database = three_old_jobs(
        "CREATE TABLE photos (id INTEGER PRIMARY KEY, job_id REFERENCES job_queue ON DELETE CASCADE);
         CREATE TABLE captions (photo INTEGER REFERENCES photos, job_id REFERENCES job_queue ON DELETE CASCADE);
         INSERT INTO photos VALUES (7, 2); INSERT INTO captions VALUES (7, 2);",
    )
    .await;

    let actioned = database.store.act(Selection::Matching(Filter::all()), Action::Delete).await.unwrap();

    assert_eq!((actioned.touched, actioned.refused), (3, vec![]));
}

/// SQLite accepts such a key, and rejects every statement that deletes a job.
#[tokio::test]
async fn a_foreign_key_to_no_unique_key_is_named_and_the_rest_of_housekeeping_runs() {
    for parent in ["nope", "job_type"] {
        let undated = "PRAGMA ignore_check_constraints = ON; UPDATE job_queue SET completed_at = 'x' WHERE id = 1";
        let database = three_old_jobs(undated).await;
        let table = format!("CREATE TABLE photos (named TEXT REFERENCES job_queue ({parent}))");
        database.foreign().execute_batch(&table).unwrap();
        let maintenance = Maintenance {
            retention: Retention::After(Duration::from_secs(10)),
            dead_letter_retention: Retention::Forever,
            rows_max: 100,
        };

        let refused = database.store.maintain(maintenance).await.unwrap_err().to_string();
        let deleted = database.store.act(Selection::Matching(Filter::all()), Action::Delete).await.unwrap_err();

        assert!(refused.contains("foreign key mismatch - \"photos\"") && refused.contains("drop"), "{refused}");
        assert!(deleted.to_string().contains("\"photos\""), "{deleted}");
        assert_eq!(database.number("SELECT count(*) FROM job_queue WHERE typeof(completed_at) = 'text'"), 0);
        let broken = database.store.health().await.unwrap().broken_keys;
        let columns = vec!["named".to_owned()];
        assert_eq!(broken, [BrokenKey { table: "photos".to_owned(), columns, refers_to: vec![parent.to_owned()] }]);
    }
}

#[tokio::test]
async fn a_claim_that_a_foreign_key_prevents_gives_up_no_job_and_works_again_without_it() {
    let database = Database::new();
    let worker = database.worker().await;
    let table = "CREATE TABLE a (j INTEGER, s TEXT, FOREIGN KEY (j, s) REFERENCES job_queue (id, status))";
    database.foreign().execute_batch(table).unwrap();
    let id = database.enqueue(job()).await;

    let claimed = database.store.claim(crate::database::request(&worker, 1)).await;

    let refused = claimed.unwrap_err();
    assert!(refused.is_passing() && refused.to_string().contains("\"a\" referencing \"job_queue\""), "{refused}");
    assert_eq!(database.job(id).await.status, Status::Pending);
    assert_eq!(database.store.health().await.unwrap().broken_keys[0].columns, ["j", "s"]);
    database.foreign().execute_batch("DROP TABLE a").unwrap();
    assert_eq!(database.claim_one(&worker).await.id, id);
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
