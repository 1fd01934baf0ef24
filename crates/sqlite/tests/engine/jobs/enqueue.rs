use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use longshore_core::{
    Action, Console, JobId, Limits, NewJob, Outcome, Selection, Status, Store, StoreError, Stream, stream_of,
};
use longshore_sqlite::{SqliteStore, enqueue_in};
use longshore_testkit::{Line, feed};
use tokio::sync::oneshot;

use crate::database::{Database, START, job};

#[test]
fn a_database_without_a_file_and_without_the_tables_is_named_in_the_error() {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    let error = enqueue_in(&connection, &job()).unwrap_err().to_string();
    assert!(error.starts_with("the database failed while enqueueing a job"), "{error}");
}

#[tokio::test]
async fn a_job_is_read_back_as_it_was_enqueued() {
    let database = Database::new();
    let timeout = Duration::from_millis(1500);
    let id = database.enqueue(job().queue("media").timeout(timeout).max_retries(7).delay(Duration::from_secs(9))).await;

    let job = database.job(id).await;

    assert_eq!(
        (job.job_type.as_str(), job.queue.as_str(), job.job_data.as_str()),
        ("mail", "media", r#"{"to":"you"}"#)
    );
    assert_eq!((job.timeout, job.max_retries, job.status), (Some(timeout), 7, Status::Pending));
    assert_eq!((job.created_at, job.run_at), (START, START.after(Duration::from_secs(9))));
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_unique_key_gives_the_job_that_has_not_ended_and_is_free_afterwards() {
    let database = Database::new();
    let first = database.enqueued(job().unique_key("k")).await;
    let second = database.enqueued(job().unique_key("k")).await;
    assert_eq!((second.id, first.is_duplicate, second.is_duplicate), (first.id, false, true));
    let worker = database.worker().await;
    let lease = database.claim_one(&worker).await;
    database.record(&worker, &lease, Outcome::Completed { result: None }).await;

    let third = database.enqueued(job().unique_key("k")).await;

    assert!(!third.is_duplicate && third.id > first.id);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_child_waits_for_its_parent_and_runs_when_it_has_completed() {
    let database = Database::new();
    let parent = database.enqueue(job()).await;
    let child = database.enqueue(job().parent(parent)).await;
    assert_eq!(database.job(child).await.status, Status::Blocked);
    let worker = database.worker().await;
    let lease = database.claim_one(&worker).await;

    database.record(&worker, &lease, Outcome::Completed { result: None }).await;

    assert_eq!(database.claim_one(&worker).await.id, child);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_family_is_given_up_when_its_eldest_is_cancelled() {
    let database = Database::new();
    let parent = database.enqueue(job()).await;
    let child = database.enqueue(job().parent(parent)).await;
    let grandchild = database.enqueue(job().parent(child)).await;

    let selection = Selection::Jobs(vec![parent]);
    database.store.act(selection, Action::Cancel).await.unwrap();

    let (child, grandchild) = (database.job(child).await, database.job(grandchild).await);
    assert_eq!((child.status, grandchild.status), (Status::DeadLetter, Status::DeadLetter));
    assert_eq!(child.dead_letter_reason.unwrap(), format!("parent_ended: its parent job {parent} ended as cancelled"));
    let late = database.enqueue(job().parent(parent)).await;
    assert_eq!(database.job(late).await.status, Status::DeadLetter);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn jobs_that_are_enqueued_together_are_made_all_or_none() {
    let database = Database::new();
    let jobs = vec![job(), job().parent(JobId(77))];

    let error = database.store.enqueue(jobs).await.unwrap_err();

    assert!(matches!(error, StoreError::UnknownParent { parent: JobId(77) }));
    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 0);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_stream_is_made_whole_or_not_at_all() {
    let database = Database::new();
    let broken = (0..5000).map(|number| if number == 4999 { Err("line 5000 is no JSON".into()) } else { Ok(job()) });
    let error = database.store.enqueue_stream(stream_of(broken)).await.unwrap_err();
    assert!(matches!(error, StoreError::Aborted { source } if source.to_string() == "line 5000 is no JSON"));
    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 0);

    let whole = (0..5000).map(|number| Ok(job().unique_key(format!("k{}", number % 4000))));
    assert_eq!(database.store.enqueue_stream(stream_of(whole)).await.unwrap(), 4000);

    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 4000);
    database.assert_counts_are_true();
}

/// More than is kept in memory, so that a part of it is in the temporary file.
const LONG: usize = 50_700;

#[tokio::test]
async fn a_long_stream_that_panics_in_its_middle_leaves_nothing() {
    let database = Database::new();
    let broken =
        (0..60_000).map(|number| if number == 55_555 { panic!("the caller's own mistake") } else { Ok(job()) });

    let store = database.store.clone();
    let enqueueing = tokio::spawn(async move { store.enqueue_stream(stream_of(broken)).await });

    // The caller polls it, so the panic is its own.
    assert!(enqueueing.await.unwrap_err().is_panic());
    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 0);
    let whole = (0..60_000).map(|_| Ok(job()));
    assert_eq!(database.store.enqueue_stream(stream_of(whole)).await.unwrap(), 60_000);
    database.assert_counts_are_true();
}

/// A stream that says when only its last job is left, and waits before that.
struct Pausing {
    left: usize,
    reached: Option<oneshot::Sender<()>>,
    go_on: oneshot::Receiver<()>,
}

impl Stream for Pausing {
    type Item = Line;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Line>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if self.left == 1 {
            if let Some(reached) = self.reached.take() {
                reached.send(()).unwrap();
            }
            ready!(Pin::new(&mut self.go_on).poll(context)).unwrap();
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(job())))
    }
}

