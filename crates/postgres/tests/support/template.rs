//! A migrated database whose time a test moves, made once for each server and copied by every test.

use std::hash::{DefaultHasher, Hash, Hasher};

use longshore_testkit_postgres::{Cluster, TestDatabase};
use tokio_postgres::NoTls;

const MIGRATIONS: [&str; 11] = [
    include_str!("../../migrations/001_create_jobs.up.sql"),
    include_str!("../../migrations/002_create_workers.up.sql"),
    include_str!("../../migrations/003_create_job_queue.up.sql"),
    include_str!("../../migrations/004_add_checkpoints.up.sql"),
    include_str!("../../migrations/005_keep_schedules.up.sql"),
    include_str!("../../migrations/006_store_arrays_plain.up.sql"),
    include_str!("../../migrations/007_add_workflows.up.sql"),
    include_str!("../../migrations/008_add_limits.up.sql"),
    include_str!("../../migrations/009_keep_tokens.up.sql"),
    include_str!("../../migrations/010_keep_audit_trail.up.sql"),
    include_str!("../../migrations/011_find_ready_jobs_by_id.up.sql"),
];

/// The value of a sequence is seen at once by every snapshot, like the clock of a server.
const TEST_CLOCK: &str = "
    CREATE SEQUENCE longshore.test_clock MINVALUE 0 START 1777896000000;
    CREATE OR REPLACE FUNCTION longshore.now() RETURNS timestamptz
        LANGUAGE sql VOLATILE
        AS $$ SELECT timestamptz 'epoch' + last_value * interval '1 millisecond' FROM longshore.test_clock $$";

/// A database with the queue's schema and the server's own clock.
#[allow(dead_code, reason = "each test program uses a part of this file")]
pub(crate) fn migrated() -> TestDatabase {
    copy_of(&Cluster::shared(), "migrated", &MIGRATIONS)
}

/// The same on another server.
#[allow(dead_code, reason = "each test program uses a part of this file")]
pub(crate) fn migrated_on(cluster: &Cluster) -> TestDatabase {
    copy_of(cluster, "migrated", &MIGRATIONS)
}

/// The same with a clock that stands at the beginning of every fake clock; `setval` of `longshore.test_clock` moves it.
#[allow(dead_code, reason = "each test program uses a part of this file")]
pub(crate) fn migrated_with_test_clock() -> TestDatabase {
    let scripts: Vec<&str> = MIGRATIONS.into_iter().chain([TEST_CLOCK]).collect();
    copy_of(&Cluster::shared(), "clocked", &scripts)
}

fn copy_of(cluster: &Cluster, name: &str, scripts: &[&str]) -> TestDatabase {
    let mut hasher = DefaultHasher::new();
    scripts.hash(&mut hasher);
    cluster.database_from(&format!("{name}_{:x}", hasher.finish()), async |url| {
        let connected = tokio_postgres::connect(&url, NoTls).await;
        let (client, connection) = connected.expect("the server accepts connections");
        let running = tokio::spawn(connection);
        client.batch_execute("CREATE SCHEMA longshore").await.expect("the role owns the database");
        for script in scripts {
            client.batch_execute(script).await.unwrap_or_else(|error| panic!("{error:?} in {script}"));
        }
        drop(client);
        drop(running.await);
    })
}
