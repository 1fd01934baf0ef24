use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Address, Options, StopMode};
use crate::account::Account;
use crate::programs::{ServerPrograms, run};

/// A data folder and the programs that run a server on it. The folder above it holds the Unix socket and the log.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) account: Account,
    pub(crate) programs: ServerPrograms,
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
}

impl Server {
    /// Initialises a server in a folder that its account owns, starts it, and creates the role `app`.
    pub(crate) fn create(folder: &Path, options: &Options) -> Self {
        let (account, programs) = (Account::unprivileged(), ServerPrograms::find());
        let mut server = Self { account, programs, folder: folder.to_owned(), port: 0 };
        let mut initdb = server.account.command(server.programs.path("initdb"));
        initdb.arg("-D").arg(server.data()).args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        run(&mut initdb);
        server.configure(options);
        server.start_on_free_port();
        server.address().administer("CREATE ROLE app LOGIN");
        server
    }

    /// A standby of this server, in another folder that its account owns. It streams from the first moment.
    pub(crate) fn replica(&self, folder: &Path) -> Self {
        let (account, programs) = (self.account, self.programs.clone());
        let mut replica = Self { account, programs, folder: folder.to_owned(), port: 0 };
        let mut backup = self.account.command(self.programs.path("pg_basebackup"));
        backup.arg("-D").arg(replica.data()).arg("-h").arg(&self.folder).args(["-p", &self.port.to_string()]);
        backup.args(["-U", "postgres", "-R", "-X", "stream", "-c", "fast", "--no-sync"]);
        run(&mut backup);
        replica.start_on_free_port();
        replica
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(crate) fn address(&self) -> Address {
        Address { port: self.port, socket_folder: self.folder.clone() }
    }

    /// Starts the server and waits until it accepts connections (a standby: read-only ones).
    pub(crate) fn start(&self) {
        // After a kill the shared memory is in use until the last child of the old server has ended.
        let deadline = Instant::now() + Duration::from_secs(20);
        while let Err(problem) = self.try_start() {
            assert!(Instant::now() < deadline, "the server does not start: {problem}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn stop(&self, mode: StopMode) {
        let mut stop = self.control("stop");
        run(stop.args(["-w", "-t", "60", "-m", mode.word()]));
    }

    pub(crate) fn promote(&self) {
        run(self.control("promote").args(["-w", "-t", "60"]));
    }

    /// Ends all processes of the server with SIGKILL, as a crash of its machine does.
    pub(crate) fn kill(&self) {
        let file = self.data().join("postmaster.pid");
        let text = fs::read_to_string(&file).expect("a running server has a postmaster.pid");
        let first = text.lines().next().expect("its first line is the process id").to_owned();
        let mut processes = children(&first);
        processes.insert(0, first);
        // One that has ended in the meantime makes `kill` fail.
        let mut kill = self.account.command("sh");
        drop(kill.args(["-c", r#"kill -KILL "$@""#, "sh"]).args(&processes).output());
        while processes.iter().any(|process| runs(process)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        // Where nobody waits for orphans their ids stay in use, and a server would not start beside its own id.
        drop(fs::remove_file(&file));
    }

    fn configure(&self, options: &Options) {
        append(&self.data().join("postgresql.conf"), &options.configuration());
        for (name, content) in &options.files {
            let file = self.data().join(name);
            fs::write(&file, content).expect("a file of the data folder");
            // A server refuses a key that others may read.
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("permissions of a file");
            self.account.own(&file);
        }
        if let Some(rules) = &options.host_rules {
            let rules = format!("local all all trust\nlocal replication all trust\n{rules}\n");
            fs::write(self.data().join("pg_hba.conf"), rules).expect("pg_hba.conf");
        }
    }

    /// A port that was free a moment ago may be taken by now, so a failed start is repeated with another one.
    fn start_on_free_port(&mut self) {
        let mut problem = String::new();
        for _ in 0..5 {
            self.port = free_port();
            let lines = format!(
                "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\n",
                self.port,
                self.folder.display()
            );
            append(&self.data().join("postgresql.conf"), &lines);
            match self.try_start() {
                Ok(()) => return,
                Err(text) => problem = text,
            }
        }
        panic!("the server does not start: {problem}");
    }

    fn try_start(&self) -> Result<(), String> {
        let log = self.folder.join("server.log");
        let output = self
            .control("start")
            .args(["-w", "-t", "60", "-l"])
            .arg(&log)
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let log = fs::read_to_string(&log).unwrap_or_default();
        let end = log.len().saturating_sub(2000);
        Err(format!("{}{}", String::from_utf8_lossy(&output.stderr), &log[log.ceil_char_boundary(end)..]))
    }

    fn control(&self, action: &str) -> std::process::Command {
        let mut command = self.account.command(self.programs.path("pg_ctl"));
        command.arg(action).arg("-D").arg(self.data());
        command
    }
}

/// The ids of the child processes.
fn children(parent: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("/proc is readable");
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    ids.filter(|id| parent_of(id).as_deref() == Some(parent)).collect()
}

fn parent_of(process: &str) -> Option<String> {
    let status = fs::read_to_string(Path::new("/proc").join(process).join("status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:")).map(|id| id.trim().to_owned())
}

/// Whether a process exists and is not merely waited for: one that has ended has no command line.
fn runs(process: &str) -> bool {
    fs::read(Path::new("/proc").join(process).join("cmdline")).is_ok_and(|line| !line.is_empty())
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on 127.0.0.1");
    listener.local_addr().expect("the address of a listener").port()
}

fn append(file: &Path, lines: &str) {
    let mut text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.push_str(lines);
    fs::write(file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
