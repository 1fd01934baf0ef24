//! Real processes, killed for real: producers and workers die by SIGKILL at random for the whole run, and at the end
//! every job whose id was acknowledged has run and ended.
//!
//! `LONGSHORE_CRASH_SECONDS` makes the run longer, `LONGSHORE_SEED` repeats its choices.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by unwrap and tells its figures")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

const WORKERS: usize = 3;
const PRODUCERS: u64 = 2;
/// The longest that anything here may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// A job's id is written to `ended` when its work is done, in one write, so that lines never mix.
const CONFIG: &str = r#"
[jobs.note]
run = ["sh", "-c", "sleep 0.05; echo $LONGSHORE_JOB_ID >> ended"]
max_retries = 3
max_crashes = 1000
"#;

#[test]
fn every_acknowledged_job_runs_and_ends_though_processes_are_killed_at_random() {
    let harbour = Harbour::new();
    let seed = number_from("LONGSHORE_SEED").unwrap_or(68);
    let seconds = number_from("LONGSHORE_CRASH_SECONDS").unwrap_or(12);
    println!("seed {seed}, {seconds} seconds");

    let acknowledged = Mutex::new(BTreeSet::new());
    let stop = AtomicBool::new(false);
    let claim_times = std::thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let (harbour, acknowledged, stop) = (&harbour, &acknowledged, &stop);
            scope.spawn(move || produce(harbour, acknowledged, stop, seed + producer));
        }
        let times = kill_workers(&harbour, Duration::from_secs(seconds), seed);
        stop.store(true, Ordering::SeqCst);
        times
    });
    harbour.drain();

    let acknowledged = acknowledged.into_inner().unwrap();
    println!("{} jobs were acknowledged", acknowledged.len());
    report(claim_times);
    assert!(acknowledged.len() > 20, "too few jobs to mean anything");
    let ended = harbour.ended();
    for id in &acknowledged {
        assert_eq!(harbour.status(*id), "completed", "job {id}");
        assert!(ended.contains(id), "job {id} is completed and never ran to its end");
    }
    harbour.assert_sound();
}

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Enqueues one job after another, each by a process of its own; every fourth of them is killed at a random moment.
fn produce(harbour: &Harbour, acknowledged: &Mutex<BTreeSet<i64>>, stop: &AtomicBool, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    while !stop.load(Ordering::SeqCst) {
        let mut child = harbour.command(&["enqueue", "note", "{}"]).stdout(Stdio::piped()).spawn().unwrap();
        if random.u8(0..4) == 0 {
            std::thread::sleep(Duration::from_micros(random.u64(0..12_000)));
            child.kill().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        if let Ok(id) = printed.trim().parse() {
            acknowledged.lock().unwrap().insert(id);
        }
    }
}

/// Keeps some workers alive and kills a random one again and again. Returns how long each time it took until the jobs
/// of the killed worker could be claimed by others.
fn kill_workers(harbour: &Harbour, span: Duration, seed: u64) -> Vec<Duration> {
    let mut random = fastrand::Rng::with_seed(seed ^ 0xdead);
    let mut workers: Vec<Child> = (0..WORKERS).map(|_| harbour.worker()).collect();
    let begin = Instant::now();
    let mut times = Vec::new();
    while begin.elapsed() < span {
        std::thread::sleep(Duration::from_millis(random.u64(200..900)));
        let victim = random.usize(0..WORKERS);
        workers[victim].kill().unwrap();
        let killed = Instant::now();
        workers[victim].wait().unwrap();
        let orphans = harbour.running_of(workers[victim].id());
        if !orphans.is_empty() {
            times.push(harbour.wait_until_taken_over(&orphans, killed));
        }
        workers[victim] = harbour.worker();
    }
    for worker in &mut workers {
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
    times
}

fn report(mut times: Vec<Duration>) {
    times.sort();
    if let (Some(median), Some(longest)) = (times.get(times.len() / 2), times.last()) {
        println!("{} deaths; from death to the takeover: median {median:?}, longest {longest:?}", times.len());
    }
}

/// A folder with a configuration and a database, and the processes that use it.
struct Harbour {
    folder: tempfile::TempDir,
}

impl Harbour {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("longshore.toml"), CONFIG).unwrap();
        let harbour = Self { folder };
        assert!(harbour.command(&["migrate", "up"]).stdout(Stdio::null()).status().unwrap().success());
        harbour
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
        command.args(words).current_dir(self.folder.path()).stdin(Stdio::null()).stderr(Stdio::null());
        for name in ["LONGSHORE_DATABASE", "LONGSHORE_CONFIG", "DATABASE_URL"] {
            command.env_remove(name);
        }
        command
    }

    fn worker(&self) -> Child {
        self.command(&["work", "--concurrency", "4"]).stdout(Stdio::null()).spawn().unwrap()
    }

    fn drain(&self) {
        let mut worker = self.command(&["work", "--concurrency", "16", "--drain"]).spawn().unwrap();
        let begin = Instant::now();
        loop {
            if let Some(status) = worker.try_wait().unwrap() {
                assert!(status.success(), "the last worker ended with {status}");
                return;
            }
            if begin.elapsed() > PATIENCE {
                worker.kill().unwrap();
                worker.wait().unwrap();
                panic!("jobs are left that never end: {:?}", self.depths());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn database(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(self.path("longshore.db"), flags).unwrap();
        database.busy_timeout(PATIENCE).unwrap();
        database
    }

    /// The jobs that a process holds, with their claims.
    fn running_of(&self, pid: u32) -> Vec<(i64, i64)> {
        let database = self.database();
        let mut select = database
            .prepare(
                "SELECT id, claim_number FROM job_queue \
                 WHERE status = 'running' AND worker_id IN (SELECT worker_id FROM job_workers WHERE pid = ?1)",
            )
            .unwrap();
        select.query_map([pid], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    }

    fn wait_until_taken_over(&self, orphans: &[(i64, i64)], killed: Instant) -> Duration {
        let database = self.database();
        let mut select =
            database.prepare("SELECT status = 'running' AND claim_number = ?2 FROM job_queue WHERE id = ?1").unwrap();
        let mut is_orphan =
            |(id, claim): &(i64, i64)| -> bool { select.query_row([id, claim], |row| row.get(0)).unwrap() };
        while orphans.iter().any(&mut is_orphan) {
            assert!(killed.elapsed() < PATIENCE, "nobody took over the jobs {orphans:?} of a dead worker");
            std::thread::sleep(Duration::from_millis(5));
        }
        killed.elapsed()
    }

    fn status(&self, id: i64) -> String {
        self.database()
            .query_row("SELECT status FROM job_queue WHERE id = ?1", [id], |row| row.get(0))
            .unwrap_or_else(|error| panic!("the acknowledged job {id} is gone: {error}"))
    }

    fn depths(&self) -> Vec<(String, i64)> {
        let database = self.database();
        let mut select = database.prepare("SELECT status, count(*) FROM job_queue GROUP BY status").unwrap();
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    }

    fn ended(&self) -> BTreeSet<i64> {
        let text = std::fs::read_to_string(self.path("ended")).unwrap();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    /// The file is whole, everything has ended, no attempt was recorded after it was taken away, the counts are true.
    fn assert_sound(&self) {
        let database = self.database();
        let count = |sql: &str| -> i64 { database.query_row(sql, [], |row| row.get(0)).unwrap() };
        let verdict: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
        assert_eq!(count("SELECT count(*) FROM job_queue WHERE status <> 'completed'"), 0);
        // An attempt that was taken away is in the history; had its worker recorded an outcome after all, the job
        // would have ended under that very claim.
        assert_eq!(
            count(
                "SELECT count(*) FROM job_queue j JOIN job_attempts a ON a.job_id = j.id \
                 WHERE a.outcome IN ('crashed', 'returned') AND a.claim_number >= j.claim_number"
            ),
            0,
            "a fenced worker recorded an outcome"
        );
        assert_eq!(
            count(
                "SELECT count(*) FROM (SELECT queue, status, jobs FROM job_depths WHERE jobs <> 0 \
                 EXCEPT SELECT queue, status, count(*) FROM job_queue GROUP BY queue, status)"
            ),
            0,
            "the counts are not those of the jobs"
        );
    }
}
