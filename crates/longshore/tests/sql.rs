//! A job that an application enqueues with its own driver and the statement of `longshore::sql`.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::time::Duration;

use longshore::rusqlite::{Connection, params_from_iter, types};
use longshore::sql::{self, Statement, StatementError, Value};
use longshore::{
    Due, Job, JobData, JobId, NewJob, OnDuplicate, Payload, Priority, Queue, Status, Timestamp, UniqueWhile,
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

#[derive(Serialize, Deserialize)]
struct Receipt {
    order: u64,
}

impl Payload for Receipt {
    const JOB_TYPE: &'static str = "send_receipt";

    fn configure(&self, job: NewJob) -> NewJob {
        job.queue("mail").max_retries(5).unique_key(format!("receipt:{}", self.order))
    }
}

struct Application {
    _folder: TempDir,
    queue: Queue,
    connection: Connection,
}

impl Application {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        let queue = Queue::open_blocking(path.to_str().unwrap()).unwrap();
        let connection = Connection::open(&path).unwrap();
        Self { _folder: folder, queue, connection }
    }

    fn run(&self, statement: Statement) -> usize {
        let values = statement.values.into_iter().map(|value| match value {
            Value::Null => types::Value::Null,
            Value::Integer(number) => types::Value::Integer(number),
            Value::Real(number) => types::Value::Real(number),
            Value::Text(text) => types::Value::Text(text),
        });
        self.connection.execute(statement.sql, params_from_iter(values)).unwrap()
    }

    fn last_id(&self) -> JobId {
        JobId(self.connection.query_row("SELECT max(id) FROM job_queue", [], |row| row.get(0)).unwrap())
    }

    async fn job(&self, id: JobId) -> Job {
        self.queue.job(id).await.unwrap().unwrap().job
    }
}

/// A job whose every property differs from its default.
fn full(parent: JobId) -> NewJob {
    let mut job = NewJob::new("mail", JobData::parse("[1]").unwrap())
        .queue("post")
        .priority(Priority::HIGH)
        .max_retries(2)
        .timeout(Duration::from_millis(1500))
        .unique_key("key")
        .parent(parent)
        .metadata(JobData::parse("[2]").unwrap())
        .expires_in(Duration::from_secs(600))
        .deadline_in(Duration::from_secs(900))
        .delay(Duration::from_secs(60));
    (job.max_crashes, job.max_deferrals) = (7, 8);
    job
}

#[tokio::test]
async fn the_statement_gives_every_property_that_an_enqueue_gives() {
    let application = Application::new();
    let parent = application.queue.enqueue_job(NewJob::new("mail", JobData::default())).await.unwrap().id;
    let by_queue = application.queue.enqueue_job(full(parent)).await.unwrap().id;
    let expected = application.job(by_queue).await;
    application.queue.cancel(by_queue).await.unwrap();

    assert_eq!(application.run(sql::enqueue(&full(parent)).unwrap()), 1);

    let found = application.job(application.last_id()).await;
    let later = |found: Option<Timestamp>, expected: Option<Timestamp>| {
        let (found, expected) = (found.unwrap(), expected.unwrap());
        assert!(found.since(expected) < Duration::from_secs(60) && found >= expected, "{found} {expected}");
    };
    later(Some(found.created_at), Some(expected.created_at));
    later(Some(found.run_at), Some(expected.run_at));
    later(found.expires_at, expected.expires_at);
    later(found.deadline_at, expected.deadline_at);
    let same = |job: Job| Job {
        id: JobId(0),
        created_at: expected.created_at,
        run_at: expected.run_at,
        expires_at: None,
        deadline_at: None,
        ..job
    };
    assert_eq!(same(found), same(expected.clone()));
}

#[tokio::test]
async fn a_job_exists_if_and_only_if_the_transaction_of_the_application_commits() {
    let application = Application::new();
    application.connection.execute_batch("BEGIN").unwrap();
    application.run(sql::enqueue(&Receipt { order: 1 }).unwrap());
    application.connection.execute_batch("ROLLBACK; BEGIN").unwrap();
    application.run(sql::enqueue(&Receipt { order: 2 }).unwrap());
    application.connection.execute_batch("COMMIT").unwrap();

    let job = application.job(application.last_id()).await;
    assert_eq!((job.job_data.as_str(), job.queue.as_str(), job.max_retries), ("{\"order\":2}", "mail", 5));
    let count: i64 = application.connection.query_row("SELECT count(*) FROM job_queue", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn a_second_job_with_the_unique_key_follows_its_rule() {
    let application = Application::new();
    let job = |rule, text: &str| {
        let job = NewJob::new("mail", JobData::parse(text).unwrap()).unique_key("key").delay(Duration::from_secs(60));
        sql::enqueue(&job.on_duplicate(rule)).unwrap()
    };
    application.run(job(OnDuplicate::Keep, "1"));
    let id = application.last_id();
    let first = application.job(id).await;

    assert_eq!(application.run(job(OnDuplicate::Keep, "2")), 0);
    assert_eq!(application.job(id).await, first);
    assert_eq!(application.run(job(OnDuplicate::Replace, "3")), 1);
    let replaced = application.job(id).await;
    assert_eq!((replaced.job_data.as_str(), replaced.run_at, replaced.status), ("3", first.run_at, Status::Pending));
    application.connection.execute("UPDATE job_queue SET run_at = run_at - 30000", []).unwrap();
    assert_eq!(application.run(job(OnDuplicate::PushBack, "4")), 1);
    let pushed = application.job(id).await;
    assert_eq!(pushed.job_data.as_str(), "4");
    assert!(pushed.run_at >= first.run_at, "{} {}", pushed.run_at, first.run_at);
    assert_eq!(application.last_id(), id);
}

#[test]
fn a_job_that_one_statement_cannot_enqueue_is_an_error() {
    let job = || NewJob::new("mail", JobData::default());
    let invalid = sql::enqueue(&NewJob { due: Due::After(Duration::MAX), ..job() }).unwrap_err();
    assert!(matches!(invalid, StatementError::Job(_)), "{invalid}");
    let waiting = sql::enqueue(&job().unique_key("key").unique_while(UniqueWhile::Waiting)).unwrap_err();
    assert!(matches!(waiting, StatementError::UniqueWhileWaiting), "{waiting}");
}
