mod hand_work;
mod import;
mod losses;
mod normal_databases;

use std::process::Stdio;

use longshore_testkit_postgres::Cluster;
use rusqlite::Connection;
use serde_json::json;

use crate::sandbox::{QUEUE_MIGRATIONS, Sandbox};

#[test]
fn status_reads_only_and_begins_with_three_counts() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["migrate", "status"]);
    assert!(ran.stdout.starts_with("Applied migrations: 0\nAvailable migrations: "), "{ran:?}");
    assert_eq!((ran.exit, sandbox.files().len()), (0, 0));
    assert_eq!(sandbox.run(&["migrate", "status", "--check"]).exit, 3);
    sandbox.json(&["migrate", "up"]);
    assert_eq!(sandbox.run(&["migrate", "status", "--check"]).exit, 0);
}

#[test]
fn status_has_the_fields_that_scripts_rely_on() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up", "--to", "longshore:2"]);
    let status = sandbox.json(&["migrate", "status"]);
    assert_eq!((&status["applied_count"], &status["pending_count"]), (&2.into(), &(QUEUE_MIGRATIONS - 2).into()));
    let first = &status["migrations"][0];
    assert_eq!((&first["id"], &first["state"]), (&"longshore:1".into(), &"applied".into()));
    for field in ["source", "number", "name", "applied_at", "rolled_back_at", "checksum", "problem"] {
        assert!(first.get(field).is_some(), "{field}");
    }
    assert_eq!(status["unrecognised"], serde_json::json!([]));
}

#[test]
fn a_dry_run_prints_the_sql_and_creates_nothing() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["migrate", "up", "--dry-run"]);
    assert!(ran.stdout.contains("BEGIN IMMEDIATE;\nCREATE TABLE job_queue"), "{}", ran.stdout);
    assert_eq!((ran.exit, sandbox.files().len()), (0, 0));
}

#[test]
fn aliases_do_what_their_names_say() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.json(&["migrate", "run"])["migrations"].as_array().unwrap().len(), QUEUE_MIGRATIONS);
    assert_eq!(sandbox.json(&["migrate", "rollback"])["migrations"][0]["id"], format!("longshore:{QUEUE_MIGRATIONS}"));
}

#[test]
fn what_looks_never_creates_a_database() {
    let sandbox = Sandbox::new();
    for command in [
        &["down"][..],
        &["redo"],
        &["verify"],
        &["repair"],
        &["repair", "--apply", "--reason", "x"],
        &["mark-applied", "1", "--reason", "x"],
        &["mark-rolled-back", "1", "--reason", "x"],
        &["baseline", "1", "--reason", "x"],
        &["history"],
        &["dump"],
    ] {
        let ran = sandbox.run(&[&["migrate"], command, &["--json"]].concat());
        assert_eq!((ran.exit, ran.code().as_str()), (1, "database_missing"), "{command:?}");
    }
    assert_eq!(sandbox.files(), [""; 0]);
}

#[test]
fn an_application_has_migrations_of_its_own() {
    let sandbox = Sandbox::new();
    let written = sandbox.json(&["migrate", "new", "add tracks"]);
    let up = written["up"].as_str().unwrap();
    assert_eq!(sandbox.run(&["migrate", "lint"]).exit, 4, "an empty file is no migration");
    sandbox.write(up, "CREATE TABLE tracks (id INTEGER PRIMARY KEY);\n");
    sandbox.write(written["down"].as_str().unwrap(), "DROP TABLE tracks;\n");
    assert_eq!(sandbox.run(&["migrate", "lint"]).exit, 0);
    assert_eq!(sandbox.json(&["migrate", "up"])["migrations"].as_array().unwrap().len(), QUEUE_MIGRATIONS + 1);
    let dump = sandbox.run(&["migrate", "dump"]).stdout;
    sandbox.write("schema.sql", &dump);
    assert_eq!(sandbox.run(&["migrate", "dump", "--check"]).exit, 0);
    sandbox.write(up, "CREATE TABLE tracks (id INTEGER PRIMARY KEY, title TEXT);\n");
    assert_eq!(sandbox.run(&["migrate", "status", "--check"]).exit, 4);
    assert_eq!(sandbox.run(&["migrate", "verify"]).exit, 4);
}

