//! Behind a PgBouncer that pools transactions.

use longshore_migrate::RunRequest;
use longshore_migrate_postgres::{PostgresTargetOptions, PostgresUrl};
use longshore_testkit_postgres::{Cluster, PgBouncer};

use crate::support::{database, migrator_with, refused, rows, source, up};

const FILES: [(&str, &str); 4] = [
    ("001_a.up.sql", "CREATE TABLE a (i int, j int); INSERT INTO a VALUES (1, 1);"),
    ("001_a.down.sql", "DROP TABLE a;"),
    ("002_index.up.sql", "-- longshore: no transaction\nCREATE INDEX CONCURRENTLY a_i ON a (i);"),
    ("002_index.down.sql", "-- longshore: no transaction\nDROP INDEX CONCURRENTLY a_i;"),
];

#[test]
fn everything_works_through_a_pool_of_transactions_and_one_runner_keeps_out_the_other() {
    let database = database();
    let pool = PgBouncer::before(&Cluster::shared());
    let options =
        || PostgresTargetOptions::new(database.url_through(pool.port()).parse::<PostgresUrl>().unwrap()).pooled(true);
    let runs: Vec<Vec<i64>> = std::thread::scope(|scope| {
        let run = |_| scope.spawn(|| up(&mut migrator_with(options(), vec![source(&FILES)])));
        let runners: Vec<_> = (0..3).map(run).collect();
        runners.into_iter().map(|runner| runner.join().unwrap()).collect()
    });
    assert_eq!(runs.concat().len(), 2, "{runs:?}");
    let mut migrator = migrator_with(options(), vec![source(&FILES)]);
    assert!(migrator.verify().unwrap().ok);
    migrator.redo(&RunRequest::default()).unwrap();
    assert_eq!(refused(migrator.down(&crate::support::steps(2))).0, "data_loss");
    assert_eq!(rows(&database, "SELECT count(*) FROM a"), ["1"]);
    migrator.lint().unwrap();
}
