//! Root and the service's own user take turns on one database.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::sandbox::Sandbox;

/// The id of a user that does not exist.
const SERVICE: u32 = 54_321;

/// The user of the tests of limits, which count everything that runs as one user.
const LIMITED: u32 = 54_331;

/// A database of the service user in its own folder, and a copy of the program that this user may run.
fn service() -> Sandbox {
    service_of(SERVICE)
}

fn service_of(user: u32) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[jobs.mail]\nrun = [\"true\"]\n");
    sandbox.json(&["enqueue", "mail"]);
    fs::copy(env!("CARGO_BIN_EXE_longshore"), sandbox.path("longshore")).unwrap();
    fs::remove_file(sandbox.path("longshore.db.migrate.lock")).unwrap();
    for name in ["", "longshore.db"] {
        give(&sandbox.path(name), user);
    }
    sandbox
}

fn give(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).expect("these tests run as root");
}

fn run_as(sandbox: &Sandbox, user: u32, arguments: &[&str]) -> Output {
    let mut command = Command::new(sandbox.path("longshore"));
    command.args(arguments).current_dir(sandbox.path("")).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.uid(user).gid(user).output().unwrap()
}

/// Runs the program as a user that may have so many threads and processes.
fn run_with_threads(sandbox: &Sandbox, user: u32, threads: u32, arguments: &[&str]) -> Output {
    // dash knows -p, other shells -u.
    let script = format!("ulimit -p {threads} 2>/dev/null || ulimit -u {threads}; exec ./longshore \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh"]).args(arguments).current_dir(sandbox.path("")).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap()).uid(user).gid(user).output().unwrap()
}

fn assert_done(ran: &Output) {
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// The single error of a failed run.
fn error_of(ran: &Output) -> Value {
    assert_eq!(ran.status.code(), Some(1), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice::<Value>(&ran.stdout).unwrap()["error"].clone()
}

#[test]
fn after_root_ran_a_worker_the_services_own_user_works_too() {
    let sandbox = service();
    for user in [0, SERVICE, 0, SERVICE] {
        assert_done(&run_as(&sandbox, user, &["enqueue", "mail"]));
        assert_done(&run_as(&sandbox, user, &["work", "--drain"]));
        assert_done(&run_as(&sandbox, user, &["migrate", "up"]));
    }
    for name in ["longshore.db-workers", "longshore.db.migrate.lock"] {
        assert_eq!(fs::metadata(sandbox.path(name)).unwrap().uid(), SERVICE, "{name}");
    }
    let left = sandbox.json(&["jobs", "list", "--status", "pending"]);
    assert_eq!(left["jobs"].as_array().unwrap().len(), 0);
}

#[test]
fn a_folder_of_workers_that_may_not_be_written_is_named_with_the_command_that_mends_it() {
    let sandbox = service();
    let folder = sandbox.path("longshore.db-workers");
    fs::create_dir(&folder).unwrap();
    for arguments in [&["work", "--drain", "--json"][..], &["work", "--json"], &["up", "--json"]] {
        let error = error_of(&run_as(&sandbox, SERVICE, arguments));
        assert_eq!(error["code"], "permission_denied");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("longshore.db-workers/worker-") || message.contains("longshore.db-workers/"),
            "{message}"
        );
        assert!(message.contains("chown -R --reference="), "{message}");
    }
    // Root corrects what an earlier version left, by running a worker once.
    assert_done(&run_as(&sandbox, 0, &["work", "--drain"]));
    assert_done(&run_as(&sandbox, SERVICE, &["work", "--drain"]));
}

#[test]
fn a_member_of_the_databases_group_shares_what_it_makes_with_the_group() {
    let sandbox = service();
    fs::set_permissions(sandbox.path("longshore.db"), fs::Permissions::from_mode(0o660)).unwrap();
    fs::set_permissions(sandbox.path(""), fs::Permissions::from_mode(0o2770)).unwrap();
    let mut member = Command::new(sandbox.path("longshore"));
    member.args(["work", "--drain"]).current_dir(sandbox.path("")).uid(SERVICE + 1).gid(SERVICE);
    assert_done(&member.output().unwrap());
    let found = fs::metadata(sandbox.path("longshore.db-workers")).unwrap();
    assert_eq!((found.uid(), found.gid(), found.mode() & 0o777), (SERVICE + 1, SERVICE, 0o770));
    assert_done(&run_as(&sandbox, SERVICE, &["work", "--drain"]));
}

#[test]
fn a_database_in_a_folder_that_may_not_be_entered_or_written_is_an_error_that_names_it() {
    let sandbox = service();
    sandbox.write("closed/a.db", "");
    fs::set_permissions(sandbox.path("closed"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::create_dir(sandbox.path("full")).unwrap();
    for (database, code) in [("closed/a.db", "database_unreachable"), ("full/a.db", "database_read_only")] {
        let error = error_of(&run_as(&sandbox, SERVICE, &["enqueue", "mail", "--json", "--database", database]));
        assert_eq!(error["code"], code, "{error}");
        assert!(error["message"].as_str().unwrap().contains(database), "{error}");
        assert!(error["hint"].is_string(), "{error}");
    }
    assert!(fs::read_dir(sandbox.path("full")).unwrap().next().is_none());
}

#[test]
fn a_worker_or_a_server_without_enough_threads_says_so_at_once() {
    let sandbox = service_of(LIMITED);
    for threads in 1..=12 {
        for arguments in [&["work", "--drain", "--json"][..], &["up", "--json"], &["serve", "--json"]] {
            let ran = run_with_threads(&sandbox, LIMITED, threads, arguments);
            let error = error_of(&ran);
            assert_eq!(error["code"], "too_many_threads", "{threads} {arguments:?}: {error}");
            assert!(error["hint"].as_str().unwrap().contains("ulimit -u"), "{error}");
            assert!(!String::from_utf8_lossy(&ran.stderr).contains("panicked"), "{threads} {arguments:?}");
        }
    }
    assert_done(&run_as(&sandbox, LIMITED, &["work", "--drain"]));
}

#[test]
fn a_command_without_enough_threads_does_not_blame_the_path() {
    let user = LIMITED + 1;
    let sandbox = service_of(user);
    let mut refused = 0;
    for threads in 1..=6 {
        for arguments in [&["enqueue", "mail", "--json"][..], &["jobs", "list", "--json"]] {
            let ran = run_with_threads(&sandbox, user, threads, arguments);
            assert!(!String::from_utf8_lossy(&ran.stderr).contains("panicked"), "{threads} {arguments:?}");
            let document: Value = serde_json::from_slice(&ran.stdout).unwrap();
            let Some(error) = document.get("error") else { continue };
            assert_eq!(ran.status.code(), Some(1), "{error}");
            if error["code"] != "result_not_printed" {
                assert_eq!(error["code"], "too_many_threads", "{threads} {arguments:?}: {error}");
            }
            refused += 1;
        }
    }
    assert!(refused > 1, "some limits are too low: {refused}");
}
