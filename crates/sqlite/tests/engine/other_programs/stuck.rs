//! What plain SQL can write is refused, corrected at once by a trigger, or fixed by housekeeping.

use std::time::Duration;

use longshore_core::{
    Action, Console, DeadLetterCode, DeadLetterReason, DeadLetterReason::OutcomeRefused, Failure, FailureType, Filter,
    JobId, JobPageRequest, Maintenance, Outcome, Priority, Recorded, Registration, Retention, Status, Store,
    StuckCause, StuckJob, TypeSettings, UnusableRow, WorkerId,
};
use longshore_sqlite::rusqlite::{Connection, config::DbConfig};
use longshore_testkit::heartbeat;

use crate::database::{Database, ids, job, registration};

const MAINTENANCE: Maintenance =
    Maintenance { retention: Retention::Forever, dead_letter_retention: Retention::Forever, rows_max: 3 };

/// A program whose SQL is not checked: no constraints, no foreign keys, no triggers.
fn unchecked(database: &Database) -> Connection {
    let foreign = database.foreign();
    foreign.execute_batch("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF").unwrap();
    foreign.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
    foreign
}

/// The sqlite3 shell with its defaults: foreign keys are off, triggers and constraints are on.
fn shell(database: &Database) -> Connection {
    let foreign = database.foreign();
    foreign.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    foreign
}

async fn keep_house(database: &Database) -> u64 {
    let mut settled = 0;
    for _ in 0..1000 {
        let maintained = database.store.maintain(MAINTENANCE).await.unwrap();
        settled += maintained.settled;
        if !maintained.has_more {
            return settled;
        }
    }
    panic!("housekeeping does not come to an end");
}

async fn stuck(database: &Database) -> Vec<StuckJob> {
    database.store.health().await.unwrap().stuck
}

async fn assert_given_up(database: &Database, id: JobId, reason: &str) {
    let found = database.job(id).await;
    assert_eq!((found.status, found.dead_letter_reason.as_deref()), (Status::DeadLetter, Some(reason)));
}

async fn family(database: &Database) -> [JobId; 3] {
    let parent = database.enqueue(job()).await;
    let child = database.enqueue(job().parent(parent)).await;
    let grandchild = database.enqueue(job().parent(child)).await;
    [parent, child, grandchild]
}

/// Values that no constraint accepts, for a column that the settings of a type concern.
const UNFIT: [(&str, &str); 5] = [
    ("priority", "'high'"),
    ("priority", "1.5"),
    ("priority", "x'00'"),
    ("max_retries", "-4"),
    ("timeout_seconds", "-4"),
];

#[tokio::test]
async fn a_row_without_a_queue_that_no_settings_fit_is_named_and_given_up() {
    let reason = DeadLetterReason::UnusableRow(UnusableRow::Constraint).to_string();
    for (column, value) in UNFIT {
        let database = Database::new();
        let insert = format!("INSERT INTO job_queue (job_type, {column}) VALUES ('mail', {value})");
        unchecked(&database).execute(&insert, []).unwrap();
        let named = StuckJob { id: JobId(1), cause: StuckCause::UnusableRow };
        assert_eq!(stuck(&database).await, [named], "{column} {value}");

        let with_settings = Registration { settings: [TypeSettings::new("mail")].into(), ..registration() };
        longshore_testkit::register_for_good(&database.store, with_settings).await;

        assert_given_up(&database, JobId(1), &reason).await;
        assert_eq!(stuck(&database).await, [], "{column} {value}");
        // A type without a worker makes no difference.
        unchecked(&database).execute(&insert.replace("mail", "other"), []).unwrap();
        assert_eq!(keep_house(&database).await, 1, "{column} {value}");
        assert_given_up(&database, JobId(2), &reason).await;
    }
}

#[tokio::test]
async fn a_row_without_a_queue_that_waits_for_no_settings_runs_in_the_default_queue() {
    let database = Database::new();
    let with_settings = Registration { settings: [TypeSettings::new("mail")].into(), ..registration() };
    let worker = longshore_testkit::register_for_good(&database.store, with_settings).await;
    let insert = "INSERT INTO job_queue (job_type, awaits_settings) VALUES ('mail', NULL)";
    unchecked(&database).execute(insert, []).unwrap();
    assert_eq!(stuck(&database).await.len(), 1);

    assert_eq!(keep_house(&database).await, 1);

    assert_eq!(ids(&database.claim(&worker, 9).await), [JobId(1)]);
    assert_eq!(stuck(&database).await, []);
}

