use std::time::Duration;

use longshore_core::{Action, Console, JobId, Limits, NewJob, Outcome, Selection, Status, Store, StoreError};
use longshore_sqlite::{SqliteStore, enqueue_in};

use crate::database::{Database, START, job};

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
    let error = database.store.enqueue_stream(Box::new(broken)).await.unwrap_err();
    assert!(matches!(error, StoreError::Aborted { source } if source.to_string() == "line 5000 is no JSON"));
    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 0);

    let whole = (0..5000).map(|number| Ok(job().unique_key(format!("k{}", number % 4000))));
    assert_eq!(database.store.enqueue_stream(Box::new(whole)).await.unwrap(), 4000);

    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 4000);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_long_stream_that_breaks_off_in_its_middle_leaves_nothing() {
    let database = Database::new();
    let broken =
        (0..60_000).map(|number| if number == 55_555 { panic!("the caller's own mistake") } else { Ok(job()) });

    let error = database.store.enqueue_stream(Box::new(broken)).await.unwrap_err();

    assert!(matches!(error, StoreError::Aborted { .. }), "{error}");
    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 0);
    let whole = (0..60_000).map(|_| Ok(job()));
    assert_eq!(database.store.enqueue_stream(Box::new(whole)).await.unwrap(), 60_000);
    database.assert_counts_are_true();
}

/// More than is kept in memory, so that a part of it is in the temporary file.
const LONG: usize = 50_700;

#[tokio::test]
async fn a_stream_that_is_slow_holds_no_lock_and_leaves_no_file() {
    let database = Database::new();
    let (reached, at_the_last) = std::sync::mpsc::channel();
    let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
    let slow = (0..LONG).map(move |number| {
        if number == LONG - 1 {
            reached.send(()).unwrap();
            may_go_on.recv().unwrap();
        }
        Ok(job())
    });
    let store = database.store.clone();
    let enqueueing = tokio::spawn(async move { store.enqueue_stream(Box::new(slow)).await });
    tokio::task::spawn_blocking(move || at_the_last.recv().unwrap()).await.unwrap();

    let foreign = database.foreign();
    foreign.busy_timeout(Duration::ZERO).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE; ROLLBACK").expect("nobody holds the lock");
    database.enqueue(job()).await;
    let odd: Vec<_> = std::fs::read_dir(database.path().parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("queue.db"))
        .collect();
    assert!(odd.is_empty(), "{odd:?}");

    go_on.send(()).unwrap();
    assert_eq!(enqueueing.await.unwrap().unwrap(), LONG as u64);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_stream_may_enqueue_jobs_itself() {
    let database = Database::new();
    let store = database.store.clone();
    let nested = (0..LONG).map(move |number| {
        if number % 10_000 == 0 {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(store.enqueue(vec![job().queue("inner")])).unwrap();
        }
        Ok(job())
    });

    assert_eq!(database.store.enqueue_stream(Box::new(nested)).await.unwrap(), LONG as u64);

    assert_eq!(database.number("SELECT count(*) FROM job_queue WHERE queue = 'inner'"), 6);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn of_several_errors_in_a_stream_the_first_is_told() {
    let database = Database::new();
    let orphan = || Ok(job().parent(JobId(77)));
    let invalid = || Ok(job().queue(""));
    let broken = || Err("line 3 is no JSON".into());
    let stream = |jobs: Vec<Result<NewJob, Box<dyn std::error::Error + Send + Sync>>>| Box::new(jobs.into_iter());

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

/// Nobody waits for its end, and it has none.
#[tokio::test]
async fn an_endless_stream_is_left_when_its_caller_has_gone() {
    let database = Database::new();
    let (alive, gone) = std::sync::mpsc::channel::<()>();
    let endless = std::iter::repeat_with(move || {
        let _alive = &alive;
        Ok(job())
    });

    tokio::time::timeout(Duration::from_millis(50), database.store.enqueue_stream(Box::new(endless)))
        .await
        .unwrap_err();

    let ended = tokio::task::spawn_blocking(move || gone.recv_timeout(Duration::from_secs(60))).await.unwrap();
    assert_eq!(ended, Err(std::sync::mpsc::RecvTimeoutError::Disconnected), "the stream was dropped");
    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 0);
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
