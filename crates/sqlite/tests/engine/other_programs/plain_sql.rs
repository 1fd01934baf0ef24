//! The counts are right, whatever statement another program uses.

use std::fmt::Write;
use std::time::Duration;

use longshore_core::{Action, Console, JobId, Maintenance, Retention, Selection, Store};
use longshore_sqlite::SqliteStore;
use longshore_sqlite::rusqlite::Connection;
use longshore_sqlite::rusqlite::config::DbConfig;

use crate::database::{Database, job};

const KEEP_HOUSE: Maintenance =
    Maintenance { retention: Retention::Forever, dead_letter_retention: Retention::Forever, rows_max: 1000 };
const COLUMNS: &str = "(id, job_type, queue, status, unique_key, worker_id, started_at, completed_at, next_retry_at,
    dead_letter_reason, moved_to_dead_letter_at)";

/// Job 1 waits in `a` and has the key `k`, job 2 has completed in `b`, job 3 waits in `b`.
fn three_jobs(database: &Database) -> Connection {
    let foreign = database.foreign();
    foreign
        .execute_batch(
            "PRAGMA foreign_keys = OFF; -- as most programs have it
             INSERT INTO job_queue (id, job_type, queue, unique_key) VALUES (1, 'mail', 'a', 'k');
             INSERT INTO job_queue (id, job_type, queue, status, completed_at) VALUES (2, 'mail', 'b', 'completed', 1700000000001);
             INSERT INTO job_queue (id, job_type, queue) VALUES (3, 'mail', 'b');
             INSERT INTO job_attempts (job_id, claim_number, attempt, finished_at, outcome)
             VALUES (1, 1, 1, 1, 'crashed'), (2, 1, 1, 1, 'crashed'), (3, 1, 1, 1, 'crashed');",
        )
        .unwrap();
    foreign
}

const STATEMENTS: [&str; 21] = [
    "INSERT INTO job_queue (job_type) VALUES ('mail')",
    "INSERT INTO job_queue (job_type, queue) VALUES ('mail', 'a'), ('mail', 'b'), ('mail', 'c')",
    "INSERT INTO job_queue (job_type, queue) SELECT job_type, 'c' FROM job_queue",
    "INSERT OR REPLACE INTO job_queue (id, job_type, queue) VALUES (1, 'mail', 'c')",
    "INSERT OR REPLACE INTO job_queue (id, job_type, queue) VALUES (1, 'mail', 'c'), (2, 'mail', 'c'), (9, 'mail', 'c')",
    "INSERT OR REPLACE INTO job_queue (job_type, queue, unique_key) VALUES ('mail', 'c', 'k')",
    "INSERT OR REPLACE INTO job_queue (id, job_type, queue, unique_key) VALUES (3, 'mail', 'c', 'k')",
    "REPLACE INTO job_queue (id, job_type, queue, status, completed_at) VALUES (2, 'mail', 'b', 'completed', 1700000000002)",
    "INSERT OR IGNORE INTO job_queue (id, job_type) VALUES (1, 'mail'), (9, 'mail')",
    "INSERT OR IGNORE INTO job_queue (job_type, unique_key) VALUES ('mail', 'k'), ('mail', 'l')",
    "INSERT INTO job_queue (id, job_type) VALUES (1, 'mail') ON CONFLICT DO NOTHING",
    "INSERT INTO job_queue (id, job_type) VALUES (1, 'mail') ON CONFLICT (id) DO UPDATE SET queue = 'c'",
    "INSERT OR REPLACE INTO job_queue (id, job_type, unique_key) VALUES (2, 'mail', 'k')
        ON CONFLICT (id) DO UPDATE SET queue = 'c'",
    "UPDATE OR REPLACE job_queue SET unique_key = 'k' WHERE id = 3",
    "UPDATE OR REPLACE job_queue SET status = 'pending', unique_key = 'k' WHERE id = 2",
    "UPDATE OR IGNORE job_queue SET unique_key = 'k'",
    "UPDATE job_queue SET queue = 'c', status = 'completed', completed_at = 1700000000000",
    "UPDATE job_queue SET queue = queue, status = status",
    "DELETE FROM job_queue WHERE queue = 'b'",
    "DELETE FROM job_queue",
    "DELETE FROM job_queue WHERE id = 1; INSERT INTO job_queue (id, job_type, queue) VALUES (1, 'mail', 'c')",
];

#[test]
fn every_kind_of_statement_is_counted_exactly_once() {
    for recursive in ["ON", "OFF"] {
        let database = Database::new();
        for statement in STATEMENTS {
            let foreign = three_jobs(&database);
            foreign.pragma_update(None, "recursive_triggers", recursive).unwrap();

            foreign.execute_batch(statement).expect(statement);

            database.assert_counts_are_true();
            let orphans = "SELECT count(*) FROM job_attempts WHERE job_id NOT IN (SELECT id FROM job_queue)";
            assert_eq!(database.number(orphans), 0, "{statement}");
            foreign.execute_batch("DELETE FROM job_queue; DELETE FROM job_attempts").unwrap();
        }
    }
}

