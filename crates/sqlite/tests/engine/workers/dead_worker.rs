use std::time::Duration;

use longshore_core::{AttemptOutcome, Console, NewJob, StartedAttempt, Status, Store, WorkerId};
use longshore_sqlite::SqliteStore;
use longshore_testkit::heartbeat;

use crate::database::{Database, LEASE, job, register, request};

/// A worker of a process that no longer exists: its store is closed, so the system has dropped its lock.
async fn dead_worker_with_two_jobs(database: &Database) -> WorkerId {
    let store = database.another_store();
    let worker = register(&store).await;
    let leases = store.claim(request(&worker, 2)).await.unwrap().leases;
    let begun = &leases[0];
    let attempt = StartedAttempt { slot: 3, id: begun.id, claim_number: begun.claim_number, is_accompanied: false };
    store.mark_started(worker.clone(), [attempt].into()).await.unwrap();
    store.close();
    worker
}

/// A worker of another store, which stays open as long as the database.
async fn living_worker_with_a_job(database: &Database) -> (SqliteStore, WorkerId) {
    database.enqueue(job()).await;
    let store = database.another_store();
    let worker = register(&store).await;
    store.claim(request(&worker, 1)).await.unwrap();
    (store, worker)
}

#[tokio::test]
async fn the_death_of_a_worker_is_seen_at_once_and_only_what_had_begun_counts_as_a_crash() {
    let database = Database::new();
    let (begun, waiting) = (database.enqueue(job()).await, database.enqueue(job()).await);
    let worker = dead_worker_with_two_jobs(&database).await;

    let reclaimed = database.store.reclaim().await.unwrap();

    assert_eq!((reclaimed.workers, reclaimed.jobs), (vec![worker.clone()], 2));
    let (begun, waiting) = (database.detail(begun).await, database.detail(waiting).await);
    assert_eq!((begun.job.status, begun.job.crash_count), (Status::Pending, 1));
    assert_eq!((waiting.job.status, waiting.job.crash_count), (Status::Pending, 0));
    assert_eq!(begun.attempts[0].outcome, AttemptOutcome::Crashed);
    assert_eq!(waiting.attempts[0].outcome, AttemptOutcome::Returned);
    assert_eq!(database.number("SELECT count(*) FROM job_workers"), 0);
    assert!(!database.path().with_file_name("queue.db-workers").join(worker.as_str()).exists());
    database.assert_counts_are_true();
}

/// After a power cut it is unknown what had started. Only a job that certainly ran alone is given up.
#[tokio::test]
async fn after_a_power_cut_only_a_suspect_that_surely_began_alone_is_given_up() {
    let database = Database::new();
    let fragile = || NewJob { max_crashes: 1, ..job() };
    let (ordinary, begun, waiting) =
        (database.enqueue(fragile()).await, database.enqueue(fragile()).await, database.enqueue(fragile()).await);
    let suspected = "UPDATE job_queue SET crash_count = 1 WHERE id IN (?1, ?2)";
    database.foreign().execute(suspected, [begun.0, waiting.0]).unwrap();
    let store = database.another_store();
    let worker = register(&store).await;
    let leases = store.claim(request(&worker, 3)).await.unwrap().leases;
    let lease = leases.iter().find(|lease| lease.id == begun).unwrap();
    store.begin_isolated(worker.clone(), begun, lease.claim_number).await.unwrap();
    let file = database.path().with_file_name("queue.db-workers").join(worker.as_str());
    std::fs::File::options().write(true).open(file).unwrap().set_len(0).unwrap();
    store.close();

    database.store.reclaim().await.unwrap();

    let status_and_crashes = async |id| {
        let job = database.job(id).await;
        (job.status, job.crash_count)
    };
    assert_eq!(status_and_crashes(ordinary).await, (Status::Pending, 1));
    assert_eq!(status_and_crashes(begun).await, (Status::DeadLetter, 2));
    assert_eq!(status_and_crashes(waiting).await, (Status::Pending, 1));
    database.assert_counts_are_true();
}

