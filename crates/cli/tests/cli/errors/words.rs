//! Messages are true: limits, names, where a value was read, and what to type next.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;

use serde_json::Value;

use crate::sandbox::Sandbox;

fn message(error: &Value) -> &str {
    error["error"]["message"].as_str().unwrap()
}

fn hint(error: &Value) -> &str {
    error["error"]["hint"].as_str().unwrap()
}

#[test]
fn a_capital_m_in_a_duration_is_refused_with_both_readings_wherever_one_is_given() {
    let sandbox = Sandbox::new();
    let both = "could mean minutes or months: write 5m for minutes, or 5months for months";
    for call in [
        &["enqueue", "mail", "--delay", "5M"][..],
        &["enqueue", "mail", "--timeout", "5M"],
        &["jobs", "wait", "1", "--timeout", "5M"],
    ] {
        let ran = sandbox.run(&[call, &["--json"]].concat());
        assert!(ran.exit == 2 && message(&ran.document()).contains(both), "{ran:?}");
    }
    for line in [r#"{"job_type":"a","delay":"5M"}"#, r#"{"job_type":"a","timeout":"5M"}"#] {
        let ran = sandbox.run_with_input(&["enqueue", "--batch", "-", "--json"], line.as_bytes());
        assert!(ran.exit == 2 && message(&ran.document()).contains(both), "{ran:?}");
    }
    for text in [
        "[jobs.a]\nrun = [\"true\"]\ntimeout = \"5M\"",
        "[jobs.a]\nrun = [\"true\"]\ngrace = \"5M\"",
        "[jobs.a]\nrun = [\"true\"]\nretry = { first_delay = \"5M\" }",
        "[worker]\nlease = \"5M\"",
        "[worker]\ngrace = \"5M\"",
        "[worker]\nretention = \"5M\"",
    ] {
        sandbox.write("longshore.toml", text);
        let ran = sandbox.run(&["workers", "--json"]);
        assert!(ran.exit == 2 && message(&ran.document()).contains(both), "{text}: {ran:?}");
    }
}

#[test]
fn an_instant_at_the_bound_that_the_message_names_is_accepted_and_one_beyond_is_not() {
    let sandbox = Sandbox::new();
    let (first, last) = ("1970-01-01T00:00:00.000Z", "9999-12-30T22:00:00.000Z");
    for word in [first, last] {
        assert_eq!(sandbox.json(&["enqueue", "mail", "--at", word])["status"], "pending", "{word}");
    }
    for word in ["1969-12-31T23:59:59.999Z", "9999-12-30T22:00:00.001Z", "9999-12-31", "9999-12-31T23:59:59Z"] {
        let ran = sandbox.run(&["enqueue", "mail", "--json", "--at", word]);
        let document = ran.document();
        let is_date = !word.contains('T');
        let expected = if is_date { "expected RFC 3339".to_owned() } else { format!("from {first} to {last}") };
        assert!(ran.exit == 2 && message(&document).contains(&expected), "{word}: {document}");
        let line = format!("{{\"job_type\":\"a\",\"run_at\":\"{word}\"}}");
        let ran = sandbox.run_with_input(&["enqueue", "--batch", "-", "--json"], line.as_bytes());
        assert!(ran.exit == 2 && message(&ran.document()).contains(&expected), "{word}: {ran:?}");
    }
}

/// The name of a queue has the same rule everywhere, and a queue that can have jobs can be worked on.
#[test]
fn a_queue_that_can_be_enqueued_into_can_be_listed_paused_and_worked() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[jobs.mail]\nrun = [\"true\"]\n");
    for name in ["a:b", "a:3", "a:", ":", "a=b", "a b", "a,b", r"a\b", "ä", "-a", &"x".repeat(200)] {
        let queue = format!("--queue={name}");
        let job = sandbox.json(&["enqueue", "mail", &queue]);
        assert_eq!(job["queue"], name);
        let listed =
            sandbox.json(&["jobs", "list", &format!("--queue={}", name.replace('\\', r"\\").replace(',', r"\,"))]);
        assert_eq!(listed["jobs"].as_array().unwrap().len(), 1, "{name}: {listed}");
        for change in ["pause", "resume"] {
            let ran = sandbox.run(&["queues", change, "--json", "--", name]);
            assert_eq!((ran.exit, &ran.document()["queue"]), (0, &Value::from(name)), "{ran:?}");
        }
        let is_like_a_count = ["a:3", "a:", ":"].contains(&name);
        let worked = if is_like_a_count { format!("{queue}:2") } else { queue };
        sandbox.json(&["work", "--drain", &worked]);
        assert_eq!(sandbox.json(&["jobs", "show", &job["id"].to_string()])["status"], "completed", "{name}");
    }
}

