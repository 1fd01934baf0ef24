use longshore_postgres::schema::check;
use longshore_postgres::{PostgresOptions, PostgresStore, Prepare};
use longshore_testkit::job;
use longshore_testkit_postgres::Cluster;

use crate::scene::{FIRST, Scene};

const ROOM: i64 = 1_000_000_000;

#[tokio::test]
async fn a_partition_is_there_before_its_first_job() {
    let scene = Scene::new().await;
    scene.go_to(FIRST / 2 - 10);
    scene.enqueue(vec![job(); 5]).await;
    scene.keep_house().await;
    assert_eq!(scene.all_bounds().len(), 3, "it is not needed yet");
    scene.go_to(FIRST / 2);
    scene.enqueue(vec![job(); 5]).await;
    scene.keep_house().await;
    let expected = [
        "FROM (MINVALUE) TO (1000000)",
        "FROM (1000000) TO (2000000)",
        "FROM (2000000) TO (1000000000)",
        "FROM (1000000000) TO (MAXVALUE)",
    ];
    assert_eq!(scene.all_bounds(), expected);
}

/// Nobody kept house while they came.
#[tokio::test]
async fn far_more_jobs_than_expected_fill_one_partition_which_is_closed_by_a_jump_of_the_ids() {
    let scene = Scene::new().await;
    scene.enqueue(vec![job()]).await;
    scene.go_to(3 * FIRST);
    scene.enqueue(vec![job(); 600]).await;
    scene.keep_house().await;
    let ids = scene.enqueue(vec![job(); 2]).await;
    assert_eq!(ids[0].0, ROOM);
    let bounds = scene.all_bounds();
    assert_eq!(bounds.len(), 5, "{bounds:?}");
    assert_eq!(bounds[1], "FROM (1000000) TO (1000000000)");
    let leases = scene.claim(1000).await;
    assert_eq!(leases.len(), 603);
    scene.complete(&leases).await;
    let mut pruned = 0;
    for _ in 0..8 {
        pruned += scene.keep_house().await.pruned;
    }
    assert_eq!(pruned, 603);
    assert_eq!(scene.number("SELECT count(*) FROM longshore.job"), 0);
}

/// As when several databases are used together.
#[tokio::test]
async fn a_database_whose_ids_begin_far_away_has_partitions_there() {
    let scene = Scene::new().await;
    let first = 3 << 44;
    scene.go_to(first + 1);
    let ids = scene.enqueue(vec![job(); 5]).await;
    scene.keep_house().await;
    let next = first + 5 + FIRST;
    let bounds = scene.all_bounds();
    assert_eq!(bounds.len(), 6, "{bounds:?}");
    assert_eq!(bounds[3], format!("FROM ({first}) TO ({next})"));
    assert_eq!(scene.shown().len(), 5);
    scene.complete(&scene.claim(5).await).await;
    scene.go_to(next + 1);
    scene.enqueue(vec![job()]).await;
    let mut pruned = 0;
    for _ in 0..8 {
        pruned += scene.keep_house().await.pruned;
    }
    assert_eq!(pruned, ids.len() as u64);
    assert_eq!(scene.number("SELECT count(*) FROM longshore.job"), 1);
}

#[tokio::test]
async fn ids_that_somebody_chose_always_have_a_place() {
    let scene = Scene::new().await;
    let insert = |id: i64| {
        scene.database.sql(&format!(
            "INSERT INTO longshore.job (id, job_type, queue, priority, job_data, created_at)
             VALUES ({id}, 'work', 'default', 5, '{{}}', longshore.now());
             INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at)
             VALUES ('work', 'default', -5, false, {id}, longshore.now())"
        ));
    };
    let chosen = [-7, 5, FIRST, 7 * FIRST, ROOM - 1, ROOM, 5 * ROOM, 9_007_199_254_740_991, i64::MAX - 1];
    for id in chosen {
        insert(id);
        scene.keep_house().await;
    }
    scene.go_to(FIRST / 2 + 1);
    scene.enqueue(vec![job(); 3]).await;
    scene.keep_house().await;
    scene.go_to(2 * FIRST + 9);
    scene.enqueue(vec![job(); 3]).await;
    scene.keep_house().await;
    assert_eq!(scene.shown().len(), chosen.len() + 6);
    let leases = scene.claim(100).await;
    assert!(leases.len() >= 6);
}

/// What a migration makes is compared with what is there; partitions of other bounds are no difference.
#[tokio::test]
async fn partitions_that_were_made_and_dropped_are_no_drift_and_come_back_from_a_dump() {
    let database = Cluster::shared().database();
    let options = || PostgresOptions::new(database.config());
    drop(PostgresStore::open_prepared(options(), Prepare::New).expect("it is empty"));
    let scene = Scene::with(database, |options| options).await;
    for round in 1..4 {
        scene.go_to(round * FIRST - FIRST / 2);
        scene.enqueue(vec![job(); 4]).await;
        scene.complete(&scene.claim(3).await).await;
        scene.keep_house().await;
        scene.go_to(round * FIRST + 1);
        scene.enqueue(vec![job()]).await;
        scene.keep_house().await;
    }
    assert_eq!(scene.all_bounds()[0], "FROM (MINVALUE) TO (3000000)");
    let options = || PostgresOptions::new(scene.database.config());
    check(&options()).expect("nothing is missing");
    PostgresStore::open_prepared(options(), Prepare::Nothing).expect("it is a queue");
    let restored = Cluster::shared().database();
    let dump =
        format!("pg_dump --no-owner '{}' | psql -q -v ON_ERROR_STOP=1 '{}'", scene.database.url(), restored.url());
    let dump = std::process::Command::new("/bin/sh").args(["-c", &dump]).output().expect("the shell starts");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    check(&PostgresOptions::new(restored.config())).expect("a restored queue is whole");
    let shown = scene.shown();
    let scene = Scene::with(restored, |options| options).await;
    assert_eq!(scene.shown(), shown);
    scene.enqueue(vec![job()]).await;
    scene.keep_house().await;
}
