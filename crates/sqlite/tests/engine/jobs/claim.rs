use std::time::Duration;

use longshore_core::{
    Console, Outcome, Priority, QueueChange, QueueLimit, QueueScope, Recorded, Status, Store, StoreError, WorkerId,
};

use crate::database::{Database, LEASE, START, ids, job, register, request};

#[tokio::test]
async fn jobs_are_claimed_by_priority_and_then_by_id_over_all_queues_and_types() {
    let database = Database::new();
    let low = database.enqueue(job().priority(Priority::LOW)).await;
    let first = database.enqueue(job().queue("b")).await;
    let mut sms = job();
    sms.job_type = "sms".to_owned();
    let second = database.enqueue(sms.queue("a")).await;
    let high = database.enqueue(job().queue("c").priority(Priority::HIGH)).await;
    let worker = database.worker().await;

    let claimed = database.claim(&worker, 10).await;

    assert_eq!(ids(&claimed), [high, first, second, low]);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_claim_takes_no_more_than_asked_for_and_no_more_from_a_queue_than_its_limit() {
    let database = Database::new();
    for queue in ["a", "a", "a", "b", "b"] {
        database.enqueue(job().queue(queue)).await;
    }
    let worker = database.worker().await;
    let limits = [("a", 1), ("b", 5)].map(|(queue, limit)| QueueLimit { queue: queue.to_owned(), limit });
    let mut wish = request(&worker, 2);
    wish.scope = QueueScope::Only(limits.to_vec());

    let claimed = database.store.claim(wish).await.unwrap();

    let queues: Vec<&str> = claimed.leases.iter().map(|lease| lease.queue.as_str()).collect();
    assert_eq!(queues, ["a", "b"]);
}

#[tokio::test]
async fn a_queue_or_type_that_is_named_twice_gives_each_job_once() {
    let database = Database::new();
    database.enqueue(job()).await;
    let worker = database.worker().await;
    let mut wish = request(&worker, 9);
    let twice = QueueLimit { queue: "default".to_owned(), limit: 4 };
    wish.scope = QueueScope::Only(vec![twice.clone(), twice]);
    wish.job_types = vec!["mail".to_owned(), "mail".to_owned()].into();

    assert_eq!(database.store.claim(wish).await.unwrap().leases.len(), 1);
}

/// More runs than there are statements to read them side by side.
#[tokio::test]
async fn a_claim_from_hundreds_of_queues_keeps_the_order_over_all_of_them() {
    let database = Database::new();
    let mut expected = Vec::new();
    for number in 0..300 {
        let queue = format!("tenant {}", number * 7 % 150);
        let priority = Priority([10, 5, 1][number % 3]);
        expected.push((std::cmp::Reverse(priority), database.enqueue(job().queue(queue).priority(priority)).await));
    }
    expected.sort();
    let worker = database.worker().await;

    let claimed = [database.claim(&worker, 170).await, database.claim(&worker, 170).await];

    let claimed: Vec<_> = claimed.iter().flat_map(ids).collect();
    assert_eq!(claimed, expected.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
    database.assert_counts_are_true();
}

#[tokio::test]
async fn queues_that_are_named_are_served_among_many_that_are_not() {
    let database = Database::new();
    for queue in ["a", "b", "c", "d", "e"] {
        database.enqueue(job().queue(queue)).await;
    }
    let worker = database.worker().await;
    let mut wish = request(&worker, 9);
    let named = ["", "b", "bb", "e", "z"].map(|queue| QueueLimit { queue: queue.to_owned(), limit: 9 });
    wish.scope = QueueScope::Only(named.to_vec());

    let claimed = database.store.claim(wish).await.unwrap();

    let queues: Vec<&str> = claimed.leases.iter().map(|lease| lease.queue.as_str()).collect();
    assert_eq!(queues, ["b", "e"]);
}

#[tokio::test]
async fn a_paused_queue_gives_nothing_until_it_is_resumed() {
    let database = Database::new();
    database.enqueue(job().queue("a")).await;
    let worker = database.worker().await;
    database.store.change_queue("a".to_owned(), QueueChange::Pause).await.unwrap();
    assert!(database.claim(&worker, 1).await.leases.is_empty());

    database.store.change_queue("a".to_owned(), QueueChange::Resume).await.unwrap();

    assert_eq!(database.claim(&worker, 1).await.leases.len(), 1);
}

#[tokio::test]
async fn a_delayed_job_is_ready_at_its_instant_and_not_before() {
    let database = Database::new();
    let id = database.enqueue(job().delay(Duration::from_secs(5))).await;
    let worker = database.worker().await;
    let claimed = database.claim(&worker, 1).await;
    assert!(claimed.leases.is_empty());
    assert_eq!(claimed.next_due, Some(Duration::from_secs(5)));

    database.clock.advance(Duration::from_secs(5));
    let claimed = database.claim(&worker, 1).await;

    assert_eq!(ids(&claimed), [id]);
    assert_eq!(claimed.leases[0].ready_at, START.after(Duration::from_secs(5)));
    assert_eq!(claimed.next_due, None);
}

#[tokio::test]
async fn a_worker_that_is_not_registered_claims_nothing_and_one_that_is_may_come_late() {
    let database = Database::new();
    let stranger = WorkerId::random();
    let error = database.store.claim(request(&stranger, 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::WorkerGone { worker_id } if worker_id == stranger));

    let worker = database.worker().await;
    database.enqueue(job()).await;
    database.clock.advance(10 * LEASE);

    assert_eq!(database.claim(&worker, 1).await.leases.len(), 1);
}

#[tokio::test]
async fn a_late_worker_cannot_complete_a_reclaimed_job() {
    let database = Database::new();
    let id = database.enqueue(job()).await;
    let other = database.another_store();
    let late = register(&other).await;
    let lost = other.claim(request(&late, 1)).await.unwrap().leases.remove(0);
    let reclaimed = database.look_for(LEASE + Duration::from_secs(11)).await;
    assert_eq!((reclaimed.workers, reclaimed.jobs), (vec![late.clone()], 1));
    let next = database.worker().await;
    let lease = database.claim_one(&next).await;

    let recorded = database.record(&late, &lost, Outcome::Completed { result: None }).await;

    assert_eq!(recorded, Recorded::Fenced);
    assert_eq!(database.job(id).await.status, Status::Running);
    assert_eq!(database.record(&next, &lease, Outcome::Completed { result: None }).await, Recorded::Recorded);
    database.assert_counts_are_true();
}

/// The caller goes before the commit is known to have succeeded, so only the rows show it.
#[tokio::test]
async fn a_claim_whose_commit_was_never_answered_gives_its_leases_when_it_is_repeated() {
    let database = Database::new();
    let worker = database.worker().await;
    let waiting = [database.enqueue(job()).await, database.enqueue(job()).await, database.enqueue(job()).await];
    let unanswered = request(&worker, 2);
    // So that it cannot be answered before it is dropped, however busy the machine is.
    let foreign = database.foreign();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let call = database.store.claim(unanswered.clone());
    assert!(tokio::time::timeout(Duration::ZERO, call).await.is_err(), "the writer is a thread of its own");
    foreign.execute_batch("COMMIT").unwrap();

    let repeated = database.store.claim(unanswered.clone()).await.unwrap();

    assert_eq!(ids(&repeated), waiting[..2]);
    assert!(repeated.leases.iter().all(|lease| lease.claim_number.0 == 1), "it was claimed once: {repeated:?}");
    assert_eq!(database.number("SELECT count(*) FROM job_queue WHERE status = 'running'"), 2);
    assert_eq!(database.store.claim(unanswered).await.unwrap().leases, repeated.leases);
}
