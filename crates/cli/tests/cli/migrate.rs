use crate::sandbox::Sandbox;

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
    assert_eq!((&status["applied_count"], &status["pending_count"]), (&2.into(), &2.into()));
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
    assert_eq!(sandbox.json(&["migrate", "run"])["migrations"].as_array().unwrap().len(), 4);
    assert_eq!(sandbox.json(&["migrate", "rollback"])["migrations"][0]["id"], "longshore:4");
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
    assert_eq!(sandbox.json(&["migrate", "up"])["migrations"].as_array().unwrap().len(), 5);
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
