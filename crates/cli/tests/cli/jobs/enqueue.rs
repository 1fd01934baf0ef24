use serde_json::json;

use crate::sandbox::Sandbox;

#[test]
fn a_job_is_enqueued_and_its_id_printed_where_there_was_no_database() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["enqueue", "mail", r#"{"to": "a"}"#]);
    assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr.as_str()), (0, "1\n", "created longshore.db\n"));
    assert_eq!(sandbox.json(&["jobs", "show", "1"])["job_data"], json!({"to": "a"}));
    assert_eq!(sandbox.run(&["enqueue", "mail"]).stderr, "");
}

#[test]
fn a_job_in_json_has_the_twenty_columns_of_the_log_entry_and_ours() {
    let job = Sandbox::new().json(&["enqueue", "mail"]);
    for column in [
        "id",
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
        "progress",
        "result",
        "expires_at",
        "deadline_at",
        "is_duplicate",
    ] {
        assert!(job.get(column).is_some(), "{column}");
    }
    assert_eq!((&job["job_data"], &job["status"], &job["priority"]), (&json!({}), &json!("pending"), &json!(5)));
}

#[test]
fn every_flag_has_its_effect() {
    let sandbox = Sandbox::new();
    sandbox.json(&["enqueue", "mail"]);
    let job = sandbox.json(&[
        "enqueue",
        "mail",
        "-5",
        "--queue",
        "post",
        "--priority",
        "-7",
        "--at",
        "2099-01-01T02:00:00+02:00",
        "--max-retries",
        "0",
        "--timeout",
        "90s",
        "--unique-key",
        "k",
        "--parent",
        "1",
    ]);
    let expected = json!({
        "job_data": -5, "queue": "post", "priority": -7, "run_at": "2099-01-01T00:00:00.000Z", "max_retries": 0,
        "timeout_seconds": 90, "unique_key": "k", "parent_job_id": 1, "status": "blocked",
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&job[field], value, "{field}");
    }
}

#[test]
fn the_configuration_of_the_type_is_the_default_and_a_flag_goes_before_it() {
    let sandbox = Sandbox::new();
    let config =
        "[jobs.mail]\nrun = [\"true\"]\nqueue = \"post\"\npriority = \"high\"\nmax_retries = 9\ntimeout = \"5m\"";
    sandbox.write("longshore.toml", config);
    let job = sandbox.json(&["enqueue", "mail", "--priority", "low"]);
    let read = (&job["queue"], &job["priority"], &job["max_retries"], &job["timeout_seconds"]);
    assert_eq!(read, (&json!("post"), &json!(0), &json!(9), &json!(300)));
}

#[test]
fn data_comes_from_a_file_or_from_standard_input() {
    let sandbox = Sandbox::new();
    sandbox.write("data.json", "[1, 2]\n");
    assert_eq!(sandbox.json(&["enqueue", "mail", "@data.json"])["job_data"], json!([1, 2]));
    let ran = sandbox.run_with_input(&["enqueue", "mail", "-", "--json"], b"\"text\"\n");
    assert_eq!(ran.document()["job_data"], json!("text"));
}

#[test]
fn a_second_job_with_a_unique_key_is_the_first_one() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.json(&["enqueue", "mail", "--unique-key", "k"])["is_duplicate"], false);
    let second = sandbox.json(&["enqueue", "mail", "--unique-key", "k"]);
    assert_eq!((&second["is_duplicate"], &second["id"]), (&json!(true), &json!(1)));
    let told = sandbox.run(&["enqueue", "mail", "--unique-key", "k"]);
    assert_eq!(told.stdout, "1\n");
    assert!(told.stderr.contains("nothing was enqueued"), "{told:?}");
}

#[test]
fn a_parent_that_does_not_exist_is_refused_and_nothing_is_enqueued() {
    let sandbox = Sandbox::new();
    sandbox.json(&["enqueue", "mail"]);
    let ran = sandbox.run(&["enqueue", "mail", "--parent", "99", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (1, "unknown_parent"));
    assert_eq!(sandbox.json(&["jobs", "list"])["jobs"].as_array().unwrap().len(), 1);
}

#[test]
fn a_batch_is_enqueued_whole_from_a_file_and_from_standard_input() {
    let sandbox = Sandbox::new();
    let lines =
        "{\"job_type\":\"a\"}\n\n{\"job_type\":\"b\",\"job_data\":{\"n\":1},\"priority\":\"high\",\"delay\":\"1h\"}\n";
    sandbox.write("jobs.ndjson", lines);
    assert_eq!(sandbox.json(&["enqueue", "--batch", "jobs.ndjson"]), json!({"inserted": 2}));
    let piped = sandbox.run_with_input(&["enqueue", "--batch", "-", "--json"], lines.as_bytes());
    assert_eq!(piped.document(), json!({"inserted": 2}));
    assert_eq!(sandbox.json(&["enqueue", "--batch", "/dev/null"]), json!({"inserted": 0}));
    let jobs = sandbox.json(&["jobs", "list", "--type", "b"]);
    assert_eq!((&jobs["jobs"][0]["priority"], jobs["jobs"].as_array().unwrap().len()), (&json!(10), 2));
}

#[test]
fn one_bad_line_at_the_end_of_a_batch_keeps_every_job_out() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up"]);
    let good = "{\"job_type\":\"a\"}\n".repeat(2000);
    for (bad, expected) in [
        (&b"{"[..], "EOF while parsing"),
        (b"null", "invalid type: null"),
        (b"{\"job_type\":\"a\",\"prio\":1}", "unknown field \"prio\""),
        (b"{\"job_type\":\"\\u0000\"}", "control characters"),
        (b"{\"job_type\":\"a\",\"job_data\":\"\xff\"}", "not UTF-8"),
        (b"{\"job_type\":\"a\",\"job_data\":{\"\\udc00\":1}}", "not valid Unicode: the escape \\udc00 at byte 3 of"),
        (b"{\"job_type\":\"a\",\"metadata\":[\"\\ud800\"]}", "not valid Unicode: the escape \\ud800 at byte 3 of"),
        (b"{\"job_type\":\"a\",\"max_retries\":-1}", "invalid value"),
        (b"{\"job_type\":\"a\",\"run_at\":\"0001-01-01T00:00:00Z\"}", "is not a time"),
        (b"\0", "expected value"),
    ] {
        sandbox.write("jobs.ndjson", [good.as_bytes(), bad].concat());
        let ran = sandbox.run(&["enqueue", "--batch", "jobs.ndjson"]);
        assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""));
        assert!(ran.stderr.contains("line 2001: ") && ran.stderr.contains(expected), "{ran:?}");
    }
    assert_eq!(sandbox.json(&["jobs", "list"])["jobs"], json!([]));
}

