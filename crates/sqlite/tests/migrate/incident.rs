//! The database of log entry 068 and its variants: the ledger says "rolled back", the table is there, the five
//! columns of 002 are not, and every worker dies of `no such column: failure_type`.

use longshore_migrate::{
    Agreement, RepairRequest, RunRequest,
    report::NextStep,
    report::{RepairAction, State},
};
use longshore_sqlite::schema::{check, check_thoroughly};

use crate::support::{Database, fresh, id, marking, repair_now};

const INCIDENT: &str = include_str!("../../../migrate-sqlite/tests/data/incident.sql");

/// How many migrations the queue has.
fn available() -> usize {
    longshore_sqlite::migrations::longshore().migrations().len()
}

/// What a repaired incident must be, whichever way it was repaired.
fn assert_mended(database: &Database) {
    let verify = database.looker().verify().unwrap();
    assert!(verify.ok, "{verify:#?}");
    let status = database.looker().status().unwrap();
    assert_eq!((status.applied_count, status.pending_count), (available(), 0), "{status:#?}");
    assert_eq!(status.agreement(), Agreement::InOrder, "{status:#?}");
    check(&database.connection()).unwrap();
    check_thoroughly(&database.connection()).unwrap();
    let tracks = [longshore_migrate::schema::ObjectName::table("tracks")];
    assert_eq!(database.schema().without(&tracks), fresh().schema());
    assert_data_kept(database);
}

fn assert_data_kept(database: &Database) {
    let jobs =
        database.rows("SELECT id, job_type, status, priority, max_retries, parent_job_id FROM job_queue ORDER BY id");
    assert_eq!(
        jobs,
        [
            "1|library_scan|completed|0|1|NULL",
            "2|channel_download|pending|10|3|NULL",
            "3|metadata_extraction|pending|5|2|2",
            "4|playlist_download|dead_letter|10|3|NULL",
            "5|database_backup|pending|15|2|NULL",
            "6|file_cleanup|cancelled|0|1|NULL",
        ]
    );
    assert_eq!(database.value("SELECT job_data FROM job_queue WHERE id = 4"), "{\"playlist\": \"Ünïcode – плейлист\"}");
    assert_eq!(database.value("SELECT error_message FROM job_queue WHERE id = 4"), "no such column: failure_type");
    assert_eq!(database.value("SELECT created_at FROM job_queue WHERE id = 1"), "1751112600000");
    assert_eq!(database.value("SELECT outcome FROM job_attempts WHERE job_id = 2"), "crashed");
    assert_eq!(database.rows("SELECT id, title, play_count FROM tracks ORDER BY id"), ["1|first|3", "2|second|0"]);
    assert_eq!(database.rows("PRAGMA foreign_key_check"), Vec::<String>::new());
    let next = "INSERT INTO job_queue (job_type) VALUES ('x') RETURNING id";
    assert_eq!(database.value(next), "7");
    database.execute("DELETE FROM job_queue WHERE id = 7");
}

fn problem(database: &Database, number: i64) -> String {
    let status = database.looker().status().unwrap();
    let found = status.migrations.into_iter().find(|migration| migration.id == id(number)).unwrap();
    found.problem.unwrap_or_default()
}

#[test]
fn incident_068_status_says_in_words_what_is_wrong_with_001_and_002() {
    let database = Database::with(INCIDENT);
    let before = std::fs::read(&database.path).unwrap();

    let status = database.looker().status().unwrap();

    assert_eq!((status.applied_count, status.available_count, status.pending_count), (0, available(), available()));
    assert_eq!(status.migrations[0].state, State::RolledBack);
    assert_eq!(status.migrations[0].rolled_back_at.as_deref(), Some("2025-06-28T11:35:43.000Z"));
    assert_eq!(problem(&database, 1), "rolled back in the ledger, but all of job_queue is there");
    assert!(problem(&database, 2).contains("column job_queue.failure_type"), "{}", problem(&database, 2));
    assert_eq!(status.agreement(), Agreement::SchemaDisagrees);
    assert_eq!(status.next, Some(NextStep::Repair));
    assert_eq!(status.foreign.iter().map(ToString::to_string).collect::<Vec<_>>(), ["table tracks"]);
    assert!(std::fs::read(&database.path).unwrap() == before, "status wrote to the database");
}

#[test]
fn incident_068_a_worker_refuses_and_names_the_command() {
    let database = Database::with(INCIDENT);

    let problem = check(&database.connection()).unwrap_err();

    assert_eq!(problem.code(), "schema_disagrees");
    assert!(problem.to_string().contains("rolled back in the ledger, but all of job_queue is there"), "{problem}");
}

