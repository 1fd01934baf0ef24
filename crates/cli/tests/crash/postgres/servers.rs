use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use longshore_testkit_postgres::{Cluster, Options, PausingProxy, PrivateCluster, StopMode};

use super::observer::{DATABASE, Observer};
use crate::PATIENCE;

/// A primary and its synchronous replica, each behind a proxy. They change places at a fail-over.
pub(crate) struct Servers {
    pair: Mutex<Pair>,
    proxies: [PausingProxy; 2],
    pub(crate) observer: Observer,
}

struct Pair {
    /// Each behind the proxy of the same place. None only while a new replica is made.
    clusters: [Option<PrivateCluster>; 2],
    primary: usize,
}

impl Servers {
    pub(crate) fn start() -> Self {
        let options = Options::new().setting("autovacuum_naptime", "1s").setting("wal_keep_size", "256MB");
        let primary = Cluster::private(&options);
        primary.sql(&format!("CREATE DATABASE {DATABASE} OWNER app"));
        // Before the replica is made, which has the same setting when it is promoted: until it has a replica of its own,
        // its commits wait.
        primary.set("synchronous_standby_names", "walreceiver");
        let replica = primary.replica();
        let proxies = [&primary, &replica].map(|cluster| PausingProxy::to(cluster.port()));
        let observer = Observer::of(primary.port());
        let pair = Pair { clusters: [Some(primary), Some(replica)], primary: 0 };
        let servers = Self { pair: Mutex::new(pair), proxies, observer };
        servers.wait_for_replica();
        servers
    }

    /// Both servers, of which one can be written.
    pub(crate) fn url(&self) -> String {
        let [first, second] = self.proxies.each_ref().map(PausingProxy::port);
        let parameters = "target_session_attrs=read-write&connect_timeout=5";
        format!("postgres://app@127.0.0.1:{first},127.0.0.1:{second}/{DATABASE}?{parameters}")
    }

    pub(crate) fn restart(&self, mode: StopMode) {
        self.pair().primary().restart(mode);
        self.wait_for_replica();
    }

    pub(crate) fn set(&self, name: &str, value: &str) {
        self.pair().primary().set(name, value);
    }

    /// Kills the primary, promotes the replica, and makes a new replica in the place of the old primary.
    pub(crate) fn fail_over(&self) {
        let mut pair = self.pair();
        let (lost, promoted) = (pair.primary, 1 - pair.primary);
        let old = pair.clusters[lost].take().unwrap();
        old.kill();
        let new = pair.clusters[promoted].as_ref().unwrap();
        new.promote();
        self.observer.turn_to(new.port());
        drop(old);
        let replica = new.replica();
        self.proxies[lost].forward_to(replica.port());
        pair.clusters[lost] = Some(replica);
        pair.primary = promoted;
        drop(pair);
        self.wait_for_replica();
    }

    pub(crate) fn on_network(&self, change: impl Fn(&PausingProxy)) {
        self.proxies.iter().for_each(change);
    }

    fn wait_for_replica(&self) {
        let begun = Instant::now();
        let sql = "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync'";
        while self.observer.try_rows(sql).is_none_or(|rows| rows.is_empty()) {
            assert!(begun.elapsed() < PATIENCE, "the replica does not stream");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn pair(&self) -> MutexGuard<'_, Pair> {
        self.pair.lock().unwrap()
    }
}

impl Pair {
    fn primary(&self) -> &PrivateCluster {
        self.clusters[self.primary].as_ref().unwrap()
    }
}
