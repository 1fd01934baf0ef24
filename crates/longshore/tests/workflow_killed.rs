//! The callbacks of a batch run exactly once, and its counts are right, however often the processes are killed that end its
//! members. The test binary is also the worker that is killed.

#![allow(clippy::unwrap_used, reason = "tests of a harness of their own are not seen as tests")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use longshore::handler::IntoDone;
use longshore::rusqlite::{Connection, TransactionBehavior};
use longshore::workflow::{BatchStatus, Workflow};
use longshore::{Completion, CurrentAttempt, Done, HandlerError, NewJob, Payload, Queue, Worker};
use serde::{Deserialize, Serialize};

/// Makes this program a worker that sometimes kills itself.
const WORK: &str = "work-and-die";

const BATCHES: u32 = 8;
const PARTS: u32 = 5;
/// How long processes are killed, at most. After that, the rest is run without kills.
const TROUBLE: Duration = Duration::from_secs(8);
/// One attempt in this many dies at each of its steps.
const DIES_ONCE_IN: u32 = 12;

/// A member. Odd ones end in a transaction of their own, past the worker.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Part {
    number: u32,
}

impl Payload for Part {
    const JOB_TYPE: &'static str = "part";

    fn configure(&self, job: NewJob) -> NewJob {
        NewJob { max_crashes: 1000, ..job }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Callback {
    name: String,
}

impl Payload for Callback {
    const JOB_TYPE: &'static str = "callback";

    fn configure(&self, job: NewJob) -> NewJob {
        NewJob { max_crashes: 1000, ..job }
    }
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
    let name = "the_callbacks_of_a_batch_run_exactly_once_though_the_processes_of_its_members_are_killed";
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
    connect(&path).execute_batch("CREATE TABLE calls (name TEXT NOT NULL, job INTEGER NOT NULL)").unwrap();
    let batches: Vec<_> =
        (0..BATCHES).map(|number| queue.enqueue_workflow_blocking(flow(number)).unwrap().batch_id.unwrap()).collect();

    let deaths = kill_workers(&path);
    work(&path, Mood::Calm);

    assert!(deaths >= 5, "only {deaths} workers died: too few to mean anything");
    assert_calls(&path);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for id in batches {
        let batch = runtime.block_on(queue.batch(id)).unwrap().unwrap();
        let counts = (batch.status, batch.counts.members, batch.counts.completed);
        assert_eq!(counts, (BatchStatus::Completed, u64::from(PARTS) + 1, u64::from(PARTS) + 1), "{batch:?}");
    }
}

/// Parts that wait for a first one, and callbacks for each end.
fn flow(number: u32) -> Workflow {
    let mut flow = Workflow::new(format!("batch {number}"));
    let first = flow.add(&Part { number: 0 });
    for number in 1..=PARTS {
        flow.add(&Part { number }).after(&first);
    }
    let call = |end: &str| Callback { name: format!("{number} {end}") };
    flow.on_completed(&call("completed"));
    flow.on_failed(&call("failed"));
    flow.on_ended(&call("ended"));
    flow
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
        let (parts, calls): (PathBuf, PathBuf) = (path.to_owned(), path.to_owned());
        let worker = Worker::new(&queue)
            .concurrency(2)
            .lease(Duration::from_secs(1))
            .handle_blocking(move |part: Part, attempt| do_part(&parts, part, &attempt, mood))
            .handle_blocking(move |callback: Callback, attempt| call(&calls, &callback, &attempt, mood));
        worker.run_until_drained().await.unwrap();
    });
}

fn do_part(path: &Path, part: Part, attempt: &CurrentAttempt, mood: Mood) -> Result<Done, HandlerError> {
    may_die(mood);
    if part.number.is_multiple_of(2) {
        return Ok(Done::with(&part.number)?);
    }
    let mut connection = connect(path);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let completion = Queue::complete_in(&transaction, attempt, &part.number)?;
    may_die(mood);
    transaction.commit()?;
    may_die(mood);
    completion.into_done()
}

fn call(path: &Path, callback: &Callback, attempt: &CurrentAttempt, mood: Mood) -> Result<Completion, HandlerError> {
    let mut connection = connect(path);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("INSERT INTO calls (name, job) VALUES (?1, ?2)", (&callback.name, attempt.id().0))?;
    let completion = Queue::complete_in(&transaction, attempt, &())?;
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

fn assert_calls(path: &Path) {
    let connection = connect(path);
    let mut select = connection.prepare("SELECT name FROM calls ORDER BY name").unwrap();
    let called: Vec<String> = select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let expected: Vec<String> =
        (0..BATCHES).flat_map(|number| ["completed", "ended"].map(|end| format!("{number} {end}"))).collect();
    assert_eq!(called, expected);
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap();
    assert_eq!(number("SELECT count(*) FROM job_queue WHERE status = 'cancelled'"), BATCHES);
    assert_eq!(number("SELECT count(*) FROM job_queue WHERE status NOT IN ('completed', 'cancelled')"), 0);
    assert_eq!(number("SELECT count(*) FROM job_followups"), 0);
}

fn connect(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(60)).unwrap();
    connection
}