#[test]
fn incident_068_up_refuses_before_the_first_statement() {
    let database = Database::with(INCIDENT);

    let error = database.migrator().up(&RunRequest::default()).unwrap_err();

    assert_eq!(error.code(), "already_there");
    assert!(error.to_string().starts_with("longshore:1 is not applied"), "{error}");
    assert_eq!(database.value("SELECT count(*) FROM schema_migrations"), "1");
}

#[test]
fn incident_068_the_plan_first_marks_001_and_applies_002() {
    let database = Database::with(INCIDENT);

    let report = database.looker().repair(&RepairRequest::default()).unwrap();

    let steps: Vec<_> = report.steps.iter().map(|step| (step.action, step.id.clone().unwrap().number)).collect();
    let mut expected = vec![(RepairAction::MarkApplied, 1)];
    expected.extend((2..=available() as i64).map(|number| (RepairAction::Apply, number)));
    assert_eq!(steps, expected);
    assert!(!report.applied);
}

#[test]
fn incident_068_repair_mends_it_with_a_backup_and_the_whole_story() {
    let database = Database::with(INCIDENT);

    let report = database.migrator().repair(&repair_now()).unwrap();

    assert!(report.applied);
    let backup = report.backup.unwrap();
    assert_eq!(
        rusqlite::Connection::open(&backup)
            .unwrap()
            .query_row("SELECT count(*) FROM job_queue", [], |row| row.get::<_, i64>(0))
            .unwrap(),
        6
    );
    assert_mended(&database);
    let history = database.looker().history(None).unwrap().events;
    let told: Vec<String> = history.iter().map(|event| format!("{} {}", event.event.word(), event.id)).collect();
    let begun = ["applied longshore:1", "rolled_back longshore:1", "marked_applied longshore:1"];
    let mut expected = begun.map(str::to_owned).to_vec();
    expected.extend((2..=available()).map(|number| format!("applied longshore:{number}")));
    assert_eq!(told, expected);
    assert_eq!(history[0].at, "2025-06-28T11:35:15.000Z");
    assert_eq!((history[2].reason.as_deref(), history[2].who.as_deref()), (Some("log entry 068"), Some("ann")));
}

#[test]
fn incident_068_mark_applied_and_up_end_in_the_same_schema() {
    let database = Database::with(INCIDENT);

    let marked = database.migrator().mark_applied(&marking(id(1))).unwrap();
    let status = database.looker().status().unwrap();
    database.migrator().up(&RunRequest::default()).unwrap();

    assert_eq!(marked.marked, [id(1)]);
    assert_eq!((status.applied_count, status.agreement()), (1, Agreement::Pending));
    assert_mended(&database);
}

#[test]
fn incident_068_marking_002_is_refused_with_the_list_of_what_is_missing() {
    let database = Database::with(INCIDENT);

    let error = database.migrator().mark_applied(&marking(id(2))).unwrap_err();

    assert_eq!(error.code(), "not_shown");
    for column in
        ["failure_type", "next_retry_at", "last_error_traceback", "dead_letter_reason", "moved_to_dead_letter_at"]
    {
        assert!(error.to_string().contains(column), "{error}");
    }
}

#[test]
fn incident_068_with_two_columns_added_by_hand_gets_exactly_the_other_three() {
    let database = Database::with(INCIDENT);
    database.execute(
        "ALTER TABLE job_queue ADD COLUMN failure_type TEXT; ALTER TABLE job_queue ADD COLUMN dead_letter_reason TEXT;
         UPDATE job_queue SET failure_type = 'network_error' WHERE id = 4;",
    );
    assert!(problem(&database, 2).contains("failure_type"), "{}", problem(&database, 2));

    let plan = database.looker().repair(&RepairRequest::default()).unwrap();
    database.migrator().repair(&repair_now()).unwrap();

    let added: Vec<_> =
        plan.steps.iter().filter(|step| step.action == RepairAction::Add).filter_map(|step| step.sql.clone()).collect();
    assert_eq!(
        added,
        [
            "ALTER TABLE job_queue ADD COLUMN next_retry_at TIMESTAMP",
            "ALTER TABLE job_queue ADD COLUMN last_error_traceback TEXT",
            "ALTER TABLE job_queue ADD COLUMN moved_to_dead_letter_at TIMESTAMP",
            "CREATE INDEX idx_job_queue_failure_type ON job_queue (failure_type)",
            "CREATE INDEX idx_job_queue_next_retry_at ON job_queue (next_retry_at)",
        ]
    );
    let added = plan.steps.iter().filter(|step| step.action == RepairAction::Add);
    assert!(added.clone().all(|step| step.id == Some(id(2))), "each belongs to 002, whatever 003 does to it later");
    assert_mended(&database);
    assert_eq!(database.value("SELECT failure_type FROM job_queue WHERE id = 4"), "network_error");
}