#[test]
fn a_name_that_no_queue_can_have_is_refused_in_the_same_words_everywhere() {
    let sandbox = Sandbox::new();
    let long = "x".repeat(201);
    for name in ["", "a\nb", &long] {
        let rule =
            format!("the queue name must be 1 to 200 bytes without control characters, but has {} bytes", name.len());
        let queue = format!("--queue={name}");
        for call in [
            &["enqueue", "mail", &queue, "--json"][..],
            &["work", &queue, "--json"],
            &["queues", "pause", name, "--json"],
            &["queues", "resume", name, "--json"],
        ] {
            let ran = sandbox.run(call);
            assert!(ran.exit == 2 && message(&ran.document()).contains(&rule), "{call:?}: {ran:?}");
        }
        let line = serde_json::json!({"job_type": "a", "queue": name}).to_string();
        let ran = sandbox.run_with_input(&["enqueue", "--batch", "-", "--json"], line.as_bytes());
        assert!(ran.exit == 2 && message(&ran.document()).contains(&rule), "{ran:?}");
        sandbox.write("longshore.toml", format!("[jobs.mail]\nrun = [\"true\"]\nqueue = {}\n", Value::from(name)));
        let ran = sandbox.run(&["workers", "--json"]);
        assert!(ran.exit == 2 && message(&ran.document()).contains(&rule), "{ran:?}");
        fs::remove_file(sandbox.path("longshore.toml")).unwrap();
    }
    assert_eq!(sandbox.files(), [""; 0]);
}

#[test]
fn bad_json_has_one_exit_code_wherever_it_was_read_and_the_advice_fits_the_place() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.json", "{\"a\": ");
    sandbox.write("bad.ndjson", "{\"job_type\": \"a\"}\n{\"job_type\": \n");
    let argument = sandbox.run(&["enqueue", "mail", "{\"a\": ", "--json"]);
    let file = sandbox.run(&["enqueue", "mail", "@bad.json", "--json"]);
    let input = sandbox.run_with_input(&["enqueue", "mail", "-", "--json"], b"{\"a\": ");
    let batch = sandbox.run(&["enqueue", "--batch", "bad.ndjson", "--json"]);
    let batch_input = sandbox.run_with_input(&["enqueue", "--batch", "-", "--json"], b"{\"job_type\": \n");
    for ran in [&argument, &file, &input, &batch, &batch_input] {
        assert_eq!(ran.exit, 2, "{ran:?}");
    }
    assert!(hint(&argument.document()).contains("@FILE"));
    for (ran, place) in
        [(file, "bad.json"), (input, "standard input"), (batch, "bad.ndjson"), (batch_input, "standard input")]
    {
        let document = ran.document();
        assert!(!hint(&document).contains("@FILE"), "{document}");
        assert!(message(&document).contains(place), "{document}");
    }
}

#[test]
fn what_cannot_be_read_is_named_and_the_advice_fits_it() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("folder")).unwrap();
    for (call, name) in [
        (&["enqueue", "mail", "@", "--json"][..], "@ cannot be read"),
        (&["enqueue", "mail", "@none.json", "--json"], "none.json cannot be read"),
        (&["enqueue", "mail", "@folder", "--json"], "folder cannot be read"),
        (&["enqueue", "--batch", "folder", "--json"], "folder cannot be read"),
        (&["enqueue", "--batch", "none", "--json"], "none cannot be read"),
    ] {
        let ran = sandbox.run(call);
        assert!(ran.exit == 2 && message(&ran.document()).starts_with(name), "{ran:?}");
    }
    for call in [&["enqueue", "mail", "-", "--json"][..], &["enqueue", "--batch", "-", "--json"]] {
        let input = fs::File::open(sandbox.path("folder")).unwrap();
        let output = sandbox.command(call).stdin(input).output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(2), "{document}");
        assert!(hint(&document).contains("feeds standard input"), "{document}");
    }
}

