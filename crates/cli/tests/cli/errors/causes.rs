//! Every command reports the same cause with the same exit code and code, in one sentence that names the path once.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::Command;

use serde_json::Value;

use crate::sandbox::Sandbox;

/// Commands that read, that write, and that migrate.
const COMMANDS: &[&[&str]] = &[
    &["enqueue", "mail"],
    &["enqueue", "--batch", "jobs.ndjson"],
    &["work", "--drain"],
    &["up"],
    &["jobs", "list"],
    &["jobs", "retry", "1"],
    &["dead", "list"],
    &["queues", "pause", "a"],
    &["workers"],
    &["doctor"],
    &["migrate", "up"],
    &["migrate", "status"],
    &["migrate", "verify"],
    &["migrate", "repair"],
    &["migrate", "history"],
    &["migrate", "mark-applied", "longshore:1", "--reason", "a test"],
];

/// The id of a user that does not exist.
const NOBODY: u32 = 54_321;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[jobs.mail]\nrun = [\"true\"]\n");
    sandbox.write("jobs.ndjson", "{\"job_type\": \"mail\"}\n");
    sandbox
}

/// Checks what each of the commands reports about the database at `path`.
fn met_by_all(sandbox: &Sandbox, path: &str, expected: (i32, &str)) {
    for command in COMMANDS {
        let ran = sandbox.run(&[command, &["--json", "--database", path][..]].concat());
        let error = &ran.document()["error"];
        assert_eq!((ran.exit, error["code"].as_str().unwrap()), expected, "{path} {command:?}: {error}");
        assert_told_once(error, path);
    }
}

fn assert_told_once(error: &Value, path: &str) {
    let message = error["message"].as_str().unwrap();
    assert!(message.matches(path).count() <= 1, "the path is named more than once: {message}");
    assert!(!message.contains('`'), "a statement is named for a cause outside of it: {message}");
    assert!(error["hint"].is_string(), "{error}");
}

#[test]
fn what_is_no_file_is_told_by_every_command_and_opened_by_none() {
    let sandbox = sandbox();
    assert!(Command::new("mkfifo").arg(sandbox.path("a.pipe")).status().unwrap().success());
    let _socket = UnixListener::bind(sandbox.path("a.socket")).unwrap();
    symlink("/dev/null", sandbox.path("a.link")).unwrap();
    for path in ["/dev/null", "/dev/full", "/dev/zero", "a.pipe", "a.socket", "a.link"] {
        met_by_all(&sandbox, path, (1, "not_a_database"));
    }
    met_by_all(&sandbox, ".", (2, "invalid_database"));
    let mut left = sandbox.files();
    left.retain(|name| !["jobs.ndjson", "longshore.toml", "a.pipe", "a.socket", "a.link"].contains(&name.as_str()));
    assert_eq!(left, [""; 0], "nothing was created");
}

#[test]
fn a_file_of_something_else_and_a_damaged_one_are_told_by_every_command() {
    let sandbox = sandbox();
    sandbox.write("notes.txt", "these are notes, and no database at all\n".repeat(100));
    met_by_all(&sandbox, "notes.txt", (1, "not_a_database"));
    sandbox.json(&["enqueue", "mail", "--database", "damaged.db"]);
    // The catalog is on the first page, after the header.
    let file = File::options().write(true).open(sandbox.path("damaged.db")).unwrap();
    file.write_all_at(&[0x55; 900], 100).unwrap();
    drop(file);
    met_by_all(&sandbox, "damaged.db", (1, "database_damaged"));
}

#[test]
fn a_path_that_leads_nowhere_is_told_by_every_command_as_what_it_is() {
    let sandbox = sandbox();
    symlink("loop.db", sandbox.path("loop.db")).unwrap();
    met_by_all(&sandbox, "loop.db", (1, "database_unreachable"));
    met_by_all(&sandbox, "jobs.ndjson/a.db", (1, "database_unreachable"));
    met_by_all(&sandbox, &"x".repeat(300), (1, "database_unreachable"));
}

