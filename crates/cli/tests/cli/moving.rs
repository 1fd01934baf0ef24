//! `longshore move` between real databases, with real workers and producers, and killed at any moment.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use longshore_testkit_postgres::{Cluster, TestDatabase};
use rusqlite::Connection;
use serde_json::Value;

use crate::sandbox::{Ran, Sandbox};

const CONFIGURATION: &str = r#"
[jobs.mail]
run = ["sh", "-c", "echo sent; echo '{\"longshore\": {\"progress\": 0.5, \"message\": \"half\"}}'; echo '{\"longshore\": {\"result\": [1.0]}}'"]
[jobs.broken]
run = ["sh", "-c", "echo no >&2; exit 65"]
[jobs.flaky]
run = ["sh", "-c", "exit 69"]
[jobs.note]
run = ["sh", "-c", "echo $LONGSHORE_JOB_ID >> ran"]
[jobs.slow]
run = ["sh", "-c", "echo $LONGSHORE_JOB_ID >> begun; sleep 120"]
"#;

/// A folder with a SQLite file, and a database on a server without tables.
struct Site {
    sandbox: Sandbox,
    server: TestDatabase,
}

const FILE: &str = "sqlite:jobs.db";

impl Site {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("longshore.toml", CONFIGURATION);
        Self { sandbox, server: Cluster::shared().database() }
    }

    fn server(&self) -> String {
        self.server.url()
    }

    fn command(&self, database: &str, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(arguments);
        command.env("LONGSHORE_DATABASE", database);
        command
    }

    fn run(&self, database: &str, arguments: &[&str]) -> Ran {
        Ran::of(self.command(database, arguments).output().unwrap())
    }

    fn json(&self, database: &str, arguments: &[&str]) -> Value {
        let ran = self.run(database, &[arguments, &["--json"]].concat());
        assert_eq!(ran.exit, 0, "{arguments:?}: {ran:?}");
        ran.document()
    }

    fn moves(&self, from: &str, to: &str, more: &[&str]) -> Ran {
        self.sandbox.run(&[&["move", "--from", from, "--to", to, "--json"], more].concat())
    }

    fn moved(&self, from: &str, to: &str, more: &[&str]) -> Value {
        let ran = self.moves(from, to, more);
        assert_eq!(ran.exit, 0, "{ran:?}");
        ran.document()
    }

    /// Every job as `jobs show` tells it, with its log.
    fn jobs(&self, database: &str) -> BTreeMap<u64, (Value, Value)> {
        let listed = self.json(database, &["jobs", "list", "--limit", "1000"]);
        let ids = listed["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_u64().unwrap());
        let tell = |id: u64| {
            let word = id.to_string();
            (id, (self.json(database, &["jobs", "show", &word]), self.json(database, &["jobs", "logs", &word])))
        };
        ids.map(tell).collect()
    }

    fn statuses(&self, database: &str) -> BTreeMap<String, u64> {
        let status = self.json(database, &["status"]);
        let jobs = status["jobs"].as_object().unwrap().iter();
        jobs.map(|(status, jobs)| (status.clone(), jobs.as_u64().unwrap())).filter(|(_, jobs)| *jobs > 0).collect()
    }

    /// Jobs in every state but running.
    fn fill(&self, database: &str) {
        let run = |arguments: &[&str]| {
            let ran = self.run(database, arguments);
            assert_eq!(ran.exit, 0, "{arguments:?}: {ran:?}");
            ran
        };
        run(&["enqueue", "mail", "{\"a\":1,\"a\":2}", "--unique-key", "ended"]);
        run(&["enqueue", "broken", "\"\\u0000\""]);
        run(&["enqueue", "flaky", "123456789012345678901234567890", "--max-retries", "3"]);
        let worked = self.command(database, &["work"]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        self.sandbox.until(|| self.statuses(database).keys().eq(["completed", "dead_letter", "retrying"]));
        stop(worked);
        run(&["enqueue", "mail", "[ 1.50 ]", "--unique-key", "waits", "--priority", "high"]);
        run(&["enqueue", "mail", "--parent", "4", "--timeout", "9s"]);
        run(&["enqueue", "mail", "--delay", "1h"]);
        run(&["enqueue", "mail", "--delay", "2h"]);
        run(&["jobs", "cancel", "7"]);
        run(&["queues", "pause", "held"]);
    }
}

fn stop(mut worker: Child) {
    let pid = rustix::process::Pid::from_child(&worker);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    worker.wait().unwrap();
}

#[test]
fn a_queue_moves_to_a_server_and_back_with_every_job() {
    let site = Site::new();
    let server = site.server();
    site.fill(FILE);
    let before = site.jobs(FILE);
    assert_eq!(before.len(), 7);
    let plan = site.moved(FILE, &server, &["--dry-run", "--ended"]);
    assert_eq!((plan["next"].as_str(), plan["moves"]["pending"].as_u64()), (Some("reserve"), Some(2)), "{plan}");
    assert_eq!(site.run(&server, &["jobs", "list"]).exit, 5, "a plan makes no tables");

    let report = site.moved(FILE, &server, &["--ended"]);
    assert_eq!(report["moved"].as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>(), 7, "{report}");
    assert_eq!(report["checksum"].as_str().map(str::len), Some(64), "{report}");
    assert_eq!(site.jobs(&server), before);
    assert_eq!(site.json(&server, &["migrate", "verify"])["ok"], true);
    let paused = site.json(&server, &["queues", "list"]);
    let held = paused["queues"].as_array().unwrap().iter().find(|queue| queue["queue"] == "held").unwrap();
    assert!(held["paused_at"].is_string(), "{paused}");

    // The old place says where the queue is, to everybody.
    let shown = server.rsplit_once('@').map_or(server.as_str(), |(_, place)| place);
    for command in [&["enqueue", "mail"][..], &["work", "--drain"], &["jobs", "cancel", "4"], &["queues", "pause", "a"]]
    {
        let ran = site.run(FILE, &[command, &["--json"]].concat());
        assert_eq!((ran.exit, ran.code().as_str()), (1, "queue_moved"), "{command:?}: {ran:?}");
        assert!(ran.stdout.contains(shown.split('?').next().unwrap()), "{ran:?}");
    }
    let plain = Connection::open(site.sandbox.path("jobs.db")).unwrap();
    let refused = plain.execute("INSERT INTO job_queue (job_type) VALUES ('mail')", []).unwrap_err().to_string();
    assert!(refused.contains("this queue moved to postgres://"), "{refused}");
    drop(plain);
    let diagnosis = site.run(FILE, &["doctor"]);
    assert_eq!(diagnosis.exit, 3, "{diagnosis:?}");
    assert!(diagnosis.stdout.contains("this queue moved to postgres://"), "{diagnosis:?}");
    assert!(site.run(FILE, &["status"]).stdout.contains("this queue moved to postgres://"));
    assert_eq!(site.json(FILE, &["migrate", "verify"])["ok"], true, "a fence is no difference");
    assert_eq!(site.jobs(FILE), before, "what is left can be read");

    // It goes on where it is: the key is taken, ids continue, the child runs behind its parent.
    assert_eq!(site.run(&server, &["enqueue", "mail", "--unique-key", "waits"]).stdout, "4\n");
    let new = |database: &str| site.run(database, &["enqueue", "mail"]).stdout.trim().parse::<u64>().unwrap();
    // A sequence may leave gaps.
    let first = new(&server);
    assert!(first > 7, "{first} was given before");
    let worked = site.command(&server, &["work"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    site.sandbox.until(|| site.statuses(&server).get("completed") == Some(&4));
    stop(worked);
    let there = site.jobs(&server);

    let report = site.moved(&server, FILE, &["--ended"]);
    assert_eq!(report["stayed"], 0, "{report}");
    assert_eq!(site.jobs(FILE), there);
    assert!(new(FILE) > first);
    let ran = site.run(&server, &["enqueue", "mail", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (1, "queue_moved"), "{ran:?}");
    let refused = site.server.try_sql("INSERT INTO longshore.job_queue (job_type) VALUES ('mail')").unwrap_err();
    assert!(refused.contains("this queue moved to sqlite:"), "{refused}");
    assert_eq!(site.json(&server, &["migrate", "verify"])["ok"], true);
}

#[test]
fn ended_jobs_stay_unless_they_are_asked_for() {
    let site = Site::new();
    let server = site.server();
    site.fill(FILE);
    let report = site.moved(FILE, &server, &[]);
    assert_eq!((report["stayed"].as_u64(), report["moved"].get("completed")), (Some(2), None), "{report}");
    assert_eq!(site.statuses(&server).get("completed"), None);
    assert_eq!(site.json(FILE, &["jobs", "show", "1"])["status"], "completed");
    site.moved(&server, FILE, &["--ended"]);
    assert_eq!(site.statuses(FILE).get("completed"), Some(&1));
}

#[test]
fn a_move_that_cannot_be_is_refused_and_changes_nothing() {
    let site = Site::new();
    let server = site.server();
    let missing = site.moves(FILE, &server, &[]);
    assert_eq!((missing.exit != 0, missing.code().as_str()), (true, "database_missing"), "{missing:?}");
    site.fill(FILE);
    assert_eq!(site.run(&server, &["enqueue", "mail"]).exit, 0);
    let refused = |from: &str, to: &str, more: &[&str]| {
        let ran = site.moves(from, to, more);
        (ran.exit, ran.code())
    };
    assert_eq!(refused(FILE, &server, &[]), (7, "database_not_empty".to_owned()));
    assert_eq!(refused(FILE, &server, &["--undo"]), (7, "nothing_to_undo".to_owned()));
    assert_eq!(refused(FILE, "sqlite:./jobs.db", &[]), (2, "same_database".to_owned()));
    let alone = site.sandbox.run(&["move", "--from", FILE]);
    assert_eq!(alone.exit, 2, "{alone:?}");
    for database in [FILE, server.as_str()] {
        assert_eq!(site.run(database, &["enqueue", "mail"]).exit, 0);
    }
}

#[test]
fn a_running_job_is_taken_back_after_its_grace_and_runs_in_the_new_database() {
    let site = Site::new();
    let server = site.server();
    assert_eq!(site.run(FILE, &["enqueue", "slow"]).exit, 0);
    let mut worker = site.command(FILE, &["work"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    site.sandbox.until(|| site.sandbox.path("begun").exists());
    let report = site.moved(FILE, &server, &["--grace", "1s"]);
    assert_eq!(report["taken_back"], 1, "{report}");
    let job = site.json(&server, &["jobs", "show", "1"]);
    assert_eq!((job["status"].as_str(), job["retry_count"].as_u64()), (Some("pending"), Some(0)), "{job}");
    assert_eq!(job["crash_count"], 0, "{job}");
    // The worker of the old database has nothing left to do there. Its program may need to be stopped first.
    let begun = Instant::now();
    while worker.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(120), "the worker goes on in a database without a queue");
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut worker = site.command(&server, &["work"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let lines = || std::fs::read_to_string(site.sandbox.path("begun")).unwrap().lines().count();
    site.sandbox.until(|| lines() == 2);
    worker.kill().unwrap();
    worker.wait().unwrap();
}

/// Enqueues `note` in the old database until that refuses, then in the new one; gives the acknowledged ids.
fn produce(site: &Site, server: &str, jobs: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    while acknowledged.len() < jobs {
        let mut places = [FILE, server].into_iter();
        let id = places.find_map(|database| {
            let ran = site.run(database, &["enqueue", "note", "-q"]);
            (ran.exit == 0).then_some(ran.stdout)
        });
        acknowledged.extend(id.map(|id| id.trim().to_owned()));
    }
    acknowledged
}

#[test]
fn what_is_acknowledged_while_the_queue_moves_runs_exactly_once() {
    let site = Site::new();
    let server = site.server();
    let lines = "{\"job_type\": \"note\"}\n".repeat(300);
    site.sandbox.write("batch.ndjson", &lines);
    assert_eq!(site.run(FILE, &["enqueue", "--batch", "batch.ndjson"]).exit, 0);
    let worker = |database: &str| {
        site.command(database, &["work", "--concurrency", "4"])
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut old = worker(FILE);
    let ran = || std::fs::read_to_string(site.sandbox.path("ran")).unwrap_or_default();
    site.sandbox.until(|| ran().lines().count() > 5);
    let acknowledged = std::thread::scope(|scope| {
        let producers: Vec<_> = (0..2).map(|_| scope.spawn(|| produce(&site, &server, 25))).collect();
        let report = site.moved(FILE, &server, &[]);
        assert_eq!(report["taken_back"], 0, "every attempt ends within its grace: {report}");
        producers.into_iter().flat_map(|producer| producer.join().unwrap()).collect::<Vec<_>>()
    });
    // It ends by itself, because its queue has gone.
    let begun = Instant::now();
    while old.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(120), "the worker goes on in a database without a queue");
        std::thread::sleep(Duration::from_millis(50));
    }
    let new = worker(&server);
    site.sandbox.until(|| site.statuses(&server).keys().all(|status| status == "completed"));
    stop(new);
    let mut expected: Vec<u64> = acknowledged.iter().map(|id| id.parse().unwrap()).chain(1..=300).collect();
    let mut found: Vec<u64> = ran().lines().map(|id| id.parse().unwrap()).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
}

/// Whether `doctor` says that the queue is not here, or moves. If so, nothing can be enqueued.
fn is_closed(site: &Site, database: &str) -> bool {
    let diagnosis = site.run(database, &["doctor", "--json"]);
    let findings = diagnosis.document()["findings"].clone();
    let is_closed = findings
        .as_array()
        .is_some_and(|found| found.iter().any(|finding| finding["code"].as_str().unwrap().starts_with("queue_mov")));
    if is_closed {
        let refused = site.run(database, &["enqueue", "held", "--json"]);
        assert!(matches!(refused.code().as_str(), "queue_moving" | "queue_moved"), "{refused:?}");
    }
    is_closed
}

/// At how many moments a move is killed.
const KILLS: u32 = 8;

#[test]
fn a_move_that_is_killed_at_any_moment_is_carried_on_or_undone() {
    let site = Site::new();
    let server = site.server();
    site.sandbox.write("batch.ndjson", "{\"job_type\": \"held\", \"job_data\": [1, 2, 3]}\n".repeat(1000));
    assert_eq!(site.run(FILE, &["enqueue", "--batch", "batch.ndjson"]).exit, 0);
    assert_eq!(site.run(&server, &["migrate", "up"]).exit, 0);
    let (mut here, mut there) = (FILE.to_owned(), server);
    // A whole move there and back says how long one takes on this machine.
    let mut whole = Vec::new();
    for _ in 0..2 {
        let begun = Instant::now();
        assert_eq!(site.moves(&here, &there, &[]).exit, 0);
        whole.push(begun.elapsed());
        std::mem::swap(&mut here, &mut there);
    }
    let (mut killed, mut undone, mut carried_on) = (0, 0, 0);
    for round in 1..=KILLS {
        let mut moving = site.sandbox.command(&["move", "--from", &here, "--to", &there]);
        let mut moving = moving.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole[usize::from(here != FILE)] * round / KILLS);
        moving.kill().unwrap();
        let has_ended = moving.wait().unwrap().success();
        killed += u32::from(!has_ended);
        // The database that the queue came from stays closed until it comes back.
        let has_begun = is_closed(&site, &here) || is_closed(&site, &there);
        let is_undone = has_begun && undone <= carried_on && site.moves(&here, &there, &["--undo"]).exit == 0;
        if is_undone {
            undone += 1;
            assert!(!is_closed(&site, &here), "after {round}");
        } else {
            let again = site.moves(&here, &there, &[]);
            assert_eq!(again.exit, 0, "after {round}: {again:?}");
            assert!(is_closed(&site, &here) && !is_closed(&site, &there), "after {round}");
            std::mem::swap(&mut here, &mut there);
            carried_on += u32::from(has_begun);
        }
        assert_eq!(site.statuses(&here).values().sum::<u64>(), 1000, "after {round} in {here}");
    }
    assert!(killed >= 3 && undone >= 1, "{killed} moves were killed, {undone} undone");
}

/// Batches, what jobs wait for and signals go along, there and back.
#[test]
fn a_workflow_moves_there_and_back_and_ends_as_if_it_had_stayed() {
    let site = Site::new();
    let flow = "{\"batch\": {\"name\": \"x\"}}\n{\"ref\": \"a\", \"job_type\": \"mail\"}\n\
                {\"ref\": \"b\", \"job_type\": \"mail\", \"after\": [\"a\", {\"signal\": \"early\"}]}\n\
                {\"ref\": \"c\", \"job_type\": \"mail\", \"after\": [\"b\", {\"signal\": \"late\"}]}\n\
                {\"ref\": \"done\", \"job_type\": \"mail\", \"after\": [{\"batch\": \"completed\"}]}\n\
                {\"ref\": \"alert\", \"job_type\": \"mail\", \"after\": [{\"batch\": \"failed\"}]}\n";
    site.sandbox.write("flow.ndjson", flow);
    let enqueued = site.json(FILE, &["enqueue", "--batch", "flow.ndjson"]);
    let batch = enqueued["batch_id"].to_string();
    site.json(FILE, &["signal", "early", "--batch", &batch, "[1]"]);
    let shown = |database: &str| site.json(database, &["batches", "show", &batch]);
    let here = shown(FILE);
    site.moved(FILE, &site.server(), &["--ended"]);
    assert_eq!(shown(&site.server()), here);
    site.moved(&site.server(), FILE, &["--ended"]);
    assert_eq!(shown(FILE), here);
    site.moved(FILE, &site.server(), &[]);
    site.json(&site.server(), &["signal", "late", "--batch", &batch]);
    assert_eq!(site.run(&site.server(), &["work", "--drain"]).exit, 0);
    assert_eq!(site.json(&site.server(), &["batches", "wait", &batch, "--timeout", "60s"])["completed"], 3);
    let status = |reference: &str| {
        let id = enqueued["ids"][reference].to_string();
        site.json(&site.server(), &["jobs", "show", &id])["status"].clone()
    };
    assert_eq!((status("done"), status("alert")), ("completed".into(), "cancelled".into()));
}

#[test]
fn what_only_one_database_can_keep_arrives_as_what_means_the_same() {
    let site = Site::new();
    let server = site.server();
    assert_eq!(site.run(FILE, &["migrate", "up"]).exit, 0);
    let file = Connection::open(site.sandbox.path("jobs.db")).unwrap();
    file.execute_batch(
        "INSERT INTO job_queue (job_type, run_at) VALUES ('note', 9223372036854775807), ('note', 253402300800000);
         INSERT INTO job_queue (job_type, timeout_seconds) VALUES ('note', 0.0001), ('note', 1e18), ('note', 1.235);
         INSERT INTO job_queue (job_type, expires_at, deadline_at) VALUES ('note', 9223372036854775807, 631152000000);",
    )
    .unwrap();
    drop(file);
    site.moved(FILE, &server, &[]);
    let there = site.jobs(&server);
    let value = |id: u64, field: &str| there[&id].0[field].clone();
    let last = "9999-12-30T22:00:00.000Z";
    assert_eq!(
        (value(1, "run_at"), value(2, "run_at"), value(6, "expires_at")),
        (last.into(), last.into(), last.into())
    );
    let timeouts = [3, 4, 5].map(|id| value(id, "timeout_seconds").to_string());
    assert_eq!(timeouts, ["0.001", "316224000", "1.235"]);

    let made = site.server.sql(
        "SELECT longshore.enqueue(
             'note', expires_at => 'infinity', deadline_at => '-infinity', timeout_seconds => 1e9
         )",
    );
    let id: u64 = made[0][0].as_deref().unwrap().parse().unwrap();
    site.moved(&server, FILE, &[]);
    let here = site.jobs(FILE);
    let (early, _) = &here[&id];
    assert_eq!(early["deadline_at"], FIRST);
    assert_eq!(early["expires_at"], last);
    for (id, shown) in &there {
        assert_eq!(&here[id], shown, "{id}");
    }
}

/// The first instant that SQLite keeps.
const FIRST: &str = "1990-01-01T00:00:00.000Z";

#[test]
fn a_job_with_a_name_that_is_too_long_is_named_before_anything_is_closed() {
    let site = Site::new();
    let server = site.server();
    assert_eq!(site.run(FILE, &["migrate", "up"]).exit, 0);
    let file = Connection::open(site.sandbox.path("jobs.db")).unwrap();
    file.execute_batch("INSERT INTO job_queue (job_type, unique_key) VALUES ('note', hex(randomblob(2500)))").unwrap();
    drop(file);
    for more in [&["--dry-run"][..], &[], &["--dry-run"]] {
        let ran = site.moves(FILE, &server, more);
        assert_eq!((ran.exit, ran.code().as_str()), (7, "names_too_long"), "{ran:?}");
        assert!(format!("{ran:?}").contains("job 1: its unique key has more than 2000 bytes"), "{ran:?}");
    }
    assert_eq!(site.run(FILE, &["enqueue", "note"]).exit, 0, "the old database is still open");
    assert_eq!(site.run(FILE, &["jobs", "cancel", "1"]).exit, 0);
    let report = site.moved(FILE, &server, &["--ended"]);
    assert_eq!(report["moved"]["cancelled"], 1, "a key that nobody holds is in no index: {report}");
}

#[test]
fn spent_rates_and_tokens_move_and_the_audit_trail_stays() {
    let site = Site::new();
    let server = site.server();
    let limited = "[jobs.sync]\nrun = [\"true\"]\nkey = \"/tenant_id\"\nkey_rate = \"1/1h\"\n";
    site.sandbox.write("longshore.toml", limited);
    for _ in 0..2 {
        assert_eq!(site.run(FILE, &["enqueue", "sync", "{\"tenant_id\": \"acme\"}"]).exit, 0);
    }
    let worked = site.command(FILE, &["work"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    site.sandbox.until(|| site.statuses(FILE).get("completed") == Some(&1));
    stop(worked);
    assert_eq!(site.run(FILE, &["token", "add", "prometheus", "--scope", "read"]).exit, 0);
    let facts = |database: &str| (site.json(database, &["limits", "list"]), site.json(database, &["token", "list"]));
    let before = facts(FILE);
    assert!(before.0.to_string().contains("\"opens_at\":\"20"), "the rate is spent: {before:?}");
    let ran = site.sandbox.run(&["move", "--from", FILE, "--to", &server]);
    assert!(ran.exit == 0 && ran.stdout.contains("the audit trail stays in sqlite:"), "{ran:?}");
    assert_eq!(facts(&server), before);
    site.moved(&server, FILE, &[]);
    assert_eq!(facts(FILE), before);
}
