//! The callbacks of a batch run exactly once, and its counts are right, however often the processes are killed that end its
//! members.

use std::path::{Path, PathBuf};
use std::time::Duration;

use longshore::handler::IntoDone;
use longshore::rusqlite::TransactionBehavior;
use longshore::workflow::{BatchStatus, Workflow};
use longshore::{Completion, CurrentAttempt, Done, HandlerError, NewJob, Payload, Queue, Worker};
use serde::{Deserialize, Serialize};

use crate::deaths::{Mood, connect, kill_workers, may_die};

/// Makes this program a worker that sometimes kills itself.
pub(crate) const WORK: &str = "end-members-and-die";

const BATCHES: u32 = 8;
const PARTS: u32 = 5;

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

pub(crate) fn exactly_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let queue = Queue::open_blocking(path.to_str().unwrap()).unwrap();
    connect(&path).execute_batch("CREATE TABLE calls (name TEXT NOT NULL, job INTEGER NOT NULL)").unwrap();
    let batches: Vec<_> =
        (0..BATCHES).map(|number| queue.enqueue_workflow_blocking(flow(number)).unwrap().batch_id.unwrap()).collect();

    kill_workers(WORK, &path);
    work(&path, Mood::Calm);

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

/// Works until no job is left.
pub(crate) fn work(path: &Path, mood: Mood) {
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
