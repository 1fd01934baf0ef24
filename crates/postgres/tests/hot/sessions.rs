use std::time::{Duration, Instant};

use longshore_core::{Hint, Interest, QueueScope, Store};
use longshore_postgres::{PostgresOptions, PostgresStore};
use longshore_testkit::job;

use crate::scene::{PATIENCE, Scene};

#[tokio::test]
async fn connections_that_ended_while_they_were_idle_are_replaced_before_they_are_used() {
    let scene = Scene::new().await;
    scene.enqueue(3).await;
    assert_eq!(scene.drain(1).await.len(), 1);
    scene.end_connections();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.drain(1).await.len(), 1);
    scene.enqueue(1).await;
}

#[tokio::test]
async fn a_connection_that_ends_under_a_call_is_an_error_that_passes() {
    let scene = Scene::new().await;
    scene.enqueue(1).await;
    let holder = scene.database.connect().await;
    holder.batch_execute("BEGIN; LOCK TABLE longshore.running IN ACCESS EXCLUSIVE MODE").await.expect("it is free");
    let waits = async {
        let waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'hot' AND wait_event_type = 'Lock'";
        let begun = Instant::now();
        while holder.query(waiting, &[]).await.expect("it can be read").is_empty() {
            assert!(begun.elapsed() < PATIENCE, "the claim does not wait");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        scene.end_connections();
        holder.batch_execute("ROLLBACK").await.expect("it ends");
    };
    let (answer, ()) = tokio::join!(scene.try_claim(1), waits);
    let error = answer.expect_err("its connection ended");
    assert!(error.is_passing(), "{error:?}");
    assert_eq!(scene.claim_again(1).await.leases.len(), 1);
}

#[tokio::test]
async fn statements_that_a_migration_made_useless_are_prepared_again() {
    let scene = Scene::new().await;
    scene.enqueue(8).await;
    for _ in 0..6 {
        scene.drain(1).await;
    }
    // A statement of each claim gives this column, so its plan cannot be used any more.
    let migration =
        "DROP VIEW longshore.job_queue CASCADE; ALTER TABLE longshore.later ALTER COLUMN job_type TYPE varchar";
    scene.database.connect().await.batch_execute(migration).await.expect("it can be altered");
    assert_eq!(scene.drain(1).await.len(), 1);
    scene.enqueue(1).await;
}

#[tokio::test]
async fn a_statement_that_takes_too_long_for_the_role_is_an_error_that_passes() {
    let scene = Scene::new().await;
    scene.enqueue(1).await;
    let name = scene.database.name().to_owned();
    scene.database.sql(&format!("ALTER DATABASE \"{name}\" SET statement_timeout = '300ms'"));
    scene.end_connections();
    let holder = scene.database.connect().await;
    holder
        .batch_execute("SET statement_timeout = 0; BEGIN; LOCK TABLE longshore.ready IN ACCESS EXCLUSIVE MODE")
        .await
        .expect("it is free");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let error = scene.try_claim(1).await.expect_err("it waits for too long");
    assert!(error.is_passing(), "{error:?}");
    holder.batch_execute("ROLLBACK").await.expect("it ends");
    assert_eq!(scene.claim(1).await.leases.len(), 1);
}

#[tokio::test]
async fn a_store_that_is_dropped_right_after_a_commit_has_told_others_of_it() {
    let scene = Scene::new().await;
    let interest = Interest::Jobs { job_types: ["work".to_owned()].into(), scope: QueueScope::All };
    let mut wakeups = scene.store.wakeups(interest);
    let short_lived =
        || PostgresStore::connect_lazily(PostgresOptions::new(scene.database.config())).expect("it starts");
    // It listens when the first hint arrives, and there is one when it begins to listen.
    short_lived().enqueue(vec![job()]).await.expect("it is acceptable");
    tokio::time::timeout(PATIENCE, wakeups.changed()).await.expect("it listens");
    while tokio::time::timeout(Duration::from_secs(1), wakeups.changed()).await.is_ok() {}
    for _ in 0..5 {
        short_lived().enqueue(vec![job()]).await.expect("it is acceptable");
        tokio::time::timeout(PATIENCE, wakeups.changed()).await.expect("the hint comes");
    }
}

#[tokio::test]
async fn whoever_waits_is_told_when_the_store_listens_again_after_a_loss() {
    let scene = Scene::new().await;
    let interest = || Interest::Jobs { job_types: ["work".to_owned()].into(), scope: QueueScope::All };
    let mut wakeups = scene.store.wakeups(interest());
    let other = PostgresStore::connect_lazily(PostgresOptions::new(scene.database.config())).expect("it starts");
    // It listens when a hint of another store arrives.
    other.enqueue(vec![job()]).await.expect("it is acceptable");
    tokio::time::timeout(PATIENCE, wakeups.changed()).await.expect("the hint comes");
    let begun = Instant::now();
    loop {
        scene.end_connections();
        if let Ok(Hint::Anything) = tokio::time::timeout(Duration::from_secs(3), wakeups.changed()).await {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "nobody was told");
    }
    other.enqueue(vec![job()]).await.expect("it is acceptable");
    tokio::time::timeout(PATIENCE, wakeups.changed()).await.expect("the hint comes");
}