#[test]
fn a_job_that_replaces_another_does_not_take_over_its_history() {
    let database = Database::new();
    let foreign = three_jobs(&database);

    foreign.execute_batch("REPLACE INTO job_queue (id, job_type) VALUES (1, 'mail')").unwrap();

    assert_eq!(database.number("SELECT count(*) FROM job_attempts WHERE job_id = 1"), 0);
}

#[test]
fn no_statement_leaves_checkpoints_of_a_job_that_is_gone_or_another_one() {
    let old = "SELECT count(*) FROM job_checkpoints WHERE job_id NOT IN (SELECT id FROM job_queue)";
    for (recursive, foreign_keys) in [("ON", "ON"), ("OFF", "ON"), ("ON", "OFF"), ("OFF", "OFF")] {
        let database = Database::new();
        for statement in STATEMENTS {
            let foreign = three_jobs(&database);
            foreign.pragma_update(None, "recursive_triggers", recursive).unwrap();
            foreign.pragma_update(None, "foreign_keys", foreign_keys).unwrap();
            let fill = "INSERT INTO job_checkpoints SELECT id, 'of ' || created_at, 1, 5, '{}' FROM job_queue;
                UPDATE job_queue SET log_file_path = 'old'";
            foreign.execute_batch(fill).unwrap();

            foreign.execute_batch(statement).expect(statement);

            assert_eq!(database.number(old), 0, "{statement}");
            let of_new_jobs =
                "SELECT count(*) FROM job_checkpoints JOIN job_queue ON id = job_id WHERE log_file_path IS NULL";
            assert_eq!(database.number(of_new_jobs), 0, "{statement}");
            foreign.execute_batch("DELETE FROM job_queue; DELETE FROM job_attempts").unwrap();
            assert_eq!(database.number("SELECT count(*) FROM job_checkpoints"), 0);
        }
    }
}

#[test]
fn what_a_savepoint_takes_back_is_not_counted() {
    let database = Database::new();
    let foreign = three_jobs(&database);
    for statement in STATEMENTS {
        foreign.execute_batch(&format!("SAVEPOINT it; {statement}; ROLLBACK TO it; RELEASE it")).expect(statement);
        database.assert_counts_are_true();
    }
    assert_eq!(database.number("SELECT sum(jobs) FROM job_depths"), 3);
}

#[test]
fn a_statement_that_fails_in_its_middle_is_counted_as_far_as_it_stands() {
    for conflict in ["ABORT", "FAIL", "ROLLBACK"] {
        let database = Database::new();
        let foreign = three_jobs(&database);
        foreign
            .execute_batch(&format!(
                "INSERT OR {conflict} INTO job_queue (id, job_type) VALUES (8, 'mail'), (1, 'mail')"
            ))
            .unwrap_err();
        foreign
            .execute_batch(&format!("UPDATE OR {conflict} job_queue SET unique_key = 'k', status = 'pending'"))
            .unwrap_err();
        database.assert_counts_are_true();
    }
}

/// The record of an ignored duplicate stays, because the engine deletes without triggers.
#[tokio::test]
async fn a_job_that_an_ignored_duplicate_noted_is_counted_off_once_when_the_engine_deletes_it() {
    for ignored in [
        "INSERT OR IGNORE INTO job_queue (job_type, unique_key) VALUES ('mail', 'k')",
        "UPDATE OR IGNORE job_queue SET unique_key = 'k' WHERE id = 3",
    ] {
        let database = Database::new();
        let foreign = three_jobs(&database);
        foreign.execute_batch(ignored).unwrap();

        database.store.act(Selection::job(JobId(1)), Action::Delete).await.unwrap();
        foreign.execute_batch("INSERT INTO job_queue (job_type) VALUES ('mail')").unwrap();
        foreign.execute_batch("UPDATE job_queue SET unique_key = 'l' WHERE id = 3").unwrap();

        database.assert_counts_are_true();
    }
}

/// Thousands of random statements.
#[test]
fn counts_are_true_after_each_of_many_random_statements() {
    let mut random = fastrand::Rng::with_seed(11);
    for recursive in ["ON", "OFF"] {
        let database = Database::new();
        let foreign = database.foreign();
        foreign.execute_batch("PRAGMA synchronous = OFF").unwrap();
        foreign.pragma_update(None, "recursive_triggers", recursive).unwrap();
        foreign.execute_batch("BEGIN").unwrap();
        for _ in 0..1500 {
            let statement = random_statement(&mut random);
            // A constraint may reject it.
            let _ = foreign.execute_batch(&statement);
            if foreign.is_autocommit() {
                foreign.execute_batch("BEGIN").unwrap();
            }
            let wrong: i64 = foreign.query_row(WRONG, [], |row| row.get(0)).unwrap();
            assert_eq!(wrong, 0, "{statement}");
        }
    }
}

const WRONG: &str = "SELECT count(*) FROM (SELECT sum(jobs) AS wrong FROM (
        SELECT queue, status, jobs FROM job_depths UNION ALL SELECT COALESCE(queue, 'default'), status, -1 FROM job_queue)
    GROUP BY queue, status) WHERE wrong <> 0";

