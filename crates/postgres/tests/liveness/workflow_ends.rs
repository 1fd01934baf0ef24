use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use libtest_mimic::Trial;
use longshore_postgres::{PostgresOptions, PostgresStore, PostgresUrl};
use longshore_testkit::{LastEnd, LastMembers, register_for_good, worker};
use longshore_testkit_postgres::{Cluster, StatementCounter};

use crate::{PATIENCE, open, template, trial};

/// Makes this program a worker that ends the last two members of a batch when its input has a line.
pub(crate) const END: &str = "end-both-members";

const READY: &str = "ready";
const LEASE: Duration = Duration::from_secs(600);
/// There are so many statements at least: the transactions that end both members, judge the batch and move callbacks.
const STATEMENTS_MIN: usize = 15;
/// More than one step of what follows looks at.
const CALLBACKS: usize = 1100;
/// Only one statement in this many of that, and of the end of a batch that fails: it is the same up to its callbacks.
const STRIDE: usize = 7;
const STRIDE_OF_FAILURE: usize = 3;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("a_batch_whose_process_is_killed_before_any_statement_of_its_completion_calls_back_once", completion),
        trial("a_batch_whose_process_is_killed_while_it_fails_calls_back_once", failure),
        trial("a_batch_with_many_callbacks_whose_process_is_killed_calls_each_back_once", many_callbacks),
    ]
}

async fn completion() {
    kill_before(LastEnd::Completes, 0, 1).await;
}

async fn failure() {
    kill_before(LastEnd::Fails, 0, STRIDE_OF_FAILURE).await;
}

async fn many_callbacks() {
    kill_before(LastEnd::Completes, CALLBACKS, STRIDE).await;
}

/// Kills a process before one statement in `stride`, each time at the end of another batch.
async fn kill_before(end: LastEnd, more_callbacks: usize, stride: usize) {
    let database = template::migrated();
    let store = open(&database);
    let worker_id = register_for_good(&store, worker().lease(LEASE).registration()).await;
    let counter = StatementCounter::before(Cluster::shared().port());
    let mut statement = 0;
    loop {
        let flow = LastMembers::enqueue(&store, end, more_callbacks).await;
        let process = Process::start(&database.url_through(counter.port()));
        let (happened, happens) = mpsc::channel();
        counter.stop_after(statement, happened.clone());
        let process = process.go_on(happened);
        happens.recv_timeout(PATIENCE).expect("it stops or ends");
        let ended = process.kill();
        counter.cut();
        flow.end_and_check(&store, &worker_id, &format!("statement {statement}")).await;
        if ended.success() {
            break;
        }
        assert_eq!(ended.signal(), Some(9), "{ended}");
        statement += stride;
    }
    assert!(statement >= STATEMENTS_MIN, "only {statement} statements");
}

struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// It has claimed both members when this returns.
    fn start(url: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(END).arg(url).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), READY);
        Self { child, output }
    }

    /// It ends both members. Its end happens, too.
    fn go_on(self, happened: Sender<()>) -> Going {
        let Self { mut child, mut output } = self;
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        let reader = thread::spawn(move || {
            output.read_to_end(&mut Vec::new()).unwrap();
            // Nobody listens after it has stopped.
            let _ = happened.send(());
        });
        Going { child, reader }
    }
}

struct Going {
    child: Child,
    reader: JoinHandle<()>,
}

impl Going {
    fn kill(mut self) -> ExitStatus {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        self.reader.join().unwrap();
        status
    }
}

#[allow(clippy::print_stdout, reason = "the test that starts this process waits for the line")]
pub(crate) fn end_both(url: &str) -> ExitCode {
    let url: PostgresUrl = url.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = PostgresStore::connect_lazily(PostgresOptions::new(url)).unwrap();
        LastMembers::end_both(&store, || {
            println!("{READY}");
            std::io::stdin().read_line(&mut String::new()).unwrap();
        })
        .await;
    });
    ExitCode::SUCCESS
}