#[test]
fn a_file_with_two_names_is_told_by_every_command() {
    let sandbox = sandbox();
    sandbox.json(&["enqueue", "mail", "--database", "first.db"]);
    fs::hard_link(sandbox.path("first.db"), sandbox.path("second.db")).unwrap();
    met_by_all(&sandbox, "second.db", (1, "database_hard_linked"));
}

#[test]
fn a_log_that_was_left_by_its_database_is_told_by_every_command_and_stays() {
    // A journal that SQLite would play back, of a database that had two pages.
    const JOURNAL: &[u8] = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7\0\0\0\x01\0\0\0\x01\0\0\0\x02";
    let sandbox = sandbox();
    sandbox.write("empty.db", "");
    sandbox.write("undone.db", "");
    let logs: [(&str, &[u8]); 4] = [
        ("gone.db-wal", b"frames"),
        ("empty.db-wal", b"frames"),
        ("gone-too.db-journal", JOURNAL),
        ("undone.db-journal", JOURNAL),
    ];
    for (log, content) in logs {
        sandbox.write(log, content);
        met_by_all(&sandbox, log.rsplit_once('-').unwrap().0, (1, "database_log_left"));
        assert_eq!(fs::read(sandbox.path(log)).unwrap(), content, "{log}");
    }
    assert!(!sandbox.path("gone.db").exists() && !sandbox.path("gone-too.db").exists());
}

#[test]
fn what_this_user_may_not_read_or_write_is_told_by_every_command() {
    let sandbox = sandbox();
    fs::set_permissions(sandbox.path(""), Permissions::from_mode(0o755)).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_longshore"), sandbox.path("longshore")).unwrap();
    for folder in ["closed", "fixed"] {
        fs::create_dir(sandbox.path(folder)).unwrap();
        sandbox.json(&["enqueue", "mail", "--database", &format!("{folder}/a.db")]);
    }
    fs::set_permissions(sandbox.path("closed"), Permissions::from_mode(0o700)).unwrap();
    for (path, expected) in [("closed/a.db", "database_unreachable"), ("fixed/a.db", "database_read_only")] {
        for command in COMMANDS {
            let mut process = Command::new(sandbox.path("longshore"));
            process.args(*command).args(["--json", "--database", path]).current_dir(sandbox.path("")).env_clear();
            let ran = process.uid(NOBODY).gid(NOBODY).output().unwrap();
            let document: Value = serde_json::from_slice(&ran.stdout).unwrap();
            let error = &document["error"];
            assert_eq!(
                (ran.status.code(), error["code"].as_str()),
                (Some(1), Some(expected)),
                "{command:?}: {document}"
            );
            assert_told_once(error, path);
        }
    }
}

#[test]
fn too_many_open_files_have_one_word_for_every_command() {
    let sandbox = sandbox();
    sandbox.json(&["migrate", "up"]);
    for command in COMMANDS {
        let mut told = 0;
        // From too few files to read anything, up to enough for everything.
        for files in 5..14 {
            let script = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
            let mut process = Command::new("sh");
            process.args(["-c", &script, env!("CARGO_BIN_EXE_longshore")]).args(*command).arg("--json");
            let ran = process.current_dir(sandbox.path("")).env_clear().output().unwrap();
            assert!(!String::from_utf8_lossy(&ran.stderr).contains("panicked"), "{files} {command:?}");
            let Ok(document) = serde_json::from_slice::<Value>(&ran.stdout) else { continue };
            let error = &document["error"];
            let code = error["code"].as_str().unwrap_or("none");
            if code == "too_many_open_files" {
                assert_eq!(ran.status.code(), Some(1), "{error}");
                assert!(error["hint"].as_str().unwrap().contains("ulimit -n"), "{error}");
                told += 1;
            } else {
                let is_another = ["none", "result_not_printed", "not_moved", "already_there"].contains(&code);
                assert!(is_another, "{files} {command:?}: {error}");
            }
        }
        assert!(told > 0, "{command:?} met the limit at least once");
    }
}