fn random_statement(random: &mut fastrand::Rng) -> String {
    let conflict = pick(random, &["", "OR REPLACE", "OR REPLACE", "OR IGNORE", "OR ABORT", "OR FAIL", "OR ROLLBACK"]);
    match random.u32(..10) {
        0..=4 => {
            let mut insert = format!("INSERT {conflict} INTO job_queue {COLUMNS} VALUES ");
            for row in 0..random.u32(1..4) {
                let id = pick(random, &["NULL", "NULL", "1", "2", "3", "-1"]);
                let queue = pick(random, &["a", "b"]);
                let status = pick(random, &["pending", "running", "retrying", "completed", "dead_letter", "cancelled"]);
                let key = pick(random, &["NULL", "'k'", "'l'"]);
                let past = 1_600_000_000_000_i64;
                let comma = if row == 0 { "" } else { ", " };
                write!(
                    insert,
                    "{comma}({id}, 'mail', '{queue}', '{status}', {key}, 'w', {past}, {past}, {past}, 'r', {past})"
                )
                .unwrap();
            }
            let upserts =
                ["", "", " ON CONFLICT DO NOTHING", " ON CONFLICT (id) DO UPDATE SET queue = 'c', id = id + 7"];
            insert + pick(random, &upserts)
        }
        5..=8 => {
            let sets = ["id = id + 1", "id = -id", "unique_key = 'k'", "status = 'pending'", "queue = 'a', id = 3"];
            let of = ["", " WHERE id = 2", " WHERE id > 2", " WHERE queue = 'a'"];
            format!("UPDATE {conflict} job_queue SET {}{}", pick(random, &sets), pick(random, &of))
        }
        _ => format!("DELETE FROM job_queue{}", pick(random, &["", " WHERE id < 3", " WHERE status = 'pending'"])),
    }
}

fn pick<'a>(random: &mut fastrand::Rng, from: &[&'a str]) -> &'a str {
    from[random.usize(..from.len())]
}

#[tokio::test]
async fn what_a_program_without_triggers_did_is_mended_by_the_next_comparison() {
    let database = Database::new();
    let foreign = three_jobs(&database);
    foreign.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
    foreign
        .execute_batch("INSERT INTO job_queue (job_type) VALUES ('mail'); DELETE FROM job_queue WHERE id = 2")
        .unwrap();

    let maintained = database.store.maintain(KEEP_HOUSE).await.unwrap();

    assert_eq!(maintained.reconciled, 2);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_program_that_empties_the_table_without_triggers_leaves_counts_that_are_mended() {
    let database = Database::new();
    let foreign = three_jobs(&database);
    foreign.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
    // Without triggers, SQLite runs a DELETE of all rows as a truncation.
    foreign.execute_batch("DELETE FROM job_queue").unwrap();

    database.store.maintain(KEEP_HOUSE).await.unwrap();

    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_comparison_leaves_no_state_of_the_database_open() {
    let database = Database::new();
    database.store.enqueue((0..3000).map(|_| job()).collect()).await.unwrap();
    let foreign = database.foreign();
    foreign.busy_timeout(Duration::from_secs(10)).unwrap();

    database
        .store
        .maintain(Maintenance {
            retention: Retention::Forever,
            dead_letter_retention: Retention::Forever,
            rows_max: 20,
        })
        .await
        .unwrap();

    database.enqueue(job()).await;
    let is_busy: i64 = foreign.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    assert_eq!(is_busy, 0, "nobody reads an old state, so the log begins anew");
}

#[tokio::test]
async fn idle_stores_write_for_their_housekeeping_once_a_minute_altogether() {
    let database = Database::new();
    let stores: Vec<SqliteStore> = (0..5).map(|_| database.another_store()).collect();
    let maintenance = Maintenance { retention: Retention::After(Duration::from_secs(3600)), ..KEEP_HOUSE };
    for _ in 0..10 {
        for store in &stores {
            store.maintain(maintenance).await.unwrap();
        }
        database.clock.advance(Duration::from_secs(60));
    }
    assert_eq!(database.number("SELECT max(term) FROM job_duties"), 10);
    assert_eq!(database.number("SELECT count(DISTINCT holder) FROM job_duties"), 1);
}

#[tokio::test]
async fn old_minutes_go_without_a_retention_too() {
    let database = Database::new();
    let minute = longshore_core::Clock::now(&*database.clock).minute();
    let foreign = database.foreign();
    let insert = "INSERT INTO job_minutes (minute, queue) VALUES (?1, 'old'), (?2, 'young')";
    foreign.execute(insert, (minute - 31 * 24 * 60 - 1, minute - 1)).unwrap();

    database.store.maintain(KEEP_HOUSE).await.unwrap();

    assert_eq!(database.number("SELECT count(*) FROM job_minutes WHERE queue = 'old'"), 0);
    assert_eq!(database.number("SELECT count(*) FROM job_minutes WHERE queue = 'young'"), 1);
}
