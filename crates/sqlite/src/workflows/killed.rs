//! A process is killed before each statement of the transactions in which the last members of a batch end.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{env, iter};

use longshore_testkit::{LastEnd, LastMembers, register_for_good, worker};
use tempfile::TempDir;

use crate::database::stop_before::{STOPPED, stop_before};
use crate::{SqliteOptions, SqliteStore, schema};

const DATABASE: &str = "LONGSHORE_TEST_DATABASE";
const STOP_BEFORE: &str = "LONGSHORE_TEST_STOP_BEFORE";
const LEASE: std::time::Duration = std::time::Duration::from_secs(600);
/// One call has so many statements at least: the ends of both members, the counts of the batch, and its callbacks.
const STATEMENTS_MIN: usize = 30;

/// More callbacks than follow in the transaction that ends the members, so that steps of their own are killed, too.
const CALLBACKS: usize = 70;
/// Only one statement in this many of that, a prime.
const STRIDE: usize = 23;

#[tokio::test]
async fn a_batch_whose_process_is_killed_before_any_statement_of_its_completion_calls_back_once() {
    kill_before(LastEnd::Completes, 0, 1).await;
}

#[tokio::test]
async fn a_batch_whose_process_is_killed_before_any_statement_of_its_failure_calls_back_once() {
    kill_before(LastEnd::Fails, 0, 1).await;
}

#[tokio::test]
async fn a_batch_with_many_callbacks_whose_process_is_killed_calls_each_back_once() {
    kill_before(LastEnd::Completes, CALLBACKS, STRIDE).await;
}

/// Kills a process before one statement in `stride`, each time at the end of another batch.
async fn kill_before(end: LastEnd, more_callbacks: usize, stride: usize) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("app.db");
    schema::latest_up(&path).unwrap();
    let store = open(&path);
    let worker_id = register_for_good(&store, worker().lease(LEASE).registration()).await;
    let mut reached = 0;
    for statement in iter::successors(Some(0), |statement| Some(statement + stride)) {
        let flow = LastMembers::enqueue(&store, end, more_callbacks).await;
        let mut process = Process::start(&path, statement);
        let has_stopped = process.has_stopped();
        process.0.kill().unwrap();
        process.0.wait().unwrap();
        flow.end_and_check(&store, &worker_id, &format!("statement {statement}")).await;
        if !has_stopped {
            break;
        }
        reached = statement;
    }
    assert!(reached >= STATEMENTS_MIN, "only {reached} statements");
}

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(SqliteOptions::new(path)).unwrap()
}

struct Process(Child);

impl Process {
    fn start(path: &Path, stop_before: usize) -> Self {
        let mut program = Command::new(env::current_exe().unwrap());
        program.args(["--exact", "workflows::killed::ends_what_its_environment_says", "--nocapture"]);
        program.env(DATABASE, path).env(STOP_BEFORE, stop_before.to_string()).stdout(Stdio::piped());
        Self(program.spawn().unwrap())
    }

    /// Whether it has stopped before its statement; otherwise it has ended all that it had to.
    fn has_stopped(&mut self) -> bool {
        let lines = BufReader::new(self.0.stdout.as_mut().unwrap()).lines();
        let answer = lines.map(Result::unwrap).find(|line| line.contains(STOPPED) || line.contains("test result: ok"));
        answer.expect("the process failed").contains(STOPPED)
    }
}

#[tokio::test]
async fn ends_what_its_environment_says() {
    let Ok(path) = env::var(DATABASE) else { return };
    let statement = env::var(STOP_BEFORE).unwrap().parse().unwrap();
    LastMembers::end_both(&open(Path::new(&path)), || stop_before(statement)).await;
}
