use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// The time limit of every wait in this test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A job's id is written to `ended` in one write when its work is done, so that lines never mix. A poison job kills the
/// worker that runs it: the parent of its program's supervisor.
const CONFIG: &str = r#"
[worker]
lease = "1s"

[jobs.note]
run = ["sh", "-c", "sleep 0.05; echo $LONGSHORE_JOB_ID >> ended"]
max_retries = 3
max_crashes = 1000

[jobs.poison]
run = ["sh", "-c", "sleep 0.3; kill -9 $(awk '{print $4}' /proc/$PPID/stat); sleep 5"]
max_crashes = 3
"#;

/// A folder with a configuration and a database, and the commands that run in it.
pub(crate) struct Harbour {
    folder: tempfile::TempDir,
}

impl Harbour {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("longshore.toml"), CONFIG).unwrap();
        let harbour = Self { folder };
        assert!(harbour.command(&["migrate", "up"]).stdout(Stdio::null()).status().unwrap().success());
        harbour
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
        command.args(words).current_dir(self.folder.path()).stdin(Stdio::null()).stderr(Stdio::null());
        for name in ["LONGSHORE_DATABASE", "LONGSHORE_CONFIG", "DATABASE_URL"] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn database(&self) -> Connection {
        self.open(OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    /// Another program that may hold the write lock.
    pub(crate) fn other_program(&self) -> Connection {
        self.open(OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    fn open(&self, access: OpenFlags) -> Connection {
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(self.path("longshore.db"), flags).unwrap();
        database.busy_timeout(PATIENCE).unwrap();
        database
    }

    /// The ids of the jobs that ran to their end, each possibly more than once.
    pub(crate) fn ended(&self) -> BTreeSet<i64> {
        let text = std::fs::read_to_string(self.path("ended")).unwrap();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    pub(crate) fn depths(&self) -> Vec<(String, i64)> {
        let database = self.database();
        let mut select = database.prepare("SELECT status, count(*) FROM job_queue GROUP BY status").unwrap();
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    }
}