#[test]
fn a_line_that_never_ends_is_refused_in_bounded_memory() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run_with_input(&["enqueue", "--batch", "-", "--json"], &b" ".repeat(8 << 20));
    assert_eq!((ran.exit, ran.code().as_str()), (2, "invalid_line"));
    assert_eq!(sandbox.files(), [""; 0]);
}

/// Jobs that do not fit in memory are read from the file again.
#[test]
fn a_batch_of_many_megabytes_is_enqueued_whole_and_in_order() {
    let sandbox = Sandbox::new();
    let large = "x".repeat(1_000_000);
    let line = |number: usize| format!("{{\"job_type\":\"mail\",\"job_data\":[{number},\"{large}\"]}}\n");
    let mut lines: String = (1..=18).map(line).collect();
    lines.push_str("\n{\"job_type\":\"mail\",\"job_data\":19}\n{\"job_type\":\"mail\",\"job_data\":20}\n");
    sandbox.write("jobs.ndjson", &lines);

    assert_eq!(sandbox.json(&["enqueue", "--batch", "jobs.ndjson"]), json!({"inserted": 20}));
    for number in [1, 16, 17, 18] {
        assert_eq!(sandbox.json(&["jobs", "show", &number.to_string()])["job_data"][0], number);
    }
    assert_eq!(sandbox.json(&["jobs", "show", "20"])["job_data"], 20);

    lines.push_str("no job\n");
    let other = Sandbox::new();
    other.write("jobs.ndjson", &lines);
    let ran = other.run(&["enqueue", "--batch", "jobs.ndjson"]);
    assert!(ran.exit == 2 && ran.stderr.contains("jobs.ndjson, line 22: "), "{ran:?}");
    assert_eq!(other.files(), ["jobs.ndjson"]);
}

/// Milliseconds from the enqueue to a time of the job.
fn span_to(job: &serde_json::Value, field: &str) -> u128 {
    let instant = |field: &str| -> longshore_core::Timestamp { job[field].as_str().unwrap().parse().unwrap() };
    instant(field).since(instant("created_at")).as_millis()
}

#[test]
fn expiry_and_deadline_count_from_the_enqueue_wherever_they_are_given() {
    let sandbox = Sandbox::new();
    let config = "[jobs.mail]\nrun = [\"true\"]\nexpires_in = \"10m\"\ndeadline_in = \"1h\"";
    sandbox.write("longshore.toml", config);
    let batch = "{\"job_type\":\"a\",\"expires_in\":\"20s\",\"deadline_in\":\"30s\"}\n{\"job_type\":\"mail\"}\n\
        {\"job_type\":\"mail\",\"deadline\":\"7s\"}\n";
    sandbox.write("jobs.ndjson", batch);
    sandbox.json(&["enqueue", "--batch", "jobs.ndjson"]);
    sandbox.json(&["enqueue", "mail", "--delay", "5m"]);
    sandbox.json(&["enqueue", "mail", "--expires-in", "1s", "--deadline", "500ms"]);
    sandbox.json(&["enqueue", "a", "--deadline-in", "2h"]);
    let expected = [
        (1, Some(20_000), Some(30_000)),
        (2, Some(600_000), Some(3_600_000)),
        (3, Some(600_000), Some(7000)),
        (4, Some(600_000), Some(3_600_000)),
        (5, Some(1000), Some(500)),
        (6, None, Some(7_200_000)),
    ];
    for (id, expires_in, deadline_in) in expected {
        let job = sandbox.json(&["jobs", "show", &id.to_string()]);
        let span = |field: &str| job[field].is_string().then(|| span_to(&job, field));
        assert_eq!((span("expires_at"), span("deadline_at")), (expires_in, deadline_in), "{job}");
    }
}

#[test]
fn an_expiry_or_a_deadline_that_is_none_is_refused() {
    let sandbox = Sandbox::new();
    for (flag, value) in
        [("--expires-in", "0s"), ("--deadline", "0s"), ("--expires-in", "99years"), ("--deadline", "soon")]
    {
        let ran = sandbox.run(&["enqueue", "mail", flag, value]);
        assert_eq!(ran.exit, 2, "{flag} {value}: {ran:?}");
    }
    assert!(!sandbox.files().contains(&"longshore.db".to_owned()));
}
