use std::time::Duration;

use longshore_core::{
    Action, Console, Filter, JobData, JobId, Maintenance, NewCheckpoint, NewJob, Recorded, Retention, Selection,
    Status, Store,
};
use longshore_postgres::PostgresOptions;
use longshore_testkit::{ended, job};
use longshore_testkit_postgres::{Cluster, PgBouncer};

use crate::scene::{FIRST, Scene};
use crate::template;

const PAYLOAD: &str = r#"{"a": 1, "a": 2, "n": 123456789012345678901234567890.10, "s": "\u0000",  "e": 1E400}"#;

const MONTH: Duration = Duration::from_secs(2_600_000);

/// Jobs of the first partition in every state, and its last ids behind them. Gives how many of them are over.
async fn fill(scene: &Scene) -> u64 {
    scene.go_to(FIRST - 60);
    let completed = scene.enqueue(vec![job(); 20]).await;
    scene.complete(&scene.claim(20).await).await;
    let cancelled = scene.enqueue(vec![job(); 3]).await;
    for id in &cancelled {
        scene.store.act(Selection::job(*id), Action::Cancel).await.expect("it waits");
    }
    scene.enqueue(vec![job(); 2]).await;
    let failed = scene.claim(2).await;
    let records = [ended(&failed[0]).dead_letter(), ended(&failed[1]).retrying(MONTH)];
    scene.store.record(scene.worker_id.clone(), records.into()).await.expect("outcomes can be written");
    let parent = scene.enqueue(vec![job()]).await[0];
    assert_eq!(scene.claim(1).await.len(), 1);
    let data = JobData::parse(PAYLOAD).expect("it is JSON");
    let kept =
        NewJob::new(job().job_type, data).unique_key("one").metadata(JobData::parse(r#"{"b":[ ]}"#).expect("JSON"));
    scene.enqueue(vec![job().parent(parent), kept, job().delay(MONTH)]).await;
    scene.database.sql(
        "INSERT INTO longshore.log_chunk (id, claim_number, chunk_number, attempt, written_at, text)
         SELECT id, 1, 0, 1, longshore.now(), 'said ' || id FROM longshore.job",
    );
    scene.go_to(FIRST + 1);
    scene.enqueue(vec![job().delay(MONTH)]).await;
    (completed.len() + cancelled.len()) as u64
}

async fn what_is_left_stays(scene: &Scene) {
    let over = fill(scene).await;
    let before: Vec<_> = scene
        .shown()
        .into_iter()
        .filter(|row| {
            row[0].as_deref().is_some_and(|text| !text.contains(",completed,") && !text.contains(",cancelled,"))
        })
        .collect();
    let attempts = "SELECT count(*) FROM longshore.attempt";
    let attempts_before = scene.number(attempts);
    let maintained = scene.keep_house().await;
    assert_eq!((maintained.pruned, maintained.has_more), (over, true));
    assert_eq!(scene.all_bounds()[0], format!("FROM (MINVALUE) TO ({FIRST})"));
    let names = "SELECT count(*) FROM pg_class WHERE relname = 'job_min_1000000_kept'";
    assert_eq!(scene.number(names), 1, "it was rewritten");
    assert_eq!(scene.shown(), before);
    assert_eq!(scene.number("SELECT count(*) FROM longshore.job"), before.len() as i64);
    assert_eq!(scene.number("SELECT count(*) FROM longshore.log_chunk"), before.len() as i64 - 1);
    assert_eq!(scene.number(attempts), attempts_before, "those of failed attempts");
    let stored = scene.database.sql("SELECT job_data::text FROM longshore.job WHERE unique_key = 'one'");
    assert_eq!(stored[0][0].as_deref(), Some(PAYLOAD));
    for (status, jobs) in [
        (Status::Completed, 0),
        (Status::Cancelled, 0),
        (Status::DeadLetter, 1),
        (Status::Retrying, 1),
        (Status::Running, 1),
        (Status::Blocked, 1),
        (Status::Pending, 3),
    ] {
        assert_eq!(scene.count(status).await, jobs, "{status}");
    }
    // The counts that are compared with the jobs agree, too.
    assert_eq!(scene.keep_house().await.reconciled, 0);
}

#[tokio::test]
async fn the_jobs_that_are_not_over_stay_as_they_are_when_their_partition_is_dropped() {
    let scene = Scene::new().await;
    what_is_left_stays(&scene).await;
    // Each of them goes on.
    let held = scene.database.sql("SELECT id, claim_number FROM longshore.running");
    let id = held[0][0].as_deref().expect("an id").parse().expect("a number");
    let dead = scene.store.act(Filter::all().statuses([Status::DeadLetter]).into(), Action::Retry).await;
    assert_eq!(dead.expect("actions can be taken").touched, 1);
    let running = scene.store.job(JobId(id)).await.expect("jobs can be read").expect("it is there").job;
    assert_eq!(running.status, Status::Running);
    let stopped = scene.store.act(Selection::job(running.id), Action::Delete).await.expect("actions can be taken");
    assert_eq!(stopped.touched, 0, "it is held");
    scene.database.sql("UPDATE longshore.later SET due_at = longshore.now()");
    let leases = scene.claim(20).await;
    assert_eq!(leases.len(), 5, "the kept one, the retried ones, both delayed ones");
    scene.complete(&leases).await;
    assert_eq!(scene.count(Status::Completed).await, 5);
}

#[tokio::test]
async fn the_outcome_of_a_job_that_ran_meanwhile_is_stored_and_unblocks_its_child() {
    let scene = Scene::new().await;
    scene.go_to(FIRST - 10);
    let parent = scene.enqueue(vec![job()]).await[0];
    let lease = scene.claim(1).await;
    scene.enqueue(vec![job().parent(parent)]).await;
    scene.go_to(FIRST + 1);
    scene.enqueue(vec![job().delay(MONTH)]).await;
    assert!(scene.keep_house().await.has_more);
    scene.complete(&lease).await;
    let child = scene.claim(5).await;
    assert_eq!(child.len(), 1);
    scene.complete(&child).await;
    assert_eq!(scene.count(Status::Completed).await, 2);
    // In a partition that was rewritten, rows are deleted.
    let maintained = scene.keep_house().await;
    assert_eq!(maintained.pruned, 2);
    assert_eq!(scene.number("SELECT count(*) FROM longshore.job"), 1);
}

#[tokio::test]
async fn what_is_left_of_the_next_partition_is_added_to_what_was_left_before() {
    let scene = Scene::new().await;
    scene.go_to(FIRST / 2 + 1);
    scene.keep_house().await;
    what_is_left_stays(&scene).await;
    assert_eq!(scene.all_bounds().len(), 4, "one was made ahead");
    scene.enqueue(vec![job(); 2]).await;
    let more = scene.enqueue(vec![job(); 7]).await;
    scene.complete(&scene.claim(9).await[..3]).await;
    scene.go_to(2 * FIRST + 1);
    scene.enqueue(vec![job()]).await;
    let jobs = scene.number("SELECT count(*) FROM longshore.job");
    let maintained = scene.keep_house().await;
    assert_eq!(maintained.pruned, 3);
    assert_eq!(scene.all_bounds()[0], format!("FROM (MINVALUE) TO ({})", 2 * FIRST));
    assert_eq!(scene.number("SELECT count(*) FROM longshore.job"), jobs - 3);
    assert_eq!(scene.shown().len() as i64, jobs - 3, "each has its state");
    assert!(more.len() == 7 && scene.keep_house().await.reconciled == 0);
}

#[tokio::test]
async fn the_stories_and_checkpoints_of_jobs_that_are_gone_are_deleted() {
    let scene = Scene::new().await;
    scene.go_to(FIRST - 10);
    scene.enqueue(vec![job(); 2]).await;
    let leases = scene.claim(2).await;
    for lease in &leases {
        let checkpoint = NewCheckpoint {
            id: lease.id,
            claim_number: lease.claim_number,
            attempt: lease.attempt(),
            step: None,
            value: JobData::default(),
        };
        let saved = scene.store.save_checkpoint(scene.worker_id.clone(), checkpoint).await;
        assert_eq!(saved.expect("a checkpoint can be stored"), Recorded::Recorded);
    }
    let records: Vec<_> = leases.iter().map(|lease| ended(lease).retrying(MONTH)).collect();
    scene.store.record(scene.worker_id.clone(), records.into()).await.expect("outcomes can be written");
    scene.database.sql("UPDATE longshore.later SET due_at = longshore.now()");
    let leases = scene.claim(1).await;
    scene.complete(&leases).await;
    scene.go_to(FIRST + 1);
    scene.enqueue(vec![job()]).await;
    assert_eq!(scene.keep_house().await.pruned, 1);
    scene.keep_house().await;
    let stories =
        scene.database.sql("SELECT count(*), count(j.id) FROM longshore.story LEFT JOIN longshore.job j USING (id)");
    assert_eq!(stories, [[Some("1".to_owned()), Some("1".to_owned())]]);
    let checkpoints = "SELECT count(*), count(j.id) FROM longshore.checkpoint LEFT JOIN longshore.job j USING (id)";
    assert_eq!(scene.database.sql(checkpoints), [[Some("1".to_owned()), Some("1".to_owned())]]);
}

#[tokio::test]
async fn a_snapshot_from_before_still_sees_the_jobs_that_stay() {
    let scene = Scene::new().await;
    fill(&scene).await;
    let analyst = scene.database.connect().await;
    // It has used no table yet, so it holds no lock.
    analyst.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await.expect("a snapshot is taken");
    assert!(scene.keep_house().await.has_more);
    let seen = analyst.query_one("SELECT count(*) FROM longshore.job_queue", &[]).await.expect("the view can be read");
    assert_eq!(seen.get::<_, i64>(0), scene.shown().len() as i64);
}

#[tokio::test]
async fn through_a_pooler_partitions_are_dropped_as_well() {
    let database = template::migrated();
    let pool = PgBouncer::with_pool_size(&Cluster::shared(), 4);
    let config: tokio_postgres::Config = database.url_through(pool.port()).parse().expect("it is a URL");
    let scene = Scene::with(database, |_| PostgresOptions::new(config).pooled(true)).await;
    what_is_left_stays(&scene).await;
}

#[tokio::test]
async fn a_default_retention_leaves_a_partition_with_older_history_alone() {
    let scene = Scene::new().await;
    fill(&scene).await;
    scene.database.sql(&format!("UPDATE longshore.history SET last_id = {}", FIRST - 50));
    let jobs = scene.number("SELECT count(*) FROM longshore.job WHERE id <= 999950");
    let by_default = Maintenance {
        retention: Retention::Default(Duration::ZERO),
        dead_letter_retention: Retention::Forever,
        rows_max: 1000,
    };
    tokio::time::sleep(Duration::from_millis(2)).await;
    let maintained = scene.store.maintain(by_default).await.expect("house can be kept");
    assert!(maintained.pruned > 0);
    assert_eq!(scene.number("SELECT count(*) FROM longshore.job WHERE id <= 999950"), jobs);
}
