//! The founding application's database as it is.

use serde_json::json;

use super::{FOUNDING, Harbour, INCIDENT};
use crate::sandbox::QUEUE_MIGRATIONS;

#[test]
fn every_command_that_would_use_the_queue_names_the_adoption_and_changes_nothing() {
    let harbour = Harbour::with(FOUNDING);
    let before = harbour.content();

    for command in [
        &["work", "--drain"][..],
        &["up", "--drain"],
        &["migrate", "up"],
        &["enqueue", "library_scan"],
        &["jobs", "list"],
        &["doctor"],
    ] {
        let ran = harbour.run(command);
        assert_eq!(ran.exit, 5, "{command:?}: {ran:?}");
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains("longshore adopt --reason TEXT"), "{command:?}: {ran:?}");
    }
    assert_eq!(harbour.run(&["work", "--drain", "--json"]).code(), "needs_adoption");
    assert_eq!(harbour.content(), before);
    assert_eq!(harbour.manager(&[]), "[1, 2, 4, 5, 6, 7]");
}

#[test]
fn status_names_what_is_theirs_and_the_adoption_and_writes_nothing() {
    let harbour = Harbour::with(FOUNDING);
    let bytes = std::fs::read(harbour.sandbox.path("longshore.db")).unwrap();

    let status = harbour.sandbox.json(&["migrate", "status"]);
    let ran = harbour.run(&["migrate", "status", "--check"]);

    let theirs = status["theirs"].as_array().unwrap();
    let numbers: Vec<i64> = theirs.iter().map(|row| row["number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 4, 5, 6, 7]);
    assert_eq!((&theirs[0]["same_as"], &theirs[2]["same_as"]), (&json!("longshore:1"), &json!(null)));
    assert_eq!((&status["applied_count"], &status["pending_count"]), (&json!(2), &json!(QUEUE_MIGRATIONS - 2)));
    assert_eq!(status["findings"], json!([]));
    assert!(ran.stdout.contains("4 (Migration004)") && ran.stdout.contains("next: longshore adopt"), "{}", ran.stdout);
    assert_eq!(ran.exit, 5);
    assert!(std::fs::read(harbour.sandbox.path("longshore.db")).unwrap() == bytes, "status wrote to the database");
}

#[test]
fn a_dry_run_fails_where_the_adoption_would() {
    for obstacle in [
        "CREATE INDEX job_workers ON tracks (id)",
        "CREATE VIEW job_logs AS SELECT 1",
        "CREATE TRIGGER no_ledger BEFORE INSERT ON schema_migrations BEGIN SELECT 1; END; CREATE TABLE job_minutes (mine)",
    ] {
        let harbour = Harbour::with(FOUNDING);
        harbour.execute(obstacle);
        let before = harbour.content();

        let dry = harbour.run(&["adopt", "--dry-run", "--json"]);
        let adopted = harbour.run(&["adopt", "--reason", "x", "--json"]);

        assert_ne!(dry.exit, 0, "{obstacle}: {dry:?}");
        assert_eq!((dry.exit, dry.code()), (adopted.exit, adopted.code()), "{obstacle}: {dry:?} {adopted:?}");
        assert_eq!(harbour.content(), before, "{obstacle}");
    }
}

#[test]
fn a_dry_run_says_what_was_found_what_would_be_done_and_what_is_theirs() {
    let harbour = Harbour::with(FOUNDING);
    let before = harbour.content();

    let ran = harbour.run(&["adopt", "--dry-run"]);

    assert_eq!(ran.exit, 0, "{ran:?}");
    for words in [
        "found:",
        "it holds 5 jobs: 2 pending",
        "the default of priority was 0 and is that of its type, else 5, from now on",
        "drop: the index idx_job_queue_status_priority only makes reading faster",
        "CREATE INDEX idx_job_queue_status_priority ON job_queue (status, priority DESC)",
        "mark as applied longshore:2",
        "apply longshore:6",
        "theirs, in schema_migrations: 1 (Migration001, which is longshore:1)",
        "the application's, and left alone: table playlists, table tracks",
        "nothing was changed",
    ] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    assert_eq!(harbour.content(), before);
    assert_eq!(harbour.sandbox.files(), ["longshore.db", "longshore.toml", "manager.py"]);
}

#[test]
fn the_jobs_come_along_run_and_the_other_manager_goes_on() {
    let harbour = Harbour::with(FOUNDING);
    let numbers = harbour.manager(&[]);

    let adopted = harbour.sandbox.json(&["adopt", "--reason", "the queue takes over"]);

    assert_eq!(adopted["applied"], true);
    assert!(std::path::Path::new(adopted["backup"].as_str().unwrap()).exists() || adopted["backup"].is_string());
    assert_eq!(harbour.manager(&[]), numbers);
    let jobs = "SELECT id, job_type, job_data, status, priority, created_at, parent_job_id FROM job_queue WHERE id IN (1, 2) ORDER BY id";
    assert_eq!(
        harbour.rows(jobs),
        [
            "1|library_scan|{\"path\": \"/m\"}|pending|10|1751716800000|NULL",
            "2|channel_download|{\"id\": 7}|pending|5|1751716830000|NULL"
        ]
    );
    let rest = "SELECT id, job_type, job_data, status, error_message, failure_type, parent_job_id FROM job_queue WHERE id > 2 ORDER BY id";
    assert_eq!(
        harbour.rows(rest),
        [
            "3|database_backup|{}|completed|NULL|NULL|NULL",
            "4|metadata_extraction|{}|dead_letter|boom|network_error|NULL",
            "5|file_cleanup|{\"päth\": \"ü\"}|pending|NULL|NULL|3"
        ]
    );
    assert_eq!(harbour.run(&["migrate", "verify"]).exit, 0);
    assert_eq!(harbour.run(&["migrate", "status", "--check"]).exit, 0);

    harbour.manager(&["run", "14"]);
    harbour.manager(&["run", "3"]);
    let ran = harbour.run(&["work", "--drain"]);

    assert_eq!(ran.exit, 0, "{ran:?}");
    let states = "SELECT status, count(*) FROM job_queue GROUP BY 1 ORDER BY 1";
    assert_eq!(harbour.rows(states), ["completed|4", "dead_letter|1"]);
    assert_eq!(harbour.manager(&[]), "[1, 2, 3, 4, 5, 6, 7, 14]");
    harbour.manager(&["rollback", "14"]);
    assert_eq!(harbour.manager(&[]), "[1, 2, 3, 4, 5, 6, 7]");
    assert_eq!(harbour.rows("SELECT id, name FROM tracks ORDER BY id"), ["1|one", "2|two"]);
    assert_eq!(harbour.run(&["migrate", "status", "--check"]).exit, 0);
}

#[test]
fn the_history_keeps_the_definition_of_everything_that_went() {
    let harbour = Harbour::with(FOUNDING);
    harbour.adopt(&[]);

    let history = harbour.run(&["migrate", "history"]).stdout;

    for words in [
        "the queue takes over",
        "CREATE INDEX idx_job_queue_status_priority ON job_queue (status, priority DESC)",
        "CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled'))",
        "2025-07-05T11:20:00.000Z",
    ] {
        assert!(history.contains(words), "{words}: {history}");
    }
}

#[test]
fn repair_ends_in_the_same_tables_as_an_adoption() {
    let [adopted, repaired] = [Harbour::with(FOUNDING), Harbour::with(FOUNDING)];

    assert_eq!(adopted.adopt(&[]).exit, 0);
    let plan = repaired.sandbox.json(&["migrate", "repair"]);
    let ran = repaired.run(&["migrate", "repair", "--apply", "--reason", "x"]);

    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!(plan["steps"][0]["action"], "take_over");
    assert_eq!(adopted.content().0, repaired.content().0);
    let jobs = "SELECT id, job_type, status, priority, error_message FROM job_queue ORDER BY id";
    assert_eq!(adopted.rows(jobs), repaired.rows(jobs));
    assert_eq!(repaired.manager(&[]), "[1, 2, 4, 5, 6, 7]");
    assert_eq!(repaired.run(&["adopt", "--undo", "--reason", "x"]).exit, 0);
}

#[test]
fn an_adoption_needs_a_reason_and_a_second_one_finds_nothing_to_do() {
    let harbour = Harbour::with(FOUNDING);

    assert_eq!(harbour.run(&["adopt"]).exit, 2);
    assert_eq!(harbour.run(&["adopt", "--reason", " "]).exit, 2);
    assert_eq!(harbour.adopt(&[]).exit, 0);
    let again = harbour.adopt(&[]);

    assert_eq!(again.exit, 0, "{again:?}");
    assert!(again.stdout.contains("nothing to do"), "{again:?}");
}

#[test]
fn undo_takes_along_what_was_enqueued_since_and_is_refused_once_a_job_has_run() {
    let harbour = Harbour::with(FOUNDING);
    harbour.adopt(&[]);
    harbour.sandbox.json(&["enqueue", "library_scan", "{\"path\": \"/new\"}"]);

    let undone = harbour.run(&["adopt", "--undo", "--reason", "not yet"]);

    assert_eq!(undone.exit, 0, "{undone:?}");
    assert!(undone.stdout.contains("1 job enqueued since"), "{}", undone.stdout);
    let new = "SELECT id, job_type, job_data, status FROM job_queue WHERE id > 5";
    assert_eq!(harbour.rows(new), ["6|library_scan|{\"path\": \"/new\"}|pending"]);
    assert_eq!(harbour.adopt(&[]).exit, 0);
    harbour.run(&["work", "--drain"]);
    let before = harbour.content();
    let refused = harbour.run(&["adopt", "--undo", "--reason", "too late"]);
    assert_eq!(refused.exit, 7, "{refused:?}");
    assert!(refused.stderr.contains("already started"), "{refused:?}");
    assert_eq!(harbour.content(), before);
}

#[test]
fn undo_is_refused_with_the_reason_where_the_old_table_could_not_tell_what_is_new() {
    let changes: [(&[&str], &str); 4] = [
        (&["enqueue", "library_scan", "--queue", "media"], "enqueued since"),
        (&["enqueue", "library_scan", "--delay", "1h"], "enqueued since"),
        (&["jobs", "cancel", "1"], "changed or removed since"),
        (&["jobs", "priority", "1", "20"], "changed or removed since"),
    ];
    for (change, why) in changes {
        let harbour = Harbour::with(FOUNDING);
        harbour.adopt(&[]);
        assert_eq!(harbour.run(change).exit, 0, "{change:?}");

        let refused = harbour.run(&["adopt", "--undo", "--reason", "x", "--json"]);

        assert_eq!((refused.exit, refused.code().as_str()), (7, "not_returned"), "{change:?}: {refused:?}");
        assert!(refused.stdout.contains(why), "{change:?}: {refused:?}");
    }
    let never = Harbour::with(FOUNDING).run(&["adopt", "--undo", "--reason", "x"]);
    assert_eq!(never.exit, 7);
    assert!(never.stderr.contains("nothing was adopted"), "{never:?}");
}

#[test]
fn jobs_that_had_ended_long_ago_stay_until_a_retention_is_set() {
    let harbour = Harbour::with(FOUNDING);
    harbour.adopt(&[]);
    let ended = "SELECT id FROM job_queue WHERE id IN (3, 4) ORDER BY id";

    harbour.run(&["work", "--drain"]);
    assert_eq!(harbour.rows(ended), ["3", "4"]);
    harbour.sandbox.write("longshore.toml", format!("[worker]\nretention = \"1d\"\n{}", super::CONFIG));
    let worker = harbour.sandbox.command(&["work"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut worker = scopeguard(worker);
    harbour.sandbox.until(|| harbour.rows(ended) == ["4"]);
    worker.0.kill().unwrap();
}

/// Ends a process whatever becomes of the test.
struct Guard(std::process::Child);

fn scopeguard(child: std::process::Child) -> Guard {
    Guard(child)
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_incident_is_adopted_as_it_is_repaired() {
    for command in [&["adopt", "--reason", "x"][..], &["migrate", "repair", "--apply", "--reason", "x"]] {
        let harbour = Harbour::with(INCIDENT);
        assert_eq!(harbour.manager(&[]), "[]");

        assert_eq!(harbour.run(command).exit, 0, "{command:?}");

        // The log entry marked 001 and 002 there, too, or that manager would run them again.
        assert_eq!(harbour.manager(&[]), "[1, 2]", "{command:?}");
        let rows = "SELECT migration_number, migration_name FROM schema_migrations ORDER BY 1";
        assert_eq!(harbour.rows(rows), ["1|Migration001", "2|Migration002"]);
        assert_eq!(harbour.run(&["migrate", "verify"]).exit, 0);
        harbour.execute("ALTER TABLE tracks ADD COLUMN name TEXT");
        harbour.manager(&["run", "3"]);
        assert_eq!(harbour.manager(&[]), "[1, 2, 3]");
        assert_eq!(harbour.run(&["work", "--drain"]).exit, 0);
    }
}
