//! The same commands on PostgreSQL: the same exit codes, and JSON of the same shape as on SQLite.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use longshore_testkit_postgres::{Cluster, PgBouncer, StatementCounter, TestDatabase};
use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox};

const CONFIGURATION: &str = r#"
[jobs.mail]
run = ["sh", "-c", "echo sent"]
[jobs.broken]
run = ["sh", "-c", "echo no >&2; exit 65"]
max_retries = 0
[jobs.asks]
run = ["sh", "-c", "printenv LONGSHORE_DATABASE"]
"#;

/// The program in a folder of its own, on some database.
struct Site {
    sandbox: Sandbox,
    url: String,
    database: Option<TestDatabase>,
}

impl Site {
    fn on(url: String, database: Option<TestDatabase>) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("longshore.toml", CONFIGURATION);
        sandbox.write("batch.ndjson", "{\"job_type\": \"mail\"}\n{\"job_type\": \"mail\", \"priority\": 9}\n");
        Self { sandbox, url, database }
    }

    fn on_sqlite() -> Self {
        Self::on("sqlite:jobs.db".to_owned(), None)
    }

    fn on_postgres() -> Self {
        let database = Cluster::shared().database();
        Self::on(database.url(), Some(database))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(arguments);
        command.env("LONGSHORE_DATABASE", &self.url);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(ran.exit, 0, "{arguments:?}: {ran:?}");
        ran.document()
    }
}

/// Names and kinds of values, without the values; of a list the first entry.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => json!("null"),
        Value::Bool(_) => json!("bool"),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("string"),
        Value::Array(values) => values.iter().take(1).map(shape).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
    }
}

#[cfg(target_os = "linux")]
#[test]
fn programs_that_stay_and_http_targets_work_too() {
    use crate::worker::{programs, push_jobs};
    let target = push_jobs::Target::start(|_| push_jobs::ok("42"));
    let site = Site::on_postgres();
    let push = format!("[jobs.receipt]\npost = \"{}\"\nallow_private = true\n", target.url());
    site.sandbox.write("longshore.toml", format!("{}{push}", programs::DECLARED));
    site.sandbox.write("worker.py", programs::PROGRAM);
    for job_type in ["resize", "receipt", "resize"] {
        site.json(&["enqueue", job_type, "{}"]);
    }
    site.json(&["work", "--drain", "-q", "--concurrency", "1"]);
    let jobs = site.json(&["jobs", "list"]);
    let results: Vec<&Value> = jobs["jobs"].as_array().unwrap().iter().map(|job| &job["result"]).collect();
    assert_eq!((results.len(), results[1]), (3, &json!(42)), "{jobs}");
    assert!(results[0].is_number() && results[0] == results[2], "{jobs}");
    assert_eq!(target.requests().len(), 1);
}

#[test]
fn the_life_of_a_job_is_the_same_as_on_sqlite() {
    let (sqlite, postgres) = (Site::on_sqlite(), Site::on_postgres());
    let commands: [(i32, &[&str]); 33] = [
        (3, &["migrate", "status", "--check"]),
        (0, &["migrate", "up"]),
        (0, &["migrate", "status", "--check"]),
        (0, &["migrate", "verify"]),
        (0, &["enqueue", "mail", "{\"to\": \"a@b\"}", "--priority", "high", "--unique-key", "k"]),
        (0, &["enqueue", "--batch", "batch.ndjson"]),
        (0, &["enqueue", "broken"]),
        (0, &["enqueue", "mail", "--delay", "1h"]),
        (0, &["jobs", "list", "--status", "pending"]),
        (0, &["status"]),
        (0, &["queues", "pause", "default"]),
        (0, &["queues", "list"]),
        (0, &["queues", "resume", "default"]),
        (0, &["jobs", "cancel", "5"]),
        (0, &["work", "--drain"]),
        (0, &["jobs", "show", "1"]),
        (0, &["jobs", "logs", "1"]),
        (0, &["jobs", "wait", "1"]),
        (3, &["jobs", "wait", "4"]),
        (0, &["jobs", "list"]),
        (0, &["jobs", "list", "--status", "completed", "--limit", "2"]),
        (0, &["dead", "list"]),
        (0, &["dead", "show", "4"]),
        (0, &["dead", "retry", "4"]),
        (0, &["jobs", "priority", "4", "20"]),
        (0, &["jobs", "cancel", "4"]),
        (0, &["jobs", "retry", "4"]),
        (0, &["work", "--drain"]),
        (0, &["dead", "discard", "4"]),
        (1, &["jobs", "show", "99"]),
        (0, &["jobs", "delete", "--all", "--status", "completed", "--yes"]),
        (0, &["workers"]),
        (0, &["status"]),
    ];
    for (exit, command) in commands {
        let run = |site: &Site| {
            let ran = site.run(&[command, &["--json"]].concat());
            assert!(!ran.stderr.contains("panicked"), "{command:?}: {ran:?}");
            (ran.exit, if ran.stdout.is_empty() { Value::Null } else { shape(&ran.document()) })
        };
        let (expected, found) = (run(&sqlite), run(&postgres));
        assert_eq!(expected.0, exit, "{command:?} on SQLite");
        assert_eq!(found, expected, "{command:?}");
    }
}