/// The files in the folder of the database that are not its own.
fn strangers(database: &Database) -> Vec<String> {
    std::fs::read_dir(database.path().parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("queue.db"))
        .collect()
}

#[tokio::test]
async fn a_stream_that_is_slow_holds_no_lock_and_leaves_no_file() {
    let database = Database::new();
    let (reached, at_the_last) = oneshot::channel();
    let (may_go_on, go_on) = oneshot::channel();
    let slow = Box::pin(Pausing { left: LONG, reached: Some(reached), go_on });
    let store = database.store.clone();
    let enqueueing = tokio::spawn(async move { store.enqueue_stream(slow).await });
    at_the_last.await.unwrap();

    let foreign = database.foreign();
    foreign.busy_timeout(Duration::ZERO).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE; ROLLBACK").expect("nobody holds the lock");
    database.enqueue(job()).await;
    assert!(strangers(&database).is_empty());

    may_go_on.send(()).unwrap();
    assert_eq!(enqueueing.await.unwrap().unwrap(), LONG as u64);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_long_stream_that_is_given_up_at_its_last_job_leaves_nothing() {
    let database = Database::new();
    let (reached, at_the_last) = oneshot::channel();
    let (mut may_go_on, go_on) = oneshot::channel();
    let slow = Box::pin(Pausing { left: LONG, reached: Some(reached), go_on });

    tokio::select! {
        made = database.store.enqueue_stream(slow) => panic!("its last job has not come: {made:?}"),
        reached = at_the_last => reached.unwrap(),
    }

    // The stream went with the call, not some time after it.
    tokio::time::timeout(Duration::ZERO, may_go_on.closed()).await.expect("nobody reads it any more");
    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 0);
    assert!(strangers(&database).is_empty());
}