#[test]
fn a_mark_that_the_schema_does_not_show_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up", "--to", "longshore:1"]);
    let ran = sandbox.run(&["migrate", "mark-applied", "longshore:2", "--reason", "hope", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (7, "not_shown"));
    assert!(ran.document()["error"]["message"].as_str().unwrap().contains("job_queue.failure_type"));
    let history = sandbox.json(&["migrate", "history"]);
    assert_eq!(history["events"].as_array().unwrap().len(), 1);
}

const LIBRARY: &str = "CREATE TABLE songs (id INTEGER PRIMARY KEY, title TEXT NOT NULL DEFAULT 'untitled');
CREATE TABLE plays (id INTEGER PRIMARY KEY, song_id INTEGER NOT NULL REFERENCES songs (id) ON DELETE CASCADE);
CREATE INDEX songs_title ON songs (title);
";

fn library() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("migrations/001_library.up.sql", LIBRARY);
    sandbox.write("migrations/001_library.down.sql", "DROP TABLE plays;\nDROP TABLE songs;\n");
    sandbox
}

#[test]
fn repair_rebuilds_a_table_whose_shape_is_off_and_keeps_its_rows_and_their_children() {
    let sandbox = library();
    sandbox.json(&["migrate", "up"]);
    let connection = Connection::open(sandbox.path("longshore.db")).unwrap();
    // A GUI has created the table again, without NOT NULL, the default and the index.
    connection
        .execute_batch(
            "PRAGMA foreign_keys = OFF; INSERT INTO songs VALUES (1, 'first'), (2, 'second');
             INSERT INTO plays (song_id) VALUES (1), (2), (2);
             CREATE TABLE made (id INTEGER PRIMARY KEY, title TEXT); INSERT INTO made SELECT * FROM songs;
             DROP TABLE songs; ALTER TABLE made RENAME TO songs;",
        )
        .unwrap();
    assert_eq!(sandbox.run(&["migrate", "verify"]).exit, 5);

    let plan = sandbox.json(&["migrate", "repair"]);
    let repaired = sandbox.json(&["migrate", "repair", "--apply", "--reason", "made by a GUI"]);

    let steps = plan["steps"].as_array().unwrap();
    assert_eq!((&steps[0]["action"], &steps[0]["id"]), (&json!("rebuild_table"), &json!("app:1")));
    assert_eq!((&plan["applied"], &repaired["applied"]), (&json!(false), &json!(true)));
    assert!(sandbox.path(repaired["backup"].as_str().unwrap()).exists());
    assert_eq!(sandbox.json(&["migrate", "verify"])["differences"], json!([]));
    let count = |query: &str| connection.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((count("SELECT count(*) FROM songs"), count("SELECT count(*) FROM plays")), (2, 3));
    let refused = connection.execute("INSERT INTO songs (title) VALUES (NULL)", []);
    assert!(refused.is_err(), "NOT NULL is back");
}