#[test]
fn schedules_are_the_same_as_on_sqlite() {
    let (sqlite, postgres) = (Site::on_sqlite(), Site::on_postgres());
    let past = ["--from", "2025-03-28T00:00:00Z", "--to", "2025-04-02T00:00:00Z"];
    let backfill = [&["schedules", "backfill", "nightly"], &past[..]].concat();
    let nightly = ["schedules", "add", "nightly", "--cron", "30 2 * * mon-fri", "--type", "mail", "--time-zone"];
    let commands: [(i32, &[&str]); 21] = [
        (0, &[&nightly[..], &["Europe/Berlin"]].concat()),
        (0, &[&nightly[..], &["Europe/Berlin"]].concat()),
        (2, &[&nightly[..], &["Europe/Berln"]].concat()),
        (0, &["schedules", "list"]),
        (0, &["schedules", "show", "nightly"]),
        (0, &["schedules", "next"]),
        (0, &["schedules", "run", "nightly"]),
        (0, &backfill),
        (0, &backfill),
        (0, &["schedules", "ticks", "nightly"]),
        (0, &["schedules", "ticks", "nightly", "--outcome", "missed"]),
        (0, &["schedules", "pause", "nightly", "--reason", "closed"]),
        (3, &["doctor"]),
        (0, &["schedules", "resume", "nightly"]),
        (0, &["schedules", "check"]),
        (0, &["work", "--drain"]),
        (0, &["jobs", "list"]),
        (0, &["schedules", "apply", "--prune", "--dry-run"]),
        (0, &["schedules", "remove", "nightly"]),
        (1, &["schedules", "show", "nightly"]),
        (0, &["schedules", "ticks", "nightly"]),
    ];
    for (exit, command) in commands {
        let run = |site: &Site| {
            let ran = site.run(&[command, &["--json"]].concat());
            assert!(!ran.stderr.contains("panicked"), "{command:?}: {ran:?}");
            (ran.exit, shape(&ran.document()))
        };
        let (expected, found) = (run(&sqlite), run(&postgres));
        assert_eq!(expected.0, exit, "{command:?} on SQLite: {}", expected.1);
        assert_eq!(found, expected, "{command:?}");
    }
}

#[test]
fn schedulers_that_are_killed_leave_each_tick_with_its_one_job() {
    let site = Site::on_postgres();
    let beat = "every = \"1s\"\njob = \"mail\"\noverlap = \"allow\"\nmissed = \"all\"\n";
    let schedules: String = (0..10).map(|number| format!("[schedules.beat{number}]\n{beat}")).collect();
    site.sandbox.write("longshore.toml", CONFIGURATION.to_owned() + &schedules);
    assert_eq!(site.run(&["migrate", "up"]).exit, 0);
    site.json(&["schedules", "apply"]);
    let start = || Stopped(site.command(&["work", "-q"]).spawn().unwrap());
    let mut workers = [start(), start()];
    for round in 0..6 {
        std::thread::sleep(Duration::from_millis(700 + 100 * round));
        workers[usize::try_from(round).unwrap() % 2] = start();
    }
    drop(workers);
    let list = site.json(&["jobs", "list", "--limit", "1000"]);
    let mut jobs: Vec<(i64, String, String)> = list["jobs"].as_array().unwrap().iter().map(of_job).collect();
    let mut of_ticks = Vec::new();
    for number in 0..10 {
        let name = format!("beat{number}");
        let page = site.json(&["schedules", "ticks", &name, "--limit", "1000"]);
        let ticks = page["ticks"].as_array().unwrap();
        assert!(ticks.len() >= 3, "{page}");
        for tick in ticks {
            of_ticks.push((
                tick["job_id"].as_i64().unwrap(),
                name.clone(),
                tick["due_at"].as_str().unwrap().to_owned(),
            ));
        }
    }
    jobs.sort();
    of_ticks.sort();
    assert_eq!(jobs, of_ticks);
}

/// Its id, and which tick of which schedule it is of.
fn of_job(job: &Value) -> (i64, String, String) {
    let text = |name: &str| job["metadata"][name].as_str().unwrap().to_owned();
    (job["id"].as_i64().unwrap(), text("schedule"), text("due_at"))
}

