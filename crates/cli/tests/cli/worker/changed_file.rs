//! The file changes under a running worker. The worker ends with an error before it acknowledges anything more.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rusqlite::Connection;
use serde_json::Value;

use crate::sandbox::Sandbox;

const CONFIG: &str = "[jobs.mail]\nrun = [\"true\"]\n";
const BEFORE: usize = 3;

/// A worker that has run [`BEFORE`] jobs and is still running.
struct Working {
    sandbox: Sandbox,
    worker: Child,
}

impl Working {
    fn begin() -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("longshore.toml", CONFIG);
        for _ in 0..BEFORE {
            sandbox.json(&["enqueue", "mail"]);
        }
        let worker =
            sandbox.command(&["work", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        sandbox.until(|| completed(&sandbox) == BEFORE);
        Self { sandbox, worker }
    }

    /// The worker's error. The worker ends by itself.
    fn end(self) -> (Sandbox, Value) {
        let ended = self.worker.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{stderr}");
        let document: Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert!(document["error"]["hint"].is_string(), "{document}");
        (self.sandbox, document["error"]["code"].clone())
    }
}

fn completed(sandbox: &Sandbox) -> usize {
    sandbox.json(&["jobs", "list", "--status", "completed"])["jobs"].as_array().unwrap().len()
}

/// The number of jobs in an intact file.
fn jobs_in(path: &Path) -> usize {
    let connection = Connection::open(path).unwrap();
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    let jobs: i64 = connection.query_row("SELECT count(*) FROM job_queue", [], |row| row.get(0)).unwrap();
    jobs.try_into().unwrap()
}

#[test]
fn a_worker_whose_file_was_moved_ends_and_the_moved_file_has_every_job() {
    let working = Working::begin();
    fs::rename(working.sandbox.path("longshore.db"), working.sandbox.path("moved.db")).unwrap();

    let (sandbox, code) = working.end();

    assert_eq!(code, "database_moved");
    assert_eq!(jobs_in(&sandbox.path("moved.db")), BEFORE);
    assert!(!sandbox.path("longshore.db").exists());
}

#[test]
fn a_worker_whose_file_was_replaced_by_a_backup_ends_and_the_backup_is_whole() {
    let working = Working::begin();
    let (file, backup) = (working.sandbox.path("longshore.db"), working.sandbox.path("backup.db"));
    Connection::open(&file).unwrap().execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    for _ in 0..20 {
        working.sandbox.json(&["enqueue", "mail"]);
    }
    fs::rename(&backup, &file).unwrap();
    // Nobody has to wait for the end of the worker.
    working.sandbox.json(&["enqueue", "mail"]);

    let (sandbox, code) = working.end();

    assert_eq!(code, "database_moved");
    assert_eq!(jobs_in(&file), BEFORE + 1);
    sandbox.json(&["enqueue", "mail"]);
    assert_eq!(sandbox.run(&["work", "--drain"]).exit, 0);
    assert_eq!(jobs_in(&file), BEFORE + 2);
}

#[test]
fn a_worker_whose_file_was_deleted_ends_and_makes_no_other() {
    let working = Working::begin();
    fs::remove_file(working.sandbox.path("longshore.db")).unwrap();

    let (sandbox, code) = working.end();

    assert_eq!(code, "database_moved");
    assert!(!sandbox.path("longshore.db").exists());
}

#[test]
fn a_worker_whose_log_was_deleted_ends_and_the_file_has_every_job() {
    let working = Working::begin();
    fs::remove_file(working.sandbox.path("longshore.db-wal")).unwrap();

    let (sandbox, code) = working.end();

    assert_eq!(code, "database_log_gone");
    assert_eq!(jobs_in(&sandbox.path("longshore.db")), BEFORE);
    assert_eq!(completed(&sandbox), BEFORE);
    sandbox.json(&["enqueue", "mail"]);
}

/// SQLite keeps the locks of the log in its index. A second index would let two programs write to the same place.
#[test]
fn a_worker_whose_index_of_the_log_was_deleted_ends_and_every_acknowledged_job_is_kept() {
    const AFTER: usize = 5;
    let working = Working::begin();
    fs::remove_file(working.sandbox.path("longshore.db-shm")).unwrap();
    // Nobody has to wait for the end of the worker.
    let ids: Vec<Value> = (0..AFTER).map(|_| working.sandbox.json(&["enqueue", "mail"])["id"].clone()).collect();

    let (sandbox, code) = working.end();

    assert_eq!(code, "database_log_gone");
    assert_eq!(jobs_in(&sandbox.path("longshore.db")), BEFORE + AFTER);
    assert_eq!(ids, (BEFORE + 1..=BEFORE + AFTER).map(Value::from).collect::<Vec<_>>());
    assert_eq!(sandbox.run(&["work", "--drain"]).exit, 0);
    assert_eq!(completed(&sandbox), BEFORE + AFTER);
}

/// The other program makes a new index and writes to the same log, so the worker must not empty that.
#[test]
fn what_another_program_commits_after_the_index_of_the_log_was_deleted_is_kept() {
    let working = Working::begin();
    let signal = |name: &str| {
        let process = working.worker.id().to_string();
        assert!(Command::new("kill").args([name, &process]).status().unwrap().success());
    };
    signal("-STOP");
    fs::remove_file(working.sandbox.path("longshore.db-shm")).unwrap();
    let other = Connection::open(working.sandbox.path("longshore.db")).unwrap();
    other.execute("INSERT INTO job_queue (job_type) VALUES ('mail')", []).unwrap();
    signal("-CONT");

    let (sandbox, code) = working.end();

    assert_eq!(code, "database_log_gone");
    drop(other);
    assert_eq!(jobs_in(&sandbox.path("longshore.db")), BEFORE + 1);
    assert_eq!(completed(&sandbox), BEFORE);
}

/// The last commits of a worker that was killed are only in the log.
#[test]
fn the_log_of_a_database_that_was_moved_alone_after_a_kill_is_kept_until_both_are_together_again() {
    let Working { sandbox, mut worker } = Working::begin();
    worker.kill().unwrap();
    worker.wait().unwrap();
    fs::rename(sandbox.path("longshore.db"), sandbox.path("moved.db")).unwrap();

    for command in [&["enqueue", "mail", "--json"][..], &["status", "--json"], &["migrate", "up", "--json"]] {
        let ran = sandbox.run(command);
        assert_eq!((ran.exit, ran.code().as_str()), (1, "database_log_left"), "{command:?}");
    }
    sandbox.json(&["enqueue", "mail", "--database", "other.db"]);
    let moved = sandbox.run(&["move", "--from", "sqlite:other.db", "--to", "sqlite:longshore.db", "--json"]);
    assert_eq!((moved.exit, moved.code().as_str()), (1, "database_log_left"));
    assert!(!sandbox.path("longshore.db").exists());

    fs::rename(sandbox.path("longshore.db-wal"), sandbox.path("moved.db-wal")).unwrap();
    assert_eq!(jobs_in(&sandbox.path("moved.db")), BEFORE);
    sandbox.json(&["enqueue", "mail"]);
}

#[test]
fn a_file_with_a_second_name_is_used_by_nobody_until_the_name_is_gone() {
    let working = Working::begin();
    let second = working.sandbox.path("second.db");
    fs::hard_link(working.sandbox.path("longshore.db"), &second).unwrap();

    let (sandbox, code) = working.end();

    assert_eq!(code, "database_hard_linked");
    for name in ["longshore.db", "second.db"] {
        for command in [&["enqueue", "mail"][..], &["work", "--drain"], &["jobs", "list"], &["queues", "pause", "a"]] {
            let ran = sandbox.run(&[command, &["--json", "--database", name]].concat());
            assert_eq!((ran.exit, ran.code().as_str()), (1, "database_hard_linked"), "{name} {command:?}");
        }
        let ran = sandbox.run(&["migrate", "up", "--database", name]);
        assert!(ran.exit == 1 && ran.stderr.contains("2 names"), "{ran:?}");
    }
    assert!(!sandbox.files().iter().any(|name| name.starts_with("second.db-")), "{:?}", sandbox.files());
    fs::remove_file(second).unwrap();
    sandbox.json(&["enqueue", "mail"]);
    assert_eq!(jobs_in(&sandbox.path("longshore.db")), BEFORE + 1);
}

/// Runs a script with `sh` in its own mount namespace. `$LONGSHORE` is the program.
fn in_own_mounts(sandbox: &Sandbox, script: &str) -> std::process::Output {
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-ec", script])
        .current_dir(sandbox.path(""))
        .env("LONGSHORE", env!("CARGO_BIN_EXE_longshore"));
    command.output().unwrap()
}

/// The folder is mounted read-only over itself: open files can still be written, but the files at its path cannot.
#[test]
fn a_worker_on_a_mount_that_turns_read_only_ends() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", CONFIG);
    sandbox.json(&["enqueue", "mail"]);
    if !in_own_mounts(&sandbox, "mount --bind . .").status.success() {
        // This can be shown only with permission to mount. A file that no current SQLite may write shows it without.
        assert_no_mounts_but_read_only(&sandbox);
        return;
    }
    let script = r#"
        told=$(mktemp)
        "$LONGSHORE" work --json > "$told" 2> /dev/null &
        until "$LONGSHORE" jobs wait 1 > /dev/null 2>&1; do sleep 0.05; done
        mount --bind . . && mount -o remount,bind,ro . && cd "$PWD"
        wait $! || echo "exit $?"
        cat "$told"; rm "$told"
        "$LONGSHORE" enqueue mail --json || echo "exit $?"
        "$LONGSHORE" work --drain --json || echo "exit $?"
    "#;
    let ran = in_own_mounts(&sandbox, script);
    let told = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(told.matches("mounted_read_only").count(), 3, "{told} {}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(told.matches("exit 1").count(), 3, "{told}");
    assert_eq!(jobs_in(&sandbox.path("longshore.db")), 1);
}

/// A second name by a mount is no hard link, but each name has a log of its own, too.
#[test]
fn a_file_that_is_mounted_by_itself_is_used_by_nobody_under_that_name() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", CONFIG);
    sandbox.write("second/longshore.db", "");
    sandbox.json(&["enqueue", "mail"]);
    let script = r#"
        mount --bind longshore.db second/longshore.db || exit 99
        for command in "enqueue mail" "work --drain" "jobs list" "queues pause a" "migrate up" "migrate status"; do
            "$LONGSHORE" $command --json --database second/longshore.db || echo "exit $?"
        done
        "$LONGSHORE" enqueue mail
    "#;

    let ran = in_own_mounts(&sandbox, script);

    let told = String::from_utf8(ran.stdout).unwrap();
    if matches!(ran.status.code(), Some(1 | 99)) && told.is_empty() {
        // This can be shown only with permission to mount. Without a mount the file is as good as any other.
        sandbox.json(&["enqueue", "mail", "--database", "second/longshore.db"]);
        return;
    }
    assert_eq!(told.matches("database_file_mounted").count(), 6, "{told} {}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(told.matches("exit 1").count(), 6, "{told}");
    let beside = fs::read_dir(sandbox.path("second")).unwrap().count();
    assert_eq!(beside, 1, "no log was made for the second name");
    assert_eq!(jobs_in(&sandbox.path("longshore.db")), 2);
}

fn assert_no_mounts_but_read_only(sandbox: &Sandbox) {
    let mut bytes = fs::read(sandbox.path("longshore.db")).unwrap();
    bytes[18] = 3;
    sandbox.write("longshore.db", bytes);
    for command in [&["enqueue", "mail", "--json"][..], &["work", "--drain", "--json"]] {
        let ran = sandbox.run(command);
        assert_eq!((ran.exit, ran.code().as_str()), (1, "database_read_only"), "{command:?}");
    }
}