/// If it were ignored, another database would be used, and the jobs would be lost.
#[test]
fn a_database_that_is_no_text_is_refused_with_the_place_where_it_was_named() {
    let sandbox = Sandbox::new();
    let path = OsStr::from_bytes(b"jobs-\xff.db");
    for (call, place) in
        [(&["enqueue", "mail"][..], "--database"), (&["workers"], "--database"), (&["migrate", "up"], "--database")]
    {
        let output = sandbox.command(call).arg("--json").arg("--database").arg(path).output().unwrap();
        assert_refused(&output.stdout, output.status.code(), place);
    }
    for variable in ["LONGSHORE_DATABASE", "DATABASE_URL"] {
        for call in [&["enqueue", "mail"][..], &["workers"], &["migrate", "status"], &["doctor"], &["work", "--drain"]]
        {
            let output = sandbox.command(call).arg("--json").env(variable, path).output().unwrap();
            assert_refused(&output.stdout, output.status.code(), variable);
        }
    }
    assert_eq!(sandbox.files(), [""; 0], "nothing was created");
    sandbox.write(".env", b"LONGSHORE_DATABASE=jobs-\xff.db\n");
    let ran = sandbox.run(&["enqueue", "mail", "--json"]);
    assert!(ran.exit == 2 && message(&ran.document()).starts_with(".env cannot be read"), "{ran:?}");
    assert_eq!(sandbox.files(), [".env"]);
}

fn assert_refused(stdout: &[u8], exit: Option<i32>, place: &str) {
    let document: Value = serde_json::from_slice(stdout).unwrap();
    assert_eq!((exit, document["error"]["code"].as_str()), (Some(2), Some("invalid_database")), "{document}");
    assert!(message(&document).ends_with(&format!("is not UTF-8 (from {place})")), "{document}");
}

#[test]
fn a_configuration_whose_path_is_no_text_is_read() {
    let sandbox = Sandbox::new();
    let name = OsStr::from_bytes(b"odd-\xff.toml");
    fs::write(sandbox.path("").join(name), "database = \"from-config.db\"\n").unwrap();
    for by_flag in [true, false] {
        let mut command = sandbox.command(&["enqueue", "mail"]);
        if by_flag {
            command.arg("--config").arg(name);
        } else {
            command.env("LONGSHORE_CONFIG", name);
        }
        assert!(command.output().unwrap().status.success());
    }
    assert!(sandbox.path("from-config.db").exists());
    // It could not be passed to a command job, so the worker does not start.
    fs::write(sandbox.path("").join(name), "[jobs.mail]\nrun = [\"true\"]\n").unwrap();
    let output = sandbox.command(&["work", "--drain", "--json"]).env("LONGSHORE_CONFIG", name).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), document["error"]["code"].as_str()), (Some(2), Some("not_utf8")), "{document}");
}

#[test]
fn an_argument_that_is_no_text_is_named() {
    let sandbox = Sandbox::new();
    let mut words: Vec<OsString> = ["enqueue", "mail", "--queue", ""].map(OsString::from).to_vec();
    words[3] = OsStr::from_bytes(b"q\xff").to_owned();
    let output = sandbox.command(&[]).args(&words).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("error: argument 4 is not UTF-8: \"q\\xFF\""), "{stderr}");
}