#[test]
fn three_runs_of_up_at_once_apply_each_migration_once_and_none_fails() {
    for _ in 0..3 {
        let sandbox = library();
        let start = || sandbox.command(&["migrate", "up", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
        let runs: Vec<_> = (0..3).map(|_| start()).collect();

        let ended: Vec<_> = runs.into_iter().map(|run| run.wait_with_output().unwrap()).collect();

        assert!(ended.iter().all(|run| run.status.success()), "{ended:?}");
        let events = sandbox.json(&["migrate", "history"]);
        let ids: Vec<_> = events["events"].as_array().unwrap().iter().map(|event| event["id"].clone()).collect();
        let queue = (1..=QUEUE_MIGRATIONS).map(|number| format!("longshore:{number}"));
        assert_eq!(ids, queue.chain(["app:1".to_owned()]).collect::<Vec<_>>());
        assert_eq!(sandbox.run(&["migrate", "verify"]).exit, 0);
    }
}

#[test]
fn a_checkout_with_crlf_and_a_byte_order_mark_is_the_same_history() {
    let sandbox = library();
    sandbox.json(&["migrate", "up"]);

    sandbox.write("migrations/001_library.up.sql", format!("\u{feff}{}", LIBRARY.replace('\n', "\r\n")));

    assert_eq!(sandbox.run(&["migrate", "status", "--check"]).exit, 0);
    assert_eq!(sandbox.run(&["migrate", "verify"]).exit, 0);
    assert_eq!(sandbox.json(&["migrate", "up"])["migrations"], json!([]));
    assert_eq!(sandbox.run(&["migrate", "redo"]).exit, 0);
}

#[test]
fn history_tells_by_whom_on_which_host_when_and_how_long_even_without_an_environment() {
    let sandbox = library();
    sandbox.json(&["migrate", "up"]);

    let history = sandbox.json(&["migrate", "history", "app:1"]);

    let event = &history["events"][0];
    for field in ["who", "host", "at", "duration_ms"] {
        assert!(!event[field].is_null(), "{field} of {event}");
    }
}

#[test]
fn a_mark_as_rolled_back_is_refused_with_what_is_there_and_how_to_undo_it() {
    let sandbox = library();
    sandbox.json(&["migrate", "up"]);
    let ran = sandbox.run(&["migrate", "mark-rolled-back", "longshore:4", "--reason", "gone", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (7, "still_there"));
    let error = &ran.document()["error"];
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("table job_depths, table job_logs"), "{message}");
    assert!(!message.contains("column job_logs"), "a table stands for its columns: {message}");
    let down = format!("longshore migrate down --steps {}, or", QUEUE_MIGRATIONS + 1 - 3);
    assert!(error["hint"].as_str().unwrap().starts_with(&down), "{error}");
}

#[test]
fn a_mark_as_rolled_back_is_true_where_the_objects_are_gone() {
    let sandbox = library();
    sandbox.json(&["migrate", "up"]);
    let connection = Connection::open(sandbox.path("longshore.db")).unwrap();
    connection.execute_batch("DROP TABLE plays; DROP TABLE songs").unwrap();
    let mark = &["migrate", "mark-rolled-back", "app:1", "--reason", "dropped by hand"];

    assert_eq!(sandbox.run(mark).stdout, "marked app:1 as rolled back\n");

    assert_eq!(sandbox.run(&["migrate", "verify"]).exit, 0);
    assert_eq!(sandbox.run(&["migrate", "status", "--check"]).exit, 3);
    let again = sandbox.run(mark);
    assert_eq!((again.exit, again.stdout.as_str()), (0, "app:1 was not applied\n"));
    let history = sandbox.json(&["migrate", "history", "app:1"]);
    let last = history["events"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["event"], &last["reason"]), (&json!("marked_rolled_back"), &json!("dropped by hand")));
    assert_eq!(last["detail"], json!(null));
}

#[test]
fn a_mark_against_what_the_schema_shows_is_told_by_the_history() {
    let sandbox = library();
    sandbox.json(&["migrate", "up"]);
    let mark = ["migrate", "mark-rolled-back", "app:1", "--reason", "no", "--unverified"];
    assert_eq!(sandbox.json(&mark)["marked"], json!(["app:1"]));
    let told = sandbox.run(&["migrate", "history", "app:1"]).stdout;
    assert!(told.contains("no (against what the schema shows)"), "{told}");
    let verify = sandbox.run(&["migrate", "verify"]);
    let words = "app:1: not applied according to the ledger, but the schema has table plays, table songs\n";
    assert_eq!((verify.exit, verify.stdout.as_str()), (5, words));
    let status = sandbox.run(&["migrate", "status"]).stdout;
    assert_eq!(status.matches("\napp:1: ").count(), 1, "once is enough: {status}");
}

#[test]
fn a_mark_of_a_migration_without_files_needs_the_flag_and_says_that_nothing_could_be_checked() {
    let sandbox = library();
    sandbox.json(&["migrate", "up"]);
    for way in ["up", "down"] {
        std::fs::remove_file(sandbox.path(&format!("migrations/001_library.{way}.sql"))).unwrap();
    }
    assert_eq!(sandbox.run(&["migrate", "status", "--check"]).exit, 4);

    let mark = ["migrate", "mark-rolled-back", "app:1", "--reason", "its files went", "--json"];
    let refused = sandbox.run(&mark);
    let marked = sandbox.json(&["migrate", "mark-rolled-back", "app:1", "--reason", "its files went", "--unverified"]);
    let back = sandbox.run(&["migrate", "mark-applied", "app:1", "--reason", "x", "--json"]);

    assert_eq!((refused.exit, refused.code().as_str()), (7, "no_file"), "{refused:?}");
    assert_eq!(marked["notes"], json!(["app:1 has no file any more by which it could be checked"]));
    assert_eq!((back.exit, back.code().as_str()), (7, "no_file"));
}

#[test]
fn up_to_an_earlier_migration_names_the_command_that_goes_back() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up"]);
    let ran = sandbox.run(&["migrate", "up", "--to", "longshore:3", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (1, "already_past"));
    let hint = ran.document()["error"]["hint"].as_str().unwrap().to_owned();
    assert!(hint.ends_with("longshore migrate down --to longshore:3"), "{hint}");
    let same = format!("longshore:{QUEUE_MIGRATIONS}");
    assert_eq!(sandbox.run(&["migrate", "up", "--to", &same]).stdout, "nothing to do\n");
}

#[test]
fn a_baseline_that_the_schema_does_not_show_offers_only_words_that_exist() {
    let sandbox = library();
    sandbox.json(&["migrate", "up", "--to", "longshore:4"]);
    let ran = sandbox.run(&["migrate", "baseline", "app:1", "--reason", "made by hand", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (7, "not_shown"));
    let hint = ran.document()["error"]["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("longshore migrate mark-applied app:1 --reason TEXT --unverified"), "{hint}");
}

#[test]
fn the_last_five_backups_are_kept_and_json_says_where_the_new_one_is() {
    let sandbox = library();
    sandbox.json(&["migrate", "up"]);
    let mut made = Vec::new();
    for _ in 0..7 {
        let ran = sandbox.run(&["migrate", "redo", "--json"]);
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
        made.push(ran.document()["backup"].as_str().unwrap().to_owned());
    }
    let kept: Vec<String> = sandbox.files().into_iter().filter(|name| name.contains(".backup-")).collect();
    assert_eq!(kept, made[2..]);
}

#[test]
fn what_only_a_person_can_mend_is_not_called_a_loss() {
    let sandbox = library();
    sandbox.json(&["migrate", "up"]);
    sandbox.write("migrations/notes.txt", "remember the milk");
    let ran = sandbox.run(&["migrate", "repair", "--json"]);
    let message = ran.document()["error"]["message"].as_str().unwrap().to_owned();
    let words = "only a person can mend this: notes.txt: it is not a migration in any known format";
    assert_eq!((ran.exit, message.as_str()), (7, words));
}

#[test]
fn on_a_server_a_dry_run_speaks_its_sql_and_lint_says_nothing_of_built_in_migrations() {
    let (sandbox, database) = (Sandbox::new(), Cluster::shared().database());
    sandbox.write("longshore.toml", format!("database = \"{}\"\n", database.url()));
    let dry = sandbox.run(&["migrate", "up", "--dry-run"]);
    assert!(dry.exit == 0 && dry.stdout.contains("\nBEGIN;\n") && !dry.stdout.contains("IMMEDIATE"), "{dry:?}");
    let lint = sandbox.run(&["migrate", "lint"]);
    assert_eq!((lint.exit, lint.stdout.as_str()), (0, "no problems found\n"));
}

#[test]
fn doctor_finds_what_is_wrong_with_the_applications_own_migrations() {
    let sandbox = library();
    sandbox.json(&["migrate", "up"]);
    assert_eq!(sandbox.json(&["doctor"])["ok"], true);
    let foreign = Connection::open(sandbox.path("longshore.db")).unwrap();
    foreign.execute_batch("DROP TABLE plays").unwrap();
    let differing = sandbox.run(&["doctor", "--json"]);
    assert!(differing.exit == 5 && differing.stdout.contains("\"schema_disagrees\""), "{differing:?}");
    for way in ["up", "down"] {
        std::fs::remove_file(sandbox.path(&format!("migrations/001_library.{way}.sql"))).unwrap();
    }
    let broken = sandbox.run(&["doctor", "--json"]);
    assert!(broken.exit == 4 && broken.stdout.contains("\"history_broken\""), "{broken:?}");
}
