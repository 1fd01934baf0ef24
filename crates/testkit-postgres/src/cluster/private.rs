use std::io::Write;
use std::ops::Deref;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::server::Server;
use super::{Cluster, Options, StopMode};
use crate::account::Account;

/// A server of one process, which may stop, kill, promote or copy it.
#[derive(Debug)]
pub struct PrivateCluster {
    cluster: Cluster,
    server: Server,
    watchdog: Child,
    folder: TempDir,
}

impl PrivateCluster {
    pub(crate) fn start_new(options: &Options) -> Self {
        let folder = new_folder();
        let server = Server::create(folder.path(), options);
        Self::watch(folder, server)
    }

    /// A standby that streams from this server. It answers reads until it is promoted.
    #[must_use]
    pub fn replica(&self) -> Self {
        let folder = new_folder();
        let server = self.server.replica(folder.path());
        Self::watch(folder, server)
    }

    /// Stops the server and waits for its end.
    pub fn stop(&self, mode: StopMode) {
        self.server.stop(mode);
    }

    /// Starts a stopped or killed server on the same port.
    pub fn start(&self) {
        self.server.start();
    }

    /// Stops and starts the server.
    pub fn restart(&self, mode: StopMode) {
        self.stop(mode);
        self.start();
    }

    /// Kills the server with SIGKILL.
    pub fn kill(&self) {
        self.server.kill();
    }

    /// Makes a standby the primary.
    pub fn promote(&self) {
        self.server.promote();
    }

    /// Changes a setting of the running server that needs no restart, or takes effect at the next one.
    pub fn set(&self, name: &str, value: &str) {
        self.sql(&format!("ALTER SYSTEM SET {name} = '{}'", value.replace('\'', "''")));
        self.sql("SELECT pg_reload_conf()");
    }

    /// Waits until a replica has replayed everything that this server has written so far.
    pub fn wait_for_replica(&self, replica: &Self) {
        let written = first(self.sql("SELECT pg_current_wal_flush_lsn()"));
        let question = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
        let deadline = Instant::now() + Duration::from_secs(60);
        while first(replica.sql(&question)) != "t" {
            assert!(Instant::now() < deadline, "the replica has not replayed {written} in a minute");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The end of the server's log.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.server.folder.join("server.log")).unwrap_or_default()
    }

    fn watch(folder: TempDir, server: Server) -> Self {
        let watchdog = start_watchdog(&server);
        Self { cluster: Cluster::at(server.address()), server, watchdog, folder }
    }
}

impl Deref for PrivateCluster {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl Drop for PrivateCluster {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.watchdog.stdin.take() {
            drop(pipe.write_all(b"end\n"));
        }
        drop(self.watchdog.wait());
        // The watchdog has removed the content as the account that owns it.
        drop(std::fs::remove_dir_all(self.folder.path()));
    }
}

/// A folder that the server's account owns. Always in `/tmp`: the path of a socket is at most 107 bytes long, and the
/// account cannot enter the folders of root.
fn new_folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("longshore-postgres-").tempdir_in("/tmp").expect("a folder in /tmp");
    Account::unprivileged().own(folder.path());
    folder
}

/// Stops the server and removes its folder when the pipe from this process closes, so also when this process is killed.
fn start_watchdog(server: &Server) -> Child {
    const SCRIPT: &str = r#"read line; "$1/pg_ctl" stop -D "$2/data" -w -t 60 -m immediate; rm -rf "$2"/* "$2""#;
    let mut command = server.account.command("setsid");
    command.args(["sh", "-c", SCRIPT, "sh"]).arg(server.programs.folder()).arg(&server.folder);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| panic!("cannot run setsid (Debian's package util-linux): {error}"))
}

fn first(rows: Vec<Vec<Option<String>>>) -> String {
    rows.into_iter().next().and_then(|row| row.into_iter().next().flatten()).unwrap_or_default()
}