#[tokio::test]
async fn whoever_feeds_a_stream_may_enqueue_jobs_meanwhile() {
    let database = Database::new();
    let (lines, stream) = feed();
    let feeding = async {
        for number in 0..LONG {
            if number % 10_000 == 0 {
                database.store.enqueue(vec![job().queue("inner")]).await.unwrap();
            }
            lines.send(Ok(job())).unwrap();
        }
        drop(lines);
    };

    let (made, ()) = tokio::join!(database.store.enqueue_stream(stream), feeding);

    assert_eq!(made.unwrap(), LONG as u64);
    assert_eq!(database.number("SELECT count(*) FROM job_queue WHERE queue = 'inner'"), 6);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn of_several_errors_in_a_stream_the_first_is_told() {
    let database = Database::new();
    let orphan = || Ok(job().parent(JobId(77)));
    let invalid = || Ok(job().queue(""));
    let broken = || Err("line 3 is no JSON".into());
    let stream = |lines: Vec<Line>| stream_of(lines);

    let first = database.store.enqueue_stream(stream(vec![Ok(job()), orphan(), broken()])).await.unwrap_err();
    assert!(matches!(first, StoreError::UnknownParent { parent: JobId(77) }), "{first}");
    let first = database.store.enqueue_stream(stream(vec![orphan(), invalid()])).await.unwrap_err();
    assert!(matches!(first, StoreError::UnknownParent { .. }), "{first}");
    let first = database.store.enqueue_stream(stream(vec![invalid(), orphan(), broken()])).await.unwrap_err();
    assert!(matches!(first, StoreError::InvalidJob(_)), "{first}");
    let first = database.store.enqueue_stream(stream(vec![broken(), invalid()])).await.unwrap_err();
    assert!(matches!(first, StoreError::Aborted { .. }), "{first}");
    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 0);
}

/// It always has a next job, and still leaves room for others of its thread, the time limit among them.
#[tokio::test]
async fn an_endless_stream_is_left_when_its_caller_has_gone() {
    let database = Database::new();
    let (alive, gone) = std::sync::mpsc::channel::<()>();
    let endless = std::iter::repeat_with(move || {
        let _alive = &alive;
        Ok(job())
    });

    tokio::time::timeout(Duration::from_millis(50), database.store.enqueue_stream(stream_of(endless)))
        .await
        .unwrap_err();

    assert_eq!(gone.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected), "the stream was dropped");
    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 0);
    assert!(strangers(&database).is_empty());
}

#[tokio::test]
async fn an_id_is_never_given_twice() {
    let database = Database::new();
    let id = database.enqueue(job()).await;
    let selection = Selection::Jobs(vec![id]);
    database.store.act(selection, Action::Delete).await.unwrap();

    assert!(database.enqueue(job()).await > id);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_job_in_the_callers_transaction_exists_if_and_only_if_it_commits() {
    let database = Database::new();
    let mut connection = database.foreign();
    let tx = connection.transaction().unwrap();
    enqueue_in(&tx, &job()).unwrap();
    tx.rollback().unwrap();
    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 0);
    database.assert_counts_are_true();

    let tx = connection.transaction().unwrap();
    let parent = enqueue_in(&tx, &job()).unwrap().id;
    let child = enqueue_in(&tx, &job().parent(parent)).unwrap().id;
    tx.commit().unwrap();

    assert_eq!(database.job(parent).await.status, Status::Pending);
    assert_eq!(database.job(child).await.status, Status::Blocked);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_payload_beyond_the_limit_is_refused_and_nothing_is_changed() {
    let database = Database::new();
    let store = SqliteStore::open(database.options().limits(Limits { payload_bytes_max: 5 })).unwrap();

    let error = store.enqueue(vec![job()]).await.unwrap_err();

    assert!(matches!(error, StoreError::InvalidJob(_)));
    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 0);
}

#[tokio::test]
async fn odd_names_and_payloads_are_kept_as_they_are() {
    let database = Database::new();
    let data = longshore_core::JobData::parse(r#"["'; DROP TABLE job_queue; --", "ä€😀", "\u0000"]"#).unwrap();
    let mut odd = NewJob::new("mail'; --", data.clone()).queue("ä € 😀");
    odd.metadata = Some(data.clone());
    let id = database.enqueue(odd).await;

    let job = database.job(id).await;

    assert_eq!((job.queue.as_str(), &job.job_data, job.metadata.as_ref()), ("ä € 😀", &data, Some(&data)));
}
