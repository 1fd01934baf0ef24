//! Work that commits together with the completion of its job is done exactly once, however often its process is killed.
//! The test binary is also the worker that is killed.

#![allow(clippy::unwrap_used, reason = "tests of a harness of their own are not seen as tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use longshore::rusqlite::{Connection, TransactionBehavior};
use longshore::{CurrentAttempt, HandlerError, NewJob, Payload, Queue, Worker};
use serde::{Deserialize, Serialize};

/// Makes this program a worker that sometimes kills itself.
const WORK: &str = "work-and-die";

const JOBS: u32 = 40;
/// How long processes are killed, at most. After that, the rest is run without kills.
const TROUBLE: Duration = Duration::from_secs(8);
/// One attempt in this many dies at each of its steps.
const DIES_ONCE_IN: u32 = 12;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Transfer {
    /// The job that enqueued this one, if one did.
    follows: Option<i64>,
}

impl Payload for Transfer {
    const JOB_TYPE: &'static str = "transfer";
}

/// When a worker may kill itself.
#[derive(Clone, Copy)]
enum Mood {
    Suicidal,
    Calm,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(WORK) {
        work(Path::new(&arguments.next().unwrap()), Mood::Suicidal);
        return ExitCode::SUCCESS;
    }
    let name = "work_and_its_jobs_happen_exactly_once_though_their_processes_are_killed_at_every_moment";
    let trial = Trial::test(name, || {
        exactly_once();
        Ok(())
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

fn exactly_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let queue = Queue::open_blocking(path.to_str().unwrap()).unwrap();
    connect(&path).execute_batch("CREATE TABLE transfers (job INTEGER NOT NULL)").unwrap();
    queue.enqueue_all_blocking((0..JOBS).map(|_| job(None)).collect()).unwrap();
    drop(queue);

    let deaths = kill_workers(&path);
    work(&path, Mood::Calm);

    assert!(deaths >= 5, "only {deaths} workers died: too few to mean anything");
    assert_exactly_once(&path);
}

/// A job that has no crash limit.
fn job(follows: Option<i64>) -> NewJob {
    NewJob { max_crashes: 1000, ..Transfer { follows }.to_job().unwrap() }
}

/// Starts one worker after the other until all is done or the time is over. Each kills itself or is killed.
fn kill_workers(path: &Path) -> u32 {
    let mut deaths = 0;
    let begun = Instant::now();
    while begun.elapsed() < TROUBLE {
        let mut child = WorkerProcess::start(path);
        let killed_at = Instant::now() + Duration::from_millis(fastrand::u64(100..800));
        let ended = loop {
            if let Some(ended) = child.0.try_wait().unwrap() {
                break ended;
            }
            if Instant::now() >= killed_at {
                child.0.kill().unwrap();
            }
            thread::sleep(Duration::from_millis(5));
        };
        if ended.success() {
            return deaths;
        }
        deaths += 1;
    }
    deaths
}

struct WorkerProcess(Child);

impl WorkerProcess {
    fn start(path: &Path) -> Self {
        Self(Command::new(std::env::current_exe().unwrap()).arg(WORK).arg(path).spawn().unwrap())
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        // Both fail if it has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Works until no job is left.
fn work(path: &Path, mood: Mood) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let queue = Queue::open(path.to_str().unwrap()).await.unwrap();
        let path: PathBuf = path.to_owned();
        let worker = Worker::new(&queue)
            .concurrency(2)
            .lease(Duration::from_secs(1))
            .handle_blocking(move |transfer: Transfer, attempt| transfer_money(&path, transfer, &attempt, mood));
        worker.run_until_drained().await.unwrap();
    });
}

fn transfer_money(
    path: &Path,
    transfer: Transfer,
    attempt: &CurrentAttempt,
    mood: Mood,
) -> Result<longshore::Completion, HandlerError> {
    let mut connection = connect(path);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("INSERT INTO transfers (job) VALUES (?1)", [attempt.id().0])?;
    may_die(mood);
    if transfer.follows.is_none() {
        Queue::enqueue_job_in(&transaction, &job(Some(attempt.id().0)))?;
    }
    let completion = Queue::complete_in(&transaction, attempt, &attempt.id())?;
    may_die(mood);
    transaction.commit()?;
    may_die(mood);
    Ok(completion)
}

fn may_die(mood: Mood) {
    if matches!(mood, Mood::Suicidal) && fastrand::u32(..DIES_ONCE_IN) == 0 {
        signal_hook::low_level::raise(9).unwrap();
    }
}

fn assert_exactly_once(path: &Path) {
    let connection = connect(path);
    let mut select = connection.prepare("SELECT job, count(*) FROM transfers GROUP BY job").unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let done: BTreeMap<i64, i64> = rows.map(Result::unwrap).collect();
    let wrong: Vec<_> = done.iter().filter(|(_, times)| **times != 1).collect();
    assert!(wrong.is_empty(), "done more than once: {wrong:?}");
    assert_eq!(done.len(), 2 * JOBS as usize, "each job and the one that follows it have done their work");

    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let all = i64::from(2 * JOBS);
    assert_eq!(number("SELECT count(*) FROM job_queue WHERE status = 'completed' AND result = id"), all);
    assert_eq!(number("SELECT count(*) FROM job_queue"), all);
    assert_eq!(number("SELECT count(DISTINCT json_extract(job_data, '$.follows')) FROM job_queue"), i64::from(JOBS));
    assert_eq!(number("SELECT jobs FROM job_depths WHERE status = 'completed'"), all);
    assert_eq!(number("SELECT COALESCE(sum(abs(jobs)), 0) FROM job_depths WHERE status <> 'completed'"), 0);
    assert_eq!(number("SELECT sum(completed) FROM job_minutes"), all);
}

fn connect(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(60)).unwrap();
    connection
}
