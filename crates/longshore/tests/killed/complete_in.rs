//! Work that commits together with the completion of its job is done exactly once, however often its process is killed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use longshore::rusqlite::TransactionBehavior;
use longshore::{CurrentAttempt, HandlerError, NewJob, Payload, Queue, Worker};
use serde::{Deserialize, Serialize};

use crate::deaths::{Mood, connect, kill_workers, may_die};

/// Makes this program a worker that sometimes kills itself.
pub(crate) const WORK: &str = "transfer-and-die";

const JOBS: u32 = 40;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Transfer {
    /// The job that enqueued this one, if one did.
    follows: Option<i64>,
}

impl Payload for Transfer {
    const JOB_TYPE: &'static str = "transfer";
}

pub(crate) fn exactly_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let queue = Queue::open_blocking(path.to_str().unwrap()).unwrap();
    connect(&path).execute_batch("CREATE TABLE transfers (job INTEGER NOT NULL)").unwrap();
    queue.enqueue_all_blocking((0..JOBS).map(|_| job(None)).collect()).unwrap();
    drop(queue);

    kill_workers(WORK, &path);
    work(&path, Mood::Calm);

    assert_exactly_once(&path);
}

/// A job that has no crash limit.
fn job(follows: Option<i64>) -> NewJob {
    NewJob { max_crashes: 1000, ..Transfer { follows }.to_job().unwrap() }
}

/// Works until no job is left.
pub(crate) fn work(path: &Path, mood: Mood) {
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