#[test]
fn incident_068_with_a_ledger_that_claims_002() {
    let database = Database::with(INCIDENT);
    database.execute(
        "UPDATE schema_migrations SET rollback_at = NULL;
         INSERT INTO schema_migrations (migration_number, migration_name) VALUES (2, 'Migration002');",
    );
    let verify = database.looker().verify().unwrap();
    let missing: Vec<_> = verify.differences.iter().filter(|one| one.object.starts_with("column")).collect();
    assert_eq!(missing.len(), 5, "{verify:#?}");
    assert!(missing.iter().all(|one| one.because == Some(id(2))));
    assert_eq!(verify.agreement(), Agreement::SchemaDisagrees);
    assert_eq!(check(&database.connection()).unwrap_err().code(), "schema_disagrees");

    database.migrator().repair(&repair_now()).unwrap();

    assert_mended(&database);
}

#[test]
fn incident_068_with_a_ledger_without_any_row() {
    let database = Database::with(INCIDENT);
    database.execute("DELETE FROM schema_migrations");

    database.migrator().repair(&repair_now()).unwrap();

    assert_mended(&database);
}

#[test]
fn incident_068_without_a_ledger() {
    let database = Database::with(INCIDENT);
    database.execute("DROP TABLE schema_migrations");

    database.migrator().repair(&repair_now()).unwrap();

    assert_mended(&database);
}

/// 001 as an earlier program wrote it: five statuses in a CHECK, instants from `datetime('now')`.
fn narrow() -> Database {
    let status = "status TEXT NOT NULL DEFAULT 'pending'";
    let narrow = "status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled'))";
    let sql = INCIDENT.replace(status, narrow).replace(
        "created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP",
        "created_at TEXT DEFAULT (datetime('now'))",
    );
    assert_ne!(sql, INCIDENT);
    Database::with(&sql)
}

#[test]
fn incident_068_with_a_narrow_check_is_repaired_to_the_same_schema() {
    let database = narrow();
    assert!(problem(&database, 1).contains("rolled back in the ledger"), "{}", problem(&database, 1));

    let plan = database.looker().repair(&RepairRequest::default()).unwrap();
    database.migrator().repair(&repair_now()).unwrap();

    assert_eq!((plan.steps[0].action, plan.steps[0].id.clone()), (RepairAction::MarkApplied, Some(id(1))));
    assert_eq!((plan.steps[1].action, plan.steps[1].id.clone()), (RepairAction::Apply, Some(id(2))));
    assert_mended(&database);
}

#[test]
fn incident_068_with_a_narrow_check_is_mended_by_mark_applied_and_up() {
    let database = narrow();

    let marked = database.migrator().mark_applied(&marking(id(1))).unwrap();
    database.migrator().up(&RunRequest::default()).unwrap();

    assert!(!marked.notes.is_empty());
    assert_mended(&database);
}

#[test]
fn incident_068_a_value_that_no_column_of_the_queue_can_hold_is_asked_for() {
    let database = Database::with(INCIDENT);
    database.execute("UPDATE job_queue SET priority = 'soon' WHERE id = 5");
    let state = || {
        let rows = |table: &str| database.rows(&format!("SELECT * FROM {table}"));
        (database.schema(), rows("job_queue"), rows("schema_migrations"))
    };
    let before = state();

    let error = database.migrator().repair(&repair_now()).unwrap_err();

    assert_eq!(error.code(), "needs_decision", "{error}");
    assert!(error.to_string().contains("priority of job 5 is 'soon'"), "{error}");
    assert_eq!(before, state());
}

#[test]
fn incident_068_a_column_that_nobody_knows_is_kept_with_its_data() {
    let database = Database::with(INCIDENT);
    database.execute("ALTER TABLE job_queue ADD COLUMN note TEXT; UPDATE job_queue SET note = 'mine' WHERE id = 1;");

    let report = database.migrator().repair(&repair_now()).unwrap();

    assert_eq!(report.steps[0].action, RepairAction::TakeOver);
    assert_eq!(database.value("SELECT note FROM job_queue WHERE id = 1"), "mine");
    assert!(database.looker().verify().unwrap().ok);
    check(&database.connection()).unwrap();
    check_thoroughly(&database.connection()).unwrap();
    assert_data_kept(&database);
}