#[tokio::test]
async fn plain_sql_that_would_never_end_is_refused_with_the_reason() {
    let database = Database::new();
    let [parent, ..] = family(&database).await;
    let worker = database.worker().await;
    let dead = database.enqueue(job().queue("other")).await;
    shell(&database)
        .execute(
            "UPDATE job_queue SET status = 'dead_letter', dead_letter_reason = 'x', moved_to_dead_letter_at = 1700000000000
             WHERE id = ?1",
            [dead.0],
        )
        .unwrap();
    let refused = [
        ("INSERT INTO job_queue (job_type, parent_job_id) VALUES ('mail', 99)", "parent_job_id"),
        ("UPDATE job_queue SET parent_job_id = 99 WHERE id = 1", "parent_job_id"),
        ("UPDATE job_queue SET parent_job_id = 2 WHERE id = 1", "parent_job_id"),
        ("UPDATE job_queue SET parent_job_id = 1 WHERE id = 1", "parent_job_id"),
        ("UPDATE job_queue SET id = 77 WHERE id = 1", "id of a job"),
        ("INSERT INTO job_queue (id, job_type) VALUES (9223372036854775807, 'mail')", "id of a job"),
        ("INSERT INTO job_queue (id, job_type) VALUES (-1, 'mail')", "id of a job"),
        ("UPDATE job_queue SET claim_number = 9223372036854775807 WHERE id = 1", "claim_number"),
        ("UPDATE job_queue SET claim_number = -1 WHERE id = 1", "claim_number"),
        ("UPDATE job_queue SET claim_number = 'x' WHERE id = 1", "claim_number"),
        ("INSERT INTO job_queue (job_type, claim_number) VALUES ('mail', 9223372036854775807)", "claim_number"),
        ("INSERT INTO job_queue (job_type, claim_number) VALUES ('mail', 1.5)", "claim_number"),
        ("INSERT INTO job_queue (job_type, queue) VALUES ('mail', CAST(x'ff' AS TEXT))", "UTF-8"),
        ("UPDATE job_queue SET job_type = CAST(x'6dff' AS TEXT)", "UTF-8"),
        (
            "UPDATE job_queue SET status = 'running', worker_id = 'x', started_at = 1700000000000 WHERE id = 4",
            "retry it",
        ),
    ];
    for (sql, reason) in refused {
        let error = shell(&database).execute(sql, []).unwrap_err().to_string();
        assert!(error.contains(reason), "{sql}: {error}");
    }
    let run = "UPDATE job_queue SET status = 'running', worker_id = ?1, started_at = 1700000000000 WHERE id = 1";
    let error = shell(&database).execute(run, [worker.as_str()]).unwrap_err().to_string();
    assert_eq!(error, "only a claim makes a job run");

    let leases = database.claim(&worker, 9).await;
    assert_eq!(ids(&leases), [parent]);
    let take = "UPDATE job_queue SET claim_number = claim_number + 1 WHERE id = 1";
    shell(&database).execute(take, []).unwrap_err();
    database.assert_counts_are_true();
}

#[tokio::test]
async fn children_follow_a_parent_that_plain_sql_moves() {
    for (sql, child_status, reason) in [
        ("UPDATE job_queue SET status = 'completed', completed_at = 1700000000000 WHERE id = 1", Status::Pending, None),
        (
            "UPDATE job_queue SET status = 'cancelled', completed_at = 1700000000000 WHERE id = 1",
            Status::DeadLetter,
            Some("parent_ended: its parent job 1 ended as cancelled"),
        ),
        (
            "UPDATE job_queue SET status = 'dead_letter', dead_letter_reason = 'x', moved_to_dead_letter_at = 1700000000000
             WHERE id = 1",
            Status::DeadLetter,
            Some("parent_ended: its parent job 1 ended as dead_letter"),
        ),
        ("DELETE FROM job_queue WHERE id = 1", Status::DeadLetter, Some("parent_ended: its parent job 1 was deleted")),
    ] {
        for foreign_keys in [false, true] {
            let database = Database::new();
            let [_, child, grandchild] = family(&database).await;
            let foreign = database.foreign();
            foreign.pragma_update(None, "foreign_keys", foreign_keys).unwrap();

            foreign.execute(sql, []).unwrap();

            let found = database.job(child).await;
            assert_eq!((found.status, found.dead_letter_reason.as_deref()), (child_status, reason), "{sql}");
            let expected = if child_status == Status::Pending { Status::Blocked } else { Status::DeadLetter };
            assert_eq!(database.job(grandchild).await.status, expected, "{sql}");
            assert_eq!(stuck(&database).await, []);
            database.assert_counts_are_true();
        }
    }
}