#[test]
fn doctor_and_top_level_commands_find_nothing_wrong_with_a_new_queue() {
    let site = Site::on_postgres();
    let looked = site.run(&["jobs", "list"]);
    assert_eq!(looked.exit, 5, "what only looks makes no tables");
    assert!(looked.stderr.contains("longshore migrate up"), "{looked:?}");
    let first = site.run(&["enqueue", "mail"]);
    assert_eq!((first.exit, first.stdout.as_str()), (0, "1\n"), "{first:?}");
    assert!(first.stderr.contains("created the queue's tables in postgres://127.0.0.1"), "{first:?}");
    assert_eq!(site.run(&["work", "--drain"]).exit, 0);
    let diagnosis = site.json(&["doctor"]);
    assert_eq!(diagnosis["ok"], true, "{diagnosis}");
    assert_eq!(site.json(&["migrate", "verify"])["ok"], true);
    assert!(site.json(&["status"])["database"].as_str().unwrap().starts_with("postgres://127.0.0.1"));
}

#[test]
fn bench_measures_the_server_that_the_flag_names_and_leaves_nothing_there() {
    let site = Site::on_postgres();
    let few = ["bench", "--jobs", "400", "--backlog", "1000", "--rounds", "1", "--held-snapshot", "1s"];
    let report = site.json(&[&few[..], &["--database", &site.url]].concat());
    assert_eq!(report["engine"], "postgres", "{report}");
    let rates = [
        ("raw", "insert_8"),
        ("raw", "copy"),
        ("raw", "finish_500_by_4"),
        ("raw", "finish_1000"),
        ("longshore", "enqueue_1"),
        ("longshore", "enqueue_64"),
        ("longshore", "bulk"),
        ("longshore", "drain_store"),
        ("longshore", "drain"),
        ("longshore", "drain_waiting_2m"),
        ("longshore", "drain_ended_2m"),
        ("longshore", "drain_limited"),
        ("longshore", "drain_blocked_1m"),
        ("longshore", "drain_batch"),
        ("longshore", "drain_held_snapshot"),
    ];
    for (part, name) in rates {
        assert!(report[part][name].as_u64().is_some_and(|rate| rate > 0), "{part}.{name} in {report}");
    }
    for name in ["latency_same_process_ms", "latency_other_process_ms", "raw_commit_ms"] {
        assert!(report["longshore"][name]["p99"].as_f64().is_some_and(|time| time > 0.0), "{name} in {report}");
    }
    assert!(report["longshore"]["idle_cpu_percent"].is_number(), "worker and server are here: {report}");
    assert!(report["ratios"]["bulk_of_copy"].is_number(), "{report}");
    let database = site.database.as_ref().unwrap();
    let left = database.sql("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'longshore%'");
    assert_eq!(left, Vec::<Vec<Option<String>>>::new());
}

/// The busiest moments of a worker that has just begun are over.
const SETTLED: Duration = Duration::from_secs(2);

#[test]
fn idle_workers_run_no_statement_more_often_than_once_a_second() {
    let mut site = Site::on_postgres();
    site.json(&["migrate", "up"]);
    let database = site.database.take().unwrap();
    let counters = [0; 2].map(|_| StatementCounter::before(Cluster::shared().port()));
    let workers: Vec<_> = counters
        .iter()
        .map(|counter| {
            site.url = database.url_through(counter.port());
            Stopped(site.command(&["work", "--quiet"]).spawn().unwrap())
        })
        .collect();
    let registered = || database.sql("SELECT 1 FROM longshore.worker").len();
    let begun = Instant::now();
    while registered() < workers.len() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the workers do not begin");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(SETTLED);
    counters.iter().for_each(|counter| drop(counter.take()));
    let begun = Instant::now();
    std::thread::sleep(Duration::from_secs(5));
    for counter in &counters {
        let counts = counter.take();
        let at_most = usize::try_from(begun.elapsed().as_secs()).unwrap() + 2;
        assert!(!counts.is_empty(), "a worker asks once a second");
        for (statement, count) in counts {
            assert!(count <= at_most, "{count} times in 5 seconds: {statement}");
        }
    }
}

/// A process that is killed when the test ends.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_job_s_program_gets_the_url_with_everything_that_it_needs() {
    let site = Site::on_postgres();
    site.json(&["enqueue", "asks"]);
    assert_eq!(site.run(&["work", "--drain"]).exit, 0);
    let log = site.run(&["jobs", "logs", "1"]).stdout;
    assert!(log.contains(&site.url), "{log}");
}

#[test]
fn every_command_works_behind_a_pooler_of_transactions_and_in_a_schema_with_another_name() {
    let cluster = Cluster::shared();
    let (pool, database) = (PgBouncer::before(&cluster), cluster.database());
    let url = format!("{}?longshore_schema=jobs", database.url_through(pool.port()));
    let site = Site::on(url, Some(database));
    assert_eq!(site.run(&["migrate", "up"]).exit, 0);
    assert_eq!(site.json(&["migrate", "verify"])["ok"], true);
    site.json(&["enqueue", "mail"]);
    site.json(&["enqueue", "broken"]);
    assert_eq!(site.run(&["work", "--drain"]).exit, 0);
    assert_eq!(site.json(&["jobs", "show", "1"])["status"], "completed");
    assert_eq!(site.json(&["dead", "list"])["jobs"][0]["id"], 2);
}
