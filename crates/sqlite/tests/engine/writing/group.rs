use std::time::Duration;

use longshore_core::{JobId, NewJob, Priority, Status, Store, StoreError};
use longshore_sqlite::rusqlite::TransactionBehavior;

use crate::database::{Database, job};

#[tokio::test]
async fn a_request_that_fails_in_a_group_hurts_nobody_else() {
    let database = Database::new();
    // While another program holds the lock, the requests queue up and share the next transaction.
    let mut foreign = database.foreign();
    let lock = foreign.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let mut waiting = Vec::new();
    for number in 0..40 {
        let store = database.store.clone();
        let wanted = if number % 4 == 1 { job().parent(JobId(4711)) } else { job() };
        waiting.push(tokio::spawn(async move { store.enqueue(vec![job(), wanted]).await }));
    }
    tokio::task::yield_now().await;
    lock.commit().unwrap();

    let mut made = 0;
    for (number, answer) in waiting.into_iter().enumerate() {
        match answer.await.unwrap() {
            Ok(enqueued) => made += enqueued.len(),
            Err(error) => {
                assert_eq!(number % 4, 1);
                assert!(matches!(error, StoreError::UnknownParent { .. }));
            }
        }
    }

    assert_eq!(made, 60);
    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 60);
    database.assert_counts_are_true();
}

/// Jobs of several callers are one statement. Each caller gets the id of its own job.
#[tokio::test]
async fn callers_who_share_a_statement_get_their_own_ids() {
    let database = Database::new();
    let mut foreign = database.foreign();
    let lock = foreign.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let mut waiting = Vec::new();
    for number in 0..100 {
        let store = database.store.clone();
        let numbered = NewJob::encode("numbered", &number).unwrap();
        let wanted = match number % 20 {
            3 => numbered.unique_key(format!("key-{number}")),
            7 => numbered.queue("other").priority(Priority::HIGH).delay(Duration::from_secs(60)),
            _ => numbered,
        };
        waiting.push(tokio::spawn(async move { store.enqueue(vec![wanted]).await }));
    }
    tokio::task::yield_now().await;
    lock.commit().unwrap();

    for (number, answer) in waiting.into_iter().enumerate() {
        let [made] = answer.await.unwrap().unwrap()[..] else { panic!("one job, one answer") };
        let made = database.job(made.id).await;
        assert_eq!(made.job_data.as_str(), number.to_string());
        assert_eq!((made.queue == "other", made.priority == Priority::HIGH), (number % 20 == 7, number % 20 == 7));
        assert_eq!(made.run_at > made.created_at, number % 20 == 7);
    }
    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 100);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_dropped_future_may_have_had_its_effect_and_does_no_harm() {
    let database = Database::new();
    {
        let mut forgotten = Box::pin(database.store.enqueue(vec![job()]));
        let _ = futures_poll(&mut forgotten).await;
    }

    let id = database.enqueue(job()).await;

    assert_eq!(database.job(id).await.status, Status::Pending);
    database.assert_counts_are_true();
}

/// Polls once, so that the request has been sent.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = std::future::ready(()) => None,
    }
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let database = Database::new();
    database.store.close();

    let error = database.store.enqueue(vec![job()]).await.unwrap_err();

    assert!(matches!(error, StoreError::Closed { .. }), "{error}");
}

#[tokio::test]
async fn several_stores_work_on_one_file_and_no_job_is_claimed_twice() {
    let database = Database::new();
    for _ in 0..5 {
        database.store.enqueue((0..100).map(|_| job()).collect()).await.unwrap();
    }
    let mut drains = Vec::new();
    for _ in 0..4 {
        let store = database.another_store();
        drains.push(tokio::spawn(async move {
            let worker = crate::database::register(&store).await;
            let mut taken = Vec::new();
            loop {
                let claimed = store.claim(crate::database::request(&worker, 7)).await.unwrap();
                if claimed.leases.is_empty() {
                    return taken;
                }
                taken.extend(crate::database::ids(&claimed));
            }
        }));
    }
    let mut taken = Vec::new();
    for drain in drains {
        taken.extend(drain.await.unwrap());
    }
    taken.sort_unstable();

    assert_eq!(taken, (1..=500).map(JobId).collect::<Vec<_>>());
    database.assert_counts_are_true();
}
