use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use fastrand::Rng;
use rusqlite::{Connection, OpenFlags, Row};

use crate::PATIENCE;
use crate::crashed_queue::{CrashedQueue, JobRow, TakenAway};
use crate::crew::{LogReader, WorkerProcess};

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

/// A folder with a configuration and a database file.
pub(crate) struct SqliteQueue {
    folder: tempfile::TempDir,
}

impl SqliteQueue {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("longshore.toml"), CONFIG).unwrap();
        let queue = Self { folder };
        assert!(queue.command(&["migrate", "up"]).stdout(Stdio::null()).status().unwrap().success());
        queue
    }

    /// Another program that may hold the write lock.
    pub(crate) fn other_program(&self) -> Connection {
        self.open(OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    pub(crate) fn assert_intact(&self) {
        assert_eq!(self.rows("PRAGMA integrity_check", |row| row.get::<_, String>(0)), ["ok"]);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn rows<T>(&self, sql: &str, read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
        let database = self.open(OpenFlags::SQLITE_OPEN_READ_ONLY);
        let mut select = database.prepare(sql).unwrap();
        select.query_map([], read).unwrap().map(Result::unwrap).collect()
    }

    fn open(&self, access: OpenFlags) -> Connection {
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(self.path("longshore.db"), flags).unwrap();
        database.busy_timeout(PATIENCE).unwrap();
        database
    }
}

impl CrashedQueue for SqliteQueue {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
        command.args(words).current_dir(self.folder.path()).stdin(Stdio::null()).stderr(Stdio::null());
        for name in ["LONGSHORE_DATABASE", "LONGSHORE_CONFIG", "DATABASE_URL"] {
            command.env_remove(name);
        }
        command
    }

    fn worker(&self, _place: usize, random: &mut Rng) -> WorkerProcess {
        let log = [LogReader::Null, LogReader::Full, LogReader::Leaves][random.usize(0..3)].clone();
        WorkerProcess::spawn(self.command(&["-v", "work", "--concurrency", "4"]), log)
    }

    fn drains(&self) -> Vec<Command> {
        vec![self.command(&["work", "--concurrency", "16", "--drain"])]
    }

    fn workers(&self) -> Vec<(String, u32)> {
        self.rows("SELECT worker_id, pid FROM job_workers", |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn running_of(&self, pid: u32) -> Vec<(i64, i64)> {
        let sql = format!(
            "SELECT id, claim_number FROM job_queue \
             WHERE status = 'running' AND worker_id IN (SELECT worker_id FROM job_workers WHERE pid = {pid})"
        );
        self.rows(&sql, |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn is_any_held(&self, claims: &[(i64, i64)]) -> bool {
        claims.iter().any(|(id, claim)| {
            let sql = format!("SELECT status = 'running' AND claim_number = {claim} FROM job_queue WHERE id = {id}");
            self.rows(&sql, |row| row.get::<_, bool>(0)) == [true]
        })
    }

    fn marks(&self) -> BTreeSet<i64> {
        let text = std::fs::read_to_string(self.path("ended")).unwrap();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    fn jobs(&self) -> Vec<JobRow> {
        let sql = "SELECT id, job_type, status, claim_number, crash_count, dead_letter_reason FROM job_queue";
        self.rows(sql, |row| {
            Ok(JobRow {
                id: row.get(0)?,
                job_type: row.get(1)?,
                status: row.get(2)?,
                claim_number: row.get(3)?,
                crash_count: row.get(4)?,
                reason: row.get(5)?,
            })
        })
    }

    fn taken_away(&self) -> Vec<TakenAway> {
        let sql = "SELECT job_id, claim_number, worker_id, outcome, failure_type FROM job_attempts \
                   WHERE outcome IN ('crashed', 'returned', 'dead_letter')";
        self.rows(sql, |row| {
            Ok(TakenAway {
                job_id: row.get(0)?,
                claim_number: row.get(1)?,
                worker_id: row.get(2)?,
                outcome: row.get(3)?,
                failure_type: row.get(4)?,
            })
        })
    }

    fn wrong_counts(&self) -> i64 {
        let sql = "SELECT count(*) FROM (SELECT queue, status, jobs FROM job_depths WHERE jobs <> 0 \
                   EXCEPT SELECT queue, status, count(*) FROM job_queue GROUP BY queue, status)";
        self.rows(sql, |row| row.get(0))[0]
    }

    fn can_the_dead_lapse(&self) -> bool {
        false
    }

    fn depths(&self) -> String {
        let sql = "SELECT status, count(*) FROM job_queue GROUP BY status";
        format!("{:?}", self.rows(sql, |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))))
    }
}
