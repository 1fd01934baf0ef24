use std::fs;
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::account::Account;
use crate::cluster::Cluster;
use crate::cluster::free_port;
use crate::programs::program;

/// `read` ends when the pipe from this process closes, so also when this process is killed.
const SCRIPT: &str = r#"exec 3<&0; "$1" "$2/pgbouncer.ini" </dev/null & read line <&3; kill -KILL $!; rm -rf "$2""#;

/// A PgBouncer that pools transactions, or sessions, before a cluster, with its default settings otherwise: it refuses `options` in
/// the start-up message. It ends when the value is dropped or the process ends.
#[derive(Debug)]
pub struct PgBouncer {
    port: u16,
    process: Child,
    folder: TempDir,
}

impl PgBouncer {
    /// Starts one with 20 server connections for each database.
    #[must_use]
    pub fn before(cluster: &Cluster) -> Self {
        Self::with_pool_size(cluster, 20)
    }

    /// Starts one that pools sessions: a client keeps its server connection until it leaves.
    #[must_use]
    pub fn of_sessions(cluster: &Cluster) -> Self {
        Self::start(cluster, "session", 20)
    }

    /// Starts one with a number of server connections for each database.
    #[must_use]
    pub fn with_pool_size(cluster: &Cluster, pool_size: u16) -> Self {
        Self::start(cluster, "transaction", pool_size)
    }

    fn start(cluster: &Cluster, pool_mode: &str, pool_size: u16) -> Self {
        let account = Account::unprivileged();
        let folder =
            tempfile::Builder::new().prefix("longshore-pgbouncer-").tempdir_in("/tmp").expect("a folder in /tmp");
        let port = free_port();
        write_configuration(
            &folder,
            cluster,
            port,
            &format!("pool_mode = {pool_mode}\ndefault_pool_size = {pool_size}"),
        );
        for entry in ["", "pgbouncer.ini", "users.txt"] {
            account.own(&folder.path().join(entry));
        }
        let mut command = account.command("setsid");
        command.args(["sh", "-c", SCRIPT, "sh"]).arg(program("pgbouncer", "pgbouncer")).arg(folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let process =
            command.spawn().unwrap_or_else(|error| panic!("cannot run setsid (Debian's package util-linux): {error}"));
        let pool = Self { port, process, folder };
        pool.wait_until_it_listens();
        pool
    }

    /// The TCP port on 127.0.0.1; see [`TestDatabase::url_through`](crate::TestDatabase::url_through).
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    fn wait_until_it_listens(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "pgbouncer does not listen: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}

fn write_configuration(folder: &TempDir, cluster: &Cluster, port: u16, pools: &str) {
    let (path, server) = (folder.path().display(), cluster.address());
    let socket_folder = server.socket_folder.display();
    let text = format!(
        "[databases]\n* = host={socket_folder} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nlogfile = {path}/log\n\
         auth_type = trust\nauth_file = {path}/users.txt\nadmin_users = postgres\nmax_client_conn = 500\n{pools}\n",
        server.port
    );
    fs::write(folder.path().join("pgbouncer.ini"), text).expect("a file in a new folder");
    fs::write(folder.path().join("users.txt"), "\"app\" \"\"\n\"postgres\" \"\"\n").expect("a file in a new folder");
}
