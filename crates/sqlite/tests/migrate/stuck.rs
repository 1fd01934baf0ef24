//! A database that an earlier program left at version 4, with what no constraint of today would let in.

use longshore_migrate::{DataLoss, Goal, RunRequest};
use longshore_sqlite::schema::check_thoroughly;

use crate::support::{Database, fresh, id};

const ROWS: &str = "
    INSERT INTO job_queue (id, job_type, status, worker_id, started_at, claim_number) VALUES (1, 'a', 'running', 'w', 5, 7);
    INSERT INTO job_queue (id, job_type, status, dead_letter_reason, moved_to_dead_letter_at, crash_count)
        VALUES (2, 'b', 'dead_letter', 'why', 9, 2);
    INSERT INTO job_queue (id, job_type, parent_job_id) VALUES (3, 'c', 1);
    INSERT INTO job_queue (id, job_type, queue, unique_key, run_at) VALUES (4, 'd', 'q', 'key', 99);
    INSERT INTO job_queue (id, job_type, status, completed_at, result) VALUES (5, 'e', 'completed', 3, '{}');
    INSERT INTO job_queue (id, job_type, status, parent_job_id) VALUES (6, 'unknown parent', 'blocked', 99);
    INSERT INTO job_queue (id, job_type, status, next_retry_at) VALUES (7, 'no time', 'retrying', 4);
    INSERT INTO job_queue (id, job_type, claim_number) VALUES (8, 'spent', 9223372036854775807);
    INSERT INTO job_attempts (job_id, claim_number, attempt, finished_at, outcome) VALUES (2, 1, 1, 8, 'crashed');
    INSERT INTO job_queue (id, job_type) VALUES (50, 'gone'); DELETE FROM job_queue WHERE id = 50;";

const ALL: &str = "SELECT id, job_type, job_data, status, priority, created_at, started_at, completed_at, retry_count,
    worker_id, parent_job_id, next_retry_at, dead_letter_reason, moved_to_dead_letter_at, queue, run_at, claim_number,
    crash_count, unique_key, result FROM job_queue ORDER BY id";

#[test]
fn a_database_at_version_4_comes_up_and_goes_down_without_losing_a_value() {
    let database = Database::empty();
    let to_4 = Goal { to: Some(id(4)), steps: None };
    database.migrator().up(&RunRequest { goal: to_4, ..RunRequest::default() }).unwrap();
    database.execute(&format!("PRAGMA foreign_keys = OFF; {ROWS}"));
    let before =
        (database.rows(ALL), database.rows("SELECT * FROM job_attempts"), database.rows("SELECT * FROM job_depths"));

    database.migrator().up(&RunRequest::default()).unwrap();

    let after =
        || (database.rows(ALL), database.rows("SELECT * FROM job_attempts"), database.rows("SELECT * FROM job_depths"));
    // Every instant that is before 1990 has become 1990, and nothing else has changed.
    let as_1990 = |rows: &str| {
        let instants = rows.split('|').enumerate().map(|(at, value)| match (at, value.parse::<i64>()) {
            (6 | 7 | 11 | 13 | 15, Ok(instant)) if instant < 631_152_000_000 => "631152000000".to_owned(),
            _ => value.to_owned(),
        });
        instants.collect::<Vec<_>>().join("|")
    };
    assert_eq!(after().0, before.0.iter().map(|row| as_1990(row)).collect::<Vec<_>>());
    assert_eq!((after().1, after().2), (before.1.clone(), before.2.clone()));
    check_thoroughly(&database.connection()).unwrap();
    assert_eq!(database.schema(), fresh().schema());
    assert_eq!(database.value("INSERT INTO job_queue (job_type) VALUES ('x') RETURNING id"), "51");
    database.execute("DELETE FROM job_queue WHERE id = 51");
    // 007 changed instants, which its down gives back.
    let to_6 = Goal { to: Some(id(6)), steps: None };
    let down = RunRequest { data_loss: DataLoss::Allow, goal: to_6, ..RunRequest::default() };
    database.migrator().down(&down).unwrap();
    assert!(database.looker().verify().unwrap().ok);
    assert_eq!(after().0, before.0);
}
