use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use fastrand::Rng;

use super::servers::Servers;
use super::worker_program::WORKER;
use crate::crashed_queue::{CrashedQueue, JobRow, TakenAway};
use crate::crew::{LogReader, WorkerProcess};

/// As on SQLite. A mark of a command does not know its claim.
const CONFIG: &str = r#"
[worker]
lease = "2s"

[jobs.note]
run = ["sh", "-c", "sleep 0.05; echo $LONGSHORE_JOB_ID 0 >> marks"]
max_retries = 1000
max_crashes = 1000

[jobs.poison]
run = ["sh", "-c", "sleep 0.3; kill -9 $(awk '{print $4}' /proc/$PPID/stat); sleep 5"]
max_retries = 1000
max_crashes = 3
"#;

/// A table of the application, to which handlers write in the transaction that completes their job. Nothing but the
/// fence keeps it from having two rows of a job.
const EFFECT: &str = "CREATE TABLE public.effect (job_id bigint NOT NULL, claim_number bigint NOT NULL);
    ALTER TABLE public.effect OWNER TO app";

/// A folder with a configuration, and a database on two servers.
pub(crate) struct PostgresQueue {
    folder: tempfile::TempDir,
    pub(crate) servers: Servers,
    logs: AtomicU32,
}

impl PostgresQueue {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("longshore.toml"), CONFIG).unwrap();
        std::fs::create_dir(folder.path().join("logs")).unwrap();
        let queue = Self { folder, servers: Servers::start(), logs: AtomicU32::new(0) };
        assert!(queue.command(&["migrate", "up"]).stdout(Stdio::null()).status().unwrap().success());
        queue.servers.observer.rows(EFFECT);
        queue
    }

    /// Each mark: a job that ran to its end, and its claim, or 0.
    pub(crate) fn claim_marks(&self) -> BTreeMap<i64, BTreeSet<i64>> {
        let mut marks = BTreeMap::<i64, BTreeSet<i64>>::new();
        for line in std::fs::read_to_string(self.folder.path().join("marks")).unwrap().lines() {
            let (id, claim) = line.split_once(' ').unwrap();
            marks.entry(id.parse().unwrap()).or_default().insert(claim.parse().unwrap());
        }
        marks
    }

    /// What every worker wrote, with the name of its file.
    pub(crate) fn worker_logs(&self) -> Vec<(PathBuf, String)> {
        let files = std::fs::read_dir(self.folder.path().join("logs")).unwrap().map(|entry| entry.unwrap().path());
        files.map(|path| (path.clone(), String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned())).collect()
    }

    fn new_log(&self) -> PathBuf {
        self.folder.path().join("logs").join(self.logs.fetch_add(1, Ordering::SeqCst).to_string())
    }

    /// A worker of the library, in this test's program.
    fn library_worker(&self, url: &str, until: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([WORKER, url]).arg(self.folder.path().join("marks")).arg(until);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl CrashedQueue for PostgresQueue {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
        command.args(words).current_dir(self.folder.path()).stdin(Stdio::null()).stderr(Stdio::null());
        for name in ["LONGSHORE_CONFIG", "DATABASE_URL"] {
            command.env_remove(name);
        }
        command.env("LONGSHORE_DATABASE", self.servers.url());
        command
    }

    /// The first one runs commands; of the others one keeps nothing in its sessions, as behind a pooler.
    fn worker(&self, place: usize, _random: &mut Rng) -> WorkerProcess {
        let url = self.servers.url();
        let command = match place {
            0 => self.command(&["-v", "work", "--concurrency", "4"]),
            1 => self.library_worker(&format!("{url}&longshore_pooled=true"), "killed"),
            _ => self.library_worker(&url, "killed"),
        };
        WorkerProcess::spawn(command, LogReader::File(self.new_log()))
    }

    fn drains(&self) -> Vec<Command> {
        let commands = self.command(&["work", "--concurrency", "16", "--drain"]);
        vec![commands, self.library_worker(&self.servers.url(), "drained")]
    }

    fn workers(&self) -> Vec<(String, u32)> {
        let sql = "SELECT n.worker_id, w.pid FROM longshore.worker w JOIN longshore.worker_name n USING (worker)";
        let rows = self.servers.observer.try_rows(sql).unwrap_or_default();
        rows.into_iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect()
    }

    fn running_of(&self, pid: u32) -> Vec<(i64, i64)> {
        let sql = format!(
            "SELECT r.id, r.claim_number FROM longshore.running r JOIN longshore.worker w USING (worker) WHERE w.pid = {pid}"
        );
        let rows = self.servers.observer.try_rows(&sql).unwrap_or_default();
        rows.iter().map(|row| (row[0].parse().unwrap(), row[1].parse().unwrap())).collect()
    }

    fn is_any_held(&self, claims: &[(i64, i64)]) -> bool {
        let claims: Vec<String> = claims.iter().map(|(id, claim)| format!("({id}, {claim})")).collect();
        let sql = format!("SELECT 1 FROM longshore.running WHERE (id, claim_number) IN ({})", claims.join(", "));
        self.servers.observer.try_rows(&sql).is_none_or(|rows| !rows.is_empty())
    }

    fn marks(&self) -> BTreeSet<i64> {
        self.claim_marks().into_keys().collect()
    }

    fn jobs(&self) -> Vec<JobRow> {
        let sql = "SELECT id, job_type, status, claim_number, crash_count, dead_letter_reason FROM longshore.job_queue";
        let rows = self.servers.observer.rows(sql);
        let job = |row: Vec<String>| JobRow {
            id: row[0].parse().unwrap(),
            job_type: row[1].clone(),
            status: row[2].clone(),
            claim_number: row[3].parse().unwrap(),
            crash_count: row[4].parse().unwrap(),
            reason: Some(row[5].clone()).filter(|reason| !reason.is_empty()),
        };
        rows.into_iter().map(job).collect()
    }

    fn taken_away(&self) -> Vec<TakenAway> {
        let sql = "SELECT a.id, a.claim_number, n.worker_id, a.outcome, a.failure_type
            FROM longshore.attempt a JOIN longshore.job j USING (id) LEFT JOIN longshore.worker_name n USING (worker)
            WHERE a.outcome IN ('crashed', 'returned') OR a.outcome = 'dead_letter' AND j.job_type = 'poison'";
        let attempt = |row: Vec<String>| TakenAway {
            job_id: row[0].parse().unwrap(),
            claim_number: row[1].parse().unwrap(),
            worker_id: row[2].clone(),
            outcome: row[3].clone(),
            failure_type: Some(row[4].clone()).filter(|kind| !kind.is_empty()),
        };
        self.servers.observer.rows(sql).into_iter().map(attempt).collect()
    }

    fn wrong_counts(&self) -> i64 {
        let states = ["pending", "running", "retrying", "blocked", "completed", "cancelled", "dead_letter"];
        let counted = |state: &str| {
            format!(
                "SELECT queue, '{state}' AS status, sum({state}) AS jobs FROM (SELECT queue, {state} FROM longshore.depth
                 UNION ALL SELECT queue, {state} FROM longshore.change) c GROUP BY queue HAVING sum({state}) <> 0"
            )
        };
        let counted = states.map(counted).join(" UNION ALL ");
        let real = "SELECT queue, status, count(*)::numeric AS jobs FROM longshore.job_queue GROUP BY queue, status";
        let sql = format!(
            "WITH counted AS ({counted}), real AS ({real}) SELECT count(*) FROM
             ((TABLE counted EXCEPT TABLE real) UNION ALL (TABLE real EXCEPT TABLE counted)) wrong"
        );
        self.servers.observer.number(&sql)
    }

    /// Of one whose session was lost before it died, and of one behind a pooler.
    fn can_the_dead_lapse(&self) -> bool {
        true
    }

    fn depths(&self) -> String {
        format!("{:?}", self.servers.observer.rows("SELECT status, count(*) FROM longshore.job_queue GROUP BY status"))
    }
}
