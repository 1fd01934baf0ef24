use std::time::{Duration, Instant};

use longshore_core::{JobId, Priority, Store};
use longshore_testkit::job;

use crate::scene::Scene;

/// A job in the tables, as the view inserts it.
const INSERT: &str = "INSERT INTO longshore.job_queue (job_type) VALUES ('work') RETURNING id";
/// Longer than the hints of a store wait for anything.
const HINTS_SETTLE: Duration = Duration::from_millis(1700);
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_job_that_is_committed_long_after_later_ones_ran_is_claimed() {
    let scene = Scene::new().await;
    let late = scene.database.connect().await;
    late.batch_execute("BEGIN").await.expect("a transaction begins");
    let id = JobId(late.query_one(INSERT, &[]).await.expect("the view takes it").get(0));
    work_for(&scene, HINTS_SETTLE).await;
    late.batch_execute("COMMIT").await.expect("it commits");
    assert_eq!(claimed_next(&scene).await, [id]);
}

#[tokio::test]
async fn a_job_that_is_committed_among_later_ones_is_claimed_while_these_still_come() {
    let scene = Scene::new().await;
    let late = scene.database.connect().await;
    late.batch_execute("BEGIN").await.expect("a transaction begins");
    let id = JobId(late.query_one(INSERT, &[]).await.expect("the view takes it").get(0));
    work_for(&scene, HINTS_SETTLE).await;
    late.batch_execute("COMMIT").await.expect("it commits");
    let begun = Instant::now();
    loop {
        scene.enqueue(50).await;
        if scene.drain(20).await.contains(&id) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "the claims pass over it");
    }
}

#[tokio::test]
async fn many_transactions_that_end_in_any_order_leave_no_job_behind() {
    let scene = Scene::new().await;
    let mut open = Vec::new();
    let mut expected = Vec::new();
    for _ in 0..8 {
        let late = scene.database.connect().await;
        late.batch_execute("BEGIN").await.expect("a transaction begins");
        expected.push(JobId(late.query_one(INSERT, &[]).await.expect("the view takes it").get(0)));
        open.push(late);
        scene.enqueue(20).await;
        scene.drain(20).await;
    }
    work_for(&scene, HINTS_SETTLE).await;
    for place in [3, 0, 7, 1, 5, 2, 6, 4] {
        open[place].batch_execute(if place % 4 == 1 { "ROLLBACK" } else { "COMMIT" }).await.expect("it ends");
        work_for(&scene, Duration::from_millis(150)).await;
    }
    let mut missing: Vec<JobId> = Vec::new();
    for (place, id) in expected.iter().enumerate().filter(|(place, _)| place % 4 != 1) {
        let sql = format!("SELECT status FROM longshore.job_queue WHERE id = {id}");
        let begun = Instant::now();
        while scene.database.sql(&sql) != [[Some("completed".to_owned())]] {
            scene.drain(20).await;
            if begun.elapsed() > PATIENCE {
                missing.push(expected[place]);
                break;
            }
        }
    }
    assert_eq!(missing, []);
}

/// Enqueues and runs jobs, a few at a time.
async fn work_for(scene: &Scene, span: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < span {
        scene.enqueue(20).await;
        assert!(!scene.drain(20).await.is_empty());
    }
    while !scene.drain(100).await.is_empty() {}
}

async fn claimed_next(scene: &Scene) -> Vec<JobId> {
    let begun = Instant::now();
    loop {
        let ids = scene.drain(100).await;
        if !ids.is_empty() {
            return ids;
        }
        assert!(begun.elapsed() < PATIENCE, "nothing was found");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn beside_a_lane_that_a_store_knows_jobs_of_every_other_queue_and_priority_are_found_in_order() {
    let scene = Scene::new().await;
    for _ in 0..2 {
        scene.enqueue(3).await;
        assert_eq!(scene.drain(3).await.len(), 3, "the store knows the lane now");
    }
    let mut jobs = Vec::new();
    for queue in ["a", "default", "z", "default", "e"] {
        for priority in [-3, 5, 9, 4, i32::MIN] {
            jobs.push(job().queue(queue).priority(Priority(priority)));
        }
    }
    let enqueued = scene.store.enqueue(jobs.clone()).await.expect("the jobs are acceptable");
    let mut expected: Vec<_> = std::iter::zip(&jobs, &enqueued).map(|(job, made)| (job.priority, made.id)).collect();
    expected.sort_by_key(|(priority, id)| (std::cmp::Reverse(*priority), *id));
    let mut claimed = Vec::new();
    for limit in [4, 9, 100] {
        let leases = scene.claim(limit).await.leases;
        claimed.extend(leases.into_iter().map(|lease| (lease.priority, lease.id)));
    }
    assert_eq!(claimed, expected);
}
