use longshore_core::Timestamp;
use rusqlite::config::DbConfig;
use tempfile::TempDir;

use super::*;

const NEVER: Duration = Duration::ZERO;
const EVER: Duration = Duration::from_secs(600);

/// Two jobs in each status that its index must find, and correct counts.
fn database() -> (TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    crate::schema::latest_up(&path).unwrap();
    let connection = Connection::open(path).unwrap();
    // The triggers reject such rows. They come from programs that have switched the triggers off.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
    let now = Timestamp::from_ms(631_152_000_001).as_ms();
    for status in Status::ALL {
        let insert = "INSERT INTO job_queue (job_type, status, worker_id, started_at, completed_at, next_retry_at,
                dead_letter_reason, moved_to_dead_letter_at, parent_job_id, run_at)
            VALUES ('mail', ?1, 'w', ?2, ?2, ?2, 'r', ?2, 1, NULL), ('mail', ?1, 'w', ?2, ?2, ?2, 'r', ?2, 1, ?2)";
        connection.execute(insert, (status.as_str(), now)).unwrap();
    }
    count_truly(&connection);
    (folder, connection)
}

fn count_truly(connection: &Connection) {
    let sql = "DELETE FROM job_depths;
        INSERT INTO job_depths (queue, status, jobs) SELECT coalesce(queue, 'default'), status, count(*) FROM job_queue GROUP BY 1, 2";
    connection.execute_batch(sql).unwrap();
}

fn spoil(connection: &Connection, by: i64) {
    connection.execute("UPDATE job_depths SET jobs = jobs - ?1", [by]).unwrap();
}

/// The statuses whose counts were wrong by this number.
fn wrong(drift: &[Drift], by: i64) -> Vec<String> {
    let mut statuses: Vec<String> = drift.iter().map(|drift| drift.status.shown()).collect();
    statuses.sort();
    assert!(drift.iter().all(|drift| drift.by == by), "{drift:?}");
    statuses
}

#[test]
fn true_counts_are_found_true_whether_all_jobs_are_counted_or_those_with_indexes() {
    let (_folder, connection) = database();
    for (all_max, indexed_max) in [(EVER, NEVER), (NEVER, EVER), (NEVER, NEVER)] {
        assert_eq!(find_drift_within(&connection, all_max, indexed_max).unwrap(), []);
    }
}

#[test]
fn every_wrong_count_of_a_table_that_is_counted_in_time_is_found() {
    let (_folder, connection) = database();
    connection.execute("INSERT INTO job_queue (job_type, queue) VALUES ('mail', CAST(x'ff' AS TEXT))", []).unwrap();
    count_truly(&connection);
    spoil(&connection, 3);

    let drift = find_drift_within(&connection, EVER, NEVER).unwrap();

    let kept: i64 = connection.query_row("SELECT count(*) FROM job_depths", [], |row| row.get(0)).unwrap();
    assert_eq!(drift.len(), usize::try_from(kept).unwrap());
    assert!(drift.iter().any(|drift| drift.queue.as_str().is_none()), "also for a name that is not UTF-8");
    wrong(&drift, 3);
}

#[test]
fn in_a_table_that_is_too_large_the_states_with_indexes_are_compared_and_no_other() {
    let (_folder, connection) = database();
    spoil(&connection, -2);

    let drift = find_drift_within(&connection, NEVER, EVER).unwrap();

    assert_eq!(wrong(&drift, -2), ["dead_letter", "pending", "running"]);
}

#[test]
fn what_cannot_be_counted_in_time_is_left_as_it_is() {
    let (_folder, connection) = database();
    spoil(&connection, 1);

    assert_eq!(find_drift_within(&connection, NEVER, NEVER).unwrap(), []);
}

#[test]
fn a_comparison_that_took_long_is_made_again_later() {
    let audit = Audit::new();
    assert!(audit.is_due(NEVER));

    audit.rest(NEVER, Duration::from_millis(1));
    assert!(!audit.is_due(REST_MIN - Duration::from_millis(1)) && audit.is_due(REST_MIN));

    audit.rest(NEVER, Duration::from_secs(1));
    assert!(!audit.is_due(Duration::from_secs(999)) && audit.is_due(Duration::from_secs(1000)));
}