#[test]
fn a_password_in_the_name_of_a_database_is_never_repeated() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[jobs.mail]\nrun = [\"true\"]\n");
    for url in [
        "postgres://app:s3cret@127.0.0.1:1/db",
        "postgres://app:s3cret@host/db?schema=a",
        "mysql://app:s3cret@host/db",
        "sqlite://app:s3cret@host/db",
        "sqlite:a.db?key=s3cret",
    ] {
        for call in [&["enqueue", "mail"][..], &["workers"], &["work", "--drain"], &["migrate", "up"], &["doctor"]] {
            for json in [&[][..], &["--json", "-vv"]] {
                let output = sandbox.command(&[call, json].concat()).env("LONGSHORE_DATABASE", url).output().unwrap();
                let exit = if url.contains("127.0.0.1") { 1 } else { 2 };
                assert_eq!(output.status.code(), Some(exit));
                let said = [output.stdout, output.stderr].concat();
                assert!(!String::from_utf8_lossy(&said).contains("s3cret"), "{url}");
            }
        }
    }
}

#[test]
fn a_hint_of_doctor_can_be_pasted_whatever_the_names_are() {
    let sandbox = Sandbox::new();
    sandbox.json(&["enqueue", "send mail, now"]);
    sandbox.json(&["enqueue", "other", "--queue", "the queue"]);
    sandbox.json(&["queues", "pause", "the queue"]);
    let findings = sandbox.run(&["doctor", "--json"]).document();
    let hints: Vec<&str> =
        findings["findings"].as_array().unwrap().iter().map(|one| one["hint"].as_str().unwrap()).collect();
    let (delete, resume) =
        (r"longshore jobs delete --all --type 'send mail\, now'", "longshore queues resume 'the queue'");
    assert!(hints.iter().any(|hint| hint.contains(delete) && hint.contains("[jobs.\"send mail, now\"]")), "{hints:?}");
    assert!(hints.contains(&resume), "{hints:?}");
    for command in [delete, resume] {
        let script = command.replacen("longshore", "\"$0\"", 1).replacen("--all", "--all --yes", 1);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_longshore")]).current_dir(sandbox.path("")).env_clear();
        assert!(shell.output().unwrap().status.success(), "{command}");
    }
    assert_eq!(sandbox.json(&["jobs", "list"])["jobs"].as_array().unwrap().len(), 1);
}

#[test]
fn dead_letters_are_listed_retried_and_discarded_by_the_code_of_their_reason() {
    let sandbox = Sandbox::new();
    let config = "[jobs.flaky]\nrun = [\"false\"]\nmax_retries = 0\n[jobs.odd]\nrun = [\"sh\", \"-c\", \"exit 78\"]\n";
    sandbox.write("longshore.toml", config);
    for job_type in ["flaky", "flaky", "odd"] {
        sandbox.json(&["enqueue", job_type]);
    }
    sandbox.json(&["work", "--drain", "-q"]);
    sandbox.json(&["enqueue", "flaky", "--parent", "1"]);
    let listed = |reason: &str| -> Vec<(u64, String)> {
        let listed = sandbox.json(&["dead", "list", "--reason", reason]);
        let jobs = listed["jobs"].as_array().unwrap().iter();
        jobs.map(|job| (job["id"].as_u64().unwrap(), job["dead_letter_reason"].as_str().unwrap().to_owned())).collect()
    };

    let spent = "retries_spent: its only attempt failed".to_owned();
    assert_eq!(listed("retries_spent"), [(2, spent.clone()), (1, spent)]);
    assert_eq!(listed("not_retried"), [(3, "not_retried: a config_error is not retried".to_owned())]);
    assert_eq!(listed("parent_ended"), [(4, "parent_ended: its parent job 1 ended as dead_letter".to_owned())]);
    assert_eq!(listed("not_retried,parent_ended").len(), 2);
    assert_eq!(listed("expired"), []);
    assert_eq!(sandbox.json(&["jobs", "show", "3"])["dead_letter_code"], "not_retried");
    assert!(sandbox.run(&["dead", "show", "3"]).stdout.contains("not_retried: a config_error is not retried"));
    assert_eq!(sandbox.json(&["dead", "discard", "--all", "--yes", "--reason", "not_retried"])["touched"], 1);
    assert_eq!(sandbox.json(&["dead", "retry", "--all", "--yes", "--reason", "retries_spent"])["touched"], 3);
    let unknown = sandbox.run(&["dead", "list", "--reason", "bad_luck", "--json"]);
    assert!(unknown.exit == 2 && message(&unknown.document()).contains("expected retries_spent, not_retried"));
}