/// The first of two searches takes one of two attempts that ran together. The other one does not count as alone because
/// of that.
#[tokio::test]
async fn an_attempt_that_is_taken_back_later_than_its_neighbour_is_not_taken_for_alone() {
    let database = Database::new();
    let fragile = || NewJob { max_crashes: 1, ..job() };
    let (good, bad) = (database.enqueue(fragile()).await, database.enqueue(fragile()).await);
    let store = database.another_store();
    let worker = register(&store).await;
    for (slot, lease) in (0..).zip(store.claim(request(&worker, 2)).await.unwrap().leases) {
        let (id, claim_number) = (lease.id, lease.claim_number);
        let attempt = StartedAttempt { slot, id, claim_number, is_accompanied: false };
        store.mark_started(worker.clone(), [attempt].into()).await.unwrap();
    }
    store.close();
    // While its queue is not text, the fence does not find it.
    let foreign = database.foreign();
    foreign.execute_batch("PRAGMA ignore_check_constraints = ON").unwrap();
    foreign.execute("UPDATE job_queue SET queue = x'00' WHERE id = ?1", [bad.0]).unwrap();
    database.store.reclaim().await.unwrap();
    assert_eq!((database.job(good).await.status, database.job(bad).await.status), (Status::Pending, Status::Running));

    foreign.execute("UPDATE job_queue SET queue = 'default' WHERE id = ?1", [bad.0]).unwrap();
    database.another_store().reclaim().await.unwrap();

    let job = database.job(bad).await;
    assert_eq!((job.status, job.crash_count), (Status::Pending, 1));
}

#[tokio::test]
async fn a_worker_of_another_process_that_lives_keeps_its_jobs() {
    let database = Database::new();
    living_worker_with_a_job(&database).await;

    assert_eq!(database.store.reclaim().await.unwrap().jobs, 0);
}

#[tokio::test]
async fn a_jump_of_the_wall_clock_ends_no_lease() {
    let database = Database::new();
    living_worker_with_a_job(&database).await;
    database.store.reclaim().await.unwrap();

    database.clock.jump_wall(365 * 24 * 3_600_000);
    assert_eq!(database.store.reclaim().await.unwrap().jobs, 0);
    database.clock.jump_wall(-2 * 365 * 24 * 3_600_000);
    assert_eq!(database.store.reclaim().await.unwrap().jobs, 0);
}

#[tokio::test]
async fn a_heartbeat_that_stands_still_for_a_whole_lease_and_the_grace_period_of_the_observer_ends_it() {
    let database = Database::new();
    let (other, worker) = living_worker_with_a_job(&database).await;
    assert_eq!(database.look_for(LEASE - Duration::from_secs(1)).await.jobs, 0);
    other.extend(heartbeat(&worker, Vec::new())).await.unwrap();
    assert_eq!(database.look_for(LEASE + Duration::from_secs(9)).await.jobs, 0);

    let reclaimed = database.look_for(Duration::from_secs(2)).await;

    assert_eq!((reclaimed.workers, reclaimed.jobs), (vec![worker], 1));
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_job_whose_worker_nobody_knows_does_not_hang() {
    let database = Database::new();
    let id = database.enqueue(job()).await;
    let running = "UPDATE job_queue SET status = 'running', worker_id = 'gone', started_at = 1";
    database.foreign().execute(running, []).unwrap();

    assert_eq!(database.store.reclaim().await.unwrap().jobs, 1);

    let job = database.job(id).await;
    assert_eq!((job.status, job.crash_count), (Status::Pending, 0));
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_claim_that_is_on_record_already_is_taken_back_and_its_later_end_is_kept() {
    let database = Database::new();
    let (first, second) = (database.enqueue(job()).await, database.enqueue(job()).await);
    dead_worker_with_two_jobs(&database).await;
    let taken = "INSERT INTO job_attempts (job_id, claim_number, attempt, finished_at, outcome)
        VALUES (?1, 1, 1, 1, 'crashed')";
    database.foreign().execute(taken, [first.0]).unwrap();

    database.store.reclaim().await.unwrap();

    assert_eq!(database.job(first).await.status, Status::Pending);
    assert_eq!(database.job(second).await.status, Status::Pending);
    assert_eq!(database.number("SELECT count(*) FROM job_workers"), 0);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_worker_that_retires_gives_back_what_it_holds_unspent() {
    let database = Database::new();
    let id = database.enqueue(job()).await;
    let worker = database.worker().await;
    database.claim_one(&worker).await;

    database.store.retire(worker.clone()).await.unwrap();

    let job = database.job(id).await;
    assert_eq!((job.status, job.retry_count, job.crash_count), (Status::Pending, 0, 0));
    assert!(database.store.workers().await.unwrap().is_empty());
    database.assert_counts_are_true();
}
