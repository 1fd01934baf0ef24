mod causes;
#[cfg(target_os = "linux")]
mod outside_causes;
mod suggestions;
mod words;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::sandbox::{Ran, Sandbox};

/// Every error that arguments alone can cause, as a person sees it, with its exit code.
#[test]
fn errors_in_the_words_of_the_call() {
    let calls: &[&[&str]] = &[
        &[],
        &["jobs"],
        &["dance"],
        &["jobs", "lst"],
        &["enqueue"],
        &["enqueue", ""],
        &["enqueue", "mail", "{"],
        &["enqueue", "mail", "{} {}"],
        &["enqueue", "mail", r#"{"to": "\ud800"}"#],
        &["enqueue", "mail", "@missing.json"],
        &["enqueue", "mail", "{}", "extra"],
        &["enqueue", "mail", "--priority", "loud"],
        &["enqueue", "mail", "--priority", "99999999999"],
        &["enqueue", "mail", "--delay", "soon"],
        &["enqueue", "mail", "--delay", "5"],
        &["enqueue", "mail", "--delay", "9999999d"],
        &["enqueue", "mail", "--at", "tomorrow"],
        &["enqueue", "mail", "--at", "9999-12-31T23:59:59Z"],
        &["enqueue", "mail", "--at", "2026-01-01T00:00:00Z", "--delay", "5s"],
        &["enqueue", "mail", "--max-retries", "-1"],
        &["enqueue", "mail", "--max-retries", "4000000000"],
        &["enqueue", "mail", "--timeout", "0s"],
        &["enqueue", "mail", "--timeout", "9999999d"],
        &["enqueue", "mail", "--parent", "0"],
        &["enqueue", "mail", "--queue", ""],
        &["enqueue", "mail", "--queue", "a\nb"],
        &["enqueue", "mail", "--unique-key", ""],
        &["enqueue", "mail", "--batch", "jobs.ndjson"],
        &["enqueue", "--batch", "missing.ndjson"],
        &["jobs", "show", "seven"],
        &["jobs", "show", "-1"],
        &["jobs", "show", "99999999999999999999"],
        &["jobs", "list", "--status", "failed"],
        &["jobs", "list", "--failure-type", "bad_luck"],
        &["jobs", "list", "--limit", "0"],
        &["jobs", "list", "--limit", "1001"],
        &["jobs", "list", "--limit", "-5"],
        &["jobs", "retry"],
        &["jobs", "retry", "1", "--all"],
        &["jobs", "retry", "1", "--status", "running"],
        &["jobs", "priority"],
        &["jobs", "priority", "1"],
        &["jobs", "priority", "1", "loud"],
        &["jobs", "priority", "one", "5"],
        &["jobs", "priority", "1", "5", "--all"],
        &["jobs", "logs", "1", "--attempt", "0"],
        &["jobs", "wait", "1", "--timeout", "long"],
        &["queues", "pause", ""],
        &["work", "--queue", "mail:0"],
        &["work", "--concurrency", "0"],
        &["work", "--concurrency", "-3"],
        &["completions", "tcsh"],
        &["--quiet", "--verbose", "workers"],
        &["--database", "", "workers"],
        &["--database", "postgres://localhost/jobs?sslmode=maybe", "workers"],
        &["--database", "postgres://localhost/jobs?schema=a", "workers"],
        &["--database", "mysql://localhost/jobs", "workers"],
        &["--database", ":memory:", "workers"],
        &["--database", "sqlite:a.db?cache=shared", "workers"],
        &["--database", "sqlite:a%20b.db", "workers"],
        &["--database", "file:a.db", "workers"],
        &["--database", ".", "workers"],
        &["--database", "missing.db", "workers"],
        &["--database", "no/such/folder/a.db", "migrate", "up"],
        &["--database", "no/such/folder/a.db", "enqueue", "mail"],
        &["--config", "missing.toml", "workers"],
        &["migrate", "up", "--to", "1", "--steps", "1"],
        &["migrate", "up", "--steps", "0"],
        &["migrate", "up", "--to", "longshore:99"],
        &["migrate", "up", "--to", "first"],
        &["migrate", "up", "--dir", "missing"],
        &["migrate", "mark-applied", "longshore:1"],
        &["migrate", "repair", "--apply"],
        &["migrate", "verify"],
    ];
    let sandbox = Sandbox::new();
    let told: Vec<String> = calls.iter().map(|call| told(call, &sandbox.run(call))).collect();
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(sandbox.files(), [""; 0], "nothing was created");
}

/// The standard error of a call, without clap's own usage lines.
fn told(call: &[&str], ran: &Ran) -> String {
    assert_eq!(ran.stdout, "", "{call:?}");
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    let is_help =
        |line: &&str| line.starts_with("Usage:") || line.starts_with("Run durable") || line.starts_with("List, show");
    let lines: Vec<&str> =
        ran.stderr.lines().take_while(|line| !is_help(line)).filter(|line| !line.is_empty()).collect();
    format!("$ longshore {}\n{}\n=> {}\n", call.join(" ").escape_debug(), lines.join("\n"), ran.exit)
}

#[test]
fn an_error_with_json_is_one_document_on_standard_output() {
    let sandbox = Sandbox::new();
    for (call, exit, code) in [
        (&["dance"][..], 2, "usage"),
        (&[][..], 2, "usage"),
        (&["jobs", "show", "x"][..], 2, "usage"),
        (&["enqueue", "mail", "{"][..], 2, "invalid_job"),
        (&["workers"][..], 1, "database_missing"),
        (&["enqueue", "mail", "--parent", "7", "--database", "new.db", "-q"][..], 1, "unknown_parent"),
        (&["workers", "--database", "postgres://h/d?port=x"][..], 2, "invalid_database"),
        (&["workers", "--database", "postgres://a@127.0.0.1:1/d"][..], 1, "database_unreachable"),
        (&["workers", "--config", "none.toml"][..], 2, "unreadable_file"),
        (&["migrate", "up", "--to", "99"][..], 2, "unknown_migration"),
    ] {
        let ran = sandbox.run(&[call, &["--json"]].concat());
        assert_eq!((ran.exit, ran.code().as_str(), ran.stderr.as_str()), (exit, code, ""), "{call:?}");
        let error = &ran.document()["error"];
        assert!(error["message"].is_string() && error["hint"].is_string(), "{error}");
    }
}

#[test]
fn an_error_in_the_configuration_names_the_key_and_the_line() {
    let sandbox = Sandbox::new();
    let mut told = String::new();
    for text in [
        "databse = \"a.db\"",
        "\n[jobs.mail]\nrun = [\"true\"]\ntimuot = \"5m\"",
        "[jobs.mail]\nrun = \"true\"",
        "[jobs.mail]\nrun = []",
        "[jobs.mail]\nqueue = \"a\"",
        "[jobs.mail]\nrun = [\"true\"]\npriority = \"loud\"",
        "[jobs.mail]\nrun = [\"true\"]\nmax_retries = -1",
        "[jobs.mail]\nrun = [\"true\"]\npost = \"https://shop.internal/\"",
        "\n[jobs.mail]\nrun = [\"true\"]\nmax_jobs = 5",
        "[jobs.mail]\nserve = []",
        "[jobs.mail]\npost = \"shop.internal\"",
        "[jobs.mail]\npost = \"https://shop.internal/\"\nheaders = { a = \"b\\nc\" }",
        "[jobs.\"\"]\nrun = [\"true\"]",
        "[migrate]\ndirectory = \"a\"",
        "[serve]\nlisten = \"7070\"",
        "[serve]\nreadonly = true",
        "[serve]\nhosts = \"jobs.example\"",
        "[serve]\nbase_path = \"jobs\"",
        "database = ",
        "database = 7",
    ] {
        sandbox.write("longshore.toml", text);
        let ran = sandbox.run(&["enqueue", "mail"]);
        assert_eq!(ran.exit, 2, "{ran:?}");
        told.push_str(&format!("{}\n{}\n", text.trim().replace('\n', " | "), ran.stderr));
    }
    insta::assert_snapshot!(told);
    sandbox.write("longshore.toml", b"# \xff\n");
    assert!(sandbox.run(&["workers"]).stderr.starts_with("error: longshore.toml, line 1: it is not UTF-8"));
    assert_eq!(sandbox.files(), ["longshore.toml"]);
}

#[test]
fn a_dotenv_file_that_cannot_be_read_is_told_and_passed_over_when_the_database_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write(".env", "this is no assignment\n");
    let ran = sandbox.run(&["workers", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (2, "invalid_dotenv"));
    let ran = sandbox.run(&["workers", "--json", "--database", "a.db"]);
    assert_eq!((ran.exit, ran.code().as_str()), (1, "database_missing"));
}

#[test]
fn arguments_that_are_no_text_are_refused() {
    let sandbox = Sandbox::new();
    for at in 0..3 {
        let mut words = [OsStr::new("enqueue"), OsStr::new("mail"), OsStr::new("{}")];
        words[at] = OsStr::from_bytes(b"\xff\xfe");
        let output = sandbox.command(&[]).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: "));
    }
    assert_eq!(sandbox.files(), [""; 0]);
}

#[test]
fn payloads_that_are_no_text_or_too_long_are_refused() {
    let sandbox = Sandbox::new();
    for input in [&b"\xff\xfe{}"[..], b"\0", b"", b"{\"a\":1}\n{\"a\":2}", &b"1".repeat(2 << 20)] {
        let ran = sandbox.run_with_input(&["enqueue", "mail", "-", "--json"], input);
        assert_eq!((ran.exit, ran.code().as_str()), (2, "invalid_job"));
    }
    assert_eq!(sandbox.files(), [""; 0]);
}
