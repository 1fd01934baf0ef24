use std::process::Command;
use std::time::Duration;

use libtest_mimic::Trial;
use longshore_core::{Console, Lease, Status, Store};
use longshore_postgres::{PostgresOptions, PostgresStore};
use longshore_testkit::worker;
use longshore_testkit_postgres::{Cluster, Options, PausingProxy, PrivateCluster, StopMode, TestDatabase};

use crate::{Member, enqueue, look_in_vain, open, read, template, trial};

/// Longer than an observer needs to take a death for certain.
const LONG: Duration = Duration::from_secs(3);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("a_server_that_aborts_and_starts_again_charges_nobody", an_immediate_restart_charges_nobody),
        trial("a_server_that_restarts_in_order_charges_nobody", an_orderly_restart_charges_nobody),
        trial("a_server_that_loses_its_shared_memory_charges_nobody", a_crashed_backend_charges_nobody),
        trial("a_promoted_replica_takes_nobody_for_dead", a_promoted_replica_charges_nobody),
        trial("workers_whose_connections_are_all_cut_are_not_taken_for_dead", a_cut_charges_nobody),
    ]
}

/// Two workers with a job each, in stores of their own.
struct Pair {
    members: Vec<(Member, Lease)>,
}

impl Pair {
    async fn begin(open: impl Fn() -> PostgresStore) -> Self {
        let mut members = Vec::new();
        for _ in 0..2 {
            let member = Member::join(open(), worker().lease(Duration::from_secs(600)).registration()).await;
            enqueue(&member.store).await;
            let lease = member.begin_one().await;
            members.push((member, lease));
        }
        Self { members }
    }

    /// Both look for lost workers, and neither loses its job.
    async fn look(&self) {
        let [(first, _), (second, _)] = &self.members[..] else { unreachable!("there are two") };
        tokio::join!(look_in_vain(&first.store, LONG), look_in_vain(&second.store, LONG));
    }

    /// Each registers anew, and completes its job under the same claim.
    async fn end(mut self) {
        for (member, lease) in &mut self.members {
            member.lost().await;
            member.join_again().await;
            member.complete(lease).await;
            let job = read(&member.store, lease.id).await;
            assert_eq!((job.status, job.crash_count), (Status::Completed, 0));
        }
    }
}

fn server() -> (PrivateCluster, TestDatabase) {
    let cluster = Cluster::private(&Options::new());
    let database = template::migrated_on(&cluster);
    (cluster, database)
}

async fn restart(mode: StopMode) {
    let (cluster, database) = server();
    let pair = Pair::begin(|| open(&database)).await;
    cluster.restart(mode);
    pair.look().await;
    // One that comes after the restart has lost no connection of its own.
    look_in_vain(&open(&database), LONG).await;
    pair.end().await;
}

async fn an_immediate_restart_charges_nobody() {
    restart(StopMode::Immediate).await;
}

async fn an_orderly_restart_charges_nobody() {
    restart(StopMode::Fast).await;
}

/// The server's start time stays the same, and all locks are gone.
async fn a_crashed_backend_charges_nobody() {
    let (_cluster, database) = server();
    let pair = Pair::begin(|| open(&database)).await;
    let victim = database.connect().await;
    let pid: i32 = victim.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let killed = Command::new("kill").arg("-KILL").arg(pid.to_string()).status().unwrap();
    assert!(killed.success());
    pair.look().await;
    look_in_vain(&open(&database), LONG).await;
    pair.end().await;
}

async fn a_promoted_replica_charges_nobody() {
    let (cluster, database) = server();
    let replica = cluster.replica();
    let pair = Pair::begin(|| open(&database)).await;
    cluster.wait_for_replica(&replica);
    let on_replica = || {
        let config: tokio_postgres::Config = database.url_through(replica.port()).parse().unwrap();
        PostgresStore::connect_lazily(PostgresOptions::new(config)).unwrap()
    };
    // Nobody's lock is on the replica, which says nothing about anybody.
    let workers = on_replica().workers().await.unwrap();
    assert_eq!(workers.iter().map(|worker| worker.is_alive).collect::<Vec<_>>(), [true, true]);
    cluster.kill();
    replica.promote();
    let observer = on_replica();
    look_in_vain(&observer, LONG).await;
    assert!(observer.reclaim().await.is_ok(), "the replica takes writes now");
    for (_, lease) in &pair.members {
        assert_eq!(read(&observer, lease.id).await.status, Status::Running);
    }
}

/// As when a proxy before the server restarts.
async fn a_cut_charges_nobody() {
    let (cluster, database) = server();
    let proxy = PausingProxy::to(cluster.port());
    let through_proxy = || {
        let config: tokio_postgres::Config = database.url_through(proxy.port()).parse().unwrap();
        PostgresStore::connect_lazily(PostgresOptions::new(config)).unwrap()
    };
    let pair = Pair::begin(through_proxy).await;
    for _ in 0..3 {
        proxy.refuse();
        tokio::time::sleep(Duration::from_millis(300)).await;
        proxy.accept();
        pair.look().await;
    }
    pair.end().await;
}
