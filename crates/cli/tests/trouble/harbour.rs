use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

/// The time limit of every wait in this test.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder with a database and workers on it.
pub(crate) struct Harbour {
    folder: tempfile::TempDir,
    /// The path of the database; in the folder by default.
    database: PathBuf,
}

/// A worker process that is stopped when the test ends.
pub(crate) struct Worker {
    process: Child,
    log: PathBuf,
}

impl Harbour {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("q.db");
        Self { folder, database }
    }

    pub(crate) fn with_database_in(folder: &Path) -> Self {
        let database = folder.join("q.db");
        Self { database, ..Self::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn liveness_folder(&self) -> PathBuf {
        self.database.with_file_name("q.db-workers")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
        command.args(arguments).args(["--database", self.database.to_str().unwrap()]);
        command.current_dir(self.folder.path()).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command
    }

    /// Enqueues a job of this type. The first one creates the database.
    pub(crate) fn enqueue(&self, job_type: &str) {
        let status = self.command(&["enqueue", job_type, "-q"]).stderr(Stdio::null()).status().unwrap();
        assert!(status.success());
    }

    /// Starts a worker for one job type with a lease of one second. Each attempt writes its job's id to `began`, waits
    /// for a file, and writes the id to `ended`.
    pub(crate) fn worker(&self, job_type: &str) -> Worker {
        let number = fs::read_dir(self.folder.path()).unwrap().count();
        let (config, log) = (self.path(&format!("{job_type}-{number}.toml")), self.path(&format!("log-{number}")));
        let script = "echo $LONGSHORE_JOB_ID >> began; while [ ! -e go ]; do sleep 0.05; done; \
            echo $LONGSHORE_JOB_ID >> ended";
        let text = format!(
            "[worker]\nlease = \"1s\"\nconcurrency = 2\n\n[jobs.{job_type}]\nrun = [\"sh\", \"-c\", '{script}']\n\
            max_crashes = 3\n"
        );
        fs::write(&config, text).unwrap();
        let mut command = self.command(&["work", "--config", config.to_str().unwrap()]);
        let process = command.stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
        Worker { process, log }
    }

    pub(crate) fn let_jobs_end(&self) {
        fs::write(self.path("go"), "").unwrap();
    }

    /// The lines of `began` or `ended`, in order.
    pub(crate) fn lines(&self, name: &str) -> Vec<i64> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    /// Another program's connection.
    pub(crate) fn connection(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.database, flags).unwrap();
        connection.busy_timeout(PATIENCE).unwrap();
        connection
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.connection().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    pub(crate) fn jobs_in(&self, status: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM job_queue WHERE status = '{status}'"))
    }

    /// The process of the worker that runs this job.
    pub(crate) fn runner_of(&self, job: i64) -> Option<u32> {
        let sql = "SELECT pid FROM job_queue JOIN job_workers USING (worker_id) WHERE id = ?1 AND status = 'running'";
        self.connection().query_row(sql, [job], |row| row.get(0)).ok()
    }

    /// Freezes a worker and all its descendants, like a paused container. Not during a transaction, because then nobody
    /// could write until it continues.
    pub(crate) fn freeze(&self, worker: &Worker) -> Vec<u32> {
        let mut connection = self.connection();
        connection.busy_timeout(Duration::from_secs(1)).unwrap();
        loop {
            let frozen = worker.freeze();
            if connection.transaction_with_behavior(TransactionBehavior::Immediate).is_ok() {
                return frozen;
            }
            thaw(&frozen);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Every job is completed by its only attempt, and nothing was charged.
    pub(crate) fn assert_all_completed_once(&self, jobs: i64) {
        until("all jobs are completed", || self.jobs_in("completed") == jobs);
        assert_eq!(self.number("SELECT sum(crash_count) FROM job_queue"), 0);
        assert_eq!(self.number("SELECT count(*) FROM job_queue WHERE claim_number <> 1"), 0);
        for name in ["began", "ended"] {
            let mut ran = self.lines(name);
            ran.sort_unstable();
            assert_eq!(ran, (1..=jobs).collect::<Vec<_>>(), "{name}");
        }
    }
}

impl Worker {
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// How many programs of jobs it has, also those that it is about to end.
    pub(crate) fn programs(&self) -> usize {
        let is_shell = |id: &&u32| fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.trim() == "sh");
        with_descendants(self.id()).iter().filter(is_shell).count()
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    fn freeze(&self) -> Vec<u32> {
        // The worker first, so that it starts nothing in between.
        assert!(signal("STOP", self.id()), "the worker runs");
        let all = with_descendants(self.id());
        // A process that has ended in between need not be stopped.
        all[1..].iter().for_each(|id| {
            signal("STOP", *id);
        });
        all
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        signal("CONT", self.id());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Continues frozen processes. Some may have ended while they were frozen.
pub(crate) fn thaw(frozen: &[u32]) {
    frozen.iter().for_each(|id| {
        signal("CONT", *id);
    });
}

/// Returns whether the process existed.
fn signal(name: &str, id: u32) -> bool {
    let mut kill = Command::new("kill");
    kill.args(["-s", name, &id.to_string()]).stderr(Stdio::null()).status().unwrap().success()
}

fn with_descendants(id: u32) -> Vec<u32> {
    let mut all = vec![id];
    let mut next = 0;
    while next < all.len() {
        for thread in fs::read_dir(format!("/proc/{}/task", all[next])).into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            all.extend(children.split_whitespace().map(|child| child.parse::<u32>().unwrap()));
        }
        next += 1;
    }
    all
}

/// Checks repeatedly until the condition is true. Fails if it does not become true.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "it never became so: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
