//! What a column holds that plain SQL leaves out, or fills with a value in another unit.

use std::time::Duration;

use longshore_core::{Console, Maintenance, Retention, Status, Store, TypeSettings};
use longshore_sqlite::rusqlite::config::DbConfig;

use crate::database::{Database, job, registration};

const INSTANTS: [&str; 8] = [
    "created_at",
    "started_at",
    "completed_at",
    "next_retry_at",
    "moved_to_dead_letter_at",
    "run_at",
    "expires_at",
    "deadline_at",
];

#[test]
fn an_instant_in_seconds_is_refused_in_every_column_of_milliseconds() {
    let database = Database::new();
    let foreign = database.foreign();
    foreign.execute("INSERT INTO job_queue (job_type) VALUES ('mail')", []).unwrap();
    for column in INSTANTS {
        for seconds in ["1700000000", "unixepoch('now')", "631151999999", "0", "-1"] {
            let insert = format!("INSERT INTO job_queue (job_type, {column}) VALUES ('mail', {seconds})");
            let update = format!("UPDATE job_queue SET {column} = {seconds}");
            for statement in [insert, update] {
                let refused = foreign.execute(&statement, []).unwrap_err().to_string();
                let words = refused.replace('_', " ");
                let told = format!("{} is in milliseconds", column.replace('_', " "));
                assert!(words.contains(&told), "{statement}: {refused}");
            }
        }
        let first = format!("INSERT INTO job_queue (job_type, {column}) VALUES ('mail', 631152000000)");
        foreign.execute(&first, []).unwrap_or_else(|error| panic!("{column}: {error}"));
    }
}

#[tokio::test]
async fn an_update_that_takes_away_queue_and_priority_gives_those_of_the_type() {
    let database = Database::new();
    let settings = TypeSettings { queue: Some("post".to_owned()), max_retries: Some(7), ..TypeSettings::new("mail") };
    let with_settings = longshore_core::Registration { settings: [settings].into(), ..registration() };
    longshore_testkit::register_for_good(&database.store, with_settings).await;
    let foreign = database.foreign();
    foreign
        .execute(
            "INSERT INTO job_queue (job_type, queue, priority, max_retries, unique_key) VALUES ('mail', 'q', 9, 1, 'k')",
            [],
        )
        .unwrap();
    let replace = "INSERT INTO job_queue (job_type, job_data, unique_key) VALUES ('mail', '[2]', 'k')
        ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL AND status IN ('pending', 'running', 'retrying', 'blocked')
        DO UPDATE SET job_data = excluded.job_data, queue = excluded.queue, priority = excluded.priority,
            max_retries = excluded.max_retries";

    foreign.execute(replace, []).unwrap();

    let row = foreign
        .query_row("SELECT queue, priority, max_retries, job_data FROM job_queue", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, row.get::<_, String>(3)?))
        })
        .unwrap();
    assert_eq!(row, ("post".to_owned(), 5, 7, "[2]".to_owned()));
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_row_without_a_queue_of_a_program_without_triggers_runs_all_the_same() {
    let database = Database::new();
    let settings = TypeSettings { queue: Some("post".to_owned()), ..TypeSettings::new("mail") };
    let with_settings = longshore_core::Registration { settings: [settings].into(), ..registration() };
    let worker = longshore_testkit::register_for_good(&database.store, with_settings).await;
    let foreign = database.foreign();
    foreign.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
    foreign.execute("INSERT INTO job_queue (job_type) VALUES ('mail')", []).unwrap();
    assert_eq!(database.claim(&worker, 9).await.leases.len(), 0);

    database.store.reclaim().await.unwrap();

    let leases = database.claim(&worker, 9).await.leases;
    assert_eq!(leases.iter().map(|lease| lease.queue.as_str()).collect::<Vec<_>>(), ["post"]);
}

/// An adopted table, or one of an earlier version, is full of old jobs on the first day.
#[tokio::test]
async fn a_default_retention_leaves_the_jobs_alone_that_were_there_before_it() {
    let database = Database::new();
    let foreign = database.foreign();
    let insert = "INSERT INTO job_queue (job_type, status, completed_at, dead_letter_reason, moved_to_dead_letter_at)
        VALUES ('mail', 'completed', 1000000000000, NULL, NULL), ('mail', 'cancelled', 1000000000000, NULL, NULL),
               ('mail', 'dead_letter', NULL, 'x', 1000000000000)";
    foreign.execute(insert, []).unwrap();
    foreign.execute("UPDATE job_history SET last_id = 3", []).unwrap();
    foreign.execute(insert, []).unwrap();
    let by_default =
        Maintenance { retention: Retention::ENDED, dead_letter_retention: Retention::DEAD_LETTERS, rows_max: 2 };
    let keep_house = |maintenance: Maintenance| {
        let store = &database.store;
        async move {
            let mut pruned = 0;
            for _ in 0..20 {
                pruned += store.maintain(maintenance).await.unwrap().pruned;
            }
            pruned
        }
    };

    assert_eq!(keep_house(by_default).await, 3);
    assert_eq!(database.number("SELECT max(id) FROM job_queue"), 3);
    let day = Duration::from_secs(86_400);
    let set = Maintenance { retention: day.into(), dead_letter_retention: Retention::Forever, rows_max: 10 };
    assert_eq!(keep_house(set).await, 2);
    let left = database.store.job(longshore_core::JobId(3)).await.unwrap().unwrap().job;
    assert_eq!(left.status, Status::DeadLetter);
}

#[tokio::test]
async fn the_engine_leaves_the_retries_to_the_type_and_gives_the_rest_itself() {
    let database = Database::new();
    database.enqueue(job()).await;
    let row = "SELECT queue || priority || (max_retries IS NULL) || (awaits_settings IS NULL) FROM job_queue";
    let found: String = database.foreign().query_row(row, [], |row| row.get(0)).unwrap();
    assert_eq!(found, "default511");
}
