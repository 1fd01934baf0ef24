use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use longshore_core::{Status, Store};
use longshore_postgres::{PostgresOptions, PostgresStore, enqueue_in};
use longshore_testkit::job;

use crate::scene::{FIRST, Scene};

/// On a loaded machine; the locks themselves are tried for 150 ms.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// The pause between two enqueues of a producer, so that the test stays small.
const PAUSE: Duration = Duration::from_millis(10);

/// How many jobs a producer made, until it is told to stop.
async fn produce(stop: Arc<AtomicBool>, mut one: impl AsyncFnMut() -> u64) -> u64 {
    let mut made = 0;
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        made += one().await;
        assert!(begun.elapsed() < WAIT_MAX, "an enqueue waited for {:?}", begun.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_producer_fails_or_waits_long_while_partitions_are_made_and_dropped() {
    let scene = Scene::new().await;
    let stop = Arc::new(AtomicBool::new(false));
    let store = || PostgresStore::connect_lazily(PostgresOptions::new(scene.database.config())).expect("it starts");
    let mut producers = Vec::new();
    let (lone, bulk) = (store(), store());
    producers.push(tokio::spawn(produce(Arc::clone(&stop), async move || {
        lone.enqueue(vec![job()]).await.expect("a job can be enqueued");
        lone.enqueue(vec![job().unique_key("same")]).await.expect("a job can be enqueued");
        1
    })));
    producers.push(tokio::spawn(produce(Arc::clone(&stop), async move || {
        bulk.enqueue(vec![job(); 600]).await.expect("many jobs can be copied");
        tokio::time::sleep(20 * PAUSE).await;
        600
    })));
    for sql in [
        "INSERT INTO longshore.job_queue (job_type) VALUES ('plain')",
        "SELECT longshore.enqueue('function', '{}', run_at => now() + interval '1 day')",
    ] {
        let client = scene.database.connect().await;
        producers.push(tokio::spawn(produce(Arc::clone(&stop), async move || {
            client.batch_execute(sql).await.expect("plain SQL works");
            1
        })));
    }
    let mut client = scene.database.connect().await;
    producers.push(tokio::spawn(produce(Arc::clone(&stop), async move || {
        let transaction = client.transaction().await.expect("a transaction begins");
        enqueue_in(&transaction, &job()).await.expect("a job can be enqueued");
        tokio::time::sleep(Duration::from_millis(20)).await;
        enqueue_in(&transaction, &job()).await.expect("a job can be enqueued");
        transaction.commit().await.expect("it commits");
        2
    })));
    // A queue that moves in: chosen ids, in order, beyond all others.
    let client = scene.database.connect().await;
    let chosen = AtomicU64::new(30_000_000_000);
    producers.push(tokio::spawn(produce(Arc::clone(&stop), async move || {
        let id = chosen.fetch_add(1_000_003, Ordering::Relaxed);
        let insert = format!(
            "BEGIN;
             INSERT INTO longshore.job (id, job_type, queue, priority, job_data, created_at)
             VALUES ({id}, 'chosen', 'default', 5, '{{}}', longshore.now());
             INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at)
             VALUES ('chosen', 'default', -5, false, {id}, longshore.now());
             INSERT INTO longshore.change (queue, pending) VALUES ('default', 1);
             COMMIT"
        );
        client.batch_execute(&insert).await.expect("any id has a place");
        1
    })));
    let mut dropped = 0;
    for round in 1..=3 {
        // Half way, and behind the end of a partition.
        for id in [round * FIRST - FIRST / 2, round * FIRST + 1] {
            scene
                .database
                .sql(&format!("SELECT setval('longshore.job_id', {id}) FROM longshore.job_id WHERE last_value < {id}"));
            for _ in 0..2 {
                let leases = scene.claim(200).await;
                scene.complete(&leases).await;
                dropped += scene.keep_house().await.pruned;
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    let mut made = 0;
    for producer in producers {
        made += producer.await.expect("no producer fails");
    }
    // The tables have grown faster than the server looks at them, and it would plan the counts below for empty ones.
    scene.database.sql("ANALYZE");
    // The unique key is in one job that was enqueued first.
    let bounds = scene.all_bounds();
    assert!(bounds.len() >= 4, "{bounds:?}");
    let left = scene.number("SELECT count(*) FROM longshore.job_queue");
    let bodies = scene.number("SELECT count(*) FROM longshore.job");
    assert_eq!(left, bodies, "each has a state");
    let keyed = scene.number("SELECT count(*) FROM longshore.job WHERE unique_key = 'same'");
    let removed = i64::try_from(made).expect("it is small") - (left - keyed);
    let keyed_before = i64::try_from(dropped).expect("it is small") - removed;
    assert!((0..=20).contains(&keyed_before), "made {made}, left {left}, pruned {dropped}, with the key {keyed}");
    for status in Status::ALL {
        // It compares the stored count with the rows.
        scene.count(status).await;
    }
}

#[tokio::test]
async fn behind_a_transaction_that_has_used_jobs_nothing_is_dropped_and_nobody_waits() {
    let scene = Scene::new().await;
    scene.go_to(FIRST - 5);
    scene.enqueue(vec![job(); 4]).await;
    scene.complete(&scene.claim(4).await).await;
    scene.go_to(FIRST + FIRST / 2);
    scene.enqueue(vec![job()]).await;
    let before = scene.all_bounds();
    // What a dump does with each table before it begins.
    let dump = scene.database.connect().await;
    let lock = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; LOCK TABLE longshore.job, longshore.ended IN ACCESS SHARE MODE";
    dump.batch_execute(lock).await.expect("nobody is in the way");
    let producer = PostgresStore::connect_lazily(PostgresOptions::new(scene.database.config())).expect("it starts");
    let keeping = async {
        for _ in 0..3 {
            assert_eq!(scene.keep_house().await.pruned, 0, "the rows are left for later");
        }
    };
    let producing = async {
        let mut longest = Duration::ZERO;
        for _ in 0..60 {
            let begun = Instant::now();
            producer.enqueue(vec![job()]).await.expect("a job can be enqueued");
            longest = longest.max(begun.elapsed());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        longest
    };
    let ((), longest) = tokio::join!(keeping, producing);
    assert!(longest < Duration::from_secs(5), "an enqueue waited for {longest:?}");
    assert_eq!(scene.all_bounds(), before);
    dump.batch_execute("COMMIT").await.expect("the dump ends");
    // Another process has not been refused lately.
    let other = PostgresStore::connect_lazily(PostgresOptions::new(scene.database.config())).expect("it starts");
    scene.database.sql("DELETE FROM longshore.duty");
    let scene = Scene { store: other, ..scene };
    assert_eq!(scene.keep_house().await.pruned, 4);
    assert_eq!(scene.number("SELECT count(*) FROM pg_class WHERE relname = 'job_min_1000000_kept'"), 1);
}
