use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use longshore_testkit_postgres::{Cluster, TestDatabase};
use rustix::process::{Pid, Signal, kill_process};

/// The time limit of every wait in this test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// `slow` waits for a file. A mark is written when a job has run to its end.
const CONFIG: &str = r#"
[worker]
lease = "60s"

[jobs.note]
run = ["sh", "-c", "echo $LONGSHORE_JOB_ID >> marks"]

[jobs.slow]
run = ["sh", "-c", "echo $LONGSHORE_JOB_ID >> began; while [ ! -e go ]; do sleep 0.05; done; echo $LONGSHORE_JOB_ID >> marks"]
"#;

/// A folder in which the program runs on a database.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    pub(crate) database: TestDatabase,
    url: String,
}

/// A worker process, which is killed when the test ends.
pub(crate) struct Worker {
    process: Child,
    log: PathBuf,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Site {
    /// A database with the queue's tables.
    pub(crate) fn on(cluster: &Cluster) -> Self {
        let site = Self::empty_on(cluster);
        assert_eq!(site.run(&["migrate", "up"]).exit, Some(0));
        site
    }

    pub(crate) fn empty_on(cluster: &Cluster) -> Self {
        let database = cluster.database();
        let url = database.url();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("longshore.toml"), CONFIG).unwrap();
        Self { folder, database, url }
    }

    /// The same database with another URL.
    pub(crate) fn at(self, url: String) -> Self {
        Self { url, ..self }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// How many connections all roles but superusers may have.
    pub(crate) fn limit_connections(&self, most: i32) {
        self.database.admin_sql(&format!("ALTER DATABASE {} CONNECTION LIMIT {most}", self.database.name()));
    }

    /// Gives the role `app` a setting in sessions that begin later, or takes it away: `SET …` or `RESET …`.
    pub(crate) fn alter_role(&self, change: &str) {
        self.database.admin_sql(&format!("ALTER ROLE app IN DATABASE {} {change}", self.database.name()));
    }

    /// Ends the sessions of the role `app`, as an administrator does.
    pub(crate) fn end_sessions(&self) {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE usename = 'app' AND datname = current_database()";
        self.database.admin_sql(sql);
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        let output = self.command(words).output().unwrap();
        Ran {
            exit: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
        command.args(words).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("LONGSHORE_DATABASE", &self.url);
        command
    }

    pub(crate) fn enqueue(&self, job_type: &str) -> i64 {
        let ran = self.run(&["enqueue", job_type]);
        assert_eq!(ran.exit, Some(0), "{ran:?}");
        ran.stdout.trim().parse().unwrap()
    }

    pub(crate) fn worker(&self) -> Worker {
        let log = self.path(&format!("log-{}", fs::read_dir(self.folder.path()).unwrap().count()));
        let mut command = self.command(&["work", "--concurrency", "2"]);
        command.stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
        Worker { process: command.spawn().unwrap(), log }
    }

    /// A worker in the middle of a job.
    pub(crate) fn busy_worker(&self) -> (Worker, i64) {
        let id = self.enqueue("slow");
        let worker = self.worker();
        self.until("the job has begun", || self.ids("began") == [id]);
        (worker, id)
    }

    pub(crate) fn let_jobs_end(&self) {
        fs::write(self.path("go"), "").unwrap();
    }

    /// The ids in `began` or `marks`, in order.
    pub(crate) fn ids(&self, name: &str) -> Vec<i64> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    /// The state of a job as the superuser sees it.
    pub(crate) fn status(&self, id: i64) -> String {
        let rows =
            self.database.admin_sql(&format!("SELECT status, crash_count FROM longshore.job_queue WHERE id = {id}"));
        assert_eq!(rows[0][1].as_deref(), Some("0"), "job {id} was charged a crash");
        rows[0][0].clone().unwrap()
    }

    pub(crate) fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < PATIENCE, "it did not become so that {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn until_completed(&self, id: i64) {
        self.until(&format!("job {id} is completed"), || self.status(id) == "completed");
    }

    /// The job that ran through the trouble is completed by its one attempt, and the worker goes on with another job.
    pub(crate) fn assert_goes_on(&self, id: i64) {
        self.until_completed(id);
        assert_eq!(self.ids("began"), [id], "it ran once");
        let next = self.enqueue("note");
        self.until_completed(next);
        assert_eq!(self.ids("marks"), [id, next]);
    }
}

impl Worker {
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// How many lines of the log contain these words.
    pub(crate) fn lines_with(&self, words: &str) -> usize {
        self.log().lines().filter(|line| line.contains(words)).count()
    }

    pub(crate) fn until_log_has(&self, words: &str) {
        let began = Instant::now();
        while !self.log().contains(words) {
            assert!(began.elapsed() < PATIENCE, "the log does not say {words:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// One line for the beginning of a trouble with its cause, one for its end, and nothing that a user cannot read.
    pub(crate) fn assert_told_once(&self, cause: &str) {
        self.until_log_has("the store works again");
        let log = self.log();
        assert_eq!(self.lines_with("the store fails"), 1, "{log}");
        assert_eq!(self.lines_with("the store works again"), 1, "{log}");
        let line = log.lines().find(|line| line.contains("the store fails")).unwrap();
        assert!(line.contains(cause), "{cause:?} is not in {line:?}");
        self.assert_readable();
    }

    /// Nothing panicked, and no error is in the words of the driver.
    pub(crate) fn assert_readable(&self) {
        let log = self.log();
        for words in ["panicked", "db error", "DbError", "SqlState", "the worker must stop"] {
            assert!(!log.contains(words), "{words:?} in the log:\n{log}");
        }
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) fn stop(&mut self) {
        kill_process(Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{status}\n{}", self.log());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both calls fail if it has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Ran {
    /// An error of one sentence with this code and cause, and what to do about it.
    pub(crate) fn assert_fails(&self, code: &str, cause: &str) {
        let exit = if code == "database_locked" { 6 } else { 1 };
        assert_eq!(self.exit, Some(exit), "{self:?}");
        let report: serde_json::Value = serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("{self:?}"));
        let error = &report["error"];
        assert_eq!(error["code"], code, "{report}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(cause) && !message.contains('\n'), "{cause:?} is not in {message:?}");
        assert!(!message.contains("db error") && error["hint"].is_string(), "{report}");
    }
}