#[tokio::test]
async fn a_job_that_plain_sql_blocks_behind_an_ended_parent_goes_on_at_once() {
    let database = Database::new();
    let worker = database.worker().await;
    let parent = database.enqueue(job()).await;
    let lease = database.claim_one(&worker).await;
    database.record(&worker, &lease, Outcome::Completed { result: None }).await;
    let child = database.enqueue(job()).await;

    let block = "UPDATE job_queue SET status = 'blocked', parent_job_id = ?2 WHERE id = ?1";
    shell(&database).execute(block, [child.0, parent.0]).unwrap();

    assert_eq!(database.job(child).await.status, Status::Pending);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_job_that_plain_sql_retries_without_a_run_at_becomes_due() {
    let database = Database::new();
    let worker = database.worker().await;
    let id = database.enqueue(job()).await;
    let retry = "UPDATE job_queue SET status = 'retrying', next_retry_at = 1600000000005 WHERE id = ?1";

    shell(&database).execute(retry, [id.0]).unwrap();

    assert_eq!(ids(&database.claim(&worker, 9).await), [id]);
    database.assert_counts_are_true();
}

/// Rows of an earlier version have only the sentence.
#[tokio::test]
async fn a_reason_without_a_code_is_found_by_its_sentence_and_one_of_another_program_by_no_code() {
    let reasons = [
        ("its only attempt failed", Some(DeadLetterCode::RetriesSpent)),
        ("all of its 4 attempts failed", Some(DeadLetterCode::RetriesSpent)),
        ("a config_error is not retried", Some(DeadLetterCode::NotRetried)),
        ("its worker died 3 times while it ran", Some(DeadLetterCode::CrashesSpent)),
        ("it was deferred 9 times", Some(DeadLetterCode::DeferralsSpent)),
        ("its parent job 1 had not completed", Some(DeadLetterCode::ParentEnded)),
        ("it waited for itself: its parents form a circle", Some(DeadLetterCode::Refused)),
        ("was \"failed\" before the queue was upgraded", Some(DeadLetterCode::Upgraded)),
        ("expired: its deadline has passed", Some(DeadLetterCode::Expired)),
        ("a customer asked for it", None),
        ("Retries_Spent: not our word", None),
        ("", None),
    ];
    let database = Database::new();
    let foreign = database.foreign();
    let insert = "INSERT INTO job_queue (job_type, status, dead_letter_reason, moved_to_dead_letter_at, completed_at)
                  VALUES ('mail', 'dead_letter', ?1, 1700000000000, 1700000000000)";
    for (reason, _) in reasons {
        foreign.execute(insert, [reason]).unwrap();
    }
    let request =
        |filter: Filter| JobPageRequest { selection: filter.into(), after: None, limit: 100, looked_max: None };
    let told = |jobs: Vec<longshore_core::Job>| -> Vec<_> {
        jobs.into_iter().rev().map(|job| (job.dead_letter_reason.unwrap(), job.dead_letter_code)).collect()
    };
    let own = |reasons: &[(&str, Option<DeadLetterCode>)]| -> Vec<_> {
        reasons.iter().map(|(reason, code)| ((*reason).to_owned(), *code)).collect()
    };

    let all = database.store.jobs(request(Filter::all().statuses([Status::DeadLetter]))).await.unwrap().jobs;
    assert_eq!(told(all), own(&reasons), "every row shows, with a code or without one");
    for code in DeadLetterCode::ALL {
        let found = database.store.jobs(request(Filter::all().reasons([code]))).await.unwrap().jobs;
        let expected: Vec<_> = reasons.into_iter().filter(|(_, other)| *other == Some(code)).collect();
        assert_eq!(told(found), own(&expected), "{code}");
    }
}

#[tokio::test]
async fn what_waits_in_vain_is_told_by_doctor_and_settled_by_housekeeping() {
    let cases = [
        ("UPDATE job_queue SET parent_job_id = 99 WHERE id = 2", "parent_ended: its parent job 99 was deleted"),
        ("DELETE FROM job_queue WHERE id = 1", "parent_ended: its parent job 1 was deleted"),
        (
            "UPDATE job_queue SET status = 'cancelled', completed_at = 1700000000000 WHERE id = 1",
            "parent_ended: its parent job 1 ended as cancelled",
        ),
        (
            "UPDATE job_queue SET parent_job_id = 3 WHERE id = 2",
            "refused: it waited for itself: its parents form a circle",
        ),
        (
            "UPDATE job_queue SET parent_job_id = 2 WHERE id = 2",
            "refused: it waited for itself: its parents form a circle",
        ),
    ];
    for (sql, reason) in cases {
        let database = Database::new();
        let [_, child, grandchild] = family(&database).await;
        unchecked(&database).execute(sql, []).unwrap();
        let told = stuck(&database).await;
        assert!(told.iter().any(|job| job.id == child), "{sql}: {told:?}");

        assert!(keep_house(&database).await >= 1, "{sql}");

        assert_given_up(&database, child, reason).await;
        assert_eq!(database.job(grandchild).await.status, Status::DeadLetter, "{sql}");
        assert_eq!(stuck(&database).await, [], "{sql}");
    }
}

#[tokio::test]
async fn a_child_that_nobody_told_of_its_completed_parent_runs() {
    let database = Database::new();
    let worker = database.worker().await;
    let [_, child, _] = family(&database).await;
    let complete = "UPDATE job_queue SET status = 'completed', completed_at = 1700000000000 WHERE id = 1";
    unchecked(&database).execute(complete, []).unwrap();
    assert_eq!(stuck(&database).await.len(), 1);

    assert_eq!(keep_house(&database).await, 1);

    assert_eq!(ids(&database.claim(&worker, 9).await), [child]);
}

/// Each value and the resulting job: a status, and a reason if it is given up.
const ROWS: [(&str, Status, Option<&str>); 14] = [
    ("status = 'retrying', run_at = NULL", Status::Pending, None),
    ("status = 'retrying', run_at = 'soon'", Status::Pending, None),
    ("run_at = 'soon'", Status::Pending, None),
    ("run_at = x'00'", Status::Pending, None),
    ("status = 'running', worker_id = NULL", Status::Pending, None),
    ("status = 'running', worker_id = ''", Status::Pending, None),
    ("status = 'running', worker_id = x'ff'", Status::Pending, None),
    ("status = 'running', worker_id = CAST(x'ff' AS TEXT), started_at = 1700000000000", Status::Pending, None),
    ("status = 'completed'", Status::Completed, None),
    ("status = 'cancelled', completed_at = 'yesterday'", Status::Cancelled, None),
    ("status = 'zombie'", Status::DeadLetter, Some("refused: its row cannot be used: its status was unknown")),
    ("status = x'ff'", Status::DeadLetter, Some("refused: its row cannot be used: its status was unknown")),
    (
        "claim_number = 9223372036854775807",
        Status::DeadLetter,
        Some("refused: its row cannot be used: its claim number cannot grow"),
    ),
    ("claim_number = 'x'", Status::DeadLetter, Some("refused: its row cannot be used: its claim number cannot grow")),
];

#[tokio::test]
async fn a_row_that_no_claim_can_use_is_told_by_doctor_and_settled_by_the_look_for_dead_workers() {
    for (set, status, reason) in ROWS {
        let database = Database::new();
        let bad = database.enqueue(job()).await;
        let good = database.enqueue(job()).await;
        unchecked(&database).execute(&format!("UPDATE job_queue SET {set} WHERE id = 1"), []).unwrap();
        let told = stuck(&database).await;
        if !set.contains("CAST(x'ff'") {
            assert_eq!(told, [StuckJob { id: bad, cause: StuckCause::UnusableRow }], "{set}");
        }
        let worker = database.worker().await;
        let before = ids(&database.claim(&worker, 9).await);
        assert!(before == [good] || before == [bad, good], "{set}: {before:?}");

        database.store.reclaim().await.unwrap();

        let found = database.job(bad).await;
        let expected = if before.contains(&bad) { Status::Running } else { status };
        assert_eq!((found.status, found.dead_letter_reason.as_deref()), (expected, reason), "{set}");
        assert_eq!(stuck(&database).await, [], "{set}");
        assert!(found.status != Status::Pending || ids(&database.claim(&worker, 9).await) == [bad], "{set}");
    }
}

/// SQLite checks a column only when it changes, so such a row runs. Its handler reports the invalid payload.
#[tokio::test]
async fn a_row_with_values_that_no_constraint_lets_in_is_claimed_like_any_other() {
    let sets =
        ["job_data = 'no JSON'", "priority = 'high'", "metadata = '{'", "max_retries = -1", "created_at = 'now'"];
    for set in sets {
        let database = Database::new();
        let bad = database.enqueue(job()).await;
        let good = database.enqueue(job()).await;
        unchecked(&database).execute(&format!("UPDATE job_queue SET {set} WHERE id = 1"), []).unwrap();
        let worker = database.worker().await;

        let mut claimed = ids(&database.claim(&worker, 9).await);

        claimed.sort_unstable();
        assert_eq!(claimed, [bad, good], "{set}");
        database.assert_counts_are_true();
    }
}

#[tokio::test]
async fn an_outcome_that_a_constraint_refuses_is_told_and_the_other_outcomes_are_kept() {
    let database = Database::new();
    let (bad, good) = (database.enqueue(job()).await, database.enqueue(job()).await);
    let child = database.enqueue(job().parent(bad)).await;
    let worker = database.worker().await;
    let leases = database.claim(&worker, 9).await.leases;
    unchecked(&database).execute("UPDATE job_queue SET retry_count = -5 WHERE id = 1", []).unwrap();
    let failure = || Failure::new(FailureType::NetworkError, "no route");
    let retry = || Outcome::Retrying { delay: Duration::ZERO, failure: failure() };

    let records = leases.iter().map(|lease| database.outcome(lease, retry())).collect();
    let answers = database.store.record(worker.clone(), records).await.unwrap();

    let [Recorded::Refused { reason }, Recorded::Recorded] = answers.as_slice() else { panic!("{answers:?}") };
    assert!(reason.contains("CHECK constraint failed: retry_count >= 0"), "{reason}");
    assert_eq!((database.job(bad).await.status, database.job(good).await.status), (Status::Running, Status::Retrying));

    // What a worker does about it.
    database.record(&worker, &leases[0], Outcome::DeadLetter { reason: OutcomeRefused, failure: failure() }).await;
    assert_given_up(&database, bad, "refused: its outcome could not be stored").await;
    assert_given_up(&database, child, "parent_ended: its parent job 1 ended as dead_letter").await;
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_claim_number_that_was_set_back_keeps_no_outcome_from_being_recorded() {
    let database = Database::new();
    let id = database.enqueue(job()).await;
    let worker = database.worker().await;
    for _ in 0..2 {
        let lease = database.claim_one(&worker).await;
        database.record(&worker, &lease, Outcome::Deferred { delay: Duration::ZERO }).await;
        unchecked(&database).execute("UPDATE job_queue SET claim_number = 0", []).unwrap();
    }
    assert_eq!(database.detail(id).await.attempts.len(), 1);
}

/// Values of every kind that a column can hold, whatever its declared type.
const VALUES: [&str; 16] = [
    "NULL",
    "0",
    "-1",
    "1",
    "9223372036854775807",
    "-9223372036854775808",
    "1.5",
    "9e999",
    "-9e999",
    "''",
    "'text'",
    "'2026-05-04T12:30:00Z'",
    "x'00ff'",
    "CAST(x'ff00' AS TEXT)",
    "CAST(x'eda080' AS TEXT)",
    "replace(hex(zeroblob(3000)), '0', 'q')",
];

const COLUMNS: [&str; 37] = [
    "expires_at",
    "deadline_at",
    "overdue_seen_at",
    "isolated_claim",
    "lapsed_worker_id",
    "job_type",
    "job_data",
    "status",
    "priority",
    "created_at",
    "started_at",
    "completed_at",
    "log_file_path",
    "error_message",
    "retry_count",
    "max_retries",
    "worker_id",
    "timeout_seconds",
    "parent_job_id",
    "failure_type",
    "next_retry_at",
    "last_error_traceback",
    "dead_letter_reason",
    "moved_to_dead_letter_at",
    "queue",
    "run_at",
    "ready_at",
    "claim_number",
    "crash_count",
    "max_crashes",
    "deferral_count",
    "max_deferrals",
    "unique_key",
    "cancel_requested_at",
    "progress",
    "result",
    "metadata",
];

/// Uses a database after each value. Every call must work, whatever the value is.
async fn use_everything(database: &Database, worker: &WorkerId) {
    let store = &database.store;
    let leases = database.claim(worker, 9).await.leases;
    let held = leases.iter().map(|lease| (lease.id, lease.claim_number)).collect();
    store.extend(heartbeat(worker, held)).await.unwrap();
    let failure = || Failure::new(FailureType::NetworkError, "no route");
    let outcomes = [
        Outcome::Completed { result: None },
        Outcome::Retrying { delay: Duration::ZERO, failure: failure() },
        Outcome::Crashed { failure: failure() },
    ];
    let records = leases.iter().zip(outcomes.into_iter().cycle()).map(|(lease, end)| database.outcome(lease, end));
    let answers = store.record(worker.clone(), records.collect()).await.unwrap();
    for (lease, _) in leases.iter().zip(answers).filter(|(_, answer)| matches!(answer, Recorded::Refused { .. })) {
        let given_up = Outcome::DeadLetter { reason: OutcomeRefused, failure: failure() };
        assert_eq!(database.record(worker, lease, given_up).await, Recorded::Recorded);
    }
    store.reclaim().await.unwrap();
    keep_house(database).await;
    let request = JobPageRequest { selection: Filter::all().into(), after: None, limit: 1000, looked_max: None };
    for job in store.jobs(request).await.unwrap().jobs {
        store.job(job.id).await.unwrap().expect("it was on the page");
    }
    store.stats(5).await.unwrap();
    store.workers().await.unwrap();
    store.health().await.unwrap();
    for action in [Action::Reprioritise(Priority(7)), Action::Cancel, Action::Retry] {
        store.act(Filter::all().into(), action).await.unwrap();
    }
}

#[tokio::test]
async fn whatever_value_plain_sql_writes_into_a_row_everything_answers_and_the_other_jobs_run() {
    let seed = 20;
    let mut random = fastrand::Rng::with_seed(seed);
    let database = Database::new();
    let worker = database.worker().await;
    let unchecked = unchecked(&database);
    for round in 0..150 {
        let bad = database.enqueue(job()).await;
        let status = random.choice(Status::ALL).unwrap();
        let (column, value) = (random.choice(COLUMNS).unwrap(), random.choice(VALUES).unwrap());
        let story = format!("round {round} of seed {seed}: {status}, {column} = {value}");
        // No pragma switches NOT NULL off. A value that it rejects is not written.
        let set = format!(
            "UPDATE job_queue SET started_at = 1700000000000, worker_id = 'w', status = '{status}', {column} = {value}
             WHERE id = {bad}"
        );
        let _ = unchecked.execute(&set, []);

        use_everything(&database, &worker).await;

        let good = database.enqueue(job().priority(Priority(-5))).await;
        let mut leases = Vec::new();
        for _ in 0..20 {
            leases = database.claim(&worker, 50).await.leases;
            let outcome = |lease| database.outcome(lease, Outcome::Completed { result: None });
            let records = leases.iter().map(outcome).collect();
            database.store.record(worker.clone(), records).await.unwrap();
            if leases.iter().any(|lease| lease.id == good) {
                break;
            }
        }
        assert!(leases.iter().any(|lease| lease.id == good), "the other job does not run in {story}");
        database.store.reclaim().await.unwrap();
        keep_house(&database).await;
        let found = stuck(&database).await;
        assert!(!found.iter().any(|job| job.id == bad), "still stuck in {story}: {found:?}");
        // One unusual row at a time, so that a failure names its value.
        unchecked.execute("DELETE FROM job_queue", []).unwrap();
    }
}

/// No claim looks into a lane that does not exist. No constraint refuses it, because lanes come and go.
#[tokio::test]
async fn a_job_in_a_lane_that_does_not_exist_runs_after_housekeeping() {
    for lane in ["7", "'x'", "-1", "x'ff'"] {
        let database = Database::new();
        let worker = database.worker().await;
        let id = database.enqueue(job()).await;
        shell(&database).execute(&format!("UPDATE job_queue SET lane = {lane} WHERE id = {}", id.0), []).unwrap();
        assert!(database.claim(&worker, 1).await.leases.is_empty());

        keep_house(&database).await;

        assert_eq!(ids(&database.claim(&worker, 1).await), [id], "{lane}");
    }
}
